//! Closes an exchange: exactly one record, whatever became of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Response;
use http_body::Body;

use super::accounts::{Account, Accounts};
use super::bill;
use super::booking::Booking;
use super::canaries;
use super::presence::Presence;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::edge::server::connection::AtWork;
use crate::edge::server::{Drain, Peer};
use crate::edge::stamp::Writes;
use crate::record::{
    AttemptRecord, CancelledBy, End, ErrorClass, ExchangeRecord, Mark, Moment, Name, Nanos, Oddity,
    Outcome, PicoDollars, Protocol, Timeline, TokenSource, Tokens,
};
use crate::recorder::standing::{self, Standing};
use crate::routing::candidate::Prefix;
use crate::routing::health::Ticket;
use crate::routing::learned::Prompt;
use crate::wire::dialect::headers::hold_against;
use crate::wire::observer::{BodyEnd, Observation, Observer};

/// Takes a finished record; must not wait.
pub type Offer = Arc<dyn Fn(ExchangeRecord) + Send + Sync>;

/// What settling needs of the outside.
pub struct Settler {
    /// Where records go.
    pub offer: Offer,
    /// What is known of every route.
    pub standing: Arc<Standing>,
    /// Who made the last answers that are kept.
    pub accounts: Accounts,
    /// The clock.
    pub clock: Clock,
    /// Exchanges begun.
    pub accepted: AtomicU64,
    /// Exchanges settled.
    pub settled: AtomicU64,
}

impl std::fmt::Debug for Settler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Settler")
    }
}

impl Settler {
    /// Exchanges at work now.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        let settled = self.settled.load(Ordering::Relaxed);
        self.accepted
            .load(Ordering::Relaxed)
            .saturating_sub(settled)
    }
}

/// An exchange under way. Dropped before it is settled, it settles itself: the client has gone,
/// the program stops, or a handler panicked.
#[derive(Debug)]
pub struct Exchange {
    draft: Option<Box<ExchangeRecord>>,
    /// Of the attempts whose end nobody has been told yet, by their place in the record.
    tickets: Vec<(usize, Ticket)>,
    settler: Arc<Settler>,
    settings: Arc<Settings>,
    peer: Arc<Peer>,
    drain: Drain,
    /// What its prompt has in common with others, where a policy asks.
    prefix: Option<Prefix>,
    /// What was booked for a second request beside it, or for the copy that it is.
    booking: Option<Booking>,
    /// Whether the client is there, where work goes on without it.
    presence: Option<Presence>,
    _at_work: AtWork,
}

impl Exchange {
    /// Begins an exchange with what is known of it, under the settings that it keeps.
    pub fn begin(
        draft: ExchangeRecord,
        settler: Arc<Settler>,
        settings: Arc<Settings>,
        peer: Arc<Peer>,
        drain: Drain,
    ) -> Self {
        settler.accepted.fetch_add(1, Ordering::Relaxed);
        // Of an exchange the log has ids, names of the config, and how it went: never content.
        tracing::debug!(
            exchange = %draft.id,
            endpoint = %draft.endpoint,
            "begun"
        );
        let at_work = peer.begin();
        Self {
            draft: Some(Box::new(draft)),
            tickets: Vec::new(),
            settler,
            settings,
            peer,
            drain,
            prefix: None,
            booking: None,
            presence: None,
            _at_work: at_work,
        }
    }

    /// Work on it goes on without its client: whoever works asks here whether that is the case.
    pub(super) fn watch(&mut self, presence: Presence) {
        self.presence = Some(presence);
    }

    /// Where it is answered, that route's cache holds `prefix`.
    pub(super) const fn begins_with(&mut self, prefix: Option<Prefix>) {
        self.prefix = prefix;
    }

    /// What was booked beforehand is to be corrected by what the exchange has cost.
    pub(super) fn book(&mut self, booking: Booking) {
        self.booking = Some(booking);
    }

    /// When the client left before its answer began, where work goes on without it.
    #[must_use]
    pub fn left_at(&self) -> Option<Moment> {
        self.presence.as_ref()?.left_at()
    }

    /// The record so far.
    pub fn draft(&mut self) -> Option<&mut ExchangeRecord> {
        self.draft.as_deref_mut()
    }

