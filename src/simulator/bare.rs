//! Reads answers off a bare socket and stamps every read: the measure by which a proxy is judged.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use crate::clock::Clock;
use crate::record::Moment;

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadEnd {
    /// As its framing says.
    Complete,
    /// By the end of the connection, as its framing says.
    Delimited,
    /// The connection was closed before the framing's end.
    Cut,
    /// The connection was reset.
    Reset,
    /// Nothing came for as long as is waited.
    Silence,
    /// Bytes that are not HTTP/1.1.
    Malformed,
}

/// One answer as it came.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Just before the request's write call.
    pub sent_at: Moment,
    /// Each socket read: when it returned, and how many bytes it brought.
    pub reads: Vec<(Moment, usize)>,
    /// The status.
    pub status: u16,
    /// Status line and headers; informational answers left out.
    pub head: Vec<u8>,
    /// The body, its chunk framing taken off.
    pub body: Vec<u8>,
    /// After each read that brought body bytes: when, and how long the body then was.
    pub body_reads: Vec<(Moment, usize)>,
    /// Number of chunks, where the body was chunked.
    pub chunks: usize,
    /// How it ended.
    pub end: ReadEnd,
    /// When that was seen.
    pub ended_at: Moment,
}

/// One server-sent event: when the read returned that completed it, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// When the event was complete.
    pub at: Moment,
    /// Where its bytes stand in the body, blank line included.
    pub range: Range<usize>,
}

impl Reading {
    /// The first header of that name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let text = std::str::from_utf8(&self.head).ok()?;
        text.split("\r\n").skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// When body byte `index` had come.
    pub fn byte_at(&self, index: usize) -> Option<Moment> {
        let place = self
            .body_reads
            .partition_point(|(_, length)| *length <= index);
        self.body_reads.get(place).map(|(at, _)| *at)
    }

    /// The events of the body that have data, in order; lines may end with LF, CRLF or CR.
    pub fn events(&self) -> Vec<Arrival> {
        let mut events = Vec::new();
        let (mut from, mut at, mut has_data) = (0, 0, false);
        while let Some((line, next)) = line_end(&self.body, at) {
            let text = &self.body[at..line];
            has_data |= text.starts_with(b"data");
            if text.is_empty() {
                if has_data && let Some(moment) = self.byte_at(next - 1) {
                    events.push(Arrival {
                        at: moment,
                        range: from..next,
                    });
                }
                (from, has_data) = (next, false);
            }
            at = next;
        }
        events
    }
}

/// The end of the line that begins at `from`, and the beginning of the next.
fn line_end(body: &[u8], from: usize) -> Option<(usize, usize)> {
    let rest = body.get(from..)?;
    let end = memchr::memchr2(b'\n', b'\r', rest)?;
    let pair = rest[end] == b'\r' && rest.get(end + 1) == Some(&b'\n');
    Some((from + end, from + end + 1 + usize::from(pair)))
}

/// A connection that is used for one exchange after another.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    clock: Clock,
    inbox: Vec<u8>,
    buffer: Vec<u8>,
}

