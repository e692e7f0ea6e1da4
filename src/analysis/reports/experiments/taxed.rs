//! Finds the experiments that measure a tax: one arm a router, the other the provider directly.

use super::effect::{Effect, Scope};
use super::trial::{Trial, Trials};
use super::verdict::HIDDEN;
use crate::record::{Arm, Name};
use crate::routing::experiment::Metric;
use crate::statistics::compare::design::RATIO_P_MIN;
use crate::statistics::interval::{ALPHA, Estimate, Interval};
use crate::statistics::sequence::Looks;

/// A router beside the provider itself, taken by lot.
#[derive(Debug)]
pub(in crate::analysis::reports) struct Taxed {
    /// The experiment.
    pub(in crate::analysis::reports) experiment: Name,
    /// The model asked for.
    pub(in crate::analysis::reports) model: Name,
    /// The router.
    pub(in crate::analysis::reports) route: Name,
    /// The provider it is compared with.
    pub(in crate::analysis::reports) reference: Name,
    /// Whether all answers behind the router say that the reference served them.
    pub(in crate::analysis::reports) pinned: bool,
    /// Sessions of the route and of the reference.
    pub(in crate::analysis::reports) units: [u64; 2],
    /// Each metric of first exchanges, the reference first: route less reference.
    pub(in crate::analysis::reports) effects: Vec<(Metric, Effect)>,
}

impl Trials {
    /// The experiments of a router against `reference`, or against any direct provider.
    pub(in crate::analysis::reports) fn taxed(&self, reference: Option<&str>) -> Vec<Taxed> {
        let of = |(name, trial): (&Name, &Trial)| taxed(name, trial);
        self.iter()
            .filter_map(of)
            .filter(|found| reference.is_none_or(|named| &*found.reference == named))
            .collect()
    }
}

fn taxed(name: &Name, trial: &Trial) -> Option<Taxed> {
    let (route, reference) = match (trial.is_router(Arm::A)?, trial.is_router(Arm::B)?) {
        (false, true) => (Arm::B, Arm::A),
        (true, false) => (Arm::A, Arm::B),
        _ => return None,
    };
    let sound = trial.watch.p() >= RATIO_P_MIN;
    let effect = |metric: Metric| {
        let found = trial.effect(metric, Scope::First, ALPHA, Looks::Any);
        let found = if sound {
            found
        } else {
            Effect {
                difference: Err(HIDDEN),
                ratio: None,
                values: [None; 2],
                ..found
            }
        };
        let found = if route == Arm::B {
            found
        } else {
            turned(&found)
        };
        (metric, found)
    };
    let provider = |arm: Arm| Some(trial.route(arm)?.0.clone());
    let direct = provider(reference)?;
    Some(Taxed {
        experiment: name.clone(),
        model: trial.model()?.clone(),
        route: provider(route)?,
        pinned: trial.is_pinned_to(route, &direct),
        reference: direct,
        units: [route, reference].map(|arm| trial.units[arm as usize]),
        effects: Metric::ALL.map(effect).to_vec(),
    })
}

/// The same with the arms the other way round.
fn turned(found: &Effect) -> Effect {
    let around = |found: &Estimate, turn: fn(f64) -> f64| Estimate {
        value: turn(found.value),
        interval: Interval {
            low: turn(found.interval.high),
            high: turn(found.interval.low),
        },
    };
    let swapped = |[a, b]: [usize; 2]| [b, a];
    let [a, b] = found.values;
    Effect {
        numbers: swapped(found.numbers),
        cut: swapped(found.cut),
        values: [b, a],
        difference: found
            .difference
            .map(|found| around(&found, std::ops::Neg::neg)),
        ratio: found.ratio.map(|found| around(&found, f64::recip)),
    }
}
