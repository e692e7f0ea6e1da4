//! Derives each number of a report from one record: one function per definition.
//!
//! Definitions: `measurement.md` section 2, by the letters of [`Mark`]. What is absent has a
//! reason; zero is never said for unknown.

use crate::record::{
    AttemptRecord, CancelledBy, End, ErrorClass, ExchangeRecord, Mark, Nanos, NullReason, Oddity,
    Outcome, PicoDollars, Protocol, TokenSource,
};

/// The version of these definitions: numbers of two versions are never put together.
pub const DEFINITIONS: u16 = 1;

/// A derived number, or why there is none.
pub type Metric<T = Nanos> = Result<T, NullReason>;

/// An output rate in thousandths of a token per second: an integer, so that sums are exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rate(pub u64);

impl Rate {
    /// The rate in tokens per second, for showing.
    #[must_use]
    pub fn as_tokens_per_second(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// `tokens` in `span`; absent for no time at all.
    #[must_use]
    pub fn of(tokens: u64, span: Nanos) -> Option<Self> {
        let per_second = u128::from(tokens) * 1_000_000_000_000 / u128::from(span.0.max(1));
        (span.0 > 0).then(|| Self(u64::try_from(per_second).unwrap_or(u64::MAX)))
    }
}

/// The attempt whose answer the client got: the last one.
#[must_use]
pub fn answering(record: &ExchangeRecord) -> Option<&AttemptRecord> {
    record.attempts.last()
}

/// Whether the record's times may stand beside others': background calls and answers out of a
/// provider's cache are left out of latency.
#[must_use]
pub const fn in_latency(record: &ExchangeRecord) -> bool {
    !record.cached_answer && !record.request.background
}

/// Whether a time seen is one of the route's: of failures it is infinite, whatever was seen.
#[must_use]
pub const fn is_timed(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Ok | Outcome::ClientGone | Outcome::Shutdown
    )
}

/// The cost, where it says something of what requests cost: a refused one costs nothing, which is
/// no price of a request.
#[must_use]
pub fn telling_cost(outcome: Outcome, cost: Option<PicoDollars>) -> Option<PicoDollars> {
    cost.filter(|cost| cost.0 > 0 || outcome == Outcome::Ok)
}

/// What the exchange's last attempt cost: the exchange's cost is the sum of all attempts that
/// reported usage.
#[must_use]
pub fn own_cost(record: &ExchangeRecord) -> Option<PicoDollars> {
    let lost = record.attempts.iter().filter_map(lost_cost);
    let lost = lost.fold(0, |sum: u64, cost| sum.saturating_add(cost.0));
    let cost = record.cost?;
    Some(PicoDollars(cost.0.saturating_sub(lost)))
}

/// For how long `mark`, a first token or a first answer of a stream, was waited that the client or
/// a stop of ours did not wait out: it took longer than that, and nobody knows by how much.
#[must_use]
pub fn wait(record: &ExchangeRecord, mark: Mark) -> Option<Nanos> {
    let left = matches!(record.outcome, Outcome::ClientGone | Outcome::Shutdown);
    let attempt = answering(record)?;
    not_waited_out(attempt, mark)
        .filter(|_| left && record.request.stream && record.language.generates())
}

/// The same of a lost attempt that a hedge, the client or a stop cut short.
#[must_use]
pub fn lost_wait(attempt: &AttemptRecord, mark: Mark) -> Option<Nanos> {
    let cut = is_called_off(attempt) && attempt.error_class.is_none();
    not_waited_out(attempt, mark).filter(|_| cut)
}

/// For how long the end of an answer was waited that the client or a stop of ours did not wait out,
/// whatever of it had come: the whole takes longer than that.
#[must_use]
pub fn wait_whole(record: &ExchangeRecord) -> Option<Nanos> {
    let left = matches!(record.outcome, Outcome::ClientGone | Outcome::Shutdown);
    let attempt = answering(record)?;
    whole_not_waited_out(attempt).filter(|_| left && record.language.generates())
}

/// The same of a lost attempt that a hedge, the client or a stop cut short.
#[must_use]
pub fn lost_wait_whole(attempt: &AttemptRecord) -> Option<Nanos> {
    let cut = is_called_off(attempt) && attempt.error_class.is_none();
    whole_not_waited_out(attempt).filter(|_| cut)
}

fn whole_not_waited_out(attempt: &AttemptRecord) -> Option<Nanos> {
    let span = attempt.timeline.span(Mark::SendStart, Mark::Closed);
    span.filter(|_| total(attempt).is_err() && ended(attempt).is_err())
}

