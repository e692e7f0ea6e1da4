//! Says a chat request as a request of Converse.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::chat_request::{
    Conversation, Draw, Format, Standing, Turn, common_hints, draw, effort, kept, labels,
    max_tokens, nothing_asked, response_format, sampling, stops, thinks,
};
use super::super::fields::{Fields, Left, refusal};
use super::super::shape::{Asked, Refusal, Sent};
use super::content::{Message, is_unthought, messages};
use super::model::{Family, ask};
use super::tools::tool_config;
use crate::record::Language;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    messages: Vec<Message>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Value>,
    #[serde(skip_serializing_if = "InferenceConfig::is_empty")]
    inference_config: InferenceConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    additional_model_request_fields: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    request_metadata: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    output_config: Map<String, Value>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct InferenceConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<String>,
}

impl InferenceConfig {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Says a request to Converse.
pub(super) fn request(asked: &Asked<'_>) -> Result<Sent, Refusal> {
    let family = Family::of(asked.model);
    let mut left = Left::new(asked, Language::BedrockConverse);
    let mut fields = Fields::of_body(asked.body)?;
    let kept = kept(&mut fields, asked, &mut left)?;
    nothing_asked(&mut fields);
    let conversation = Conversation::take(&mut fields, asked.terms, false, &mut left)?;
    let called = conversation.turns.iter().any(|turn| match turn {
        Turn::Assistant(spoken) => !spoken.calls.is_empty(),
        Turn::User(_) | Turn::Results(_) => false,
    });
    let mut additional = Map::new();
    let mut output = Map::new();
    let tool_config = tool_config(&mut fields, family, called, &mut additional, &mut left)?;
    let messages = messages(conversation.turns, family, asked.terms, &mut left)?;
    let max_tokens = max_tokens(&mut fields)?;
    if let Some(effort) = effort(&mut fields, asked, &mut left)? {
        let standing = Standing {
            max_tokens,
            forced: is_forced(tool_config.as_ref(), &additional),
            unthought: is_unthought(&messages),
        };
        let more = &mut additional;
        let word = ask(effort, family, asked.terms, standing, more, &mut left)?;
        if let Some(word) = word {
            output.insert("effort".to_owned(), word.into());
        }
    }
    let draw = drawn(&mut fields, family, asked, &additional, &mut left)?;
    if let Some(top_k) = draw.top_k {
        additional.insert("top_k".to_owned(), top_k.into());
    }
    let inference_config = InferenceConfig {
        max_tokens,
        temperature: draw.temperature,
        top_p: draw.top_p,
        stop_sequences: stops(&mut fields)?,
    };
    text_format(&mut fields, &mut output, &mut left)?;
    let system = conversation.system.into_iter();
    let body = Body {
        messages,
        system: system.map(|text| json!({"text": text.said})).collect(),
        inference_config,
        tool_config,
        additional_model_request_fields: additional,
        request_metadata: request_metadata(&mut fields, &mut left)?,
        service_tier: service_tier(&mut fields, &mut left)?,
        output_config: output,
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

/// Whether a tool must be called, said in Converse's words or in Claude's own.
fn is_forced(tool_config: Option<&Value>, additional: &Map<String, Value>) -> bool {
    let own = additional.get("tool_choice");
    let own = own.and_then(|choice| choice.get("type")?.as_str());
    // Converse is told of no choice but these two.
    tool_config.is_some_and(|config| config.get("toolChoice").is_some())
        || matches!(own, Some("any" | "tool"))
}

/// The highest temperature that Bedrock takes.
const TEMPERATURE_MAX: f64 = 1.0;

/// How the answer is drawn: only Claude's `top_k` is known, and only Claude minds it.
fn drawn(
    fields: &mut Fields,
    family: Family,
    asked: &Asked<'_>,
    additional: &Map<String, Value>,
    left: &mut Left,
) -> Result<Draw, Refusal> {
    if family == Family::Claude {
        return draw(fields, asked, thinks(additional.get("thinking")), left);
    }
    let (temperature, top_p) = sampling(fields, TEMPERATURE_MAX, asked.terms, left)?;
    Ok(Draw {
        temperature,
        top_p,
        top_k: None,
    })
}

/// The form of the answer as `outputConfig.textFormat`, which wants the schema as a string.
fn text_format(
    fields: &mut Fields,
    output: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    let (name, description, schema) = match response_format(fields, left)? {
        Format::Text => return Ok(()),
        Format::Json => {
            let why = "asks for some JSON object, which Converse cannot; send `json_schema`";
            return left.unless_dropped("response_format", why);
        }
        Format::Schema {
            name,
            description,
            schema,
        } => (name, description, schema),
    };
    let mut said = json!({"schema": schema.to_string()});
    if !name.is_empty() {
        said["name"] = name.into();
    }
    if let Some(description) = description {
        said["description"] = description.into();
    }
    let format = json!({"type": "json_schema", "structure": {"jsonSchema": said}});
    output.insert("textFormat".to_owned(), format);
    Ok(())
}

/// Bedrock's limit of `requestMetadata`.
const METADATA_MAX: usize = 16;

fn request_metadata(fields: &mut Fields, left: &mut Left) -> Result<Map<String, Value>, Refusal> {
    let fits = |text: &str| {
        text.len() <= 256
            && text.bytes().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || byte.is_ascii_whitespace()
                    || b":_@$#=/+,-.".contains(&byte)
            })
    };
    let mut labels = labels(fields, left, |key, value| {
        !key.is_empty() && fits(key) && fits(value)
    })?;
    while labels.len() > METADATA_MAX
        && let Some(key) = labels.keys().next_back().cloned()
    {
        labels.shift_remove(&key);
        left.hint(format!("metadata.{key}"));
    }
    Ok(labels)
}

fn service_tier(fields: &mut Fields, left: &mut Left) -> Result<Option<Value>, Refusal> {
    let tier = fields.text("service_tier")?;
    Ok(match tier.as_deref() {
        None => None,
        Some(tier @ ("default" | "flex" | "priority" | "reserved")) => Some(json!({"type": tier})),
        Some(_) => {
            left.hint("service_tier");
            None
        }
    })
}
