//! Reads requests off a connection: heads, bodies by length and by chunks, one after another.

use std::io;

use bytes::{Buf, Bytes};

use crate::record::Moment;

use super::socket::Socket;

/// A request's head.
#[derive(Debug)]
pub(super) struct RequestHead {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) http10: bool,
    pub(super) first_byte_at: Moment,
}

/// How the length of a request's body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// That many bytes.
    Known(u64),
    /// By chunks.
    Chunked,
}

/// A request that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// The peer closed or broke the connection.
    Gone,
    /// Bytes that are not HTTP/1.
    Malformed,
    /// Larger than is taken.
    TooLarge,
}

impl From<io::Error> for Unreadable {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

const HEAD_BYTES_MAX: usize = 256 << 10;
const HEADERS_MAX: usize = 128;
const READ_BYTES: usize = 8 << 10;

/// Body of which more than this is not JSON is counted and not kept.
const COUNTED_BYTES: usize = 1 << 20;

impl RequestHead {
    /// Reads the next head.
    pub(super) async fn read(socket: &mut Socket) -> Result<Self, Unreadable> {
        loop {
            if !socket.inbox.is_empty()
                && let Some((head, used)) = parse(&socket.inbox, socket.inbox_since)?
            {
                socket.inbox.advance(used);
                return Ok(head);
            }
            if socket.inbox.len() > HEAD_BYTES_MAX {
                return Err(Unreadable::TooLarge);
            }
            if socket.fill(READ_BYTES).await? == 0 {
                return Err(Unreadable::Gone);
            }
        }
    }

    /// The first header of that name, in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Path without query.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or(&self.target)
    }

    /// How its body's length is told.
    pub(super) fn body_length(&self) -> Result<BodyLength, Unreadable> {
        if let Some(coding) = self.header("transfer-encoding") {
            let chunked = coding.trim().eq_ignore_ascii_case("chunked");
            return if chunked {
                Ok(BodyLength::Chunked)
            } else {
                Err(Unreadable::Malformed)
            };
        }
        match self.header("content-length") {
            None => Ok(BodyLength::Known(0)),
            Some(length) => match length.trim().parse() {
                Ok(length) => Ok(BodyLength::Known(length)),
                Err(_) => Err(Unreadable::Malformed),
            },
        }
    }

    /// Whether the client keeps the connection.
    pub(super) fn keeps(&self) -> bool {
        let word = self.header("connection").unwrap_or("");
        let has = |wanted: &str| {
            word.split(',')
                .any(|w| w.trim().eq_ignore_ascii_case(wanted))
        };
        if self.http10 {
            has("keep-alive")
        } else {
            !has("close")
        }
    }

    /// Whether the client waits for `100 Continue`.
    pub(super) fn expects_continue(&self) -> bool {
        let expect = self.header("expect");
        expect.is_some_and(|word| word.eq_ignore_ascii_case("100-continue"))
    }
}

fn parse(bytes: &[u8], since: Moment) -> Result<Option<(RequestHead, usize)>, Unreadable> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let used = match request.parse(bytes) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Unreadable::TooLarge),
        Err(_) => return Err(Unreadable::Malformed),
    };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let head = RequestHead {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        headers: request
            .headers
            .iter()
            .map(|header| (header.name.to_owned(), text(header.value)))
            .collect(),
        http10: request.version == Some(0),
        first_byte_at: since,
    };
    Ok(Some((head, used)))
}

/// A body, and how many bytes it had; what is only counted is not kept.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Its bytes, as far as they are kept.
    pub(super) bytes: Bytes,
    /// How many there were.
    pub(super) length: u64,
}

/// Reads a body; `keep` says whether its bytes are wanted.
pub(super) async fn read_body(
    socket: &mut Socket,
    length: BodyLength,
    keep: bool,
    most: u64,
) -> Result<Body, Unreadable> {
    match length {
        BodyLength::Known(length) if length > most => Err(Unreadable::TooLarge),
        BodyLength::Known(length) => read_known(socket, length, keep).await,
        BodyLength::Chunked => read_chunked(socket, keep, most).await,
    }
}

