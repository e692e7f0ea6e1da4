//! Says in which manner a provider speaks: its credential, errors, usage and keep-alives.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use crate::config::presets::Preset;
use crate::config::settings::{AuthScheme, ErrorShape, Keepalive, Provider, UsagePlace};
use crate::record::Dialect;

/// The field in which a chat provider shows reasoning text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningField {
    /// `reasoning_content`, as `DeepSeek`, Fireworks, xAI, `SGLang`, llama.cpp.
    ReasoningContent,
    /// `reasoning`, as Groq, Cerebras, vLLM, Together, Ollama.
    Reasoning,
    /// `reasoning` and `reasoning_details[]`, as `OpenRouter`.
    ReasoningDetails,
}

/// The manner of a provider's rate-limit headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateHeaders {
    /// `x-ratelimit-*-requests` and `-tokens`, resets as durations (`OpenAI`, Groq).
    Durations,
    /// The same, resets in seconds (Azure, Cerebras, and whoever copies).
    Seconds,
    /// `anthropic-ratelimit-*`, resets as RFC 3339.
    Anthropic,
    /// `ratelimitbysize-*` (Mistral).
    BySize,
    /// `x-ratelimit-limit`, `-remaining`, `-reset` in epoch milliseconds (`OpenRouter`).
    EpochMillis,
    /// None at all.
    None,
}

/// The pair of keys with which requests to Bedrock are signed.
#[derive(Debug, Clone)]
pub struct AwsKeys {
    /// The access key's id.
    pub id: String,
    /// The secret.
    pub secret: SecretString,
}

impl AwsKeys {
    /// The pair that Amazon's documentation shows: what a simulator takes unless told otherwise.
    #[must_use]
    pub fn for_tests() -> Self {
        Self {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        }
    }
}

/// In which manner a provider speaks.
#[derive(Debug, Clone)]
pub struct Quirks {
    /// Its family.
    pub dialect: Dialect,
    /// The header in which it takes a credential.
    pub auth: AuthScheme,
    /// The only credential that it takes; any or none if absent.
    pub key: Option<SecretString>,
    /// The only pair whose signatures are taken on Bedrock's own paths.
    pub aws: AwsKeys,
    /// How it keeps a waiting stream alive.
    pub keepalive: Keepalive,
    /// Where it puts usage.
    pub usage_place: UsagePlace,
    /// The shape of its errors.
    pub error_shape: ErrorShape,
    /// Where it shows reasoning.
    pub reasoning: ReasoningField,
    /// Its rate-limit headers.
    pub rate_headers: RateHeaders,
    /// Who it says owns its models.
    pub owner: Arc<str>,
}

impl Quirks {
    /// `OpenAI`'s own.
    #[must_use]
    pub fn openai() -> Self {
        Self {
            dialect: Dialect::OpenAi,
            auth: AuthScheme::Bearer,
            key: None,
            aws: AwsKeys::for_tests(),
            keepalive: Keepalive::None,
            usage_place: UsagePlace::OwnChunkOnRequest,
            error_shape: ErrorShape::OpenAi,
            reasoning: ReasoningField::ReasoningContent,
            rate_headers: RateHeaders::Durations,
            owner: "openai".into(),
        }
    }

    /// Anthropic's own.
    #[must_use]
    pub fn anthropic() -> Self {
        Self {
            dialect: Dialect::Anthropic,
            auth: AuthScheme::XApiKey,
            keepalive: Keepalive::PingEvent,
            usage_place: UsagePlace::AnthropicEvents,
            error_shape: ErrorShape::Anthropic,
            rate_headers: RateHeaders::Anthropic,
            owner: "anthropic".into(),
            ..Self::openai()
        }
    }

    /// Those of a configured provider, whose own credential becomes the only one taken.
    #[must_use]
    pub fn of(provider: &Provider) -> Self {
        let name = provider.preset.as_ref().unwrap_or(&provider.name);
        Self {
            dialect: provider.dialect,
            auth: provider.auth,
            key: provider.key().cloned(),
            aws: AwsKeys::for_tests(),
            keepalive: provider.keepalive,
            usage_place: provider.usage_place,
            error_shape: provider.error_shape,
            reasoning: reasoning_field(name),
            rate_headers: rate_headers(name),
            owner: name.as_str().into(),
        }
    }

    /// Those of a preset, with any credential taken.
    #[must_use]
    pub fn of_preset(preset: &Preset) -> Self {
        Self {
            dialect: preset.traits.dialect,
            auth: preset.traits.auth,
            key: None,
            aws: AwsKeys::for_tests(),
            keepalive: preset.traits.keepalive,
            usage_place: preset.traits.usage_place,
            error_shape: preset.traits.error_shape,
            reasoning: reasoning_field(&preset.name),
            rate_headers: rate_headers(&preset.name),
            owner: preset.name.as_str().into(),
        }
    }

    /// The same, taking that credential only.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned().into());
        self
    }

    /// Whether a credential that came in `header` is the expected one.
    pub(super) fn accepts(&self, header: &str, value: &str) -> bool {
        let Some(key) = &self.key else { return true };
        // Anthropic's newer SDKs send their key as bearer token, Azure's likewise.
        let value = match header {
            "authorization" => value
                .strip_prefix("Bearer ")
                .or_else(|| value.strip_prefix("bearer "))
                .unwrap_or(""),
            _ => value,
        };
        value == key.expose_secret()
    }
}

fn reasoning_field(name: &str) -> ReasoningField {
    match name {
        "openrouter" => ReasoningField::ReasoningDetails,
        "groq" | "cerebras" | "vllm" | "together" | "ollama" | "huggingface" | "tgi" => {
            ReasoningField::Reasoning
        }
        _ => ReasoningField::ReasoningContent,
    }
}

fn rate_headers(name: &str) -> RateHeaders {
    match name {
        "openai" | "groq" | "fireworks" => RateHeaders::Durations,
        "azure" | "azure-deployment" | "cerebras" | "together" | "xai" => RateHeaders::Seconds,
        "anthropic" => RateHeaders::Anthropic,
        "mistral" => RateHeaders::BySize,
        "openrouter" => RateHeaders::EpochMillis,
        _ => RateHeaders::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_expected_credential_is_taken() {
        let quirks = Quirks::anthropic().with_key("right");
        for (header, value, taken) in [
            ("x-api-key", "right", true),
            ("x-api-key", "wrong", false),
            ("authorization", "Bearer right", true),
            ("authorization", "right", false),
        ] {
            assert_eq!(quirks.accepts(header, value), taken, "{header}: {value}");
        }
        assert!(Quirks::openai().accepts("authorization", ""));
    }

    #[test]
    fn presets_have_their_manner() {
        for (name, reasoning, rate) in [
            (
                "openai",
                ReasoningField::ReasoningContent,
                RateHeaders::Durations,
            ),
            ("groq", ReasoningField::Reasoning, RateHeaders::Durations),
            (
                "openrouter",
                ReasoningField::ReasoningDetails,
                RateHeaders::EpochMillis,
            ),
            (
                "mistral",
                ReasoningField::ReasoningContent,
                RateHeaders::BySize,
            ),
            (
                "my-vllm",
                ReasoningField::ReasoningContent,
                RateHeaders::None,
            ),
        ] {
            assert_eq!(
                (reasoning_field(name), rate_headers(name)),
                (reasoning, rate),
                "{name}"
            );
        }
    }
}
