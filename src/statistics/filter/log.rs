//! Follows the logarithm of a span that drifts, with outliers (a Kalman filter of one state).
//!
//! A random walk observed with noise: between observations the variance grows by `drift · Δt`; an
//! observation moves the mean by its clipped surprise times `P / (P + σ²)`. The noise is estimated
//! anew from how far successive observations lie apart: there a change of the level counts once,
//! where every surprise after it would count as noise, and the noisier an observation is taken to
//! be, the less it moves. Surprises to one side that noise hardly makes are a change: the belief is
//! unsure again. Where one after the other lies so far to one side that it would be clipped, all of
//! them are a new level, and what was believed is worth nothing beside them.

use std::collections::VecDeque;

use super::belief::Belief;
use super::side::Side;
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

/// Observations that the noise is estimated from.
const RECENT: usize = 32;
/// Observations from which on it is.
const RECENT_MIN: usize = 12;
/// Standard deviations beyond which a step counts no more: a change of the level and a hang are no
/// noise.
const STEP_MAX: f64 = 2.5;
/// What a change makes of the variance of the mean, in parts of the noise: a fifth of each further
/// surprise is believed. More is soon wrong where what was slow for minutes is well again.
const AFTER_CHANGE: f64 = 0.25;

/// Observations of which the middle one begins.
const FIRST: usize = 3;
/// Observations in a row beyond the clip, all to one side, that are a new level. At a clip of 1.2 each
/// is over three times what was expected, or under a third.
const MOVED: usize = 6;

/// What is known of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct LogFilter {
    mean: f64,
    variance: f64,
    /// Variance of single observations around a level that stands: what the gain is made of.
    noise: f64,
    /// Variance of observations around what was expected of each: what is told.
    scatter: f64,
    at: Moment,
    count: u64,
    early: [f64; FIRST],
    /// The latest observation.
    last: Option<f64>,
    recent: VecDeque<Recent>,
    above: Side,
    below: Side,
    far: Far,
}

/// The latest observations that all lay beyond the clip, to one side.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Far {
    seen: [f64; MOVED],
    count: usize,
    above: bool,
}

impl Far {
    const NONE: Self = Self {
        seen: [0.0; MOVED],
        count: 0,
        above: false,
    };

    /// Takes in an observation that lies `surprise` from what was expected. The middle of the last
    /// ones, once there are enough; then it begins anew.
    fn takes(&mut self, logarithm: f64, surprise: f64, clip: f64) -> Option<f64> {
        let above = surprise > 0.0;
        if surprise.abs() <= clip {
            self.count = 0;
            return None;
        }
        if above != self.above {
            self.count = 0;
        }
        self.above = above;
        self.seen[self.count] = logarithm;
        self.count += 1;
        if self.count < MOVED {
            return None;
        }
        let mut seen = std::mem::replace(self, Self::NONE).seen;
        seen.sort_unstable_by(f64::total_cmp);
        Some(f64::midpoint(seen[(MOVED - 1) / 2], seen[MOVED / 2]))
    }
}

/// What the noise is estimated from.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Recent {
    /// The square of how far it is from the one before, scaled back to the noise alone.
    step: f32,
    /// How far it is from what was expected, scaled back likewise.
    surprise: f32,
}

impl LogFilter {
    /// Nothing observed yet; `mean` is a first guess, trusted as little as `tuning` allows.
    #[must_use]
    pub const fn new(mean: f64, tuning: &LogTuning, at: Moment) -> Self {
        Self {
            mean,
            variance: tuning.variance_max,
            noise: tuning.noise,
            scatter: tuning.noise,
            at,
            count: 0,
            early: [0.0; FIRST],
            last: None,
            recent: VecDeque::new(),
            above: Side::new(),
            below: Side::new(),
            far: Far::NONE,
        }
    }

    /// What was kept of an earlier run, as of `at`.
    #[must_use]
    pub fn kept(belief: Belief, count: u64, at: Moment) -> Self {
        Self {
            mean: belief.mean,
            variance: belief.variance,
            noise: belief.noise,
            scatter: belief.noise,
            at,
            // Kept beliefs are no outliers.
            count: if count == 0 {
                0
            } else {
                count.max(FIRST as u64)
            },
            early: [0.0; FIRST],
            last: None,
            recent: VecDeque::new(),
            above: Side::new(),
            below: Side::new(),
            far: Far::NONE,
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
            noise: self.scatter,
        }
    }

