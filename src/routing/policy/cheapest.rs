//! Takes the route that is expected to cost least.

use crate::routing::candidate::Ask;

use super::outlook::Outlook;
use super::ranking::Ranking;

/// A route without a price goes last: nobody knows what it costs.
pub(super) fn rank(ask: &Ask, outlooks: &[Outlook<'_>]) -> Ranking {
    let score = |outlook: &Outlook<'_>| outlook.cost(ask).unwrap_or(f64::INFINITY);
    Ranking::by(outlooks.iter().map(score).collect(), "cheapest")
}
