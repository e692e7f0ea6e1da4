//! Adds money and waiting: one knob says what a second is worth.

use crate::routing::candidate::Ask;

use super::outlook::Outlook;
use super::ranking::Ranking;

/// A route without a price is taken to cost as much as the dearest.
pub(super) fn rank(dollars_per_second: f64, ask: &Ask, outlooks: &[Outlook<'_>]) -> Ranking {
    let costs: Vec<Option<f64>> = outlooks.iter().map(|outlook| outlook.cost(ask)).collect();
    let dearest = costs.iter().flatten().copied().fold(0.0, f64::max);
    let score = |(outlook, cost): (&Outlook<'_>, &Option<f64>)| {
        cost.unwrap_or(dearest) + dollars_per_second * outlook.total_ms(ask) / 1e3
    };
    let scores = outlooks.iter().zip(&costs).map(score).collect();
    Ranking::by(scores, "least_money_and_waiting")
}
