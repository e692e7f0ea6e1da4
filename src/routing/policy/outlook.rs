//! Looks at a candidate as a request would find it: with its cache, and with hope for the unknown.

use crate::routing::candidate::{Ask, Candidate};
use crate::routing::learned::{Expectation, Prompt};

/// How much hope an unsure route gets, in standard deviations.
pub(super) const HOPE: f64 = 1.5;

/// Samples below which hardly anything is known of a route.
const FEW: u64 = 3;
/// How much worse such a route is taken to be while a request is at work on it: a tenth.
const WORSE: f64 = 0.1;

/// A candidate as one request would find it.
#[derive(Debug, Clone, Copy)]
pub struct Outlook<'a> {
    /// The candidate.
    pub candidate: &'a Candidate,
    /// What to expect of it; for a route that nothing is known of, what the others are like.
    pub expected: Expectation,
    /// Prompt tokens that its cache is believed to hold.
    pub cached_tokens: u64,
}

impl<'a> Outlook<'a> {
    /// The outlooks on `candidates`. A route without samples is expected to be as the others are
    /// in the middle, and as unsure as can be. While a request is at work on a route that hardly
    /// anything is known of, no further one hopes: it is a little worse than the others.
    #[must_use]
    pub fn all(candidates: &[&'a Candidate]) -> Vec<Self> {
        let known = candidates
            .iter()
            .filter(|candidate| candidate.expected.samples > 0);
        let (sum, count) = known.fold((0.0, 0.0), |(sum, count), candidate| {
            (sum + candidate.expected.level.mean, count + 1.0)
        });
        let outlook = |candidate: &&'a Candidate| {
            let mut expected = candidate.expected;
            let middle = sum / count;
            if expected.samples == 0 && count > 0.0 {
                expected.level.mean = middle;
            }
            if expected.samples < FEW && candidate.health.at_work > 0 && count > 0.0 {
                expected.level.mean = expected.level.mean.max(middle) + WORSE;
                expected.level.variance = 0.0;
            }
            Outlook {
                candidate,
                expected,
                cached_tokens: 0,
            }
        };
        candidates.iter().map(outlook).collect()
    }

    /// The standard deviations of hope: less for each request that is already at work there, so
    /// that what is unknown is tried, not flooded.
    #[must_use]
    pub fn hope(&self) -> f64 {
        HOPE / (1.0 + f64::from(self.candidate.health.at_work))
    }

    /// What of the prompt no cache holds.
    #[must_use]
    pub fn uncached(&self, ask: &Ask) -> Prompt {
        Prompt {
            tokens: ask.prompt_tokens.saturating_sub(self.cached_tokens),
            reasons: ask.reasons,
        }
    }

    /// Milliseconds to the first token, hopefully; a failure costs another try.
    #[must_use]
    pub fn first_token_ms(&self, ask: &Ask) -> f64 {
        let first = self.expected.first_token(self.uncached(ask));
        first.hopeful(self.hope()) / self.success()
    }

    /// Milliseconds to the whole answer, hopefully; a failure costs another try.
    #[must_use]
    pub fn total_ms(&self, ask: &Ask) -> f64 {
        let tokens = ask.output_tokens;
        self.expected
            .total_ms(self.uncached(ask), tokens, self.hope())
            / self.success()
    }

    /// The expected cost in US dollars, of as many tries as success takes.
    #[must_use]
    pub fn cost(&self, ask: &Ask) -> Option<f64> {
        let quote = self.candidate.quote?;
        let once = quote.expected(
            ask.prompt_tokens,
            self.cached_tokens,
            ask.all_output_tokens(),
        );
        Some(once / self.success())
    }

    fn success(&self) -> f64 {
        self.expected.success.max(0.05)
    }
}
