//! Takes from a record what judging policies needs: who could have answered, who was asked, with
//! what chance, and how it went.

use std::collections::BTreeMap;

use crate::record::{Arm, ExchangeRecord, Mark, Moment, Name, Nanos, Outcome, PicoDollars};
use crate::routing::learned::setup;
use crate::routing::route::RouteKey;

/// One recorded exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// When it came: microseconds since 1970 as a moment, so that runs of the program line up.
    pub at: Moment,
    /// Prompt tokens, as counted or else as estimated.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// The routes that could have been first, with their chances; empty where none was recorded.
    pub chances: Vec<(RouteKey, f64)>,
    /// The lot that chose among them in the policy's place.
    pub lot: Option<Lot>,
    /// The route asked first.
    pub route: RouteKey,
    /// Whether the request asked the model to think before it speaks.
    pub reasons: bool,
    /// What making the connection took of the time to the first token.
    pub setup: Option<Nanos>,
    /// From the choice to its first token; absent where it failed or did not stream.
    pub first_token: Option<Nanos>,
    /// Per token after it.
    pub per_token: Option<Nanos>,
    /// Whether it failed by the route's fault.
    pub failed: bool,
    /// What the exchange cost, in US dollars.
    pub cost: Option<f64>,
}

/// An experiment's coin.
#[derive(Debug, Clone, PartialEq)]
pub struct Lot {
    /// The experiment.
    pub experiment: Name,
    /// The arm that it fell on: the route asked first.
    pub arm: Arm,
    /// The chance that this arm had.
    pub chance: f64,
}

impl Logged {
    /// What a record tells; absent where no provider was asked or the client's own fault or will
    /// ended it.
    #[must_use]
    pub fn of(record: &ExchangeRecord) -> Option<Self> {
        let attempt = record.attempts.first()?;
        let only = record.attempts.len() == 1;
        let judged = !only || record.outcome.in_failure_rate();
        if !judged || record.cached_answer {
            return None;
        }
        let timeline = &attempt.timeline;
        let first_token = timeline.span(Mark::RouteChosen, Mark::FirstToken);
        let output = record.tokens.usage.output.unwrap_or(0);
        let spread = timeline.span(Mark::FirstToken, Mark::LastToken);
        let decision = record.decision.as_ref();
        let considered = decision.map_or(&[][..], |decision| decision.routes.as_slice());
        let chances = considered
            .iter()
            .filter(|of| of.propensity > 0)
            .map(|of| {
                let route = RouteKey::new(of.provider.clone(), of.model.clone());
                (route, f64::from(of.propensity) / 1e6)
            })
            .collect();
        let estimated = record.request.prompt_tokens_estimated;
        Some(Self {
            at: Moment(u64::try_from(record.started.0).ok()?.saturating_mul(1_000)),
            prompt_tokens: record.tokens.usage.input.or(estimated).unwrap_or(0),
            output_tokens: output,
            chances,
            lot: lot(record),
            reasons: record.request.reasons(),
            setup: setup(attempt),
            route: RouteKey::new(attempt.provider.clone(), attempt.model.clone()),
            first_token,
            per_token: spread
                .filter(|_| output > 1)
                .map(|spread| Nanos(spread.0 / (output - 1))),
            failed: !only || record.outcome != Outcome::Ok,
            cost: record.cost.map(PicoDollars::as_dollars),
        })
    }
}

fn lot(record: &ExchangeRecord) -> Option<Lot> {
    let (experiment, assigned) = record.experiment.as_ref()?.assigned()?;
    Some(Lot {
        experiment: experiment.clone(),
        arm: assigned.arm,
        chance: f64::from(assigned.propensity) / 1e6,
    })
}

/// Gives exchanges whose route was drawn by an experiment the chances of its coin: what the policy
/// would have done had no part in it. Where the other arm's route was never seen, or is the same
/// route (A/A), there was nothing to choose.
pub fn by_lot(logged: &mut [Logged]) {
    let mut arms: BTreeMap<(Name, Arm), RouteKey> = BTreeMap::new();
    for of in logged.iter() {
        if let Some(lot) = &of.lot {
            arms.insert((lot.experiment.clone(), lot.arm), of.route.clone());
        }
    }
    for of in logged {
        let Some(lot) = &of.lot else { continue };
        let other = match lot.arm {
            Arm::A => Arm::B,
            Arm::B => Arm::A,
        };
        let other = arms.get(&(lot.experiment.clone(), other));
        of.chances = vec![(of.route.clone(), lot.chance)];
        if let Some(route) = other.filter(|route| **route != of.route) {
            of.chances.push((route.clone(), 1.0 - lot.chance));
        }
    }
}

/// The routes of `logged`, the most used first, with how often each answered with a first token.
#[must_use]
pub fn routes(logged: &[Logged]) -> Vec<(RouteKey, usize)> {
    let mut counts: BTreeMap<&RouteKey, usize> = BTreeMap::new();
    for of in logged.iter().filter(|of| of.first_token.is_some()) {
        *counts.entry(&of.route).or_default() += 1;
    }
    let mut routes: Vec<_> = counts
        .into_iter()
        .map(|(route, count)| (route.clone(), count))
        .collect();
    routes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    routes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(route: &str, lot: Option<(&str, Arm, f64)>) -> Logged {
        Logged {
            at: Moment(1),
            prompt_tokens: 10,
            output_tokens: 10,
            chances: vec![(RouteKey::new("a", None), 1.0)],
            lot: lot.map(|(experiment, arm, chance)| Lot {
                experiment: experiment.into(),
                arm,
                chance,
            }),
            route: RouteKey::new(route, None),
            reasons: false,
            setup: None,
            first_token: None,
            per_token: None,
            failed: false,
            cost: None,
        }
    }

    #[test]
    fn a_lot_has_the_chances_of_its_coin_and_not_the_policys() {
        let mut list = [
            logged("a", Some(("tax", Arm::A, 0.3))),
            logged("b", Some(("tax", Arm::B, 0.7))),
            logged("a", Some(("half", Arm::A, 0.5))),
            logged("c", Some(("aa", Arm::A, 0.5))),
            logged("c", Some(("aa", Arm::B, 0.5))),
            logged("a", None),
        ];
        by_lot(&mut list);
        let found: Vec<Vec<(&str, f64)>> = list
            .iter()
            .map(|of| {
                let each = of.chances.iter();
                each.map(|(route, chance)| (route.provider.as_str(), *chance))
                    .collect()
            })
            .collect();
        let expected: [&[(&str, f64)]; 6] = [
            &[("a", 0.3), ("b", 0.7)],
            &[("b", 0.7), ("a", 1.0 - 0.7)],
            // The other arm was never seen, or is the same route: nothing to choose.
            &[("a", 0.5)],
            &[("c", 0.5)],
            &[("c", 0.5)],
            &[("a", 1.0)],
        ];
        assert_eq!(found, expected);
    }
}
