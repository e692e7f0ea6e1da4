//! Reads what a request in Gemini's language asks for.

use serde::Deserialize as _;
use serde_json::Value;

use super::super::check::google_field as field;
use super::super::tools::Tool;
use super::{Asked, Format, Text};

/// What a request asks for; what is not as it should be is taken as absent, and refused elsewhere.
pub(in super::super) fn of_gemini(body: &Value) -> Asked {
    let inner = field(body, "generateContentRequest").unwrap_or(body);
    let text = |name: &str| {
        let found = field(inner, name).and_then(|value| Text::deserialize(value).ok());
        found.unwrap_or_default()
    };
    let (contents, system) = (text("contents"), text("systemInstruction"));
    let empty = Value::Null;
    let generation = field(inner, "generationConfig").unwrap_or(&empty);
    let number = |name: &str| {
        let number = field(generation, name).and_then(Value::as_u64);
        number.map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    };
    let calling =
        field(inner, "toolConfig").and_then(|config| field(config, "functionCallingConfig"));
    let mode = calling
        .and_then(|calling| field(calling, "mode"))
        .and_then(Value::as_str);
    let allowed: Vec<&str> = calling
        .and_then(|calling| field(calling, "allowedFunctionNames"))
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut tools = tools(inner);
    tools.retain(|tool| allowed.is_empty() || allowed.contains(&tool.name.as_str()));
    if mode == Some("NONE") {
        tools.clear();
    }
    let thinking = field(generation, "thinkingConfig").unwrap_or(&empty);
    let shown = field(thinking, "includeThoughts") == Some(&Value::Bool(true));
    let budget = field(thinking, "thinkingBudget").and_then(Value::as_i64);
    let requests = field(inner, "requests").and_then(Value::as_array);
    Asked {
        choices: number("candidateCount").unwrap_or(1).clamp(1, 8),
        max_tokens: number("maxOutputTokens"),
        tool_wanted: contents.says_tool || mode == Some("ANY"),
        tool_forced: mode == Some("ANY"),
        format: format(generation),
        reasoning: shown
            || field(thinking, "thinkingLevel").is_some()
            || budget.is_some_and(|budget| budget != 0),
        hides_thoughts: !shown,
        prompt_bytes: contents.bytes + system.bytes,
        inputs: requests.map_or(1, |requests| requests.len() as u32),
        dimensions: field(inner, "outputDimensionality")
            .and_then(Value::as_u64)
            .map(|number| number as u32),
        tools,
        ..Asked::default()
    }
}

fn tools(body: &Value) -> Vec<Tool> {
    let tools = field(body, "tools").and_then(Value::as_array);
    let declared = tools
        .into_iter()
        .flatten()
        .filter_map(|tool| field(tool, "functionDeclarations")?.as_array())
        .flatten();
    declared
        .filter_map(|declared| {
            let schema =
                field(declared, "parametersJsonSchema").or_else(|| field(declared, "parameters"));
            Some(Tool {
                name: field(declared, "name")?.as_str()?.to_owned(),
                schema: schema.cloned().unwrap_or(Value::Null),
            })
        })
        .collect()
}

fn format(generation: &Value) -> Format {
    let schema =
        field(generation, "responseJsonSchema").or_else(|| field(generation, "responseSchema"));
    match (schema, field(generation, "responseMimeType")) {
        (Some(schema), _) => Format::JsonSchema(schema.clone()),
        (None, Some(kind)) if kind == "application/json" => Format::JsonObject,
        (None, _) => Format::Text,
    }
}
