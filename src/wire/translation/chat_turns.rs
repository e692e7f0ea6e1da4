//! Puts together the messages of a chat request, for clients whose turns are made of parts.
//!
//! Contents of text alone are sent as one string, joined by blank lines: not every chat provider
//! takes lists, and a list of texts says no more.

use serde_json::{Map, Value, json};

use super::carried::{Restored, name};
use super::chat_voice::Field;

/// The messages so far.
#[derive(Debug, Default)]
pub(super) struct Turns {
    merge_system: bool,
    system: Vec<String>,
    messages: Vec<Value>,
    assistant: Option<Assistant>,
    /// What of tool results only a user's message can hold.
    pending: Vec<Value>,
}

impl Turns {
    /// None yet. With `merge_system`, system messages after the first turn are joined to the
    /// leading ones.
    pub(super) fn new(merge_system: bool) -> Self {
        Self {
            merge_system,
            ..Self::default()
        }
    }

    /// Adds an instruction.
    pub(super) fn system(&mut self, text: String) {
        if text.is_empty() {
            return;
        }
        if self.merge_system || (self.messages.is_empty() && self.assistant.is_none()) {
            self.system.push(text);
        } else {
            self.flush();
            self.messages
                .push(json!({"role": "system", "content": text}));
        }
    }

    /// Adds a user's message of these content parts, if there are any.
    pub(super) fn user(&mut self, parts: Vec<Value>) {
        self.close_assistant();
        let mut all = std::mem::take(&mut self.pending);
        all.extend(parts);
        if !all.is_empty() {
            self.messages
                .push(json!({"role": "user", "content": content(all)}));
        }
    }

    /// The model's message that is being put together.
    pub(super) fn assistant(&mut self) -> &mut Assistant {
        if self.assistant.is_none() {
            self.user(Vec::new());
        }
        self.assistant.get_or_insert_default()
    }

    /// The model's message is over: what follows is another one.
    pub(super) fn close_assistant(&mut self) {
        if let Some(assistant) = self.assistant.take() {
            self.messages.push(assistant.write());
        }
    }

    /// Adds a tool's result of these content parts. Those that are no text cannot stand in it:
    /// they follow in a user's message, as the result says.
    pub(super) fn result(&mut self, id: &str, failed: bool, parts: Vec<Value>) {
        self.close_assistant();
        let (texts, others): (Vec<Value>, Vec<Value>) = parts.into_iter().partition(is_text);
        let mut texts: Vec<String> = texts.into_iter().filter_map(into_text).collect();
        if !others.is_empty() {
            texts.push("(What else the tool returned follows in the next message.)".to_owned());
            let note = format!("This is what the tool call {id} returned:");
            self.pending.push(text_part(note));
            self.pending.extend(others);
        }
        let mut text = texts.join("\n\n");
        if failed {
            text.insert_str(0, "Error: ");
        }
        self.messages
            .push(json!({"role": "tool", "tool_call_id": id, "content": text}));
    }

    fn flush(&mut self) {
        self.user(Vec::new());
    }

    /// All messages, the leading instructions first and as one.
    pub(super) fn finish(mut self) -> Vec<Value> {
        self.flush();
        if !self.system.is_empty() {
            let text = self.system.join("\n\n");
            self.messages
                .insert(0, json!({"role": "system", "content": text}));
        }
        self.messages
    }
}

/// A message of the model's.
#[derive(Debug, Default)]
pub(super) struct Assistant {
    texts: Vec<String>,
    refusals: Vec<String>,
    calls: Vec<Value>,
    reasoning: String,
    field: Option<Field>,
    details: Vec<Value>,
}

impl Assistant {
    /// Adds a piece of its answer.
    pub(super) fn text(&mut self, text: String) {
        self.texts.push(text);
    }

    /// Adds a piece of a refusal.
    pub(super) fn refusal(&mut self, text: String) {
        self.refusals.push(text);
    }

    /// Adds a tool call; `arguments` is JSON text.
    pub(super) fn call(&mut self, id: &str, name: &str, arguments: &str) {
        let function = json!({"name": name, "arguments": arguments});
        self.calls
            .push(json!({"id": id, "type": "function", "function": function}));
    }

    /// Adds reasoning that comes back to where it is from.
    pub(super) fn reasoning(&mut self, text: &str, restored: Restored) {
        self.reasoning.push_str(text);
        self.field = self.field.or(restored.field);
        for mut detail in restored.details {
            // Pieces of it may have come apart from what signs it.
            if let Some(own) = detail.get_mut("text") {
                *own = text.into();
            }
            self.details.push(detail);
        }
    }

    fn write(self) -> Value {
        let mut message = Map::new();
        message.insert("role".into(), "assistant".into());
        let text = self.texts.join("\n\n");
        let content = match self.field {
            Some(Field::Content) => {
                let thinking = json!([{"type": "text", "text": self.reasoning}]);
                let mut parts = vec![json!({"type": "thinking", "thinking": thinking})];
                if !text.is_empty() {
                    parts.push(text_part(text));
                }
                parts.into()
            }
            _ if text.is_empty() && !self.calls.is_empty() => Value::Null,
            _ => text.into(),
        };
        message.insert("content".into(), content);
        match self.field {
            Some(field @ (Field::Reasoning | Field::ReasoningContent)) => {
                message.insert(name(field).into(), self.reasoning.into());
            }
            Some(Field::Content) | None => {}
        }
        if !self.details.is_empty() {
            message.insert("reasoning_details".into(), self.details.into());
        }
        if !self.refusals.is_empty() {
            message.insert("refusal".into(), self.refusals.join("\n\n").into());
        }
        if !self.calls.is_empty() {
            message.insert("tool_calls".into(), self.calls.into());
        }
        Value::Object(message)
    }
}

/// A content part of text.
pub(super) fn text_part(text: impl Into<String>) -> Value {
    let text: String = text.into();
    json!({"type": "text", "text": text})
}

fn is_text(part: &Value) -> bool {
    part.get("type").and_then(Value::as_str) == Some("text")
}

fn into_text(part: Value) -> Option<String> {
    match part {
        Value::Object(mut map) => match map.remove("text") {
            Some(Value::String(text)) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn content(parts: Vec<Value>) -> Value {
    if parts.iter().all(is_text) {
        let texts: Vec<String> = parts.into_iter().filter_map(into_text).collect();
        texts.join("\n\n").into()
    } else {
        parts.into()
    }
}