async fn read_known(socket: &mut Socket, length: u64, keep: bool) -> Result<Body, Unreadable> {
    let size = usize::try_from(length).map_err(|_| Unreadable::TooLarge)?;
    let here = size.min(socket.inbox.len());
    if here == size {
        // The usual case: the body came with the head.
        let bytes = socket.inbox.split_to(size).freeze();
        return Ok(Body { bytes, length });
    }
    let room = if keep { size } else { size.min(COUNTED_BYTES) };
    let mut bytes = Vec::with_capacity(room);
    bytes.extend_from_slice(&socket.inbox.split_to(here));
    let mut left = size - here;
    while left > 0 {
        if !keep && bytes.len() == bytes.capacity() {
            bytes.clear();
        }
        let most = left.min(bytes.capacity() - bytes.len());
        let read = socket.fill_body(&mut bytes, most).await?;
        if read == 0 {
            return Err(Unreadable::Gone);
        }
        left -= read;
    }
    let bytes = bytes.into();
    Ok(Body { bytes, length })
}

async fn read_chunked(socket: &mut Socket, keep: bool, most: u64) -> Result<Body, Unreadable> {
    let mut bytes = Vec::new();
    let mut length = 0;
    loop {
        let size = read_chunk_size(socket).await?;
        length += size;
        if length > most {
            return Err(Unreadable::TooLarge);
        }
        if size == 0 {
            skip_trailers(socket).await?;
            let bytes = Bytes::from(bytes);
            return Ok(Body { bytes, length });
        }
        let mut left = size as usize;
        while left > 0 {
            if socket.inbox.is_empty() && socket.fill(left.clamp(READ_BYTES, 1 << 20)).await? == 0 {
                return Err(Unreadable::Gone);
            }
            let piece = socket.inbox.split_to(left.min(socket.inbox.len()));
            left -= piece.len();
            if keep || bytes.len() < COUNTED_BYTES {
                bytes.extend_from_slice(&piece);
            }
        }
        expect_line_end(socket).await?;
    }
}

async fn read_chunk_size(socket: &mut Socket) -> Result<u64, Unreadable> {
    loop {
        match httparse::parse_chunk_size(&socket.inbox) {
            Ok(httparse::Status::Complete((used, size))) => {
                socket.inbox.advance(used);
                return Ok(size);
            }
            Ok(httparse::Status::Partial) if socket.inbox.len() < 1024 => {
                if socket.fill(READ_BYTES).await? == 0 {
                    return Err(Unreadable::Gone);
                }
            }
            Ok(_) | Err(_) => return Err(Unreadable::Malformed),
        }
    }
}

async fn expect_line_end(socket: &mut Socket) -> Result<(), Unreadable> {
    while socket.inbox.len() < 2 {
        if socket.fill(READ_BYTES).await? == 0 {
            return Err(Unreadable::Gone);
        }
    }
    if socket.inbox.starts_with(b"\r\n") {
        socket.inbox.advance(2);
        Ok(())
    } else {
        Err(Unreadable::Malformed)
    }
}

async fn skip_trailers(socket: &mut Socket) -> Result<(), Unreadable> {
    loop {
        if socket.inbox.starts_with(b"\r\n") {
            socket.inbox.advance(2);
            return Ok(());
        }
        if let Some(end) = memchr::memmem::find(&socket.inbox, b"\r\n\r\n") {
            socket.inbox.advance(end + 4);
            return Ok(());
        }
        if socket.inbox.len() > HEAD_BYTES_MAX {
            return Err(Unreadable::TooLarge);
        }
        if socket.fill(READ_BYTES).await? == 0 {
            return Err(Unreadable::Gone);
        }
    }
}
