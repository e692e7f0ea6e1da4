//! Speaks HTTP/1.1 to a provider, on one connection, one exchange at a time.
//!
//! It is driven by whoever waits for it, so that a chunk is read, looked at and written on in one
//! turn of one task, and it knows of every byte which read brought it.

mod chunked;

mod head;

mod outbound;

#[cfg(test)]
mod tests;

use std::pin::pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::{Method, Response};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use super::chunk::Chunk;
use super::fault::Broke;
use super::outgoing::Outgoing;
use super::socket::Stream;
use crate::clock::Clock;
use crate::record::Moment;
use chunked::Piece;
use head::{Framing, Head, HeadReader};
use outbound::{Outbound, Unsent};

/// Room for one read: a large body gets more, up to [`ROOM_MAX`].
const ROOM: usize = 8 * 1024;
const ROOM_MAX: usize = 64 * 1024;

/// An HTTP/1.1 connection: it works only while somebody waits for it. Dropped, it is closed.
pub(super) struct Http1<S = Stream> {
    stream: S,
    clock: Clock,
    outbound: Outbound,
    /// What was read and not taken yet: all of it came with the latest read.
    buffer: BytesMut,
    room: usize,
    /// Whether the buffer may be larger than an idle connection should hold.
    grown: bool,
    heads: HeadReader,
    to_head: bool,
    /// What is left of the body; nothing before its head and after its end.
    body: Option<Framing>,
    /// Whether the answer, and what the provider says with it, let another request follow.
    keeps: bool,
    reads: u64,
    last_read: Moment,
}

