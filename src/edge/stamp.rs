//! Stamps each socket read and each completed write, under hyper, so that marks come from the IO.
//!
//! hyper hands body data on as slices of the very buffer that a read filled, and writes body
//! slices from where they lie. So a frame is paired with its read, and a write with its frames,
//! by address: no byte counting through chunked framing or TLS records, and no guess.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Clock;
use crate::record::{Moment, Nanos};

/// Reads remembered on a connection that carries one exchange at a time.
const READS_KEPT_H1: usize = 8;
/// Reads remembered on a multiplexed connection, where frames may wait longer in a queue.
const READS_KEPT_H2: usize = 256;

/// One completed socket read.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    /// When the read returned.
    pub at: Moment,
    /// Its number on this connection, from 1.
    pub number: u64,
    address: usize,
    length: usize,
}

/// A frame on its way to a socket, to be found again when the write that carries it completes.
#[derive(Debug, Clone, Copy)]
struct Watch {
    last_byte: usize,
    read_at: Moment,
    tokens: bool,
}

/// What became of the watched frames of one exchange.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    /// Completion of the write that carried the first token.
    pub first_token: Option<Moment>,
    /// Delay of that frame in our hands.
    pub first_token_delay: Option<Nanos>,
    /// Completion of the write that carried the last token.
    pub last_token: Option<Moment>,
    /// Delay of that frame in our hands.
    pub last_delay: Option<Nanos>,
    /// Completion of the last write of all.
    pub last: Option<Moment>,
    /// Delay of the frame that ended with it in our hands.
    pub last_frame_delay: Option<Nanos>,
    /// Delays of every watched frame.
    pub delays: Delays,
}

/// Delays of frames in our hands, as counts by power of two of 1,024 ns.
#[derive(Debug, Clone, Default)]
pub struct Delays {
    counts: [u32; 24],
    total: u32,
    max: Nanos,
}

impl Delays {
    fn insert(&mut self, delay: Nanos) {
        let bin = (64 - (delay.0 >> 10).leading_zeros()) as usize;
        self.counts[bin.min(self.counts.len() - 1)] += 1;
        self.total += 1;
        self.max = self.max.max(delay);
    }

    /// The longest delay; absent where nothing was watched.
    #[must_use]
    pub fn max(&self) -> Option<Nanos> {
        (self.total > 0).then_some(self.max)
    }

    /// An upper bound of the 99th percentile: exact where it is the maximum (under 100 frames),
    /// else within a factor of two.
    #[must_use]
    pub fn p99(&self) -> Option<Nanos> {
        let mut left = self.total.checked_sub(self.total / 100)?;
        if self.total < 100 {
            return self.max();
        }
        for (bin, count) in self.counts.iter().enumerate() {
            left = left.saturating_sub(*count);
            if left == 0 {
                return Some(Nanos(1 << (10 + bin)).min(self.max));
            }
        }
        self.max()
    }
}

/// Called once, when the last watched frame was written (`true`) or the connection was lost.
type OnWritten = Box<dyn FnOnce(Writes, bool) + Send>;

#[derive(Default)]
struct State {
    reads: Vec<Read>,
    next_read: usize,
    read_count: u64,
    reads_kept: usize,
    last_read: Moment,
    first_read: Option<Moment>,
    last_write: Option<Moment>,
    watches: VecDeque<Watch>,
    writes: Writes,
    on_written: Option<OnWritten>,
    /// The connection is gone.
    broken: bool,
    /// It went before every watched frame was written.
    lost: bool,
}

/// The log of one connection, shared between its IO and whoever pairs frames with it.
#[derive(Clone)]
pub struct IoLog(Arc<Mutex<State>>);

impl std::fmt::Debug for IoLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IoLog")
    }
}

