//! Says a request.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::chat_request::{
    Conversation, Format, Standing, common_hints, draw, effort, kept, max_tokens, nothing_asked,
    response_format, stops, thinks,
};
use super::content::{Message, is_unthought, messages, system};
use super::{thinking, tools};
use crate::record::Language;
use crate::wire::translation::fields::{Fields, Left, refusal};
use crate::wire::translation::shape::{Asked, Refusal, Sent};

/// The request: its settings, and the messages behind them.
#[derive(Debug, Serialize)]
struct Body {
    #[serde(flatten)]
    sent: Map<String, Value>,
    messages: Vec<Message>,
}

/// Says a chat request as a request for a message.
pub(super) fn request(asked: &Asked<'_>) -> Result<Sent, Refusal> {
    let mut fields = Fields::of_body(asked.body)?;
    let mut left = Left::new(asked, Language::AnthropicMessages);
    let terms = asked.terms;
    let kept = kept(&mut fields, asked, &mut left)?;
    nothing_asked(&mut fields);
    let mut sent = Map::new();
    sent.insert("model".to_owned(), asked.model.into());
    let limit = max_tokens(&mut fields)?;
    let mut max_tokens = limit.unwrap_or(terms.max_tokens);
    // Its place is here; thinking may raise it.
    sent.insert("max_tokens".to_owned(), max_tokens.into());
    let conversation = Conversation::take(&mut fields, terms, true, &mut left)?;
    if let Some(system) = system(conversation.system) {
        sent.insert("system".to_owned(), system);
    }
    let messages = messages(conversation.turns, &mut left)?;
    if messages.is_empty() {
        return Err(refusal("messages", "has no message that says anything"));
    }
    tools::tools(&mut fields, &mut sent, &mut left)?;
    // Anthropic's own field, which its OpenAI-compatible endpoint takes too.
    if let Some(own) = fields.take("thinking") {
        sent.insert("thinking".to_owned(), own);
    }
    let unthought = is_unthought(&messages);
    let mut output = Map::new();
    if let Some(effort) = effort(&mut fields, asked, &mut left)? {
        let choice = sent.get("tool_choice");
        let choice = choice.and_then(|choice| choice.get("type")?.as_str());
        let standing = Standing {
            max_tokens: limit,
            forced: matches!(choice, Some("any" | "tool")),
            unthought,
        };
        let tokens = &mut max_tokens;
        let word = thinking::ask(effort, terms, standing, tokens, &mut sent, &mut left)?;
        if let Some(word) = word {
            output.insert("effort".to_owned(), word.into());
        }
    }
    if let Some(format) = format(&mut fields, &mut left)? {
        output.insert("format".to_owned(), format);
    }
    if !output.is_empty() {
        sent.insert("output_config".to_owned(), output.into());
    }
    sent.insert("max_tokens".to_owned(), max_tokens.into());
    let drawn = draw(&mut fields, asked, thinks(sent.get("thinking")), &mut left)?;
    for (key, value) in [
        ("temperature", drawn.temperature.map(Value::from)),
        ("top_p", drawn.top_p.map(Value::from)),
        ("top_k", drawn.top_k.map(Value::from)),
    ] {
        if let Some(value) = value {
            sent.insert(key.to_owned(), value);
        }
    }
    stop(&mut fields, &mut sent, &mut left)?;
    labels(&mut fields, &mut sent, &mut left)?;
    if kept.stream {
        sent.insert("stream".to_owned(), true.into());
    }
    common_hints(&mut fields, &mut left);
    fields.finish(&mut left)?;
    let body = Body { sent, messages };
    Ok(Sent {
        body: serde_json::to_vec(&body)
            .map_err(|error| refusal("", &format!("cannot be written: {error}")))?,
        dropped: left.dropped(),
        kept,
    })
}

fn stop(
    fields: &mut Fields,
    sent: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    let mut sequences = Vec::new();
    for (index, text) in stops(fields)?.into_iter().enumerate() {
        if text.trim().is_empty() {
            let why = "is blank, which anthropic-messages does not take";
            left.unless_dropped(format!("stop[{index}]"), why)?;
        } else {
            sequences.push(text);
        }
    }
    if !sequences.is_empty() {
        sent.insert("stop_sequences".to_owned(), sequences.into());
    }
    Ok(())
}

/// The format of structured output.
fn format(fields: &mut Fields, left: &mut Left) -> Result<Option<Value>, Refusal> {
    match response_format(fields, left)? {
        Format::Text => Ok(None),
        Format::Json => {
            let why = "asks for some JSON object, for which anthropic-messages has no equal; send \
                       a `json_schema`";
            left.unless_dropped("response_format", why)?;
            Ok(None)
        }
        Format::Schema {
            name,
            description,
            schema,
        } => {
            // What they are for stands in the schema itself, where the client put it.
            for (key, said) in [
                ("name", !name.is_empty()),
                ("description", description.is_some()),
            ] {
                if said {
                    left.hint(format!("response_format.json_schema.{key}"));
                }
            }
            Ok(Some(json!({"type": "json_schema", "schema": schema})))
        }
    }
}

/// Who asks, at what price, and what else the answer does not hang on.
fn labels(
    fields: &mut Fields,
    sent: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    let user = fields.text("user")?;
    let other = fields.text("safety_identifier")?;
    if user.is_some() && other.is_some() && user != other {
        left.hint("safety_identifier");
    }
    let mut labelled = None;
    if let Some(mut labels) = fields.object("metadata")? {
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
        Some("default") => {
            sent.insert("service_tier".to_owned(), "standard_only".into());
        }
        Some(_) => left.hint("service_tier"),
    }
    Ok(())
}
