//! The body of a provider's answer, with the connection that brings it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::pool::Lease;

/// An answer on its way from a provider. Dropped before its end, it closes its connection, and an
/// HTTP/1 provider sees that at once.
#[derive(Debug)]
pub struct AnswerBody {
    incoming: Incoming,
    lease: Option<Lease>,
}

impl AnswerBody {
    pub(super) const fn new(incoming: Incoming, lease: Lease) -> Self {
        Self {
            incoming,
            lease: Some(lease),
        }
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

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { incoming, lease } = self.get_mut();
        match lease {
            Some(lease) => lease.turn(cx, |cx| Pin::new(&mut *incoming).poll_frame(cx)),
            None => Pin::new(incoming).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
