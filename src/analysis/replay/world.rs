//! Holds a world: requests, routes, and what every route would have answered to each.

use crate::record::{Moment, Nanos};
use crate::routing::pricing::Quote;

/// What is known of a route from its settings.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteFacts {
    /// What it is called.
    pub name: String,
    /// What it charges, where that is known.
    pub quote: Option<Quote>,
    /// Its share where a policy draws by weight.
    pub weight: f64,
}

/// What settings say of a route.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Configured {
    /// What it charges, where that is known.
    pub quote: Option<Quote>,
    /// Its share where a policy draws by weight.
    pub weight: f64,
}

impl Default for Configured {
    fn default() -> Self {
        Self {
            quote: None,
            weight: 1.0,
        }
    }
}

/// One request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Request {
    /// When it comes.
    pub at: Moment,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
}

/// What one route would answer to one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// From the request to the first token, or to the failure.
    pub first_token: Nanos,
    /// Whether it fails.
    pub failed: bool,
    /// The expectation of [`Self::waited`], free of noise, in milliseconds.
    pub expected_ms: f64,
    /// Per token after it.
    pub per_token: Nanos,
}

impl Answer {
    /// What a failure counts as where a span is needed, however soon it came: as long as a first
    /// token is waited for at least before another route is tried.
    pub const LOST: Nanos = Nanos::from_millis(8_000);

    /// From the request to the first token, [`Self::LOST`] where it fails.
    #[must_use]
    pub const fn waited(&self) -> Nanos {
        if self.failed {
            Self::LOST
        } else {
            self.first_token
        }
    }

    /// From the request to the last of so many tokens, or to the failure.
    #[must_use]
    pub fn total(&self, output_tokens: u64) -> Nanos {
        if self.failed {
            return self.first_token;
        }
        Nanos(self.first_token.0 + self.per_token.0 * output_tokens.saturating_sub(1))
    }
}

/// Requests, routes, and what every route would have answered to each.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// The routes.
    pub routes: Vec<RouteFacts>,
    /// The requests, by time.
    pub requests: Vec<Request>,
    /// The answers: one row a request, one column a route.
    pub answers: Vec<Vec<Answer>>,
}

impl World {
    /// What a request would cost on a route, in US dollars; nothing where its price is not known.
    #[must_use]
    pub fn cost(&self, request: usize, route: usize) -> Option<f64> {
        let Request {
            prompt_tokens,
            output_tokens,
            ..
        } = self.requests[request];
        let quote = self.routes[route].quote.as_ref()?;
        Some(quote.expected(prompt_tokens, 0, output_tokens as f64))
    }

    /// The route that is expected to be fastest for a request.
    #[must_use]
    pub fn oracle(&self, request: usize) -> usize {
        let answers = &self.answers[request];
        let faster =
            |a: &usize, b: &usize| answers[*a].expected_ms.total_cmp(&answers[*b].expected_ms);
        (0..answers.len()).min_by(faster).unwrap_or(0)
    }

    /// The route that is expected to be fastest over all requests, in hindsight.
    #[must_use]
    pub fn best_static(&self) -> usize {
        let sum = |route: &usize| -> f64 {
            self.answers
                .iter()
                .map(|answers| answers[*route].expected_ms)
                .sum()
        };
        let faster = |a: &usize, b: &usize| sum(a).total_cmp(&sum(b));
        (0..self.routes.len()).min_by(faster).unwrap_or(0)
    }
}
