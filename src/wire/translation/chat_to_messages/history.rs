//! Says the messages of a conversation: what is hoisted, whose turn it is, what a tool gave back.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::content::{blocks, text_block};
use super::thinking;
use crate::wire::translation::fields::{Fields, Left, refusal, wrong};
use crate::wire::translation::shape::{Refusal, Terms};

/// A conversation in the provider's language.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Blocks of the system prompt.
    pub(super) system: Vec<Value>,
    /// Turns, no two of one role in a row.
    pub(super) turns: Vec<Turn>,
    /// Ids of tool calls as the client has them, and as the provider may have them.
    ids: HashMap<String, String>,
    /// Calls to which no id was given.
    unnamed: usize,
}

/// What one side said before the other one spoke.
#[derive(Debug)]
pub(super) struct Turn {
    /// `user` or `assistant`.
    pub(super) role: &'static str,
    /// What was said.
    pub(super) blocks: Vec<Value>,
    /// How many of the blocks are results of tools: they stand first.
    results: usize,
}

impl History {
    /// Reads the messages of a request.
    pub(super) fn read(
        messages: Vec<Value>,
        terms: &Terms,
        left: &mut Left,
    ) -> Result<Self, Refusal> {
        let mut history = Self::default();
        for (index, message) in messages.into_iter().enumerate() {
            let path = format!("messages[{index}]");
            let mut message = Fields::of(&path, message)?;
            let role = message.needed_text("role")?;
            message.hints(&["name"], left);
            match role.as_str() {
                "system" | "developer" => history.system(&path, &mut message, terms, left)?,
                "user" => history.user(&path, &mut message, left)?,
                "assistant" => history.assistant(&path, &mut message, left)?,
                "tool" => history.result(&mut message, left)?,
                _ => {
                    let why =
                        format!("is {role:?}; send system, developer, user, assistant or tool");
                    return Err(refusal(&format!("{path}.role"), &why));
                }
            }
            message.finish(left)?;
        }
        Ok(history)
    }

    /// Whether what is to be gone on with did not begin with thoughts: the answer's beginning, or
    /// one whose calls have their results now. Claudes with a budget go on thinking only in what
    /// they thought about.
    pub(super) fn is_unthought(&self) -> bool {
        let mut back = self.turns.iter().rev();
        let spoken = match back.next() {
            Some(turn) if turn.role == "assistant" => Some(turn),
            Some(turn) if turn.results > 0 => back.next(),
            _ => None,
        };
        let first = spoken.and_then(|turn| turn.blocks.first());
        let kind = first.and_then(|block| block.get("type")?.as_str());
        kind.is_some_and(|kind| !kind.ends_with("thinking"))
    }

    /// Leading instructions are hoisted; later ones have no place of their own.
    fn system(
        &mut self,
        path: &str,
        message: &mut Fields,
        terms: &Terms,
        left: &mut Left,
    ) -> Result<(), Refusal> {
        let blocks = blocks(&message.at("content"), message.take("content"), left)?;
        if !self.turns.is_empty() && !terms.merge_system {
            let why = "is a system message behind the first turn, for which anthropic-messages \
                       has no place; send it first, or set `merge_system = true` on the provider \
                       to have it joined to the first ones";
            return Err(refusal(path, why));
        }
        self.system.extend(blocks);
        Ok(())
    }

    fn user(&mut self, path: &str, message: &mut Fields, left: &mut Left) -> Result<(), Refusal> {
        let blocks = blocks(&message.at("content"), message.take("content"), left)?;
        self.say("user", blocks, path, left);
        Ok(())
    }

    fn assistant(
        &mut self,
        path: &str,
        message: &mut Fields,
        left: &mut Left,
    ) -> Result<(), Refusal> {
        let mut said = thinking::restore(message, left)?;
        said.extend(blocks(
            &message.at("content"),
            message.take("content"),
            left,
        )?);
        said.extend(message.text("refusal")?.and_then(text_block));
        message.skip_if("annotations", |list| list == &json!([]));
        message.hints(&["annotations"], left);
        for (index, call) in message
            .list("tool_calls")?
            .unwrap_or_default()
            .into_iter()
            .enumerate()
        {
            let path = format!("{path}.tool_calls[{index}]");
            said.push(self.call(&path, call, left)?);
        }
        self.say("assistant", said, path, left);
        Ok(())
    }

    fn call(&mut self, path: &str, call: Value, left: &mut Left) -> Result<Value, Refusal> {
        let mut call = Fields::of(path, call)?;
        if let Some(kind) = call.text("type")?.filter(|kind| kind != "function") {
            let why = format!("is {kind:?}; only calls of functions can be said");
            return Err(refusal(&call.at("type"), &why));
        }
        call.take("index");
        let id = match call.text("id")?.filter(|id| !id.is_empty()) {
            Some(id) => self.ids.entry(id.clone()).or_insert(fit(&id)).clone(),
            None => {
                self.unnamed += 1;
                format!("call_{}", self.unnamed)
            }
        };
        let Some(mut function) = call.object("function")? else {
            return Err(refusal(&call.at("function"), "is missing"));
        };
        let name = function.needed_text("name")?;
        let path = function.at("arguments");
        let arguments = function.take("arguments");
        function.finish(left)?;
        call.finish(left)?;
        let input = input(&path, arguments)?;
        Ok(json!({"type": "tool_use", "id": id, "name": name, "input": input}))
    }

    /// What a tool gave back: all results of a turn stand in one message, before what the user
    /// says in it.
    fn result(&mut self, message: &mut Fields, left: &mut Left) -> Result<(), Refusal> {
        let id = message.needed_text("tool_call_id")?;
        let Some(id) = self.ids.get(&id) else {
            let why = "names no tool call of an assistant message before it";
            return Err(refusal(&message.at("tool_call_id"), why));
        };
        let mut result = json!({"type": "tool_result", "tool_use_id": id});
        result["content"] = match message.take("content") {
            Some(Value::String(text)) => text.into(),
            content => blocks(&message.at("content"), content, left)?.into(),
        };
        if self.turns.last().is_none_or(|turn| turn.role != "user") {
            self.turns.push(Turn::of("user"));
        }
        if let Some(turn) = self.turns.last_mut() {
            turn.blocks.insert(turn.results, result);
            turn.results += 1;
        }
        Ok(())
    }

    /// Adds to the turn of a role, or begins one. A message of nothing is left out, and that said.
    fn say(&mut self, role: &'static str, blocks: Vec<Value>, path: &str, left: &mut Left) {
        if blocks.is_empty() {
            left.hint(path);
            return;
        }
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.blocks.extend(blocks),
            _ => self.turns.push(Turn {
                blocks,
                ..Turn::of(role)
            }),
        }
    }
}

impl Turn {
    const fn of(role: &'static str) -> Self {
        Self {
            role,
            blocks: Vec::new(),
            results: 0,
        }
    }
}

/// The arguments of a call: JSON in a string. Some clients send the object itself.
fn input(path: &str, arguments: Option<Value>) -> Result<Value, Refusal> {
    let read = match arguments {
        None => return Ok(json!({})),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(json!({})),
        Some(Value::String(text)) => serde_json::from_str(&text).map_err(|error| {
            let why = format!("is not valid JSON ({error}); send an object, in a string");
            refusal(path, &why)
        })?,
        Some(other) => other,
    };
    match read {
        Value::Object(_) => Ok(read),
        other => Err(wrong(path, "an object, in a string", &other)),
    }
}

/// An id of letters, digits, `_` and `-`, as the provider wants it.
fn fit(id: &str) -> String {
    id.chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => c,
            _ => '_',
        })
        .collect()
}
