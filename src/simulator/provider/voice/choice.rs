//! Chooses the voice of an endpoint.

use crate::record::Language;

use super::speech::Voice;
use super::{chat, completions, messages, responses};

/// The voice of an endpoint's language.
pub(in super::super) fn voice(language: Language) -> Box<dyn Voice> {
    match language {
        Language::OpenAiCompletions => Box::new(completions::Completions),
        Language::OpenAiResponses => Box::new(responses::Responses::default()),
        Language::AnthropicMessages => Box::new(messages::Messages),
        _ => Box::new(chat::Chat),
    }
}