impl IoLog {
    /// A log for a connection that carries one exchange at a time, or several.
    #[must_use]
    pub fn new(multiplexed: bool) -> Self {
        let reads_kept = if multiplexed {
            READS_KEPT_H2
        } else {
            READS_KEPT_H1
        };
        Self(Arc::new(Mutex::new(State {
            reads_kept,
            ..State::default()
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not take the connection's log with it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The read that brought the last byte of `frame`; the latest read where its address is not
    /// remembered (a buffer that was moved), which is never too early.
    #[must_use]
    pub fn read_of(&self, frame: &[u8]) -> Option<Read> {
        let last = frame.last()?;
        let address = std::ptr::from_ref(last).addr();
        let state = self.state();
        let newest_first = |read: &&Read| read.number;
        state
            .reads
            .iter()
            .filter(|read| read.address <= address && address < read.address + read.length)
            .max_by_key(newest_first)
            .or_else(|| state.reads.iter().max_by_key(newest_first))
            .copied()
    }

    /// The latest completed read.
    #[must_use]
    pub fn last_read(&self) -> Moment {
        self.state().last_read
    }

    /// Takes the moment of the first read since the last call: the first byte of a request.
    #[must_use]
    pub fn take_first_read(&self) -> Option<Moment> {
        self.state().first_read.take()
    }

    /// The moment of the first read since [`Self::take_first_read`], left where it is.
    #[must_use]
    pub fn first_read(&self) -> Option<Moment> {
        self.state().first_read
    }

    /// The latest completed write.
    #[must_use]
    pub fn last_write(&self) -> Option<Moment> {
        self.state().last_write
    }

    /// Watches for the write that will carry the last byte of `frame`, read at `read_at`.
    pub fn watch(&self, frame: &[u8], read_at: Moment, tokens: bool) {
        if let Some(last) = frame.last() {
            let last_byte = std::ptr::from_ref(last).addr();
            self.state().watches.push_back(Watch {
                last_byte,
                read_at,
                tokens,
            });
        }
    }

    /// When the oldest frame that is not written yet was read; absent where all are written.
    #[must_use]
    pub fn oldest_unwritten(&self) -> Option<Moment> {
        self.state().watches.front().map(|watch| watch.read_at)
    }

    /// Takes what is known of the watched frames now, written or not, and forgets the rest.
    #[must_use]
    pub fn take_writes(&self) -> Writes {
        let mut state = self.state();
        state.watches.clear();
        std::mem::take(&mut state.writes)
    }

    /// Whether a watched frame has not been written yet.
    #[must_use]
    pub fn has_unwritten(&self) -> bool {
        !self.state().watches.is_empty()
    }

    /// Whether every watched frame was written, also where the connection is gone by now.
    #[must_use]
    pub fn is_all_written(&self) -> bool {
        let state = self.state();
        state.watches.is_empty() && !state.lost
    }

    /// Calls `then` with what became of the watched frames, as soon as the last one is written
    /// or the connection is lost; at once where none is open.
    pub fn when_written(&self, then: OnWritten) {
        let mut state = self.state();
        if state.broken || state.watches.is_empty() {
            let writes = std::mem::take(&mut state.writes);
            // Of a connection that is gone: what left before it went was taken.
            let none = state.broken && writes.last.is_none();
            let all_written = state.watches.is_empty() && !state.lost && !none;
            state.watches.clear();
            drop(state);
            then(writes, all_written);
        } else {
            state.on_written = Some(then);
        }
    }

    fn read_completed(&self, bytes: &[u8], at: Moment) {
        let mut state = self.state();
        state.read_count += 1;
        state.last_read = at;
        state.first_read.get_or_insert(at);
        let read = Read {
            at,
            number: state.read_count,
            address: bytes.as_ptr().addr(),
            length: bytes.len(),
        };
        let (next, kept) = (state.next_read, state.reads_kept);
        if state.reads.len() < kept {
            state.reads.push(read);
        } else {
            state.reads[next] = read;
        }
        state.next_read = (next + 1) % kept;
    }

    fn write_completed(&self, slices: &[IoSlice<'_>], written: usize, at: Moment) {
        let mut state = self.state();
        state.last_write = Some(at);
        if state.watches.is_empty() {
            return;
        }
        let mut left = written;
        for slice in slices {
            let taken = left.min(slice.len());
            let start = slice.as_ptr().addr();
            while let Some(watch) = state.watches.front().copied() {
                if watch.last_byte < start || watch.last_byte >= start + taken {
                    break;
                }
                state.watches.pop_front();
                state.writes.complete(watch, at);
            }
            left -= taken;
            if left == 0 {
                break;
            }
        }
        if state.watches.is_empty()
            && let Some(then) = state.on_written.take()
        {
            let writes = std::mem::take(&mut state.writes);
            drop(state);
            then(writes, true);
        }
    }

    fn connection_lost(&self) {
        let mut state = self.state();
        state.broken = true;
        state.lost |= !state.watches.is_empty();
        state.watches.clear();
        if let Some(then) = state.on_written.take() {
            let writes = std::mem::take(&mut state.writes);
            drop(state);
            then(writes, false);
        }
    }
}

impl Writes {
    fn complete(&mut self, watch: Watch, at: Moment) {
        let delay = at.since(watch.read_at);
        self.delays.insert(delay);
        self.last = Some(at);
        self.last_frame_delay = Some(delay);
        if watch.tokens {
            if self.first_token.is_none() {
                self.first_token = Some(at);
                self.first_token_delay = Some(delay);
            }
            self.last_token = Some(at);
            self.last_delay = Some(delay);
        }
    }
}

/// A stream that keeps an [`IoLog`] of what crosses it.
#[derive(Debug)]
pub struct Stamped<T> {
    inner: T,
    log: IoLog,
    clock: Clock,
}

impl<T> Stamped<T> {
    /// Wraps `inner`; what crosses it is stamped by `clock` into `log`.
    pub fn new(inner: T, log: IoLog, clock: Clock) -> Self {
        Self { inner, log, clock }
    }
}

impl<T> Drop for Stamped<T> {
    fn drop(&mut self) {
        self.log.connection_lost();
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stamped<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if matches!(polled, Poll::Ready(Ok(()))) && buf.filled().len() > before {
            let at = self.clock.now();
            self.log.read_completed(&buf.filled()[before..], at);
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Stamped<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = polled {
            let at = self.clock.now();
            self.log.write_completed(&[IoSlice::new(buf)], written, at);
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(written)) = polled {
            let at = self.clock.now();
            self.log.write_completed(bufs, written, at);
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