/// Whether an attempt was called off while it was at work: that says nothing of its route but that
/// it had not answered yet.
#[must_use]
pub const fn is_called_off(attempt: &AttemptRecord) -> bool {
    matches!(
        attempt.cancelled_by,
        Some(CancelledBy::Client | CancelledBy::Shutdown | CancelledBy::Hedge)
    )
}

fn not_waited_out(attempt: &AttemptRecord, mark: Mark) -> Option<Nanos> {
    let absent = attempt.timeline.get(mark).is_none();
    let unseen = since_send(attempt, mark) == Err(NullReason::NoToken);
    let span = attempt.timeline.span(Mark::SendStart, Mark::Closed);
    span.filter(|_| absent && unseen && ended(attempt).is_err())
}

/// What a lost attempt cost; absent where it reported no usage, or none that costs anything.
#[must_use]
pub fn lost_cost(attempt: &AttemptRecord) -> Option<PicoDollars> {
    attempt.lost_cost.filter(|cost| cost.0 > 0)
}

/// Whether the attempt met a rate limit or a quota, which is a rate of its own.
#[must_use]
pub const fn is_rate_limit(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::RateLimited | ErrorClass::Quota)
}

/// Whether the attempt met a credential fault, which is a rate of its own.
#[must_use]
pub const fn is_credential_fault(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Auth | ErrorClass::Permission)
}

/// Whether a deadline passed.
#[must_use]
pub const fn is_time_out(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::Timeout
            | ErrorClass::ConnectTimeout
            | ErrorClass::FirstTokenTimeout
            | ErrorClass::SilenceTimeout
            | ErrorClass::TotalTimeout
    )
}

/// Whether the request itself was at fault: another route may mend it, and it says nothing about
/// this one's health.
#[must_use]
pub const fn is_callers_fault(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::NotFound
            | ErrorClass::BadRequest
            | ErrorClass::Unprocessable
            | ErrorClass::ContextLength
            | ErrorClass::PayloadTooLarge
            | ErrorClass::ContentFilter
    )
}

/// Time to first byte, `b − s1`: never called a time to first token.
#[must_use]
pub fn ttfb(attempt: &AttemptRecord) -> Option<Nanos> {
    attempt.timeline.span(Mark::RequestSent, Mark::FirstByte)
}

/// Time to the response headers, `h − s1`.
#[must_use]
pub fn headers(attempt: &AttemptRecord) -> Option<Nanos> {
    attempt.timeline.span(Mark::RequestSent, Mark::Headers)
}

/// Time to first token at the provider, `f − s0`.
pub fn ttft_up(attempt: &AttemptRecord) -> Metric {
    since_send(attempt, Mark::FirstToken)
}

/// Time to first answer at the provider, `a − s0`: the one to compare routes of one model by.
pub fn ttfa(attempt: &AttemptRecord) -> Metric {
    since_send(attempt, Mark::FirstAnswer)
}

/// Time to the first visible answer text at the provider.
pub fn first_text(attempt: &AttemptRecord) -> Metric {
    since_send(attempt, Mark::FirstText)
}

/// Time to first token as the application saw it, `w_f − t0`, failed attempts included.
pub fn ttft_client(record: &ExchangeRecord) -> Metric {
    let attempt = answering(record).ok_or(NullReason::NoToken)?;
    ttft_up(attempt)?;
    since_request(record, attempt, Mark::ClientFirstToken)
}

/// End to end at the provider, `l − s0`: ends at the last token, not at the terminator.
pub fn e2e_up(attempt: &AttemptRecord) -> Metric {
    ended(attempt)?;
    since_send(attempt, Mark::LastToken)
}

/// End to end as the application saw it: `w_l − t0`, failed attempts included.
pub fn e2e_client(record: &ExchangeRecord) -> Metric {
    let attempt = answering(record).ok_or(NullReason::NoToken)?;
    ended(attempt)?;
    since_request(record, attempt, Mark::ClientLastToken)
}

/// The time of a whole answer, request to end of body, `d − s0`.
pub fn whole_total(attempt: &AttemptRecord) -> Metric {
    ended(attempt)?;
    attempt
        .timeline
        .span(Mark::SendStart, Mark::Done)
        .ok_or(NullReason::Aborted)
}

/// The time of an answer: of a stream to its last token, of a whole answer to its end.
pub fn total(attempt: &AttemptRecord) -> Metric {
    if is_stream(attempt) {
        e2e_up(attempt)
    } else {
        whole_total(attempt)
    }
}

/// What came after the last token: usage and terminator, `d − l`.
pub fn tail(attempt: &AttemptRecord) -> Metric {
    since(attempt, Mark::LastToken, Mark::Done)
}

