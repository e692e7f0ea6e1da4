//! Says the parts of a message's content as blocks.

use serde_json::{Value, json};

use super::super::chat_request::{Source, file, image};
use crate::wire::translation::fields::{Fields, Left, refusal, wrong};
use crate::wire::translation::shape::Refusal;

/// The blocks of a content that stands at `path`: text, or a list of parts. Empty text is none:
/// the provider refuses it, and it says nothing.
pub(super) fn blocks(
    path: &str,
    content: Option<Value>,
    left: &mut Left,
) -> Result<Vec<Value>, Refusal> {
    match content {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text_block(text).into_iter().collect()),
        Some(Value::Array(parts)) => {
            let mut blocks = Vec::with_capacity(parts.len());
            for (index, part) in parts.into_iter().enumerate() {
                let path = format!("{path}[{index}]");
                blocks.extend(block(&path, part, left)?);
            }
            Ok(blocks)
        }
        Some(other) => Err(wrong(path, "a string or an array of parts", &other)),
    }
}

/// A block of text; none where there is no text.
pub(super) fn text_block(text: String) -> Option<Value> {
    (!text.is_empty()).then(|| json!({"type": "text", "text": text}))
}

fn block(path: &str, part: Value, left: &mut Left) -> Result<Option<Value>, Refusal> {
    let mut part = Fields::of(path, part)?;
    let kind = part.needed_text("type")?;
    let mut block = match kind.as_str() {
        "text" => text_block(part.needed_text("text")?),
        "refusal" => text_block(part.needed_text("refusal")?),
        "image_url" => Some(picture(&mut part, left)?),
        "file" => Some(document(&mut part, left)?),
        _ => {
            left.no_place(path)?;
            return Ok(None);
        }
    };
    // Anthropic's own, which clients that know it put beside OpenAI's.
    let mark = part.take("cache_control");
    if let (Some(Value::Object(block)), Some(mark)) = (&mut block, mark) {
        block.insert("cache_control".to_owned(), mark);
    }
    part.finish(left)?;
    Ok(block)
}

fn picture(part: &mut Fields, left: &mut Left) -> Result<Value, Refusal> {
    let path = part.at("image_url");
    let source = match image(part, left)? {
        Source::Data(data) => base64(&data.mime, data.base64),
        Source::Url(url) if url.starts_with("https://") => json!({"type": "url", "url": url}),
        Source::Url(_) => {
            let why = "must be an https: URL, or a data: URL in base64";
            return Err(refusal(&format!("{path}.url"), why));
        }
    };
    Ok(json!({"type": "image", "source": source}))
}

fn document(part: &mut Fields, left: &mut Left) -> Result<Value, Refusal> {
    let path = part.at("file.file_data");
    let (name, data) = file(part, left)?;
    if data.mime != PDF {
        let why = format!(
            "is {}; a document must be {PDF}, text goes as text",
            data.mime
        );
        return Err(refusal(&path, &why));
    }
    let mut block = json!({"type": "document", "source": base64(PDF, data.base64)});
    if !name.is_empty() {
        block["title"] = name.into();
    }
    Ok(block)
}

/// The type of document that Anthropic takes as bytes.
const PDF: &str = "application/pdf";

fn base64(media: &str, data: String) -> Value {
    json!({"type": "base64", "media_type": media, "data": data})
}
