//! The body of a provider's answer, with the connection that brings it.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::Body as _;
use hyper::body::Incoming;

use super::chunk::Chunk;
use super::fault::BodyFault;
use super::pool::Lease;
use crate::edge::stamp::IoLog;
use crate::record::Moment;

/// An answer on its way from a provider. Dropped before its end, it closes its connection, and an
/// HTTP/1 provider sees that at once.
#[derive(Debug)]
pub struct AnswerBody {
    lease: Option<Lease>,
    /// Over HTTP/2: the body, and the log of a connection that it shares with others.
    shared: Option<(Incoming, IoLog)>,
}

impl AnswerBody {
    /// What comes on a connection of its own.
    pub(super) const fn own(lease: Lease) -> Self {
        Self {
            lease: Some(lease),
            shared: None,
        }
    }

    /// What comes on a connection that others share.
    pub(super) const fn shared(lease: Lease, incoming: Incoming, log: IoLog) -> Self {
        Self {
            lease: Some(lease),
            shared: Some((incoming, log)),
        }
    }

    /// The next piece; nothing at the end, or once the connection was given back or closed.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, BodyFault>>> {
        if let Some((incoming, log)) = &mut self.shared {
            return poll_shared(incoming, log, cx);
        }
        let Some(own) = self.lease.as_mut().and_then(Lease::own) else {
            return Poll::Ready(None);
        };
        own.poll_chunk(cx)
            .map(|polled| polled.map(|chunk| chunk.map_err(|broke| BodyFault::of(&broke))))
    }

    /// The next piece, waited for.
    pub async fn chunk(&mut self) -> Option<Result<Chunk, BodyFault>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Bytes that are still to come, where they are known.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match &self.shared {
            Some((incoming, _)) => incoming.size_hint().exact(),
            None => self.lease.as_ref().and_then(Lease::get_own)?.length(),
        }
    }

    /// Whether it is over, as far as it is known without reading on.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match &self.shared {
            Some((incoming, _)) => incoming.is_end_stream(),
            None => {
                let own = self.lease.as_ref().and_then(Lease::get_own);
                own.is_none_or(super::http1::Http1::is_over)
            }
        }
    }

    /// When the latest read of its connection was over; absent where others share that.
    #[must_use]
    pub fn last_read(&self) -> Option<Moment> {
        let own = self.lease.as_ref().and_then(Lease::get_own)?;
        Some(own.last_read())
    }

    /// Whether something came behind its end.
    #[must_use]
    pub fn has_more(&self) -> bool {
        let own = self.lease.as_ref().and_then(Lease::get_own);
        own.is_some_and(super::http1::Http1::has_more)
    }

    /// Gives the connection back after a whole answer. `keep_for` is the server's own word
    /// (`Keep-Alive: timeout=…`), where it gave one.
    pub fn finish(&mut self, keep_for: Option<Duration>) {
        if let Some(lease) = self.lease.take() {
            lease.finish(keep_for);
        }
    }

    /// Closes the connection: nothing more is read of it.
    pub fn close(&mut self) {
        self.lease = None;
    }
}

fn poll_shared(
    incoming: &mut Incoming,
    log: &IoLog,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Chunk, BodyFault>>> {
    let frame = std::task::ready!(Pin::new(incoming).poll_frame(cx));
    Poll::Ready(
        match frame.map(|frame| frame.map(http_body::Frame::into_data)) {
            // Trailers are hop-by-hop here: `Trailer`, which names them, stays too.
            None | Some(Ok(Err(_))) => None,
            Some(Ok(Ok(bytes))) => {
                let read = log.read_of(&bytes);
                Some(Ok(Chunk {
                    at: read.map_or_else(|| log.last_read(), |read| read.at),
                    read: read.map_or(0, |read| read.number),
                    bytes,
                }))
            }
            Some(Err(error)) => Some(Err(BodyFault::of_shared(&error))),
        },
    )
}
