//! One try of an exchange at one route, as comparisons see it.

use super::limit::{Limit, limits};
use crate::record::{
    AttemptRecord, ErrorClass, ExchangeRecord, KeyedHash, Language, Mark, Name, NullReason, Origin,
    Outcome, PicoDollars, ProviderKind, TokenSource, Usage, WallTime,
};
use crate::statistics::metric;

/// Tokens of the answer whose time is compared: measurement 2.9.
pub const TOTAL_TOKENS: u64 = 500;

/// A try with what it was asked to do, and how long it took. Spans are in nanoseconds; a failure
/// takes infinitely long; what is not known, or was cut short by the client, is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The provider.
    pub provider: Name,
    /// Whether it is a router.
    pub kind: ProviderKind,
    /// The model's name there.
    pub model: Option<Name>,
    /// The model asked for.
    pub asked: Option<Name>,
    /// The model that it is wherever it is served, where [`SameModel`](super::SameModel) was asked.
    pub same: Option<Name>,
    /// The region, where it is known.
    pub region: Option<Name>,
    /// Who served behind a router.
    pub served_by: Option<Name>,
    /// Date of the request's first byte.
    pub started: WallTime,
    /// What was asked for.
    pub traits: Traits,
    /// Prompt tokens as they were estimated before the route was chosen, or else as counted: of
    /// two routes' own counts neither measures the other's prompts.
    pub size: Option<u64>,
    /// Whether it failed by the route's fault; absent where the outcome says nothing of it.
    pub failed: Option<bool>,
    /// Time to first token.
    pub first_token: Option<f64>,
    /// Time to first answer.
    pub first_answer: Option<f64>,
    /// How long a first token, a first answer and the whole were waited for at least, where the
    /// client left or a hedge was sooner.
    pub waited: [Option<f64>; 3],
    /// Output rate in tokens per second; zero of a failure.
    pub rate: Option<f64>,
    /// Why it has no time to first token, of an answer that ended.
    pub no_first_token: Option<NullReason>,
    /// Why it has no output rate.
    pub no_rate: Option<NullReason>,
    /// Time to the [`TOTAL_TOKENS`]th token.
    pub total: Option<f64>,
    /// Connecting: zero on a connection that was there.
    pub connect: Option<f64>,
    /// From the request's last byte to the response headers.
    pub headers: Option<f64>,
    /// From the headers to the first token.
    pub wait: Option<f64>,
    /// From the first to the last token.
    pub streaming: Option<f64>,
    /// What the provider itself reports of its work, the longest of its timings.
    pub reported: Option<f64>,
    /// Cost in dollars by the price table.
    pub cost: Option<f64>,
    /// US dollars that its route charges for 1,000,000 tokens of answers when the report's window
    /// ends, where the report asks for it and the price is known.
    pub output_price: Option<f64>,
    /// Cost in dollars that the provider billed.
    pub billed: Option<f64>,
    /// Whether the provider may bill it although it failed.
    pub maybe_billed: bool,
    /// What Tollgate itself added.
    pub own_delay: Option<f64>,
    /// Time of the whole answer: of a stream to its last token.
    pub whole: Option<f64>,
    /// Whether another try followed it: it answered nobody.
    pub lost: bool,
    /// Whether there was a connection: the request went out.
    pub connected: bool,
    /// How its exchange ended.
    pub outcome: Outcome,
    /// What kind of error it met.
    pub class: Option<ErrorClass>,
    /// The HTTP status of the response.
    pub status: Option<u16>,
    /// Prompt tokens as counted.
    pub input: Option<u64>,
    /// Prompt tokens read from the provider's cache.
    pub cached_read: Option<u64>,
    /// Generated tokens, where they were counted and not only seen to pass.
    pub output: Option<u64>,
    /// Its conversation.
    pub session: Option<KeyedHash>,
    /// The turn of its conversation.
    pub turn: Option<u32>,
    /// Stalls of the stream; absent of whole answers.
    pub stalls: Option<u32>,
    /// Whether the answer was held back and sent in one burst.
    pub pseudo_stream: bool,
    /// The model the provider says it answered with.
    pub answered: Option<Name>,
    /// The provider's fingerprint of its system.
    pub fingerprint: Option<Name>,
    /// Keyed hash of the request's body.
    pub prompt: Option<KeyedHash>,
    /// Fingerprint of the settings in force.
    pub config: KeyedHash,
    /// The endpoint's language.
    pub language: Language,
    /// Requests and tokens a minute that the provider's headers allow.
    pub limits: [Option<Limit>; 2],
    /// What the exchange can be found by: its trace, or else its own id.
    pub trace: [u8; 16],
}

/// What is known of a request before it is routed, and decides how long it takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Traits {
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Whether tools were offered.
    pub tools: bool,
    /// Whether the answer was to be JSON.
    pub json: bool,
    /// The reasoning effort asked for.
    pub effort: Option<Name>,
    /// The power of two at or below the number of prompt tokens.
    pub prompt_log2: Option<u32>,
    /// Share of the prompt read from the provider's cache: none, up to half, more.
    pub cached: u8,
    /// Whether the connection was there.
    pub reused: bool,
    /// The six hours in which it was, counted from 1970.
    pub block: i64,
}

