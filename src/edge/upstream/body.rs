//! Carries a request body to a provider: whole from memory, or streamed as the client sends it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::edge::server::{RequestBody, RequestBroke};

/// A request body on its way to a provider.
#[derive(Debug)]
pub enum UpstreamBody {
    /// In memory: may be written again to another connection or route.
    Whole(Option<Bytes>),
    /// As the client sends it: can be sent once.
    Streamed(RequestBody, Arc<Upload>),
}

/// What is known of a streamed upload.
#[derive(Debug, Default)]
pub struct Upload {
    /// Bytes taken from the client.
    pub bytes: AtomicU64,
    /// Whether the client's side broke: its fault, not the provider's.
    pub client_failed: AtomicBool,
    /// Whether the next bytes are the client's to send.
    awaits_client: AtomicBool,
}

impl Upload {
    /// Bytes taken from the client so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether the next bytes are the client's to send.
    #[must_use]
    pub fn awaits_client(&self) -> bool {
        self.awaits_client.load(Ordering::Relaxed)
    }
}

impl UpstreamBody {
    /// A body in memory.
    #[must_use]
    pub fn whole(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = RequestBroke;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBroke>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streamed(incoming, upload) => {
                let polled = Pin::new(incoming).poll_frame(cx);
                upload
                    .awaits_client
                    .store(polled.is_pending(), Ordering::Relaxed);
                match &polled {
                    Poll::Ready(Some(Ok(frame))) => {
                        let length = frame.data_ref().map_or(0, Bytes::len);
                        upload.bytes.fetch_add(length as u64, Ordering::Relaxed);
                    }
                    Poll::Ready(Some(Err(_))) => {
                        upload.client_failed.store(true, Ordering::Relaxed);
                    }
                    _ => {}
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Streamed(incoming, _) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Streamed(incoming, _) => incoming.size_hint(),
        }
    }
}
