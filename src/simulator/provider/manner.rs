//! Says in whose words an endpoint tells its errors.

use crate::config::settings::ErrorShape;
use crate::record::Language;

use super::endpoints::{Address, Cloud};
use super::quirks::Quirks;

/// In whose words an endpoint tells its errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manner {
    /// The shape of a body.
    pub(super) shape: ErrorShape,
    /// Whether Google's object stands alone, and not in an array of one.
    pub(super) alone: bool,
    /// Who says it: a preset's name.
    pub(super) owner: String,
    /// Whether the endpoint is one of its owner's own, and not one that copies `OpenAI`.
    pub(super) native: bool,
}

impl Manner {
    /// The manner of an endpoint. Anthropic's shape where its language is spoken by default, and
    /// Google's and Amazon's wherever theirs are.
    pub(super) fn of(address: &Address, quirks: &Quirks) -> Self {
        let language = address.endpoint.language();
        let manner = |shape, owner: &str, native| Self {
            shape,
            alone: native,
            owner: owner.to_owned(),
            native,
        };
        match language {
            Language::GeminiGenerate => {
                let vertex = address.cloud == Cloud::Vertex;
                let owner = if vertex { "vertex" } else { "gemini" };
                manner(ErrorShape::GoogleArray, owner, true)
            }
            Language::BedrockConverse | Language::BedrockInvoke => {
                manner(ErrorShape::Aws, "bedrock", true)
            }
            Language::OllamaNative => manner(ErrorShape::Text, "ollama-native", true),
            _ if address.cloud == Cloud::Azure => manner(ErrorShape::OpenAi, "azure", false),
            _ => manner(shape(language, quirks.error_shape), &quirks.owner, false),
        }
    }
}

fn shape(language: Language, shape: ErrorShape) -> ErrorShape {
    let anthropic = matches!(
        language,
        Language::AnthropicMessages | Language::AnthropicCountTokens
    );
    match (anthropic, shape) {
        (true, _) => ErrorShape::Anthropic,
        (false, ErrorShape::Anthropic) if language != Language::Models => ErrorShape::OpenAi,
        (_, shape) => shape,
    }
}
