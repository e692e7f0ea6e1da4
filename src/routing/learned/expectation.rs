//! Says what to expect of a route for a request of a given size.

use crate::record::Nanos;
use crate::statistics::filter::{Belief, phi};

use super::slope::{Prior, size};

/// What of a request decides how soon its first token is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prompt {
    /// Prompt tokens that no cache holds.
    pub tokens: u64,
    /// Whether the model is asked to think before it speaks.
    pub reasons: bool,
}

impl Prompt {
    /// So many tokens, and no thinking.
    #[must_use]
    pub const fn of(tokens: u64) -> Self {
        Self {
            tokens,
            reasons: false,
        }
    }
}

/// What to expect of a route. Small and plain: choosing among fifty reads nothing else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectation {
    /// `ln` of milliseconds to the first token, at 1,000 prompt tokens.
    pub level: Belief,
    /// What `ln` of the prompt's size adds to it.
    pub slope: f64,
    /// What being asked to reason adds to it.
    pub reasoning: f64,
    /// Milliseconds of connecting to be expected before: none where a connection should be there.
    pub setup_ms: f64,
    /// `ln` of milliseconds per output token.
    pub per_token: Option<Belief>,
    /// The expected chance of success.
    pub success: f64,
    /// A bound that the chance of success is above (95 %).
    pub success_lower: f64,
    /// First tokens observed: zero for a route that nothing is known of.
    pub samples: u64,
}

impl Default for Expectation {
    /// A route that nothing is known of: a second, give or take a factor of three.
    fn default() -> Self {
        Self {
            level: Belief {
                mean: 6.908,
                variance: 1.0,
                noise: 0.25,
            },
            slope: Prior::SIZE.slope,
            reasoning: Prior::REASONING.slope,
            setup_ms: 0.0,
            per_token: None,
            success: 0.95,
            success_lower: 0.75,
            samples: 0,
        }
    }
}

/// Milliseconds per token where nothing is known.
const PER_TOKEN_UNKNOWN: f64 = 20.0;

impl Expectation {
    /// The belief of `ln` milliseconds to the first token for a prompt of so many uncached tokens.
    /// What connecting takes moves its middle; it is small beside the spread.
    #[must_use]
    pub fn first_token(&self, prompt: Prompt) -> Belief {
        let reasoning = if prompt.reasons { self.reasoning } else { 0.0 };
        let mean = self.level.mean + self.slope * size(prompt.tokens) + reasoning;
        Belief {
            mean: if self.setup_ms > 0.0 {
                (mean.exp() + self.setup_ms).ln()
            } else {
                mean
            },
            ..self.level
        }
    }

    /// Milliseconds per output token.
    #[must_use]
    pub fn per_token_ms(&self) -> f64 {
        self.per_token
            .map_or(PER_TOKEN_UNKNOWN, |belief| belief.typical())
    }

    /// Milliseconds to the whole answer: `exp(μ_first) + N̂ · exp(μ_token)`, hopeful by `c`
    /// standard deviations of what is not known.
    #[must_use]
    pub fn total_ms(&self, prompt: Prompt, output_tokens: f64, c: f64) -> f64 {
        let per_token = self
            .per_token
            .map_or(PER_TOKEN_UNKNOWN, |belief| belief.hopeful(c));
        self.first_token(prompt).hopeful(c) + output_tokens * per_token
    }

    /// The chance that the request succeeds with its first token within `limit`:
    /// `success · Φ((ln limit − μ − βx) / √(σ² + P))`.
    #[must_use]
    pub fn slo_probability(&self, prompt: Prompt, limit: Nanos) -> f64 {
        let belief = self.first_token(prompt);
        let z = (limit.as_millis().max(1e-6).ln() - belief.mean) / belief.deviation();
        self.success * phi(z)
    }
}
