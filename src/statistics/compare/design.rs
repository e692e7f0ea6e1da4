//! Plans an experiment, and checks that it ran as planned.

use std::f64::consts::FRAC_PI_2;

use crate::statistics::interval::special::{chi_square_upper, normal_quantile};

/// Below this the arms' sizes do not fit their shares, and results are hidden.
pub const RATIO_P_MIN: f64 = 0.001;

/// The p-value that arms of `counts` were drawn with `shares` (of any sum): the chi-square of
/// `Σ (n_i − e_i)² / e_i` with one degree of freedom less than arms. Absent for fewer than two
/// arms, none drawn, or a share that is not positive.
#[must_use]
pub fn sample_ratio_p(counts: &[u64], shares: &[f64]) -> Option<f64> {
    let all: u64 = counts.iter().sum();
    let whole: f64 = shares.iter().sum();
    let sound = shares.iter().all(|share| *share > 0.0 && share.is_finite());
    if counts.len() != shares.len() || counts.len() < 2 || all == 0 || !sound {
        return None;
    }
    let terms = counts.iter().zip(shares).map(|(count, share)| {
        let expected = all as f64 * share / whole;
        (*count as f64 - expected).powi(2) / expected
    });
    Some(chi_square_upper(terms.sum(), counts.len() as f64 - 1.0))
}

/// What an experiment on log-normal times is planned with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// The standard deviation of the logarithm of the times.
    pub sigma_ln: f64,
    /// The share of that variance which covariates explain, ρ²: 0 without adjustment.
    pub explained: f64,
    /// Whether medians are compared, which costs π/2 times the numbers that means of logarithms do.
    pub of_medians: bool,
    /// The chance of a false alarm.
    pub alpha: f64,
    /// The chance of finding what is there.
    pub power: f64,
}

impl Plan {
    /// `2 k σ² (1 − ρ²) (z_{1−α/2} + z_power)²`, k = π/2 for medians and 1 otherwise: the number
    /// an arm for a shift of 1 on the logarithm.
    fn count_of_unit(&self) -> f64 {
        let factor = if self.of_medians { FRAC_PI_2 } else { 1.0 };
        let z = normal_quantile(1.0 - self.alpha / 2.0) + normal_quantile(self.power);
        2.0 * factor * self.sigma_ln.powi(2) * (1.0 - self.explained) * z * z
    }

    /// How many numbers an arm find a shift of the median from `median` to `median + shift`, in
    /// one unit; absent where nothing finite would.
    #[must_use]
    pub fn count_per_arm(&self, median: f64, shift: f64) -> Option<u64> {
        let log = (shift / median).ln_1p();
        let count = (self.count_of_unit() / (log * log)).ceil();
        (count.is_finite() && count < 1e15).then_some(count as u64)
    }

    /// The smallest slowdown, in the unit of `median`, that `count` numbers an arm find.
    #[must_use]
    pub fn minimum_detectable(&self, median: f64, count: u64) -> Option<f64> {
        (count > 0).then(|| median * (self.count_of_unit() / count as f64).sqrt().exp_m1())
    }
}
