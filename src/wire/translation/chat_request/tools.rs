//! Reads the tools of a request, and which of them the model is to call.

use serde_json::Value;

use super::super::fields::{Fields, Left, missing, refusal, wrong};
use super::super::shape::Refusal;

/// A function that the model may call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tool {
    /// Where it stands in the request.
    pub(crate) at: String,
    /// Its name.
    pub(crate) name: String,
    /// What it does.
    pub(crate) description: Option<String>,
    /// The JSON schema of its arguments.
    pub(crate) parameters: Option<Value>,
    /// Whether calls must keep to the schema; absent where the client does not say.
    pub(crate) strict: Option<bool>,
    /// Anthropic's mark of where the prompt may be cached, which clients that know it put beside
    /// OpenAI's fields.
    pub(crate) mark: Option<Value>,
}

/// Which tools the model is to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// None at all.
    None,
    /// As it sees fit.
    Auto,
    /// At least one.
    Required,
    /// This one.
    Function(String),
    /// Only these: at least one where `required`, else as it sees fit.
    Allowed {
        /// Their names.
        names: Vec<String>,
        /// Whether at least one must be called.
        required: bool,
    },
}

/// Takes the tools.
pub(crate) fn tools(body: &mut Fields, left: &mut Left) -> Result<Vec<Tool>, Refusal> {
    for (former, now) in [("functions", "tools"), ("function_call", "tool_choice")] {
        body.skip_if(former, |value| value.as_array().is_some_and(Vec::is_empty));
        if body.take(former).is_some() {
            let why = format!("is the former name of `{now}`: send that");
            left.unless_dropped(former, &why)?;
        }
    }
    let list = body.list("tools")?.unwrap_or_default();
    let tools = list.into_iter().enumerate();
    tools
        .map(|(index, value)| tool(&format!("tools[{index}]"), value, left))
        .collect()
}

fn tool(at: &str, value: Value, left: &mut Left) -> Result<Tool, Refusal> {
    let mut tool = Fields::of(at, value)?;
    let kind = tool.needed_text("type")?;
    if kind != "function" {
        let why = format!("is `{kind}`: the provider knows only tools of type `function`");
        return Err(refusal(&tool.at("type"), &why));
    }
    let found = tool.object("function")?;
    let mut function = found.ok_or_else(|| missing(&tool.at("function")))?;
    let mark = tool.take("cache_control");
    tool.finish(left)?;
    let read = Tool {
        mark,
        at: at.to_owned(),
        name: function.needed_text("name")?,
        description: function
            .text("description")?
            .filter(|text| !text.is_empty()),
        parameters: schema(&mut function, "parameters")?,
        strict: function.truth("strict")?,
    };
    function.finish(left)?;
    Ok(read)
}

/// Takes a JSON schema, which is an object.
pub(super) fn schema(fields: &mut Fields, key: &str) -> Result<Option<Value>, Refusal> {
    match fields.take(key) {
        None => Ok(None),
        Some(schema @ Value::Object(_)) => Ok(Some(schema)),
        Some(other) => Err(wrong(
            &fields.at(key),
            "a JSON schema, which is an object",
            &other,
        )),
    }
}

/// Takes the choice; absent where the client makes none.
pub(crate) fn choice(body: &mut Fields, left: &mut Left) -> Result<Option<Choice>, Refusal> {
    let value = match body.take("tool_choice") {
        None => return Ok(None),
        Some(Value::String(word)) => {
            return match word.as_str() {
                "none" => Ok(Some(Choice::None)),
                "auto" => Ok(Some(Choice::Auto)),
                "required" => Ok(Some(Choice::Required)),
                _ => Err(refusal(
                    "tool_choice",
                    "is none of `none`, `auto` and `required`",
                )),
            };
        }
        Some(other) => other,
    };
    let mut fields = Fields::of("tool_choice", value)?;
    let kind = fields.needed_text("type")?;
    let read = match kind.as_str() {
        "function" => Choice::Function(function_name(&mut fields, left)?),
        "allowed_tools" => allowed(&mut fields, left)?,
        _ => {
            let why = format!("is `{kind}`: the provider knows only tools of type `function`");
            return Err(refusal("tool_choice.type", &why));
        }
    };
    fields.finish(left)?;
    Ok(Some(read))
}

fn function_name(fields: &mut Fields, left: &mut Left) -> Result<String, Refusal> {
    let found = fields.object("function")?;
    let mut function = found.ok_or_else(|| missing(&fields.at("function")))?;
    let name = function.needed_text("name")?;
    function.finish(left)?;
    Ok(name)
}

fn allowed(fields: &mut Fields, left: &mut Left) -> Result<Choice, Refusal> {
    let found = fields.object("allowed_tools")?;
    let mut allowed = found.ok_or_else(|| missing("tool_choice.allowed_tools"))?;
    let mode = allowed.needed_text("mode")?;
    let required = match mode.as_str() {
        "auto" => false,
        "required" => true,
        _ => {
            return Err(refusal(
                &allowed.at("mode"),
                "is neither `auto` nor `required`",
            ));
        }
    };
    let list = allowed.list("tools")?.unwrap_or_default();
    let mut names = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        let at = format!("{}[{index}]", allowed.at("tools"));
        let mut tool = Fields::of(&at, value)?;
        tool.skip_if("type", |kind| kind == "function");
        names.push(function_name(&mut tool, left)?);
        tool.finish(left)?;
    }
    allowed.finish(left)?;
    if names.is_empty() {
        return Err(refusal("tool_choice.allowed_tools.tools", "names no tool"));
    }
    Ok(Choice::Allowed { names, required })
}

/// Leaves only the tools of these names: those that may not be called are not there.
pub(crate) fn allow(tools: &mut Vec<Tool>, names: &[String]) -> Result<(), Refusal> {
    tools.retain(|tool| names.contains(&tool.name));
    if tools.is_empty() {
        let why = "allows no tool that is in `tools`";
        return Err(refusal("tool_choice", why));
    }
    Ok(())
}
