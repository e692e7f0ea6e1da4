//! Says the parts of a message's content as blocks.

use serde_json::{Value, json};

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
        "image_url" => Some(image(&mut part, left)?),
        "file" => document(&mut part, left)?,
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

fn image(part: &mut Fields, left: &mut Left) -> Result<Value, Refusal> {
    let path = part.at("image_url");
    let url = match part.take("image_url") {
        Some(Value::String(url)) => url,
        other => {
            let mut image = Fields::of(&path, other.unwrap_or_default())?;
            let url = image.needed_text("url")?;
            image.skip_if("detail", |detail| detail == "auto");
            image.hints(&["detail"], left);
            image.finish(left)?;
            url
        }
    };
    let source = match data_url(&url) {
        Some((media, data)) => json!({"type": "base64", "media_type": media, "data": data}),
        None if url.starts_with("https://") => json!({"type": "url", "url": url}),
        None => {
            let why = "must be an https: URL, or a data: URL in base64";
            return Err(refusal(&format!("{path}.url"), why));
        }
    };
    Ok(json!({"type": "image", "source": source}))
}

fn document(part: &mut Fields, left: &mut Left) -> Result<Option<Value>, Refusal> {
    let Some(mut file) = part.object("file")? else {
        return Err(refusal(&part.at("file"), "is missing"));
    };
    let name = file.text("filename")?;
    if file.take("file_id").is_some() {
        // A file of OpenAI's store is none of Anthropic's.
        left.no_place(file.at("file_id"))?;
    }
    let path = file.at("file_data");
    let data = file.text("file_data")?;
    file.finish(left)?;
    let Some(data) = data else { return Ok(None) };
    let (media, data) = data_url(&data).unwrap_or(("application/pdf", &data));
    if media != "application/pdf" {
        let why = format!("is {media}; a document must be application/pdf, text goes as text");
        return Err(refusal(&path, &why));
    }
    let source = json!({"type": "base64", "media_type": media, "data": data});
    let mut block = json!({"type": "document", "source": source});
    if let Some(name) = name {
        block["title"] = name.into();
    }
    Ok(Some(block))
}

/// Media type and base64 of a `data:` URL.
fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let head = head.strip_suffix(";base64")?;
    let media = head.split(';').next()?;
    Some((media, data))
}
