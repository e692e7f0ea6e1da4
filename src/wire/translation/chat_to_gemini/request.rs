//! Says a chat request as a `GenerateContentRequest`.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::chat_request::{
    Choice, Conversation, Tool, choice, common_hints, kept, labels, nothing_asked, tools,
};
use super::super::fields::{Fields, Left, refusal};
use super::super::shape::{Asked, Refusal, Sent};
use super::content::{Content, Instruction, contents, instruction};
use super::settings::{GenerationConfig, generation_config};
use crate::record::Language;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    contents: Vec<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Instruction>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<Value>,
    #[serde(skip_serializing_if = "GenerationConfig::is_empty")]
    generation_config: GenerationConfig,
    #[serde(skip_serializing_if = "Map::is_empty")]
    labels: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

/// Says a request to Gemini.
pub(super) fn request(asked: &Asked<'_>) -> Result<Sent, Refusal> {
    let mut left = Left::new(asked, Language::GeminiGenerate);
    let mut fields = Fields::of_body(asked.body)?;
    let kept = kept(&mut fields, asked, &mut left)?;
    nothing_asked(&mut fields);
    let conversation = Conversation::take(&mut fields, asked.terms, false, &mut left)?;
    let tools = tools(&mut fields, &mut left)?;
    let tool_config = tool_config(&mut fields, &tools, &mut left)?;
    let body = Body {
        contents: contents(conversation.turns, asked, &mut left)?,
        system_instruction: instruction(conversation.system),
        tools: declarations(tools, &mut left),
        tool_config,
        generation_config: generation_config(&mut fields, asked, &mut left)?,
        labels: labels(&mut fields, &mut left, |key, value| {
            asked.terms.takes_labels && is_label(key, value)
        })?,
        service_tier: service_tier(&mut fields, asked, &mut left)?,
    };
    common_hints(&mut fields, &mut left);
    fields.finish(&mut left)?;
    Ok(Sent {
        body: serde_json::to_vec(&body)
            .map_err(|error| refusal("", &format!("cannot be written: {error}")))?,
        dropped: left.dropped(),
        kept,
    })
}

fn declarations(tools: Vec<Tool>, left: &mut Left) -> Vec<Value> {
    let functions: Vec<Value> = tools
        .into_iter()
        .map(|tool| {
            let mut function = Map::new();
            if tool.mark.is_some() {
                left.hint(format!("{}.cache_control", tool.at));
            }
            function.insert("name".to_owned(), tool.name.into());
            if let Some(description) = tool.description {
                function.insert("description".to_owned(), description.into());
            }
            // Not `parameters`, which knows a part of OpenAPI's schemas only.
            if let Some(schema) = tool.parameters {
                function.insert("parametersJsonSchema".to_owned(), schema);
            }
            Value::Object(function)
        })
        .collect();
    if functions.is_empty() {
        Vec::new()
    } else {
        vec![json!({"functionDeclarations": functions})]
    }
}

/// Which functions are called, and whether calls keep to the schemas: they do where they must be
/// made, and in the mode `VALIDATED`, which is `AUTO` but for that.
fn tool_config(
    fields: &mut Fields,
    tools: &[Tool],
    left: &mut Left,
) -> Result<Option<Value>, Refusal> {
    let choice = choice(fields, left)?;
    let parallel = fields.truth("parallel_tool_calls")?;
    if tools.is_empty() {
        return match choice {
            None | Some(Choice::None | Choice::Auto) => Ok(None),
            Some(_) => Err(refusal(
                "tool_choice",
                "asks for a tool, and there are no `tools`",
            )),
        };
    }
    if parallel == Some(false) {
        // One call at a time is a wish that nobody but OpenAI and Anthropic can grant.
        left.hint("parallel_tool_calls");
    }
    let strict = tools.iter().any(|tool| tool.strict == Some(true));
    let (mode, names) = match choice {
        None | Some(Choice::Auto) if strict => ("VALIDATED", None),
        None | Some(Choice::Auto) => return Ok(None),
        Some(Choice::None) => ("NONE", None),
        Some(Choice::Required) => ("ANY", None),
        Some(Choice::Function(name)) => ("ANY", Some(vec![name])),
        Some(Choice::Allowed { names, required }) => {
            (if required { "ANY" } else { "VALIDATED" }, Some(names))
        }
    };
    let mut config = json!({"mode": mode});
    if let Some(names) = names {
        config["allowedFunctionNames"] = names.into();
    }
    Ok(Some(json!({"functionCallingConfig": config})))
}

/// Google's labels: at most 63 lower-case letters, digits, `_` and `-`; a key begins with a letter.
fn is_label(key: &str, value: &str) -> bool {
    let fits = |text: &str| {
        text.len() <= 63
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
            })
    };
    fits(key) && fits(value) && key.starts_with(|first: char| first.is_ascii_lowercase())
}

fn service_tier(
    fields: &mut Fields,
    asked: &Asked<'_>,
    left: &mut Left,
) -> Result<Option<&'static str>, Refusal> {
    let tier = fields.text("service_tier")?;
    Ok(match tier.as_deref() {
        None => None,
        // Where it cannot be said, it is what happens anyway.
        Some("default") if !asked.terms.takes_tier => None,
        Some(_) if !asked.terms.takes_tier => {
            left.hint("service_tier");
            None
        }
        Some("default") => Some("standard"),
        Some("flex") => Some("flex"),
        Some("priority") => Some("priority"),
        Some(_) => {
            left.hint("service_tier");
            None
        }
    })
}
