//! Holds what is asked, and what is known of each route that could answer.

mod ask;

mod memory;

pub use ask::{Ask, Constraints};
pub use memory::{ModelMemory, Prefix};

use std::sync::Arc;

use crate::record::{KeyedHash, Name};
use crate::routing::health::HealthView;
use crate::routing::learned::Expectation;
use crate::routing::pricing::Quote;
use crate::routing::route::RouteKey;

/// One route that an exchange could take, with everything that is known of it now.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The provider.
    pub provider: Name,
    /// The model's name there; absent for requests without a model.
    pub model: Option<Name>,
    /// Whether there is a credential that may be sent there, or none is needed.
    pub usable: bool,
    /// Which credential that would be.
    pub credential: Option<KeyedHash>,
    /// Where it answers from, where that is known.
    pub region: Option<Name>,
    /// Where its data stays, where that is known.
    pub residency: Option<Name>,
    /// Its share among the others, as configured.
    pub weight: f64,
    /// Its share of the requests where it is a canary by plan: beside whichever others stand.
    pub share: Option<f64>,
    /// Tokens of prompt and answer that it takes, where known.
    pub context: Option<u64>,
    /// Whether it serves another model than the one asked for: only after all others.
    pub other_model: bool,
    /// What the config lays down for that other model itself: it holds whoever asks.
    pub terms: Option<Arc<Constraints>>,
    /// The lower end of its score at the scorer that is asked, where one is and has scored it.
    pub score_low: Option<f64>,
    /// What it charges, where known.
    pub quote: Option<Quote>,
    /// Whether it may be tried now.
    pub health: HealthView,
    /// What to expect of it.
    pub expected: Expectation,
}

impl Candidate {
    /// A route of which nothing further is known.
    pub fn new(provider: impl Into<Name>, model: Option<Name>, usable: bool) -> Self {
        Self {
            provider: provider.into(),
            model,
            usable,
            credential: None,
            region: None,
            residency: None,
            weight: 1.0,
            share: None,
            context: None,
            other_model: false,
            terms: None,
            score_low: None,
            quote: None,
            health: HealthView::default(),
            expected: Expectation::default(),
        }
    }

    /// The route's key.
    #[must_use]
    pub fn route(&self) -> RouteKey {
        RouteKey {
            provider: self.provider.clone(),
            model: self.model.clone(),
        }
    }

    /// Whether it is that route.
    #[must_use]
    pub fn is(&self, route: &RouteKey) -> bool {
        self.provider == route.provider && self.model == route.model
    }
}
