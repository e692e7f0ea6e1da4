//! Arranges what exchanges cost: totals, shares, and what retries and fallbacks add.

use crate::record::{NoCost, Outcome, PicoDollars};

use super::route::Share;
use super::row::Row;

/// What a set of exchanges cost. Every amount is in pico-dollars.
///
/// Exchanges whose cost is unknown are in no amount; how many they are, and why, stands beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CostColumns {
    /// Exchanges that asked a provider for a model.
    pub exchanges: u64,
    /// Of those, the ones whose cost is known.
    pub priced: u64,
    /// Of those with a known cost, the ones that succeeded.
    pub priced_ok: u64,
    /// What the priced ones cost, by the price table; saturating.
    pub total: u64,
    /// Of that, what attempts cost after which an exchange went elsewhere.
    pub lost: u64,
    /// Attempts of the priced exchanges.
    pub attempts: u64,
    /// Exchanges of which the provider said what it billed.
    pub billed_count: u64,
    /// What those were billed.
    pub billed: u64,
    /// Exchanges with both a computed and a billed cost.
    pub both: u64,
    /// What those cost by the price table.
    pub both_computed: u64,
    /// What those were billed.
    pub both_billed: u64,
    /// Exchanges without a cost by reason, in the order of [`NoCost::ALL`].
    pub reasons: [u64; NoCost::ALL.len()],
    /// Exchanges without a cost whose record says no reason: those of before there were prices.
    pub unexplained: u64,
}

impl CostColumns {
    /// Adds one exchange. What asked no provider for a model is not in any column.
    pub fn add(&mut self, row: &Row) {
        let outside = matches!(row.no_cost, Some(NoCost::NotAsked | NoCost::NoModelCall));
        if row.provider == 0 || outside {
            return;
        }
        self.exchanges += 1;
        match (row.cost, row.no_cost) {
            (Some(PicoDollars(cost)), _) => {
                self.priced += 1;
                self.priced_ok += u64::from(row.outcome == Outcome::Ok);
                self.attempts += 1;
                self.total = self.total.saturating_add(cost);
            }
            (None, Some(reason)) => self.reasons[reason as usize] += 1,
            (None, None) => self.unexplained += 1,
        }
        if let Some(PicoDollars(billed)) = row.cost_billed {
            self.billed_count += 1;
            self.billed = self.billed.saturating_add(billed);
            if let Some(PicoDollars(cost)) = row.cost {
                self.both += 1;
                self.both_computed = self.both_computed.saturating_add(cost);
                self.both_billed = self.both_billed.saturating_add(billed);
            }
        }
    }

    /// Adds an attempt of a priced exchange after which it went elsewhere; its cost, where it has
    /// one, is in the exchange's already.
    pub fn add_lost(&mut self, cost: Option<PicoDollars>) {
        self.attempts += 1;
        self.lost = self.lost.saturating_add(cost.map_or(0, |cost| cost.0));
    }

    /// Adds another set.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.exchanges, other.exchanges),
            (&mut self.priced, other.priced),
            (&mut self.priced_ok, other.priced_ok),
            (&mut self.total, other.total),
            (&mut self.lost, other.lost),
            (&mut self.attempts, other.attempts),
            (&mut self.billed_count, other.billed_count),
            (&mut self.billed, other.billed),
            (&mut self.both, other.both),
            (&mut self.both_computed, other.both_computed),
            (&mut self.both_billed, other.both_billed),
            (&mut self.unexplained, other.unexplained),
        ] {
            *mine = mine.saturating_add(theirs);
        }
        for (mine, theirs) in self.reasons.iter_mut().zip(other.reasons) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// US dollars of the priced exchanges; absent where none is priced.
    #[must_use]
    pub fn dollars(&self) -> Option<f64> {
        (self.priced > 0).then(|| self.total as f64 / 1e12)
    }

    /// US dollars per thousand of the priced exchanges, failed ones included.
    #[must_use]
    pub fn dollars_per_thousand(&self) -> Option<f64> {
        self.dollars()
            .map(|dollars| dollars * 1_000.0 / self.priced as f64)
    }

    /// US dollars per successful exchange: what the failed ones cost is paid for those. Absent
    /// where none of the priced ones succeeded.
    #[must_use]
    pub fn dollars_per_success(&self) -> Option<f64> {
        let dollars = self.dollars()?;
        (self.priced_ok > 0).then(|| dollars / self.priced_ok as f64)
    }

    /// What everything cost ÷ what it would have cost without the attempts that were lost; 1 where
    /// none was. Absent where the attempts that counted cost nothing.
    #[must_use]
    pub fn overhead_cost(&self) -> Option<f64> {
        let kept = self.total.checked_sub(self.lost).filter(|kept| *kept > 0)?;
        Some(self.total as f64 / kept as f64)
    }

    /// Attempts ÷ exchanges, of the priced ones.
    #[must_use]
    pub fn overhead_attempts(&self) -> Option<f64> {
        (self.priced > 0).then(|| self.attempts as f64 / self.priced as f64)
    }

    /// Computed ÷ billed, of the exchanges that have both; absent where nothing was billed.
    #[must_use]
    pub fn computed_to_billed(&self) -> Option<f64> {
        (self.both_billed > 0).then(|| self.both_computed as f64 / self.both_billed as f64)
    }

    /// Exchanges whose cost is unknown, of all.
    #[must_use]
    pub const fn unpriced(&self) -> Share {
        Share::of(self.exchanges - self.priced, self.exchanges)
    }

    /// Why costs are unknown, with how many each; the reasons that came only.
    pub fn unpriced_by_reason(&self) -> impl Iterator<Item = (NoCost, u64)> + '_ {
        let counts = NoCost::ALL.iter().copied().zip(self.reasons);
        counts.filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