impl Traits {
    /// The same without what only an answer tells: a failure read no cache, and an outage has no
    /// connection that was there.
    #[must_use]
    pub fn known_before(&self) -> Self {
        Self {
            cached: 0,
            reused: false,
            ..self.clone()
        }
    }
}

/// Microseconds of six hours.
const BLOCK: i64 = 6 * 3_600 * 1_000_000;

/// Why an exchange is compared with no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// It comes from elsewhere than was asked for.
    Origin,
    /// Its endpoint generates no tokens.
    NotGenerating,
    /// A background call.
    Background,
    /// An answer out of a cache of the provider's.
    CachedAnswer,
    /// No provider saw it.
    Unrouted,
    /// It only warmed connections.
    WarmUp,
}

impl Skipped {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::Origin,
        Self::NotGenerating,
        Self::Background,
        Self::CachedAnswer,
        Self::Unrouted,
        Self::WarmUp,
    ];

    /// The name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Origin => "other_origin",
            Self::NotGenerating => "no_tokens",
            Self::Background => "background",
            Self::CachedAnswer => "cached_answer",
            Self::Unrouted => "no_provider",
            Self::WarmUp => "warm_up",
        }
    }
}

/// The calls of an exchange: the answering try, and each try before it as a failure of its route
/// (rate limits, refused keys and what was the caller's fault are rates of their own, in neither).
/// `takes` says which origins are compared.
pub fn calls(
    record: &ExchangeRecord,
    takes: impl Fn(Origin) -> bool,
) -> Result<Vec<Call>, Skipped> {
    if !takes(record.origin) {
        return Err(Skipped::Origin);
    }
    if !record.language.generates() || record.language == Language::Plain {
        return Err(Skipped::NotGenerating);
    }
    if record.request.background {
        return Err(Skipped::Background);
    }
    if record.active.as_ref().is_some_and(|active| active.warm_up) {
        return Err(Skipped::WarmUp);
    }
    if record.cached_answer {
        return Err(Skipped::CachedAnswer);
    }
    let Some((last, lost)) = record.attempts.split_last() else {
        return Err(Skipped::Unrouted);
    };
    let mut calls: Vec<Call> = lost.iter().map(|attempt| gone(record, attempt)).collect();
    calls.push(answered(record, last));
    Ok(calls)
}

/// A try after which another followed.
fn gone(record: &ExchangeRecord, attempt: &AttemptRecord) -> Call {
    let cancelled = metric::is_called_off(attempt);
    let usage = attempt.lost_usage.unwrap_or_default();
    let call = if cancelled || attempt.error_class.is_some_and(is_no_failure) {
        bare(record, attempt, &usage)
    } else {
        failed(record, attempt, &usage)
    };
    let waited = [
        metric::lost_wait(attempt, Mark::FirstToken),
        metric::lost_wait(attempt, Mark::FirstAnswer),
        metric::lost_wait_whole(attempt),
    ]
    .map(|span| span.map(|span| span.0 as f64));
    Call {
        lost: true,
        waited,
        cost: metric::lost_cost(attempt).map(PicoDollars::as_dollars),
        input: usage.input,
        cached_read: usage.cached_read,
        ..call
    }
}

/// Whether an error of that class says nothing of whether the route works.
const fn is_no_failure(class: ErrorClass) -> bool {
    metric::is_rate_limit(class)
        || metric::is_credential_fault(class)
        || metric::is_callers_fault(class)
}

fn failed(record: &ExchangeRecord, attempt: &AttemptRecord, usage: &Usage) -> Call {
    let forever = Some(f64::INFINITY);
    Call {
        failed: Some(true),
        first_token: forever,
        first_answer: forever,
        rate: Some(0.0),
        total: forever,
        whole: forever,
        ..bare(record, attempt, usage)
    }
}

fn answered(record: &ExchangeRecord, attempt: &AttemptRecord) -> Call {
    if record.outcome.is_route_failure() {
        return Call {
            own_delay: metric::own_delay(record).map(|span| span.0 as f64),
            ..paid(record, failed(record, attempt, &record.tokens.usage))
        };
    }
    let nanos = |found: metric::Metric| found.ok().map(|span| span.0 as f64);
    let timeline = &attempt.timeline;
    let span = |from, to| timeline.span(from, to).map(|span| span.0 as f64);
    let timed = metric::is_timed(record.outcome);
    let keep = |value: Option<f64>| value.filter(|_| timed);
    Call {
        failed: record.outcome.in_failure_rate().then_some(false),
        first_token: keep(nanos(metric::ttft_up(attempt))),
        first_answer: keep(nanos(metric::ttfa(attempt))),
        waited: [
            metric::wait(record, Mark::FirstToken),
            metric::wait(record, Mark::FirstAnswer),
            metric::wait_whole(record),
        ]
        .map(|span| span.map(|span| span.0 as f64)),
        no_first_token: metric::ttft_up(attempt).err().filter(|_| timed),
        no_rate: metric::output_rate(record).err().filter(|_| timed),
        rate: keep(
            metric::output_rate(record)
                .ok()
                .map(metric::Rate::as_tokens_per_second),
        ),
        total: keep(nanos(metric::e2e_at(record, TOTAL_TOKENS))),
        connect: keep(Some(connecting(attempt))),
        headers: keep(span(Mark::RequestSent, Mark::Headers)),
        wait: keep(span(Mark::Headers, Mark::FirstToken)),
        streaming: keep(span(Mark::FirstToken, Mark::LastToken)),
        reported: attempt
            .server_timings
            .iter()
            .map(|timing| timing.span.0 as f64)
            .reduce(f64::max),
        whole: keep(nanos(metric::total(attempt))),
        own_delay: metric::own_delay(record).map(|span| span.0 as f64),
        ..paid(record, bare(record, attempt, &record.tokens.usage))
    }
}

