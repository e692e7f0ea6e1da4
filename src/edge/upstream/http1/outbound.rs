//! Writes a request: its head and what is in memory of its body in one write, an upload as it
//! comes.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, Method, Uri, header};
use http_body::Body as _;
use tokio::io::AsyncWrite;

use crate::clock::Clock;
use crate::edge::upstream::body::UpstreamBody;
use crate::record::Moment;

/// Room for the head of a request: nearly all fit.
const HEAD_USUAL: usize = 1024;

/// A request on its way, and how far it was written.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    /// Head, or framing before the next piece.
    frame: Vec<u8>,
    framed: usize,
    /// The piece of the body that comes behind it.
    piece: Bytes,
    upload: Option<Upload>,
    /// When the first write began, and when the last one was over.
    pub(super) began: Option<Moment>,
    pub(super) last: Option<Moment>,
    /// Whether a byte of it was written.
    pub(super) is_begun: bool,
    flushed: bool,
    /// The rest of it is left unwritten: nothing may follow.
    stopped: bool,
}

/// A body that is written as its client sends it.
#[derive(Debug)]
struct Upload {
    body: UpstreamBody,
    /// What is left of the length that was announced; chunked where none was.
    left: Option<u64>,
    /// Whether a chunk was begun, whose end is to come.
    in_chunk: bool,
}

/// Why a request could not be written to its end.
#[derive(Debug)]
pub(super) enum Unsent {
    /// The provider's side.
    Io(io::Error),
    /// The client's: its upload broke off.
    Client,
}

impl Outbound {
    /// Begins a request. Of `body` only what is in memory is taken: an upload is given with
    /// [`Self::follow`] once the connection has taken something.
    pub(super) fn begin(
        &mut self,
        method: &Method,
        target: &Uri,
        headers: &HeaderMap,
        whole: Option<Bytes>,
    ) {
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        frame.reserve(HEAD_USUAL);
        let chunked = whole.is_none() && !headers.contains_key(header::CONTENT_LENGTH);
        write_head(&mut frame, method, target, headers, chunked);
        *self = Self {
            frame,
            piece: whole.unwrap_or_default(),
            ..Self::default()
        };
    }

    /// Has `body` written behind the head.
    pub(super) fn follow(&mut self, body: UpstreamBody, length: Option<u64>) {
        self.upload = Some(Upload {
            body,
            left: length,
            in_chunk: false,
        });
    }

    /// Whether all of it was written.
    pub(super) fn is_over(&self) -> bool {
        self.flushed && !self.stopped && self.upload.is_none() && self.is_drained()
    }

    /// Whether nothing more of it will be written.
    pub(super) fn is_idle(&self) -> bool {
        self.stopped || self.is_over()
    }

    fn is_drained(&self) -> bool {
        self.framed == self.frame.len() && self.piece.is_empty()
    }

    /// Leaves the rest unwritten: nobody reads it.
    pub(super) fn stop(&mut self) {
        self.upload = None;
        self.piece = Bytes::new();
        self.stopped = true;
    }

    /// Writes as much as the socket takes and the client has sent.
    pub(super) fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        clock: &Clock,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Unsent>> {
        loop {
            while !self.is_drained() {
                ready!(self.poll_write(stream, clock, cx)).map_err(Unsent::Io)?;
            }
            match self.poll_upload(cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => {
                    ready!(Pin::new(&mut *stream).poll_flush(cx)).map_err(Unsent::Io)?;
                    self.flushed = true;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Err(())) => return Poll::Ready(Err(Unsent::Client)),
                Poll::Pending => {
                    // TLS may hold back what it was given.
                    ready!(Pin::new(&mut *stream).poll_flush(cx)).map_err(Unsent::Io)?;
                    return Poll::Pending;
                }
            }
        }
    }

    fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        clock: &Clock,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let began = self.began.unwrap_or_else(|| clock.now());
        let frame = &self.frame[self.framed..];
        let stream = Pin::new(stream);
        let polled = match (frame.is_empty(), self.piece.is_empty()) {
            (false, true) => stream.poll_write(cx, frame),
            (true, _) => stream.poll_write(cx, &self.piece),
            (false, false) => {
                let slices = [IoSlice::new(frame), IoSlice::new(&self.piece)];
                stream.poll_write_vectored(cx, &slices)
            }
        };
        let written = ready!(polled)?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.is_begun = true;
        self.began = Some(began);
        self.last = Some(clock.now());
        let of_frame = written.min(frame.len());
        self.framed += of_frame;
        self.piece.advance(written - of_frame);
        if self.piece.is_empty() {
            // It would hold on to the buffer that its client's bytes were read into.
            self.piece = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the next piece of the upload; says whether there is something to write.
    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, ()>> {
        let Some(upload) = &mut self.upload else {
            return Poll::Ready(Ok(false));
        };
        let data = loop {
            match ready!(Pin::new(&mut upload.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => break Some(data),
                    // Trailers are hop-by-hop here.
                    Err(_) => {}
                },
                Some(Err(_)) => return Poll::Ready(Err(())),
                None => break None,
            }
        };
        self.frame.clear();
        self.framed = 0;
        let chunk_end: &[u8] = if upload.in_chunk { b"\r\n" } else { b"" };
        match (data, &mut upload.left) {
            (Some(data), None) => {
                self.frame.extend_from_slice(chunk_end);
                // Into memory: it does not fail.
                let _ = write!(self.frame, "{:x}\r\n", data.len());
                self.piece = data;
                upload.in_chunk = true;
            }
            (None, None) => {
                self.frame.extend_from_slice(chunk_end);
                self.frame.extend_from_slice(b"0\r\n\r\n");
                self.upload = None;
            }
            (Some(data), Some(left)) => {
                *left = left.checked_sub(data.len() as u64).ok_or(())?;
                self.piece = data;
            }
            (None, Some(0)) => {
                self.upload = None;
                return Poll::Ready(Ok(false));
            }
            (None, Some(_)) => return Poll::Ready(Err(())),
        }
        Poll::Ready(Ok(true))
    }
}

/// The head of a request (RFC 9112, 3). Method, target and headers are of types that hold no line
/// ends.
fn write_head(
    into: &mut Vec<u8>,
    method: &Method,
    target: &Uri,
    headers: &HeaderMap,
    chunked: bool,
) {
    let target = target.path_and_query();
    let parts = [
        method.as_str(),
        " ",
        target.map_or("/", |target| target.as_str()),
        " HTTP/1.1\r\n",
    ];
    for part in parts {
        into.extend_from_slice(part.as_bytes());
    }
    for (name, value) in headers {
        into.extend_from_slice(name.as_str().as_bytes());
        into.extend_from_slice(b": ");
        into.extend_from_slice(value.as_bytes());
        into.extend_from_slice(b"\r\n");
    }
    if chunked {
        into.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    into.extend_from_slice(b"\r\n");
}
