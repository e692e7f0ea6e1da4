//! Says the turns of a conversation in chat: text, images, documents, tools and thoughts.

use serde_json::{Value, json};

use super::super::carried::{claudes_own, restored};
use super::super::chat_turns::{Turns, text_part};
use super::super::fields::{Fields, Left, refusal, wrong};
use super::super::shape::Refusal;

/// How a system block begins that says something to Anthropic's billing, and nothing to a model.
const BILLING: &str = "x-anthropic-billing-header:";

/// What all turns are said with.
pub(super) struct Talk<'a> {
    /// The messages so far.
    pub(super) turns: Turns,
    /// What has no place.
    pub(super) left: &'a mut Left,
    /// The model's name at the provider.
    pub(super) model: &'a str,
}

impl Talk<'_> {
    /// The instructions: a text, or blocks of text.
    pub(super) fn system(&mut self, path: &str, system: Value) -> Result<(), Refusal> {
        for text in self.texts(path, system)? {
            self.turns.system(text);
        }
        Ok(())
    }

    /// A text, or the texts of a list of text blocks.
    fn texts(&mut self, path: &str, value: Value) -> Result<Vec<String>, Refusal> {
        let list = match value {
            Value::String(text) => return Ok(vec![text]),
            Value::Array(list) => list,
            other => return Err(wrong(path, "a string or a list of text blocks", &other)),
        };
        let mut texts = Vec::new();
        for (index, block) in list.into_iter().enumerate() {
            let at = format!("{path}[{index}]");
            let mut block = Fields::of(&at, block)?;
            let kind = block.needed_text("type")?;
            if kind != "text" {
                return Err(refusal(&at, &format!("is of type `{kind}`; send text")));
            }
            let text = block.needed_text("text")?;
            self.block_end(block, path)?;
            if text.starts_with(BILLING) {
                self.left.hint(at);
            } else {
                texts.push(text);
            }
        }
        Ok(texts)
    }

    /// All messages.
    pub(super) fn messages(&mut self, messages: Vec<Value>) -> Result<(), Refusal> {
        let last = messages.len();
        for (index, message) in messages.into_iter().enumerate() {
            let path = format!("messages[{index}]");
            let mut message = Fields::of(&path, message)?;
            let role = message.needed_text("role")?;
            let at = message.at("content");
            let content = message.take("content").unwrap_or(Value::Null);
            match role.as_str() {
                "user" => self.user(&at, content)?,
                "system" => self.system(&at, content)?,
                "assistant" if index + 1 == last => {
                    // Chat begins a new message behind it, which is another thing.
                    let why = "is the beginning of the answer, which chat cannot continue";
                    self.left.unless_dropped(&path, why)?;
                }
                "assistant" => self.assistant(&at, content)?,
                _ => {
                    return Err(refusal(
                        &message.at("role"),
                        "must be user, assistant or system",
                    ));
                }
            }
            message.finish(self.left)?;
        }
        Ok(())
    }

    fn user(&mut self, path: &str, content: Value) -> Result<(), Refusal> {
        let blocks = blocks(path, content)?;
        let mut parts = Vec::new();
        for (at, block) in blocks {
            let mut block = Fields::of(&at, block)?;
            let kind = block.needed_text("type")?;
            if kind == "tool_result" {
                self.result(path, block)?;
            } else {
                parts.extend(self.part(path, &at, &kind, block)?);
            }
        }
        self.turns.user(parts);
        Ok(())
    }

    fn result(&mut self, path: &str, mut block: Fields) -> Result<(), Refusal> {
        let id = block.needed_text("tool_use_id")?;
        let failed = block.truth("is_error")?.unwrap_or(false);
        let at = block.at("content");
        let mut parts = Vec::new();
        if let Some(content) = block.take("content") {
            for (at, inner) in blocks(&at, content)? {
                let mut inner = Fields::of(&at, inner)?;
                let kind = inner.needed_text("type")?;
                parts.extend(self.part(path, &at, &kind, inner)?);
            }
        }
        self.turns.result(&id, failed, parts);
        self.block_end(block, path)
    }

    /// A block that a user or a tool sends, as a content part.
    fn part(
        &mut self,
        path: &str,
        at: &str,
        kind: &str,
        mut block: Fields,
    ) -> Result<Option<Value>, Refusal> {
        let part = match kind {
            "text" => text_part(block.needed_text("text")?),
            "image" => {
                let url = self.source(&mut block, &["image/"])?;
                match url {
                    Source::Url(url) => json!({"type": "image_url", "image_url": {"url": url}}),
                    Source::Text(_) => return Err(refusal(at, "has a source that is no image")),
                }
            }
            "document" => self.document(&mut block)?,
            _ => {
                let why = format!("is of type `{kind}`, for which chat has no place");
                self.left.unless_dropped(at, &why)?;
                return Ok(None);
            }
        };
        self.block_end(block, path)?;
        Ok(Some(part))
    }

    fn document(&mut self, block: &mut Fields) -> Result<Value, Refusal> {
        let title = block.text("title")?;
        let context = block.text("context")?;
        block.skip_if("citations", |citations| {
            citations.get("enabled") == Some(&Value::Bool(false))
        });
        Ok(match self.source(block, &["application/pdf"])? {
            Source::Url(url) => {
                if context.is_some() {
                    self.left.no_place(block.at("context"))?;
                }
                let name = title.unwrap_or_else(|| "document.pdf".to_owned());
                json!({"type": "file", "file": {"filename": name, "file_data": url}})
            }
            Source::Text(text) => {
                let all = [title, context, Some(text)];
                let all: Vec<String> = all.into_iter().flatten().collect();
                text_part(all.join("\n\n"))
            }
        })
    }

    /// The bytes or the address of an image or a document.
    fn source(&mut self, block: &mut Fields, media: &[&str]) -> Result<Source, Refusal> {
        let path = block.at("source");
        let Some(mut source) = block.object("source")? else {
            return Err(refusal(&path, "is missing"));
        };
        let kind = source.needed_text("type")?;
        let found = match kind.as_str() {
            "base64" => {
                let media_type = source.needed_text("media_type")?;
                if !media.iter().any(|prefix| media_type.starts_with(prefix)) {
                    let why = format!("is {media_type}, for which chat has no place");
                    return Err(refusal(&source.at("media_type"), &why));
                }
                let data = source.needed_text("data")?;
                Source::Url(format!("data:{media_type};base64,{data}"))
            }
            "url" if media == ["image/"] => Source::Url(source.needed_text("url")?),
            "text" => {
                source.take("media_type");
                Source::Text(source.needed_text("data")?)
            }
            "content" => {
                let at = source.at("content");
                let content = source.take("content").unwrap_or(Value::Null);
                Source::Text(self.texts(&at, content)?.join("\n\n"))
            }
            _ => {
                let why = format!(
                    "is of type `{kind}`, which chat cannot fetch; send the data itself, as base64"
                );
                return Err(refusal(&path, &why));
            }
        };
        source.finish(self.left)?;
        Ok(found)
    }

    fn assistant(&mut self, path: &str, content: Value) -> Result<(), Refusal> {
        self.turns.close_assistant();
        // An empty message is one, too.
        self.turns.assistant();
        for (at, block) in blocks(path, content)? {
            let mut block = Fields::of(&at, block)?;
            let kind = block.needed_text("type")?;
            match kind.as_str() {
                "text" => {
                    let text = block.needed_text("text")?;
                    self.turns.assistant().text(text);
                    // Where a text was cited from says nothing to the model.
                    block.hints(&["citations"], self.left);
                }
                "tool_use" => {
                    let id = block.needed_text("id")?;
                    let name = block.needed_text("name")?;
                    let input = block.take("input").unwrap_or_else(|| json!({}));
                    block.skip_if("caller", |caller| {
                        caller.get("type").and_then(Value::as_str) == Some("direct")
                    });
                    let assistant = self.turns.assistant();
                    assistant.call(&id, &name, &input.to_string());
                }
                "thinking" => {
                    let text = block.text("thinking")?.unwrap_or_default();
                    let signature = block.text("signature")?.unwrap_or_default();
                    self.thought(path, Some(&text), &signature);
                }
                "redacted_thinking" => {
                    let data = block.needed_text("data")?;
                    self.thought(path, None, &data);
                }
                _ => {
                    let why = format!("is of type `{kind}`, for which chat has no place");
                    self.left.unless_dropped(&at, &why)?;
                    continue;
                }
            }
            self.block_end(block, path)?;
        }
        Ok(())
    }

    /// Reasoning goes back to where it is from, and nowhere else.
    fn thought(&mut self, path: &str, text: Option<&str>, sealed: &str) {
        let found = restored(sealed, self.model);
        match found.or_else(|| claudes_own(text, sealed, self.model)) {
            Some(restored) => {
                let text = text.unwrap_or_default();
                self.turns.assistant().reasoning(text, restored);
            }
            None => self.left.hint(format!("{}[].thinking", any(path))),
        }
    }

    /// The end of any block: where the prompt may be cached is a hint, by one name for all blocks,
    /// since clients put it on many.
    fn block_end(&mut self, mut block: Fields, path: &str) -> Result<(), Refusal> {
        if block.take("cache_control").is_some() {
            self.left.hint(format!("{}[].cache_control", any(path)));
        }
        block.finish(self.left)
    }
}

/// A source of an image or a document.
enum Source {
    /// A data URL, or another one.
    Url(String),
    Text(String),
}

/// A path without the places in lists: `messages[].content` of `messages[3].content`.
fn any(path: &str) -> String {
    let digits = |character: char| character.is_ascii_digit();
    path.replace(digits, "")
}

/// The blocks of a content and where they stand; a text is one block.
fn blocks(path: &str, content: Value) -> Result<Vec<(String, Value)>, Refusal> {
    match content {
        Value::String(text) => Ok(vec![(
            path.to_owned(),
            json!({"type": "text", "text": text}),
        )]),
        Value::Array(list) => Ok(list
            .into_iter()
            .enumerate()
            .map(|(index, block)| (format!("{path}[{index}]"), block))
            .collect()),
        other => Err(wrong(path, "a string or a list of blocks", &other)),
    }
}
