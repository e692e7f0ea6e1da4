//! Reads the top level of a request's body: the model, the stream options, and where they stand.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::{Deserialize as _, IgnoredAny};

use super::depth::too_deep_at;
use super::fault::RequestFault;
use crate::record::RequestFacts;
use crate::wire::dialect::identify::decoded;
use crate::wire::dialect::json::{Lenient, Members, NotJson, RawJson, read, read_within};
use crate::wire::dialect::lenient::Text;

/// What routing needs to know of a request's body, and where to edit it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestReading {
    /// The model asked for.
    pub model: Option<String>,
    /// The bytes of the model's JSON string, quotes included.
    pub model_span: Option<Range<usize>>,
    /// The bytes of the value of `anthropic_version`, which Claude at the clouds has in the body.
    pub version_span: Option<Range<usize>>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Whether the body itself says so, or that none is: paths may say it instead.
    pub names_stream: bool,
    /// The client's own `stream_options.include_usage`; `None` leaves the choice to us.
    pub include_usage: Option<bool>,
    /// What is known before routing, but for hashes, `usage_injected` and `model_replaced`.
    pub facts: RequestFacts,
    /// The body's `prompt_cache_key`.
    pub prompt_cache_key: Option<String>,
    /// The body's `metadata.user_id`.
    pub metadata_user_id: Option<String>,
    /// The bytes of the system messages and of the first user message, in the body's order:
    /// text only where a message is a list of parts, so that cache marks do not matter.
    pub prefix: Vec<Range<usize>>,
    /// The bytes of the tools, and of the system messages before the first user message, in the
    /// order in which providers put them before the model: what their caches hold between calls.
    pub fixed: Vec<Range<usize>>,
    /// The bytes of the first user message, as in `prefix`.
    pub opening: Vec<Range<usize>>,
    /// User messages; tool results sent in their name are none.
    pub turn: u32,
    /// The request refers to state that only one provider account holds (`previous_response_id`,
    /// `conversation`, `background`): it must not fail over.
    pub bound_to_account: bool,
    /// The answer that it goes on from (`previous_response_id`).
    pub previous_response_id: Option<String>,
    /// It asks for its answer to be kept (`store: true`).
    pub stores: bool,
    /// Offset just after the opening brace.
    pub(super) inside: usize,
    /// Whether the object has no members.
    pub(super) no_members: bool,
    /// What stands where `include_usage` would go.
    pub(super) usage_place: UsagePlace,
}

/// Where `stream_options.include_usage` would be written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum UsagePlace {
    /// There are no `stream_options`.
    #[default]
    NoOptions,
    /// `stream_options` is null, at these bytes.
    NullOptions(Range<usize>),
    /// `stream_options` is an object without the key; the offset is just after its brace.
    Options { inside: usize, no_members: bool },
    /// The key is there and null, at these bytes.
    NullUsage(Range<usize>),
    /// The client has decided.
    Decided,
}

macro_rules! top_level {
    ($($field:ident)*) => {
        /// The top-level values of a body, unread.
        #[derive(Debug, Default)]
        #[expect(non_snake_case, reason = "the fields are the keys, as each language writes them")]
        pub(super) struct Top<'a> {
            $(pub(super) $field: Option<RawJson<'a>>,)*
            pub(super) repeated: Option<&'static str>,
            pub(super) no_members: bool,
        }

        impl<'a> Top<'a> {
            fn place(&mut self, key: &str) -> Option<(&'static str, &mut Option<RawJson<'a>>)> {
                match key {
                    $(stringify!($field) => Some((stringify!($field), &mut self.$field)),)*
                    _ => None,
                }
            }
        }
    };
}

top_level! {
    model stream stream_options anthropic_version
    messages input prompt system instructions
    max_tokens max_completion_tokens max_output_tokens n
    tools functions reasoning_effort reasoning thinking output_config response_format text
    background prompt_cache_key metadata previous_response_id conversation store
    contents content requests systemInstruction system_instruction generationConfig
    generation_config cachedContent cached_content
    inferenceConfig toolConfig outputConfig additionalModelRequestFields max_gen_len inputText
    options format think images
}

