//! Splits and writes Amazon's event streams: binary frames with typed headers and checksums.
//!
//! A frame is, big-endian: its whole length, the length of its headers, a CRC-32 of these eight
//! bytes; the headers; the payload; a CRC-32 of all before it (`application/vnd.amazon.eventstream`,
//! as botocore and the AWS SDKs read it).

use std::ops::ControlFlow;

use thiserror::Error;

/// Most bytes of headers in a frame.
pub const HEADERS_BYTES_MAX: usize = 128 * 1024;
/// Most bytes of payload in a frame.
pub const PAYLOAD_BYTES_MAX: usize = 24 * 1024 * 1024;

/// Both lengths and their checksum.
const PRELUDE_BYTES: usize = 12;
/// The prelude and the checksum of the whole: what a frame of nothing has.
const FRAME_BYTES_MIN: usize = PRELUDE_BYTES + 4;
/// A buffer larger than this goes back to the allocator after use.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// Why bytes are no frame, or why a frame cannot be written. Nothing after it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// The lengths do not have the checksum that is said of them.
    #[error("the checksum of a frame's lengths is wrong")]
    PreludeChecksum,
    /// The lengths contradict each other, or are larger than the protocol allows.
    #[error("a frame's lengths cannot be: at most 128 KiB of headers and 24 MiB of payload")]
    Lengths,
    /// The frame is larger than the reader was told to keep.
    #[error("a frame is larger than is read")]
    TooLarge,
    /// The bytes do not have the checksum that is said of them.
    #[error("the checksum of a frame is wrong")]
    Checksum,
    /// The headers end in the middle of one, have an unknown type or a name that is no text.
    #[error("a frame's headers are broken")]
    Headers,
}

