//! Holds what one attempt tells of its route.

use crate::record::{AttemptRecord, CancelledBy, ErrorClass, Mark, Moment, Nanos, Usage};
use crate::routing::health::{Effect, effect};

/// How an attempt ended, as far as its route's speed is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Well.
    Well,
    /// The route failed after so long: as bad as a first token that came that late.
    Failed {
        /// From the request to the failure.
        waited: Nanos,
    },
    /// Somebody ended it before the first token: the first token takes longer than that.
    Censored {
        /// From the request to its end.
        waited: Nanos,
    },
    /// It says nothing: the request was at fault, or a rate limit was met.
    Unjudged,
}

/// What one attempt tells of its route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// When it was over.
    pub at: Moment,
    /// Prompt tokens that no cache held, as they were estimated: what the next prompt is judged by.
    pub prompt_tokens: u64,
    /// Whether the model was asked to think before it speaks.
    pub reasons: bool,
    /// What making the connection took of the time to the first token; absent where it was there.
    pub setup: Option<Nanos>,
    /// From the request to the first token; absent for whole answers.
    pub first_token: Option<Nanos>,
    /// From the request to the end of a whole answer.
    pub whole: Option<Nanos>,
    /// Per output token after the first.
    pub per_token: Option<Nanos>,
    /// Tokens of the answer.
    pub output_tokens: Option<u64>,
    /// How it ended.
    pub ended: Ended,
}

/// Output tokens from which on a rate says something.
const TOKENS_MIN: u64 = 8;

impl Observation {
    /// What a finished attempt tells. `estimated` is the prompt's size as it was known beforehand,
    /// and `reasons` whether the model was asked to think; `at` is when it was over.
    ///
    /// Of the usage only the share that came out of a cache is taken: what a provider's template or
    /// tokens of its own add is a part of the route, and the next request does not know of it.
    #[must_use]
    pub fn of(
        attempt: &AttemptRecord,
        usage: Option<&Usage>,
        (estimated, reasons): (u64, bool),
        at: Moment,
    ) -> Option<Self> {
        let timeline = &attempt.timeline;
        let from = timeline.get(Mark::RouteChosen)?;
        let first = timeline.get(Mark::FirstToken);
        let last = timeline.get(Mark::LastToken);
        let output = usage.and_then(|usage| usage.output);
        let spread = first.zip(last).map(|(first, last)| last.since(first));
        let per_token = spread
            .zip(output.filter(|tokens| *tokens >= TOKENS_MIN))
            .map(|(spread, tokens)| Nanos(spread.0 / (tokens - 1)))
            .filter(|span| span.0 > 0);
        let cached = usage.and_then(|usage| usage.cached_read).unwrap_or(0);
        let input = usage.and_then(|usage| usage.input).unwrap_or(estimated);
        let waited = at.since(from);
        let ended = match attempt.error_class {
            Some(class) if effect(class) == Effect::Counts => Ended::Failed { waited },
            Some(ErrorClass::TotalTimeout) if first.is_none() => Ended::Censored { waited },
            Some(_) => Ended::Unjudged,
            // The client left, or another attempt was sooner.
            None if first.is_none()
                && matches!(
                    attempt.cancelled_by,
                    Some(CancelledBy::Client | CancelledBy::Hedge)
                ) =>
            {
                Ended::Censored { waited }
            }
            None if attempt.cancelled_by.is_some() => Ended::Unjudged,
            None => Ended::Well,
        };
        Some(Self {
            at,
            prompt_tokens: uncached(estimated, input, cached),
            reasons,
            setup: setup(attempt),
            first_token: first.map(|first| first.since(from)),
            whole: (first.is_none() && ended == Ended::Well).then_some(waited),
            per_token,
            output_tokens: output,
            ended,
        })
    }
}

/// The estimated tokens that no cache held, by the provider's own counts of both; these where
/// nothing could be estimated.
fn uncached(estimated: u64, input: u64, cached: u64) -> u64 {
    let rest = input.saturating_sub(cached);
    if estimated == 0 || input == 0 {
        return rest;
    }
    (estimated as f64 * rest as f64 / input as f64).round() as u64
}

/// What making the connection of an attempt took; absent where it was there before.
#[must_use]
pub fn setup(attempt: &AttemptRecord) -> Option<Nanos> {
    let timeline = &attempt.timeline;
    let from = timeline.get(Mark::PoolWait)?;
    let to = [Mark::Tls, Mark::Connect]
        .into_iter()
        .find_map(|mark| timeline.get(mark))?;
    (!attempt.reused).then(|| to.since(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_learned_in_the_measure_in_which_the_next_is_judged() {
        for (estimated, input, cached, expected) in [
            // A provider's own template makes a hundred tokens of a word.
            (1, 100, 0, 1),
            (1_000, 1_300, 0, 1_000),
            (1_000, 1_300, 650, 500),
            (1_000, 1_300, 9_999, 0),
            (0, 1_300, 300, 1_000),
        ] {
            assert_eq!(uncached(estimated, input, cached), expected, "{input}");
        }
    }
}
