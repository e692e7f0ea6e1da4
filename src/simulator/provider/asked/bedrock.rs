//! Reads what a request in Bedrock's Converse asks for.

use serde::Deserialize as _;
use serde_json::Value;

use super::super::tools::Tool;
use super::{Asked, Format, Text};

/// What a request asks for; what is not as it should be is taken as absent, and refused elsewhere.
pub(in super::super) fn of_converse(body: &Value) -> Asked {
    // A count of tokens wraps the request.
    let body = body.pointer("/input/converse").unwrap_or(body);
    let text = |name: &str| {
        let found = body
            .get(name)
            .and_then(|value| Text::deserialize(value).ok());
        found.unwrap_or_default()
    };
    let (messages, system) = (text("messages"), text("system"));
    let config = &body["toolConfig"];
    let choice = &config["toolChoice"];
    let named = choice["tool"]["name"].as_str();
    let forced = named.is_some() || choice.get("any").is_some();
    let offered = config["tools"].as_array();
    let tools = offered.into_iter().flatten().filter_map(|tool| {
        let spec = tool.get("toolSpec")?;
        Some(Tool {
            name: spec["name"].as_str()?.to_owned(),
            schema: spec["inputSchema"]["json"].clone(),
        })
    });
    let more = &body["additionalModelRequestFields"];
    let thinks = more
        .get("thinking")
        .or_else(|| more.get("reasoning_config"));
    let limit = body["inferenceConfig"]["maxTokens"].as_u64();
    Asked {
        choices: 1,
        max_tokens: limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
        tool_wanted: messages.says_tool || forced,
        tool_forced: forced,
        tools: tools
            .filter(|tool| named.is_none_or(|name| name == tool.name))
            .collect(),
        format: format(body),
        reasoning: thinks.is_some_and(super::thinks)
            || more.get("reasoning_effort").is_some()
            || body["outputConfig"].get("effort").is_some(),
        prompt_bytes: messages.bytes + system.bytes,
        ..Asked::default()
    }
}

/// The schema is JSON within a string.
fn format(body: &Value) -> Format {
    let schema = body
        .pointer("/outputConfig/textFormat/structure/jsonSchema/schema")
        .and_then(Value::as_str);
    let schema = schema.and_then(|schema| serde_json::from_str(schema).ok());
    schema.map_or(Format::Text, Format::JsonSchema)
}