impl<S> std::fmt::Debug for Http1<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never what is in its buffer.
        f.write_str("Http1")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http1<S> {
    /// A connection that was just opened.
    pub(super) fn new(stream: S, clock: Clock) -> Self {
        Self {
            stream,
            clock,
            outbound: Outbound::default(),
            buffer: BytesMut::new(),
            room: ROOM,
            grown: false,
            heads: HeadReader::default(),
            to_head: false,
            body: None,
            keeps: true,
            reads: 0,
            last_read: Moment::default(),
        }
    }

    /// Begins an exchange. An upload stays in `outgoing` until the connection has taken a byte.
    pub(super) fn begin(&mut self, outgoing: &Outgoing) {
        let Outgoing {
            method,
            target,
            headers,
            body,
        } = outgoing;
        self.outbound.begin(method, target, headers, body.whole());
        self.heads.begin();
        self.to_head = *method == Method::HEAD;
        self.keeps = false;
    }

    /// Writes the request and waits for the head of its answer, which may come before all of the
    /// request is written.
    pub(super) fn poll_head(
        &mut self,
        outgoing: &mut Outgoing,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<()>, Broke>> {
        self.write(cx)?;
        if self.outbound.is_begun
            && let Some((body, length)) = outgoing.body.take_upload()
        {
            self.outbound.follow(body, length);
            self.write(cx)?;
        }
        loop {
            let head = self.heads.read(&mut self.buffer, self.to_head);
            if let Some(head) = head.map_err(Broke::Protocol)? {
                return Poll::Ready(Ok(self.answered(head)));
            }
            if !ready!(self.fill(cx))? {
                // What is no head is so also where it has no end.
                let head = self.heads.read_last(&mut self.buffer, self.to_head);
                return Poll::Ready(head.map_err(Broke::Protocol).and(Err(Broke::Closed)));
            }
        }
    }

    fn answered(&mut self, head: Head) -> Response<()> {
        let Head {
            status,
            headers,
            framing,
            keeps,
        } = head;
        self.body = Some(framing).filter(|framing| !matches!(framing, Framing::Length(0)));
        self.keeps = keeps;
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// The next piece of the answer's body: all that came of it with one read, or of one chunk.
    pub(super) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Chunk, Broke>>> {
        let polled = self.poll_body(cx);
        if !matches!(polled, Poll::Pending | Poll::Ready(Some(Ok(_)))) {
            self.body = None;
            self.keeps &= matches!(polled, Poll::Ready(None));
        }
        polled
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Broke>>> {
        // What is left of an upload, where its answer came early.
        self.write(cx)?;
        loop {
            let empty = self.buffer.is_empty();
            let bytes = match &mut self.body {
                None => return Poll::Ready(None),
                Some(Framing::Length(left)) if !empty => {
                    let here = self.buffer.len();
                    let length = usize::try_from(*left).map_or(here, |left| left.min(here));
                    *left -= length as u64;
                    if *left == 0 {
                        self.body = None;
                    }
                    Some(self.buffer.split_to(length).freeze())
                }
                Some(Framing::Chunked(chunked)) => {
                    match chunked.next(&mut self.buffer).map_err(Broke::Protocol)? {
                        Piece::Data(bytes) => Some(bytes),
                        Piece::More => None,
                        Piece::End => return Poll::Ready(None),
                    }
                }
                Some(Framing::UntilClose) if !empty => Some(self.buffer.split().freeze()),
                Some(Framing::Length(_) | Framing::UntilClose) => None,
            };
            if let Some(bytes) = bytes {
                return Poll::Ready(Some(Ok(self.chunk(bytes))));
            }
            if !ready!(self.fill(cx))? {
                let whole = matches!(self.body, Some(Framing::UntilClose));
                return Poll::Ready((!whole).then_some(Err(Broke::Closed)));
            }
        }
    }

    const fn chunk(&self, bytes: Bytes) -> Chunk {
        Chunk {
            bytes,
            at: self.last_read,
            read: self.reads,
        }
    }

    /// Writes what can be written of the request. Where the provider takes no more, the rest is
    /// left, and its answer waited for: it may have said why.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Broke> {
        if self.outbound.is_idle() {
            return Ok(());
        }
        let polled = self.outbound.poll(&mut self.stream, &self.clock, cx);
        match polled {
            Poll::Pending | Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(Unsent::Client)) => Err(Broke::Upload),
            Poll::Ready(Err(Unsent::Io(error))) if !self.outbound.is_begun => Err(Broke::Io(error)),
            Poll::Ready(Err(Unsent::Io(_))) => {
                self.outbound.stop();
                Ok(())
            }
        }
    }

    /// Reads once; says whether the connection is still open.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Broke>> {
        if self.buffer.capacity() - self.buffer.len() < self.room / 2 {
            self.buffer.reserve(self.room);
            self.grown |= self.room > ROOM;
        }
        let spare = self.buffer.capacity() - self.buffer.len();
        let reading = pin!(self.stream.read_buf(&mut self.buffer));
        let length = ready!(reading.poll(cx)).map_err(Broke::Io)?;
        if length == 0 {
            return Poll::Ready(Ok(false));
        }
        self.last_read = self.clock.now();
        self.reads += 1;
        self.room = match length {
            length if length == spare => (self.room * 2).min(ROOM_MAX),
            length if length < self.room / 2 => (self.room / 2).max(ROOM),
            _ => self.room,
        };
        Poll::Ready(Ok(true))
    }

    /// When its first write began, and when the latest was over.
    pub(super) const fn written(&self) -> (Option<Moment>, Option<Moment>) {
        (self.outbound.began, self.outbound.last)
    }

    /// Whether a byte of the request was written.
    pub(super) const fn is_begun(&self) -> bool {
        self.outbound.is_begun
    }

    /// When the latest read was over.
    pub(super) const fn last_read(&self) -> Moment {
        self.last_read
    }

    /// Bytes that are left of the body, where they are known.
    pub(super) const fn length(&self) -> Option<u64> {
        match &self.body {
            None => Some(0),
            Some(Framing::Length(left)) => Some(*left),
            Some(_) => None,
        }
    }

    /// Whether the body is over, as far as it is known without reading on.
    pub(super) const fn is_over(&self) -> bool {
        self.body.is_none()
    }

    /// Whether something came behind the end of the answer.
    pub(super) fn has_more(&self) -> bool {
        self.body.is_none() && !self.buffer.is_empty()
    }

    /// Whether another request may follow, as far as this side knows.
    pub(super) fn is_free(&self) -> bool {
        self.keeps && self.body.is_none() && self.outbound.is_over() && self.buffer.is_empty()
    }

    /// Lets go of what a large answer needed.
    pub(super) fn rest(&mut self) {
        if std::mem::take(&mut self.grown) {
            self.buffer = BytesMut::new();
        }
        self.room = ROOM;
    }
}

impl Http1 {
    /// Whether another request may follow: the connection is open and silent, as far as the kernel
    /// knows at this moment. What came meanwhile and is no answer (a TLS ticket) is taken in first.
    pub(super) fn is_reusable(&mut self) -> bool {
        if !self.is_free() {
            return false;
        }
        let silent = match self.stream {
            Stream::Plain(_) | Stream::Pipe(_) => true,
            Stream::Tls(_) => {
                let cx = &mut Context::from_waker(Waker::noop());
                self.fill(cx).is_pending()
            }
        };
        silent && self.stream.is_quiet()
    }
}
