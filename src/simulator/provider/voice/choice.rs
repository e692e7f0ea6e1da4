//! Chooses the voice of an endpoint.

use crate::record::Language;

use super::speech::Voice;
use super::{chat, completions, converse, gemini, invoke, messages, ollama, responses};

/// The voice of an endpoint's language.
pub(in super::super) fn voice(language: Language) -> Box<dyn Voice> {
    match language {
        Language::OpenAiCompletions => Box::new(completions::Completions),
        Language::OpenAiResponses => Box::new(responses::Responses::default()),
        Language::AnthropicMessages => Box::new(messages::Messages),
        Language::GeminiGenerate => Box::new(gemini::Gemini::default()),
        Language::BedrockConverse => Box::new(converse::Converse::default()),
        Language::BedrockInvoke => Box::new(invoke::Invoke::default()),
        Language::OllamaNative => Box::new(ollama::Ollama),
        _ => Box::new(chat::Chat),
    }
}
