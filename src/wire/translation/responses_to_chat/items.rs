//! The items of an output as JSON: opened, filled piece by piece, closed.

use std::io::Write as _;

use serde_json::Value;

use super::super::chat_pieces::{escaped, unescaped};
use super::tools::Origin;

/// An item that is open. Texts are insides of JSON strings.
#[derive(Debug)]
pub(super) enum Open {
    /// The model's message, with the content part that is open and those closed.
    Message { part: Part, closed: String },
    /// Reasoning; whether it has text.
    Reasoning { part: bool },
    /// A picture; its text is what it is made of, in Base64.
    Image,
    /// A call: its id and what it is at the client.
    Call { id: String, origin: Origin },
}

/// The kind of an open content part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Text,
    Refusal,
}

impl Part {
    /// The part as an object.
    pub(super) fn write(self, text: &str) -> String {
        match self {
            Self::Text => format!(
                "{{\"type\":\"output_text\",\"text\":\"{text}\",\"annotations\":[],\"logprobs\":[]}}"
            ),
            Self::Refusal => format!("{{\"type\":\"refusal\",\"refusal\":\"{text}\"}}"),
        }
    }
}

/// What a call is in the output: its type, the prefix of its id, its name and namespace.
fn call_words(origin: &Origin) -> (&'static str, &'static str, &str, Option<&str>) {
    match origin {
        Origin::Function(name, space) => ("function_call", "fc", name, space.as_deref()),
        Origin::Custom(name, space) => ("custom_tool_call", "ctc", name, space.as_deref()),
        Origin::Search => ("tool_search_call", "tsc", "", None),
    }
}

impl Open {
    /// The item's id: the `index`th of the answer `id`.
    pub(super) fn id(&self, id: &str, index: usize) -> String {
        let prefix = match self {
            Self::Message { .. } => "msg",
            Self::Reasoning { .. } => "rs",
            Self::Image => "ig",
            Self::Call { origin, .. } => call_words(origin).1,
        };
        format!("{prefix}_{}_{index}", escaped(id))
    }

    /// The item as an object. `text` is what its open part, or its call, holds, and `sealed` what
    /// has to come back of its reasoning.
    pub(super) fn write(
        &self,
        id: &str,
        status: &str,
        text: &str,
        sealed: Option<&str>,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 160);
        match self {
            Self::Message { closed, .. } => {
                let _ = write!(
                    out,
                    "{{\"id\":\"{id}\",\"type\":\"message\",\"role\":\"assistant\",\
                     \"status\":\"{status}\",\"content\":[{closed}]}}"
                );
            }
            Self::Reasoning { part } => {
                let _ = write!(
                    out,
                    "{{\"id\":\"{id}\",\"type\":\"reasoning\",\"status\":\"{status}\",\
                     \"summary\":[],\"content\":["
                );
                if *part {
                    let _ = write!(out, "{{\"type\":\"reasoning_text\",\"text\":\"{text}\"}}");
                }
                out.push(b']');
                if let Some(sealed) = sealed {
                    let _ = write!(out, ",\"encrypted_content\":\"{}\"", escaped(sealed));
                }
                out.push(b'}');
            }
            Self::Image => {
                let _ = write!(
                    out,
                    "{{\"id\":\"{id}\",\"type\":\"image_generation_call\",\"status\":\"{status}\",\
                     \"result\":"
                );
                let _ = match text {
                    "" => write!(out, "null}}"),
                    text => write!(out, "\"{text}\"}}"),
                };
            }
            Self::Call { id: call, origin } => {
                let (kind, _, name, space) = call_words(origin);
                let _ = write!(
                    out,
                    "{{\"id\":\"{id}\",\"type\":\"{kind}\",\"status\":\"{status}\",\
                     \"call_id\":\"{}\"",
                    escaped(call)
                );
                if !name.is_empty() {
                    let _ = write!(out, ",\"name\":\"{}\"", escaped(name));
                }
                if let Some(space) = space {
                    let _ = write!(out, ",\"namespace\":\"{}\"", escaped(space));
                }
                let _ = match origin {
                    Origin::Function(..) => write!(out, ",\"arguments\":\"{text}\""),
                    Origin::Custom(..) => write!(out, ",\"input\":\"{text}\""),
                    Origin::Search => {
                        let arguments = object(text);
                        write!(out, ",\"execution\":\"client\",\"arguments\":{arguments}")
                    }
                };
                out.push(b'}');
            }
        }
        out
    }
}

/// The one argument of a function that stands for a tool whose input is text. A model that forgot
/// to wrap its input is taken at its word.
pub(super) fn custom_input(arguments: &str) -> String {
    let text = unescaped(arguments);
    let read: Option<Value> = serde_json::from_str(&text).ok();
    match read.as_ref().and_then(|value| value.get("input")?.as_str()) {
        Some(input) => escaped(input),
        None => arguments.to_owned(),
    }
}

/// Arguments as an object; what is none stands as the text that it is.
fn object(arguments: &str) -> Value {
    let text = unescaped(arguments);
    if text.is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text.into_owned()))
}
