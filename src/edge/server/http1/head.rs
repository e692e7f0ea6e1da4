//! Reads the heads of plain requests, and leaves every other one to the HTTP library.
//!
//! Plain is what nearly all clients send: GET or POST, HTTP/1.1, a path, a length or none. What
//! two readers could take in two ways is not.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use httparse::Status;

use crate::edge::known_names::KnownNames;
use crate::edge::server::limits::ConnectionLimits;

/// Headers of a plain request, at most.
const HEADERS_MAX: usize = 64;
/// Digits of a length that is read here, at most.
const LENGTH_DIGITS: usize = 15;

/// What the bytes so far begin with.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every one is plain, and none is kept: a box would be an allocation a request"
)]
#[derive(Debug)]
pub(super) enum Begun {
    /// A plain request.
    Plain(Plain),
    /// A head that has not come whole.
    Part,
    /// Something else.
    Other,
}

/// A plain request.
#[derive(Debug)]
pub(super) struct Plain {
    /// Its head.
    pub(super) request: Request<()>,
    /// Bytes of its head.
    pub(super) head: usize,
    /// Bytes of its body.
    pub(super) body: u64,
}

/// Reads the head at the beginning of `bytes`. Nothing is copied.
pub(super) fn read(bytes: &Bytes, names: &mut KnownNames, limits: &ConnectionLimits) -> Begun {
    let mut room = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    let head = match parsed.parse_with_uninit_headers(bytes, &mut room) {
        Ok(Status::Complete(head)) => head,
        Ok(Status::Partial) => return Begun::Part,
        Err(_) => return Begun::Other,
    };
    let is_small = head <= limits.header_bytes && parsed.headers.len() <= limits.headers;
    let plain = is_small
        .then(|| plain(bytes, &parsed, head, names))
        .flatten();
    plain.map_or(Begun::Other, Begun::Plain)
}

fn plain(
    bytes: &Bytes,
    parsed: &httparse::Request<'_, '_>,
    head: usize,
    names: &mut KnownNames,
) -> Option<Plain> {
    if parsed.version != Some(1) {
        return None;
    }
    let method = match parsed.method? {
        "POST" => Method::POST,
        "GET" => Method::GET,
        _ => return None,
    };
    let target = parsed.path.filter(|target| target.starts_with('/'))?;
    let mut length = None;
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for (place, header) in parsed.headers.iter().enumerate() {
        let name = names.at(place, header.name.as_bytes())?;
        match name.as_str() {
            "content-length" if length.is_some() => return None,
            "content-length" => length = Some(number(header.value)?),
            "connection" if !header.value.eq_ignore_ascii_case(b"keep-alive") => return None,
            "transfer-encoding" | "expect" | "upgrade" | "http2-settings" | "te" | "trailer" => {
                return None;
            }
            _ => {}
        }
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value)).ok()?;
        headers.append(name, value);
    }
    let target = bytes.slice_ref(target.as_bytes());
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from_maybe_shared(target).ok()?;
    *request.headers_mut() = headers;
    Some(Plain {
        request,
        head,
        body: length.unwrap_or(0),
    })
}

/// Digits and nothing else (RFC 9110, 8.6).
fn number(text: &[u8]) -> Option<u64> {
    let is_plain = (1..=LENGTH_DIGITS).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let digits = std::str::from_utf8(text).ok().filter(|_| is_plain)?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: ConnectionLimits = ConnectionLimits {
        request_headers: Duration::from_secs(1),
        idle: Duration::from_secs(1),
        write: Duration::from_secs(1),
        header_bytes: 300,
        headers: 8,
    };

    fn of(text: &str) -> Begun {
        read(
            &Bytes::copy_from_slice(text.as_bytes()),
            &mut KnownNames::default(),
            &LIMITS,
        )
    }

    #[test]
    fn plain_requests_are_taken() {
        for (text, length) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0),
            (
                "POST /v1/x?y=z HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
                5,
            ),
            (
                "POST /v1 HTTP/1.1\r\ncontent-length: 0070\r\nConnection: Keep-Alive\r\n\r\n",
                70,
            ),
        ] {
            let Begun::Plain(plain) = of(text) else {
                panic!("{text}");
            };
            assert_eq!(plain.body, length, "{text}");
            assert_eq!(plain.head, text.find("\r\n\r\n").unwrap() + 4, "{text}");
            let headers = plain.request.headers();
            assert_eq!(headers.len(), text.matches("\r\n").count() - 2, "{text}");
        }
    }

    #[test]
    fn the_rest_is_left_to_the_library() {
        for text in [
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: \r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 18446744073709551621\r\n\r\n",
            "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
            "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.1\r\nConnection: keep-alive, x\r\n\r\n",
            "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
            "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
            "GET / HTTP/1.1\r\nX : a\r\n\r\n",
            "GET / HTTP/1.1\r\na:1\r\nb:1\r\nc:1\r\nd:1\r\ne:1\r\nf:1\r\ng:1\r\nh:1\r\ni:1\r\n\r\n",
            "\u{16}\u{3}\u{1}\r\n\r\n",
        ] {
            assert!(matches!(of(text), Begun::Other), "{text:?}");
        }
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(300));
        assert!(matches!(of(&long), Begun::Other));
        assert!(matches!(of("GET / HTTP/1.1\r\nHost: a\r\n"), Begun::Part));
    }

    #[test]
    fn names_are_remembered_by_their_place() {
        let mut names = KnownNames::default();
        for text in [
            "GET / HTTP/1.1\r\nA: 1\r\nX-Long-Name: 2\r\n\r\n",
            "GET / HTTP/1.1\r\na: 1\r\nX-Other-Name: 2\r\nB: 3\r\n\r\n",
            "GET / HTTP/1.1\r\nx-long-name: 2\r\n\r\n",
        ] {
            let Begun::Plain(plain) = read(&Bytes::from(text), &mut names, &LIMITS) else {
                panic!("{text}");
            };
            let expected = text.to_lowercase();
            for (name, value) in plain.request.headers() {
                let line = format!("{}: {}\r\n", name, value.to_str().unwrap());
                assert!(expected.contains(&line), "{line}");
            }
        }
    }
}
