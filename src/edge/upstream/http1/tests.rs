//! Answers as bytes, honest, odd and hostile: what is read of each, however the network cuts them.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue, Uri};
use proptest::prelude::*;
use tokio::io::ReadBuf;

use super::*;
use crate::edge::upstream::outgoing::OutgoingBody;

/// A socket that gives these pieces, one a read, and then ends or breaks.
#[derive(Default)]
struct Played {
    pieces: VecDeque<Vec<u8>>,
    breaks: bool,
    written: Vec<u8>,
    /// Bytes that one write takes.
    takes: usize,
    /// Bytes after which nobody takes any more.
    deaf_after: Option<usize>,
}

impl AsyncRead for Played {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.pieces.pop_front() {
            Some(mut piece) => {
                let taken = piece.len().min(buf.remaining());
                buf.put_slice(&piece[..taken]);
                if taken < piece.len() {
                    self.pieces.push_front(piece.split_off(taken));
                }
                Poll::Ready(Ok(()))
            }
            None if self.breaks => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Played {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let left = self.deaf_after.map(|after| after - self.written.len());
        if left == Some(0) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = buf.len().min(self.takes).min(left.unwrap_or(usize::MAX));
        self.written.extend_from_slice(&buf[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What an answer is read as.
#[derive(Debug, PartialEq, Eq, Clone)]
enum Read {
    /// Status, body, and whether another may follow.
    Whole(u16, Vec<u8>, Next),
    /// Status, what came of a body, and what broke it.
    Part(u16, Vec<u8>, Fault),
    /// No head.
    Nothing(Fault),
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Next {
    Follows,
    None,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Fault {
    Closed,
    Io,
    Protocol,
}

impl From<Broke> for Fault {
    fn from(broke: Broke) -> Self {
        match broke {
            Broke::Closed => Self::Closed,
            Broke::Io(_) => Self::Io,
            Broke::Protocol(_) => Self::Protocol,
            Broke::Upload => panic!("there is no upload"),
        }
    }
}

fn request(method: Method, body: &[u8]) -> Outgoing {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("provider.example"));
    if !body.is_empty() {
        headers.insert("content-length", HeaderValue::from(body.len()));
    }
    Outgoing {
        method,
        target: Uri::from_static("/v1/x?y=z"),
        headers,
        body: OutgoingBody::Whole(Bytes::copy_from_slice(body)),
    }
}

fn ready<T>(polled: Poll<T>) -> T {
    match polled {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// Plays `pieces` as the answer to one request and reads it.
fn read(method: Method, pieces: Vec<Vec<u8>>, breaks: bool) -> Read {
    let played = Played {
        pieces: pieces
            .into_iter()
            .filter(|piece| !piece.is_empty())
            .collect(),
        breaks,
        takes: usize::MAX,
        ..Played::default()
    };
    exchange(
        &mut Http1::new(played, Clock::system()),
        request(method, b""),
    )
}

fn exchange(connection: &mut Http1<Played>, mut outgoing: Outgoing) -> Read {
    connection.begin(&outgoing);
    let cx = &mut Context::from_waker(Waker::noop());
    let head = match ready(connection.poll_head(&mut outgoing, cx)) {
        Ok(head) => head,
        Err(broke) => return Read::Nothing(broke.into()),
    };
    let status = head.status().as_u16();
    let mut body = Vec::new();
    let (mut last, announced) = (0, connection.length());
    loop {
        match ready(connection.poll_chunk(cx)) {
            Some(Ok(chunk)) => {
                assert!(!chunk.bytes.is_empty());
                assert!(chunk.read >= last && chunk.at == connection.last_read());
                last = chunk.read;
                body.extend_from_slice(&chunk.bytes);
            }
            Some(Err(broke)) => {
                assert!(ready(connection.poll_chunk(cx)).is_none() && !connection.is_free());
                return Read::Part(status, body, broke.into());
            }
            None => break,
        }
    }
    assert!(connection.is_over() && connection.length() == Some(0));
    assert!(announced.is_none_or(|length| length == body.len() as u64));
    let silent = connection.stream.pieces.is_empty();
    let next = if connection.is_free() && silent {
        Next::Follows
    } else {
        Next::None
    };
    Read::Whole(status, body, next)
}

const OK: &str = "HTTP/1.1 200 OK\r\n";

fn whole(body: &str, next: Next) -> Read {
    Read::Whole(200, body.into(), next)
}

fn part(body: &str, fault: Fault) -> Read {
    Read::Part(200, body.into(), fault)
}

/// Name, bytes, what is read of them.
static ANSWERS: LazyLock<Vec<(&str, String, Read)>> = LazyLock::new(answers);

#[rustfmt::skip]
fn answers() -> Vec<(&'static str, String, Read)> {
    use Fault::{Closed, Protocol};
    use Next::{Follows, None as Last};
    let none = || Read::Nothing(Protocol);
    let ok = |rest: &str| format!("{OK}{rest}");
    let chunked = |rest: &str| format!("{OK}transfer-encoding: chunked\r\n\r\n{rest}");
    let many = |count: usize| format!("{OK}{}content-length: 0\r\n\r\n", "a: b\r\n".repeat(count));
    let all = vec![
        // Lengths.
        (
            "a length",
            ok("content-length: 2\r\n\r\nok"),
            whole("ok", Follows),
        ),
        (
            "no byte",
            ok("Content-Length: 0\r\n\r\n"),
            whole("", Follows),
        ),
        (
            "bare line ends",
            "HTTP/1.1 200 OK\ncontent-length: 2\n\nok".to_owned(),
            whole("ok", Follows),
        ),
        (
            "no reason",
            "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n".to_owned(),
            whole("", Follows),
        ),
        (
            "blanks around a length",
            ok("content-length:  2 \r\n\r\nok"),
            whole("ok", Follows),
        ),
        (
            "bytes behind",
            ok("content-length: 2\r\n\r\nok!"),
            whole("ok", Last),
        ),
        (
            "an answer behind",
            ok("content-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n"),
            whole("ok", Last),
        ),
        (
            "too few bytes",
            ok("content-length: 3\r\n\r\nok"),
            part("ok", Closed),
        ),
        (
            "no body at all",
            ok("content-length: 3\r\n\r\n"),
            part("", Closed),
        ),
        (
            "a length twice",
            ok("content-length: 2\r\ncontent-length: 2\r\n\r\nok"),
            none(),
        ),
        (
            "two lengths",
            ok("content-length: 2\r\ncontent-length: 3\r\n\r\nok"),
            none(),
        ),
        (
            "a list of lengths",
            ok("content-length: 2, 2\r\n\r\nok"),
            none(),
        ),
        ("a sign", ok("content-length: +2\r\n\r\nok"), none()),
        ("below zero", ok("content-length: -2\r\n\r\nok"), none()),
        ("an empty length", ok("content-length:\r\n\r\nok"), none()),
        (
            "a length in hex",
            ok("content-length: 0x2\r\n\r\nok"),
            none(),
        ),
        (
            "a length beyond all",
            ok("content-length: 18446744073709551616\r\n\r\nok"),
            none(),
        ),
        (
            "the largest length",
            ok("content-length: 18446744073709551615\r\n\r\nok"),
            part("ok", Closed),
        ),
        // Chunks.
        (
            "chunks",
            chunked("2\r\nok\r\n1\r\n!\r\n0\r\n\r\n"),
            whole("ok!", Follows),
        ),
        ("no chunk", chunked("0\r\n\r\n"), whole("", Follows)),
        (
            "sizes in capitals and small",
            chunked("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
            whole("01234567890123456789", Follows),
        ),
        (
            "leading zeros",
            chunked("0002\r\nok\r\n000\r\n\r\n"),
            whole("ok", Follows),
        ),
        (
            "padded sizes",
            chunked("2  \r\nok\r\n0 \t\r\n\r\n"),
            whole("ok", Follows),
        ),
        (
            "extensions",
            chunked("2;a=b;c=\"d e\"\r\nok\r\n0;last\r\n\r\n"),
            whole("ok", Follows),
        ),
        (
            "trailers",
            chunked("2\r\nok\r\n0\r\nx-a: b\r\nx-c: d\r\n\r\n"),
            whole("ok", Follows),
        ),
        (
            "bytes behind the last",
            chunked("2\r\nok\r\n0\r\n\r\n!"),
            whole("ok", Last),
        ),
        (
            "coded in capitals",
            ok("Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n"),
            whole("", Follows),
        ),
        ("no end", chunked("2\r\nok\r\n"), part("ok", Closed)),
        (
            "half an end",
            chunked("2\r\nok\r\n0\r\n"),
            part("ok", Closed),
        ),
        ("half a chunk", chunked("5\r\nok"), part("ok", Closed)),
        ("half a size", chunked("5"), part("", Closed)),
        (
            "no size",
            chunked("\r\nok\r\n0\r\n\r\n"),
            part("", Protocol),
        ),
        (
            "a size that is none",
            chunked("2\r\nok\r\nzz\r\n"),
            part("ok", Protocol),
        ),
        (
            "a size with 0x",
            chunked("0x2\r\nok\r\n0\r\n\r\n"),
            part("", Protocol),
        ),
        (
            "a size below zero",
            chunked("-2\r\nok\r\n0\r\n\r\n"),
            part("", Protocol),
        ),
        (
            "a size beyond all",
            chunked("10000000000000000\r\nok"),
            part("", Protocol),
        ),
        (
            "the largest size",
            chunked("ffffffffffffffff\r\nok"),
            part("ok", Closed),
        ),
        (
            "digits behind blanks",
            chunked("2 2\r\nok\r\n0\r\n\r\n"),
            part("", Protocol),
        ),
        (
            "a bare line end behind a size",
            chunked("2\nok\r\n0\r\n\r\n"),
            part("", Protocol),
        ),
        (
            "a bare CR behind a size",
            chunked("2\rok\r\n0\r\n\r\n"),
            part("", Protocol),
        ),
        (
            "a line end in an extension",
            chunked("2;a\nb\r\nok\r\n0\r\n\r\n"),
            part("", Protocol),
        ),
        (
            "a longer chunk than it says",
            chunked("2\r\nokay\r\n0\r\n\r\n"),
            part("ok", Protocol),
        ),
        (
            "a bare line end behind a chunk",
            chunked("2\r\nok\n0\r\n\r\n"),
            part("ok", Protocol),
        ),
        (
            "a bare line end for all trailers",
            chunked("0\r\n\n"),
            part("", Protocol),
        ),
        (
            "a bare line end in a trailer",
            chunked("0\r\nx-a: b\n\r\n"),
            part("", Protocol),
        ),
        (
            "an endless size",
            chunked(&"0".repeat(17_000)),
            part("", Protocol),
        ),
        (
            "an endless extension",
            chunked(&format!("2;{}", "x".repeat(17_000))),
            part("", Protocol),
        ),
        (
            "endless trailers",
            chunked(&format!("0\r\n{}", "x: y\r\n".repeat(3_000))),
            part("", Protocol),
        ),
        // Both, and other codings.
        (
            "length and chunks",
            ok("content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
            none(),
        ),
        (
            "chunks and length",
            ok("transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n"),
            none(),
        ),
        (
            "chunked twice",
            ok("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
            none(),
        ),
        (
            "a list of codings",
            ok("transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            none(),
        ),
        (
            "another coding",
            ok("transfer-encoding: gzip\r\n\r\nok"),
            none(),
        ),
        (
            "no coding",
            ok("transfer-encoding: identity\r\n\r\nok"),
            none(),
        ),
        (
            "nearly chunked",
            ok("transfer-encoding: xchunked\r\n\r\n0\r\n\r\n"),
            none(),
        ),
        (
            "chunked with a comma",
            ok("transfer-encoding: ,chunked\r\n\r\n0\r\n\r\n"),
            none(),
        ),
        // Until the connection closes.
        ("until the end", ok("\r\nok"), whole("ok", Last)),
        ("nothing until the end", ok("\r\n"), whole("", Last)),
        // What the connection is for.
        (
            "the last one",
            ok("connection: close\r\ncontent-length: 2\r\n\r\nok"),
            whole("ok", Last),
        ),
        (
            "the last one, in a list",
            ok("connection: x, Close\r\ncontent-length: 2\r\n\r\nok"),
            whole("ok", Last),
        ),
        (
            "kept and closed",
            ok("connection: close\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n"),
            whole("", Last),
        ),
        (
            "kept",
            ok("connection: keep-alive\r\ncontent-length: 2\r\n\r\nok"),
            whole("ok", Follows),
        ),
        (
            "HTTP/1.0",
            "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned(),
            whole("ok", Last),
        ),
        (
            "HTTP/1.0, kept",
            "HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 2\r\n\r\nok".to_owned(),
            whole("ok", Follows),
        ),
        (
            "HTTP/1.0 in chunks",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            none(),
        ),
        // Statuses.
        (
            "204",
            "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            Read::Whole(204, vec![], Follows),
        ),
        (
            "204 of no length",
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n".to_owned(),
            Read::Whole(204, vec![], Follows),
        ),
        (
            "204 with a length",
            "HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n".to_owned(),
            Read::Whole(204, vec![], Last),
        ),
        (
            "204 with a body",
            "HTTP/1.1 204 No Content\r\n\r\nok".to_owned(),
            Read::Whole(204, vec![], Last),
        ),
        (
            "304 with a length",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\n".to_owned(),
            Read::Whole(304, vec![], Follows),
        ),
        (
            "304 in chunks",
            "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            Read::Whole(304, vec![], Last),
        ),
        (
            "an upgrade",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n".to_owned(),
            Read::Whole(101, vec![], Last),
        ),
        (
            "interim answers",
            format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n{OK}content-length: 2\r\n\r\nok"
            ),
            whole("ok", Follows),
        ),
        (
            "an interim answer alone",
            "HTTP/1.1 100 Continue\r\n\r\n".to_owned(),
            Read::Nothing(Closed),
        ),
        (
            "a status below all",
            "HTTP/1.1 099 Low\r\ncontent-length: 0\r\n\r\n".to_owned(),
            none(),
        ),
        (
            "a status of two digits",
            "HTTP/1.1 99 Low\r\n\r\n".to_owned(),
            none(),
        ),
        (
            "a status of letters",
            "HTTP/1.1 2x0 OK\r\n\r\n".to_owned(),
            none(),
        ),
        // Heads that are none.
        ("nothing", String::new(), Read::Nothing(Closed)),
        (
            "half a head",
            ok("content-length: 2\r\n"),
            Read::Nothing(Closed),
        ),
        (
            "another version",
            "HTTP/1.2 200 OK\r\n\r\n".to_owned(),
            none(),
        ),
        ("HTTP/2", "HTTP/2 200\r\n\r\n".to_owned(), none()),
        (
            "another protocol",
            "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
            none(),
        ),
        ("a page", "<html>\r\n\r\n".to_owned(), none()),
        (
            "a folded header",
            ok("x: a\r\n b\r\ncontent-length: 0\r\n\r\n"),
            none(),
        ),
        (
            "a header without a colon",
            ok("nothing\r\ncontent-length: 0\r\n\r\n"),
            none(),
        ),
        (
            "a blank before the colon",
            ok("content-length : 0\r\n\r\n"),
            none(),
        ),
        (
            "an empty name",
            ok(": x\r\ncontent-length: 0\r\n\r\n"),
            none(),
        ),
        (
            "a NUL in a value",
            ok("x: a\0b\r\ncontent-length: 0\r\n\r\n"),
            none(),
        ),
        (
            "a bare CR in a value",
            ok("x: a\rb\r\ncontent-length: 0\r\n\r\n"),
            none(),
        ),
        ("99 further headers", many(99), whole("", Follows)),
        ("100 further headers", many(100), none()),
        (
            "a head without an end",
            ok(&"a: b\r\n".repeat(12_000)),
            none(),
        ),
        (
            "a large head",
            ok(&format!(
                "x: {}\r\ncontent-length: 2\r\n\r\nok",
                "y".repeat(60_000)
            )),
            whole("ok", Follows),
        ),
        (
            "too large a head",
            ok(&format!(
                "x: {}\r\ncontent-length: 2\r\n\r\nok",
                "y".repeat(66_000)
            )),
            none(),
        ),
        (
            "endless interim answers",
            "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(10_000),
            none(),
        ),
    ];
    all
}

/// Every place where a short answer may be cut, and some of a long one.
fn places(length: usize) -> impl Iterator<Item = usize> {
    let step = if length < 1_000 { 1 } else { length / 20 };
    (0..=length).step_by(step)
}

#[test]
fn an_answer_is_read_alike_however_it_is_cut() {
    for (name, bytes, expected) in &*ANSWERS {
        let bytes = bytes.as_bytes();
        for cut in places(bytes.len()) {
            let (one, other) = bytes.split_at(cut);
            let read = read(Method::GET, vec![one.to_vec(), other.to_vec()], false);
            assert_eq!(read, *expected, "{name}, cut at {cut}");
        }
        let sizes: &[usize] = if bytes.len() < 20_000 {
            &[1, 2, 3, 7, 1_000]
        } else {
            &[1_000]
        };
        for &size in sizes {
            let pieces = bytes.chunks(size).map(<[u8]>::to_vec).collect();
            let read = read(Method::GET, pieces, false);
            assert_eq!(read, *expected, "{name}, in pieces of {size}");
        }
    }
}

#[test]
fn a_broken_connection_is_told_from_a_closed_one() {
    for (rest, expected) in [
        ("", Read::Nothing(Fault::Io)),
        ("content-length: 2\r\n\r\no", part("o", Fault::Io)),
        (
            "transfer-encoding: chunked\r\n\r\n1\r\no",
            part("o", Fault::Io),
        ),
        ("\r\no", part("o", Fault::Io)),
        ("content-length: 2\r\n\r\nok", whole("ok", Next::Follows)),
    ] {
        let pieces = vec![format!("{OK}{rest}").into_bytes()];
        assert_eq!(read(Method::GET, pieces, true), expected, "{rest:?}");
    }
}

#[test]
fn an_answer_to_head_has_no_body() {
    for (rest, next) in [
        ("content-length: 2\r\n\r\n", Next::Follows),
        ("transfer-encoding: chunked\r\n\r\n", Next::Follows),
        ("\r\n", Next::Follows),
        ("content-length: 2\r\n\r\nok", Next::None),
    ] {
        let pieces = vec![format!("{OK}{rest}").into_bytes()];
        let read = read(Method::HEAD, pieces, false);
        assert_eq!(read, Read::Whole(200, Vec::new(), next), "{rest:?}");
    }
}

#[test]
fn headers_are_what_came() {
    let mut reader = HeadReader::default();
    let text = format!("{OK}X-Some: a\r\nx-some:  b c \r\ncontent-length: 0\r\nX-\u{e9}: \r\n\r\n");
    assert!(
        reader
            .read(&mut BytesMut::from(text.as_bytes()), false)
            .is_err()
    );
    let text = text
        .replace("X-\u{e9}", "x-empty")
        .replace("b c", "b\u{e9}");
    let head = reader.read_last(&mut BytesMut::from(text.as_bytes()), false);
    let head = head.unwrap().unwrap();
    let values: Vec<_> = head.headers.get_all("x-some").iter().collect();
    assert_eq!(values, ["a".as_bytes(), "b\u{e9}".as_bytes()]);
    assert_eq!(head.headers["x-empty"], "");
}

#[test]
fn a_request_is_written_whole_however_little_a_write_takes() {
    let expected = "POST /v1/x?y=z HTTP/1.1\r\nhost: provider.example\r\n\
                    content-length: 5\r\n\r\nhello";
    for takes in 1..=expected.len() {
        let played = Played {
            pieces: [format!("{OK}content-length: 0\r\n\r\n").into_bytes()].into(),
            takes,
            ..Played::default()
        };
        let mut connection = Http1::new(played, Clock::system());
        let cx = &mut Context::from_waker(Waker::noop());
        let mut outgoing = request(Method::POST, b"hello");
        connection.begin(&outgoing);
        assert!(!connection.is_begun() && !connection.is_free());
        ready(connection.poll_head(&mut outgoing, cx)).unwrap();
        assert_eq!(connection.stream.written, expected.as_bytes(), "{takes}");
        let (began, last) = connection.written();
        assert!(began.is_some() && began <= last && connection.is_free());
        // And once more on the same connection.
        connection.stream.pieces = [format!("{OK}content-length: 0\r\n\r\n").into_bytes()].into();
        connection.stream.written.clear();
        connection.begin(&outgoing);
        ready(connection.poll_head(&mut outgoing, cx)).unwrap();
        assert_eq!(connection.stream.written, expected.as_bytes(), "{takes}");
    }
}

#[test]
fn an_answer_counts_although_its_request_was_not_taken() {
    for (answer, expected) in [
        ("content-length: 2\r\n\r\nno", whole("no", Next::None)),
        (
            "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            whole("", Next::None),
        ),
        ("\r\nno", whole("no", Next::None)),
    ] {
        let played = Played {
            pieces: [format!("{OK}{answer}").into_bytes()].into(),
            takes: usize::MAX,
            deaf_after: Some(90),
            ..Played::default()
        };
        let mut connection = Http1::new(played, Clock::system());
        let outgoing = request(Method::POST, &[b'x'; 1_000]);
        let read = exchange(&mut connection, outgoing);
        assert_eq!(read, expected, "{answer:?}");
        assert!(connection.is_begun() && connection.stream.written.len() == 90);
    }
}

#[test]
fn a_connection_that_takes_nothing_has_not_begun() {
    let mut connection = Http1::new(Played::default(), Clock::system());
    let mut outgoing = request(Method::POST, b"hello");
    connection.begin(&outgoing);
    let cx = &mut Context::from_waker(Waker::noop());
    let broke = ready(connection.poll_head(&mut outgoing, cx)).unwrap_err();
    assert!(matches!(broke, Broke::Io(_)) && !connection.is_begun());
}

fn cut(bytes: &[u8], places: &[usize]) -> Vec<Vec<u8>> {
    let mut places: Vec<_> = places.iter().map(|at| at % (bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let pairs = places.windows(2);
    pairs.map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn answers_are_read_alike_at_any_cuts(which in any::<usize>(), places in prop::collection::vec(any::<usize>(), 0..12)) {
        let (name, bytes, expected) = &ANSWERS[which % ANSWERS.len()];
        let read = read(Method::GET, cut(bytes.as_bytes(), &places), false);
        prop_assert_eq!(&read, expected, "{}", name);
    }

    #[test]
    fn chunks_give_back_what_was_put_into_them(
        chunks in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..80), "(;[a-z]{0,4})?"), 0..12),
        places in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let mut bytes = format!("{OK}transfer-encoding: chunked\r\n\r\n").into_bytes();
        let mut body = Vec::new();
        for (data, extension) in &chunks {
            bytes.extend_from_slice(format!("{:x}{extension}\r\n", data.len()).as_bytes());
            bytes.extend_from_slice(data);
            bytes.extend_from_slice(b"\r\n");
            body.extend_from_slice(data);
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        let read = read(Method::GET, cut(&bytes, &places), false);
        prop_assert_eq!(read, Read::Whole(200, body, Next::Follows));
    }

    #[test]
    fn whatever_comes_is_read_to_an_end(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        start in prop::sample::select(vec!["", OK, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"]),
        places in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        let bytes = [start.as_bytes(), &bytes].concat();
        let at_once = read(Method::GET, vec![bytes.clone()], false);
        prop_assert_eq!(read(Method::GET, cut(&bytes, &places), false), at_once);
    }
}
