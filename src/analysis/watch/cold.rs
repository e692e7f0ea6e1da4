//! Tells whether an answer looks like a cold start: a host that had put the model away first.
//!
//! A cold start is a first token after an idle gap of five minutes or more that takes at least
//! twice the median of the warm ones and lies more than 3.5 deviations (`1.4826 · MAD` of the
//! logarithms; Iglewicz and Hoaglin, 1993) above it. Warm are calls that follow another within the
//! gap; where there are fewer than six of them, all answered calls stand in, which finds fewer
//! cold starts and never more. Opening the connection is no part of a first token.

use crate::analysis::watch::Point;
use crate::statistics::compare::dispersion::MAD_FACTOR;
use crate::statistics::quantile::{Sample, sorted};

/// Microseconds after which a route counts as idle.
pub const IDLE: i64 = 300 * 1_000_000;
/// Numbers that are compared with at least: below there is no interval of a median.
pub const WARM_MIN: usize = 6;
/// How many times the median a cold start takes at least.
const TIMES: f64 = 2.0;
/// Deviations above the median.
const DEVIATIONS: f64 = 3.5;

/// What calls of a route are measured by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warm {
    /// The median of `ln first token`.
    centre: f64,
    /// How much the logarithms vary.
    sigma: f64,
    /// How many.
    pub count: usize,
    /// Whether they are warm calls, and not all calls in their place.
    pub is_warm: bool,
}

impl Warm {
    /// Of `points` in the order of time; absent where fewer than six were answered.
    #[must_use]
    pub fn of(points: &[Point]) -> Option<Self> {
        let soon = |point: &&Point| point.idle.is_some_and(|idle| idle < IDLE);
        let warm = points.iter().filter(soon);
        let warm: Vec<f64> = warm.filter_map(logarithm).collect();
        let is_warm = warm.len() >= WARM_MIN;
        let values = if is_warm {
            warm
        } else {
            points.iter().filter_map(logarithm).collect()
        };
        let count = values.len();
        if count < WARM_MIN {
            return None;
        }
        let centre = median(values.iter().copied())?;
        let sigma = MAD_FACTOR * median(values.iter().map(|value| (value - centre).abs()))?;
        Some(Self {
            centre,
            sigma,
            count,
            is_warm,
        })
    }

    /// The median first token, in nanoseconds.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.centre.exp()
    }

    /// Whether a first token, in nanoseconds, that came so many microseconds after the call before
    /// looks like a cold start; of a route never called before it does not matter how long.
    #[must_use]
    pub fn is_cold(&self, first_token: f64, idle: Option<i64>) -> bool {
        let above = first_token.max(1.0).ln() - self.centre;
        idle.is_none_or(|idle| idle >= IDLE)
            && above >= TIMES.ln()
            && above > DEVIATIONS * self.sigma
    }
}

/// The cold starts among `points`, in the order of time: how many, and of how many answers after
/// an idle gap. Absent where there is too little to compare with.
#[must_use]
pub fn cold_starts(points: &[Point]) -> Option<(u64, u64)> {
    let warm = Warm::of(points)?;
    let after_idle = points.iter().filter_map(|point| {
        let idle = point.idle.filter(|idle| *idle >= IDLE);
        let first = point.first_token.filter(|_| idle.is_some())?;
        Some(warm.is_cold(first, idle))
    });
    let after_idle: Vec<bool> = after_idle.collect();
    let cold = after_idle.iter().filter(|cold| **cold).count();
    Some((cold as u64, after_idle.len() as u64))
}

fn logarithm(point: &Point) -> Option<f64> {
    let first = point.first_token.filter(|first| *first > 0.0)?;
    Some(first.ln())
}

fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (values, failures) = sorted(values);
    Sample::new(&values, failures).quantile(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::watch::point::tests::{answered, failed};

    fn after_one_another(points: impl Iterator<Item = Point>) -> Vec<Point> {
        let mut before = None;
        let idle = |point: Point| {
            let idle = before.map(|before| point.at.0 - before);
            before = Some(point.at.0);
            Point { idle, ..point }
        };
        points.map(idle).collect()
    }

    /// A pair each quarter of an hour: one after the gap, one at once.
    fn pairs(after_gap: impl Fn(i64) -> f64) -> Vec<Point> {
        let pair = |n: i64| {
            let warm = answered(n * 900 + 5, 300.0 + 5.0 * (n % 7) as f64);
            [answered(n * 900, after_gap(n)), warm]
        };
        after_one_another((0..20).flat_map(pair))
    }

    #[test]
    fn slow_after_a_gap_is_a_cold_start_and_slow_at_once_is_not() {
        let found = |points: &[Point]| cold_starts(points).unwrap();
        // The first pair has nothing before it.
        assert_eq!(found(&pairs(|_| 320.0)), (0, 19));
        assert_eq!(found(&pairs(|_| 500.0)), (0, 19), "not twice as long");
        let each_fifth = |n: i64| if n % 5 == 0 { 9_000.0 } else { 320.0 };
        assert_eq!(found(&pairs(each_fifth)), (3, 19));
        assert_eq!(found(&pairs(|_| 9_000.0)), (19, 19));
        let mut slow_at_once = pairs(|_| 320.0);
        for point in slow_at_once.iter_mut().skip(1).step_by(8) {
            point.first_token = Some(9e9);
        }
        assert_eq!(found(&slow_at_once).0, 0);
    }

    #[test]
    fn without_warm_calls_all_stand_in_and_few_say_nothing() {
        let lone = |count: i64| -> Vec<Point> {
            let at = |n: i64| answered(n * 900, if n == 4 { 9_000.0 } else { 310.0 + n as f64 });
            after_one_another((0..count).map(at))
        };
        assert_eq!(cold_starts(&lone(5)), None);
        assert_eq!(cold_starts(&lone(20)), Some((1, 19)));
        assert!(!Warm::of(&lone(20)).unwrap().is_warm);
        let failures: Vec<Point> = (0..20).map(|n| failed(n * 900)).collect();
        assert_eq!(Warm::of(&failures), None);
        let warm = Warm::of(&pairs(|_| 320.0)).unwrap();
        assert!(warm.is_cold(2e9, None) && !warm.is_cold(2e9, Some(1_000_000)));
    }
}