    /// An attempt begins: its record stands in the draft from now on. Returns its place; absent
    /// once the exchange is settled.
    pub fn begin_attempt(&mut self, attempt: AttemptRecord) -> Option<usize> {
        let now = self.settler.clock.now();
        let route = standing::route_of(&attempt);
        let credential = attempt.credential;
        let draft = self.draft.as_deref_mut()?;
        let place = draft.attempts.len();
        draft.attempts.push(attempt);
        let waits = awaited(draft);
        let first = (place == 0, waits);
        let ticket = self.settler.standing.begin(&route, credential, first, now);
        self.tickets.push((place, ticket));
        Some(place)
    }

    /// The answer of the attempt at `place` is the client's from now on. `spoke` says that its first
    /// token has just come; where it is not known when it will, its wait is no longer looked at.
    pub fn answer_begins(&self, place: usize, spoke: bool) {
        let chosen = self
            .draft
            .as_ref()
            .is_some_and(|draft| draft.decision.is_some());
        let ticket = self.tickets.iter().find(|(of, _)| *of == place);
        if let Some((_, ticket)) = ticket.filter(|_| chosen) {
            let spoke = spoke.then(|| self.settler.clock.now());
            self.settler.standing.answers(ticket, spoke);
        }
    }

    /// The attempt at `place` is over and lost: what it met counts at once, not only when the
    /// exchange ends.
    pub fn lose_attempt(&mut self, place: usize) {
        if let Some(at) = self.tickets.iter().position(|(of, _)| *of == place) {
            let (_, ticket) = self.tickets.swap_remove(at);
            self.hand_in(place, ticket);
        }
    }

    /// Puts the attempt at `place` behind all others: its answer is the client's.
    pub fn put_last(&mut self, place: usize) {
        let Some(draft) = self.draft.as_deref_mut() else {
            return;
        };
        let last = draft.attempts.len().saturating_sub(1);
        if place < last {
            let attempt = draft.attempts.remove(place);
            draft.attempts.push(attempt);
            let moved = |of: usize| match of {
                of if of == place => last,
                of if of > place => of - 1,
                of => of,
            };
            for (of, _) in &mut self.tickets {
                *of = moved(*of);
            }
            let hedge = draft.decision.as_mut().and_then(|of| of.hedge.as_mut());
            if let Some(hedge) = hedge {
                *hedge = u32::try_from(moved(*hedge as usize)).unwrap_or(*hedge);
            }
        }
    }

    fn hand_in(&self, place: usize, ticket: Ticket) {
        let attempt = self
            .draft
            .as_ref()
            .and_then(|draft| draft.attempts.get(place));
        let Some(attempt) = attempt else { return };
        let clock = &self.settler.clock;
        let moment = (clock.now(), clock.wall());
        self.settler
            .standing
            .end(ticket, attempt, moment, fastrand::f64());
    }

