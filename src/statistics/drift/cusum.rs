//! Watches one route online: sums of what lies beyond half a deviation, of medians of ten.
//!
//! Source: Page 1954; Montgomery, "Introduction to Statistical Quality Control", chapter 9:
//! `S± = max(0, S± + (±r/σ − k))`, alarm at `S > h`; k = ½ and h = 5 raise a false alarm in about
//! 465 steps of independent normal numbers and find a shift of σ in about 10.

use crate::statistics::compare::dispersion::MAD_FACTOR;
use crate::statistics::quantile::Sample;

/// What each step leaves out, k, in deviations.
pub const ALLOWANCE: f64 = 0.5;
/// Where the alarm is raised, h, in deviations.
pub const THRESHOLD: f64 = 5.0;
/// The mean number of steps to a false alarm of either sum, of independent normal steps: half of
/// `(e^(2 k b) − 2 k b − 1) / (2 k²)`, `b = h + 1.166`.
///
/// Source: Siegmund, "Sequential Analysis", 1985, section 2.6: from h = 3 on within 3 % of the
/// exact value for k up to ½, and within 8 % for k = 1 (`tests/tables/resampling.json`).
#[must_use]
pub fn steps_to_false_alarm(threshold: f64, allowance: f64) -> f64 {
    let exponent = 2.0 * allowance * (threshold + OVERSHOOT);
    (exponent.exp() - exponent - 1.0) / (2.0 * allowance * allowance) / 2.0
}

/// The threshold whose false alarms are `steps` apart in the mean, as [`steps_to_false_alarm`]
/// says: 672 for one a week of quarters of an hour. Absent below ten steps, where the formula says
/// nothing, and above 10⁹.
#[must_use]
pub fn threshold_for(steps: f64, allowance: f64) -> Option<f64> {
    if !(10.0..=1e9).contains(&steps) || allowance <= 0.0 {
        return None;
    }
    let (mut low, mut high) = (0.0, 50.0 / allowance);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if steps_to_false_alarm(middle, allowance) < steps {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

/// By how much a sum overshoots its threshold in the mean.
const OVERSHOOT: f64 = 1.166;

/// How many residuals are one step: their median is what is summed.
pub const STEP: usize = 10;

/// What a route was like before: of residuals `ln TTFT − prediction`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reference {
    /// The median of the steps.
    pub centre: f64,
    /// `1.4826 · MAD` of the steps.
    pub sigma: f64,
}

impl Reference {
    /// The reference of `residuals` in the order of time (as of 24 hours), by medians of
    /// [`STEP`]; absent where there are fewer than two steps or they do not vary.
    #[must_use]
    pub fn of(residuals: &[f64]) -> Option<Self> {
        let chunks = residuals.chunks_exact(STEP);
        let steps = chunks.map(|chunk| median(&sorted(chunk.iter().copied())));
        Self::of_steps(&steps.collect::<Vec<_>>())
    }

    /// The same of steps that are medians already; absent as [`Self::of`] says.
    #[must_use]
    pub fn of_steps(steps: &[f64]) -> Option<Self> {
        let steps = sorted(steps.iter().copied());
        let centre = median(&steps);
        let apart = sorted(steps.iter().map(|step| (step - centre).abs()));
        let sigma = MAD_FACTOR * median(&apart);
        let known = steps.len() > 1 && sigma > 0.0 && sigma.is_finite();
        known.then_some(Self { centre, sigma })
    }
}

/// Which way a route has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Larger than before: slower.
    Up,
    /// Smaller than before: faster.
    Down,
}

/// That a route has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// Which way.
    pub direction: Direction,
    /// In how many steps the sum rose from zero: about how long ago the change was.
    pub steps: u32,
}

/// The running sums of one route.
#[derive(Debug, Clone, PartialEq)]
pub struct Cusum {
    reference: Reference,
    allowance: f64,
    threshold: f64,
    waiting: Vec<f64>,
    up: (f64, u32),
    down: (f64, u32),
}

impl Cusum {
    /// Sums against `reference` with [`ALLOWANCE`] and [`THRESHOLD`].
    #[must_use]
    pub const fn new(reference: Reference) -> Self {
        Self::with(reference, ALLOWANCE, THRESHOLD)
    }

    /// Sums whose false alarms are `steps` apart in the mean; absent as [`threshold_for`] is.
    #[must_use]
    pub fn calibrated(reference: Reference, steps: f64) -> Option<Self> {
        let threshold = threshold_for(steps, ALLOWANCE)?;
        Some(Self::with(reference, ALLOWANCE, threshold))
    }

    /// Sums with another allowance and threshold, both in deviations.
    #[must_use]
    pub const fn with(reference: Reference, allowance: f64, threshold: f64) -> Self {
        Self {
            reference,
            allowance,
            threshold,
            waiting: Vec::new(),
            up: (0.0, 0),
            down: (0.0, 0),
        }
    }

    /// Takes one residual: every tenth makes a step of the ten's median. Failures are infinite.
    pub fn push(&mut self, residual: f64) -> Option<Alarm> {
        self.waiting.push(residual);
        if self.waiting.len() < STEP {
            return None;
        }
        let step = median(&sorted(self.waiting.drain(..)));
        self.step(step)
    }

    /// Takes one step that is a median already, as of a quarter of an hour. After an alarm both
    /// sums begin anew.
    pub fn step(&mut self, median: f64) -> Option<Alarm> {
        let z = (median - self.reference.centre) / self.reference.sigma;
        let rise = |(sum, steps): (f64, u32), z: f64| {
            let sum = sum + z - self.allowance;
            if sum > 0.0 {
                (sum, steps + 1)
            } else {
                (0.0, 0)
            }
        };
        self.up = rise(self.up, z);
        self.down = rise(self.down, -z);
        let of = |direction, (sum, steps): (f64, u32)| {
            (sum > self.threshold).then_some(Alarm { direction, steps })
        };
        let alarm = of(Direction::Up, self.up).or_else(|| of(Direction::Down, self.down));
        if alarm.is_some() {
            (self.up, self.down) = ((0.0, 0), (0.0, 0));
        }
        alarm
    }

    /// The sums upward and downward, in deviations.
    #[must_use]
    pub const fn sums(&self) -> (f64, f64) {
        (self.up.0, self.down.0)
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The median of sorted numbers, infinite ones last.
fn median(sorted: &[f64]) -> f64 {
    let finite = sorted.partition_point(|value| value.is_finite());
    let sample = Sample::new(&sorted[..finite], sorted.len() - finite);
    sample.quantile(0.5).unwrap_or(f64::NAN)
}
