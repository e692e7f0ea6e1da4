//! Says messages as Converse's messages of content blocks.

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::chat_request::{Data, Marked, Part, Source, Spoken, ToolResult, Turn};
use super::super::fields::{Left, refusal};
use super::super::shape::{Refusal, Terms};
use super::model::{Family, Reasoning, restored};

/// A message.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    role: &'static str,
    content: Vec<Block>,
}

/// A content block: an object with one member, named as what it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Block {
    Text(String),
    Image(Media),
    Audio(Media),
    Document(Media),
    ToolUse(Call),
    ToolResult(Outcome),
    ReasoningContent(Reasoning),
}

#[derive(Debug, Serialize)]
struct Media {
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    source: Place,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Place {
    /// In base 64.
    Bytes(String),
    S3Location {
        uri: String,
    },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    tool_use_id: String,
    name: String,
    input: Box<RawValue>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    tool_use_id: String,
    content: Vec<Block>,
}

/// Every turn as a message. Roles alternate; the results of calls come first in the user's.
pub(super) fn messages(
    turns: Vec<Turn>,
    family: Family,
    terms: &Terms,
    left: &mut Left,
) -> Result<Vec<Message>, Refusal> {
    let mut messages: Vec<Message> = Vec::with_capacity(turns.len());
    let mut names = Names::default();
    for turn in turns {
        let (role, content) = match turn {
            Turn::User(parts) => ("user", blocks(parts, terms, &mut names)?),
            Turn::Assistant(spoken) => ("assistant", spoken_blocks(spoken, family, left)),
            Turn::Results(results) => {
                let results = results.into_iter();
                let outcomes = results.map(|result| outcome(result, terms, &mut names));
                ("user", outcomes.collect::<Result<_, _>>()?)
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

/// Whether what is to be gone on with did not begin with reasoning: the answer's beginning, or one
/// whose calls have their results now.
pub(super) fn is_unthought(messages: &[Message]) -> bool {
    let mut back = messages.iter().rev();
    let spoken = match back.next() {
        Some(last) if last.role == "assistant" => Some(last),
        Some(last) if matches!(last.content.first(), Some(Block::ToolResult(_))) => back.next(),
        _ => None,
    };
    let first = spoken.and_then(|spoken| spoken.content.first());
    first.is_some_and(|block| !matches!(block, Block::ReasoningContent(_)))
}

fn blocks(
    parts: Vec<Marked<Part>>,
    terms: &Terms,
    names: &mut Names,
) -> Result<Vec<Block>, Refusal> {
    let parts = parts.into_iter();
    parts.map(|part| block(part.said, terms, names)).collect()
}

fn block(part: Part, terms: &Terms, names: &mut Names) -> Result<Block, Refusal> {
    match part {
        Part::Text(text) => Ok(Block::Text(text)),
        Part::Image { at, source } => image(&at, source, terms),
        Part::Audio { at, format, data } => {
            let found = AUDIO.iter().find(|known| **known == format);
            let format = found.ok_or_else(|| {
                let why = format!("is `{format}`, none of {}", AUDIO.join(", "));
                refusal(&format!("{at}.input_audio.format"), &why)
            })?;
            Ok(Block::Audio(Media {
                format,
                name: None,
                source: Place::Bytes(data),
            }))
        }
        Part::File { at, name, data } => document(&at, &name, data, names),
    }
}

/// `AudioFormat`.
const AUDIO: &[&str] = &[
    "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "m4a", "mpeg", "mpga", "pcm",
    "webm",
];

fn image(at: &str, source: Source, terms: &Terms) -> Result<Block, Refusal> {
    let (format, source) = match source {
        Source::Data(data) => {
            let format = match data.mime.as_str() {
                "image/png" => "png",
                "image/jpeg" => "jpeg",
                "image/gif" => "gif",
                "image/webp" => "webp",
                other => {
                    let why = format!("is `{other}`; Bedrock takes png, jpeg, gif and webp");
                    return Err(refusal(&format!("{at}.image_url.url"), &why));
                }
            };
            (format, Place::Bytes(data.base64))
        }
        Source::Url(uri) => {
            let ending = uri
                .rsplit('.')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            let format = match ending.as_str() {
                "png" => Some("png"),
                "jpg" | "jpeg" => Some("jpeg"),
                "gif" => Some("gif"),
                "webp" => Some("webp"),
                _ => None,
            };
            match format.filter(|_| terms.pass_urls && uri.starts_with("s3://")) {
                Some(format) => (format, Place::S3Location { uri }),
                None => return Err(unfetched(at)),
            }
        }
    };
    Ok(Block::Image(Media {
        format,
        name: None,
        source,
    }))
}

fn unfetched(at: &str) -> Refusal {
    let why = "is an address, which nobody fetches on the way, and Bedrock reads only its own \
               (`s3://….png`, where `pass_urls = true` is set on the provider); send the image \
               as a `data:` URL";
    refusal(&format!("{at}.image_url.url"), why)
}

fn document(at: &str, name: &str, data: Data, names: &mut Names) -> Result<Block, Refusal> {
    let found = DOCUMENTS.iter().find(|(mime, _)| *mime == data.mime);
    let Some((_, format)) = found else {
        let why = format!(
            "is `{}`; Bedrock takes pdf, csv, doc, docx, xls, xlsx, html, txt and md",
            data.mime
        );
        return Err(refusal(&format!("{at}.file.file_data"), &why));
    };
    Ok(Block::Document(Media {
        format,
        name: Some(names.give(name)),
        source: Place::Bytes(data.base64),
    }))
}

/// Media types of documents, and `DocumentFormat`.
const DOCUMENTS: &[(&str, &str)] = &[
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "docx",
    ),
    ("application/vnd.ms-excel", "xls"),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx",
    ),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
];

/// The names of documents so far: each is another.
#[derive(Debug, Default)]
struct Names(Vec<String>);

impl Names {
    /// A name of at most 200 letters, digits, hyphens, parentheses, brackets and single spaces, as
    /// Bedrock wants it, without the ending of the file's.
    fn give(&mut self, file: &str) -> String {
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let mut name = String::new();
        for next in stem.chars().take(180) {
            match next {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '(' | ')' | '[' | ']' => name.push(next),
                ' ' | '_' if !name.ends_with(' ') => name.push(' '),
                ' ' | '_' => {}
                _ => name.push('-'),
            }
        }
        let name = match name.trim() {
            "" => "document",
            name => name,
        };
        let same = self.0.iter().filter(|given| *given == name).count();
        self.0.push(name.to_owned());
        if same == 0 {
            name.to_owned()
        } else {
            format!("{name} ({})", same + 1)
        }
    }
}

/// What the model said, in the order in which it says things: reasoning, text, calls.
fn spoken_blocks(spoken: Spoken, family: Family, left: &mut Left) -> Vec<Block> {
    let reasoning = restored(&spoken, family, left).into_iter();
    let mut blocks: Vec<Block> = reasoning.map(Block::ReasoningContent).collect();
    // Models put blank texts before calls, and Bedrock takes none back.
    let texts = spoken.texts.into_iter().map(|text| text.said);
    let texts = texts.filter(|text| !text.trim().is_empty());
    blocks.extend(texts.map(Block::Text));
    blocks.extend(spoken.calls.into_iter().map(|call| {
        Block::ToolUse(Call {
            tool_use_id: call.id,
            name: call.name,
            input: call.arguments,
        })
    }));
    if blocks.is_empty() {
        left.hint(spoken.at);
    }
    blocks
}

/// Bedrock takes no empty texts; a result without any is one without content. Texts are one: some
/// models take no more.
fn outcome(result: ToolResult, terms: &Terms, names: &mut Names) -> Result<Block, Refusal> {
    let mut text = String::new();
    let mut others = Vec::new();
    for part in result.parts {
        match part.said {
            Part::Text(said) => text.push_str(&said),
            other => others.push(block(other, terms, names)?),
        }
    }
    let text = Some(text).filter(|text| !text.trim().is_empty());
    let mut content: Vec<Block> = text.map(Block::Text).into_iter().collect();
    content.extend(others);
    Ok(Block::ToolResult(Outcome {
        tool_use_id: result.id,
        content,
    }))
}
