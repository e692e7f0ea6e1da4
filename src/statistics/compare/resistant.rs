//! Measures a slope that single numbers do not turn: Tukey's resistant line.
//!
//! Source: Tukey, "Exploratory Data Analysis", 1977, chapter 10: the slope between the medians of
//! the outer thirds.

use super::shift::median;

/// The slope of points (x, y): the points in the order of x (those of one x in the order given)
/// are cut into thirds of `⌊n/3⌋` at either end; the difference of the ends' medians of y over
/// that of x. Absent where the ends' x are the same, or there are fewer than three points.
#[must_use]
pub fn resistant_slope(points: &[(f64, f64)]) -> Option<f64> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let third = sorted.len() / 3;
    let middle = |part: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = part.iter().map(of).collect();
        median(&mut values)
    };
    let (low, high) = (&sorted[..third], &sorted[sorted.len() - third..]);
    let run = middle(high, |point| point.0)? - middle(low, |point| point.0)?;
    let rise = middle(high, |point| point.1)? - middle(low, |point| point.1)?;
    (run > 0.0 && rise.is_finite()).then(|| rise / run)
}
