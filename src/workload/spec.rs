//! Says what a load is: how long its requests are, who asks how fast, how they are to be served.

use super::schedule::Phases;
use super::sizes::Sizes;
use crate::record::Nanos;

/// A load, as a workload file describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// The version of its file.
    pub version: String,
    /// What it stands for.
    pub description: String,
    /// How long prompts and answers are.
    pub sizes: Sizes,
    /// How requests are to be served.
    pub sla: Sla,
    /// Who asks.
    pub demand: Demand,
    /// Requests before the ramp, that warm connections.
    pub warm_ups: u32,
    /// Ramp, measured time, and end.
    pub phases: Phases,
}

/// How requests are to be served.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sla {
    /// From the intended start to the last token, at most.
    pub latency: Nanos,
    /// From the intended start to the first token, at most, where that matters.
    pub first_token: Option<Nanos>,
    /// The share of requests that must be served so.
    pub within: f64,
    /// The share of requests that may fail.
    pub error_share: f64,
}

impl Sla {
    /// Whether an answer that took so long was served; `first_token` is absent of a whole answer.
    #[must_use]
    pub fn is_met(&self, latency: Nanos, first_token: Option<Nanos>) -> bool {
        let first = self
            .first_token
            .is_none_or(|limit| first_token.is_some_and(|found| found <= limit));
        latency <= self.latency && first
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Demand {
    /// Closed loop: users at once, each with one request at a time.
    Users {
        /// How many.
        count: u32,
        /// How long each thinks between an answer and its next request.
        think: Nanos,
    },
    /// Open loop: requests per second, whatever becomes of those before.
    Rate {
        /// How many.
        rate: f64,
        /// Evenly, instead of by chance as independent users come.
        constant: bool,
    },
}

/// The share of requests that must be served within the time unless one says otherwise.
pub const WITHIN: f64 = 0.95;
/// The share of requests that may fail unless one says otherwise.
pub const ERROR_SHARE: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_served_within_both_times() {
        let ms = Nanos::from_millis;
        let sla = |first: Option<u64>| Sla {
            latency: ms(2_000),
            first_token: first.map(ms),
            within: WITHIN,
            error_share: ERROR_SHARE,
        };
        for (first_limit, latency, first, met) in [
            (None, 2_000, None, true),
            (None, 2_001, Some(1), false),
            (Some(500), 1_000, Some(500), true),
            (Some(500), 1_000, Some(501), false),
            (Some(500), 1_000, None, false),
        ] {
            let found = sla(first_limit).is_met(ms(latency), first.map(ms));
            assert_eq!(found, met, "{first_limit:?} {latency} {first:?}");
        }
    }
}
