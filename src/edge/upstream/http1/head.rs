//! Reads the head of an answer: status, headers, how its body is framed, whether another follows.

use std::mem::MaybeUninit;

use bytes::{Buf as _, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use httparse::Status;

use super::chunked::Chunked;
use crate::edge::known_names::KnownNames;

/// Bytes of one head, at most.
const HEAD_MAX: usize = 64 * 1024;
/// Bytes of all heads of one answer, its interim answers (1xx) among them.
const HEADS_MAX: usize = 256 * 1024;
/// Headers of one head, at most.
const HEADERS_MAX: usize = 100;

/// Headers that are put on top for the client: a map that grows hashes all anew.
const OURS: usize = 6;

const TOO_LARGE: &str = "too many bytes, and still no head of an answer";
const TWO_LENGTHS: &str = "its answer has more than one content-length";
const BAD_LENGTH: &str = "the content-length of its answer is no number";
const BOTH: &str = "its answer has a content-length and a transfer-encoding";
const BAD_CODING: &str = "the transfer-encoding of its answer is another than `chunked`";
const BAD_STATUS: &str = "its answer has a status below 100";
const BAD_HEADER: &str = "its answer has a header that is none";

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether another answer may follow on the connection.
    pub(super) keeps: bool,
}

/// How far a body goes (RFC 9112, 6.3).
#[derive(Debug)]
pub(super) enum Framing {
    /// So many further bytes.
    Length(u64),
    /// Until its last chunk.
    Chunked(Chunked),
    /// Until the connection closes.
    UntilClose,
}

/// Reads heads out of what has come so far, interim ones too, until it has that of the answer.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    /// Bytes of interim answers.
    interim: usize,
    /// A head without an end is looked at again once it has an end, or twice the bytes: one that
    /// comes in drips costs no more than one that comes at once.
    looked_at: usize,
    /// The names of the headers of the latest head, in order: most providers send the same ones
    /// each time.
    names: KnownNames,
}

impl HeadReader {
    /// Begins with the heads of another answer.
    pub(super) fn begin(&mut self) {
        self.interim = 0;
        self.looked_at = 0;
    }

    /// Takes the head off `buffer`; nothing where it has not come whole. `to_head` says that the
    /// request was a HEAD, whose answer has no body.
    pub(super) fn read(
        &mut self,
        buffer: &mut BytesMut,
        to_head: bool,
    ) -> Result<Option<Head>, &'static str> {
        while self.is_worth_a_look(buffer) {
            let Some(parsed) = Parsed::of(buffer)? else {
                self.looked_at = buffer.len();
                break;
            };
            self.looked_at = 0;
            if parsed.length > HEAD_MAX || self.interim + parsed.length > HEADS_MAX {
                return Err(TOO_LARGE);
            }
            if !parsed.is_interim() {
                return parsed.take(buffer, to_head, &mut self.names).map(Some);
            }
            self.interim += parsed.length;
            let length = parsed.length;
            buffer.advance(length);
        }
        if buffer.len() > HEAD_MAX || self.interim + buffer.len() > HEADS_MAX {
            return Err(TOO_LARGE);
        }
        Ok(None)
    }

    /// The same where nothing follows any more.
    pub(super) fn read_last(
        &mut self,
        buffer: &mut BytesMut,
        to_head: bool,
    ) -> Result<Option<Head>, &'static str> {
        self.looked_at = 0;
        self.read(buffer, to_head)
    }

    fn is_worth_a_look(&self, buffer: &[u8]) -> bool {
        if self.looked_at == 0 {
            return !buffer.is_empty();
        }
        let new = &buffer[self.looked_at.saturating_sub(3)..];
        buffer.len() >= 2 * self.looked_at
            || memchr::memmem::find(new, b"\n\r\n").is_some()
            || memchr::memmem::find(new, b"\n\n").is_some()
    }
}

/// Where the parts of a head lie in the buffer.
struct Parsed {
    length: usize,
    status: u16,
    is_http_11: bool,
    headers: Vec<(Span, Span)>,
}

type Span = std::ops::Range<usize>;

