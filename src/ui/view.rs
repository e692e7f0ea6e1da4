//! Holds the shapes of the page's JSON: what programs may rely on.

use serde::Serialize;

use crate::analysis::tables::{Figure, Share};
use crate::record::{ErrorClass, ExchangeRecord, Nanos, NullReason, Origin, Outcome, PicoDollars};
use crate::recorder::{State as StoreState, StoreHealth};
use crate::statistics::{Figures, Metric, Rate};

use super::listing::Listed;
use super::state::State;

/// What is going on now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// Name and version of this shape.
    pub schema: &'static str,
    /// The date.
    pub time: String,
    /// Seconds since the start.
    pub uptime_seconds: i64,
    /// The program's version.
    pub program: &'static str,
    /// Whether what is shown is simulated.
    pub simulated: bool,
    /// Exchanges at work.
    pub in_flight: u64,
    /// Exchanges begun since the start.
    pub accepted: u64,
    /// Open client connections.
    pub connections: u64,
    /// Exchanges that ended in the last whole minute.
    pub requests_per_minute: u64,
    /// Exchanges of the last five minutes.
    pub exchanges: u64,
    /// Route failures of the last five minutes.
    pub failure_rate: Fraction,
    /// First token of the last five minutes.
    pub first_token_ms: Quantiles,
    /// What Tollgate added in the last five minutes.
    pub own_delay_us: OwnQuantiles,
    /// How the store does.
    pub store: Store,
}

/// A share with both ends of its fraction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fraction {
    /// The share; absent of nothing.
    pub value: Option<f64>,
    /// The part.
    pub part: u64,
    /// The whole.
    pub whole: u64,
}

/// A number, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Number {
    /// It.
    pub value: Option<f64>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// How many numbers it needs, where there are too few.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<u64>,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has: Option<u64>,
}

/// Quantiles of first tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// Median.
    pub p50: Number,
    /// 95th percentile.
    pub p95: Number,
}

/// Quantiles of own delays.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OwnQuantiles {
    /// Median.
    pub p50: Number,
    /// 99th percentile.
    pub p99: Number,
}

/// How the store does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Store {
    /// `ok`, `degraded` or `stopped`.
    pub state: &'static str,
    /// Why it is not ok.
    pub reason: Option<String>,
    /// Since when.
    pub since: Option<String>,
    /// Records on the disk.
    pub written: u64,
    /// Records that wait.
    pub queue: usize,
    /// Records dropped because the queue was full.
    pub dropped_queue_full: u64,
    /// Records dropped because the store would not take them.
    pub dropped_store_failed: u64,
    /// Records that were in no journal before their commit.
    pub unjournaled: u64,
    /// Times that the store was opened again.
    pub reopened: u64,
    /// Records that retention removed.
    pub trimmed: u64,
    /// The damaged file that was moved aside.
    pub moved_aside: Option<String>,
}

/// One exchange of a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    /// Its id.
    pub id: String,
    /// When it began.
    pub started: String,
    /// Where it comes from.
    pub origin: &'static str,
    /// The model asked for.
    pub model: Option<String>,
    /// The provider of its last attempt.
    pub provider: Option<String>,
    /// The model's name there.
    pub route_model: Option<String>,
    /// How it ended.
    pub outcome: &'static str,
    /// Whether that is the route's fault.
    pub failed: bool,
    /// The error class of its last attempt.
    pub error_class: Option<&'static str>,
    /// HTTP status sent to the client.
    pub status: Option<u16>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Attempts made.
    pub attempts: usize,
    /// Time to first token.
    pub first_token_ms: Option<f64>,
    /// Why it has none.
    pub first_token_reason: Option<&'static str>,
    /// Time of the answer.
    pub total_ms: Option<f64>,
    /// Tokens per second.
    pub output_rate: Option<f64>,
    /// Prompt tokens.
    pub tokens_input: Option<u64>,
    /// Generated tokens.
    pub tokens_output: Option<u64>,
    /// Cost by the price table.
    pub cost_usd: Option<f64>,
}

