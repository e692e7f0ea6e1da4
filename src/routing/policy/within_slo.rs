//! Takes the cheapest of the routes that are likely to keep to a limit, and does not flap.

use crate::record::Nanos;
use crate::routing::candidate::{Ask, ModelMemory};

use super::outlook::Outlook;
use super::ranking::Ranking;

/// A route enters the eligible ones above the asked probability, and leaves them below it.
const BAND: f64 = 0.02;
/// A choice is kept for so long,
const DWELL: Nanos = Nanos(60_000_000_000);
/// or for so many requests.
const DWELL_REQUESTS: u32 = 5;

pub(super) fn rank(
    (limit, probability): (Nanos, f64),
    ask: &Ask,
    outlooks: &[Outlook<'_>],
    memory: &ModelMemory,
) -> Ranking {
    let choice = memory.choice();
    let current = choice.and_then(|choice| {
        outlooks
            .iter()
            .position(|outlook| outlook.candidate.is(&choice.route))
    });
    let chances: Vec<f64> = outlooks
        .iter()
        .map(|outlook| {
            let within = outlook
                .expected
                .slo_probability(outlook.uncached(ask), limit);
            within * outlook.expected.success_lower / outlook.expected.success.max(1e-9)
        })
        .collect();
    let bar = memory.bar(probability);
    let eligible: Vec<bool> = chances
        .iter()
        .enumerate()
        .map(|(at, chance)| {
            let edge = if current == Some(at) { -BAND } else { BAND };
            *chance >= bar + edge
        })
        .collect();
    // Eligible ones by cost; behind them the others by their chance.
    let cost = |at: usize| outlooks[at].cost(ask).unwrap_or(1e6);
    let scores: Vec<f64> = (0..outlooks.len())
        .map(|at| {
            if eligible[at] {
                cost(at)
            } else {
                1e9 * (2.0 - chances[at])
            }
        })
        .collect();
    if !eligible.iter().any(|eligible| *eligible) {
        return Ranking::by(scores, "none_within_slo_likeliest");
    }
    let dwells = choice.is_some_and(|choice| {
        ask.now.since(choice.since) < DWELL && choice.requests < DWELL_REQUESTS
    });
    match current.filter(|at| dwells && eligible[*at]) {
        Some(at) => {
            let mut scores = scores;
            scores[at] = -1.0;
            Ranking::by(scores, "kept_within_slo")
        }
        None => Ranking::by(scores, "cheapest_within_slo"),
    }
}
