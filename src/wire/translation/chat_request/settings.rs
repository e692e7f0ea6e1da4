//! Reads the settings of a request that more than one provider has a place for.

use serde_json::{Map, Value};

use super::super::efforts::Effort;
use super::super::fields::{Fields, Left, missing, refusal, wrong};
use super::super::shape::{Asked, Kept, Refusal, Terms};
use super::tools::schema;

/// What form the answer is to have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Format {
    /// Any.
    Text,
    /// Some JSON object.
    Json,
    /// JSON that keeps to a schema.
    Schema {
        /// The schema's name; empty where it has none.
        name: String,
        /// What the schema is for.
        description: Option<String>,
        /// The schema.
        schema: Value,
    },
}

/// Takes what the way back needs.
pub(crate) fn kept(body: &mut Fields, asked: &Asked<'_>, left: &mut Left) -> Result<Kept, Refusal> {
    let model = body.text("model")?;
    let mut kept = Kept {
        model: model.unwrap_or_else(|| asked.model.to_owned()),
        model_there: asked.model.to_owned(),
        stream: body.truth("stream")?.unwrap_or_default(),
        choices: body.look("n").and_then(Value::as_u64).unwrap_or(1),
        ..Kept::default()
    };
    if let Some(mut options) = body.object("stream_options")? {
        let include_usage = options.truth("include_usage")?.unwrap_or_default();
        kept.include_usage = include_usage && kept.stream;
        // The padding against listeners is OpenAI's own: there is none to be asked for or off.
        options.take("include_obfuscation");
        options.finish(left)?;
    }
    Ok(kept)
}

/// Takes `reasoning_effort`, as far as the model has it; absent too where it takes none.
pub(crate) fn effort(
    body: &mut Fields,
    asked: &Asked<'_>,
    left: &mut Left,
) -> Result<Option<Effort>, Refusal> {
    let Some(word) = body.text("reasoning_effort")? else {
        return Ok(None);
    };
    if !asked.terms.takes_effort {
        // Where nothing is thought, `none` asks for what happens anyway.
        if word != "none" {
            left.hint("reasoning_effort");
        }
        return Ok(None);
    }
    let why = "is none of `none`, `minimal`, `low`, `medium`, `high`, `xhigh` and `max`";
    let found = Effort::of(&word).ok_or_else(|| refusal("reasoning_effort", why))?;
    Ok(Some(found.nearest(asked.model)))
}

/// Takes the limit of output tokens, by its present name or its former one.
pub(crate) fn max_tokens(body: &mut Fields) -> Result<Option<u64>, Refusal> {
    let (now, former) = (
        body.count("max_completion_tokens")?,
        body.count("max_tokens")?,
    );
    match (now, former) {
        (Some(now), Some(former)) if now != former => {
            let why = "is another limit than `max_completion_tokens`: send one of them";
            Err(refusal("max_tokens", why))
        }
        (now, former) => Ok(now.or(former)),
    }
}

/// Takes the texts at which the answer ends.
pub(crate) fn stops(body: &mut Fields) -> Result<Vec<String>, Refusal> {
    let list = match body.take("stop") {
        None => Vec::new(),
        Some(Value::String(text)) => vec![Value::String(text)],
        Some(Value::Array(list)) => list,
        Some(other) => return Err(wrong("stop", "a string or an array of them", &other)),
    };
    let texts = list
        .into_iter()
        .enumerate()
        .map(|(index, value)| match value {
            Value::String(text) if !text.is_empty() => Ok(text),
            Value::String(_) => Err(refusal(&format!("stop[{index}]"), "is empty")),
            other => Err(wrong(&format!("stop[{index}]"), "a string", &other)),
        });
    texts.collect()
}

/// Takes the form that the answer is to have.
pub(crate) fn response_format(body: &mut Fields, left: &mut Left) -> Result<Format, Refusal> {
    let Some(mut format) = body.object("response_format")? else {
        return Ok(Format::Text);
    };
    let kind = format.needed_text("type")?;
    let read = match kind.as_str() {
        "text" => Format::Text,
        "json_object" => Format::Json,
        "json_schema" => {
            let found = format.object("json_schema")?;
            let mut said = found.ok_or_else(|| missing("response_format.json_schema"))?;
            // Whoever sends a schema to these providers gets answers that keep to it: `strict`
            // says nothing more, and without it no less is allowed.
            said.truth("strict")?;
            let found = schema(&mut said, "schema")?;
            let read = Format::Schema {
                name: said.text("name")?.unwrap_or_default(),
                description: said.text("description")?.filter(|text| !text.is_empty()),
                schema: found.ok_or_else(|| missing(&said.at("schema")))?,
            };
            said.finish(left)?;
            read
        }
        _ => {
            let why = format!("is `{kind}`: send `text`, `json_object` or `json_schema`");
            return Err(refusal("response_format.type", &why));
        }
    };
    format.finish(left)?;
    Ok(read)
}