/// How long silence is borne.
const SILENCE: Duration = Duration::from_secs(30);

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        Ok(Self {
            stream,
            clock: Clock::system(),
            inbox: Vec::new(),
            buffer: vec![0; 64 << 10],
        })
    }

    /// Bears silence for that long instead of 30 s.
    pub fn silence(&self, limit: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(limit))
    }

    /// The socket, for whoever wants to break it.
    pub const fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends a request and reads its answer to the end.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Reading> {
        let sent_at = self.clock.now();
        self.stream.write_all(request)?;
        Ok(self.read(sent_at, has_no_body(request), usize::MAX))
    }

    /// Sends a request and reads until the body has `bytes`, or to the end.
    pub fn exchange_until(&mut self, request: &[u8], bytes: usize) -> io::Result<Reading> {
        let sent_at = self.clock.now();
        self.stream.write_all(request)?;
        Ok(self.read(sent_at, has_no_body(request), bytes))
    }

    /// Reads one answer, to a request that was sent before.
    pub fn read(&mut self, sent_at: Moment, no_body: bool, bytes: usize) -> Reading {
        let mut reading = Reading {
            sent_at,
            reads: Vec::new(),
            status: 0,
            head: Vec::new(),
            body: Vec::new(),
            body_reads: Vec::new(),
            chunks: 0,
            end: ReadEnd::Complete,
            ended_at: sent_at,
        };
        let mut decoder = Decoder::Head;
        loop {
            let before = reading.body.len();
            let state = decoder.step(&mut self.inbox, &mut reading, no_body);
            if reading.body.len() > before {
                let at = reading.reads.last().map_or(sent_at, |(at, _)| *at);
                reading.body_reads.push((at, reading.body.len()));
            }
            let full = reading.body.len() >= bytes;
            let end = match state {
                Step::Done => Some(ReadEnd::Complete),
                Step::Malformed => Some(ReadEnd::Malformed),
                Step::More if full => Some(ReadEnd::Complete),
                Step::More => self.fill(&mut reading, &decoder),
            };
            if let Some(end) = end {
                reading.end = end;
                reading.ended_at = self.clock.now();
                return reading;
            }
        }
    }

    /// Reads once; says how the answer ended, if it did.
    fn fill(&mut self, reading: &mut Reading, decoder: &Decoder) -> Option<ReadEnd> {
        let result = self.stream.read(&mut self.buffer);
        let at = self.clock.now();
        match result {
            Ok(0) if matches!(decoder, Decoder::Close) => Some(ReadEnd::Delimited),
            Ok(0) => Some(ReadEnd::Cut),
            Ok(count) => {
                reading.reads.push((at, count));
                self.inbox.extend_from_slice(&self.buffer[..count]);
                None
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => None,
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Some(ReadEnd::Silence),
                _ => Some(ReadEnd::Reset),
            },
        }
    }
}

/// Sends a request on a connection of its own, and reads the answer to its end.
pub fn stream(address: SocketAddr, request: &[u8]) -> io::Result<Reading> {
    Connection::open(address)?.exchange(request)
}

/// A POST of JSON, as bytes; `headers` are whole lines with their CRLF.
#[must_use]
pub fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         {headers}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A GET, as bytes.
#[must_use]
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

fn has_no_body(request: &[u8]) -> bool {
    request.starts_with(b"HEAD ")
}

/// Where in an answer the reader stands.
#[derive(Debug)]
enum Decoder {
    Head,
    Length(usize),
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    Trailers,
    Close,
}

enum Step {
    More,
    Done,
    Malformed,
}

impl Decoder {
    /// Takes what it can out of the inbox.
    fn step(&mut self, inbox: &mut Vec<u8>, reading: &mut Reading, no_body: bool) -> Step {
        let mut used = 0;
        let step = loop {
            let rest = &inbox[used..];
            match self.once(rest, reading, no_body) {
                Ok((0, None)) => break Step::More,
                Ok((count, None)) => used += count,
                Ok((count, Some(step))) => {
                    used += count;
                    break step;
                }
                Err(()) => break Step::Malformed,
            }
        };
        inbox.drain(..used);
        step
    }

    /// Takes one thing: how many bytes it had, and whether the answer ended with it.
    fn once(
        &mut self,
        rest: &[u8],
        reading: &mut Reading,
        no_body: bool,
    ) -> Result<(usize, Option<Step>), ()> {
        match self {
            Self::Head => self.head(rest, reading, no_body),
            Self::Length(left) => {
                let count = rest.len().min(*left);
                reading.body.extend_from_slice(&rest[..count]);
                *left -= count;
                Ok((count, (*left == 0).then_some(Step::Done)))
            }
            Self::Close => {
                reading.body.extend_from_slice(rest);
                Ok((rest.len(), None))
            }
            Self::ChunkSize => match httparse::parse_chunk_size(rest) {
                Ok(httparse::Status::Complete((used, 0))) => {
                    *self = Self::Trailers;
                    Ok((used, None))
                }
                Ok(httparse::Status::Complete((used, size))) => {
                    reading.chunks += 1;
                    *self = Self::Chunk(usize::try_from(size).map_err(drop)?);
                    Ok((used, None))
                }
                Ok(httparse::Status::Partial) => Ok((0, None)),
                Err(_) => Err(()),
            },
            Self::Chunk(left) => {
                let count = rest.len().min(*left);
                reading.body.extend_from_slice(&rest[..count]);
                *left -= count;
                if *left == 0 {
                    *self = Self::ChunkEnd;
                }
                Ok((count, None))
            }
            Self::ChunkEnd => self.chunk_end(rest),
            Self::Trailers => match rest {
                [b'\r', b'\n', ..] => Ok((2, Some(Step::Done))),
                [] | [b'\r'] => Ok((0, None)),
                _ => {
                    let end = memchr::memmem::find(rest, b"\r\n");
                    Ok((end.map_or(0, |end| end + 2), None))
                }
            },
        }
    }

