//! Hands a provider's body on to the client, unchanged but where it is said in another language, and
//! tells the observer of each read.

use std::collections::VecDeque;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::inband::{self, Broken};
use super::read_on::{self, Abandoned};
use super::settle::{Ended, Exchange};
use crate::clock::Clock;
use crate::edge::stamp::IoLog;
use crate::edge::upstream::{AnswerBody, BodyFault, Chunk};
use crate::record::{CancelledBy, ErrorClass, Language, Moment, Nanos, Oddity, Protocol};
use crate::wire::framing::usage_filter::UsageFilter;
use crate::wire::observer::{BodyEnd, Observer, Seen};
use crate::wire::translation::{Ended as Retold, Restream};

/// The body of an answer to the client.
#[derive(Debug)]
pub enum ProxyBody {
    /// Of our own making.
    Full(Option<Bytes>),
    /// A provider's, on its way.
    Tap(Box<Tap>),
}

impl ProxyBody {
    /// A body in memory.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Full(Some(bytes.into()).filter(|bytes| !bytes.is_empty()))
    }

    /// No body at all.
    #[must_use]
    pub fn empty() -> Self {
        Self::Full(None)
    }
}

impl Body for ProxyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Tap(tap) => tap.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_none(),
            Self::Tap(tap) => tap.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Tap(tap) => tap.size_hint(),
        }
    }
}

/// The provider's body: still coming, or read already to see what kind of error it is.
#[derive(Debug)]
pub enum Source {
    /// From the socket.
    Incoming(AnswerBody),
    /// From memory.
    Read(VecDeque<Chunk>),
}

/// A frame that was held back until it was known whether its answer is one.
#[derive(Debug)]
pub struct HeldFrame {
    /// Its bytes, and their read.
    pub chunk: Chunk,
    /// Whether tokens are in it.
    pub tokens: bool,
}

/// What the client gets of the provider's body.
#[derive(Debug)]
pub enum Voice {
    /// Its bytes.
    Own,
    /// Its bytes without the usage event that only we asked for.
    Filtered(UsageFilter),
    /// Its events in another language.
    Restream(Box<dyn Restream>),
    /// This, whatever its bytes are: they have been read, and are still to be observed.
    Whole(Bytes),
}

/// Everything that a tap needs.
#[derive(Debug)]
pub struct TapParts {
    /// The provider's body.
    pub source: Source,
    /// The frames of it that were held back, in order: the observer has read them.
    pub held: VecDeque<HeldFrame>,
    /// Until when they, or what of `source` was read ahead, had to wait for what follows them;
    /// zero where nothing had to.
    pub released: Moment,
    /// Whether the terminator or an error was among them.
    pub told: bool,
    /// The server's word on how long it keeps the connection.
    pub keep_alive: Option<Duration>,
    /// Reads the stream.
    pub observer: Box<Observer>,
    /// What the client gets of it.
    pub voice: Voice,
    /// The exchange to settle.
    pub exchange: Exchange,
    /// The endpoint's language, for errors in-band.
    pub language: Language,
    /// Whether the body is an event stream, so that errors can be told in it.
    pub event_stream: bool,
    /// Longest silence.
    pub silence: Duration,
    /// When the whole exchange must be over.
    pub total: Option<Moment>,
    /// The clock.
    pub clock: Clock,
}

/// A frame to hand over.
#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    /// When it could have left: from there on it is delayed.
    ready_at: Moment,
    tokens: bool,
}

/// A provider's body on its way to the client. Dropped before its end, the client has gone.
#[derive(Debug)]
pub struct Tap {
    parts: Option<TapParts>,
    queue: VecDeque<Piece>,
    client: Option<IoLog>,
    last_read: u64,
    activity: Moment,
    timer: Option<Pin<Box<Sleep>>>,
    /// Ready once the program drops what is still at work.
    aborting: Option<Aborting>,
    bytes_in: u64,
    bytes_out: u64,
    /// Bytes that the provider announces, where what it sends is what the client gets.
    length: Option<u64>,
    /// Bytes of what the client gets in their place, where that is known.
    retold: Option<u64>,
    deferred: bool,
    verdict: Option<Verdict>,
    abort: Option<Abort>,
    /// The terminator or an error of the provider's has gone by: nothing is left to be told.
    told: bool,
    /// What kind of error the client was told of, where its answer could not be said in its language
    /// to the end.
    untold: Option<ErrorClass>,
    /// Something came behind the end of the body.
    extra: bool,
    /// The client is told that the stream ended before its end.
    cut_short: bool,
}

