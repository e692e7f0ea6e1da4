//! Finds code, type and message in every shape of error body that providers send.

use crate::wire::dialect::json::{Lenient, read, read_bytes};
use crate::wire::dialect::lenient::{Count, List, Raw, Text, lenient_object, reread};

/// What an error body says, in lower case.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Codes, types and reasons, the most telling first.
    pub(super) words: Vec<String>,
    /// The same as the provider writes it: the first that is a short word.
    pub(super) code: Option<String>,
    /// The message, at most [`MESSAGE_BYTES_MAX`] of it. It is matched, and never kept.
    pub(super) message: String,
    /// The first part of it as the provider writes it, likewise cut: for the client alone.
    pub(super) first: Option<String>,
    /// An HTTP status inside the body.
    pub(super) status: Option<u16>,
    /// The body names what about the content was objected to.
    pub(super) moderation: bool,
    /// How long to wait, as Google says it in a detail of its own.
    pub(super) retry_delay: Option<String>,
    /// Headers that a router repeats of its provider's answer, as they stand there.
    pub(super) headers: Option<String>,
}

const MESSAGE_BYTES_MAX: usize = 2048;
const CODE_BYTES_MAX: usize = 64;

lenient_object! {
    /// An error body, or the object inside it.
    struct Shape {
        error: Raw<'de> = "error",
        message: Raw<'de> = "message",
        message_capital: Raw<'de> = "Message",
        kind: Text<'de> = "type",
        code: Code = "code",
        status: Text<'de> = "status",
        status_code: Count = "status_code",
        detail: Raw<'de> = "detail",
        error_type: Text<'de> = "error_type",
        error_code: Text<'de> = "error_code",
        reason: Text<'de> = "reason",
        quota: Text<'de> = "quotaId",
        aws_type: Text<'de> = "__type",
        metadata: Raw<'de> = "metadata",
        inner: Raw<'de> = "innererror",
        details: Raw<'de> = "details",
        violations: Raw<'de> = "violations",
        reasons: Raw<'de> = "reasons",
        response: Raw<'de> = "response",
        groq: Raw<'de> = "x_groq",
        retry_delay: Text<'de> = "retryDelay",
        headers: Raw<'de> = "headers",
    }
}

/// A code: a word, or a status as a number or a string of one.
#[derive(Debug, Default)]
struct Code {
    word: String,
    number: Option<u64>,
}

impl Lenient<'_> for Code {
    fn text(text: &str) -> Self {
        let number = text.parse().ok();
        let word = if number.is_some() { "" } else { text }.to_owned();
        Self { word, number }
    }

    fn count(count: u64) -> Self {
        Self {
            word: String::new(),
            number: Some(count),
        }
    }
}

/// Reads an error body of any known shape; of anything else, nothing.
pub(super) fn said(body: &[u8]) -> Said {
    let mut said = Said::default();
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.starts_with('[') {
        // Gemini's OpenAI-compatible endpoint wraps its errors in an array.
        let list: List<Shape<'_>> = read(text).unwrap_or_default();
        if let Some(shape) = list.0.first() {
            shape.tell(&mut said, 0);
        }
    } else if let Some(shape) = read::<Shape<'_>>(text) {
        shape.tell(&mut said, 0);
    }
    said
}

