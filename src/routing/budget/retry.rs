//! Bounds retries by what is asked: when everything fails, trying everything twice helps nobody.

use crate::record::{Moment, Nanos};

use super::minute::Minute;

/// What retries may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryTerms {
    /// Their share of the last minute's requests.
    pub share: f64,
    /// So many a minute in any case: who asks seldom may try again all the same.
    pub always: u32,
}

impl Default for RetryTerms {
    /// A fifth, and always three.
    fn default() -> Self {
        Self {
            share: 0.2,
            always: 3,
        }
    }
}

/// Attempts after the first, of all exchanges together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetryBudget {
    /// Requests and retries.
    minute: Minute,
}

impl RetryBudget {
    /// An exchange begins.
    pub fn request(&mut self, now: Moment) {
        self.minute.add(1, 0, now);
    }

    /// Takes leave for one more attempt; false where the budget is spent.
    pub fn take(&mut self, terms: &RetryTerms, now: Moment) -> bool {
        let may = self.left(terms, now) > 0;
        if may {
            self.minute.add(0, 1, now);
        }
        may
    }

    /// The last minute's slots: how long ago in milliseconds, requests, retries.
    pub(super) fn slots(&self, now: Moment) -> Vec<(u64, u32, u32)> {
        self.minute.slots(now)
    }

    /// A budget of such slots, which are `age` older by now.
    pub(super) fn of_slots(slots: &[(u64, u32, u32)], age: Nanos, now: Moment) -> Self {
        Self {
            minute: Minute::of_slots(slots, age, now),
        }
    }

    /// Further attempts that the budget allows now.
    #[must_use]
    pub fn left(&self, terms: &RetryTerms, now: Moment) -> u32 {
        let (requests, retries) = self.minute.sums(now);
        let allowed = ((f64::from(requests) * terms.share) as u32).max(terms.always);
        allowed.saturating_sub(retries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: RetryTerms = RetryTerms {
        share: 0.2,
        always: 3,
    };
    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_fifth_of_the_last_minute_and_always_three() {
        let mut budget = RetryBudget::default();
        let at = Moment(100 * SECOND);
        assert_eq!((0..9).filter(|_| budget.take(&TERMS, at)).count(), 3);
        for _ in 0..100 {
            budget.request(at);
        }
        assert_eq!(budget.left(&TERMS, at), 17);
        assert_eq!((0..50).filter(|_| budget.take(&TERMS, at)).count(), 17);
        // A minute later all is forgotten, the requests too.
        let later = Moment(161 * SECOND);
        assert_eq!(budget.left(&TERMS, later), 3);
        // A clock that runs back opens nothing.
        assert!(
            budget.take(&TERMS, later) && !budget.clone().take(&TERMS, Moment(0))
                || budget.left(&TERMS, Moment(0)) <= 3
        );
    }
}