/// The value of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// True or false; types 0 and 1.
    Bool(bool),
    /// Type 2.
    Byte(i8),
    /// Type 3.
    Short(i16),
    /// Type 4.
    Int(i32),
    /// Type 5.
    Long(i64),
    /// Type 6.
    Bytes(&'a [u8]),
    /// Type 7.
    Text(&'a str),
    /// Milliseconds since 1970; type 8.
    Timestamp(i64),
    /// Type 9.
    Uuid([u8; 16]),
}

/// One frame whose checksums are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    headers: &'a [u8],
    /// What it carries: in the streams of Bedrock one JSON object, or nothing.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The headers, in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let mut rest = self.headers;
        // They were read once when the frame was: here they end where the bytes do.
        std::iter::from_fn(move || {
            let (name, value, after) = header(rest)?;
            rest = after;
            Some((name, value))
        })
    }

    /// The text of the header `name`; empty where there is none, or where it is no text.
    #[must_use]
    pub fn text(&self, name: &str) -> &'a str {
        self.headers()
            .find_map(|(found, value)| match value {
                Value::Text(text) if found == name => Some(text),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// What the frame is, by its `:message-type`; without one it is an event.
    #[must_use]
    pub fn message(&self) -> Message<'a> {
        match self.text(":message-type") {
            "exception" => Message::Exception(self.text(":exception-type")),
            "error" => Message::Error {
                code: self.text(":error-code"),
                message: self.text(":error-message"),
            },
            _ => Message::Event(self.text(":event-type")),
        }
    }
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// An event of this type.
    Event(&'a str),
    /// An exception of this type, described in the payload.
    Exception(&'a str),
    /// An error that its headers describe.
    Error {
        /// Its code.
        code: &'a str,
        /// Its message.
        message: &'a str,
    },
}

/// Cuts bytes into frames. What is kept between two chunks is the beginning of one frame.
#[derive(Debug)]
pub struct Splitter {
    held: Vec<u8>,
    frame_bytes_max: usize,
    fault: Option<Fault>,
}

impl Splitter {
    /// A splitter at the beginning of a stream, of frames of at most `frame_bytes_max` bytes.
    #[must_use]
    pub fn new(frame_bytes_max: usize) -> Self {
        Self {
            held: Vec::new(),
            frame_bytes_max,
            fault: None,
        }
    }

    /// Takes one chunk and gives each frame that it completes to `sink`, until that breaks;
    /// returns how many bytes were taken. Frames before a fault are given; after it nothing is.
    ///
    /// # Errors
    ///
    /// The first [`Fault`] of the stream, then and ever after.
    pub fn feed(
        &mut self,
        chunk: &[u8],
        mut sink: impl FnMut(Frame<'_>) -> ControlFlow<()>,
    ) -> Result<usize, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let fed = self.split(chunk, &mut sink);
        if let Err(fault) = fed {
            self.fault = Some(fault);
            self.held = Vec::new();
        }
        fed
    }

    /// Whether nothing is held of an unfinished frame.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        self.held.is_empty()
    }

    fn split(
        &mut self,
        chunk: &[u8],
        sink: &mut impl FnMut(Frame<'_>) -> ControlFlow<()>,
    ) -> Result<usize, Fault> {
        let mut at = 0;
        while at < chunk.len() {
            let rest = chunk.get(at..).unwrap_or_default();
            let flow = if self.held.is_empty() {
                let Some(length) = self.length(rest)?.filter(|length| *length <= rest.len()) else {
                    self.held.extend_from_slice(rest);
                    return Ok(chunk.len());
                };
                at += length;
                sink(frame(rest.get(..length).unwrap_or_default())?)
            } else {
                at += self.fill(rest, PRELUDE_BYTES);
                let Some(length) = self.length(&self.held)? else {
                    return Ok(chunk.len());
                };
                at += self.fill(chunk.get(at..).unwrap_or_default(), length);
                if self.held.len() < length {
                    return Ok(chunk.len());
                }
                let flow = sink(frame(&self.held)?);
                if self.held.capacity() > KEPT_BYTES_MAX {
                    self.held = Vec::new();
                }
                self.held.clear();
                flow
            };
            if flow.is_break() {
                return Ok(at);
            }
        }
        Ok(at)
    }

    /// Holds of `rest` what is missing to `length` bytes; returns how many that were.
    fn fill(&mut self, rest: &[u8], length: usize) -> usize {
        let missing = length.saturating_sub(self.held.len()).min(rest.len());
        self.held
            .extend_from_slice(rest.get(..missing).unwrap_or_default());
        missing
    }

    /// The length of the frame that begins here, where its prelude is whole. Nothing is believed,
    /// and no room is made, before its checksum is right.
    fn length(&self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let Some(prelude) = bytes.first_chunk::<PRELUDE_BYTES>() else {
            return Ok(None);
        };
        if crc32fast::hash(&prelude[..8]) != u32_at(prelude, 8) {
            return Err(Fault::PreludeChecksum);
        }
        let (whole, headers) = (u32_at(prelude, 0) as usize, u32_at(prelude, 4) as usize);
        let payload = whole.checked_sub(headers.saturating_add(FRAME_BYTES_MIN));
        let possible = headers <= HEADERS_BYTES_MAX
            && payload.is_some_and(|payload| payload <= PAYLOAD_BYTES_MAX);
        if !possible {
            return Err(Fault::Lengths);
        }
        if whole > self.frame_bytes_max {
            return Err(Fault::TooLarge);
        }
        Ok(Some(whole))
    }
}

/// Reads a frame that is there whole and whose prelude is right.
fn frame(bytes: &[u8]) -> Result<Frame<'_>, Fault> {
    let (content, checksum) = bytes.split_last_chunk::<4>().ok_or(Fault::Lengths)?;
    if crc32fast::hash(content) != u32::from_be_bytes(*checksum) {
        return Err(Fault::Checksum);
    }
    let length = u32_at(content, 4) as usize;
    let rest = content.get(PRELUDE_BYTES..).ok_or(Fault::Lengths)?;
    let (headers, payload) = rest.split_at_checked(length).ok_or(Fault::Lengths)?;
    let mut unread = headers;
    while !unread.is_empty() {
        (_, _, unread) = header(unread).ok_or(Fault::Headers)?;
    }
    Ok(Frame { headers, payload })
}

/// The header that begins here, and what follows it.
fn header(bytes: &[u8]) -> Option<(&str, Value<'_>, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let name = std::str::from_utf8(name).ok()?;
    let (kind, rest) = rest.split_first()?;
    let (value, rest) = match kind {
        0 => (Value::Bool(true), rest),
        1 => (Value::Bool(false), rest),
        2 => fixed(rest, |bytes| Value::Byte(i8::from_be_bytes(bytes)))?,
        3 => fixed(rest, |bytes| Value::Short(i16::from_be_bytes(bytes)))?,
        4 => fixed(rest, |bytes| Value::Int(i32::from_be_bytes(bytes)))?,
        5 => fixed(rest, |bytes| Value::Long(i64::from_be_bytes(bytes)))?,
        6 => counted(rest).map(|(bytes, rest)| (Value::Bytes(bytes), rest))?,
        7 => {
            let (bytes, rest) = counted(rest)?;
            (Value::Text(std::str::from_utf8(bytes).ok()?), rest)
        }
        8 => fixed(rest, |bytes| Value::Timestamp(i64::from_be_bytes(bytes)))?,
        9 => fixed(rest, Value::Uuid)?,
        _ => return None,
    };
    Some((name, value, rest))
}

fn fixed<'a, const N: usize>(
    rest: &'a [u8],
    value: impl FnOnce([u8; N]) -> Value<'a>,
) -> Option<(Value<'a>, &'a [u8])> {
    let (bytes, rest) = rest.split_first_chunk::<N>()?;
    Some((value(*bytes), rest))
}

