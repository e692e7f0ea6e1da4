//! The response object, of which each event of a beginning and an end holds one.

use std::io::Write as _;

use serde_json::{Map, Value, json};

use super::super::chat_pieces::escaped;
use super::super::shape::{Kept, Stamp};
use super::tools::{Origin, origin};
use crate::record::{ErrorClass, Usage};

/// What of a request the response repeats.
pub(super) const ECHOED: [&str; 15] = [
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "truncation",
    "user",
];

/// Where among them that stands which no response repeats.
pub(super) const OWN: &str = "tollgate";

/// What the way back needs beside that.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    /// What the functions are at the client that are not what they are called.
    pub(super) origins: Map<String, Value>,
    /// The client sends reasoning back with the next turn.
    pub(super) encrypted: bool,
}

impl Own {
    /// As it is kept.
    pub(super) fn write(self) -> Value {
        json!({"origins": self.origins, "encrypted": self.encrypted})
    }

    fn read(kept: &Kept) -> Self {
        let own = kept.echo.get(OWN);
        let origins = own.and_then(|own| own.get("origins")?.as_object());
        Self {
            origins: origins.cloned().unwrap_or_default(),
            encrypted: own.and_then(|own| own.get("encrypted")?.as_bool()) == Some(true),
        }
    }
}

/// What all response objects of one answer have.
#[derive(Debug)]
pub(super) struct Response {
    /// The stamp's id, from which all ids are made.
    pub(super) id: String,
    /// The model as the client reads it.
    model: String,
    /// Its name at the provider.
    there: String,
    created: i64,
    /// The fields that repeat the request, written once: without braces.
    echo: String,
    own: Own,
}

/// How far a response is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Status<'a> {
    InProgress,
    Completed,
    /// And why.
    Incomplete(&'static str),
    /// With a code and a message.
    Failed(&'static str, &'a str),
}

impl Response {
    /// That of an answer to what `kept` asked.
    pub(super) fn new(kept: &Kept, stamp: &Stamp) -> Self {
        let mut echo = json!({
            "background": false,
            "instructions": null,
            "max_output_tokens": null,
            "max_tool_calls": null,
            "metadata": {},
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "prompt_cache_key": null,
            "reasoning": {"effort": null, "summary": null},
            "safety_identifier": null,
            "store": false,
            "temperature": null,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": null,
            "truncation": "disabled",
            "user": null,
        });
        for key in ECHOED {
            if let Some(value) = kept.echo.get(key) {
                echo[key] = value.clone();
            }
        }
        let echo = echo.to_string();
        let inside = echo.get(1..echo.len() - 1).unwrap_or_default();
        Self {
            id: stamp.id.clone(),
            model: kept.model.clone(),
            there: kept.model_there.clone(),
            created: stamp.created,
            echo: inside.to_owned(),
            own: Own::read(kept),
        }
    }

    /// Takes over what the provider calls the model; an empty name says nothing.
    pub(super) fn name(&mut self, model: &str) {
        if !model.is_empty() {
            model.clone_into(&mut self.model);
        }
    }

    /// The model's name at the provider.
    pub(super) fn there(&self) -> &str {
        &self.there
    }

    /// Whether the client sends reasoning back.
    pub(super) fn seals(&self) -> bool {
        self.own.encrypted
    }

    /// What the function `name` is at the client.
    pub(super) fn origin(&self, name: &str) -> Origin {
        origin(&self.own.origins, name)
    }

    /// Writes the object; `output` is the inside of its list of items.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        status: Status<'_>,
        output: &[u8],
        usage: Option<&Usage>,
    ) {
        let word = match status {
            Status::InProgress => "in_progress",
            Status::Completed => "completed",
            Status::Incomplete(_) => "incomplete",
            Status::Failed(..) => "failed",
        };
        let (error, details) = match status {
            Status::Failed(code, message) => {
                (json!({"code": code, "message": message}), Value::Null)
            }
            Status::Incomplete(reason) => (Value::Null, json!({"reason": reason})),
            Status::InProgress | Status::Completed => (Value::Null, Value::Null),
        };
        let _ = write!(
            out,
            "{{\"id\":\"resp_{}\",\"object\":\"response\",\"created_at\":{},\"status\":\"{word}\",\
             \"error\":{error},\"incomplete_details\":{details},\"model\":\"{}\",\"output\":[",
            escaped(&self.id),
            self.created,
            escaped(&self.model),
        );
        out.extend_from_slice(output);
        let usage = usage.map_or(Value::Null, usage_object);
        let _ = write!(out, "],\"usage\":{usage},{}}}", self.echo);
    }
}

/// Tokens used, in the words of Responses. The input's and the output's parts are numbers there:
/// one that is unknown is 0. Where nothing is known there is no object.
fn usage_object(usage: &Usage) -> Value {
    if usage.is_unknown() {
        return Value::Null;
    }
    let (input, output) = (usage.input.unwrap_or(0), usage.output.unwrap_or(0));
    let mut details = json!({"cached_tokens": usage.cached_read.unwrap_or(0)});
    if let Some(written) = usage.cache_write {
        details["cache_write_tokens"] = written.into();
    }
    json!({
        "input_tokens": input,
        "input_tokens_details": details,
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning.unwrap_or(0)},
        "total_tokens": input.saturating_add(output),
    })
}

/// The code of a failed response. OpenAI lists few; Codex knows a full context and a spent quota
/// by the codes that chat has for them.
pub(super) const fn code(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::RateLimited => "rate_limit_exceeded",
        ErrorClass::Quota => "insufficient_quota",
        ErrorClass::ContextLength => "context_length_exceeded",
        ErrorClass::ContentFilter => "invalid_prompt",
        _ => "server_error",
    }
}
