//! Serves plain HTTP/1.1 requests of one connection, one after the other; with anything else the
//! connection goes on in the HTTP library.
//!
//! A chunk of an answer is asked for and written in one turn of one task, from where it lies.

mod head;

mod outbound;

#[cfg(test)]
mod tests;

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, header};
use http_body::{Body, SizeHint};
use hyper::service::Service;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::limits::ConnectionLimits;
use super::request_body::{Feed, RequestBody, passage};
use super::seldom::Bell;
use crate::clock::Clock;
use crate::edge::known_names::KnownNames;
use head::{Begun, Plain};
use outbound::Outbound;

/// Room for a request: most come with one read.
const ROOM: usize = 8 * 1024;
/// Bytes of one read of a longer body, at most.
const PIECE: usize = 64 * 1024;
/// Bytes that are read of what a client says before its answer is over: to see that it is there.
const PEEK: usize = 128;

/// How serving by this codec ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    /// The connection is over.
    Whole,
    /// What came is not plain: see [`Http1::into_parts`].
    Beyond,
}

/// A connection whose requests are plain so far. It works only while it is polled; dropped, it is
/// closed, and what is at work on it, too.
pub(super) struct Http1<T, S: Service<Request<RequestBody>>, B> {
    io: T,
    service: S,
    limits: ConnectionLimits,
    clock: Clock,
    names: KnownNames,
    /// Read and not taken yet.
    buffer: BytesMut,
    call: Pin<Box<Option<S::Future>>>,
    work: Work<B>,
    /// The rest of the request's body, where it did not come at once.
    feed: Option<Feed>,
    out: Outbound,
    /// No further request is taken.
    closes: bool,
    /// The client has said that nothing more comes.
    is_silent: bool,
    /// Rung by a client that says something while its exchange is at work.
    bell: Bell,
}

enum Work<B> {
    /// Waits for a request.
    Idle,
    /// Waits for the service's answer.
    Called,
    /// Hands on the answer's body.
    Answering(B),
    /// Writes what is left of the answer.
    Ending,
    /// Closes the connection.
    Closing,
}