/// Tokens that were generated and not streamed; zero where reasoning was streamed or absent. Where a
/// summary of it was, the tokens counted were not.
#[must_use]
pub fn hidden_reasoning(record: &ExchangeRecord) -> Option<u64> {
    let attempt = answering(record)?;
    let streamed = attempt.timeline.get(Mark::FirstReasoning).is_some() && !sums_up(attempt);
    record.tokens.usage.output?;
    let reasoning = record.tokens.usage.reasoning.unwrap_or(0);
    Some(if streamed { 0 } else { reasoning })
}

/// Tokens streamed after the first event: `N_after = N_stream − n_first`.
#[must_use]
pub fn tokens_after_first(record: &ExchangeRecord) -> Option<u64> {
    let gaps = answering(record)?.gaps.as_ref()?;
    let streamed = record
        .tokens
        .usage
        .output?
        .saturating_sub(hidden_reasoning(record)?);
    Some(streamed.saturating_sub(u64::from(gaps.first_event_tokens.max(1))))
}

/// Time per output token, `(l − f) / N_after`.
pub fn tpot(record: &ExchangeRecord) -> Metric {
    let (tokens, span) = generation(record)?;
    Ok(Nanos(span.0 / tokens))
}

/// Output rate, `N_after / (l − f)`: without the time to first token.
pub fn output_rate(record: &ExchangeRecord) -> Metric<Rate> {
    let (tokens, span) = generation(record)?;
    Rate::of(tokens, span).ok_or(NullReason::TooShort)
}

/// Effective rate, all output tokens over the time to the last: first token's wait included.
pub fn effective_rate(record: &ExchangeRecord) -> Metric<Rate> {
    let attempt = answering(record).ok_or(NullReason::NoToken)?;
    let span = total(attempt)?;
    let tokens = known_output(record)?;
    Rate::of(tokens, span).ok_or(NullReason::TooShort)
}

/// What the exchange would have taken to its `n`th token: `TTFA + (n − 1) · TPOT`.
pub fn e2e_at(record: &ExchangeRecord, n: u64) -> Metric {
    let attempt = answering(record).ok_or(NullReason::NoToken)?;
    let first = ttfa(attempt)?;
    let (tokens, span) = generation(record)?;
    let rest = u128::from(n.saturating_sub(1)) * u128::from(span.0) / u128::from(tokens);
    let rest = u64::try_from(rest).unwrap_or(u64::MAX);
    Ok(Nanos(first.0.saturating_add(rest)))
}

/// What Tollgate added to the first token, `(s0 − t1 − connection) + (w_f − f)`; of a whole
/// answer to its last byte.
#[must_use]
pub fn own_delay(record: &ExchangeRecord) -> Option<Nanos> {
    let outbound = match answering(record) {
        Some(attempt) if is_stream(attempt) => record.own.first_token?,
        _ => record.own.last?,
    };
    Some(Nanos(record.own.inbound?.0.saturating_add(outbound.0)))
}

/// Whether the attempt's answer was a stream.
#[must_use]
pub const fn is_stream(attempt: &AttemptRecord) -> bool {
    attempt.gaps.is_some()
}

/// The numbers that most reports need of one record, derived once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// [`ttfb`].
    pub ttfb: Option<Nanos>,
    /// [`ttft_up`].
    pub first_token: Metric,
    /// [`ttfa`].
    pub first_answer: Metric,
    /// [`first_text`].
    pub first_text: Metric,
    /// [`total`].
    pub total: Metric,
    /// [`ttft_client`].
    pub ttft_client: Metric,
    /// [`e2e_client`].
    pub e2e_client: Metric,
    /// [`output_rate`].
    pub output_rate: Metric<Rate>,
    /// [`own_delay`].
    pub own_delay: Option<Nanos>,
}

impl Figures {
    /// The numbers of `record`.
    #[must_use]
    pub fn of(record: &ExchangeRecord) -> Self {
        let last = answering(record);
        let of_last =
            |metric: fn(&AttemptRecord) -> Metric| last.map_or(Err(NullReason::NoToken), metric);
        Self {
            ttfb: last.and_then(ttfb),
            first_token: of_last(ttft_up),
            first_answer: of_last(ttfa),
            first_text: of_last(first_text),
            total: of_last(total),
            ttft_client: ttft_client(record),
            e2e_client: e2e_client(record),
            output_rate: output_rate(record),
            own_delay: own_delay(record),
        }
    }
}

/// Fewest tokens after the first event that give a rate.
const RATE_TOKENS_MIN: u64 = 16;
/// Shortest time between first and last token that gives a rate.
const RATE_SPAN_MIN: Nanos = Nanos::from_millis(100);
/// Fewest token events that give a rate.
const RATE_EVENTS_MIN: u32 = 4;

