//! Says which tools there are, and how the model may choose among them.

use serde_json::{Map, Value, json};

use crate::wire::translation::fields::{Fields, Left, refusal};
use crate::wire::translation::shape::Refusal;

/// Puts the tools of a request and the choice among them into `sent`.
pub(super) fn tools(
    fields: &mut Fields,
    sent: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    let mut tools = Vec::new();
    let listed = fields.list("tools")?.unwrap_or_default();
    for (index, tool) in listed.into_iter().enumerate() {
        tools.push(tool_of(&format!("tools[{index}]"), tool, left)?);
    }
    let mut choice = choice(fields, left)?;
    let serially = fields.truth("parallel_tool_calls")? == Some(false);
    if tools.is_empty() {
        // The provider wants no choice where there is none.
        return match choice.as_ref().and_then(|choice| choice["type"].as_str()) {
            None | Some("auto" | "none") => Ok(()),
            Some(_) => Err(refusal(
                "tool_choice",
                "asks for a tool, and there are none",
            )),
        };
    }
    if serially {
        let choice = choice.get_or_insert_with(|| json!({"type": "auto"}));
        if choice["type"] != "none" {
            choice["disable_parallel_tool_use"] = true.into();
        }
    }
    sent.insert("tools".to_owned(), tools.into());
    if let Some(choice) = choice {
        sent.insert("tool_choice".to_owned(), choice);
    }
    Ok(())
}

fn tool_of(path: &str, tool: Value, left: &mut Left) -> Result<Value, Refusal> {
    let mut tool = Fields::of(path, tool)?;
    let kind = tool.needed_text("type")?;
    if kind != "function" {
        let why = format!("is {kind:?}; only functions can be said in anthropic-messages");
        return Err(refusal(&tool.at("type"), &why));
    }
    let Some(mut function) = tool.object("function")? else {
        return Err(refusal(&tool.at("function"), "is missing"));
    };
    let mut said = Map::new();
    said.insert("name".to_owned(), function.needed_text("name")?.into());
    if let Some(description) = function.text("description")? {
        said.insert("description".to_owned(), description.into());
    }
    let path = function.at("parameters");
    let schema = match function.take("parameters") {
        None => json!({"type": "object", "properties": {}}),
        Some(Value::Object(mut schema)) => {
            if !schema.contains_key("type") {
                schema.insert("type".to_owned(), "object".into());
            }
            schema.into()
        }
        Some(_) => return Err(refusal(&path, "must be a JSON schema")),
    };
    said.insert("input_schema".to_owned(), schema);
    if function.truth("strict")? == Some(true) {
        said.insert("strict".to_owned(), true.into());
    }
    function.finish(left)?;
    // Anthropic's own, which clients that know it put beside OpenAI's.
    if let Some(mark) = tool.take("cache_control") {
        said.insert("cache_control".to_owned(), mark);
    }
    tool.finish(left)?;
    Ok(said.into())
}

fn choice(fields: &mut Fields, left: &mut Left) -> Result<Option<Value>, Refusal> {
    let word = |word: &str| match word {
        "none" | "auto" => Ok(Some(json!({"type": word}))),
        "required" => Ok(Some(json!({"type": "any"}))),
        _ => {
            let why = format!("is {word:?}; send none, auto, required or a function");
            Err(refusal("tool_choice", &why))
        }
    };
    let choice = match fields.take("tool_choice") {
        None => return Ok(None),
        Some(Value::String(choice)) => return word(&choice),
        Some(choice) => choice,
    };
    let mut choice = Fields::of("tool_choice", choice)?;
    let kind = choice.needed_text("type")?;
    if kind != "function" {
        left.no_place(choice.at("type"))?;
        return Ok(None);
    }
    let Some(mut function) = choice.object("function")? else {
        return Err(refusal(&choice.at("function"), "is missing"));
    };
    let name = function.needed_text("name")?;
    function.finish(left)?;
    choice.finish(left)?;
    Ok(Some(json!({"type": "tool", "name": name})))
}
