//! The body of a client's request on its way to whoever reads it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::runtime::Handle;

/// The body of a request.
#[derive(Debug)]
pub enum RequestBody {
    /// All of it: it came with its head, or at once behind it.
    Whole(Option<Bytes>),
    /// The rest is still to come on a connection of ours.
    Rest(Rest),
    /// The HTTP library reads it, over HTTP/2.
    Library(OfStream),
}

/// The body of a request over HTTP/2. What is left of it when nobody wants it any more is read away
/// for a while: of a stream that is reset while its client still sends, several clients (curl among
/// them) lose the answer too, though RFC 9113, 8.1, says that they must not.
#[derive(Debug)]
pub struct OfStream(Option<Incoming>);

/// How much is read away, and for how long.
const READ_AWAY: usize = 1 << 20;
const READ_AWAY_FOR: Duration = Duration::from_secs(5);

impl From<Incoming> for OfStream {
    fn from(body: Incoming) -> Self {
        Self(Some(body))
    }
}

impl Drop for OfStream {
    fn drop(&mut self) {
        let left = self.0.take().filter(|body| !body.is_end_stream());
        if let (Some(body), Ok(runtime)) = (left, Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(READ_AWAY_FOR, read_away(body)));
        }
    }
}

async fn read_away(mut body: Incoming) {
    let mut left = READ_AWAY;
    while let Some(Ok(frame)) = body.frame().await {
        let read = frame.data_ref().map_or(0, Bytes::len);
        left = left.saturating_sub(read);
        if left == 0 {
            return;
        }
    }
}

/// Why a body cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum RequestBroke {
    /// The library says so.
    #[error(transparent)]
    Library(#[from] hyper::Error),
    /// The client closed the connection before.
    #[error("the connection was closed before the end of the body")]
    Closed,
}

/// The reader's end of a body that is still coming.
#[derive(Debug)]
pub struct Rest(Arc<Mutex<Passage>>);

/// The connection's end of it.
#[derive(Debug)]
pub(super) struct Feed(Arc<Mutex<Passage>>);

/// One piece at a time: the socket is read again when it was taken.
#[derive(Debug)]
struct Passage {
    piece: Option<Bytes>,
    /// Bytes that the reader has not been given yet, the piece among them.
    left: u64,
    is_broken: bool,
    is_left_alone: bool,
    reader: Option<Waker>,
    connection: Option<Waker>,
}

/// Both ends of a body of `length` bytes, of which `first` has come.
pub(super) fn passage(first: Bytes, length: u64) -> (Feed, Rest) {
    let passage = Arc::new(Mutex::new(Passage {
        piece: Some(first).filter(|first| !first.is_empty()),
        left: length,
        is_broken: false,
        is_left_alone: false,
        reader: None,
        connection: None,
    }));
    (Feed(Arc::clone(&passage)), Rest(passage))
}

fn lock(passage: &Mutex<Passage>) -> MutexGuard<'_, Passage> {
    passage.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    /// How many bytes may be read now; nothing while the reader has not taken what came before,
    /// or has no use for more. The connection is woken when that changes.
    pub(super) fn room(&self, cx: &Context<'_>) -> u64 {
        let mut passage = lock(&self.0);
        if passage.is_left_alone || passage.is_broken {
            return 0;
        }
        if passage.piece.is_some() {
            passage.connection = Some(cx.waker().clone());
            return 0;
        }
        passage.left
    }

    /// Gives the next piece: no more than there was room for.
    pub(super) fn give(&self, piece: Bytes) {
        let mut passage = lock(&self.0);
        passage.piece = Some(piece);
        wake(passage.reader.take());
    }

    /// The connection is closed: nothing more comes.
    pub(super) fn break_off(&self) {
        let mut passage = lock(&self.0);
        passage.is_broken = true;
        wake(passage.reader.take());
    }

    /// Whether every byte was handed over to the reader.
    pub(super) fn is_over(&self) -> bool {
        lock(&self.0).left == 0
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Rest {
    fn poll(&self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, RequestBroke>>> {
        let mut passage = lock(&self.0);
        if let Some(piece) = passage.piece.take() {
            passage.left -= piece.len() as u64;
            wake(passage.connection.take());
            return Poll::Ready(Some(Ok(piece)));
        }
        if passage.left == 0 {
            return Poll::Ready(None);
        }
        if passage.is_broken {
            return Poll::Ready(Some(Err(RequestBroke::Closed)));
        }
        passage.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let mut passage = lock(&self.0);
        passage.is_left_alone = true;
        wake(passage.connection.take());
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBroke;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBroke>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Rest(rest) => rest
                .poll(cx)
                .map(|polled| polled.map(|piece| piece.map(Frame::data))),
            Self::Library(OfStream(Some(incoming))) => Pin::new(incoming)
                .poll_frame(cx)
                .map_err(RequestBroke::Library),
            Self::Library(OfStream(None)) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Rest(rest) => lock(&rest.0).left == 0,
            Self::Library(of) => of.0.as_ref().is_none_or(Incoming::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Rest(rest) => SizeHint::with_exact(lock(&rest.0).left),
            Self::Library(of) => {
                of.0.as_ref()
                    .map_or_else(SizeHint::default, Body::size_hint)
            }
        }
    }
}
