//! Draws among the routes by `speed / price²`, as `OpenRouter` describes its own sharing.

use crate::routing::candidate::Ask;

use super::outlook::Outlook;
use super::ranking::{Ranking, proportional};

/// A route without a price is taken to cost what the others cost in the middle.
pub(super) fn rank(ask: &Ask, outlooks: &[Outlook<'_>]) -> Ranking {
    let costs: Vec<Option<f64>> = outlooks.iter().map(|outlook| outlook.cost(ask)).collect();
    let known: Vec<f64> = costs.iter().flatten().copied().collect();
    let middle = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let weights: Vec<f64> = outlooks
        .iter()
        .zip(&costs)
        .map(|(outlook, cost)| {
            // What is free has the whole share; nothing is divided by zero.
            let cost = cost.unwrap_or(middle).max(1e-9);
            outlook.candidate.weight / (cost * cost * outlook.total_ms(ask).max(1.0))
        })
        .collect();
    Ranking {
        scores: weights.iter().map(|weight| -weight).collect(),
        shares: Some(proportional(&weights)),
        reason: "drawn_by_price_and_speed",
        stays: false,
    }
}