/// Takes `temperature` and `top_p`, as far as they may be sent. `most` is the highest temperature
/// that the language allows.
pub(crate) fn sampling(
    body: &mut Fields,
    most: f64,
    terms: &Terms,
    left: &mut Left,
) -> Result<(Option<f64>, Option<f64>), Refusal> {
    let mut take = |field: &str, most: f64| {
        let Some(value) = body.number(field)? else {
            return Ok(None);
        };
        Ok(fits_sampling(field, value, most, terms, left)?.then_some(value))
    };
    Ok((take("temperature", most)?, take("top_p", 1.0)?))
}

/// Whether a sampling setting may be sent: `value` is within what the language allows, and is the
/// default one where the model takes no other.
fn fits_sampling(
    field: &str,
    value: f64,
    most: f64,
    terms: &Terms,
    left: &mut Left,
) -> Result<bool, Refusal> {
    if !(0.0..=most).contains(&value) {
        let why = format!("is {value}, and the provider takes 0 to {most}");
        left.unless_dropped(field, &why)?;
        return Ok(false);
    }
    if terms.takes_sampling {
        return Ok(true);
    }
    // 1 is what every model of the kind samples with: it need not be said, and may not be.
    if (value - 1.0).abs() > f64::EPSILON {
        left.unless_dropped(
            field,
            "is not taken by this model, which samples in its own way",
        )?;
    }
    Ok(false)
}

/// Takes what names who asks and why (`user`, `safety_identifier`, `metadata`), as labels by name.
/// A label that `fits` not is left out, and said.
pub(crate) fn labels(
    body: &mut Fields,
    left: &mut Left,
    fits: impl Fn(&str, &str) -> bool,
) -> Result<Map<String, Value>, Refusal> {
    let mut labels = Map::new();
    let mut keep = |field: String, key: &str, value: String| {
        if fits(key, &value) {
            labels.insert(key.to_owned(), Value::String(value));
        } else {
            left.hint(field);
        }
    };
    for key in ["user", "safety_identifier"] {
        if let Some(value) = body.text(key)? {
            keep(key.to_owned(), key, value);
        }
    }
    let metadata = match body.take("metadata") {
        None => Map::new(),
        Some(Value::Object(map)) => map,
        Some(other) => return Err(wrong("metadata", "an object", &other)),
    };
    for (key, value) in metadata {
        let field = format!("metadata.{key}");
        match value {
            Value::String(value) => keep(field, &key, value),
            other => return Err(wrong(&field, "a string", &other)),
        }
    }
    Ok(labels)
}

/// Takes fields that ask for what happens anyway.
pub(crate) fn nothing_asked(body: &mut Fields) {
    body.skip_if("logit_bias", |value| {
        value.as_object().is_some_and(Map::is_empty)
    });
    body.skip_if("modalities", |value| *value == serde_json::json!(["text"]));
    body.skip_if("verbosity", |value| value == "medium");
    for key in ["store", "logprobs"] {
        body.skip_if(key, |value| *value == Value::Bool(false));
    }
    body.skip_if("parallel_tool_calls", |value| *value == Value::Bool(true));
    body.skip_if("service_tier", |value| value == "auto");
    body.skip_if("n", |value| value.as_u64() == Some(1));
    for key in ["frequency_penalty", "presence_penalty", "top_logprobs"] {
        body.skip_if(key, |value| {
            value.as_f64().is_some_and(|value| value == 0.0)
        });
    }
}

/// Takes fields by which an answer is cheaper, faster or kept, but no other: `store` and
/// `prediction` are among them, at every provider.
pub(crate) fn common_hints(body: &mut Fields, left: &mut Left) {
    let hints = [
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "store",
    ];
    body.hints(&hints, left);
}
