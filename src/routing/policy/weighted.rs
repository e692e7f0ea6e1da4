//! Draws among the routes by the weights of the config: a canary is a route of a small weight.

use crate::record::Nanos;

use super::outlook::Outlook;
use super::ranking::{Ranking, proportional};

/// A weight that changes with time: a canary that grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// The weight at the beginning.
    pub from: f64,
    /// The weight at the end.
    pub to: f64,
    /// How long it takes.
    pub over: Nanos,
}

impl Ramp {
    /// The weight so long after the beginning.
    #[must_use]
    pub fn weight(&self, elapsed: Nanos) -> f64 {
        if self.over.0 == 0 {
            return self.to;
        }
        let share = (elapsed.as_secs() / self.over.as_secs()).clamp(0.0, 1.0);
        self.from + (self.to - self.from) * share
    }
}

pub(super) fn rank(outlooks: &[Outlook<'_>]) -> Ranking {
    let weights: Vec<f64> = outlooks
        .iter()
        .map(|outlook| outlook.candidate.weight)
        .collect();
    Ranking {
        scores: weights.iter().map(|weight| -weight).collect(),
        shares: Some(proportional(&weights)),
        reason: "drawn_by_weight",
        stays: false,
    }
}
