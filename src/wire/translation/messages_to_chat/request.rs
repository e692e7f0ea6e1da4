//! Says a request of Anthropic's messages in chat.

use serde_json::{Map, Value, json};

use super::super::chat_settings::{effort, hint, limit, sampling, stream as ask_for_stream};
use super::super::chat_turns::Turns;
use super::super::efforts::{Effort, least};
use super::super::fields::{Fields, Left, missing, refusal};
use super::super::shape::{Asked, Kept, Refusal, Sent};
use super::answer::STOPS;
use super::content::Talk;
use super::tools;
use crate::record::Language;

/// The longest name of a user that OpenAI takes.
const USER_BYTES_MAX: usize = 64;

/// Says `asked` in chat.
pub(super) fn request(asked: &Asked<'_>) -> Result<Sent, Refusal> {
    let mut left = Left::new(asked, Language::OpenAiChat);
    let mut body = Fields::of_body(asked.body)?;
    let mut chat = Map::new();
    let model = body.needed_text("model")?;
    chat.insert("model".into(), asked.model.into());
    let mut talk = Talk {
        turns: Turns::new(asked.terms.merge_system),
        left: &mut left,
        model: asked.model,
    };
    if let Some(system) = body.take("system") {
        talk.system("system", system)?;
    }
    let messages = body.list("messages")?.ok_or_else(|| missing("messages"))?;
    talk.messages(messages)?;
    chat.insert("messages".into(), talk.turns.finish().into());
    limits(&mut body, asked, &mut chat, &mut left)?;
    thinking(&mut body, asked, &mut chat, &mut left)?;
    if let Some(list) = body.list("tools")? {
        let functions = tools::tools(list, &mut left)?;
        if !functions.is_empty() {
            chat.insert("tools".into(), functions.into());
        }
    }
    if let Some(choice) = body.object("tool_choice")? {
        tools::choice(choice, &mut chat, &mut left)?;
    }
    metadata(&mut body, asked, &mut chat, &mut left)?;
    context(&mut body, &mut left)?;
    // Choices of price and speed, and where a prompt may be cached: the answer is the same.
    body.hints(
        &["service_tier", "speed", "cache_control", "diagnostics"],
        &mut left,
    );
    let stream = body.truth("stream")?.unwrap_or(false);
    if stream {
        ask_for_stream(asked.terms, &mut chat);
    }
    body.finish(&mut left)?;
    let kept = Kept {
        stream,
        include_usage: true,
        choices: 1,
        model,
        // Whose reasoning it is that comes back.
        model_there: asked.model.to_owned(),
        echo: stops_of(&chat),
    };
    Ok(Sent {
        body: Value::Object(chat).to_string().into_bytes(),
        dropped: left.dropped(),
        kept,
    })
}

/// The stop sequences: an answer names the one that it met.
fn stops_of(chat: &Map<String, Value>) -> Map<String, Value> {
    let stops = chat.get("stop").cloned();
    stops
        .map(|stops| (STOPS.to_owned(), stops))
        .into_iter()
        .collect()
}

/// How long the answer may be, where it stops, and how it is drawn.
fn limits(
    body: &mut Fields,
    asked: &Asked<'_>,
    chat: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    limit(body.count("max_tokens")?, asked.terms, chat);
    if let Some(stops) = body.list("stop_sequences")?
        && !stops.is_empty()
    {
        chat.insert("stop".into(), stops.into());
    }
    sampling(body, asked.terms, chat, left)?;
    match body.count("top_k")? {
        Some(top_k) if asked.terms.takes_top_k => {
            chat.insert("top_k".into(), top_k.into());
            Ok(())
        }
        Some(_) => left.no_place("top_k"),
        None => Ok(()),
    }
}

