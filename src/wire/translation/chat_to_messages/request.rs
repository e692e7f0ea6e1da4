//! Says a request.

use serde_json::{Map, Value, json};

use super::history::History;
use super::{thinking, tools};
use crate::record::Language;
use crate::wire::translation::fields::{Fields, Left, missing, refusal, wrong};
use crate::wire::translation::shape::{Asked, Kept, Refusal, Sent, Terms};

/// The largest temperature of Anthropic's; OpenAI's goes to 2.
const TEMPERATURE_MAX: f64 = 1.0;

/// Says a chat request as a request for a message.
pub(super) fn request(asked: &Asked<'_>) -> Result<Sent, Refusal> {
    let mut fields = Fields::of_body(asked.body)?;
    let mut left = Left::new(asked, Language::AnthropicMessages);
    let terms = asked.terms;
    let kept = kept(&mut fields, asked, &mut left)?;
    let mut sent = Map::new();
    sent.insert("model".to_owned(), asked.model.into());
    let (mut max_tokens, set) = max_tokens(&mut fields, terms, &mut left)?;
    // Its place is here; thinking may raise it.
    sent.insert("max_tokens".to_owned(), max_tokens.into());
    let messages = fields.list("messages")?;
    let messages = messages.ok_or_else(|| missing("messages"))?;
    let history = History::read(messages, terms, &mut left)?;
    if let Some(system) = system(history.system) {
        sent.insert("system".to_owned(), system);
    }
    if history.turns.is_empty() {
        return Err(refusal("messages", "has no message that says anything"));
    }
    let turns = history.turns.into_iter();
    let turns = turns.map(|turn| json!({"role": turn.role, "content": turn.blocks}));
    sent.insert("messages".to_owned(), turns.collect());
    tools::tools(&mut fields, &mut sent, &mut left)?;
    let mut output = Map::new();
    let limit = (&mut max_tokens, set);
    thinking::ask(
        &mut fields,
        terms,
        limit,
        (&mut sent, &mut output),
        &mut left,
    )?;
    if let Some(format) = format(&mut fields, &mut left)? {
        output.insert("format".to_owned(), format);
    }
    if !output.is_empty() {
        sent.insert("output_config".to_owned(), output.into());
    }
    sent.insert("max_tokens".to_owned(), max_tokens.into());
    sampling(&mut fields, terms, &mut sent, &mut left)?;
    stop(&mut fields, &mut sent, &mut left)?;
    labels(&mut fields, &mut sent, &mut left)?;
    if kept.stream {
        sent.insert("stream".to_owned(), true.into());
    }
    without_effect(&mut fields);
    fields.finish(&mut left)?;
    Ok(Sent {
        body: Value::Object(sent).to_string().into_bytes(),
        dropped: left.dropped(),
        kept,
    })
}

fn kept(fields: &mut Fields, asked: &Asked<'_>, left: &mut Left) -> Result<Kept, Refusal> {
    let model = fields.text("model")?;
    let stream = fields.truth("stream")?.unwrap_or(false);
    let mut include_usage = false;
    if let Some(mut options) = fields.object("stream_options")? {
        include_usage = options.truth("include_usage")?.unwrap_or(false);
        // The padding against listeners is OpenAI's own: there is none to be asked for or off.
        options.take("include_obfuscation");
        options.finish(left)?;
    }
    Ok(Kept {
        stream,
        include_usage: include_usage && stream,
        model: model.unwrap_or_else(|| asked.model.to_owned()),
        model_there: asked.model.to_owned(),
        echo: Map::new(),
    })
}

/// The limit of tokens, and whether the client set it.
fn max_tokens(fields: &mut Fields, terms: &Terms, left: &mut Left) -> Result<(u64, bool), Refusal> {
    let new = fields.count("max_completion_tokens")?;
    let old = fields.count("max_tokens")?;
    if new.is_some() && old.is_some() && new != old {
        left.hint("max_tokens");
    }
    let set = new.or(old);
    Ok((set.unwrap_or(terms.max_tokens), set.is_some()))
}

/// One plain block is text; several are blocks.
fn system(mut blocks: Vec<Value>) -> Option<Value> {
    match blocks.as_mut_slice() {
        [] => None,
        [block] if block.get("cache_control").is_none() => Some(block["text"].take()),
        _ => Some(blocks.into()),
    }
}

