//! Says whether one more try may be made.

use super::Means;
use crate::proxy::candidates::Way;
use crate::routing::budget::RetryTerms;

/// Whether one more try may be made, at `onto`. One at a route that is known to be well needs no
/// budget: that is there for the times when what fails is asked again and again.
pub(super) fn may_retry(means: Means<'_>, onto: &Way) -> bool {
    let failover = &means.settings.failover;
    let terms = RetryTerms {
        share: failover.budget.as_fraction(),
        always: failover.budget_min,
    };
    let now = means.shared.clock.now();
    let standing = &means.shared.settler.standing;
    standing.with(|board| board.health.is_well(&onto.key(), now) || board.retries.take(&terms, now))
}
