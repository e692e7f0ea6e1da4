//! Bounds hedges: a second attempt beside a slow first one is billed twice.

use crate::record::{Moment, PicoDollars};

/// What hedging may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HedgeTerms {
    /// The share of requests that may be hedged.
    pub share: f64,
    /// What hedges may cost in a day.
    pub cost_max: PicoDollars,
    /// A hedge goes only to a route that costs at most so many times what the first does.
    pub price_ratio: f64,
}

impl Default for HedgeTerms {
    /// 2 % of requests, a dollar a day, 1.2 times the price.
    fn default() -> Self {
        Self {
            share: 0.02,
            cost_max: PicoDollars(1_000_000_000_000),
            price_ratio: 1.2,
        }
    }
}

const DAY: u64 = 86_400_000_000_000;
/// What the share is taken of fades: the last thousand requests count.
const REQUESTS_MAX: f64 = 1_000.0;

/// What was booked for one hedge before it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Booked {
    /// What it was expected to cost.
    cost: PicoDollars,
    /// The day that it counts for, by its beginning.
    day: Moment,
}

/// Hedges of all exchanges together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HedgeBudget {
    /// What may still be hedged; each request adds the share, each hedge takes one.
    tokens: f64,
    /// Since when the money of a day is counted.
    since: Moment,
    spent: PicoDollars,
}

impl HedgeBudget {
    /// An exchange begins.
    pub fn request(&mut self, terms: &HedgeTerms) {
        self.tokens = (self.tokens + terms.share).min(terms.share * REQUESTS_MAX);
    }

    /// Takes leave for a hedge that is expected to cost `cost` beside a first attempt that is
    /// expected to cost `first`; nothing where it may not be. Unknown costs are not hedged.
    pub fn take(
        &mut self,
        terms: &HedgeTerms,
        cost: Option<PicoDollars>,
        first: Option<PicoDollars>,
        now: Moment,
    ) -> Option<Booked> {
        let (cost, first) = (cost?, first?);
        if now.since(self.since).0 >= DAY {
            self.since = now;
            self.spent = PicoDollars(0);
        }
        let dear = cost.0 as f64 > first.0 as f64 * terms.price_ratio;
        let after = PicoDollars(self.spent.0.saturating_add(cost.0));
        if self.tokens < 1.0 || dear || after > terms.cost_max {
            return None;
        }
        self.tokens -= 1.0;
        self.spent = after;
        Some(Booked {
            cost,
            day: self.since,
        })
    }

    /// What was booked has cost `cost` in truth. Of a day that is over nothing is kept.
    pub fn settle(&mut self, booked: Booked, cost: PicoDollars) {
        if booked.day == self.since {
            let others = self.spent.0.saturating_sub(booked.cost.0);
            self.spent = PicoDollars(others.saturating_add(cost.0));
        }
    }

    /// What is left of it, since when its day is counted, and what was spent in that.
    pub(super) const fn parts(&self) -> (f64, Moment, PicoDollars) {
        (self.tokens, self.since, self.spent)
    }

    /// A budget of such parts; absent where they are none.
    pub(super) fn of_parts(tokens: f64, since: Moment, spent: PicoDollars) -> Option<Self> {
        (tokens.is_finite() && tokens >= 0.0).then_some(Self {
            tokens,
            since,
            spent,
        })
    }

    /// What hedges have cost since the day began, as far as is known, else as expected.
    #[must_use]
    pub const fn spent(&self) -> PicoDollars {
        self.spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CENT: Option<PicoDollars> = Some(PicoDollars(10_000_000_000));

    #[test]
    fn at_most_two_in_a_hundred_and_never_before_the_first_fifty() {
        let terms = HedgeTerms::default();
        let mut budget = HedgeBudget::default();
        let mut hedged = Vec::new();
        for n in 1..=1_000 {
            budget.request(&terms);
            if budget.take(&terms, CENT, CENT, Moment(n)).is_some() {
                hedged.push(n);
            }
        }
        assert!((19..=20).contains(&hedged.len()), "{hedged:?}");
        assert!(hedged[0] >= 50, "{hedged:?}");
    }

    #[test]
    fn money_and_price_are_kept_to() {
        let terms = HedgeTerms {
            cost_max: PicoDollars(25_000_000_000),
            ..HedgeTerms::default()
        };
        let mut budget = HedgeBudget::default();
        for _ in 0..1_000 {
            budget.request(&terms);
        }
        let dear = CENT.map(|cent| PicoDollars(cent.0 * 2));
        let mut may = |cost, at| budget.take(&terms, cost, CENT, Moment(at)).is_some();
        let taken = [dear, None, CENT, CENT, CENT].map(|cost| may(cost, 0));
        assert_eq!(taken, [false, false, true, true, false]);
        assert!(may(CENT, DAY), "another day");
    }

    #[test]
    fn what_a_hedge_did_cost_counts_in_place_of_what_was_expected() {
        let terms = HedgeTerms {
            cost_max: PicoDollars(25_000_000_000),
            ..HedgeTerms::default()
        };
        for (real, further) in [(0, 2), (10_000_000_000, 1), (15_000_000_001, 0)] {
            let mut budget = HedgeBudget::default();
            (0..1_000).for_each(|_| budget.request(&terms));
            let booked = budget.take(&terms, CENT, CENT, Moment(0)).unwrap();
            budget.settle(booked, PicoDollars(real));
            assert_eq!(budget.spent(), PicoDollars(real));
            let taken = (0..5).filter(|_| budget.take(&terms, CENT, CENT, Moment(1)).is_some());
            assert_eq!(taken.count(), further, "{real}");
        }
        // What comes a day late is of that day.
        let mut budget = HedgeBudget::default();
        (0..1_000).for_each(|_| budget.request(&terms));
        let booked = budget.take(&terms, CENT, CENT, Moment(0)).unwrap();
        budget.take(&terms, CENT, CENT, Moment(DAY)).unwrap();
        budget.settle(booked, PicoDollars(u64::MAX));
        assert_eq!(budget.spent(), CENT.unwrap());
    }
}
