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

/// The weight by which a route has that share beside routes whose weights are `others` together.
#[must_use]
pub fn weight_of(share: f64, others: f64) -> f64 {
    if share >= 1.0 {
        return others * 1e6;
    }
    others * share / (1.0 - share)
}

pub(super) fn rank(outlooks: &[Outlook<'_>]) -> Ranking {
    let stand = |outlook: &Outlook<'_>| outlook.candidate.share.is_none();
    let others = outlooks.iter().filter(|outlook| stand(outlook));
    let others: f64 = others.map(|outlook| outlook.candidate.weight).sum();
    let weights: Vec<f64> = outlooks
        .iter()
        .map(|outlook| match outlook.candidate.share {
            None => outlook.candidate.weight,
            // Nobody else stands: it is for those that do.
            Some(share) if others <= 0.0 => share,
            Some(share) => weight_of(share, others),
        })
        .collect();
    Ranking {
        scores: weights.iter().map(|weight| -weight).collect(),
        shares: Some(proportional(&weights)),
        reason: "drawn_by_weight",
        stays: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::candidate::Candidate;

    #[test]
    fn a_share_becomes_a_weight_beside_the_others() {
        for (share, others, expected) in [(0.05, 19.0, 1.0), (0.5, 3.0, 3.0), (0.1, 0.9, 0.1)] {
            let weight = weight_of(share, others);
            assert!(
                (weight - expected).abs() < 1e-9,
                "{share} {others}: {weight}"
            );
            assert!((weight / (weight + others) - share).abs() < 1e-9);
        }
    }

    #[test]
    fn a_share_is_kept_beside_whoever_stands() {
        let candidate = |weight, share| Candidate {
            weight,
            share,
            ..Candidate::new("p", None, true)
        };
        let (main, small) = (candidate(9.0, None), candidate(1.0, None));
        // What its share would weigh beside both.
        let canary = candidate(0.526, Some(0.05));
        for (standing, expected) in [
            (vec![&main, &small, &canary], vec![0.855, 0.095, 0.05]),
            (vec![&small, &canary], vec![0.95, 0.05]),
            (vec![&canary], vec![1.0]),
        ] {
            let shares = rank(&Outlook::all(&standing)).shares.unwrap();
            for (share, expected) in shares.iter().zip(&expected) {
                assert!((share - expected).abs() < 1e-9, "{shares:?}");
            }
        }
    }
}