/// How much the model may think, and what its answer must look like. A newer field goes before an
/// older one that says the same.
fn thinking(
    body: &mut Fields,
    asked: &Asked<'_>,
    chat: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    // The field that says how much, and what it says.
    let mut wish: Option<(String, String)> = None;
    // One that says that the model may think, and not how much.
    let mut adaptive = None;
    let mut disabled = false;
    if let Some(mut thinking) = body.object("thinking")? {
        match thinking.needed_text("type")?.as_str() {
            "enabled" => {
                let at = thinking.at("budget_tokens");
                let budget = thinking.count("budget_tokens")?;
                let word = effort_of(budget.ok_or_else(|| missing(&at))?);
                wish = Some((at, word.to_owned()));
            }
            // How much is left to the model.
            "adaptive" => adaptive = Some(thinking.at("type")),
            "disabled" => {
                disabled = true;
                unthinking(asked, chat, left);
            }
            kind => {
                let why = format!("is `{kind}`, for which chat has no place");
                left.unless_dropped("thinking.type", &why)?;
            }
        }
        // Whether its text is shown.
        thinking.hints(&["display"], left);
        thinking.finish(left)?;
    }
    let mut format = body
        .take("output_format")
        .map(|value| ("output_format".to_owned(), value));
    if let Some(mut output) = body.object("output_config")? {
        if let Some(word) = output.text("effort")? {
            let at = output.at("effort");
            if disabled {
                left.hint(at);
            } else if let Some((older, _)) = wish.replace((at, word)) {
                left.hint(older);
            }
        }
        if let Some(value) = output.take("format") {
            format = Some((output.at("format"), value));
        }
        output.finish(left)?;
    }
    match (wish, adaptive) {
        (Some((at, word)), _) => effort(at, word, asked, chat, left),
        // At a Claude it means this much.
        (None, Some(at)) if asked.model.to_ascii_lowercase().contains("claude") => {
            effort(at, "high".to_owned(), asked, chat, left);
        }
        // Chat has no word for it; most think so anyway where nothing is said, some not at all.
        (None, Some(at)) => left.hint(at),
        (None, None) => {}
    }
    if let Some((path, value)) = format {
        let format = response_format(Fields::of(&path, value)?, left)?;
        chat.insert("response_format".into(), format);
    }
    Ok(())
}

/// Asks for no thinking, or the least there is, of a model that thinks where nothing is said: in a
/// short answer nothing else would have room. Providers that cannot leave it out refuse to be told
/// so; and with Anthropic's models it is the same as saying nothing.
fn unthinking(asked: &Asked<'_>, chat: &mut Map<String, Value>, left: &mut Left) {
    let least = least(asked.model).filter(|_| asked.terms.takes_effort);
    if let Some(effort) = least {
        chat.insert("reasoning_effort".into(), effort.word().into());
    }
    if least != Some(Effort::None) {
        left.hint("thinking");
    }
}

/// The effort for a budget of thinking tokens: the inverse of what budgets are given to efforts,
/// which is a convention. 1,024 is the least that Anthropic takes.
const fn effort_of(budget: u64) -> &'static str {
    match budget {
        0..=2047 => "low",
        2048..=8191 => "medium",
        _ => "high",
    }
}

fn response_format(mut format: Fields, left: &mut Left) -> Result<Value, Refusal> {
    let kind = format.needed_text("type")?;
    if kind != "json_schema" {
        return Err(refusal(&format.at("type"), "must be json_schema"));
    }
    let at = format.at("schema");
    let schema = format.take("schema").ok_or_else(|| missing(&at))?;
    format.finish(left)?;
    // Anthropic promises that the answer fits; so does `strict`, and nothing else.
    Ok(json!({
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": true},
    }))
}

/// Who asks. OpenAI takes no long names, and Claude Code's is one: it is a label.
fn metadata(
    body: &mut Fields,
    asked: &Asked<'_>,
    chat: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    let Some(mut metadata) = body.object("metadata")? else {
        return Ok(());
    };
    if let Some(user) = metadata.text("user_id")? {
        if user.len() <= USER_BYTES_MAX {
            let place = ("user", "metadata.user_id");
            hint(place, user.into(), asked.terms, chat, left);
        } else {
            left.hint("metadata.user_id");
        }
    }
    metadata.finish(left)
}

/// What the provider is to cut out of the conversation. Thinking that is not sent is cut already.
fn context(body: &mut Fields, left: &mut Left) -> Result<(), Refusal> {
    let Some(mut context) = body.object("context_management")? else {
        return Ok(());
    };
    let edits = context.list("edits")?.unwrap_or_default();
    for (index, edit) in edits.into_iter().enumerate() {
        let path = format!("context_management.edits[{index}]");
        let mut edit = Fields::of(&path, edit)?;
        let kind = edit.needed_text("type")?;
        if kind.starts_with("clear_thinking_") {
            left.hint(path);
        } else {
            let why = format!("is `{kind}`, which only Anthropic does");
            left.unless_dropped(path, &why)?;
        }
    }
    context.finish(left)
}