    /// Takes in the logarithm of an observed span; what is no number is left out.
    pub fn observe(&mut self, logarithm: f64, tuning: &LogTuning, now: Moment) {
        if !logarithm.is_finite() {
            return;
        }
        let told = self.belief(tuning, now);
        let drift = told.variance - self.variance;
        let last = self.last.replace(logarithm);
        if (self.count as usize) < FIRST {
            // The first guess is worth nothing beside an observation, and the first observation
            // may be an outlier: the middle of the first three counts.
            self.early[self.count as usize] = logarithm;
            let seen = &mut self.early[..=self.count as usize];
            seen.sort_unstable_by(f64::total_cmp);
            let (low, high) = (seen[(seen.len() - 1) / 2], seen[seen.len() / 2]);
            self.mean = f64::midpoint(low, high);
            self.variance = told.noise / seen.len() as f64;
        } else {
            let surprise = logarithm - told.mean;
            let gain = told.variance / (told.variance + self.noise);
            self.mean = told.mean + gain * surprise.clamp(-tuning.clip, tuning.clip);
            self.variance = told.variance * (1.0 - gain);
            let z = surprise / (told.variance + self.noise).sqrt();
            let (above, below) = (self.above.takes(z), self.below.takes(-z));
            if above || below {
                self.variance = self.variance.max(AFTER_CHANGE * self.noise);
            }
            if let Some(level) = self.far.takes(logarithm, surprise, tuning.clip) {
                self.mean = level;
            }
            if let Some(last) = last {
                let own = 2.0 * self.noise / (2.0 * self.noise + drift);
                let share = told.noise / (told.noise + told.variance);
                let recent = Recent {
                    step: ((logarithm - last).powi(2) * own) as f32,
                    surprise: (surprise.abs() * share.sqrt()) as f32,
                };
                self.learn_noise(recent, tuning);
            }
        }
        self.count += 1;
        self.at = self.at.max(now);
    }

