//! Corrects what was booked for a second request beside another, once it is known what it cost.

use crate::record::{AttemptRecord, ExchangeRecord, Name, PicoDollars};
use crate::recorder::standing::Board;
use crate::routing::budget::Booked;

/// Which of a model's budgets a second request is paid from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purse {
    /// That of hedges.
    Hedges,
    /// That of shadows.
    Shadows,
}

/// What was booked, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Booking {
    /// The budget.
    pub(super) purse: Purse,
    /// The model whose budget it is.
    pub(super) model: Name,
    /// What was booked.
    pub(super) booked: Booked,
}

impl Booking {
    /// Puts what `record`, which is priced, says in the place of what was expected; where it says
    /// nothing, that stands.
    pub(super) fn settle(self, record: &ExchangeRecord, board: &mut Board) {
        let (purses, cost) = match self.purse {
            Purse::Hedges => (&mut board.hedges, of_lost(record)),
            Purse::Shadows => (&mut board.shadows, record.cost),
        };
        if let (Some(budget), Some(cost)) = (purses.get_mut(&self.model), cost) {
            budget.settle(self.booked, cost);
        }
    }
}

/// What the attempt cost whose answer was nobody's: a hedge costs so much more than none. Of one
/// that was cancelled nobody may know; it is taken to have cost what the answer did, since it may
/// be billed to its end.
fn of_lost(record: &ExchangeRecord) -> Option<PicoDollars> {
    let hedge = record.decision.as_ref()?.hedge? as usize;
    let last = record.attempts.len().checked_sub(1)?;
    // The slow one was begun before the hedge: the answer is put last.
    let lost = if hedge == last {
        last.checked_sub(1)?
    } else {
        hedge
    };
    let lost: &AttemptRecord = record.attempts.get(lost)?;
    let refused = !lost.maybe_billed && lost.status.is_none_or(|status| status >= 400);
    lost.lost_cost
        .or(refused.then_some(PicoDollars(0)))
        .or(record.cost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::bill::tests::record;
    use crate::record::{CancelledBy, Decision};

    #[test]
    fn the_lost_attempt_is_what_a_hedge_cost() {
        let lost = |cost: Option<u64>| AttemptRecord {
            maybe_billed: true,
            cancelled_by: Some(CancelledBy::Hedge),
            lost_cost: cost.map(PicoDollars),
            ..AttemptRecord::default()
        };
        let refused = AttemptRecord {
            status: Some(500),
            ..AttemptRecord::default()
        };
        let won = AttemptRecord::default();
        for (attempts, hedge, expected) in [
            // The slow one's cost is known, or as large as that of the answer.
            (vec![lost(Some(5)), won.clone()], Some(1), Some(5)),
            (vec![lost(None), won.clone()], Some(1), Some(9)),
            // The slow one won.
            (vec![lost(Some(5)), won.clone()], Some(0), Some(5)),
            (vec![refused, won.clone()], Some(0), Some(0)),
            (vec![won.clone()], Some(0), None),
            (vec![lost(Some(5)), won], None, None),
        ] {
            let mut record = record(attempts, None);
            record.cost = Some(PicoDollars(9));
            record.decision = Some(Decision {
                hedge,
                ..Decision::default()
            });
            assert_eq!(of_lost(&record), expected.map(PicoDollars), "{hedge:?}");
        }
    }
}
