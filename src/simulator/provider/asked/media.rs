//! Finds the images, documents and sounds in a request of any language.

use serde_json::Value;

use super::super::base64;

/// Something in a prompt that is no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Medium {
    /// What it is said to be: `image/png`, or the kind where no type is told.
    pub(in super::super) media_type: String,
    /// Its bytes, where they came along.
    pub(in super::super) bytes: Option<usize>,
}

impl Medium {
    /// How an answer tells that it was seen.
    pub(in super::super) fn told(&self) -> String {
        match self.bytes {
            Some(bytes) => format!(" [{} of {bytes} bytes]", self.media_type),
            None => format!(" [{} by URL]", self.media_type),
        }
    }
}

/// Nesting at which looking ends.
const DEPTH_MAX: usize = 24;

/// All media of a request, in their order.
pub(in super::super) fn media_of(body: &Value) -> Vec<Medium> {
    let mut found = Vec::new();
    for name in ["messages", "contents", "input", "system"] {
        if let Some(value) = body.get(name) {
            look(value, 0, &mut found);
        }
    }
    found
}

fn look(value: &Value, depth: usize, found: &mut Vec<Medium>) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Array(items) => {
            for item in items {
                look(item, depth + 1, found);
            }
        }
        Value::Object(fields) => match medium(value) {
            Some(medium) => found.push(medium),
            None => {
                for (_, inner) in fields {
                    look(inner, depth + 1, found);
                }
            }
        },
        _ => {}
    }
}

/// What a part of any language holds, if it is no text.
fn medium(part: &Value) -> Option<Medium> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let sized = |media_type: String, data: &Value| Medium {
        media_type,
        bytes: data
            .as_str()
            .and_then(base64::decode)
            .map(|bytes| bytes.len()),
    };
    match part.get("type").and_then(Value::as_str) {
        Some("image_url") => return by_url("image", part.pointer("/image_url/url")?),
        Some("input_image") => return by_url("image", part.get("image_url")?),
        Some("input_audio") => {
            let format = part.pointer("/input_audio/format").and_then(text)?;
            return Some(sized(
                format!("audio/{format}"),
                part.pointer("/input_audio/data")?,
            ));
        }
        Some("file") => return by_url("file", part.pointer("/file/file_data")?),
        Some("input_file") => return by_url("file", part.get("file_data")?),
        Some(kind @ ("image" | "document")) => {
            let source = part.get("source")?;
            return Some(match source.get("media_type").and_then(text) {
                Some(media_type) if source["type"] == "text" => Medium {
                    media_type,
                    bytes: source["data"].as_str().map(str::len),
                },
                Some(media_type) => sized(media_type, &source["data"]),
                None => Medium {
                    media_type: kind.to_owned(),
                    bytes: None,
                },
            });
        }
        _ => {}
    }
    for name in ["inlineData", "inline_data"] {
        if let Some(blob) = part.get(name) {
            let media_type = blob.get("mimeType").or_else(|| blob.get("mime_type"));
            return Some(sized(media_type.and_then(text)?, blob.get("data")?));
        }
    }
    for name in ["fileData", "file_data"] {
        if let Some(file) = part.get(name) {
            let media_type = file.get("mimeType").or_else(|| file.get("mime_type"));
            return Some(Medium {
                media_type: media_type
                    .and_then(text)
                    .unwrap_or_else(|| "file".to_owned()),
                bytes: None,
            });
        }
    }
    for kind in ["image", "document", "audio", "video"] {
        let Some(inner) = part.get(kind).filter(|inner| inner.get("source").is_some()) else {
            continue;
        };
        let format = inner.get("format").and_then(text).unwrap_or_default();
        let media_type = match (kind, format.as_str()) {
            ("document", "pdf") => "application/pdf".to_owned(),
            ("document", "txt") => "text/plain".to_owned(),
            _ => format!("{kind}/{format}"),
        };
        return Some(sized(media_type, &inner["source"]["bytes"]));
    }
    None
}

/// A data URL, or one that points elsewhere.
fn by_url(kind: &str, url: &Value) -> Option<Medium> {
    let url = url.as_str()?;
    let (media_type, bytes) = match url
        .strip_prefix("data:")
        .and_then(|url| url.split_once(','))
    {
        Some((head, data)) => {
            let media_type = head.split(';').next().unwrap_or(kind);
            (media_type, base64::decode(data).map(|bytes| bytes.len()))
        }
        None => (kind, None),
    };
    Some(Medium {
        media_type: media_type.to_owned(),
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn media_are_found_in_each_language() {
        let png = "iVBORw0KGgo=";
        let chat = json!({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "data:"},
            {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{png}")}},
        ]}]});
        let responses = json!({"input": [{"role": "user", "content": [
            {"type": "input_image", "image_url": format!("data:image/png;base64,{png}")},
        ]}]});
        let messages = json!({"messages": [{"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png}},
        ]}]});
        let gemini = json!({"contents": [{"parts": [
            {"inlineData": {"mimeType": "image/png", "data": png}},
        ]}]});
        let converse = json!({"messages": [{"role": "user", "content": [
            {"image": {"format": "png", "source": {"bytes": png}}},
        ]}]});
        for body in [chat, responses, messages, gemini, converse] {
            let told: Vec<String> = media_of(&body).iter().map(Medium::told).collect();
            assert_eq!(told, [" [image/png of 8 bytes]"], "{body}");
        }
        let far = json!({"messages": [{"content": [
            {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}},
        ]}]});
        assert_eq!(media_of(&far)[0].told(), " [image by URL]");
    }
}
