//! Measures a slow trend by the median of all slopes, and how sure it is that there is one.

use crate::statistics::interval::special::{normal_cdf, normal_quantile};
use crate::statistics::interval::{Estimate, Interval};

/// The Theil–Sen slope of points (x, y), the median of `(y_j − y_i) / (x_j − x_i)`, with Sen's
/// interval of confidence `1 − alpha` (1968; ties of y widen nothing, those of x are left out).
///
/// Quadratic in the points: for hours and days, not for requests. Absent where no two x differ.
#[must_use]
pub fn theil_sen(points: &[(f64, f64)], alpha: f64) -> Option<Estimate> {
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (index, (x, y)) in points.iter().enumerate() {
        let later = points[index + 1..].iter();
        let later = later.filter(|point| point.0.total_cmp(x).is_ne());
        slopes.extend(later.map(|point| (point.1 - y) / (point.0 - x)));
    }
    if slopes.is_empty() || slopes.iter().any(|slope| slope.is_nan()) {
        return None;
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let count = slopes.len();
    let value = f64::midpoint(slopes[(count - 1) / 2], slopes[count / 2]);
    // Kendall's variance less what ties take away.
    let size = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let tied = |of: fn(&(f64, f64)) -> f64| -> f64 {
        let mut values: Vec<f64> = points.iter().map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        let runs = values.chunk_by(|one, other| one.total_cmp(other).is_eq());
        runs.map(|run| size(run.len() as f64)).sum()
    };
    let variance = (size(points.len() as f64) - tied(|p| p.0) - tied(|p| p.1)) / 18.0;
    let reach = normal_quantile(1.0 - alpha / 2.0) * variance.max(0.0).sqrt();
    let low = ((count as f64 - reach) / 2.0).round_ties_even() - 1.0;
    let high = (f64::midpoint(count as f64, reach)).round_ties_even();
    let interval = if low >= 0.0 && (high as usize) < count {
        Interval {
            low: slopes[low as usize],
            high: slopes[high as usize],
        }
    } else {
        Interval::UNKNOWN
    };
    Some(Estimate { value, interval })
}

/// Kendall's statistic of points (x, y) and what it says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannKendall {
    /// Pairs that rise less pairs that fall.
    pub rising: f64,
    /// The two-sided p-value that y knows nothing of x.
    pub p_value: f64,
}

/// Mann's test (1945) for a monotone trend, with Kendall's variance less what ties take away and
/// the correction for continuity; `deff` of the points say what one independent one would (Hamed
/// and Rao 1998: it multiplies the variance). Absent for fewer than two points or only ties.
#[must_use]
pub fn mann_kendall(points: &[(f64, f64)], deff: f64) -> Option<MannKendall> {
    let mut rising = 0.0;
    for (index, one) in points.iter().enumerate() {
        for other in &points[index + 1..] {
            let sign = |from: f64, to: f64| {
                if to > from {
                    1.0
                } else if to < from {
                    -1.0
                } else {
                    0.0
                }
            };
            rising += sign(one.0, other.0) * sign(one.1, other.1);
        }
    }
    let variance = kendall_variance(points) * deff.max(1.0);
    if variance <= 0.0 {
        return None;
    }
    let beyond = (f64::abs(rising) - 1.0).max(0.0);
    Some(MannKendall {
        rising,
        p_value: (2.0 * normal_cdf(-beyond / variance.sqrt())).min(1.0),
    })
}

/// The variance of Kendall's statistic where x and y know nothing of each other, with ties in
/// both (Kendall 1975).
fn kendall_variance(points: &[(f64, f64)]) -> f64 {
    let runs = |of: fn(&(f64, f64)) -> f64| -> Vec<f64> {
        let mut values: Vec<f64> = points.iter().map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        let runs = values.chunk_by(|one, other| one.total_cmp(other).is_eq());
        runs.map(|run| run.len() as f64).collect()
    };
    let (x, y) = (runs(|p| p.0), runs(|p| p.1));
    let sum = |runs: &[f64], of: fn(f64) -> f64| -> f64 { runs.iter().copied().map(of).sum() };
    let n = points.len() as f64;
    let five = |t: f64| t * (t - 1.0) * (2.0 * t + 5.0);
    let three = |t: f64| t * (t - 1.0) * (t - 2.0);
    let two = |t: f64| t * (t - 1.0);
    let mut variance = (five(n) - sum(&x, five) - sum(&y, five)) / 18.0;
    if n > 2.0 {
        variance += sum(&x, three) * sum(&y, three) / (9.0 * three(n));
    }
    if n > 1.0 {
        variance += sum(&x, two) * sum(&y, two) / (2.0 * two(n));
    }
    variance
}
