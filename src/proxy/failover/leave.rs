//! Says whether one more try may be made, and when a late one gives up for it.

use std::time::Duration;

use super::Means;
use super::slot::{Beside, Slot};
use super::tried::Try;
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

/// What an attempt does whose first token is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// It took leave to go on elsewhere.
    Leaves,
    /// Nowhere to go: a slow answer is better than none.
    Stays,
    /// Another attempt runs beside it: the request has gone elsewhere already, and whoever is first
    /// wins. It is asked again after [`RACE_LOOK`], as the other one may fail.
    Raced,
}

/// Time between two looks whether the attempt beside a late one still runs.
pub(super) const RACE_LOOK: Duration = Duration::from_millis(50);

impl Try<'_> {
    /// What is to be done, now that its deadline is over.
    pub(super) fn late(&self, slot: Slot<'_, '_>) -> Late {
        let onto = match slot.beside() {
            Beside::AtWork => return Late::Raced,
            Beside::Nobody => self.elsewhere,
            Beside::Over => self.further,
        };
        if onto.is_some_and(|onto| may_retry(self.means, onto)) {
            Late::Leaves
        } else {
            Late::Stays
        }
    }
}
