//! A client on a bare socket, which sends what no library would send.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::case::Step;
use super::template::{Known, expand};

/// Longest wait for an answer, or for the close after it.
const PATIENCE: Duration = Duration::from_mins(1);

/// One answer as it came.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// What a client got on its connection.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) answers: Vec<Answer>,
    /// Interim answers (1xx).
    pub(crate) interim: Vec<u16>,
    /// Whether the server closed first.
    pub(crate) closed: bool,
    /// Whether the wait for an answer or a close was given up.
    pub(crate) gave_up: bool,
    /// Bytes that are no whole answer.
    pub(crate) rest: Vec<u8>,
}

impl Answer {
    /// The only value of a header; nothing where there is none or more than one.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fits = |line: &&str| {
            line.split_once(':')
                .is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        let mut found = self.head.lines().filter(fits);
        let (first, second) = (found.next(), found.next());
        let (_, value) = first.filter(|_| second.is_none())?.split_once(':')?;
        Some(value.trim())
    }

    /// Head and body as text.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.head, String::from_utf8_lossy(&self.body))
    }
}

/// Takes the steps on a new connection and reads `answers` answers; waits for the server's close
/// where `closes`, else closes first.
pub(crate) fn run(
    address: SocketAddr,
    steps: &[Step],
    known: &Known,
    answers: usize,
    closes: bool,
) -> Got {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut head_only = false;
    for step in steps {
        let bytes = match step {
            Step::Write(text) => expand(text, known),
            Step::Sized(head, body) => {
                let (mut head, body) = (expand(head, known), expand(body, known));
                head.extend_from_slice(
                    format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(),
                );
                head.extend_from_slice(&body);
                head
            }
            Step::Drip(text, pause) => {
                for byte in expand(text, known) {
                    // Who is cut off sees it when it reads.
                    if stream.write_all(&[byte]).is_err() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(*pause));
                }
                continue;
            }
            Step::Repeat(text, times) => {
                let bytes = expand(text, known);
                let _ = (0..*times).try_for_each(|_| stream.write_all(&bytes));
                continue;
            }
            Step::Pause(pause) => {
                std::thread::sleep(Duration::from_millis(*pause));
                continue;
            }
            Step::Reset => {
                let linger = Some(Duration::ZERO);
                socket2::SockRef::from(&stream).set_linger(linger).unwrap();
                return Got {
                    closed: true,
                    ..Got::default()
                };
            }
            Step::Finish => {
                let _ = stream.shutdown(Shutdown::Write);
                continue;
            }
        };
        head_only |= bytes.starts_with(b"HEAD ");
        // A server may answer and close before it has read everything.
        let _ = stream.write_all(&bytes);
    }
    listen(&mut stream, answers, closes, head_only)
}

fn listen(stream: &mut TcpStream, answers: usize, closes: bool, head_only: bool) -> Got {
    let mut got = Got::default();
    let mut left_open = false;
    let mut buffer = vec![0; 64 << 10];
    loop {
        if got.answers.len() >= answers && !closes && !left_open {
            left_open = true;
            let _ = stream.shutdown(Shutdown::Write);
        }
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => got.rest.extend_from_slice(&buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                got.gave_up = true;
                return got;
            }
            Err(_) => break,
        }
        while let Some((answer, used)) = parse(&got.rest, head_only) {
            got.rest.drain(..used);
            if (100..200).contains(&answer.status) && answer.status != 101 {
                got.interim.push(answer.status);
            } else {
                got.answers.push(answer);
            }
        }
    }
    got.closed = !left_open;
    got
}

/// One whole answer at the beginning of `bytes`, and its length.
fn parse(bytes: &[u8], head_only: bool) -> Option<(Answer, usize)> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer {
        status,
        head,
        body: Vec::new(),
    };
    if head_only || status < 200 || status == 204 || status == 304 {
        return Some((answer, end));
    }
    let chunked = answer.header("transfer-encoding") == Some("chunked");
    let (body, used) = if chunked {
        dechunk(&bytes[end..])?
    } else {
        let length = answer.header("content-length")?.parse().ok()?;
        (bytes[end..].get(..length)?.to_vec(), length)
    };
    answer.body = body;
    Some((answer, end + used))
}

/// A chunked body at the beginning of `bytes`, and its length on the wire.
pub(crate) fn dechunk(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = memchr::memmem::find(&bytes[at..], b"\r\n")?;
        let digits = std::str::from_utf8(&bytes[at..at + line]).ok()?;
        let size = usize::from_str_radix(digits, 16).ok()?;
        let start = at + line + 2;
        body.extend_from_slice(bytes.get(start..start + size)?);
        if bytes.get(start + size..start + size + 2)? != b"\r\n" {
            return None;
        }
        at = start + size + 2;
        if size == 0 {
            return Some((body, at));
        }
    }
}
