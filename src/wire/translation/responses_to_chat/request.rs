//! Says a request of OpenAI's responses in chat.

use serde_json::{Map, Value, json};

use super::super::chat_settings::{effort, hint, limit, sampling, stream as ask_for_stream};
use super::super::chat_turns::Turns;
use super::super::fields::{Fields, Left, missing, refusal, wrong};
use super::super::shape::{Asked, Kept, Refusal, Sent};
use super::input::Talk;
use super::response::{ECHOED, OWN, Own};
use super::tools::Toolbox;
use crate::record::Language;

/// Says `asked` in chat.
pub(super) fn request(asked: &Asked<'_>) -> Result<Sent, Refusal> {
    let mut left = Left::new(asked, Language::OpenAiChat);
    let mut body = Fields::of_body(asked.body)?;
    let mut chat = Map::new();
    let model = body.needed_text("model")?;
    chat.insert("model".into(), asked.model.into());
    stateless(&mut body, &mut left)?;
    let mut echo: Map<String, Value> = ECHOED
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), body.look(key)?.clone())))
        .collect();
    let mut talk = Talk {
        turns: Turns::new(asked.terms.merge_system),
        tools: Toolbox::default(),
        left: &mut left,
        model: asked.model,
    };
    if let Some(instructions) = body.text("instructions")? {
        talk.turns.system(instructions);
    }
    if let Some(input) = body.take("input") {
        talk.input(input)?;
    }
    let Talk {
        turns,
        tools: mut toolbox,
        ..
    } = talk;
    let messages = turns.finish();
    if messages.is_empty() {
        return Err(missing("input"));
    }
    chat.insert("messages".into(), messages.into());
    limits(&mut body, asked, &mut chat, &mut left)?;
    reasoning(&mut body, asked, &mut chat, &mut left)?;
    text(&mut body, asked, &mut chat, &mut left)?;
    for (index, tool) in body
        .list("tools")?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        toolbox.add(&format!("tools[{index}]"), tool, None, &mut left)?;
    }
    let origins = toolbox.say(body.take("tool_choice"), &mut chat, &mut left)?;
    if body.truth("parallel_tool_calls")? == Some(false) && chat.contains_key("tools") {
        chat.insert("parallel_tool_calls".into(), false.into());
    }
    let encrypted = include(&mut body, &mut left)?;
    labels(&mut body, asked, &mut chat, &mut left)?;
    let stream = body.truth("stream")?.unwrap_or(false);
    if stream {
        ask_for_stream(asked.terms, &mut chat);
    }
    // Padding is never added.
    body.take("stream_options");
    body.finish(&mut left)?;
    let own = Own { origins, encrypted };
    echo.insert(OWN.into(), own.write());
    Ok(Sent {
        body: Value::Object(chat).to_string().into_bytes(),
        dropped: left.dropped(),
        kept: Kept {
            stream,
            include_usage: true,
            choices: 1,
            model,
            // Whose reasoning it is that comes back.
            model_there: asked.model.to_owned(),
            echo,
        },
    })
}

/// Refuses what builds on things stored elsewhere, whatever the terms: without them it would be
/// another conversation.
fn stateless(body: &mut Fields, left: &mut Left) -> Result<(), Refusal> {
    for (key, instead) in [
        (
            "previous_response_id",
            "send the whole conversation in `input`",
        ),
        ("conversation", "send the whole conversation in `input`"),
        ("prompt", "send its text in `instructions` and `input`"),
    ] {
        if body.take(key).is_some() {
            let why = format!(
                "names what OpenAI stores, and this model is served by a provider that stores \
                 nothing; {instead}"
            );
            return Err(refusal(key, &why));
        }
    }
    if body.truth("background")? == Some(true) {
        let why = "asks for an answer to be fetched later, and this model is served by a provider \
                   that stores nothing; leave it out";
        return Err(refusal("background", why));
    }
    // The default is to store. An answer says that it was not.
    if body.truth("store")? == Some(true) {
        left.hint("store");
    }
    Ok(())
}

