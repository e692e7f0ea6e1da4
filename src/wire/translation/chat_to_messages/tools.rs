//! Says which tools there are, and how the model may choose among them.

use serde_json::{Map, Value, json};

use super::super::chat_request::{Choice, Tool, allow, choice, tools as asked};
use crate::wire::translation::fields::{Fields, Left, refusal};
use crate::wire::translation::shape::Refusal;

/// Puts the tools of a request and the choice among them into `sent`.
pub(super) fn tools(
    fields: &mut Fields,
    sent: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    let mut tools = asked(fields, left)?;
    let choice = choice(fields, left)?;
    let serially = fields.truth("parallel_tool_calls")? == Some(false);
    if tools.is_empty() {
        // The provider wants no choice where there is none.
        return match choice {
            None | Some(Choice::Auto | Choice::None) => Ok(()),
            Some(_) => Err(refusal(
                "tool_choice",
                "asks for a tool, and there are none",
            )),
        };
    }
    let mut said = match choice {
        None => None,
        Some(Choice::None) => Some(json!({"type": "none"})),
        Some(Choice::Auto) => Some(json!({"type": "auto"})),
        Some(Choice::Required) => Some(json!({"type": "any"})),
        Some(Choice::Function(name)) => Some(json!({"type": "tool", "name": name})),
        Some(Choice::Allowed { names, required }) => {
            allow(&mut tools, &names)?;
            required.then(|| json!({"type": "any"}))
        }
    };
    if serially {
        let choice = said.get_or_insert_with(|| json!({"type": "auto"}));
        if choice["type"] != "none" {
            choice["disable_parallel_tool_use"] = true.into();
        }
    }
    sent.insert("tools".to_owned(), tools.into_iter().map(tool).collect());
    if let Some(choice) = said {
        sent.insert("tool_choice".to_owned(), choice);
    }
    Ok(())
}

fn tool(tool: Tool) -> Value {
    let mut said = Map::new();
    said.insert("name".to_owned(), tool.name.into());
    if let Some(description) = tool.description {
        said.insert("description".to_owned(), description.into());
    }
    let nothing = || json!({"type": "object", "properties": {}});
    let mut schema = tool.parameters.unwrap_or_else(nothing);
    if let Value::Object(members) = &mut schema {
        members.entry("type").or_insert_with(|| "object".into());
    }
    said.insert("input_schema".to_owned(), schema);
    if tool.strict == Some(true) {
        said.insert("strict".to_owned(), true.into());
    }
    if let Some(mark) = tool.mark {
        said.insert("cache_control".to_owned(), mark);
    }
    said.into()
}