    /// Estimates the noise anew. What is told is `σ ≈ 1.4826 · MAD` of the surprises, so that where
    /// noise has a memory the next observation is not taken to be surer than it is. Of a level that
    /// stands it is half of the mean square of the steps between successive observations (von
    /// Neumann), in which a change of the level is one step; where hangs make that larger, the
    /// former, which they do not move.
    fn learn_noise(&mut self, latest: Recent, tuning: &LogTuning) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(latest);
        if self.recent.len() < RECENT_MIN {
            return;
        }
        let most = 2.0 * STEP_MAX * STEP_MAX * self.noise;
        let steps = self.recent.iter().map(|of| f64::from(of.step).min(most));
        let by_steps = steps.sum::<f64>() / (2.0 * self.recent.len() as f64);
        let mut surprises = [0.0; RECENT];
        let surprises = &mut surprises[..self.recent.len()];
        for (place, of) in surprises.iter_mut().zip(&self.recent) {
            *place = of.surprise;
        }
        // Nobody asks for the order of the others.
        let middle = surprises.len() / 2;
        let (_, median, _) = surprises.select_nth_unstable_by(middle, f32::total_cmp);
        let sigma = 1.4826 * f64::from(*median);
        self.scatter = (sigma * sigma).max(tuning.noise_min);
        self.noise = by_steps.clamp(tuning.noise_min, self.scatter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::compare::Random;
    use crate::statistics::interval::special::normal_quantile;

    const T: LogTuning = LogTuning::FIRST_TOKEN;
    const MINUTE: u64 = 60_000_000_000;

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

    /// Observations of every kind that filters meet, with noise that is known.
    fn series(kind: &str, random: &mut Random) -> Vec<f64> {
        let mut memory = 0.0;
        let mut of = |n: usize| {
            let z = normal_quantile(random.unit().max(1e-9));
            let up = (n / 200) % 2 == 1;
            match kind {
                "hangs" if random.unit() < 0.02 => 1.4 + 0.3 * z,
                "two kinds of request" if random.unit() < 0.3 => 1.5 + 0.2 * z,
                "two kinds of request" => 0.2 * z,
                "a memory" => {
                    memory = 0.8 * memory + 0.18 * z;
                    memory
                }
                "steps" if up => 1.5 + 0.3 * z,
                "ramps" => 0.2 * z + 0.01 * (n % 400).min(400 - n % 400) as f64,
                _ => 0.3 * z,
            }
        };
        (0..8_000).map(|n| 6.0 + of(n)).collect()
    }

    #[test]
    fn eight_of_ten_are_where_eight_of_ten_are_expected() {
        for kind in [
            "plain",
            "hangs",
            "two kinds of request",
            "a memory",
            "steps",
            "ramps",
        ] {
            for seconds in [0.2, 20.0, 120.0] {
                let mut filter = LogFilter::new(0.0, &T, Moment(0));
                let (mut within, mut all) = (0.0, 0.0);
                for (n, y) in series(kind, &mut Random::new(5)).into_iter().enumerate() {
                    let now = Moment((n as f64 * seconds * 1e9) as u64);
                    let belief = filter.belief(&T, now);
                    if n >= 100 {
                        let off = (y - belief.mean).abs() / belief.deviation();
                        within += f64::from(u8::from(off < 1.2816));
                        all += 1.0;
                    }
                    filter.observe(y, &T, now);
                }
                let share = within / all;
                assert!(
                    (0.75..0.9).contains(&share),
                    "seed 5: {kind}, {seconds} s: {share}"
                );
            }
        }
    }

    #[test]
    fn a_step_is_followed_within_some_twenty_observations_however_quick_they_come() {
        for (before, scatter) in [(60, 0.01), (1_000, 0.01), (1_000, 0.3)] {
            let mut random = Random::new(3);
            let mut filter = LogFilter::new(0.0, &T, Moment(0));
            let (from, to) = (20_f64.ln(), 150_f64.ln());
            let mut seen = 0;
            let mut observe = |level: f64| {
                seen += 1;
                let now = Moment(seen * 150_000_000);
                let z = normal_quantile(random.unit().max(1e-9));
                filter.observe(level + scatter * z, &T, now);
                filter.belief(&T, now)
            };
            for _ in 0..before {
                observe(from);
            }
            let mut beliefs = (1..=60).map(|n| (n, observe(to)));
            // Not hoped to be as quick as one of 80 ms any more.
            let (left, _) = beliefs.find(|(_, of)| of.hopeful(1.5) > 80.0).unwrap();
            let (fits, _) = beliefs.find(|(_, of)| (of.mean - to).abs() < 0.2).unwrap();
            assert!(
                left <= 15 && fits <= 25,
                "{before}, {scatter}: {left}, {fits}"
            );
            let last = beliefs.last().map(|(_, of)| of).unwrap();
            assert!(last.deviation() < 1.3 * scatter.max(0.2), "{last:?}");
        }
    }

    #[test]
    fn a_step_however_high_is_followed_within_some_ten_observations_and_an_outlier_is_not() {
        // What comes after a minute at 25 ms, and what is expected afterwards, at least and at most.
        let cases: [(&str, &[f64], f64, f64); 7] = [
            ("one outlier", &[6_000.0], 20.0, 35.0),
            ("two outliers", &[6_000.0, 6_000.0], 20.0, 45.0),
            (
                "outliers apart",
                &[6e3, 6e3, 25.0, 6e3, 6e3, 25.0, 25.0],
                20.0,
                60.0,
            ),
            ("a high step", &[6_000.0; 8], 5_000.0, 7_000.0),
            (
                "a step with noise",
                &[6e3, 3e3, 9e3, 5e3, 8e3, 6e3, 7e3],
                4_000.0,
                8_000.0,
            ),
            ("a step down", &[1.0; 8], 0.8, 1.3),
            (
                "up and down",
                &[6e3, 1.0, 6e3, 1.0, 6e3, 1.0, 6e3, 1.0],
                10.0,
                60.0,
            ),
        ];
        for (kind, after, least, most) in cases {
            let mut filter = LogFilter::new(0.0, &T, Moment(0));
            let before = std::iter::repeat_n(25.0_f64, 60);
            for (n, ms) in (0..).zip(before.chain(after.iter().copied())) {
                filter.observe(ms.ln(), &T, Moment(n * 1_000_000_000));
            }
            let end = Moment((59 + after.len() as u64) * 1_000_000_000);
            let expected = filter.belief(&T, end).mean.exp();
            assert!((least..most).contains(&expected), "{kind}: {expected}");
        }
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
