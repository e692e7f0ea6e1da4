//! Ends answers that a client leaves unread on a connection that others share: HTTP/2 lets it hold
//! back one stream for ever, while the connection lives.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::Response;
use http_body::{Body, Frame, SizeHint};

use crate::clock::Clock;
use crate::record::{Moment, Nanos};

/// The answers of one connection, as far as they are not over.
#[derive(Debug)]
pub(super) struct Answers<B> {
    list: Mutex<Vec<Weak<Mutex<Answer<B>>>>>,
    clock: Clock,
}

/// An answer's body, and since when it waits for its client.
#[derive(Debug)]
struct Answer<B> {
    /// Absent once it was taken away from a client that does not read it.
    body: Option<B>,
    /// When the client last took some of it, where a frame was given out and none was asked for
    /// since; absent while the body itself has none.
    since: Option<Moment>,
    /// When some of it was last given out or taken.
    moved: Moment,
}

/// Bytes of an answer on their way: the library holds them until there is room in the client's window.
#[derive(Debug)]
pub(super) struct Taken<B> {
    bytes: Bytes,
    answer: Arc<Mutex<Answer<B>>>,
    clock: Clock,
}

impl<B> Buf for Taken<B> {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        let now = self.clock.now();
        let mut answer = lock(&self.answer);
        answer.moved = now;
        answer.since = answer.since.map(|_| now);
    }
}

/// A body that may be taken away from its client.
#[derive(Debug)]
pub(super) struct Unread<B> {
    answer: Arc<Mutex<Answer<B>>>,
    clock: Clock,
}

impl<B> Answers<B> {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            list: Mutex::default(),
            clock,
        }
    }

    /// Watches over an answer from here on.
    pub(super) fn watch(&self, response: Response<B>) -> Response<Unread<B>> {
        response.map(|body| {
            let answer = Arc::new(Mutex::new(Answer {
                body: Some(body),
                since: Some(self.clock.now()),
                moved: self.clock.now(),
            }));
            let mut list = lock(&self.list);
            list.retain(|answer| answer.strong_count() > 0);
            list.push(Arc::downgrade(&answer));
            Unread {
                answer,
                clock: self.clock.clone(),
            }
        })
    }

    /// Whether some answer is on its way to a client that took some of it within `patience`: the
    /// exchange may be over long before.
    pub(super) fn are_taken(&self, patience: Nanos) -> bool {
        let now = self.clock.now();
        let list = lock(&self.list);
        let mut left = list.iter().filter_map(Weak::upgrade);
        left.any(|answer| now < lock(&answer).moved.plus(patience))
    }

    /// Takes away what was left unread for `patience`: dropped, it is settled as any answer is whose
    /// client does not read, and its provider is let go.
    pub(super) fn take_unread(&self, patience: Nanos) {
        let now = self.clock.now();
        let taken: Vec<B> = lock(&self.list)
            .iter()
            .filter_map(|answer| {
                let answer = answer.upgrade()?;
                let mut answer = lock(&answer);
                let since = answer.since?;
                (now >= since.plus(patience)).then(|| answer.body.take())?
            })
            .collect();
        drop(taken);
    }
}

/// Nothing panics while one of them is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a stream is reset for.
#[derive(Debug, thiserror::Error)]
#[error("the client left the answer unread")]
pub(super) struct LeftUnread;

impl<B> Body for Unread<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Taken<B>;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Taken<B>>, Self::Error>>> {
        let mut answer = lock(&self.answer);
        let Some(body) = answer.body.as_mut() else {
            return Poll::Ready(Some(Err(LeftUnread.into())));
        };
        let polled = Pin::new(body).poll_frame(cx);
        answer.since = match &polled {
            Poll::Ready(Some(Ok(_))) => Some(self.clock.now()),
            Poll::Ready(_) | Poll::Pending => None,
        };
        answer.moved = answer.since.unwrap_or(answer.moved);
        drop(answer);
        let taken = |bytes| Taken {
            bytes,
            answer: Arc::clone(&self.answer),
            clock: self.clock.clone(),
        };
        let frame = |frame: Frame<Bytes>| frame.map_data(taken);
        polled.map(|polled| polled.map(|polled| polled.map(frame).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        let answer = lock(&self.answer);
        answer.body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let answer = lock(&self.answer);
        answer
            .body
            .as_ref()
            .map_or_else(SizeHint::default, Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::task::Waker;

    use super::*;
    use crate::record::WallTime;

    /// A body that has so many frames at once, and then none for ever.
    #[derive(Debug)]
    struct Frames(usize);

    impl Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.0 == 0 {
                return Poll::Pending;
            }
            self.0 -= 1;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    #[test]
    fn who_takes_an_answer_bit_by_bit_reads_it() {
        let clock = Clock::manual(Moment(0), WallTime(0));
        let answers = Answers::new(clock.clone());
        let mut body = answers.watch(Response::new(Frames(2))).into_body();
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) else {
            panic!("no frame");
        };
        let mut frame = frame.into_data().unwrap();
        clock.advance(Nanos(9));
        frame.advance(1);
        clock.advance(Nanos(9));
        // Taken nine ago, though the next frame was not asked for in eighteen.
        answers.take_unread(Nanos(10));
        assert!(answers.are_taken(Nanos(10)));
        // The exchange is over, and what it gave out is on its way.
        drop(body);
        assert!(answers.are_taken(Nanos(10)));
        clock.advance(Nanos(1));
        assert!(!answers.are_taken(Nanos(10)), "nobody takes it");
        clock.advance(Nanos(9));
        frame.advance(0);
        assert!(answers.are_taken(Nanos(10)));
        drop(frame);
        assert!(!answers.are_taken(Nanos(10)), "it is taken");
        let mut body = answers.watch(Response::new(Frames(2))).into_body();
        let first = Pin::new(&mut body).poll_frame(&mut cx);
        assert!(matches!(first, Poll::Ready(Some(Ok(_)))));
        clock.advance(Nanos(10));
        answers.take_unread(Nanos(10));
        let next = Pin::new(&mut body).poll_frame(&mut cx);
        assert!(matches!(next, Poll::Ready(Some(Err(_)))), "left unread");
    }

    #[test]
    fn only_what_a_client_leaves_unread_is_taken_from_it() {
        // Frames that there are, frames that are asked for, and whether it is left unread.
        for (frames, asked, left) in [
            (1, 0, true),
            (3, 1, true),
            (1, 1, true),
            // The provider has no more to say yet: nobody waits for the client.
            (1, 2, false),
            (0, 1, false),
        ] {
            let clock = Clock::manual(Moment(0), WallTime(0));
            let answers = Answers::new(clock.clone());
            let mut body = answers.watch(Response::new(Frames(frames))).into_body();
            let mut poll = || {
                let mut cx = Context::from_waker(Waker::noop());
                Pin::new(&mut body).poll_frame(&mut cx)
            };
            for _ in 0..asked {
                let _ = poll();
            }
            clock.advance(Nanos(9));
            answers.take_unread(Nanos(10));
            let before = poll();
            assert!(
                !matches!(before, Poll::Ready(Some(Err(_)))),
                "{frames} {asked}: too soon"
            );
            let now_waits = before.is_ready();
            clock.advance(Nanos(10));
            answers.take_unread(Nanos(10));
            let taken = matches!(poll(), Poll::Ready(Some(Err(_))));
            assert_eq!(taken, now_waits, "{frames} {asked}");
            assert!(left || !taken, "{frames} {asked}");
        }
    }
}