/// Breaking off takes two turns: hyper drops what it has not flushed when a body fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Abort {
    Flush,
    Fail,
}

/// The wait for the word to drop what is at work.
struct Aborting {
    word: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Whom the word wakes; until it comes, nothing is asked for the same one again.
    waker: Waker,
}

impl std::fmt::Debug for Aborting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Aborting")
    }
}

/// What a frame brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brought {
    NoToken,
    Tokens,
    /// Events, and tokens in each of them.
    OnlyTokens,
}

impl Brought {
    const fn of(seen: &Seen) -> Self {
        if seen.is_only_tokens() {
            Self::OnlyTokens
        } else if seen.token_events > 0 {
            Self::Tokens
        } else {
            Self::NoToken
        }
    }
}

/// How the provider's side ended, waiting for the last frame to be handed over.
#[derive(Debug, Clone, Copy)]
struct Verdict {
    end: BodyEnd,
    fault: Option<ErrorClass>,
    at: Moment,
}

impl Tap {
    /// A tap over `parts`.
    #[must_use]
    pub fn new(mut parts: TapParts) -> Self {
        let held = std::mem::take(&mut parts.held);
        let held_bytes: u64 = held.iter().map(|held| held.chunk.bytes.len() as u64).sum();
        let peer = parts.exchange.peer();
        let client = (peer.protocol == Protocol::Http1).then(|| peer.log.clone());
        let length = match (&parts.source, &parts.voice) {
            (Source::Incoming(body), Voice::Own) => body.length().map(|left| left + held_bytes),
            (Source::Read(chunks), Voice::Own) => {
                Some(chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum())
            }
            _ => None,
        };
        let retold = match &parts.voice {
            Voice::Whole(bytes) => Some(bytes.len() as u64),
            _ => None,
        };
        let activity = parts.clock.now();
        let told = parts.told;
        let mut tap = Self {
            parts: Some(parts),
            queue: VecDeque::new(),
            client,
            last_read: 0,
            activity,
            timer: None,
            aborting: None,
            bytes_in: 0,
            bytes_out: 0,
            length,
            retold,
            deferred: false,
            verdict: None,
            abort: None,
            told,
            untold: None,
            extra: false,
            cut_short: false,
        };
        for HeldFrame { chunk, tokens } in held {
            tap.last_read = chunk.read;
            let brought = if tokens {
                Brought::Tokens
            } else {
                Brought::NoToken
            };
            tap.pass_on(chunk.bytes, chunk.at, brought);
        }
        tap.end_if_over();
        tap
    }

    fn size_hint(&self) -> SizeHint {
        match self.length.or(self.retold) {
            Some(length) if self.abort.is_none() => {
                SizeHint::with_exact(length.saturating_sub(self.bytes_out))
            }
            _ => SizeHint::default(),
        }
    }

