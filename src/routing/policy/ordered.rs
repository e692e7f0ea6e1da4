//! Takes the routes in the order of the config.

use super::outlook::Outlook;
use super::ranking::Ranking;

pub(super) fn rank(outlooks: &[Outlook<'_>]) -> Ranking {
    let scores = (0..outlooks.len()).map(|at| at as f64).collect();
    Ranking::by(scores, "first_in_order")
}