impl<'de> Lenient<'de> for Top<'de> {
    fn map(map: &mut Members<'_, 'de>) -> Result<Self, NotJson> {
        let mut top = Top {
            no_members: true,
            ..Top::default()
        };
        // Keys are compared decoded: `"mod\u0065l"` is `model` to the provider too.
        while let Some(key) = map.key()? {
            top.no_members = false;
            let mut repeated = None;
            match top.place(&key) {
                Some((name, place)) => {
                    if place.is_some() && DECISIVE.contains(&name) {
                        repeated = Some(name);
                    }
                    *place = Some(map.raw()?);
                }
                None => map.skip()?,
            }
            top.repeated = top.repeated.or(repeated);
        }
        Ok(top)
    }
}

/// Keys of which two copies are refused: we and the provider could take different ones.
const DECISIVE: [&str; 3] = ["model", "stream", "stream_options"];

/// Reads the top level of `body`, and what decides its route.
pub(super) fn read_top(
    body: &[u8],
    depth_max: usize,
) -> Result<(&str, Top<'_>, RequestReading), RequestFault> {
    let text = std::str::from_utf8(body).map_err(|error| RequestFault::NotUtf8 {
        at: error.valid_up_to(),
    })?;
    let start = opening_brace(body)?;
    let top = parse(text, depth_max)?;
    if let Some(key) = top.repeated {
        return Err(RequestFault::Repeated { key });
    }
    let mut reading = RequestReading {
        inside: start + 1,
        no_members: top.no_members,
        stream: read_stream(top.stream)?,
        names_stream: top.stream.is_some(),
        ..RequestReading::default()
    };
    if let Some(raw) = top.model {
        reading.model = Some(read_model(raw)?);
        reading.model_span = Some(span(text, raw.get()));
    }
    reading.version_span = top.anthropic_version.map(|raw| span(text, raw.get()));
    if let Some(raw) = top.stream_options {
        (reading.usage_place, reading.include_usage) = read_options(text, raw)?;
    }
    Ok((text, top, reading))
}

/// Offset of the brace that opens the object.
fn opening_brace(body: &[u8]) -> Result<usize, RequestFault> {
    let at = body
        .iter()
        .position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
        .ok_or(RequestFault::Empty)?;
    let found = match body[at] {
        b'{' => return Ok(at),
        b'[' => "an array",
        b'"' => "a string",
        b'-' | b'0'..=b'9' => "a number",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        _ => {
            let what = "expected `{`".to_owned();
            return Err(RequestFault::NotJson { at, what });
        }
    };
    Err(RequestFault::NotAnObject { found })
}

fn parse(text: &str, depth_max: usize) -> Result<Top<'_>, RequestFault> {
    read_within(text, depth_max).ok_or_else(|| match too_deep_at(text.as_bytes(), depth_max) {
        Some(at) => RequestFault::TooDeep { max: depth_max, at },
        None => fault_of(text),
    })
}

/// Why a text is no JSON object, in the words of a reader that is slower and explains itself.
fn fault_of(text: &str) -> RequestFault {
    let mut parser = serde_json::Deserializer::from_str(text);
    // Keys are decoded, as they are where they are read: one may hold half a character.
    if let Err(error) = BTreeMap::<String, Option<IgnoredAny>>::deserialize(&mut parser) {
        return RequestFault::NotJson {
            at: offset(text, &error),
            what: without_position(&error),
        };
    }
    match parser.end() {
        Err(error) => RequestFault::TrailingBytes {
            at: offset(text, &error),
        },
        Ok(()) => RequestFault::NotJson {
            at: 0,
            what: "not in the grammar of RFC 8259".to_owned(),
        },
    }
}