/// Bytes behind their length in two.
fn counted(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = rest.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// The number at this place; 0 where there are no four bytes.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>);
    four.map_or(0, |four| u32::from_be_bytes(*four))
}

/// Writes a frame behind `out`.
///
/// # Errors
///
/// A [`Fault`] where it would be none: names of more than 255 bytes or none, values of more than
/// 65,535, headers or payload over their limits. `out` is then as it was.
pub fn encode(
    headers: &[(&str, Value<'_>)],
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let mut written = Vec::new();
    for (name, value) in headers {
        put_header(name, *value, &mut written)?;
    }
    if written.len() > HEADERS_BYTES_MAX || payload.len() > PAYLOAD_BYTES_MAX {
        return Err(Fault::Lengths);
    }
    let start = out.len();
    let whole = (written.len() + payload.len() + FRAME_BYTES_MIN) as u32;
    out.extend_from_slice(&whole.to_be_bytes());
    out.extend_from_slice(&(written.len() as u32).to_be_bytes());
    put_checksum(start, out);
    out.extend_from_slice(&written);
    out.extend_from_slice(payload);
    put_checksum(start, out);
    Ok(())
}

/// Writes an event of Bedrock's streams, whose payload is JSON, behind `out`.
///
/// # Errors
///
/// As [`encode`].
pub fn encode_event(kind: &str, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let headers = [
        (":event-type", Value::Text(kind)),
        (":content-type", Value::Text("application/json")),
        (":message-type", Value::Text("event")),
    ];
    encode(&headers, payload, out)
}

/// Writes an exception of Bedrock's streams, whose payload is JSON, behind `out`.
///
/// # Errors
///
/// As [`encode`].
pub fn encode_exception(kind: &str, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let headers = [
        (":exception-type", Value::Text(kind)),
        (":content-type", Value::Text("application/json")),
        (":message-type", Value::Text("exception")),
    ];
    encode(&headers, payload, out)
}

fn put_header(name: &str, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let length = u8::try_from(name.len()).map_err(|_| Fault::Headers)?;
    if length == 0 {
        return Err(Fault::Headers);
    }
    out.push(length);
    out.extend_from_slice(name.as_bytes());
    match value {
        Value::Bool(true) => out.push(0),
        Value::Bool(false) => out.push(1),
        Value::Byte(value) => put(2, &value.to_be_bytes(), out),
        Value::Short(value) => put(3, &value.to_be_bytes(), out),
        Value::Int(value) => put(4, &value.to_be_bytes(), out),
        Value::Long(value) => put(5, &value.to_be_bytes(), out),
        Value::Bytes(value) => put_counted(6, value, out)?,
        Value::Text(value) => put_counted(7, value.as_bytes(), out)?,
        Value::Timestamp(value) => put(8, &value.to_be_bytes(), out),
        Value::Uuid(value) => put(9, &value, out),
    }
    Ok(())
}

fn put(kind: u8, value: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(value);
}

fn put_counted(kind: u8, value: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let length = u16::try_from(value.len()).map_err(|_| Fault::Headers)?;
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}

/// Puts the checksum of everything from `start` on behind it.
fn put_checksum(start: usize, out: &mut Vec<u8>) {
    let checksum = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_be_bytes());
}

#[cfg(test)]
#[path = "event_stream_tests.rs"]
mod tests;
