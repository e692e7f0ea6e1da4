//! Says settings as Gemini's `generationConfig`.

use serde::Serialize;
use serde_json::Value;

use super::super::chat_request::{Format, effort, max_tokens, response_format, sampling, stops};
use super::super::fields::{Fields, Left, refusal, wrong};
use super::super::shape::{Asked, Refusal};
use super::thinking::{ThinkingConfig, config as thinking};

/// `generationConfig`.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerationConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
}

impl GenerationConfig {
    /// Whether nothing is set.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Takes the settings.
pub(super) fn generation_config(
    fields: &mut Fields,
    asked: &Asked<'_>,
    left: &mut Left,
) -> Result<GenerationConfig, Refusal> {
    let mut config = GenerationConfig {
        candidate_count: fields.count("n")?,
        max_output_tokens: max_tokens(fields)?,
        top_k: fields.count("top_k")?,
        presence_penalty: fields.number("presence_penalty")?,
        frequency_penalty: fields.number("frequency_penalty")?,
        stop_sequences: stops(fields)?,
        seed: seed(fields, left)?,
        ..GenerationConfig::default()
    };
    for index in STOPS_MAX..config.stop_sequences.len() {
        let why = format!("is one of more than {STOPS_MAX} texts, the most that Gemini takes");
        left.unless_dropped(format!("stop[{index}]"), &why)?;
    }
    config.stop_sequences.truncate(STOPS_MAX);
    (config.temperature, config.top_p) = sampling(fields, TEMPERATURE_MAX, asked.terms, left)?;
    config.response_logprobs = fields.truth("logprobs")?;
    config.logprobs = fields.count("top_logprobs")?.filter(|count| *count > 0);
    if config.logprobs.is_some() && config.response_logprobs.is_none() {
        return Err(refusal("top_logprobs", "needs `logprobs` to be true"));
    }
    match response_format(fields, left)? {
        Format::Text => {}
        Format::Json => config.response_mime_type = Some(JSON),
        Format::Schema {
            name,
            description,
            schema,
        } => {
            config.response_mime_type = Some(JSON);
            config.response_json_schema = Some(titled(schema, name, description, left));
        }
    }
    if let Some(effort) = effort(fields, asked, left)? {
        config.thinking_config = thinking(effort, asked.model, asked.terms, left)?;
    }
    Ok(config)
}

const TEMPERATURE_MAX: f64 = 2.0;
const JSON: &str = "application/json";
/// Gemini's limit of `stopSequences`.
const STOPS_MAX: usize = 5;

fn seed(fields: &mut Fields, left: &mut Left) -> Result<Option<i32>, Refusal> {
    let Some(value) = fields.take("seed") else {
        return Ok(None);
    };
    let Some(seed) = value.as_i64() else {
        return Err(wrong("seed", "a whole number", &value));
    };
    let fits = i32::try_from(seed).ok();
    if fits.is_none() {
        left.unless_dropped("seed", "is beyond the 32 bits that Gemini takes")?;
    }
    Ok(fits)
}

/// The schema with the name and description that stood beside it, as JSON schema says them, where
/// it has none of its own.
fn titled(mut schema: Value, name: String, description: Option<String>, left: &mut Left) -> Value {
    let name = Some(name).filter(|name| !name.is_empty());
    let said = [
        ("name", "title", name),
        ("description", "description", description),
    ];
    for (field, key, text) in said {
        let (Some(text), Value::Object(members)) = (text, &mut schema) else {
            continue;
        };
        let own = members.get(key);
        // A title of its own is a name already; and beside a reference nothing else may stand.
        let lost = own.is_some_and(|own| field == "description" && *own != text);
        if lost || members.contains_key("$ref") {
            left.hint(format!("response_format.json_schema.{field}"));
        } else if own.is_none() {
            members.insert(key.to_owned(), text.into());
        }
    }
    schema
}
