//! Writes answers: a head with the first of its body in one write, each later piece as it comes.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write as _};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::{Buf as _, Bytes};
use http::response::Parts;
use http::{HeaderMap, StatusCode, header};
use http_body::SizeHint;
use tokio::io::AsyncWrite;

use crate::record::WallTime;

/// Slices of one write, at most.
const SLICES: usize = 16;
/// Bytes that are gathered before they are written.
const GATHERED_MAX: usize = 64 * 1024;

/// How the body of an answer is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// So many further bytes.
    Length(u64),
    /// In chunks.
    Chunked,
    /// There is none, whatever the head says.
    None,
}

/// What is to be written, in order.
#[derive(Debug)]
enum Segment {
    /// Of `text`.
    Text(Range<usize>),
    /// Of a body, from where it lies.
    Data(Bytes),
}

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Outbound {
    /// Head and framing.
    text: Vec<u8>,
    segments: VecDeque<Segment>,
    gathered: usize,
    framing: Framing,
    unflushed: bool,
}

impl Outbound {
    pub(super) const fn new() -> Self {
        Self {
            text: Vec::new(),
            segments: VecDeque::new(),
            gathered: 0,
            framing: Framing::None,
            unflushed: false,
        }
    }

    /// Begins an answer whose body is as `size` says. `closes` is said to the client.
    pub(super) fn begin(&mut self, parts: &Parts, size: &SizeHint, closes: bool, now: WallTime) {
        let begin = self.text.len();
        let mut rest = write_status(&mut self.text, parts.status);
        self.framing = framing(parts, size);
        for (name, value) in &parts.headers {
            if *name == header::TRANSFER_ENCODING || *name == header::CONTENT_LENGTH {
                continue;
            }
            rest.date |= *name == header::DATE;
            rest.connection |= *name == header::CONNECTION;
            write_header(&mut self.text, name.as_str(), value.as_bytes());
        }
        let length = match self.framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
            // Of what it stands for (RFC 9110, 8.6).
            Framing::None => {
                announced(&parts.headers).filter(|_| parts.status == StatusCode::NOT_MODIFIED)
            }
        };
        if self.framing == Framing::Chunked {
            self.text
                .extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        if let Some(length) = length {
            self.text.extend_from_slice(b"content-length: ");
            push_number(&mut self.text, length);
        }
        if closes && !rest.connection {
            self.text.extend_from_slice(b"connection: close\r\n");
        }
        if !rest.date {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs().max(0) as u64);
            // Into memory: it does not fail.
            let _ = write!(self.text, "date: {}\r\n", httpdate::HttpDate::from(at));
        }
        self.text.extend_from_slice(b"\r\n");
        self.segment(begin);
    }

    /// Adds a piece of the body. Fails where it is more than was announced.
    pub(super) fn push(&mut self, data: Bytes) -> Result<(), ()> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.framing {
            Framing::None => {}
            Framing::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(())?;
                self.data(data);
            }
            Framing::Chunked => {
                let begin = self.text.len();
                push_size(&mut self.text, data.len());
                self.segment(begin);
                self.data(data);
                let begin = self.text.len();
                self.text.extend_from_slice(b"\r\n");
                self.segment(begin);
            }
        }
        Ok(())
    }

    /// Ends the body. Fails where it is less than was announced.
    pub(super) fn end(&mut self) -> Result<(), ()> {
        match std::mem::replace(&mut self.framing, Framing::None) {
            Framing::Length(1..) => Err(()),
            Framing::Length(0) | Framing::None => Ok(()),
            Framing::Chunked => {
                let begin = self.text.len();
                self.text.extend_from_slice(b"0\r\n\r\n");
                self.segment(begin);
                Ok(())
            }
        }
    }

    /// Whether no body is sent at all.
    pub(super) fn is_bare(&self) -> bool {
        self.framing == Framing::None
    }

    /// Whether there is enough for a write.
    pub(super) fn is_full(&self) -> bool {
        self.segments.len() + 3 > SLICES || self.gathered >= GATHERED_MAX
    }

    /// Writes all of it.
    pub(super) fn poll<T: AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.segments.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            for (slot, segment) in slices.iter_mut().zip(&self.segments) {
                *slot = IoSlice::new(match segment {
                    Segment::Text(range) => &self.text[range.clone()],
                    Segment::Data(data) => data,
                });
                count += 1;
            }
            let written = match &slices[..count] {
                [one] => ready!(Pin::new(&mut *io).poll_write(cx, one))?,
                many => ready!(Pin::new(&mut *io).poll_write_vectored(cx, many))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.advance(written);
        }
        if self.unflushed {
            // TLS may hold back what it was given.
            ready!(Pin::new(io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(segment) = self.segments.front_mut() {
            let length = match segment {
                Segment::Text(range) => range.len(),
                Segment::Data(data) => data.len(),
            };
            if written < length {
                match segment {
                    Segment::Text(range) => range.start += written,
                    Segment::Data(data) => data.advance(written),
                }
                return;
            }
            written -= length;
            self.segments.pop_front();
        }
        self.text.clear();
        self.gathered = 0;
    }

    fn data(&mut self, data: Bytes) {
        self.gathered += data.len();
        self.segments.push_back(Segment::Data(data));
    }

    /// Has what was added to the text since `begin` written: with what is before it, where that is
    /// text, too.
    fn segment(&mut self, begin: usize) {
        let end = self.text.len();
        match self.segments.back_mut() {
            Some(Segment::Text(range)) if range.end == begin => range.end = end,
            _ => self.segments.push_back(Segment::Text(begin..end)),
        }
    }
}

/// What a head has already.
#[derive(Debug, Default)]
struct Has {
    date: bool,
    connection: bool,
}

fn write_status(into: &mut Vec<u8>, status: StatusCode) -> Has {
    into.extend_from_slice(b"HTTP/1.1 ");
    into.extend_from_slice(status.as_str().as_bytes());
    into.push(b' ');
    into.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    into.extend_from_slice(b"\r\n");
    Has::default()
}

/// A number and the end of its line. Nearly each answer has one: `fmt` takes as long as for a size.
fn push_number(into: &mut Vec<u8>, number: u64) {
    for place in (0..=number.max(1).ilog10()).rev() {
        into.push(b'0' + (number / 10_u64.pow(place) % 10) as u8);
    }
    into.extend_from_slice(b"\r\n");
}

/// The size of a chunk, in hexadecimal digits. Each chunk has one: `fmt` takes 300 instructions.
fn push_size(into: &mut Vec<u8>, size: usize) {
    let mut digits = size.max(1).ilog2() / 4 + 1;
    while digits > 0 {
        digits -= 1;
        into.push(b"0123456789abcdef"[size >> (4 * digits) & 15]);
    }
    into.extend_from_slice(b"\r\n");
}

/// Names and values are of types that hold no line ends.
fn write_header(into: &mut Vec<u8>, name: &str, value: &[u8]) {
    into.reserve(name.len() + value.len() + 4);
    into.extend_from_slice(name.as_bytes());
    into.extend_from_slice(b": ");
    into.extend_from_slice(value);
    into.extend_from_slice(b"\r\n");
}

fn framing(parts: &Parts, size: &SizeHint) -> Framing {
    let status = parts.status;
    if status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
    {
        return Framing::None;
    }
    let length = announced(&parts.headers).or_else(|| size.exact());
    length.map_or(Framing::Chunked, Framing::Length)
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    /// What is written of an answer with these pieces, a few bytes at a time.
    fn written(response: Response<()>, size: &SizeHint, pieces: &[&'static str]) -> (String, bool) {
        let mut outbound = Outbound::new();
        let (parts, ()) = response.into_parts();
        outbound.begin(&parts, size, false, WallTime(0));
        let mut whole = true;
        for piece in pieces {
            whole &= outbound.push(Bytes::from_static(piece.as_bytes())).is_ok();
        }
        whole &= outbound.end().is_ok();
        let mut written = Vec::new();
        while !outbound.segments.is_empty() {
            let mut flat = Vec::new();
            for segment in &outbound.segments {
                flat.extend_from_slice(match segment {
                    Segment::Text(range) => &outbound.text[range.clone()],
                    Segment::Data(data) => data,
                });
            }
            let some = flat.len().min(7);
            written.extend_from_slice(&flat[..some]);
            outbound.advance(some);
        }
        (String::from_utf8(written).unwrap(), whole)
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 1, 9, 10, 11, 99, 100, 598, 1 << 40, u64::MAX] {
            let mut text = Vec::new();
            push_number(&mut text, number);
            assert_eq!(text, format!("{number}\r\n").into_bytes());
        }
    }

    #[test]
    fn sizes_are_hexadecimal() {
        for size in [
            1,
            9,
            15,
            16,
            255,
            256,
            4_095,
            4_096,
            65_535,
            1 << 20,
            usize::MAX,
        ] {
            let mut text = Vec::new();
            push_size(&mut text, size);
            assert_eq!(text, format!("{size:x}\r\n").into_bytes());
        }
    }

    #[test]
    fn answers_are_framed_by_what_is_known_of_their_bodies() {
        let with = |status: u16, headers: &[(&'static str, &'static str)]| {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                response.headers_mut().append(*name, value.parse().unwrap());
            }
            response
        };
        let date = "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
        let (exact, open) = (SizeHint::with_exact(5), SizeHint::default());
        for (response, size, pieces, expected, whole) in [
            (with(200, &[]), &exact, &["he", "", "llo"][..], format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n{date}\r\nhello"), true),
            (with(200, &[("date", "now")]), &open, &["hello", "you"], "HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n".to_owned(), true),
            (with(599, &[("content-length", "3")]), &open, &["abc"], format!("HTTP/1.1 599 \r\ncontent-length: 3\r\n{date}\r\nabc"), true),
            (with(200, &[("content-length", "3")]), &open, &["ab"], format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n{date}\r\nab"), false),
            (with(200, &[("content-length", "3")]), &open, &["abcd"], format!("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n{date}\r\n"), false),
            (with(204, &[]), &open, &["x"], format!("HTTP/1.1 204 No Content\r\n{date}\r\n"), true),
            (with(304, &[("content-length", "9")]), &open, &[], format!("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n{date}\r\n"), true),
        ] {
            assert_eq!(written(response, size, pieces), (expected, whole));
        }
    }
}