impl<T, S, B> Http1<T, S, B>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<RequestBody>, Response = Response<B>>,
    B: Body<Data = Bytes> + Unpin,
{
    /// A connection that was just opened.
    pub(super) fn new(io: T, service: S, limits: ConnectionLimits, clock: Clock) -> Self {
        Self {
            io,
            service,
            limits,
            clock,
            names: KnownNames::default(),
            buffer: BytesMut::new(),
            call: Box::pin(None),
            work: Work::Idle,
            feed: None,
            out: Outbound::new(),
            closes: false,
            is_silent: false,
            bell: Bell::new(),
        }
    }

    /// Has it end once the exchange at work is over.
    pub(super) fn close(&mut self) {
        self.closes = true;
    }

    /// The connection, what was read of it and not taken, and the service.
    pub(super) fn into_parts(self) -> (T, BytesMut, S) {
        (self.io, self.buffer, self.service)
    }

    /// Serves until the connection is over, or more than plain.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Served> {
        loop {
            let polled = match &self.work {
                Work::Idle => self.poll_idle(cx),
                Work::Called => self.poll_called(cx),
                Work::Answering(_) => self.poll_answering(cx),
                Work::Ending => self.poll_ending(cx),
                Work::Closing => {
                    let _ = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
                    return Poll::Ready(Served::Whole);
                }
            };
            match ready!(polled) {
                Ok(None) => {}
                Ok(Some(served)) => return Poll::Ready(served),
                // Nobody is there any more, or nobody may take what follows for the rest.
                Err(Over) => return Poll::Ready(Served::Whole),
            }
        }
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        if self.closes {
            self.work = Work::Closing;
            return Poll::Ready(Ok(None));
        }
        if self.buffer.is_empty() {
            if !ready!(self.fill(cx))? {
                self.work = Work::Closing;
            }
            return Poll::Ready(Ok(None));
        }
        let bytes = self.buffer.split().freeze();
        match head::read(&bytes, &mut self.names, &self.limits) {
            Begun::Plain(plain) => {
                self.begin(plain, bytes);
                Poll::Ready(Ok(None))
            }
            Begun::Part => {
                self.buffer = bytes.into();
                // What has come by now is looked at; a head in drips is the library's.
                match self.fill(cx)? {
                    Poll::Ready(true) => Poll::Ready(Ok(None)),
                    Poll::Ready(false) | Poll::Pending => Poll::Ready(Ok(Some(Served::Beyond))),
                }
            }
            Begun::Other => {
                self.buffer = bytes.into();
                Poll::Ready(Ok(Some(Served::Beyond)))
            }
        }
    }

    /// Hands a request over. `bytes` begins with it.
    fn begin(&mut self, plain: Plain, mut bytes: Bytes) {
        let Plain {
            request,
            head,
            body,
        } = plain;
        let mut rest = bytes.split_off(head);
        let body = if rest.len() as u64 >= body {
            let behind = rest.split_off(body as usize);
            if !behind.is_empty() {
                self.buffer = behind.into();
            }
            RequestBody::Whole(Some(rest).filter(|rest| !rest.is_empty()))
        } else {
            let (feed, rest) = passage(rest, body);
            self.feed = Some(feed);
            RequestBody::Rest(rest)
        };
        self.call
            .set(Some(self.service.call(request.map(|()| body))));
        self.work = Work::Called;
    }

    fn poll_called(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        loop {
            let fed = self.look(cx)?;
            let Some(call) = self.call.as_mut().as_pin_mut() else {
                return Poll::Ready(Err(Over));
            };
            match call.poll(cx) {
                Poll::Ready(answer) => {
                    self.call.set(None);
                    return Poll::Ready(self.answered(answer.map_err(|_| Over)?));
                }
                Poll::Pending if fed => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn answered(&mut self, answer: Response<B>) -> Turn {
        let (parts, body) = answer.into_parts();
        self.closes |= says_close(&parts.headers);
        let size = if body.is_end_stream() {
            SizeHint::with_exact(0)
        } else {
            body.size_hint()
        };
        self.out
            .begin(&parts, &size, self.closes, self.clock.wall());
        if self.out.is_bare() || body.is_end_stream() {
            self.out.end().map_err(|()| Over)?;
            self.work = Work::Ending;
        } else {
            self.work = Work::Answering(body);
        }
        Ok(None)
    }

    fn poll_answering(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        let Work::Answering(body) = &mut self.work else {
            return Poll::Ready(Ok(None));
        };
        let mut is_waiting = false;
        let mut is_over = false;
        while !(is_waiting || is_over || self.out.is_full()) {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => is_waiting = true,
                Poll::Ready(None) => is_over = true,
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(Over)),
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are hop-by-hop here.
                    if let Ok(data) = frame.into_data() {
                        self.out.push(data).map_err(|()| Over)?;
                    }
                    is_over = body.is_end_stream();
                }
            }
        }
        if is_over {
            self.out.end().map_err(|()| Over)?;
            self.work = Work::Ending;
            return Poll::Ready(Ok(None));
        }
        let written = self.out.poll(&mut self.io, cx).map_err(|_| Over)?;
        let fed = self.look(cx)?;
        if written.is_ready() && (fed || !is_waiting) {
            return Poll::Ready(Ok(None));
        }
        if self.buffer.is_empty() && self.buffer.capacity() > 0 {
            // A stream: the room would be kept for as long as it lasts.
            self.buffer = BytesMut::new();
        }
        Poll::Pending
    }

    fn poll_ending(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        if self
            .out
            .poll(&mut self.io, cx)
            .map_err(|_| Over)?
            .is_pending()
        {
            self.look(cx)?;
            return Poll::Pending;
        }
        // What of a request is still to come would be read as the next one.
        self.closes |= self.is_silent || self.feed.take().is_some_and(|feed| !feed.is_over());
        self.work = Work::Idle;
        Poll::Ready(Ok(None))
    }

    /// Looks at the client while its exchange is at work: takes in more of its request, or sees
    /// that it has gone. Says whether the service has something to read.
    fn look(&mut self, cx: &mut Context<'_>) -> Result<bool, Over> {
        if self.is_silent {
            return Ok(false);
        }
        let room = self.feed.as_ref().map_or(0, |feed| feed.room(cx));
        if room > 0 {
            return self.feed_on(room, cx);
        }
        // While something is left to be taken, nothing more is read.
        if !self.buffer.is_empty() || self.feed.as_ref().is_some_and(|feed| !feed.is_over()) {
            return Ok(false);
        }
        let mut bytes = [MaybeUninit::uninit(); PEEK];
        let mut bytes = ReadBuf::uninit(&mut bytes);
        let io = Pin::new(&mut self.io);
        match self.bell.ask(cx, |cx| io.poll_read(cx, &mut bytes)) {
            Poll::Pending => Ok(false),
            Poll::Ready(Err(_)) => Err(Over),
            Poll::Ready(Ok(())) if bytes.filled().is_empty() => Err(Over),
            Poll::Ready(Ok(())) => {
                // The next request, early.
                self.buffer.extend_from_slice(bytes.filled());
                Ok(false)
            }
        }
    }

    fn feed_on(&mut self, room: u64, cx: &mut Context<'_>) -> Result<bool, Over> {
        let Some(feed) = &self.feed else {
            return Ok(false);
        };
        self.bell.ring();
        let mut piece = BytesMut::with_capacity(room.min(PIECE as u64) as usize);
        let mut limited = (&mut self.io).take(room);
        match pin!(limited.read_buf(&mut piece)).poll(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(0)) => {
                feed.break_off();
                self.is_silent = true;
            }
            Poll::Ready(Ok(_)) => feed.give(piece.freeze()),
            Poll::Ready(Err(_)) => return Err(Over),
        }
        Ok(true)
    }

    /// Reads once; says whether the client still speaks.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Over>> {
        self.bell.ring();
        self.buffer.reserve(ROOM);
        let reading = pin!(self.io.read_buf(&mut self.buffer));
        let length = ready!(reading.poll(cx)).map_err(|_: io::Error| Over)?;
        Poll::Ready(Ok(length > 0))
    }
}

/// Nothing can follow on the connection.
struct Over;

/// One step: on, or the end of this codec's work.
type Turn = Result<Option<Served>, Over>;

fn says_close(headers: &HeaderMap) -> bool {
    let mut options = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}
