//! Says the tools, and which of them the model is to call.

use serde_json::{Map, Value, json};

use super::super::chat_request::{Choice, Tool, allow, choice, tools};
use super::super::fields::{Fields, Left, refusal};
use super::super::shape::Refusal;
use super::model::Family;

/// Takes tools and choice as `toolConfig`. `called`: the conversation has calls, which Converse
/// takes only where there are tools. What only the model's own language can say goes into
/// `additional`.
pub(super) fn tool_config(
    fields: &mut Fields,
    family: Family,
    called: bool,
    additional: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<Option<Value>, Refusal> {
    let mut tools = tools(fields, left)?;
    let mut choice = choice(fields, left)?.unwrap_or(Choice::Auto);
    let parallel = fields.truth("parallel_tool_calls")?.unwrap_or(true);
    if choice == Choice::None && called && !tools.is_empty() {
        let why = "is `none`, which Converse can only say by having no tools, and it takes no \
                   conversation with calls without tools";
        left.unless_dropped("tool_choice", why)?;
        choice = Choice::Auto;
    }
    if tools.is_empty() {
        if called {
            let why = "is empty, and Converse takes a conversation with calls only together \
                       with its tools: send them again";
            return Err(refusal("tools", why));
        }
        return match choice {
            Choice::None | Choice::Auto => Ok(None),
            _ => Err(refusal(
                "tool_choice",
                "asks for a tool, and there are no `tools`",
            )),
        };
    }
    if choice == Choice::None {
        return Ok(None);
    }
    if let Choice::Allowed { names, required } = choice {
        allow(&mut tools, &names)?;
        choice = if required {
            Choice::Required
        } else {
            Choice::Auto
        };
    }
    for tool in tools.iter().filter(|tool| tool.mark.is_some()) {
        left.hint(format!("{}.cache_control", tool.at));
    }
    let mut config = json!({"tools": tools.into_iter().map(spec).collect::<Vec<_>>()});
    let (own, claudes) = match choice {
        Choice::Required => (Some(json!({"any": {}})), json!({"type": "any"})),
        Choice::Function(name) => (
            Some(json!({"tool": {"name": name}})),
            json!({"type": "tool", "name": name}),
        ),
        _ => (None, json!({"type": "auto"})),
    };
    if !parallel && family == Family::Claude {
        // Converse cannot say it, and refuses a choice of its own beside this one.
        let mut one = claudes;
        one["disable_parallel_tool_use"] = true.into();
        additional.insert("tool_choice".to_owned(), one);
        return Ok(Some(config));
    }
    if !parallel {
        left.hint("parallel_tool_calls");
    }
    if let Some(own) = own {
        config["toolChoice"] = own;
    }
    Ok(Some(config))
}

fn spec(tool: Tool) -> Value {
    let nothing = || json!({"type": "object", "properties": {}});
    let mut schema = tool.parameters.unwrap_or_else(nothing);
    // OpenAI needs no type at the root, and Bedrock refuses any but this one.
    if let Value::Object(members) = &mut schema {
        members.entry("type").or_insert_with(|| "object".into());
    }
    let mut spec = json!({"name": tool.name, "inputSchema": {"json": schema}});
    if let Some(description) = tool.description {
        spec["description"] = description.into();
    }
    // Not to be strict is what happens anyway, and not every model takes the field.
    if tool.strict == Some(true) {
        spec["strict"] = true.into();
    }
    json!({"toolSpec": spec})
}