    /// Whether the program stops.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.drain.is_stopping()
    }

    /// Hears when the program stops.
    #[must_use]
    pub const fn drain(&self) -> &Drain {
        &self.drain
    }

    /// The client's end.
    #[must_use]
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Another exchange that begins as this one did, with a client's end of its own that nobody
    /// reads from; absent once this one is settled.
    #[must_use]
    pub fn beside(&self) -> Option<Self> {
        let draft = ExchangeRecord {
            attempts: Vec::new(),
            ..ExchangeRecord::clone(self.draft.as_ref()?)
        };
        let peer = Peer::new(self.peer.address, Protocol::Http2);
        Some(Self::begin(
            draft,
            Arc::clone(&self.settler),
            Arc::clone(&self.settings),
            peer,
            self.drain.clone(),
        ))
    }

    /// The settings that it keeps.
    #[must_use]
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Settles an exchange that got an answer of our own making.
    pub fn settle_rejected(mut self, outcome: Outcome, told: Told) {
        let gone = self.left_at().is_some();
        if let Some(draft) = self.draft() {
            // Nobody was there to be told.
            draft.outcome = if gone { Outcome::ClientGone } else { outcome };
            draft.status = (!gone).then_some(told.status);
            draft.response_bytes = if gone { 0 } else { told.bytes };
            if draft.attempts.is_empty() {
                draft.reason = told.code.into();
            }
        }
        self.offer();
    }

    /// Settles an exchange whose answer went through the tap. The client's writes follow once
    /// the last frame has left; `ended` is when the provider's side was over.
    pub fn settle_relayed(mut self, ended: Ended) {
        let log = self.peer.log.clone();
        if !ended.writes_awaited {
            // Of what left before, the marks stand, however it ended.
            let writes = log.take_writes();
            self.apply(ended);
            if let Some(draft) = self.draft() {
                apply_writes(draft, &writes);
            }
            self.offer();
            return;
        }
        log.when_written(Box::new(move |writes, all_written| {
            self.apply(ended);
            if let Some(draft) = self.draft() {
                apply_writes(draft, &writes);
                if !all_written {
                    not_taken(draft);
                }
            }
            self.offer();
        }));
    }

    fn apply(&mut self, ended: Ended) {
        let Some(draft) = self.draft.as_deref_mut() else {
            return;
        };
        if let Some((id, account)) = ended.apply(draft) {
            self.settler.accounts.note(&id, account);
        }
    }

    fn offer(&mut self) {
        for (place, ticket) in std::mem::take(&mut self.tickets) {
            self.hand_in(place, ticket);
        }
        let Some(mut draft) = self.draft.take() else {
            return;
        };
        draft.closed_at = self.settler.clock.now();
        bill::price(&mut draft, &self.settings);
        if let Some(booking) = self.booking.take() {
            let standing = &self.settler.standing;
            standing.with(|board| booking.settle(&draft, board));
        }
        self.settler.standing.settled(&draft, self.prefix);
        canaries::watch(&self.settings, &self.settler.standing, &draft);
        tracing::debug!(
            exchange = %draft.id,
            outcome = draft.outcome.name(),
            status = draft.status,
            attempts = draft.attempts.len(),
            bytes = draft.response_bytes,
            "settled"
        );
        self.settler.settled.fetch_add(1, Ordering::Relaxed);
        (self.settler.offer)(*draft);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.draft.is_none() {
            return;
        }
        let panicked = self.peer.panicked.load(Ordering::Relaxed) || std::thread::panicking();
        let stopping = self.drain.is_stopping();
        let now = self.settler.clock.now();
        let Some(draft) = self.draft() else { return };
        let (outcome, cancelled) = if panicked {
            (Outcome::ProxyFault, None)
        } else if stopping {
            (Outcome::Shutdown, Some(CancelledBy::Shutdown))
        } else {
            (Outcome::ClientGone, Some(CancelledBy::Client))
        };
        draft.outcome = outcome;
        for attempt in &mut draft.attempts {
            if attempt.end.is_some() {
                continue;
            }
            attempt.end = Some(if panicked { End::None } else { End::ClientGone });
            attempt.cancelled_by = cancelled;
            attempt.maybe_billed = attempt.timeline.get(Mark::SendStart).is_some();
            attempt.timeline.set(Mark::Closed, now);
        }
        self.offer();
    }
}

/// An answer of our own making, as the record has it.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// Its status.
    pub status: u16,
    /// Bytes of its body.
    pub bytes: u64,
    /// What programs recognise it by.
    pub code: &'static str,
}

impl Told {
    /// What `response` tells the client.
    #[must_use]
    pub fn of<B: Body>(response: &Response<B>, code: &'static str) -> Self {
        Self {
            status: response.status().as_u16(),
            bytes: response.body().size_hint().exact().unwrap_or_default(),
            code,
        }
    }
}

/// How the provider's side of a relayed exchange ended.
#[derive(Debug)]
pub struct Ended {
    /// What observed the body; it concludes once the client has its bytes.
    pub observer: Box<Observer>,
    /// How the body ended.
    pub end: BodyEnd,
    /// A failure of the transport or a deadline of ours, where there was one.
    pub fault: Option<ErrorClass>,
    /// Who cancelled it, where somebody did.
    pub cancelled_by: Option<CancelledBy>,
    /// When it was over.
    pub at: Moment,
    /// Bytes received from the provider.
    pub bytes_in: u64,
    /// Bytes handed on towards the client.
    pub bytes_out: u64,
    /// Whether the client is there to take the last writes, and they can be told apart (not over
    /// HTTP/2).
    pub writes_awaited: bool,
    /// Oddities of the transport.
    pub oddities: Vec<Oddity>,
    /// What kind of error the client was told of, where its answer could not be said in its language
    /// to the end.
    pub untold: Option<ErrorClass>,
}