    fn is_over(&self) -> bool {
        self.parts.is_none() && self.queue.is_empty() && self.abort.is_none()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if !self.queue.is_empty() {
                if self.must_wait_for_write() {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                return Poll::Ready(self.hand_over().map(Ok));
            }
            match self.abort {
                Some(Abort::Flush) => {
                    self.abort = Some(Abort::Fail);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Abort::Fail) => {
                    self.abort = None;
                    let error = io::Error::other("the provider's body broke off");
                    return Poll::Ready(Some(Err(error)));
                }
                None => {}
            }
            let Some(parts) = &mut self.parts else {
                return Poll::Ready(None);
            };
            match poll_source(&mut parts.source, cx) {
                Poll::Ready(Some(Ok(chunk))) => self.take_in(chunk),
                Poll::Ready(Some(Err(fault))) => {
                    let (end, class) = end_of(fault);
                    self.failed(end, Broken::Fault(class));
                }
                Poll::Ready(None) => self.over(BodyEnd::Complete, None),
                Poll::Pending if self.waits_on(cx) => return Poll::Pending,
                Poll::Pending => {
                    if let Some((end, class)) = self.overdue(cx) {
                        self.failed(end, Broken::Fault(class));
                    } else if self.is_aborting(cx) {
                        self.failed(BodyEnd::Shutdown, Broken::ShuttingDown);
                    } else {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Each read of the provider's leaves as a write of its own: where the frame before came
    /// with another read and has not left yet, hyper gets one turn to write it.
    fn must_wait_for_write(&mut self) -> bool {
        let unwritten = self.client.as_ref().is_some_and(IoLog::has_unwritten);
        if self.deferred || !unwritten {
            return false;
        }
        self.deferred = true;
        true
    }

    /// Observes a frame and queues what of it goes on.
    fn take_in(&mut self, chunk: Chunk) {
        let Some(parts) = &mut self.parts else { return };
        let Chunk { bytes, at, read } = chunk;
        // Frames of one read may share a write; those of two may not, unless they were held.
        self.deferred = read == self.last_read || matches!(parts.source, Source::Read(_));
        self.last_read = read;
        let seen = parts.observer.chunk(at, &bytes);
        self.told |= seen.done || seen.failed;
        self.pass_on(bytes, at, Brought::of(&seen));
        self.end_if_over();
    }

    /// Queues what of an observed frame goes on.
    fn pass_on(&mut self, data: Bytes, at: Moment, brought: Brought) {
        let tokens = brought != Brought::NoToken;
        self.activity = at;
        self.bytes_in += data.len() as u64;
        let Some(parts) = &mut self.parts else { return };
        // Time held has a mark of its own: it is no delay, and the client's slowness still less.
        let ready_at = at.max(parts.released);
        match &mut parts.voice {
            Voice::Own => self.queue.push_back(Piece {
                bytes: data,
                ready_at,
                tokens,
            }),
            // Nearly every chunk: what has tokens is no usage event.
            Voice::Filtered(filter) if brought == Brought::OnlyTokens && filter.may_pass(&data) => {
                self.queue.push_back(Piece {
                    bytes: data,
                    ready_at,
                    tokens,
                });
            }
            Voice::Whole(_) => {}
            Voice::Restream(restream) => {
                let mut said = Vec::new();
                restream.feed(&data, &mut said);
                if !said.is_empty() {
                    self.queue.push_back(Piece {
                        bytes: said.into(),
                        ready_at,
                        tokens,
                    });
                }
            }
            Voice::Filtered(filter) => {
                let pieces = filter.chunk(data).into_iter();
                self.queue.extend(pieces.map(|bytes| Piece {
                    bytes,
                    ready_at,
                    tokens,
                }));
            }
        }
    }

    /// A body of known length ends with its last byte: hyper does not ask again.
    fn end_if_over(&mut self) {
        let over = match self.parts.as_ref().map(|parts| &parts.source) {
            Some(Source::Incoming(body)) => body.is_over(),
            Some(Source::Read(chunks)) => chunks.is_empty(),
            None => false,
        };
        if over {
            self.over(BodyEnd::Complete, None);
        }
    }

    /// The next frame for the client.
    fn hand_over(&mut self) -> Option<Frame<Bytes>> {
        let piece = self.queue.pop_front()?;
        if let Some(client) = &self.client {
            client.watch(&piece.bytes, piece.ready_at, piece.tokens);
        }
        self.bytes_out += piece.bytes.len() as u64;
        // The rest of this read's pieces may share its write.
        self.deferred = true;
        if self.queue.is_empty() && self.verdict.is_some() {
            self.settle(None);
        }
        Some(Frame::data(piece.bytes))
    }

    /// The provider's side is over; settles once the last piece is handed over.
    fn over(&mut self, end: BodyEnd, fault: Option<ErrorClass>) {
        let Some(parts) = &mut self.parts else { return };
        if self.verdict.is_some() {
            return;
        }
        let last_read = match &parts.source {
            Source::Incoming(body) => body.last_read(),
            Source::Read(_) => None,
        };
        let at = match end {
            BodyEnd::Complete => last_read.map_or(self.activity, |read| read.max(self.activity)),
            _ => parts.clock.now(),
        };
        self.verdict = Some(Verdict { end, fault, at });
        let broken = Broken::Fault(ErrorClass::Truncated);
        // What is said anew has words of its own for it.
        let own = matches!(parts.voice, Voice::Own | Voice::Filtered(_));
        let cut = own
            && end == BodyEnd::Complete
            && self.length.is_none()
            && !self.told
            && parts.observer.is_cut_short();
        let tail = last_words(parts, &mut self.told, broken, end == BodyEnd::Complete);
        self.untold = self.untold.or(tail.untold);
        let told = cut.then(|| cut_words(parts, broken)).flatten();
        self.cut_short = told.is_some();
        let words = tail.bytes.into_iter().chain(told);
        self.queue.extend(words.map(|bytes| Piece {
            bytes,
            ready_at: at,
            tokens: false,
        }));
        if let Source::Incoming(body) = &mut parts.source {
            self.extra = body.has_more();
            match end {
                BodyEnd::Complete => body.finish(parts.keep_alive),
                _ => body.close(),
            }
        }
        if self.queue.is_empty() {
            self.settle(None);
        }
    }

    /// Tells the client in-band that its answer is not whole: as an event where the body is a
    /// stream of events and its length was not announced, else by breaking off, so that nobody
    /// takes a part for the whole. After the terminator there is nothing to tell.
    fn failed(&mut self, end: BodyEnd, broken: Broken) {
        let Some(parts) = &mut self.parts else { return };
        let at = parts.clock.now();
        // What is said anew has the client's framing, whichever the provider's is.
        let stands = match parts.voice {
            Voice::Restream(_) | Voice::Whole(_) => None,
            Voice::Own | Voice::Filtered(_) => parts.observer.stands(),
        };
        let tail = last_words(parts, &mut self.told, broken, false);
        self.untold = self.untold.or(tail.untold);
        self.queue.extend(tail.bytes.map(|bytes| Piece {
            bytes,
            ready_at: at,
            tokens: false,
        }));
        if self.length.is_none()
            && let Some(part) =
                stands.and_then(|stands| inband::error_part(parts.language, stands, broken))
        {
            let part = Some(part).filter(|part| !part.is_empty());
            self.queue.extend(part.map(|part| Piece {
                bytes: part.into(),
                ready_at: at,
                tokens: false,
            }));
        } else if !parts.event_stream || self.length.is_some() {
            self.abort = Some(Abort::Flush);
        } else if !self.told {
            let event = inband::error_event(parts.language, broken);
            self.queue.push_back(Piece {
                bytes: event.into(),
                ready_at: at,
                tokens: false,
            });
        }
        self.length = None;
        let fault = match broken {
            Broken::Fault(class) => Some(class),
            Broken::ShuttingDown => None,
        };
        self.over(end, fault);
    }

    fn settle(&mut self, cancelled_by: Option<CancelledBy>) {
        let (Some(parts), Some(verdict)) = (self.parts.take(), self.verdict) else {
            return;
        };
        let mut oddities = Vec::new();
        if self.extra {
            oddities.push(Oddity::ExtraBytes);
        }
        let ours = match verdict.end {
            BodyEnd::Stalled | BodyEnd::CutByLimit => Some(CancelledBy::Deadline),
            BodyEnd::Shutdown => Some(CancelledBy::Shutdown),
            _ => None,
        };
        parts.exchange.settle_relayed(Ended {
            observer: parts.observer,
            end: verdict.end,
            fault: verdict.fault,
            cancelled_by: cancelled_by.or(ours),
            at: verdict.at,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            writes_awaited: self.client.is_some() && cancelled_by.is_none(),
            oddities,
            untold: self.untold,
        });
    }

    /// Whether the provider broke its answer off, or said in it that it failed.
    fn is_failed(&self) -> bool {
        let broke = self
            .verdict
            .is_some_and(|verdict| !matches!(verdict.end, BodyEnd::Complete | BodyEnd::ClientGone));
        let parts = self.parts.as_ref();
        broke
            || self.cut_short
            || self.untold.is_some()
            || parts.is_some_and(|parts| parts.observer.failure().is_some())
    }

    /// Whether the answer is over but for the end of its body: the provider failed in it, or the
    /// client was handed its last event.
    fn is_told(&mut self) -> bool {
        if self.is_failed() {
            return true;
        }
        let log = self.client.as_ref();
        let taken = self.queue.is_empty() && log.is_none_or(IoLog::is_all_written);
        let Some(parts) = &mut self.parts else {
            return false;
        };
        let Voice::Restream(restream) = &mut parts.voice else {
            return taken && self.told;
        };
        // Said anew, it is over where nothing is left to be said.
        let mut left = Vec::new();
        match restream.end(&mut left) {
            Retold::Failed(error) => {
                self.untold = Some(error.class);
                true
            }
            Retold::Whole => taken && left.is_empty(),
            Retold::Broken => false,
        }
    }

    /// Leaves the end of a body whose answer is over to be waited for.
    fn await_end(&mut self) {
        let Some(parts) = &mut self.parts else { return };
        let none = Source::Read(VecDeque::new());
        if let Source::Incoming(body) = std::mem::replace(&mut parts.source, none) {
            read_on::await_end(body, parts.keep_alive);
        }
    }

    /// Whether the rest of the answer may be worth its time: there is a call's usage to come.
    fn may_read_on(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| {
            matches!(parts.source, Source::Incoming(_))
                && !self.told
                && parts.language.is_inference()
                && read_on::limits(parts.exchange.settings()).is_some()
        })
    }

    /// Observes what is left of an answer that was read as a whole before its client could have it:
    /// it is there, and what it used is billed, whether anybody takes it or not.
    fn observe_rest(&mut self) {
        let Some(parts) = &mut self.parts else { return };
        if let Source::Read(chunks) = &mut parts.source {
            for chunk in chunks.drain(..) {
                self.activity = chunk.at;
                self.bytes_in += chunk.bytes.len() as u64;
                let _ = parts.observer.chunk(chunk.at, &chunk.bytes);
            }
        }
        self.verdict = Some(Verdict {
            end: BodyEnd::Complete,
            fault: None,
            at: self.activity,
        });
    }

    /// Leaves the rest of the answer to be read on for its usage.
    fn read_on(&mut self) {
        let Some(parts) = self.parts.take() else {
            return;
        };
        let Source::Incoming(body) = parts.source else {
            return;
        };
        read_on::read_on(Abandoned {
            body,
            keep_alive: parts.keep_alive,
            observer: parts.observer,
            exchange: parts.exchange,
            silence: parts.silence,
            clock: parts.clock,
            activity: self.activity,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
        });
    }

    /// Whether nothing but a chunk is to be waited for: timer and word would wake this same task, and
    /// neither has come. Nearly every chunk is followed by such a wait.
    fn waits_on(&self, cx: &Context<'_>) -> bool {
        let (Some(parts), Some(timer), Some(aborting)) = (&self.parts, &self.timer, &self.aborting)
        else {
            return false;
        };
        aborting.waker.will_wake(cx.waker()) && !timer.is_elapsed() && !parts.exchange.is_stopping()
    }

    /// Whether the program drops what is still at work. The wait is made once, when the stream
    /// first has nothing to hand on.
    fn is_aborting(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(parts) = &self.parts else {
            return false;
        };
        let aborting = self.aborting.get_or_insert_with(|| {
            let drain = parts.exchange.drain().clone();
            Aborting {
                word: Box::pin(async move { drain.aborting().await }),
                waker: cx.waker().clone(),
            }
        });
        aborting.waker.clone_from(cx.waker());
        aborting.word.as_mut().poll(cx).is_ready()
    }

    /// Looks whether a deadline has passed. The timer is re-armed only when it fires: a stream
    /// that lives pays nothing per chunk.
    fn overdue(&mut self, cx: &mut Context<'_>) -> Option<(BodyEnd, ErrorClass)> {
        let parts = self.parts.as_ref()?;
        loop {
            let timer = self
                .timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience(parts, Nanos(0)))));
            if timer.as_mut().poll(cx).is_pending() {
                return None;
            }
            let now = parts.clock.now();
            if parts.total.is_some_and(|total| now >= total) {
                return Some((BodyEnd::CutByLimit, ErrorClass::TotalTimeout));
            }
            let quiet = now.since(self.activity);
            if u128::from(quiet.0) >= parts.silence.as_nanos() {
                return Some((BodyEnd::Stalled, ErrorClass::SilenceTimeout));
            }
            let next = Clock::timer(patience(parts, quiet));
            timer.as_mut().reset(next);
        }
    }
}

/// What is left to hand over when the provider's side is over: what a filter or a translation still
/// holds, or the whole that stands for it. Where a translated stream did not end as its language
/// has it, its client is told why: `broken`, unless its last events say so. Where the body itself
/// did not end well (not `whole`), no end is made up for it: some languages have none but the
/// body's. `told` is set where the client knows how it ended.
fn last_words(parts: &mut TapParts, told: &mut bool, broken: Broken, whole: bool) -> LastWords {
    let mut untold = None;
    let bytes = match std::mem::replace(&mut parts.voice, Voice::Own) {
        Voice::Own => None,
        Voice::Filtered(filter) => filter.end(),
        Voice::Whole(bytes) => Some(bytes).filter(|bytes| !bytes.is_empty()),
        Voice::Restream(mut restream) => {
            let mut said = Vec::new();
            let ended = restream.end(&mut said);
            untold = match &ended {
                Retold::Failed(error) => Some(error.class),
                Retold::Broken if whole => Some(ErrorClass::ProtocolError),
                Retold::Broken | Retold::Whole => None,
            };
            let cut = ended == Retold::Whole && !whole && !*told;
            if cut {
                said.clear();
            }
            if cut || ended == Retold::Broken {
                let event = inband::error_event(parts.language, broken);
                said.extend_from_slice(event.as_bytes());
            }
            *told = true;
            Some(Bytes::from(said)).filter(|bytes| !bytes.is_empty())
        }
    };
    LastWords { bytes, untold }
}

/// What a client is told where a stream ended whole by its framing and not by its language: SDKs take
/// what came for all there is. `None` where nothing can follow.
fn cut_words(parts: &TapParts, broken: Broken) -> Option<Bytes> {
    match parts.observer.stands() {
        Some(stands) => inband::error_part(parts.language, stands, broken).map(Bytes::from),
        None if parts.event_stream => {
            Some(Bytes::from(inband::error_event(parts.language, broken)))
        }
        None => None,
    }
}

/// What is left to be handed over, and why it is no whole answer.
struct LastWords {
    bytes: Option<Bytes>,
    untold: Option<ErrorClass>,
}

/// How long a stream that has been quiet for `quiet` may be left alone.
fn patience(parts: &TapParts, quiet: Nanos) -> Duration {
    let silence = parts.silence.saturating_sub(Duration::from_nanos(quiet.0));
    let total = parts
        .total
        .map(|total| Duration::from_nanos(total.since(parts.clock.now()).0));
    total.map_or(silence, |total| total.min(silence))
}

impl Drop for Tap {
    fn drop(&mut self) {
        let Some(parts) = &self.parts else { return };
        let at = parts.clock.now();
        let stopping = parts.exchange.is_stopping();
        if self.verdict.is_some() {
            // The provider's side was over and the client did not take the rest.
            let by = Some(CancelledBy::Client).filter(|_| !self.is_failed());
            self.settle(by);
            return;
        }
        if matches!(parts.source, Source::Read(_)) {
            self.observe_rest();
            self.settle(Some(CancelledBy::Client));
            return;
        }
        if self.is_told() {
            // Most clients close where they have read the last event or an error, and do not wait
            // for the end of the body: they did not leave before the end.
            self.verdict = Some(Verdict {
                end: BodyEnd::ClientGone,
                fault: None,
                at: self.activity,
            });
            if !stopping {
                self.await_end();
            }
            self.settle(None);
            return;
        }
        if !stopping && self.may_read_on() {
            self.read_on();
            return;
        }
        let (end, by) = if stopping {
            (BodyEnd::Shutdown, CancelledBy::Shutdown)
        } else {
            (BodyEnd::ClientGone, CancelledBy::Client)
        };
        self.verdict = Some(Verdict {
            end,
            fault: None,
            at,
        });
        self.settle(Some(by));
    }
}

fn poll_source(
    source: &mut Source,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Chunk, BodyFault>>> {
    match source {
        Source::Read(chunks) => Poll::Ready(chunks.pop_front().map(Ok)),
        Source::Incoming(body) => body.poll_chunk(cx),
    }
}

/// How a provider's body ended that broke with `fault`.
#[must_use]
pub const fn end_of(fault: BodyFault) -> (BodyEnd, ErrorClass) {
    match fault {
        BodyFault::Truncated => (BodyEnd::Truncated, ErrorClass::Truncated),
        BodyFault::Protocol => (BodyEnd::Reset, ErrorClass::ProtocolError),
        BodyFault::Reset => (BodyEnd::Reset, ErrorClass::Reset),
    }
}