impl Shape<'_> {
    /// Adds what this object says; what is inside it first, since the inner one says more.
    fn tell(&self, said: &mut Said, depth: u8) {
        if depth < NESTED_MAX {
            for inner in [self.error, self.response, self.groq].into_iter().flatten() {
                tell_inner(Some(inner), said, depth);
            }
        }
        said.word(self.error_code.as_str());
        said.word(&self.code.word);
        if depth < NESTED_MAX {
            for inner in [self.metadata, self.inner].into_iter().flatten() {
                tell_inner(Some(inner), said, depth);
            }
            for list in [self.details, self.violations].into_iter().flatten() {
                if list.get().starts_with('[') {
                    for shape in reread::<List<Shape<'_>>>(Some(list)).0 {
                        shape.tell(said, depth + 1);
                    }
                } else {
                    tell_inner(Some(list), said, depth);
                }
            }
        }
        for word in [
            &self.error_type,
            &self.reason,
            &self.quota,
            &self.kind,
            &self.status,
        ] {
            said.word(word.as_str());
        }
        // Behind its name space.
        let aws = self.aws_type.as_str();
        said.word(aws.rsplit('#').next().unwrap_or(aws));
        said.moderation |= self.reasons.is_some();
        if let Some(delay) = &self.retry_delay.0 {
            said.retry_delay.get_or_insert_with(|| delay.to_string());
        }
        if let Some(headers) = self.headers.filter(|raw| raw.get().starts_with('{')) {
            said.headers.get_or_insert_with(|| headers.get().to_owned());
        }
        let status = self.code.number.or(self.status_code.0);
        said.status = said.status.or_else(|| status.and_then(http_failure));
        for message in [self.message, self.message_capital, self.detail] {
            said.message(message);
        }
    }
}

fn tell_inner(raw: Raw<'_>, said: &mut Said, depth: u8) {
    if raw.is_some_and(|raw| raw.get().starts_with('{')) {
        reread::<Shape<'_>>(raw).tell(said, depth + 1);
    } else {
        said.message(raw);
    }
}

/// `error` in `response` in an event, and Gemini's `details` with `violations`: no shape is deeper.
const NESTED_MAX: u8 = 4;

impl Said {
    fn word(&mut self, word: &str) {
        if word.is_empty() || word.len() > CODE_BYTES_MAX {
            return;
        }
        // xAI's codes are prose: those are for matching, but no codes to keep.
        let short = word.bytes().all(|byte| byte.is_ascii_graphic());
        if short && self.code.is_none() {
            self.code = Some(word.to_owned());
        }
        self.words.push(word.to_ascii_lowercase());
    }

    fn message(&mut self, raw: Raw<'_>) {
        let Some(raw) = raw else { return };
        let text = reread::<Text<'_>>(Some(raw));
        let text = text.0.as_deref().unwrap_or(raw.get());
        let room = MESSAGE_BYTES_MAX.saturating_sub(self.message.len());
        let end = text.floor_char_boundary(room.min(text.len()));
        if self.first.is_none() {
            self.first = Some(text[..end].to_owned()).filter(|text| !text.is_empty());
        }
        self.message.push_str(&text[..end].to_ascii_lowercase());
        self.message.push('\n');
    }
}

fn http_failure(code: u64) -> Option<u16> {
    u16::try_from(code)
        .ok()
        .filter(|code| (400..600).contains(code))
}

/// Whether the value of an `error` key reports an error, and is not an empty placeholder.
pub(crate) fn is_error(raw: Raw<'_>) -> bool {
    raw.is_some_and(|raw| !matches!(raw.get(), "null" | "{}" | "\"\"" | "false" | "0" | "[]"))
}

/// Whether an object that is no answer is an error without a key that says so: Cerebras's, with a
/// message and a code beside each other, and what Python's frameworks call a detail.
pub(crate) fn is_flat_error(bytes: &[u8]) -> bool {
    read_bytes(bytes).is_some_and(|shape: Shape<'_>| {
        let kind = shape.kind.as_str();
        let named = !shape.code.word.is_empty()
            || shape
                .code
                .number
                .is_some_and(|code| http_failure(code).is_some())
            || ["error", "exception"].iter().any(|end| kind.ends_with(end));
        let told = shape.message.is_some_and(|raw| raw.get().starts_with('"'));
        (told && named) || shape.detail.is_some()
    })
}

/// Whether bytes that are no event are an error body, alone or in an array.
pub(crate) fn is_error_body(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii();
    match text.first() {
        Some(b'{') => read_bytes(text).is_some_and(|shape: Shape<'_>| is_error(shape.error)),
        Some(b'[') => read_bytes(text).is_some_and(|list: List<Shape<'_>>| {
            list.0.first().is_some_and(|shape| is_error(shape.error))
        }),
        _ => false,
    }
}
