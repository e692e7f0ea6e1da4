//! Holds what routing needs to know of a request.

use crate::record::{KeyedHash, Moment, Name, Nanos, PicoDollars};
use crate::routing::learned::of_choices;
use crate::routing::pricing::Rate;
use crate::routing::score::MinScore;

/// What no route may break, whatever else speaks for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Constraints {
    /// Regions that may answer; any where empty. A route of unknown region is none of them.
    pub regions: Vec<Name>,
    /// Places where the data may stay; any where empty. Unknown is none of them.
    pub residency: Vec<Name>,
    /// What the request may cost, as expected. A route without a price is left out.
    pub cost_max: Option<PicoDollars>,
    /// The highest price per prompt token.
    pub input_max: Option<Rate>,
    /// The highest price per token of the answer.
    pub output_max: Option<Rate>,
    /// When the whole answer must be there.
    pub deadline: Option<Nanos>,
    /// The score that a route must be shown to reach.
    pub min_score: Option<MinScore>,
    /// The window that a route must have, beside what the request itself needs.
    pub context_min: Option<u64>,
}

impl Constraints {
    /// Whether there is one at all.
    #[must_use]
    pub fn are_any(&self) -> bool {
        *self != Self::default()
    }

    /// Whether there is one that only a known price can keep to.
    #[must_use]
    pub const fn are_of_price(&self) -> bool {
        self.cost_max.is_some() || self.input_max.is_some() || self.output_max.is_some()
    }
}

/// What routing needs to know of a request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ask {
    /// Now.
    pub now: Moment,
    /// Prompt tokens, estimated.
    pub prompt_tokens: u64,
    /// Whether the model is asked to think before it speaks.
    pub reasons: bool,
    /// Tokens of the answer to expect ([`crate::routing::learned::Lengths::expected`]).
    pub output_tokens: f64,
    /// The limit on them that the request sets.
    pub max_tokens: Option<u64>,
    /// How many answers in one are asked for: the tokens are those of each.
    pub choices: Option<u32>,
    /// The conversation that it belongs to.
    pub session: Option<KeyedHash>,
    /// The beginning that its prompt has in common with others.
    pub prefix: Option<KeyedHash>,
    /// What no route may break.
    pub constraints: Constraints,
}

impl Ask {
    /// Tokens to expect of all answers together: what is paid and what counts against limits.
    #[must_use]
    pub fn all_output_tokens(&self) -> f64 {
        self.output_tokens * of_choices(self.choices)
    }

    /// The window that a route must have for the prompt and the answer that is asked for.
    #[must_use]
    pub fn context(&self) -> u64 {
        let needed = self.prompt_tokens + self.max_tokens.unwrap_or(0);
        needed.max(self.constraints.context_min.unwrap_or(0))
    }
}
