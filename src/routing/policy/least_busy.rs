//! Takes the route with the fewest requests at work for its weight; of equals the fastest.

use crate::routing::candidate::Ask;

use super::outlook::Outlook;
use super::ranking::Ranking;

pub(super) fn rank(ask: &Ask, outlooks: &[Outlook<'_>]) -> Ranking {
    let score = |outlook: &Outlook<'_>| {
        let candidate = outlook.candidate;
        let busy = f64::from(candidate.health.at_work) / candidate.weight.max(1e-6);
        // Below one request for any span: only ties are decided by it.
        let slow = outlook.first_token_ms(ask);
        busy + 1e-3 * slow / (slow + 1e3)
    };
    Ranking::by(outlooks.iter().map(score).collect(), "least_busy")
}