/// How long the answer may be, and how it is drawn.
fn limits(
    body: &mut Fields,
    asked: &Asked<'_>,
    chat: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    limit(body.count("max_output_tokens")?, asked.terms, chat);
    sampling(body, asked.terms, chat, left)?;
    if body.count("top_logprobs")?.unwrap_or(0) > 0 {
        left.no_place("top_logprobs")?;
    }
    match body.text("truncation")?.as_deref() {
        None | Some("disabled") => {}
        Some(_) => left.no_place("truncation")?,
    }
    // A limit on tools that run at OpenAI.
    body.hints(&["max_tool_calls"], left);
    Ok(())
}

/// How much the model may think, and what is told of it.
fn reasoning(
    body: &mut Fields,
    asked: &Asked<'_>,
    chat: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    let Some(mut reasoning) = body.object("reasoning")? else {
        return Ok(());
    };
    let at = reasoning.at("effort");
    if let Some(word) = reasoning.text("effort")? {
        effort(at, word, asked, chat, left);
    }
    // What the provider tells of its reasoning is told, and no more.
    reasoning.hints(&["summary", "generate_summary", "context"], left);
    reasoning.finish(left)
}

/// What the answer must look like.
fn text(
    body: &mut Fields,
    asked: &Asked<'_>,
    chat: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    let Some(mut text) = body.object("text")? else {
        return Ok(());
    };
    if let Some(verbosity) = text.text("verbosity")?.filter(|word| word != "medium") {
        let place = ("verbosity", "text.verbosity");
        hint(place, verbosity.into(), asked.terms, chat, left);
    }
    if let Some(mut format) = text.object("format")? {
        match format.needed_text("type")?.as_str() {
            "text" => {}
            "json_object" => {
                chat.insert("response_format".into(), json!({"type": "json_object"}));
            }
            "json_schema" => {
                let mut schema = Map::new();
                schema.insert("name".into(), format.needed_text("name")?.into());
                for key in ["description", "schema", "strict"] {
                    if let Some(value) = format.take(key) {
                        schema.insert(key.into(), value);
                    }
                }
                let said = json!({"type": "json_schema", "json_schema": schema});
                chat.insert("response_format".into(), said);
            }
            _ => {
                let why = "must be text, json_object or json_schema";
                return Err(refusal(&format.at("type"), why));
            }
        }
        format.finish(left)?;
    }
    text.finish(left)
}

/// What else an answer is to hold; whether it is what comes back with the next turn.
fn include(body: &mut Fields, left: &mut Left) -> Result<bool, Refusal> {
    let mut encrypted = false;
    for (index, name) in body.list("include")?.unwrap_or_default().iter().enumerate() {
        let path = format!("include[{index}]");
        match name.as_str() {
            Some("reasoning.encrypted_content") => encrypted = true,
            Some(name) if name.ends_with(".logprobs") => left.no_place(path)?,
            // All others are about tools that run at OpenAI.
            Some(_) => left.hint(path),
            None => return Err(wrong(&path, "a string", name)),
        }
    }
    Ok(encrypted)
}

/// Whose request it is, and what it may cost: of no effect on the answer.
fn labels(
    body: &mut Fields,
    asked: &Asked<'_>,
    chat: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    if let Some(user) = body.text("user")? {
        hint(("user", "user"), user.into(), asked.terms, chat, left);
    }
    match body.text("service_tier")? {
        Some(tier) if !matches!(tier.as_str(), "auto" | "default") => {
            let place = ("service_tier", "service_tier");
            hint(place, tier.into(), asked.terms, chat, left);
        }
        _ => {}
    }
    body.hints(
        &[
            "metadata",
            "client_metadata",
            "safety_identifier",
            "prompt_cache_key",
            "prompt_cache_retention",
            "prompt_cache_options",
        ],
        left,
    );
    Ok(())
}
