//! Follows the logarithm of a span that drifts, with outliers (a Kalman filter of one state).
//!
//! A random walk observed with noise: between observations the variance grows by `drift · Δt`; an
//! observation moves the mean by its clipped surprise times `P / (P + σ²)`. The noise is estimated
//! anew from the median absolute surprise.

use crate::record::Moment;

/// How a span is followed; everything on the scale of natural logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogTuning {
    /// Variance that an hour without observations adds.
    pub drift_per_hour: f64,
    /// The variance beyond which nothing is known any more.
    pub variance_max: f64,
    /// Variance of one observation, until enough were seen.
    pub noise: f64,
    /// The least that the noise is estimated to be.
    pub noise_min: f64,
    /// A surprise counts no more than this.
    pub clip: f64,
}

impl LogTuning {
    /// For the time to the first token: a quarter an hour.
    pub const FIRST_TOKEN: Self = Self {
        drift_per_hour: 0.25,
        variance_max: 1.0,
        noise: 0.25,
        noise_min: 0.04,
        clip: 1.2,
    };

    /// For the time per output token, which is steadier.
    pub const PER_TOKEN: Self = Self {
        drift_per_hour: 0.1,
        ..Self::FIRST_TOKEN
    };
}

/// What is believed of a logarithm at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Belief {
    /// The expected logarithm.
    pub mean: f64,
    /// How unsure that is: the variance of the mean.
    pub variance: f64,
    /// How much single observations scatter around it: a variance.
    pub noise: f64,
}

impl Belief {
    /// The typical span: `exp(mean)`, a median.
    #[must_use]
    pub fn typical(&self) -> f64 {
        self.mean.exp()
    }

    /// The hopeful span: `exp(mean − c·√variance)`.
    #[must_use]
    pub fn hopeful(&self, c: f64) -> f64 {
        (self.mean - c * self.variance.sqrt()).exp()
    }

    /// The standard deviation of the next observation's logarithm.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        (self.variance + self.noise).sqrt()
    }

    /// What the next observation's logarithm is expected to be once it is known to be above
    /// `logarithm`: the mean of a normal distribution cut off below.
    #[must_use]
    pub fn mean_beyond(&self, logarithm: f64) -> f64 {
        /// From where on the difference of two probabilities has too few digits left.
        const FAR: f64 = 3.5;
        let deviation = self.deviation();
        let z = (logarithm - self.mean) / deviation;
        let hazard = if z > FAR {
            // The beginning of the expansion of the inverse of Mills' ratio.
            z + 1.0 / z - 2.0 / z.powi(3)
        } else {
            let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            density / (1.0 - phi(z))
        };
        self.mean + deviation * hazard
    }

    /// The chance that the next observation is at most `span`, in the unit of the observations.
    #[must_use]
    pub fn chance_within(&self, span: f64) -> f64 {
        if span <= 0.0 {
            return 0.0;
        }
        phi((span.ln() - self.mean) / self.deviation())
    }
}

/// Surprises that the noise is estimated from.
const SURPRISES: usize = 32;
/// Surprises from which on it is.
const SURPRISES_MIN: usize = 12;

/// Observations of which the middle one begins.
const FIRST: usize = 3;

/// What is known of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct LogFilter {
    mean: f64,
    variance: f64,
    noise: f64,
    at: Moment,
    count: u64,
    early: [f64; FIRST],
    surprises: Vec<f32>,
}

impl LogFilter {
    /// Nothing observed yet; `mean` is a first guess, trusted as little as `tuning` allows.
    #[must_use]
    pub const fn new(mean: f64, tuning: &LogTuning, at: Moment) -> Self {
        Self {
            mean,
            variance: tuning.variance_max,
            noise: tuning.noise,
            at,
            count: 0,
            early: [0.0; FIRST],
            surprises: Vec::new(),
        }
    }

    /// What was kept of an earlier run, as of `at`.
    #[must_use]
    pub fn kept(belief: Belief, count: u64, at: Moment) -> Self {
        Self {
            mean: belief.mean,
            variance: belief.variance,
            noise: belief.noise,
            at,
            // Kept beliefs are no outliers.
            count: if count == 0 {
                0
            } else {
                count.max(FIRST as u64)
            },
            early: [0.0; FIRST],
            surprises: Vec::new(),
        }
    }

    /// How many observations were taken in.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The moment of the last one.
    #[must_use]
    pub const fn at(&self) -> Moment {
        self.at
    }

    /// What is believed at `now`: time since the last observation makes it less sure.
    #[must_use]
    pub fn belief(&self, tuning: &LogTuning, now: Moment) -> Belief {
        let hours = now.since(self.at).as_secs() / 3_600.0;
        Belief {
            mean: self.mean,
            variance: (self.variance + tuning.drift_per_hour * hours).min(tuning.variance_max),
            noise: self.noise,
        }
    }

