//! Judges a policy on what was really chosen, weighing each choice by how likely the policy would
//! have made it: self-normalised inverse propensities.
//!
//! Source: Swaminathan and Joachims, "The self-normalized estimator for counterfactual learning",
//! NIPS 2015. `V = Σ w r / Σ w`, `w = π(a) / π₀(a)`; the effective number is `(Σ w)² / Σ w²`.

use crate::record::{Name, Nanos};
use crate::routing::candidate::{Ask, Candidate, ModelMemory};
use crate::routing::learned::{Ended, Learned, LearnedTuning, Observation};
use crate::routing::plan::{Draws, plan};
use crate::routing::policy::Policy;
use crate::routing::route::RouteKey;
use crate::statistics::compare::Random;
use crate::statistics::interval::{Estimate, Interval};

use super::logged::Logged;
use super::world::Configured;

/// Below this effective number nothing is told.
const EFFECTIVE_MIN: f64 = 100.0;
/// Resamples of the interval.
const RESAMPLES: usize = 2_000;

/// What a policy would have had.
#[derive(Debug, Clone, PartialEq)]
pub struct Snips {
    /// Exchanges with recorded chances.
    pub exchanges: usize,
    /// How many of them the weights amount to.
    pub effective: f64,
    /// Milliseconds to the first token, in the mean of those that had one.
    pub first_token_ms: Estimate,
    /// The same of what was really chosen.
    pub logged_ms: f64,
    /// Exchanges whose first token was cut off, by a hedge or by the client: they count with what
    /// was waited, which it took at least.
    pub cut_off: usize,
    /// US dollars per thousand requests, where costs are known.
    pub cost_per_1000: Option<f64>,
    /// The share that failed.
    pub failed: f64,
    /// The same of what was really chosen.
    pub logged_failed: f64,
}

/// Why nothing is told.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refused {
    /// The policy's choices are too seldom among those made.
    #[error(
        "the effective number of exchanges is {effective:.0} of {exchanges}; an estimate needs \
         {EFFECTIVE_MIN}: record more under a policy that explores (every learning policy explores \
         2 % of its requests)"
    )]
    TooFew {
        /// Exchanges with recorded chances.
        exchanges: usize,
        /// How many of them the weights amount to.
        effective: f64,
    },
}

/// Judges `policy` on `logged`, which is by time. It learns along the log from what was recorded,
/// as every policy that had run beside it could have.
pub fn snips(
    logged: &[Logged],
    policy: &Policy,
    configured: impl Fn(&RouteKey) -> Configured,
    seed: u64,
) -> Result<Snips, Refused> {
    let mut learned = Learned::new(LearnedTuning::default());
    let mut memory = ModelMemory::default();
    let mut weighed: Vec<Weighed<'_>> = Vec::new();
    for of in logged.iter().filter(|of| of.chances.len() > 1) {
        let mut chances = of.chances.iter();
        let own = chances.find(|(route, _)| Some(route) == of.route.as_ref());
        if let Some((_, chance)) = own {
            let would = propensity(of, policy, &learned, &mut memory, &configured);
            weighed.push((would / chance, of));
        }
        learn(&mut learned, of);
    }
    let sum: f64 = weighed.iter().map(|(weight, _)| weight).sum();
    let squares: f64 = weighed.iter().map(|(weight, _)| weight * weight).sum();
    let effective = if squares > 0.0 {
        sum * sum / squares
    } else {
        0.0
    };
    if effective < EFFECTIVE_MIN {
        return Err(Refused::TooFew {
            exchanges: weighed.len(),
            effective,
        });
    }
    let as_chosen: Vec<Weighed<'_>> = weighed.iter().map(|(_, of)| (1.0, *of)).collect();
    let priced = weighed.iter().all(|(_, of)| of.cost.is_some());
    let cost = || mean(&weighed, |of| of.cost);
    Ok(Snips {
        exchanges: weighed.len(),
        effective,
        first_token_ms: Estimate {
            value: mean(&weighed, first_token).unwrap_or(f64::NAN),
            interval: interval(&weighed, seed),
        },
        logged_ms: mean(&as_chosen, first_token).unwrap_or(f64::NAN),
        cost_per_1000: priced.then(cost).flatten().map(|cost| cost * 1e3),
        cut_off: weighed.iter().filter(|(_, of)| is_cut_off(of)).count(),
        failed: failed(&weighed),
        logged_failed: failed(&as_chosen),
    })
}

