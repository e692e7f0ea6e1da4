//! Reads the content of a message: its texts, images, sounds and files.

use serde_json::Value;

use super::super::fields::{Fields, Left, missing, refusal, wrong};
use super::super::shape::Refusal;

/// A piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// Text that is not empty.
    Text(String),
    /// An image.
    Image {
        /// Where it stands in the request.
        at: String,
        /// Its bytes, or their address.
        source: Source,
    },
    /// A sound.
    Audio {
        /// Where it stands in the request.
        at: String,
        /// Its format, in OpenAI's words: `wav`, `mp3`.
        format: String,
        /// Its bytes in base 64.
        data: String,
    },
    /// A document.
    File {
        /// Where it stands in the request.
        at: String,
        /// Its name; empty where it has none.
        name: String,
        /// Its bytes.
        data: Data,
    },
}

/// What a message says, and Anthropic's mark that the prompt may be cached up to here, which
/// clients that know it put beside OpenAI's fields.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Marked<T> {
    /// What is said.
    pub(crate) said: T,
    /// The mark, as it stands.
    pub(crate) mark: Option<Value>,
}

/// Where the bytes of an image are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// In the request.
    Data(Data),
    /// At an address of the web, which nobody here looks at.
    Url(String),
}

/// Bytes within a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Data {
    /// Their media type, in lower case and without parameters.
    pub(crate) mime: String,
    /// The bytes in base 64, as the client wrote them.
    pub(crate) base64: String,
}

/// Reads a content: a string, or an array of parts. Empty texts say nothing, so they are none.
/// Unless the provider knows `marks`, they are left out, and said: they are of no effect on the
/// answer.
pub(super) fn parts(
    at: &str,
    content: Value,
    marks: bool,
    left: &mut Left,
) -> Result<Vec<Marked<Part>>, Refusal> {
    let list = match content {
        Value::String(text) => {
            let text = text_part(text).map(|said| Marked { said, mark: None });
            return Ok(text.into_iter().collect());
        }
        Value::Array(list) => list,
        other => return Err(wrong(at, "a string or an array of parts", &other)),
    };
    let mut parts = Vec::with_capacity(list.len());
    for (index, value) in list.into_iter().enumerate() {
        let at = format!("{at}[{index}]");
        let mut fields = Fields::of(&at, value)?;
        let mark = fields.look("cache_control").filter(|_| marks).cloned();
        if marks {
            fields.take("cache_control");
        }
        fields.hints(&["cache_control"], left);
        let said = part(&at, fields, left)?;
        parts.extend(said.map(|said| Marked { said, mark }));
    }
    Ok(parts)
}

/// The texts of a content that can only be text.
pub(super) fn texts(parts: Vec<Marked<Part>>) -> Result<Vec<Marked<String>>, Refusal> {
    let texts = parts.into_iter().map(|part| match part.said {
        Part::Text(said) => Ok(Marked {
            said,
            mark: part.mark,
        }),
        Part::Image { at, .. } | Part::Audio { at, .. } | Part::File { at, .. } => {
            let why = "cannot stand here: the provider takes nothing but text in it";
            Err(refusal(&at, why))
        }
    });
    texts.collect()
}

fn text_part(text: String) -> Option<Part> {
    (!text.is_empty()).then_some(Part::Text(text))
}

fn part(at: &str, mut part: Fields, left: &mut Left) -> Result<Option<Part>, Refusal> {
    let kind = part.needed_text("type")?;
    let read = match kind.as_str() {
        "text" => text_part(part.needed_text("text")?),
        // What a model said instead of an answer is still what it said.
        "refusal" => text_part(part.needed_text("refusal")?),
        "image_url" => Some(Part::Image {
            at: at.to_owned(),
            source: image(&mut part, left)?,
        }),
        "input_audio" => Some(audio(at, &mut part, left)?),
        "file" => {
            let (name, data) = file(&mut part, left)?;
            let at = at.to_owned();
            Some(Part::File { at, name, data })
        }
        _ => {
            let why = format!("is of the type `{kind}`, which cannot be said to this provider");
            left.unless_dropped(at, &why)?;
            return Ok(None);
        }
    };
    part.finish(left)?;
    Ok(read)
}

fn needed(part: &mut Fields, key: &str) -> Result<Fields, Refusal> {
    let found = part.object(key)?;
    found.ok_or_else(|| missing(&part.at(key)))
}