/// Tokens after the first event and the time they took, where a rate may be made of them.
fn generation(record: &ExchangeRecord) -> Metric<(u64, Nanos)> {
    let attempt = answering(record).ok_or(NullReason::NoToken)?;
    if !record.language.generates() {
        return Err(NullReason::NotTokens);
    }
    if record.request.choices.is_some_and(|choices| choices > 1) {
        return Err(NullReason::MultipleChoices);
    }
    // A summary is no part of the tokens counted: their time begins behind it.
    let first = if sums_up(attempt) {
        Mark::FirstAnswer
    } else {
        Mark::FirstToken
    };
    let span = since(attempt, first, Mark::LastToken)?;
    ended(attempt)?;
    readable(attempt)?;
    streamed_evenly(attempt)?;
    known_output(record)?;
    if attempt.oddities.contains(&Oddity::HiddenReasoning) {
        return Err(NullReason::UsageUnknown);
    }
    let tokens = tokens_after_first(record).ok_or(NullReason::UsageUnknown)?;
    let events = attempt.gaps.as_ref().map_or(0, |gaps| gaps.token_events);
    if tokens < RATE_TOKENS_MIN {
        Err(NullReason::TooFewTokens)
    } else if span < RATE_SPAN_MIN {
        Err(NullReason::TooShort)
    } else if events < RATE_EVENTS_MIN {
        Err(NullReason::TooFewEvents)
    } else {
        Ok((tokens, span))
    }
}

/// The output tokens, where their count is one: token events are only a lower bound.
fn known_output(record: &ExchangeRecord) -> Metric<u64> {
    let prompts = |of: &AttemptRecord| of.oddities.contains(&Oddity::AudioPrompt);
    if record.tokens.usage.audio.is_some_and(|audio| audio > 0)
        && !answering(record).is_some_and(prompts)
    {
        return Err(NullReason::NotTokens);
    }
    match (record.tokens.usage.output, record.tokens.source) {
        (Some(output), Some(source)) if source != TokenSource::Chunks => Ok(output),
        _ => Err(NullReason::UsageUnknown),
    }
}

/// Whether what was streamed of the reasoning is a summary of it.
fn sums_up(attempt: &AttemptRecord) -> bool {
    attempt.oddities.contains(&Oddity::ReasoningSummary)
}

fn ended(attempt: &AttemptRecord) -> Metric<()> {
    match attempt.end {
        Some(End::Complete | End::Unterminated) => Ok(()),
        _ => Err(NullReason::Aborted),
    }
}

fn readable(attempt: &AttemptRecord) -> Metric<()> {
    let stopped = |oddity: &Oddity| {
        matches!(
            oddity,
            Oddity::EventTooLarge
                | Oddity::Undecodable
                | Oddity::DecodedTooLarge
                | Oddity::LimitReached
        )
    };
    if attempt.oddities.iter().any(stopped) {
        Err(NullReason::Unreadable)
    } else {
        Ok(())
    }
}

fn streamed_evenly(attempt: &AttemptRecord) -> Metric<()> {
    let gaps = attempt.gaps.as_ref().ok_or(NullReason::WholeAnswer)?;
    if gaps.pseudo_stream {
        Err(NullReason::PseudoStream)
    } else if gaps.token_events > 1 && gaps.token_reads <= 1 {
        Err(NullReason::Coalesced)
    } else if attempt.oddities.contains(&Oddity::ClientBackpressure) {
        Err(NullReason::ClientBackpressure)
    } else {
        Ok(())
    }
}

fn since_send(attempt: &AttemptRecord, mark: Mark) -> Metric {
    since(attempt, Mark::SendStart, mark)
}

fn since(attempt: &AttemptRecord, from: Mark, to: Mark) -> Metric {
    match attempt.timeline.span(from, to) {
        // A whole answer's first token is its total in disguise: not even if marked.
        Some(span) if is_stream(attempt) => Ok(span),
        // A stream, of which nobody saw when its tokens came.
        _ if attempt.oddities.contains(&Oddity::DecodedLate) => Err(NullReason::Unreadable),
        _ if !is_stream(attempt) && ended(attempt).is_ok() => Err(NullReason::WholeAnswer),
        _ => Err(NullReason::NoToken),
    }
}

fn since_request(record: &ExchangeRecord, attempt: &AttemptRecord, mark: Mark) -> Metric {
    match attempt.timeline.get(mark) {
        Some(at) if at >= record.started_at => Ok(at.since(record.started_at)),
        _ if record.client_protocol == Protocol::Http2 => Err(NullReason::Multiplexed),
        _ => Err(NullReason::Aborted),
    }
}

#[cfg(test)]
#[path = "metric_tests.rs"]
pub(crate) mod tests;