/// A weight and what it weighs.
type Weighed<'a> = (f64, &'a Logged);

/// Milliseconds to the first token; of one that was cut off, what was waited at least.
fn first_token(of: &Logged) -> Option<f64> {
    let least = match of.ended {
        Ended::Censored { waited } => Some(waited),
        _ => None,
    };
    of.first_token.or(least).map(Nanos::as_millis)
}

const fn is_cut_off(of: &Logged) -> bool {
    of.first_token.is_none() && matches!(of.ended, Ended::Censored { .. })
}

/// The share of those weighed that failed.
fn failed(weighed: &[Weighed<'_>]) -> f64 {
    mean(weighed, |of| Some(f64::from(u8::from(of.failed())))).unwrap_or(0.0)
}

/// `Σ w r / Σ w` over those that have `r`.
fn mean(weighed: &[Weighed<'_>], part: impl Fn(&Logged) -> Option<f64>) -> Option<f64> {
    let parts = weighed
        .iter()
        .filter_map(|(weight, of)| Some((*weight, part(of)?)));
    let (weights, sum) = parts.fold((0.0, 0.0), |(weights, sum), (weight, part)| {
        (weights + weight, sum + weight * part)
    });
    (weights > 0.0).then(|| sum / weights)
}

/// The chance with which the policy would have asked first the route that was asked first.
fn propensity(
    of: &Logged,
    policy: &Policy,
    learned: &Learned,
    memory: &mut ModelMemory,
    configured: &impl Fn(&RouteKey) -> Configured,
) -> f64 {
    let candidates: Vec<Candidate> = of
        .chances
        .iter()
        .map(|(route, _)| {
            let mut candidate = Candidate::new(route.provider.clone(), route.model.clone(), true);
            candidate.expected = learned.expect(route, of.at);
            Configured {
                quote: candidate.quote,
                weight: candidate.weight,
            } = configured(route);
            candidate
        })
        .collect();
    let ask = Ask {
        now: of.at,
        prompt_tokens: of.prompt_tokens,
        reasons: of.reasons,
        output_tokens: learned.lengths.expected(&ANY.into(), None, None),
        ..Ask::default()
    };
    let stay = Draws {
        explore: 1.0,
        pick: 0.5,
    };
    let plan = plan(policy, &ask, &candidates, memory, stay);
    if let Some(first) = plan.steps.first() {
        memory.chosen(&candidates[*first].route(), of.at);
    }
    let asked = of.route.as_ref();
    let asked = asked.and_then(|asked| candidates.iter().position(|route| route.is(asked)));
    asked.map_or(0.0, |at| plan.propensities[at])
}

/// All answers count as one model's: the routes are those of one model.
const ANY: &str = "any";

fn learn(learned: &mut Learned, of: &Logged) {
    let Some(route) = &of.route else { return };
    let model = Name::from(ANY);
    if of.output_tokens > 0 {
        learned.lengths.observe(&model, None, of.output_tokens);
    }
    let seen = Observation {
        reasons: of.reasons,
        setup: of.setup,
        at: of.at,
        prompt_tokens: of.prompt_tokens,
        first_token: of.first_token,
        whole: None,
        per_token: of.per_token,
        output_tokens: Some(of.output_tokens),
        ended: of.ended,
    };
    learned.observe(route, &seen);
}

fn interval(weighed: &[Weighed<'_>], seed: u64) -> Interval {
    let mut random = Random::new(seed);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let drawn: Vec<Weighed<'_>> = (0..weighed.len())
                .map(|_| weighed[random.below(weighed.len())])
                .collect();
            mean(&drawn, first_token)
        })
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * means.len().saturating_sub(1) as f64;
        means.get(place.round() as usize).copied()
    };
    Interval {
        low: at(0.025).unwrap_or(f64::NEG_INFINITY),
        high: at(0.975).unwrap_or(f64::INFINITY),
    }
}