/// Takes the image of a part: `image_url`, an object or, from some clients, the address itself.
fn image(part: &mut Fields, left: &mut Left) -> Result<Source, Refusal> {
    let at = part.at("image_url");
    let place = format!("{at}.url");
    let url = match part.take("image_url") {
        None => return Err(missing(&at)),
        Some(Value::String(url)) => url,
        Some(other) => {
            let mut image = Fields::of(&at, other)?;
            // How finely an image is looked at is a matter of price; no two providers have equal
            // steps.
            image.skip_if("detail", |detail| detail == "auto");
            image.hints(&["detail"], left);
            let url = image.needed_text("url")?;
            image.finish(left)?;
            url
        }
    };
    let scheme = url.split(':').next().unwrap_or_default();
    if scheme.eq_ignore_ascii_case("data") {
        let mut data = data_url(&place, url)?;
        // The commonest way to misspell a type, which OpenAI takes and Anthropic does not.
        if data.mime == "image/jpg" {
            "image/jpeg".clone_into(&mut data.mime);
        }
        Ok(Source::Data(data))
    } else if ["http", "https", "gs", "s3"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        Ok(Source::Url(url))
    } else {
        Err(refusal(&place, "is no address: send a `data:` URL"))
    }
}

fn audio(at: &str, part: &mut Fields, left: &mut Left) -> Result<Part, Refusal> {
    let mut audio = needed(part, "input_audio")?;
    let (data, format) = (audio.needed_text("data")?, audio.needed_text("format")?);
    if data.is_empty() {
        return Err(refusal(&audio.at("data"), "is empty"));
    }
    let format = format.to_ascii_lowercase();
    if format.is_empty() || !format.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(refusal(
            &audio.at("format"),
            "is no format: send `wav` or `mp3`",
        ));
    }
    audio.finish(left)?;
    let at = at.to_owned();
    Ok(Part::Audio { at, format, data })
}

/// Takes the document of a part: its name, empty where it has none, and its bytes.
fn file(part: &mut Fields, left: &mut Left) -> Result<(String, Data), Refusal> {
    let mut file = needed(part, "file")?;
    if file.take("file_id").is_some() {
        let why = "names a file kept at OpenAI, which no other provider has; send `file_data`";
        return Err(refusal(&file.at("file_id"), why));
    }
    let name = file.text("filename")?.unwrap_or_default();
    let content = file.needed_text("file_data")?;
    let place = file.at("file_data");
    file.finish(left)?;
    let data = if content
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("data:"))
    {
        data_url(&place, content)?
    } else if let Some(mime) = mime_of(&name) {
        let mime = mime.to_owned();
        Data {
            mime,
            base64: content,
        }
    } else {
        let why = "does not say of what type it is: send a `data:` URL, or a `filename` with a \
                   known ending";
        return Err(refusal(&place, why));
    };
    Ok((name, data))
}

/// Reads a `data:` URL (RFC 2397) in base 64.
fn data_url(at: &str, mut url: String) -> Result<Data, Refusal> {
    let not_base64 = || {
        refusal(
            at,
            "is no `data:` URL in base 64 (`data:image/png;base64,…`)",
        )
    };
    let comma = url.find(',').ok_or_else(not_base64)?;
    let base64 = url.split_off(comma + 1);
    let head = url.get(5..comma).unwrap_or_default();
    let mut fields = head.split(';').map(str::trim);
    let mime = fields.next().unwrap_or_default().to_ascii_lowercase();
    if !fields.any(|field| field.eq_ignore_ascii_case("base64")) || base64.is_empty() {
        return Err(not_base64());
    }
    if !mime.contains('/') {
        return Err(refusal(
            at,
            "does not say of what type it is (`data:image/png;base64,…`)",
        ));
    }
    Ok(Data { mime, base64 })
}

/// The media type of a file by the ending of its name.
fn mime_of(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    let ending = ending.to_ascii_lowercase();
    let found = ENDINGS.iter().find(|(known, _)| *known == ending);
    found.map(|(_, mime)| *mime)
}

/// Endings of file names, and the media types that they stand for (IANA's register).
const ENDINGS: &[(&str, &str)] = &[
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("xls", "application/vnd.ms-excel"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
];
