//! Reads what a request in Ollama's own language asks for.

use serde::Deserialize as _;
use serde_json::Value;

use super::super::tools::Tool;
use super::{Asked, Format, Text};

/// What a request asks for; what is not as it should be is taken as absent.
pub(in super::super) fn of_ollama(body: &Value) -> Asked {
    let text = |name: &str| {
        let found = body
            .get(name)
            .and_then(|value| Text::deserialize(value).ok());
        found.unwrap_or_default()
    };
    let (messages, prompt, system) = (text("messages"), text("prompt"), text("system"));
    let limit = body["options"]["num_predict"].as_u64();
    let tools = body["tools"].as_array();
    Asked {
        model: body["model"].as_str().map(str::to_owned),
        // A stream, unless told otherwise.
        stream: body["stream"] != false,
        choices: 1,
        max_tokens: limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
        tool_wanted: messages.says_tool || prompt.says_tool,
        tools: tools.into_iter().flatten().filter_map(Tool::of).collect(),
        format: match &body["format"] {
            Value::String(word) if word == "json" => Format::JsonObject,
            Value::Object(_) => Format::JsonSchema(body["format"].clone()),
            _ => Format::Text,
        },
        reasoning: !matches!(body["think"], Value::Null | Value::Bool(false)),
        prompt_bytes: messages.bytes + prompt.bytes + system.bytes,
        inputs: 1,
        ..Asked::default()
    }
}
