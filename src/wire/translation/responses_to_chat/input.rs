//! Says the items of an input in chat: messages, calls and their results, reasoning.

use serde_json::{Value, json};

use super::super::carried::restored;
use super::super::chat_turns::{Turns, text_part};
use super::super::fields::{Fields, Left, refusal, wrong};
use super::super::shape::Refusal;
use super::tools::{TOOL_SEARCH, Toolbox, flat};

/// What all items are said with.
pub(super) struct Talk<'a> {
    /// The messages so far.
    pub(super) turns: Turns,
    /// The tools that stand among the items.
    pub(super) tools: Toolbox,
    /// What has no place.
    pub(super) left: &'a mut Left,
    /// The model's name at the provider.
    pub(super) model: &'a str,
}

impl Talk<'_> {
    /// The whole input: a text, or items.
    pub(super) fn input(&mut self, input: Value) -> Result<(), Refusal> {
        let items = match input {
            Value::String(text) => {
                self.turns.user(vec![text_part(text)]);
                return Ok(());
            }
            Value::Array(items) => items,
            other => return Err(wrong("input", "a string or a list of items", &other)),
        };
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("input[{index}]");
            let mut item = Fields::of(&path, item)?;
            let kind = item.text("type")?;
            let kind = kind.unwrap_or_else(|| "message".to_owned());
            // They name things in a store, and there is none.
            item.take("id");
            item.take("status");
            self.item(&path, &kind, item)?;
        }
        Ok(())
    }

    fn item(&mut self, path: &str, kind: &str, mut item: Fields) -> Result<(), Refusal> {
        match kind {
            "message" => self.message(&mut item)?,
            "function_call" => {
                let id = item.needed_text("call_id")?;
                let name = item.needed_text("name")?;
                let name = flat(&name, item.text("namespace")?.as_deref());
                let arguments = item.text("arguments")?.unwrap_or_default();
                self.turns.assistant().call(&id, &name, &arguments);
            }
            "custom_tool_call" => {
                let id = item.needed_text("call_id")?;
                let name = item.needed_text("name")?;
                let name = flat(&name, item.text("namespace")?.as_deref());
                let arguments = json!({"input": item.needed_text("input")?}).to_string();
                self.turns.assistant().call(&id, &name, &arguments);
            }
            "tool_search_call" => {
                let id = item.needed_text("call_id")?;
                item.take("execution");
                let arguments = item.take("arguments").unwrap_or_else(|| json!({}));
                let assistant = self.turns.assistant();
                assistant.call(&id, TOOL_SEARCH, &arguments.to_string());
            }
            "function_call_output" | "custom_tool_call_output" => {
                let id = item.needed_text("call_id")?;
                item.take("name");
                let at = item.at("output");
                let output = item.take("output").unwrap_or_else(|| "".into());
                let parts = self.parts(&at, output)?;
                self.turns.result(&id, false, parts);
            }
            "tool_search_output" => {
                let id = item.needed_text("call_id")?;
                item.take("execution");
                let found = item.list("tools")?.unwrap_or_default();
                let text = Value::Array(found.clone()).to_string();
                self.turns.result(&id, false, vec![text_part(text)]);
                self.offer(path, found)?;
            }
            "additional_tools" => {
                item.take("role");
                let more = item.list("tools")?.unwrap_or_default();
                self.offer(path, more)?;
            }
            "reasoning" => return self.reasoning(item),
            "item_reference" => {
                let why = "refers to an item of an earlier answer, and nothing is stored here: have the \
                           client send items whole (`store: false`)";
                return Err(refusal(path, why));
            }
            _ => {
                let why = format!("is of type `{kind}`, for which chat has no place");
                return self.left.unless_dropped(path, &why);
            }
        }
        item.finish(self.left)
    }

    fn offer(&mut self, path: &str, tools: Vec<Value>) -> Result<(), Refusal> {
        for (index, tool) in tools.into_iter().enumerate() {
            let at = format!("{path}.tools[{index}]");
            self.tools.add(&at, tool, None, self.left)?;
        }
        Ok(())
    }

    fn message(&mut self, item: &mut Fields) -> Result<(), Refusal> {
        let role = item.needed_text("role")?;
        let at = item.at("content");
        let content = item.take("content").unwrap_or(Value::Null);
        if item.take("phase").is_some() {
            self.left.hint("input[].phase");
        }
        match role.as_str() {
            "user" => {
                let parts = self.parts(&at, content)?;
                self.turns.user(parts);
            }
            // Only OpenAI tells the two apart; everyone knows the older name.
            "system" | "developer" => {
                let texts = self.texts(&at, content)?;
                self.turns.system(texts.join("\n\n"));
            }
            "assistant" => {
                for part in self.parts(&at, content)? {
                    let text = |key: &str| part.get(key).and_then(Value::as_str).map(str::to_owned);
                    let assistant = self.turns.assistant();
                    if let Some(refusal) = text("refusal") {
                        assistant.refusal(refusal);
                    } else if let Some(text) = text("text") {
                        assistant.text(text);
                    } else {
                        let why = "holds more than text, which chat takes of nobody but the user";
                        self.left.unless_dropped(&at, why)?;
                    }
                }
            }
            _ => {
                let why = "must be user, assistant, system or developer";
                return Err(refusal(&item.at("role"), why));
            }
        }
        Ok(())
    }

    fn texts(&mut self, path: &str, content: Value) -> Result<Vec<String>, Refusal> {
        let mut texts = Vec::new();
        for part in self.parts(path, content)? {
            match part.get("text").and_then(Value::as_str) {
                Some(text) => texts.push(text.to_owned()),
                None => return Err(refusal(path, "must be text alone")),
            }
        }
        Ok(texts)
    }

    /// Content parts: of a message, or of a tool's output.
    fn parts(&mut self, path: &str, content: Value) -> Result<Vec<Value>, Refusal> {
        let list = match content {
            Value::String(text) => return Ok(vec![text_part(text)]),
            Value::Array(list) => list,
            other => return Err(wrong(path, "a string or a list of parts", &other)),
        };
        let mut parts = Vec::new();
        for (index, part) in list.into_iter().enumerate() {
            let at = format!("{path}[{index}]");
            let mut part = Fields::of(&at, part)?;
            let kind = part.needed_text("type")?;
            parts.extend(self.part(&at, &kind, part)?);
        }
        Ok(parts)
    }

    fn part(&mut self, at: &str, kind: &str, mut part: Fields) -> Result<Option<Value>, Refusal> {
        let said = match kind {
            "input_text" | "output_text" | "text" => {
                // Where a text was cited from, and how sure each token was.
                for key in ["annotations", "logprobs"] {
                    let said = part.take(key);
                    if said.is_some_and(|said| said.as_array().is_none_or(|list| !list.is_empty()))
                    {
                        // Once for all: a long conversation has many.
                        self.left.hint(format!("input[].content[].{key}"));
                    }
                }
                text_part(part.needed_text("text")?)
            }
            "refusal" => json!({"type": "refusal", "refusal": part.needed_text("refusal")?}),
            "input_image" => {
                let Some(url) = part.text("image_url")? else {
                    let why = "has no image_url; files that are stored elsewhere cannot be fetched";
                    return Err(refusal(at, why));
                };
                let mut image = json!({"url": url});
                if let Some(detail) = part.text("detail")?.filter(|detail| detail != "auto") {
                    image["detail"] = detail.into();
                }
                json!({"type": "image_url", "image_url": image})
            }
            "input_file" => {
                let Some(data) = part.text("file_data")? else {
                    let why = "has no file_data; files that are stored elsewhere cannot be fetched";
                    return Err(refusal(at, why));
                };
                let name = part.text("filename")?;
                let name = name.unwrap_or_else(|| "file".to_owned());
                json!({"type": "file", "file": {"filename": name, "file_data": data}})
            }
            "input_audio" => {
                let audio = part.take("input_audio").unwrap_or(Value::Null);
                json!({"type": "input_audio", "input_audio": audio})
            }
            _ => {
                let why = format!("is of type `{kind}`, for which chat has no place");
                self.left.unless_dropped(at, &why)?;
                return Ok(None);
            }
        };
        part.finish(self.left)?;
        Ok(Some(said))
    }

    /// Reasoning goes back to where it is from, and nowhere else.
    fn reasoning(&mut self, mut item: Fields) -> Result<(), Refusal> {
        let sealed = item.text("encrypted_content")?.unwrap_or_default();
        let Some(restored) = restored(&sealed, self.model) else {
            self.left.hint("input[].reasoning");
            return Ok(());
        };
        let mut text = String::new();
        for part in item.list("content")?.unwrap_or_default() {
            text.push_str(part.get("text").and_then(Value::as_str).unwrap_or_default());
        }
        self.turns.assistant().reasoning(&text, restored);
        Ok(())
    }
}