    /// Takes in the logarithm of an observed span; what is no number is left out.
    pub fn observe(&mut self, logarithm: f64, tuning: &LogTuning, now: Moment) {
        if !logarithm.is_finite() {
            return;
        }
        let before = self.belief(tuning, now);
        if (self.count as usize) < FIRST {
            // The first guess is worth nothing beside an observation, and the first observation
            // may be an outlier: the middle of the first three counts.
            self.early[self.count as usize] = logarithm;
            let seen = &mut self.early[..=self.count as usize];
            seen.sort_unstable_by(f64::total_cmp);
            let (low, high) = (seen[(seen.len() - 1) / 2], seen[seen.len() / 2]);
            self.mean = f64::midpoint(low, high);
            self.variance = before.noise / seen.len() as f64;
        } else {
            let surprise = (logarithm - before.mean).clamp(-tuning.clip, tuning.clip);
            let gain = before.variance / (before.variance + before.noise);
            self.mean = before.mean + gain * surprise;
            self.variance = before.variance * (1.0 - gain);
            self.learn_noise(logarithm - before.mean, before, tuning);
        }
        self.count += 1;
        self.at = self.at.max(now);
    }

    /// `σ ≈ 1.4826 · MAD`. A surprise scatters by the belief's variance too, so it is scaled back
    /// to the noise alone.
    fn learn_noise(&mut self, surprise: f64, before: Belief, tuning: &LogTuning) {
        let share = before.noise / (before.noise + before.variance);
        if self.surprises.len() == SURPRISES {
            self.surprises.remove(0);
        }
        self.surprises.push((surprise.abs() * share.sqrt()) as f32);
        if self.surprises.len() >= SURPRISES_MIN {
            let mut sorted = self.surprises.clone();
            sorted.sort_unstable_by(f32::total_cmp);
            let sigma = 1.4826 * f64::from(sorted[sorted.len() / 2]);
            self.noise = (sigma * sigma).max(tuning.noise_min);
        }
    }
}

/// The normal distribution function, within 1.5e-7: for choosing among many in little time.
/// Source: Abramowitz and Stegun, 7.1.26.
#[must_use]
pub fn phi(z: f64) -> f64 {
    const TERMS: [f64; 5] = [
        1.061_405_429,
        -1.453_152_027,
        1.421_413_741,
        -0.284_496_736,
        0.254_829_592,
    ];
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let sum = TERMS.iter().fold(0.0, |sum, term| (sum + term) * t);
    let tail = 0.5 * sum * (-x * x).exp();
    if z < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::compare::Random;
    use crate::statistics::interval::special::{normal_cdf, normal_quantile};

    const T: LogTuning = LogTuning::FIRST_TOKEN;
    const MINUTE: u64 = 60_000_000_000;

    #[test]
    fn the_quick_normal_is_near_the_exact_one() {
        for step in -800..=800 {
            let z = f64::from(step) / 100.0;
            assert!((phi(z) - normal_cdf(z)).abs() < 1.6e-7, "{z}");
        }
    }

    #[test]
    fn what_is_known_to_take_longer_is_expected_to_by_so_much() {
        let belief = Belief {
            mean: 1.0,
            variance: 3.0,
            noise: 1.0,
        };
        // Of the standard normal: the mean beyond z is its density over its upper tail.
        for (z, beyond) in [
            (-8.0, 0.0),
            (-1.0, 0.287_600),
            (0.0, 0.797_885),
            (1.0, 1.525_135),
            (3.0, 3.283_099),
            (4.0, 4.225_607),
            (9.0, 9.108_523),
        ] {
            let found = belief.mean_beyond(1.0 + 2.0 * z);
            assert!((found - (1.0 + 2.0 * beyond)).abs() < 0.02, "{z}: {found}");
        }
    }

    #[test]
    fn a_level_is_found_and_an_outlier_does_not_move_it_far() {
        let mut random = Random::new(5);
        let mut filter = LogFilter::new(0.0, &T, Moment(0));
        for n in 1..=200 {
            let y = 6.0 + 0.3 * normal_quantile(random.unit().max(1e-9));
            filter.observe(y, &T, Moment(n * MINUTE));
        }
        let before = filter.belief(&T, Moment(200 * MINUTE));
        assert!((before.mean - 6.0).abs() < 0.15, "seed 5: {before:?}");
        assert!((before.noise - 0.09).abs() < 0.05, "seed 5: {before:?}");
        filter.observe(12.0, &T, Moment(201 * MINUTE));
        let after = filter.belief(&T, Moment(201 * MINUTE));
        assert!(after.mean - before.mean < 0.4, "{after:?}");
    }

    #[test]
    fn idle_time_makes_it_unsure_up_to_a_limit() {
        let mut filter = LogFilter::new(0.0, &T, Moment(0));
        filter.observe(5.0, &T, Moment(0));
        filter.observe(5.0, &T, Moment(1));
        let at = |hours: u64| filter.belief(&T, Moment(hours * 60 * MINUTE)).variance;
        assert!((at(1) - at(0) - 0.25).abs() < 1e-6);
        assert!((at(100) - 1.0).abs() < 1e-9);
        // A clock that runs back makes nothing surer.
        assert!(filter.belief(&T, Moment(0)).variance >= at(0));
    }

    #[test]
    fn what_is_no_number_changes_nothing() {
        let mut filter = LogFilter::new(1.0, &T, Moment(0));
        filter.observe(f64::NAN, &T, Moment(1));
        filter.observe(f64::INFINITY, &T, Moment(1));
        assert_eq!(filter, LogFilter::new(1.0, &T, Moment(0)));
    }
}
