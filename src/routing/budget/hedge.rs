//! Bounds hedges: a second attempt beside a slow first one is billed twice.

use crate::record::{Moment, PicoDollars};

/// What hedging may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HedgeTerms {
    /// The share of requests that may be hedged.
    pub share: f64,
    /// What hedges may cost in a day, as expected.
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
    /// expected to cost `first`; false where it may not be. Unknown costs are not hedged.
    pub fn take(
        &mut self,
        terms: &HedgeTerms,
        cost: Option<PicoDollars>,
        first: Option<PicoDollars>,
        now: Moment,
    ) -> bool {
        let (Some(cost), Some(first)) = (cost, first) else {
            return false;
        };
        if now.since(self.since).0 >= DAY {
            self.since = now;
            self.spent = PicoDollars(0);
        }
        let dear = cost.0 as f64 > first.0 as f64 * terms.price_ratio;
        let after = PicoDollars(self.spent.0.saturating_add(cost.0));
        if self.tokens < 1.0 || dear || after > terms.cost_max {
            return false;
        }
        self.tokens -= 1.0;
        self.spent = after;
        true
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

    /// What hedges are expected to have cost since the day began.
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
            if budget.take(&terms, CENT, CENT, Moment(n)) {
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
        assert!(!budget.take(&terms, dear, CENT, Moment(0)));
        assert!(!budget.take(&terms, None, CENT, Moment(0)));
        assert!(budget.take(&terms, CENT, CENT, Moment(0)));
        assert!(budget.take(&terms, CENT, CENT, Moment(0)));
        assert!(!budget.take(&terms, CENT, CENT, Moment(0)));
        assert!(budget.take(&terms, CENT, CENT, Moment(DAY)), "another day");
    }
}
