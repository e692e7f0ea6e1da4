//! What one probe says of its route.

use crate::record::{ErrorClass, ExchangeRecord, Mark, Nanos, Outcome, WallTime};
use crate::routing::route::RouteKey;
use crate::statistics::metric;

/// How long a probe is waited for: what has not answered by then counts as a failure.
pub const PATIENCE: Nanos = Nanos::from_millis(60_000);

/// One probe. Spans are in nanoseconds; what is not known is absent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Date of the request's first byte.
    pub at: WallTime,
    /// Whether the route answered; absent where the outcome says nothing of it: a rate limit, a
    /// refused key, the client's own fault.
    pub answered: Option<bool>,
    /// Microseconds since the call of the route before it, where one is known.
    pub idle: Option<i64>,
    /// How it ended.
    pub outcome: Outcome,
    /// What kind of error it met.
    pub class: Option<ErrorClass>,
    /// Whether a connection was opened for it.
    pub fresh: bool,
    /// Looking the name up, connecting and shaking hands, where a connection was opened.
    pub connect: Option<f64>,
    /// The TLS handshake alone.
    pub tls: Option<f64>,
    /// Time to first token, from the request's first byte to the provider: connecting is not in it.
    pub first_token: Option<f64>,
    /// The same to the last token.
    pub total: Option<f64>,
    /// Tokens of the answer, where they were counted.
    pub output: Option<u64>,
    /// US dollars; absent where no price is known.
    pub cost: Option<f64>,
}

impl Point {
    /// What `record` says, and of which route; absent where no provider was asked.
    #[must_use]
    pub fn of(record: &ExchangeRecord) -> Option<(RouteKey, Self)> {
        let attempt = record.attempts.last()?;
        let route = RouteKey::new(attempt.provider.clone(), attempt.model.clone());
        let outcome = record.outcome;
        // Whoever asked has waited for as long as a probe is waited for, and then left.
        let given_up =
            outcome == Outcome::ClientGone && record.closed_at.since(record.started_at) >= PATIENCE;
        let answered = match outcome {
            outcome if outcome.is_route_failure() || given_up => Some(false),
            outcome => outcome.in_failure_rate().then_some(true),
        };
        let nanos = |found: metric::Metric| {
            let found = found.ok().filter(|_| answered == Some(true));
            found.map(|span| span.0 as f64)
        };
        let timeline = &attempt.timeline;
        let span = |from, to| timeline.span(from, to).map(|span| span.0 as f64);
        let fresh = !attempt.reused;
        let open = timeline.get(Mark::Tls).map_or(Mark::Connect, |_| Mark::Tls);
        let point = Self {
            at: record.started,
            answered,
            idle: None,
            outcome,
            class: attempt.error_class,
            fresh,
            connect: span(Mark::PoolWait, open).filter(|_| fresh),
            tls: span(Mark::Connect, Mark::Tls).filter(|_| fresh),
            first_token: nanos(metric::ttft_up(attempt)),
            total: nanos(metric::total(attempt)),
            output: record.tokens.usage.output,
            cost: record.cost.map(crate::record::PicoDollars::as_dollars),
        };
        Some((route, point))
    }
}

impl Point {
    /// One that was given up, and had begun at `at`: its record is not at hand.
    #[must_use]
    pub const fn given_up(at: WallTime) -> Self {
        Self {
            answered: Some(false),
            ..Self::unsent(at, Outcome::ClientGone)
        }
    }

    /// One that no provider was asked.
    #[must_use]
    pub const fn unsent(at: WallTime, outcome: Outcome) -> Self {
        Self {
            at,
            answered: None,
            idle: None,
            outcome,
            class: None,
            fresh: false,
            connect: None,
            tls: None,
            first_token: None,
            total: None,
            output: None,
            cost: None,
        }
    }
}

#[cfg(test)]
pub(in crate::analysis) mod tests {
    use super::*;

    /// A probe that was answered so many milliseconds after `seconds`.
    pub(in crate::analysis) fn answered(seconds: i64, millis: f64) -> Point {
        Point {
            at: WallTime(seconds * 1_000_000),
            answered: Some(true),
            idle: None,
            outcome: Outcome::Ok,
            class: None,
            fresh: false,
            connect: None,
            tls: None,
            first_token: Some(millis * 1e6),
            total: Some(millis * 1.2e6),
            output: Some(16),
            cost: Some(0.000_01),
        }
    }

    /// A probe that failed.
    pub(in crate::analysis) fn failed(seconds: i64) -> Point {
        Point {
            answered: Some(false),
            outcome: Outcome::UpstreamError,
            first_token: None,
            total: None,
            output: None,
            cost: None,
            ..answered(seconds, 1.0)
        }
    }
}
