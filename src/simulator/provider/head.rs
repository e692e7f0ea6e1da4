//! Writes response heads, good ones and those that a fault spoils.

use std::io::Write as _;

use crate::record::WallTime;

use super::fault::Fault;

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyEnd {
    /// A last chunk.
    Chunked,
    /// That many bytes.
    Length(usize),
    /// The end of the connection.
    Close,
    /// There is no body.
    None,
}

/// A response head.
#[derive(Debug)]
pub(super) struct Head {
    /// Status.
    pub(super) status: u16,
    /// Content type; none where absent.
    pub(super) content_type: Option<&'static str>,
    /// Further headers, lower-case name and value.
    pub(super) headers: Vec<(String, String)>,
    /// How the end of the body is told.
    pub(super) end: BodyEnd,
    /// Whether the connection is promised to stay.
    pub(super) keep: bool,
    /// What spoils it.
    pub(super) fault: Option<Fault>,
    /// Size for the faults that have one.
    pub(super) size: Option<usize>,
}

impl Head {
    /// Its bytes, with whatever stands before it.
    pub(super) fn bytes(&self, now: WallTime) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        self.preamble(&mut out);
        self.status_line(&mut out);
        let mut put = |name: &str, value: &str| {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        };
        put("date", &http_date(now));
        match (self.fault, self.content_type) {
            (Some(Fault::NoContentType), _) | (_, None) => {}
            (Some(Fault::WrongContentType), Some("application/json")) => {
                put("content-type", "text/event-stream");
            }
            (Some(Fault::WrongContentType), Some(_)) => put("content-type", "application/json"),
            (_, Some(content_type)) => put("content-type", content_type),
        }
        for (name, value) in &self.headers {
            put(name, value);
        }
        if !self.keep && self.fault != Some(Fault::Http10) {
            put("connection", "close");
        }
        self.framing(&mut put);
        self.odd_headers(&mut out);
        out.extend_from_slice(b"\r\n");
        out
    }

    /// Whole heads that stand before this one.
    fn preamble(&self, out: &mut Vec<u8>) {
        let (times, text): (usize, &[u8]) = match self.fault {
            Some(Fault::EarlyHintsFlood) => (100, EARLY_HINTS),
            Some(Fault::EarlyHints) => (1, EARLY_HINTS),
            Some(Fault::FakeUpgrade) => (
                1,
                b"HTTP/1.1 101 Switching Protocols\r\nupgrade: sim\r\nconnection: upgrade\r\n\r\n",
            ),
            _ => return,
        };
        (0..times).for_each(|_| out.extend_from_slice(text));
    }

    fn status_line(&self, out: &mut Vec<u8>) {
        let status = match self.fault {
            Some(Fault::NoContentWithBody) => 204,
            Some(Fault::NotModifiedWithBody) => 304,
            _ => self.status,
        };
        let version = match self.fault {
            Some(Fault::BadStatusLine) => {
                out.extend_from_slice(b"ICY two hundred\r\n");
                return;
            }
            Some(Fault::Http10) => "1.0",
            _ => "1.1",
        };
        // Writing to a vector cannot fail.
        let _ = write!(out, "HTTP/{version} {status} {}\r\n", reason(status));
    }

    fn framing(&self, put: &mut impl FnMut(&str, &str)) {
        match (self.fault, self.end) {
            (Some(Fault::Http10), _) | (_, BodyEnd::Close) => {}
            (_, BodyEnd::None) => put("content-length", "0"),
            (Some(Fault::LengthAndChunked), end) => {
                let length = if let BodyEnd::Length(length) = end {
                    length
                } else {
                    5
                };
                put("content-length", &length.to_string());
                put("transfer-encoding", "chunked");
            }
            (_, BodyEnd::Chunked) => {
                put("transfer-encoding", "chunked");
                if self.fault == Some(Fault::Trailers) {
                    put("trailer", "x-sim-trailer");
                }
            }
            (Some(Fault::LengthShort), BodyEnd::Length(length)) => {
                put("content-length", &length.saturating_sub(10).to_string());
            }
            (Some(Fault::LengthLong), BodyEnd::Length(length)) => {
                put("content-length", &(length + 10).to_string());
            }
            (Some(Fault::TwoLengths), BodyEnd::Length(length)) => {
                put("content-length", &length.to_string());
                put("content-length", &(length + 1).to_string());
            }
            (_, BodyEnd::Length(length)) => put("content-length", &length.to_string()),
        }
    }

    fn odd_headers(&self, out: &mut Vec<u8>) {
        match self.fault {
            Some(Fault::BadHeader) => out.extend_from_slice(b"x-b\x01d\x7f header: \x00\x08\r\n"),
            Some(Fault::HugeHeader) => {
                out.extend_from_slice(b"x-huge: ");
                let size = self.size.unwrap_or(100 << 10);
                out.resize(out.len() + size, b'h');
                out.extend_from_slice(b"\r\n");
            }
            Some(Fault::ManyHeaders) => {
                for number in 0..500 {
                    let _ = write!(out, "x-many-{number}: {number}\r\n");
                }
            }
            _ => {}
        }
    }
}

const EARLY_HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";

/// The reason phrase of a status.
fn reason(status: u16) -> &'static str {
    match status {
        529 => "Overloaded",
        498 => "Capacity Exceeded",
        _ => http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Unknown"),
    }
}

/// A date in the form of RFC 9110, 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn http_date(date: WallTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = date.rfc3339();
    let day = DAYS[date.as_secs().div_euclid(86_400).rem_euclid(7) as usize];
    let month = text.get(5..7).and_then(|month| month.parse::<usize>().ok());
    let month = MONTHS[month.unwrap_or(1).clamp(1, 12) - 1];
    let part = |range| text.get(range).unwrap_or("");
    format!(
        "{day}, {} {month} {} {} GMT",
        part(8..10),
        part(0..4),
        part(11..19)
    )
}

/// Appends a chunk's size line.
pub(super) fn chunk_size(out: &mut Vec<u8>, size: usize, extension: bool) {
    let extension = if extension { ";sim=\"yes\"" } else { "" };
    let _ = write!(out, "{size:x}{extension}\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_as_http_wants_them() {
        for (micros, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777_000_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400_000_000, "Tue, 29 Feb 2000 00:00:00 GMT"),
        ] {
            assert_eq!(http_date(WallTime(micros)), text);
        }
    }

    #[test]
    fn a_good_head_parses_and_tells_its_framing() {
        for (end, line) in [
            (BodyEnd::Chunked, "transfer-encoding: chunked\r\n"),
            (BodyEnd::Length(12), "content-length: 12\r\n"),
            (BodyEnd::None, "content-length: 0\r\n"),
        ] {
            let head = Head {
                status: 200,
                content_type: Some("application/json"),
                headers: vec![("x-a".into(), "b".into())],
                end,
                keep: true,
                fault: None,
                size: None,
            };
            let bytes = head.bytes(WallTime(0));
            let mut headers = [httparse::EMPTY_HEADER; 16];
            let mut parsed = httparse::Response::new(&mut headers);
            assert!(parsed.parse(&bytes).unwrap().is_complete());
            assert!(String::from_utf8(bytes).unwrap().contains(line));
        }
    }
}