fn sampling(
    fields: &mut Fields,
    terms: &Terms,
    sent: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    for key in ["temperature", "top_p"] {
        let Some(value) = fields.number(key)? else {
            continue;
        };
        if !terms.takes_sampling {
            // 1 is what the model does anyway.
            if (value - 1.0).abs() > f64::EPSILON {
                left.unless_dropped(key, "is not taken by this model, which samples as it likes")?;
            }
        } else if value > TEMPERATURE_MAX {
            left.unless_dropped(key, "is above 1, the most that anthropic-messages takes")?;
        } else {
            sent.insert(key.to_owned(), json!(value));
        }
    }
    Ok(())
}

fn stop(
    fields: &mut Fields,
    sent: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    let list = match fields.take("stop") {
        None => return Ok(()),
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    };
    let mut sequences = Vec::with_capacity(list.len());
    for (index, stop) in list.into_iter().enumerate() {
        let path = format!("stop[{index}]");
        match stop {
            Value::String(text) if text.trim().is_empty() => {
                left.unless_dropped(path, "is blank, which anthropic-messages does not take")?;
            }
            Value::String(text) => sequences.push(text),
            other => return Err(wrong(&path, "a string", &other)),
        }
    }
    if !sequences.is_empty() {
        sent.insert("stop_sequences".to_owned(), sequences.into());
    }
    Ok(())
}

/// The format of structured output.
fn format(fields: &mut Fields, left: &mut Left) -> Result<Option<Value>, Refusal> {
    let Some(mut format) = fields.object("response_format")? else {
        return Ok(None);
    };
    let kind = format.needed_text("type")?;
    match kind.as_str() {
        "text" => {
            format.finish(left)?;
            Ok(None)
        }
        "json_schema" => {
            let Some(mut schema) = format.object("json_schema")? else {
                return Err(missing("response_format.json_schema"));
            };
            let Some(said) = schema.take("schema") else {
                return Err(missing("response_format.json_schema.schema"));
            };
            // The provider keeps to a schema whether it is strict or not.
            schema.skip_if("strict", |strict| strict == true);
            schema.hints(&["name", "description", "strict"], left);
            schema.finish(left)?;
            format.finish(left)?;
            Ok(Some(json!({"type": "json_schema", "schema": said})))
        }
        "json_object" => {
            let why = "is json_object, for which anthropic-messages has no equal; send a \
                       json_schema";
            Err(refusal("response_format.type", why))
        }
        _ => Err(refusal(
            "response_format.type",
            &format!("is {kind:?}; send text or json_schema"),
        )),
    }
}

/// Who asks, at what price, and what else the answer does not hang on.
fn labels(
    fields: &mut Fields,
    sent: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    let user = fields.text("user")?;
    let mut stands_for = |key: &str, left: &mut Left| -> Result<Option<String>, Refusal> {
        let other = fields.text(key)?;
        if user.is_some() && other.is_some() && user != other {
            left.hint(key);
        }
        Ok(other)
    };
    let other = stands_for("safety_identifier", left)?;
    let labels = fields.object("metadata")?;
    let mut labelled = None;
    if let Some(mut labels) = labels {
        labelled = labels.text("user_id")?;
        if !labels.is_empty() {
            left.hint("metadata");
        }
    }
    if let Some(user) = user.or(other).or(labelled) {
        sent.insert("metadata".to_owned(), json!({"user_id": user}));
    }
    match fields.text("service_tier")?.as_deref() {
        None => {}
        Some("auto") => {
            sent.insert("service_tier".to_owned(), "auto".into());
        }
        Some("default") => {
            sent.insert("service_tier".to_owned(), "standard_only".into());
        }
        Some(_) => left.hint("service_tier"),
    }
    fields.hints(&["prompt_cache_key", "prompt_cache_retention"], left);
    Ok(())
}

/// Takes fields that ask for what is so anyway.
fn without_effect(fields: &mut Fields) {
    let zero = |value: &Value| value.as_f64() == Some(0.0);
    fields.skip_if("n", |n| n == 1);
    fields.skip_if("logprobs", |logprobs| logprobs == false);
    fields.skip_if("top_logprobs", zero);
    fields.skip_if("frequency_penalty", zero);
    fields.skip_if("presence_penalty", zero);
    fields.skip_if("logit_bias", |bias| bias == &json!({}));
    fields.skip_if("store", |store| store == false);
    fields.skip_if("modalities", |modalities| modalities == &json!(["text"]));
    fields.skip_if("verbosity", |verbosity| verbosity == "medium");
    fields.skip_if("functions", |functions| functions == &json!([]));
}
