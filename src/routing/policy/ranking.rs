//! Holds what a policy makes of the routes.

/// What a policy makes of the routes that may be tried, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// One score each, the lowest best.
    pub scores: Vec<f64>,
    /// The chance of each to go first, where the policy draws; else the best goes first.
    pub shares: Option<Vec<f64>>,
    /// Why the first is first.
    pub reason: &'static str,
    /// Whether nothing is to be learned from this request: another route would cost it its cache.
    pub stays: bool,
}

impl Ranking {
    /// A ranking whose best goes first.
    #[must_use]
    pub const fn by(scores: Vec<f64>, reason: &'static str) -> Self {
        Self {
            scores,
            shares: None,
            reason,
            stays: false,
        }
    }

    /// The best one: of equals the first. A score that is no number is the worst.
    #[must_use]
    pub fn best(&self) -> usize {
        let mut best = 0;
        for (at, score) in self.scores.iter().enumerate() {
            let beats = *score < self.scores[best] || self.scores[best].is_nan();
            if beats && !score.is_nan() {
                best = at;
            }
        }
        best
    }
}

/// Shares in proportion to `weights`; equal ones where none is above zero.
#[must_use]
pub(super) fn proportional(weights: &[f64]) -> Vec<f64> {
    let sound = |weight: &f64| {
        if weight.is_finite() && *weight > 0.0 {
            *weight
        } else {
            0.0
        }
    };
    let sum: f64 = weights.iter().map(sound).sum();
    if sum <= 0.0 {
        return vec![1.0 / weights.len().max(1) as f64; weights.len()];
    }
    weights.iter().map(|weight| sound(weight) / sum).collect()
}
