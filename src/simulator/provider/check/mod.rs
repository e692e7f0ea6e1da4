//! Objects to a request as the API that it is sent to would.

mod shape;

mod turns;

mod chat;

mod converse;

mod gemini;

mod messages;

mod mistral;

use serde_json::Value;

use crate::record::Language;

use super::endpoints::Endpoint;

pub(super) use gemini::field as google_field;
pub(super) use messages::Counter;
pub(super) use turns::{Objection, SIGNATURE};

/// The fields of a request's body that the provider `owner` does not take, in its words; absent
/// where it takes them all. Whoever copies `OpenAI`'s chat has fields of its own and takes others'.
pub(super) fn extra_fields(endpoint: &Endpoint, body: &Value, owner: &str) -> Option<Value> {
    let closed = owner == "mistral" && *endpoint == Endpoint::Generate(Language::OpenAiChat);
    closed.then(|| mistral::extra(body)).flatten()
}

/// What is wrong with a request's body. `vertex`: it came to Vertex AI.
pub(super) fn objection(
    endpoint: &Endpoint,
    body: &Value,
    model: &str,
    vertex: bool,
    counter: Counter,
) -> Option<Objection> {
    match endpoint {
        Endpoint::Generate(Language::OpenAiChat) => chat::request(body),
        Endpoint::Generate(Language::AnthropicMessages | Language::BedrockInvoke) => {
            messages::request(body, counter)
        }
        Endpoint::CountTokens(Language::AnthropicMessages) => messages::count(body),
        Endpoint::Generate(Language::GeminiGenerate) => gemini::request(body, model, vertex),
        Endpoint::CountTokens(Language::GeminiGenerate) => gemini::count(body),
        Endpoint::Generate(Language::BedrockConverse) => converse::request(body),
        _ => None,
    }
}
