//! Says turns as messages of blocks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::chat_request::{Data, Marked, Part, Source, Spoken, Thought, ToolResult, Turn};
use super::super::fields::{Left, refusal};
use super::super::reasoning::CLAUDE;
use super::super::shape::Refusal;

/// A message: what one side said before the other one spoke.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    role: &'static str,
    content: Vec<Block>,
}

/// A block; what is absent is of another type of block.
#[derive(Debug, Default, Serialize)]
pub(super) struct Block {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_use_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<Value>,
}

/// What a tool gave back.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

/// Every turn as a message. Roles alternate; the results of calls come first in the user's.
pub(super) fn messages(turns: Vec<Turn>, left: &mut Left) -> Result<Vec<Message>, Refusal> {
    let mut messages: Vec<Message> = Vec::with_capacity(turns.len());
    for turn in turns {
        let (role, content) = match turn {
            Turn::User(parts) => ("user", blocks(parts, left)?),
            Turn::Assistant(spoken) => ("assistant", spoken_blocks(spoken, left)),
            Turn::Results(results) => {
                let results = results.into_iter();
                let results = results.map(|result| outcome(result, left));
                ("user", results.collect::<Result<_, _>>()?)
            }
        };
        match messages.last_mut() {
            Some(last) if last.role == role => last.content.extend(content),
            _ if content.is_empty() => {}
            _ => messages.push(Message { role, content }),
        }
    }
    Ok(messages)
}

/// Whether what is to be gone on with did not begin with thoughts: the answer's beginning, or one
/// whose calls have their results now. Claudes with a budget go on thinking only in what they
/// thought about.
pub(super) fn is_unthought(messages: &[Message]) -> bool {
    let kind = |message: &Message| message.content.first().map(|block| block.kind);
    let mut back = messages.iter().rev();
    let spoken = match back.next() {
        Some(last) if last.role == "assistant" => Some(last),
        Some(last) if kind(last) == Some("tool_result") => back.next(),
        _ => None,
    };
    spoken
        .and_then(kind)
        .is_some_and(|kind| !kind.ends_with("thinking"))
}

/// The instructions: one plain text is text, several are blocks.
pub(super) fn system(mut texts: Vec<Marked<String>>) -> Option<Value> {
    if let [only] = texts.as_mut_slice()
        && only.mark.is_none()
    {
        return Some(std::mem::take(&mut only.said).into());
    }
    let blocks = texts.into_iter().map(|text| {
        let mut block = json!({"type": "text", "text": text.said});
        if let Some(mark) = text.mark {
            block["cache_control"] = mark;
        }
        block
    });
    let blocks: Vec<Value> = blocks.collect();
    (!blocks.is_empty()).then(|| blocks.into())
}

fn text(said: Marked<String>) -> Block {
    Block {
        kind: "text",
        text: Some(said.said),
        cache_control: said.mark,
        ..Block::default()
    }
}

fn blocks(parts: Vec<Marked<Part>>, left: &mut Left) -> Result<Vec<Block>, Refusal> {
    let mut blocks = Vec::with_capacity(parts.len());
    for Marked { said, mark } in parts {
        let block = match said {
            Part::Text(said) => text(Marked { said, mark: None }),
            Part::Image { at, source } => picture(&at, source)?,
            Part::File { at, name, data } => document(&at, name, data)?,
            Part::Audio { at, .. } => {
                left.no_place(at)?;
                continue;
            }
        };
        blocks.push(Block {
            cache_control: mark,
            ..block
        });
    }
    Ok(blocks)
}

fn picture(at: &str, source: Source) -> Result<Block, Refusal> {
    let source = match source {
        Source::Data(data) => base64(&data.mime, data.base64),
        Source::Url(url) if url.starts_with("https://") => json!({"type": "url", "url": url}),
        Source::Url(_) => {
            let why = "must be an https: URL, or a data: URL in base64";
            return Err(refusal(&format!("{at}.image_url.url"), why));
        }
    };
    Ok(Block {
        kind: "image",
        source: Some(source),
        ..Block::default()
    })
}

fn document(at: &str, name: String, data: Data) -> Result<Block, Refusal> {
    let place = format!("{at}.file.file_data");
    let source = if data.mime == PDF {
        base64(PDF, data.base64)
    } else if data.mime.starts_with("text/") {
        let bytes = STANDARD.decode(&data.base64).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let why = "is no text in UTF-8 and base64";
        let text = text.ok_or_else(|| refusal(&place, why))?;
        json!({"type": "text", "media_type": "text/plain", "data": text})
    } else {
        let why = format!("is {}; a document must be {PDF} or text", data.mime);
        return Err(refusal(&place, &why));
    };
    Ok(Block {
        kind: "document",
        source: Some(source),
        title: Some(name).filter(|name| !name.is_empty()),
        ..Block::default()
    })
}

/// The type of document that Anthropic takes as bytes.
const PDF: &str = "application/pdf";

fn base64(media: &str, data: String) -> Value {
    json!({"type": "base64", "media_type": media, "data": data})
}

/// What the model said, in the order in which it says things: thinking, text, calls.
fn spoken_blocks(spoken: Spoken, left: &mut Left) -> Vec<Block> {
    let thoughts = spoken.thoughts(CLAUDE, left).into_iter();
    let mut blocks: Vec<Block> = thoughts.map(thought).collect();
    blocks.extend(spoken.texts.into_iter().map(text));
    blocks.extend(spoken.calls.into_iter().map(|call| Block {
        kind: "tool_use",
        id: Some(fit(&call.id)),
        name: Some(call.name),
        input: Some(call.arguments),
        ..Block::default()
    }));
    blocks
}

fn thought(thought: Thought) -> Block {
    match thought {
        Thought::Signed { text, signature } => Block {
            kind: "thinking",
            thinking: Some(text),
            signature: Some(signature),
            ..Block::default()
        },
        Thought::Redacted(data) => Block {
            kind: "redacted_thinking",
            data: Some(data),
            ..Block::default()
        },
    }
}

/// What a tool gave back: text alone is said as such, and nothing as nothing.
fn outcome(result: ToolResult, left: &mut Left) -> Result<Block, Refusal> {
    let mut blocks = blocks(result.parts, left)?;
    let content = match blocks.as_mut_slice() {
        [] => None,
        [only] if only.kind == "text" && only.cache_control.is_none() => {
            only.text.take().map(Content::Text)
        }
        _ => Some(Content::Blocks(blocks)),
    };
    Ok(Block {
        kind: "tool_result",
        tool_use_id: Some(fit(&result.id)),
        content,
        ..Block::default()
    })
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
