//! Measures a slow trend by the median of all slopes.

use crate::statistics::interval::special::normal_quantile;
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
