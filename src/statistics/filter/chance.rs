//! Follows a chance of success with a Beta distribution that forgets.

use crate::record::{Moment, Nanos};

/// How a chance is followed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChanceTuning {
    /// The span after which what was seen counts half.
    pub half_life: Nanos,
    /// The number of requests after which what was seen counts half.
    pub half_count: f64,
    /// What is believed before anything is seen: successes and failures.
    pub prior: (f64, f64),
}

impl Default for ChanceTuning {
    /// Half counts after 30 minutes or 50 requests, whichever takes longer; 19 of 20 succeed with
    /// the weight of four requests.
    fn default() -> Self {
        Self {
            half_life: Nanos(1_800 * 1_000_000_000),
            half_count: 50.0,
            prior: (3.8, 0.2),
        }
    }
}

/// What is known of a chance of success.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    successes: f64,
    failures: f64,
    /// The moment of the last look.
    at: Moment,
    /// Time that has passed but is not discounted yet: the longer of time and count decides.
    waiting: f64,
}

impl Chance {
    /// Nothing seen yet.
    #[must_use]
    pub const fn new(at: Moment) -> Self {
        Self {
            successes: 0.0,
            failures: 0.0,
            at,
            waiting: 0.0,
        }
    }

    /// What was kept of an earlier run: discounted successes and failures.
    #[must_use]
    pub fn kept(successes: f64, failures: f64, at: Moment) -> Self {
        let sound = |count: f64| {
            if count.is_finite() {
                count.max(0.0)
            } else {
                0.0
            }
        };
        Self {
            successes: sound(successes),
            failures: sound(failures),
            at,
            waiting: 0.0,
        }
    }

    /// Takes in one more request.
    ///
    /// Each request discounts what came before by the lesser of two discounts: that of the time
    /// since the last request, and that of one request. Half counts after `half_life` or
    /// `half_count`, whichever takes longer.
    pub fn observe(&mut self, success: bool, tuning: &ChanceTuning, now: Moment) {
        let passed = now.since(self.at).as_secs() / tuning.half_life.as_secs() + self.waiting;
        let counted = 1.0 / tuning.half_count;
        // Time that this request could not use up stays for the next: a burst after a long pause
        // forgets by its count, not at once.
        let halvings = passed.min(counted);
        self.waiting = (passed - halvings).min(1.0);
        let keep = (-halvings * std::f64::consts::LN_2).exp();
        self.successes *= keep;
        self.failures *= keep;
        self.at = now;
        if success {
            self.successes += 1.0;
        } else {
            self.failures += 1.0;
        }
    }

    /// Discounted successes and failures.
    #[must_use]
    pub const fn counts(&self) -> (f64, f64) {
        (self.successes, self.failures)
    }

    /// The expected chance.
    #[must_use]
    pub fn mean(&self, tuning: &ChanceTuning) -> f64 {
        let (a, b) = self.beta(tuning);
        a / (a + b)
    }

    /// A bound that the chance is above, `z` standard deviations below its expectation.
    #[must_use]
    pub fn lower(&self, tuning: &ChanceTuning, z: f64) -> f64 {
        let (a, b) = self.beta(tuning);
        let sum = a + b;
        let sd = (a * b / (sum * sum * (sum + 1.0))).sqrt();
        (a / sum - z * sd).clamp(0.0, 1.0)
    }

    fn beta(&self, tuning: &ChanceTuning) -> (f64, f64) {
        (
            tuning.prior.0 + self.successes,
            tuning.prior.1 + self.failures,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000_000;

    /// A chance that saw the given successes, one every `every` nanoseconds.
    fn seen(successes: &[bool], every: u64) -> Chance {
        let tuning = ChanceTuning::default();
        let mut chance = Chance::new(Moment(0));
        for (n, success) in successes.iter().enumerate() {
            chance.observe(*success, &tuning, Moment(n as u64 * every));
        }
        chance
    }

    #[test]
    fn half_counts_after_half_an_hour_or_fifty_requests_whichever_takes_longer() {
        // Fifty requests within a second forget nothing: little time has passed.
        let fast = seen(&[false; 50], 1_000_000).counts().1;
        assert!((fast - 50.0).abs() < 0.1, "{fast}");
        // Ten requests ten minutes apart are three half-lives of time, but few requests.
        let slow = seen(&[false; 10], 10 * MINUTE).counts().1;
        assert!((9.0..10.0).contains(&slow), "{slow}");
        // A hundred a minute apart: both have passed, and the count decides.
        let both = seen(&[false; 100], MINUTE).counts().1;
        let expected: f64 = (0..100).map(|n| 0.5_f64.powf(f64::from(n) / 50.0)).sum();
        assert!((both - expected).abs() < 2.0, "{both} {expected}");
    }

    #[test]
    fn the_bound_rises_with_what_is_seen() {
        let tuning = ChanceTuning::default();
        let few = seen(&[true; 3], MINUTE);
        let many = seen(&[true; 300], MINUTE);
        assert!(few.lower(&tuning, 1.64) < many.lower(&tuning, 1.64));
        assert!(many.lower(&tuning, 1.64) > 0.98);
        assert!(seen(&[false; 20], MINUTE).mean(&tuning) < 0.2);
    }
}