    fn chunk_end(&mut self, rest: &[u8]) -> Result<(usize, Option<Step>), ()> {
        match rest {
            [] | [b'\r'] => Ok((0, None)),
            [b'\r', b'\n', ..] => {
                *self = Self::ChunkSize;
                Ok((2, None))
            }
            _ => Err(()),
        }
    }

    fn head(
        &mut self,
        rest: &[u8],
        reading: &mut Reading,
        no_body: bool,
    ) -> Result<(usize, Option<Step>), ()> {
        let mut headers = vec![httparse::EMPTY_HEADER; 1024];
        let mut response = httparse::Response::new(&mut headers);
        let used = match response.parse(rest).map_err(drop)? {
            httparse::Status::Partial => return Ok((0, None)),
            httparse::Status::Complete(used) => used,
        };
        let status = response.code.unwrap_or(0);
        if (100..200).contains(&status) && status != 101 {
            return Ok((used, None));
        }
        reading.status = status;
        reading.head = rest[..used].to_vec();
        let value = |name: &str| {
            let header = response
                .headers
                .iter()
                .find(|h| h.name.eq_ignore_ascii_case(name));
            header.and_then(|header| std::str::from_utf8(header.value).ok())
        };
        *self = if value("transfer-encoding").is_some() {
            Self::ChunkSize
        } else {
            match value("content-length") {
                None => Self::Close,
                Some(length) => Self::Length(length.trim().parse().map_err(drop)?),
            }
        };
        let empty = no_body || matches!(status, 101 | 204 | 304) || matches!(self, Self::Length(0));
        Ok((used, empty.then_some(Step::Done)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> (Reading, bool) {
        let mut reading = Reading {
            sent_at: Moment(0),
            reads: Vec::new(),
            status: 0,
            head: Vec::new(),
            body: Vec::new(),
            body_reads: Vec::new(),
            chunks: 0,
            end: ReadEnd::Complete,
            ended_at: Moment(0),
        };
        let (mut decoder, mut inbox) = (Decoder::Head, Vec::new());
        let mut done = false;
        for (at, piece) in pieces.iter().enumerate() {
            inbox.extend_from_slice(piece.as_bytes());
            done = matches!(decoder.step(&mut inbox, &mut reading, false), Step::Done);
            reading
                .body_reads
                .push((Moment(at as u64), reading.body.len()));
        }
        (reading, done)
    }

    #[test]
    fn framings_are_taken_off() {
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        for (pieces, body, done) in [
            (
                &[chunked, "3\r\nabc\r\n1;x=y\r\nd\r\n0\r\na: b\r\n\r\n"][..],
                "abcd",
                true,
            ),
            (
                &[chunked, "3\r\na", "bc", "\r", "\n0\r\n", "\r\n"],
                "abc",
                true,
            ),
            (&[chunked, "3\r\nabc\r\n"], "abc", false),
            (
                &["HTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"],
                "hi",
                true,
            ),
            (&["HTTP/1.1 204 No\r\n\r\n"], "", true),
            (&["HTTP/1.1 200 OK\r\n\r\nhi"], "hi", false),
        ] {
            let (reading, ended) = read(pieces);
            assert_eq!((reading.text().as_str(), ended), (body, done), "{pieces:?}");
        }
    }

    #[test]
    fn events_carry_the_moment_of_their_last_byte() {
        let (reading, _) = read(&[
            "HTTP/1.1 200 OK\r\n\r\n",
            ": comment\n\ndata: 1\n",
            "\ndata: 2\r\n\r\ndata",
            ": 3\r\r",
        ]);
        let events = reading.events();
        let at: Vec<u64> = events.iter().map(|event| event.at.0).collect();
        assert_eq!(at, [2, 2, 3]);
        let texts: Vec<_> = events
            .iter()
            .map(|event| String::from_utf8_lossy(&reading.body[event.range.clone()]).into_owned())
            .collect();
        assert_eq!(texts, ["data: 1\n\n", "data: 2\r\n\r\n", "data: 3\r\r"]);
    }
}