/// The byte at which the parser stopped; it tells lines and columns (in bytes, from 1) only.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let line_start = match error.line() {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', text.as_bytes())
            .nth(line - 2)
            .map_or(0, |newline| newline + 1),
    };
    (line_start + error.column().saturating_sub(1)).min(text.len())
}

/// The parser's message without its " at line 1 column 2".
fn without_position(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}

fn read_model(raw: RawJson<'_>) -> Result<String, RequestFault> {
    let model = read::<Text<'_>>(raw.get())
        .and_then(|text| text.0)
        .ok_or(RequestFault::ModelNotText)?;
    fit(model.into_owned())
}

/// The model that a segment of a path names, percent-encoded as it stands there.
pub fn path_model(segment: &str) -> Result<String, RequestFault> {
    let why = "is not percent-encoded UTF-8 in the path";
    fit(decoded(segment).ok_or(RequestFault::ModelUnfit { why })?)
}

/// The name, if it can be one.
fn fit(model: String) -> Result<String, RequestFault> {
    let why = if model.is_empty() {
        "is empty"
    } else if model.len() > MODEL_BYTES_MAX {
        "is longer than 256 bytes"
    } else if !model.bytes().all(is_model_byte) {
        "holds characters other than letters, digits and ._:/@+-~#"
    } else if model.contains("..") {
        "holds `..`"
    } else {
        return Ok(model);
    };
    Err(RequestFault::ModelUnfit { why })
}

const MODEL_BYTES_MAX: usize = 256;

/// What providers' own names are made of: `~` begins OpenRouter's names for the latest of a
/// family, `#` stands between a model and its deployment at Fireworks.
fn is_model_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._:/@+-~#".contains(&byte)
}

/// Null is what the API's own description allows beside true and false, and means false.
fn read_stream(raw: Option<RawJson<'_>>) -> Result<bool, RequestFault> {
    match raw.map(RawJson::get) {
        Some("true") => Ok(true),
        None | Some("false" | "null") => Ok(false),
        Some(_) => Err(RequestFault::StreamNotBool),
    }
}

type Options = (UsagePlace, Option<bool>);

fn read_options(text: &str, raw: RawJson<'_>) -> Result<Options, RequestFault> {
    let place = span(text, raw.get());
    if raw.get() == "null" {
        return Ok((UsagePlace::NullOptions(place), None));
    }
    let read: StreamOptions<'_> = Some(raw.get())
        .filter(|text| text.starts_with('{'))
        .and_then(read)
        .ok_or(RequestFault::StreamOptionsNotObject)?;
    Ok(match read.include_usage.map(RawJson::get) {
        None => {
            let (inside, no_members) = (place.start + 1, read.no_members);
            (UsagePlace::Options { inside, no_members }, None)
        }
        Some("null") if !read.repeated => {
            let value = read.include_usage.map_or(0..0, |raw| span(text, raw.get()));
            (UsagePlace::NullUsage(value), None)
        }
        // Neither true nor false: the provider's to judge, not ours to replace.
        Some(value) => (UsagePlace::Decided, Some(value == "true")),
    })
}

#[derive(Debug, Default)]
struct StreamOptions<'a> {
    include_usage: Option<RawJson<'a>>,
    repeated: bool,
    no_members: bool,
}

impl<'de> Lenient<'de> for StreamOptions<'de> {
    fn map(map: &mut Members<'_, 'de>) -> Result<Self, NotJson> {
        let mut read = StreamOptions {
            no_members: true,
            ..StreamOptions::default()
        };
        while let Some(key) = map.key()? {
            read.no_members = false;
            if key == "include_usage" {
                read.repeated |= read.include_usage.is_some();
                read.include_usage = Some(map.raw()?);
            } else {
                map.skip()?;
            }
        }
        Ok(read)
    }
}

/// Where `part`, a slice of `text`, stands in it.
pub(super) fn span(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    start..start + part.len()
}
