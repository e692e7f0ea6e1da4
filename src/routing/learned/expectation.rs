//! Says what to expect of a route for a request of a given size.

use crate::record::Nanos;
use crate::statistics::filter::{Belief, phi};

use super::slope::size;

/// What to expect of a route. Small and plain: choosing among fifty reads nothing else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectation {
    /// `ln` of milliseconds to the first token, at 1,000 prompt tokens.
    pub level: Belief,
    /// What `ln` of the prompt's size adds to it.
    pub slope: f64,
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
            slope: 0.2,
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
    #[must_use]
    pub fn first_token(&self, prompt_tokens: u64) -> Belief {
        Belief {
            mean: self.level.mean + self.slope * size(prompt_tokens),
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
    pub fn total_ms(&self, prompt_tokens: u64, output_tokens: f64, c: f64) -> f64 {
        let per_token = self
            .per_token
            .map_or(PER_TOKEN_UNKNOWN, |belief| belief.hopeful(c));
        self.first_token(prompt_tokens).hopeful(c) + output_tokens * per_token
    }

    /// The chance that the request succeeds with its first token within `limit`:
    /// `success · Φ((ln limit − μ − βx) / √(σ² + P))`.
    #[must_use]
    pub fn slo_probability(&self, prompt_tokens: u64, limit: Nanos) -> f64 {
        let belief = self.first_token(prompt_tokens);
        let z = (limit.as_millis().max(1e-6).ln() - belief.mean) / belief.deviation();
        self.success * phi(z)
    }
}