impl Parsed {
    fn of(buffer: &[u8]) -> Result<Option<Self>, &'static str> {
        let mut room = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(&mut response, buffer, &mut room)
            .map_err(|error| match error {
                httparse::Error::Version => "what it answers is no HTTP/1",
                httparse::Error::Status => "its answer has a status that is none",
                httparse::Error::TooManyHeaders => "its answer has more than 100 headers",
                _ => BAD_HEADER,
            })?;
        let Status::Complete(length) = parsed else {
            return Ok(None);
        };
        let base = buffer.as_ptr().addr();
        let span = |part: &[u8]| {
            let start = part.as_ptr().addr() - base;
            start..start + part.len()
        };
        let spans = response
            .headers
            .iter()
            .map(|header| (span(header.name.as_bytes()), span(header.value)));
        Ok(Some(Self {
            length,
            status: response.code.unwrap_or_default(),
            is_http_11: response.version == Some(1),
            headers: spans.collect(),
        }))
    }

    /// Whether the answer itself is still to come; after 101 none does.
    const fn is_interim(&self) -> bool {
        self.status >= 100 && self.status < 200 && self.status != 101
    }

    fn take(
        self,
        buffer: &mut BytesMut,
        to_head: bool,
        names: &mut KnownNames,
    ) -> Result<Head, &'static str> {
        let bytes = buffer.split_to(self.length).freeze();
        let status = StatusCode::from_u16(self.status).map_err(|_| BAD_STATUS)?;
        let mut facts = Facts::default();
        let mut headers = HeaderMap::with_capacity(self.headers.len() + OURS);
        for (place, (name, value)) in self.headers.into_iter().enumerate() {
            let name = names.at(place, &bytes[name]).ok_or(BAD_HEADER)?;
            facts.note(&name, &bytes[value.clone()])?;
            // A slice of what was read: nothing is copied.
            let value = HeaderValue::from_maybe_shared(bytes.slice(value));
            headers.append(name, value.map_err(|_| BAD_HEADER)?);
        }
        facts.head(status, headers, self.is_http_11, to_head)
    }
}

/// What the headers say of the body and of the connection.
#[derive(Debug, Default)]
struct Facts {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    says_kept: bool,
}

impl Facts {
    fn note(&mut self, name: &HeaderName, value: &[u8]) -> Result<(), &'static str> {
        match name.as_str() {
            // Of two, the client might believe the other one, also where they are the same.
            "content-length" if self.length.is_some() => return Err(TWO_LENGTHS),
            "content-length" => self.length = Some(number(value).ok_or(BAD_LENGTH)?),
            // Whatever else it may be coded with would reach the client under a name that this
            // hop takes off.
            "transfer-encoding" if !self.chunked && value.eq_ignore_ascii_case(b"chunked") => {
                self.chunked = true;
            }
            "transfer-encoding" => return Err(BAD_CODING),
            "connection" => {
                for option in value.split(|byte| *byte == b',') {
                    let option = option.trim_ascii();
                    self.closes |= option.eq_ignore_ascii_case(b"close");
                    self.says_kept |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn head(
        self,
        status: StatusCode,
        headers: HeaderMap,
        is_http_11: bool,
        to_head: bool,
    ) -> Result<Head, &'static str> {
        if self.chunked && self.length.is_some() {
            return Err(BOTH);
        }
        if self.chunked && !is_http_11 {
            return Err("its answer is chunked, and HTTP/1.0");
        }
        let keeps = !self.closes && (is_http_11 || self.says_kept);
        let (framing, keeps) = match status.as_u16() {
            // No body, whatever is announced: bytes that came all the same would be read as the
            // next answer. What a 304 announces is the length of what it stands for.
            101 => (Framing::Length(0), false),
            204 => {
                let none = !self.chunked && self.length.unwrap_or(0) == 0;
                (Framing::Length(0), keeps && none)
            }
            304 => (Framing::Length(0), keeps && !self.chunked),
            _ if to_head => (Framing::Length(0), keeps),
            _ if self.chunked => (Framing::Chunked(Chunked::default()), keeps),
            _ => match self.length {
                Some(length) => (Framing::Length(length), keeps),
                None => (Framing::UntilClose, false),
            },
        };
        Ok(Head {
            status,
            headers,
            framing,
            keeps,
        })
    }
}

/// Digits and nothing else (RFC 9110, 8.6).
fn number(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()
}
