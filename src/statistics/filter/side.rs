//! Notices that what is observed lies to one side of what is expected (Page's test).

/// Standard deviations to one side that are no sign of a change.
const ALLOWED: f64 = 1.0;
/// One observation is no more of a sign than so many standard deviations: it may be an outlier.
const SIGN_MAX: f64 = 3.0;
/// The sum from which on the level has changed. Normal noise gets there once in some ten thousand
/// observations or more; a change by three standard deviations or more does with the third.
const CHANGED: f64 = 5.0;

/// The cumulative sum of one side.
///
/// Source: Page, "Continuous inspection schemes", Biometrika 41 (1954).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Side {
    sum: f64,
}

impl Side {
    /// Nothing lies to it.
    pub(super) const fn new() -> Self {
        Self { sum: 0.0 }
    }

    /// Takes in an observation `z` standard deviations to this side of what was expected: whether
    /// the level has changed by now. Then it begins anew.
    pub(super) fn takes(&mut self, z: f64) -> bool {
        self.sum = (self.sum + z.min(SIGN_MAX) - ALLOWED).max(0.0);
        let changed = self.sum >= CHANGED;
        if changed {
            *self = Self::new();
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::compare::Random;
    use crate::statistics::interval::special::normal_quantile;

    #[test]
    fn a_change_is_noticed_soon_and_noise_hardly_ever() {
        let mut random = Random::new(11);
        let mut of_noise = |shift: f64, count: usize| {
            let mut side = Side::new();
            let mut z = || shift + normal_quantile(random.unit().max(1e-12));
            (1..=count).filter(|_| side.takes(z())).count()
        };
        assert!(of_noise(0.0, 100_000) <= 20, "seed 11");
        // A shift of two deviations: every six or so.
        assert!((120..250).contains(&of_noise(2.0, 1_000)), "seed 11");
        let mut side = Side::new();
        let taken = [9.0, 9.0, 9.0, 9.0].map(|z| side.takes(z));
        assert_eq!(taken, [false, false, true, false]);
        // Outliers with quiet between them are none.
        let mut side = Side::new();
        assert!(!(0..100).any(|n| side.takes(if n % 3 == 0 { 9.0 } else { 0.0 })));
    }
}
