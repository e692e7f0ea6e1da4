//! Drives an HTTP/1 connection from within whatever task waits for it, rather than on its own.
//!
//! hyper splits a client connection into a sender, a body, and a future that does the work. On a
//! task of its own that future would cost two or three hand-overs between tasks for each chunk of
//! a stream. Here the one who waits polls it, so a chunk is read, looked at and written on in a
//! single turn of one task.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use atomic_waker::AtomicWaker;
use hyper::client::conn::http1::Connection;
use hyper_util::rt::TokioIo;

use super::body::UpstreamBody;
use super::socket::Stream;
use crate::edge::stamp::Stamped;

/// Turns taken before the other tasks of the worker get theirs: the runtime's own budget, and
/// hyper's, end a turn by waking it, which may repeat.
const TURNS_MAX: u8 = 8;

type Inner = Connection<TokioIo<Stamped<Stream>>, UpstreamBody>;

/// The working half of an HTTP/1 connection. Dropped, it closes the socket.
#[derive(Debug)]
pub(super) struct Driver {
    connection: Box<Inner>,
    wakes: Arc<Wakes>,
    waker: Waker,
    closed: bool,
}

impl Driver {
    pub(super) fn new(connection: Inner) -> Self {
        let wakes = Arc::new(Wakes::default());
        Self {
            connection: Box::new(connection),
            waker: Waker::from(Arc::clone(&wakes)),
            wakes,
            closed: false,
        }
    }

    /// Whether the connection is over: nothing more will be read or written.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Lets the connection work, then asks `poll` for what it brought, until there is an answer
    /// or nothing moves any more. `poll` must wait for nothing but this connection.
    pub(super) fn turn<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.wakes.outer.register(cx.waker());
        self.wakes.in_turn.store(true, Ordering::SeqCst);
        let inner = &mut Context::from_waker(&self.waker);
        let mut polled = Poll::Pending;
        for _ in 0..TURNS_MAX {
            self.wakes.again.store(false, Ordering::SeqCst);
            self.closed = self.closed || Pin::new(&mut *self.connection).poll(inner).is_ready();
            polled = poll(inner);
            if polled.is_ready() || !self.wakes.again.load(Ordering::SeqCst) {
                break;
            }
        }
        self.wakes.in_turn.store(false, Ordering::SeqCst);
        if polled.is_pending() && self.wakes.again.swap(false, Ordering::SeqCst) {
            cx.waker().wake_by_ref();
        }
        polled
    }

    /// Lets the connection note what has happened, with nobody to be woken by it later.
    pub(super) fn settle(&mut self) {
        let _ = self.turn(&mut Context::from_waker(Waker::noop()), |_| {
            Poll::<()>::Pending
        });
        self.wakes.outer.take();
    }
}

/// Wakes from within a turn are heard by the turn itself; others go to the task that waits.
#[derive(Debug, Default)]
struct Wakes {
    outer: AtomicWaker,
    in_turn: AtomicBool,
    again: AtomicBool,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.again.store(true, Ordering::SeqCst);
        if !self.in_turn.load(Ordering::SeqCst) {
            self.outer.wake();
        }
    }
}
