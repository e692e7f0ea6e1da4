//! Says tools, and which of them may be called, in chat.

use serde_json::{Map, Value, json};

use super::super::fields::{Fields, Left, refusal};
use super::super::shape::Refusal;

/// The tools that the client itself runs, as functions.
pub(super) fn tools(list: Vec<Value>, left: &mut Left) -> Result<Vec<Value>, Refusal> {
    let mut functions = Vec::new();
    for (index, tool) in list.into_iter().enumerate() {
        let path = format!("tools[{index}]");
        let mut tool = Fields::of(&path, tool)?;
        let kind = tool.text("type")?;
        if let Some(kind) = kind.filter(|kind| kind != "custom") {
            let why = format!(
                "is `{kind}`, a tool that only Anthropic's models know or that runs at Anthropic"
            );
            left.unless_dropped(path, &why)?;
            continue;
        }
        functions.push(function(tool, left)?);
    }
    Ok(functions)
}

fn function(mut tool: Fields, left: &mut Left) -> Result<Value, Refusal> {
    let mut function = Map::new();
    function.insert("name".into(), tool.needed_text("name")?.into());
    if let Some(description) = tool.text("description")? {
        function.insert("description".into(), description.into());
    }
    let schema = tool.take("input_schema");
    let schema = schema.unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    function.insert("parameters".into(), schema);
    if tool.truth("strict")? == Some(true) {
        function.insert("strict".into(), true.into());
    }
    if tool.take("cache_control").is_some() {
        left.hint("tools[].cache_control");
    }
    // How finely its input is streamed, and whether it may be looked up later: it is all there.
    tool.hints(&["eager_input_streaming", "defer_loading"], left);
    tool.skip_if("allowed_callers", |callers| *callers == json!(["direct"]));
    tool.finish(left)?;
    Ok(json!({"type": "function", "function": function}))
}

/// Which tools may or must be called, and whether several at once.
pub(super) fn choice(
    mut choice: Fields,
    chat: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    let kind = choice.needed_text("type")?;
    let has_tools = chat.contains_key("tools");
    let said = match kind.as_str() {
        // The default; and without tools chat takes no choice.
        "auto" => None,
        "none" => has_tools.then(|| "none".into()),
        "any" => Some("required".into()),
        "tool" => {
            let name = choice.needed_text("name")?;
            Some(json!({"type": "function", "function": {"name": name}}))
        }
        _ => {
            return Err(refusal(
                &choice.at("type"),
                "must be auto, any, tool or none",
            ));
        }
    };
    if let Some(said) = said {
        chat.insert("tool_choice".into(), said);
    }
    if choice.truth("disable_parallel_tool_use")? == Some(true) && has_tools {
        chat.insert("parallel_tool_calls".into(), false.into());
    }
    choice.finish(left)
}