impl Ended {
    /// Writes the ending into the record's last attempt, and what follows from it for the whole.
    /// Who made the answer, where the provider keeps it.
    fn apply(self, draft: &mut ExchangeRecord) -> Option<(Name, Account)> {
        let usage_injected = draft.request.usage_injected;
        let asked_to_stream = draft.request.stream;
        let generates = draft.language.generates();
        let attempt = draft.attempts.last_mut()?;
        let mut observation = self.observer.end(self.at, self.end);
        let kept = observation.kept_as.take().map(|id| {
            let account = Account {
                provider: attempt.provider.clone(),
                credential: attempt.credential,
            };
            (id, account)
        });
        attempt.timeline.set(Mark::Closed, self.at);
        attempt.cancelled_by = self.cancelled_by;
        attempt.oddities.extend(self.oddities);
        attempt.response_bytes = self.bytes_in;
        let learned = note_observation(attempt, observation, self.fault);
        // However well the provider may have ended it.
        attempt.error_class = attempt.error_class.or(self.untold);
        // What was begun and is of no use may be billed all the same.
        let in_vain = attempt.error_class.is_some() || attempt.cancelled_by.is_some();
        attempt.maybe_billed |= in_vain && attempt.status == Some(200);
        draft.response_bytes = self.bytes_out;
        draft.tokens = Tokens {
            usage: learned.tokens.usage,
            source: learned.tokens.source.map(|source| match source {
                TokenSource::Usage if usage_injected => TokenSource::UsageInjected,
                other => other,
            }),
        };
        draft.cost_billed = learned.cost_billed;
        draft.cached_answer |= learned.cached_answer;
        draft.outcome = outcome_of(attempt, generates, asked_to_stream);
        kept
    }
}

/// What a body told of the exchange as a whole.
#[derive(Debug)]
pub struct Learned {
    /// The tokens that it reports.
    pub tokens: Tokens,
    /// What the provider says it bills.
    pub cost_billed: Option<PicoDollars>,
    /// Whether it came out of a cache.
    pub cached_answer: bool,
}

/// Writes what was observed of an attempt's body into its record. `fault` is the transport's, or
/// a deadline's; what the provider said in full stands, whatever became of the connection after it.
pub fn note_observation(
    attempt: &mut AttemptRecord,
    observation: Observation,
    fault: Option<ErrorClass>,
) -> Learned {
    merge_marks(&mut attempt.timeline, &observation.timeline);
    attempt.end = Some(observation.end);
    // What the client has already (304) is no failure to send it.
    let read_error = observation.error.filter(|_| attempt.status != Some(304));
    if let Some(error) = read_error {
        attempt.error_class = Some(error.class);
        attempt.error_code = error.code;
    }
    let said = matches!(
        observation.end,
        End::Complete | End::Unterminated | End::ErrorEvent
    );
    if let Some(class) = fault.filter(|_| !said) {
        attempt.error_class = Some(class);
    }
    for limit in observation.limits {
        // They may have been read already, where another route could have been tried.
        if !attempt.rate_limits.contains(&limit) {
            attempt.rate_limits.push(limit);
        }
    }
    attempt.gaps = observation.gaps;
    attempt.finish = observation.finish;
    attempt.model_answered = observation.model_answered;
    attempt.upstream_request_id = attempt.upstream_request_id.take().or(observation.answer_id);
    attempt.fingerprint = observation.fingerprint;
    attempt.service_tier = observation.service_tier;
    attempt.served_by = observation.served_by.or_else(|| attempt.served_by.take());
    attempt.server_timings.extend(observation.server_timings);
    let took = [Mark::Done, Mark::Closed]
        .into_iter()
        .find_map(|mark| attempt.timeline.span(Mark::SendStart, mark));
    if let Some(took) = took {
        hold_against(&mut attempt.server_timings, took);
    }
    attempt.oddities.extend(observation.oddities);
    attempt.oddities.sort_unstable();
    attempt.oddities.dedup();
    Learned {
        tokens: observation.tokens,
        cost_billed: observation.cost_billed,
        cached_answer: observation.cached_answer,
    }
}

/// What waits for a first token, where one is awaited and a choice of routes hangs on it.
fn awaited(draft: &ExchangeRecord) -> Option<Prompt> {
    let request = &draft.request;
    let speaks = draft.language.generates() && request.stream && !request.background;
    (speaks && draft.decision.is_some()).then(|| Prompt {
        tokens: request.prompt_tokens_estimated.unwrap_or(0),
        reasons: request.reasons(),
    })
}

fn merge_marks(into: &mut Timeline, from: &Timeline) {
    for (mark, at) in from.iter() {
        into.set(mark, at);
    }
}