impl Overview {
    pub(super) fn of(state: &State) -> Self {
        let (sums, counts) = (state.sums(), (state.handles.counts)());
        let now = state.handles.clock.wall();
        let [p50, p95] = sums.first_token;
        let [own50, own99] = sums.own_delay;
        Self {
            schema: "tollgate.overview/1",
            time: now.rfc3339(),
            uptime_seconds: now.as_secs() - state.started.as_secs(),
            program: env!("CARGO_PKG_VERSION"),
            simulated: state.is_simulated(),
            in_flight: counts.in_flight,
            accepted: counts.accepted,
            connections: counts.connections,
            requests_per_minute: sums.per_minute,
            exchanges: sums.exchanges,
            failure_rate: Fraction::of(sums.failures),
            first_token_ms: Quantiles {
                p50: Number::of(p50, 1e6),
                p95: Number::of(p95, 1e6),
            },
            own_delay_us: OwnQuantiles {
                p50: Number::of(own50, 1e3),
                p99: Number::of(own99, 1e3),
            },
            store: Store::of(&(state.handles.store)()),
        }
    }
}

impl Fraction {
    fn of(share: Share) -> Self {
        Self {
            value: share.fraction(),
            part: share.part,
            whole: share.whole,
        }
    }
}

impl Number {
    /// A figure divided by `unit`.
    pub(super) fn of(figure: Figure, unit: f64) -> Self {
        let (needs, has) = match figure {
            Figure::TooFew { needs, has } => (Some(needs), Some(has)),
            _ => (None, None),
        };
        Self {
            value: figure.value().map(|value| value / unit),
            reason: figure.reason(),
            needs,
            has,
        }
    }
}

impl Store {
    pub(super) fn of(health: &StoreHealth) -> Self {
        let (state, reason, since) = match &health.state {
            StoreState::Ok => ("ok", None, None),
            StoreState::Degraded { since, reason } => {
                ("degraded", Some(reason.clone()), Some(since.rfc3339()))
            }
            StoreState::Stopped => ("stopped", None, None),
        };
        Self {
            state,
            reason,
            since,
            written: health.written,
            queue: health.queue_len,
            dropped_queue_full: health.dropped_queue_full,
            dropped_store_failed: health.dropped_store_failed,
            unjournaled: health.unjournaled,
            reopened: health.reopened,
            trimmed: health.trimmed,
            moved_aside: health
                .moved_aside
                .as_ref()
                .map(|path| path.display().to_string()),
        }
    }
}

impl Item {
    /// The item of a record just finished.
    #[must_use]
    pub fn of_record(record: &ExchangeRecord) -> Self {
        let last = record.attempts.last();
        let figures = Figures::of(record);
        Self {
            provider: last.map(|attempt| attempt.provider.to_string()),
            route_model: last
                .and_then(|attempt| attempt.model.as_ref())
                .map(ToString::to_string),
            model: record.model.as_ref().map(ToString::to_string),
            error_class: last
                .and_then(|attempt| attempt.error_class)
                .map(ErrorClass::name),
            status: record.status,
            stream: record.request.stream,
            attempts: record.attempts.len(),
            tokens_input: record.tokens.usage.input,
            tokens_output: record.tokens.usage.output,
            cost_usd: record.cost.map(PicoDollars::as_dollars),
            ..Self::bare(
                record.id.to_string(),
                record.started.rfc3339(),
                record.origin,
                record.outcome,
                &figures,
            )
        }
    }

    /// The item of a row of the store.
    #[must_use]
    pub fn of_row(listed: &Listed) -> Self {
        let row = &listed.summary;
        Self {
            provider: listed.provider.clone(),
            route_model: listed.route_model.clone(),
            model: listed.model.clone(),
            error_class: row.error_class.map(ErrorClass::name),
            status: row.status,
            stream: row.stream,
            attempts: usize::from(row.attempts),
            tokens_input: row.usage.input,
            tokens_output: row.usage.output,
            cost_usd: row.cost.map(PicoDollars::as_dollars),
            ..Self::bare(
                row.id.to_string(),
                row.started.rfc3339(),
                row.origin,
                row.outcome,
                &row.figures,
            )
        }
    }

    fn bare(
        id: String,
        started: String,
        origin: Origin,
        outcome: Outcome,
        figures: &Figures,
    ) -> Self {
        let millis = |metric: Metric| metric.ok().map(Nanos::as_millis);
        Self {
            id,
            started,
            origin: origin.name(),
            model: None,
            provider: None,
            route_model: None,
            outcome: outcome.name(),
            failed: outcome.is_route_failure(),
            error_class: None,
            status: None,
            stream: false,
            attempts: 0,
            first_token_ms: millis(figures.first_token),
            first_token_reason: figures.first_token.err().map(NullReason::name),
            total_ms: millis(figures.total),
            output_rate: figures.output_rate.ok().map(Rate::as_tokens_per_second),
            tokens_input: None,
            tokens_output: None,
            cost_usd: None,
        }
    }
}