/// The answering try with what it cost and used: what lost tries cost is theirs.
fn paid(record: &ExchangeRecord, call: Call) -> Call {
    let usage = &record.tokens.usage;
    let counted = !matches!(record.tokens.source, None | Some(TokenSource::Chunks));
    Call {
        cost: metric::telling_cost(record.outcome, metric::own_cost(record))
            .map(PicoDollars::as_dollars),
        billed: metric::telling_cost(record.outcome, record.cost_billed)
            .map(PicoDollars::as_dollars),
        input: usage.input,
        cached_read: usage.cached_read,
        output: usage.output.filter(|_| counted),
        ..call
    }
}

/// From the leave to open a connection to its being open.
fn connecting(attempt: &AttemptRecord) -> f64 {
    if attempt.reused {
        return 0.0;
    }
    let open = [Mark::Tls, Mark::Connect, Mark::Dns]
        .into_iter()
        .find_map(|mark| attempt.timeline.span(Mark::PoolWait, mark));
    open.map_or(0.0, |span| span.0 as f64)
}

fn bare(record: &ExchangeRecord, attempt: &AttemptRecord, usage: &Usage) -> Call {
    // Before the answer only the estimate is known: what is compared by must not come of the
    // route, so the size is the estimate where there is one.
    let counted = record.tokens.usage.input;
    let size = record.request.prompt_tokens_estimated.or(counted);
    let cached = match (usage.cached_read, usage.input) {
        (Some(read), Some(input)) if read > 0 && input > 0 => 1 + u8::from(read * 2 > input),
        _ => 0,
    };
    Call {
        provider: attempt.provider.clone(),
        kind: attempt.kind,
        model: attempt.model.clone(),
        asked: record.model.clone(),
        same: None,
        region: attempt.region.clone(),
        served_by: attempt.served_by.clone(),
        started: record.started,
        traits: Traits {
            stream: record.request.stream,
            tools: record.request.tools.is_some_and(|tools| tools > 0),
            json: record
                .request
                .response_format
                .as_ref()
                .is_some_and(|format| format.starts_with("json")),
            effort: record.request.reasoning_effort.clone(),
            prompt_log2: size.and_then(u64::checked_ilog2),
            cached,
            reused: attempt.reused,
            block: record.started.0.div_euclid(BLOCK),
        },
        size,
        failed: None,
        first_token: None,
        first_answer: None,
        waited: [None; 3],
        rate: None,
        no_first_token: None,
        no_rate: None,
        total: None,
        connect: None,
        headers: None,
        wait: None,
        streaming: None,
        reported: None,
        cost: None,
        output_price: None,
        billed: None,
        maybe_billed: attempt.maybe_billed,
        own_delay: None,
        whole: None,
        lost: false,
        connected: attempt.timeline.get(Mark::SendStart).is_some(),
        outcome: record.outcome,
        class: attempt.error_class,
        status: attempt.status,
        input: None,
        cached_read: None,
        output: None,
        session: record.session.map(|session| session.hash),
        turn: record.session.map(|session| session.turn),
        stalls: attempt.gaps.as_ref().map(|gaps| gaps.stalls),
        pseudo_stream: attempt.gaps.as_ref().is_some_and(|gaps| gaps.pseudo_stream),
        answered: attempt.model_answered.clone(),
        fingerprint: attempt.fingerprint.clone(),
        prompt: record.request.prompt_hash,
        config: record.config,
        language: record.language,
        limits: limits(attempt, record.started),
        trace: record.trace.map_or(record.id.0, |trace| trace.0),
    }
}

/// The name under which the same model is known at every provider; where nobody was asked, its own
/// without the maker's name that routers put in front (`openai/gpt-4.1`), in small letters.
#[must_use]
pub fn plain_model(call: &Call) -> String {
    if let Some(same) = &call.same {
        return same.to_string();
    }
    let name = call.model.as_ref().or(call.asked.as_ref());
    plain_name(call.kind, name.map_or("", |name| name.as_str()))
}

/// The same of a model's `name` at a provider of that kind.
pub(super) fn plain_name(kind: ProviderKind, name: &str) -> String {
    let bare = match kind {
        ProviderKind::Router => name.rsplit('/').next().unwrap_or(name),
        ProviderKind::Direct => name,
    };
    bare.to_ascii_lowercase()
}