/// The outcome of an exchange whose last attempt got response headers.
#[must_use]
pub fn outcome_of(attempt: &AttemptRecord, generates: bool, stream: bool) -> Outcome {
    use ErrorClass as Class;
    let status = attempt.status.unwrap_or_default();
    if attempt.cancelled_by == Some(CancelledBy::Client) {
        return Outcome::ClientGone;
    }
    if attempt.cancelled_by == Some(CancelledBy::Shutdown) {
        return Outcome::Shutdown;
    }
    if status >= 400 {
        return match attempt.error_class {
            Some(Class::RateLimited | Class::Quota) => Outcome::RateLimited,
            Some(
                Class::Overloaded | Class::ServerError | Class::Timeout | Class::ProtocolError,
            ) => Outcome::UpstreamError,
            _ if status >= 500 => Outcome::UpstreamError,
            _ => Outcome::ClientError,
        };
    }
    match (attempt.end, attempt.error_class) {
        (Some(End::Stalled), _) => Outcome::Stalled,
        (_, Some(Class::TotalTimeout)) => Outcome::TimedOut,
        (Some(End::ErrorEvent), _) => Outcome::InBandError,
        (_, Some(Class::EmptyResponse)) => Outcome::Empty,
        // Another thing than an answer: a page of HTML in a 200.
        (Some(End::Truncated), Some(Class::ProtocolError)) => Outcome::UpstreamError,
        (Some(End::Truncated | End::Reset), _) if nothing_came(attempt, generates, stream) => {
            Outcome::Empty
        }
        (Some(End::Truncated | End::Reset), _) => Outcome::Truncated,
        // A prompt that was refused for its content, under whichever status.
        (_, Some(Class::ContentFilter)) => Outcome::ClientError,
        (_, None) => Outcome::Ok,
        // A finish reason that is a failure (`error`, `abort`).
        (_, Some(_)) => Outcome::InBandError,
    }
}

/// A stream that ended before any of its data: the whole answer is missing, not its end.
fn nothing_came(attempt: &AttemptRecord, generates: bool, stream: bool) -> bool {
    generates && stream && attempt.response_bytes == 0
}

/// Fills in what the client's socket showed.
fn apply_writes(draft: &mut ExchangeRecord, writes: &Writes) {
    let mut last_delay = writes.last_delay;
    if let Some(attempt) = draft.attempts.last_mut() {
        if let Some(at) = writes.first_token {
            attempt.timeline.set(Mark::ClientFirstToken, at);
        }
        // Of a client that left, the last token written is not the last that came.
        let read = attempt.timeline.get(Mark::LastToken);
        match writes.last_token {
            Some(at) if Some(at) >= read => attempt.timeline.set(Mark::ClientLastToken, at),
            _ => last_delay = None,
        }
        if writes.delays.max().is_some_and(|max| max > BACKPRESSURE) {
            attempt.oddities.push(Oddity::ClientBackpressure);
        }
        // A whole answer has its last byte where a stream has its last token.
        if is_whole(attempt) {
            last_delay = writes.last_frame_delay;
            if let Some(at) = writes.last {
                attempt.timeline.set(Mark::ClientLastToken, at);
            }
        }
    }
    draft.own.first_token = writes.first_token_delay;
    draft.own.chunk_max = writes.delays.max();
    draft.own.chunk_p99 = writes.delays.p99();
    draft.own.last = last_delay;
}

/// Whether the answer that came was no stream: of one that was decoded too late nobody knows when
/// its tokens came.
fn is_whole(attempt: &AttemptRecord) -> bool {
    let ended = matches!(attempt.end, Some(End::Complete | End::Unterminated));
    ended && attempt.gaps.is_none() && !attempt.oddities.contains(&Oddity::DecodedLate)
}

/// What was never taken from us was not answered, however well the provider did.
fn not_taken(draft: &mut ExchangeRecord) {
    if draft.outcome == Outcome::Ok {
        draft.outcome = Outcome::ClientGone;
        if let Some(attempt) = draft.attempts.last_mut() {
            attempt.cancelled_by = Some(CancelledBy::Client);
        }
    }
}

/// A delay of a chunk in our hands beyond which the client is the slow one (measurement 2.15).
const BACKPRESSURE: Nanos = Nanos::from_millis(50);

/// Own delay from the request's last byte, or the choice of a later try's route, to the first
/// byte written upstream, the provider's connection set-up taken out.
#[must_use]
pub fn inbound_delay(timeline: &Timeline, from: Mark) -> Option<Nanos> {
    let whole = timeline.span(from, Mark::SendStart)?;
    let setup_from = timeline.get(Mark::PoolWait)?;
    let setup_to = [Mark::Tls, Mark::Connect, Mark::Dns]
        .into_iter()
        .find_map(|mark| timeline.get(mark))
        .unwrap_or(setup_from);
    Some(Nanos(whole.0.saturating_sub(setup_to.since(setup_from).0)))
}
