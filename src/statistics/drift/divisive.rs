//! Finds where a series changed, afterwards: splits by energy distance, then merges what is weak.
//!
//! Sources: Matteson and James, JASA 109, 2014 (E-Divisive); Fleming et al., "Hunter", ICPE 2023:
//! windows, Student's t-test instead of permutations, and merging.

use std::ops::Range;

use crate::statistics::interval::special::student_two_sided;

/// How to look for changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Divisive {
    /// How many numbers are looked at together.
    pub window: usize,
    /// The p-value that a change keeps below.
    pub p_max: f64,
    /// The smallest change of the mean that counts, as a share of it.
    pub magnitude_min: f64,
}

impl Default for Divisive {
    fn default() -> Self {
        Self {
            window: 50,
            p_max: 0.001,
            magnitude_min: 0.05,
        }
    }
}

/// The first pass keeps what is this many times weaker: merging decides with better means.
const FIRST_PASS: f64 = 10.0;

/// A change of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The index of the first number after it.
    pub index: usize,
    /// The mean from the change before to this one.
    pub before: f64,
    /// The mean from this one to the change after.
    pub after: f64,
    /// Student's two-sided p-value for these means.
    pub p_value: f64,
}

impl Change {
    /// `max(|after/before − 1|, |before/after − 1|)`.
    #[must_use]
    pub fn magnitude(&self) -> f64 {
        let forward = (self.after / self.before - 1.0).abs();
        forward.max((self.before / self.after - 1.0).abs())
    }
}

/// The changes of `series` (as medians of hours, finite) in the order of time.
#[must_use]
pub fn changes(series: &[f64], how: &Divisive) -> Vec<Change> {
    if how.window < 2 || series.iter().any(|value| !value.is_finite()) {
        return Vec::new();
    }
    let weak = (how.p_max * FIRST_PASS).min(0.5);
    let mut places: Vec<usize> = Vec::new();
    let mut start = 0;
    while start < series.len() {
        let end = (start + how.window).min(series.len());
        let mut found = split(&series[start..end], weak);
        found.iter_mut().for_each(|index| *index += start);
        // From the last change on, or half a window on: a change near the end is seen again.
        start = (start + how.window / 2).max(found.last().copied().unwrap_or(0));
        places.extend(found);
    }
    places.sort_unstable();
    places.dedup();
    merge(series, places, how)
}

/// The places where `window` splits, each the best of its part and below `p_max` by the t-test.
fn split(window: &[f64], p_max: f64) -> Vec<usize> {
    let mut places = Vec::new();
    let mut parts = vec![(0, window.len())];
    while let Some((from, to)) = parts.pop() {
        let Some((place, _)) = best_split(&window[from..to]) else {
            continue;
        };
        let place = from + place;
        if judged(window, from..place, place..to).p_value < p_max {
            places.push(place);
            parts.extend([(from, place), (place, to)]);
        }
    }
    places.sort_unstable();
    places
}

/// The place `τ` with the largest
/// `Q = mn/(m+n) [2/(mn) ΣΣ|x_i − y_j| − (m choose 2)⁻¹ Σ|x_i − x_k| − (n choose 2)⁻¹ Σ|y_j − y_k|]`
/// for the `m = τ` numbers before it and the `n` after it, two at least a side.
#[must_use]
pub fn best_split(part: &[f64]) -> Option<(usize, f64)> {
    let count = part.len();
    if count < 4 {
        return None;
    }
    let distance = |from: usize, range: Range<usize>| -> f64 {
        part[range].iter().map(|x| (x - part[from]).abs()).sum()
    };
    let (mut left, mut across) = (0.0, 0.0);
    let mut right: f64 = (1..count).map(|index| distance(index, 0..index)).sum();
    let mut best: Option<(usize, f64)> = None;
    for place in 1..count - 1 {
        // The number before `place` moves from the right side to the left one.
        let moved = place - 1;
        let (to_left, to_right) = (distance(moved, 0..moved), distance(moved, place..count));
        left += to_left;
        right -= to_right;
        across += to_right - to_left;
        if place < 2 {
            continue;
        }
        let (m, n) = (place as f64, (count - place) as f64);
        let apart = 2.0 * across / (m * n);
        let within = 2.0 * left / (m * (m - 1.0)) + 2.0 * right / (n * (n - 1.0));
        let score = m * n / (m + n) * (apart - within);
        if best.is_none_or(|(_, most)| score > most) {
            best = Some((place, score));
        }
    }
    best
}

/// Takes the weakest change away until all are strong and large enough.
fn merge(series: &[f64], mut places: Vec<usize>, how: &Divisive) -> Vec<Change> {
    loop {
        let found: Vec<Change> = (0..places.len())
            .map(|at| {
                let start = if at == 0 { 0 } else { places[at - 1] };
                let end = places.get(at + 1).copied().unwrap_or(series.len());
                judged(series, start..places[at], places[at]..end)
            })
            .collect();
        let indices = 0..found.len();
        let weakest = indices
            .clone()
            .max_by(|x, y| found[*x].p_value.total_cmp(&found[*y].p_value))
            .filter(|at| found[*at].p_value >= how.p_max);
        let smallest = indices
            .min_by(|x, y| found[*x].magnitude().total_cmp(&found[*y].magnitude()))
            .filter(|at| found[*at].magnitude() <= how.magnitude_min);
        match weakest.or(smallest) {
            Some(at) => {
                places.remove(at);
            }
            None => return found,
        }
    }
}

/// The change between two parts with Student's t-test of equal variances.
fn judged(series: &[f64], left: Range<usize>, right: Range<usize>) -> Change {
    let index = right.start;
    let moments = |part: &[f64]| {
        let mean = part.iter().sum::<f64>() / part.len() as f64;
        let squares: f64 = part.iter().map(|x| (x - mean).powi(2)).sum();
        (part.len() as f64, mean, squares)
    };
    let (m, before, left) = moments(&series[left]);
    let (n, after, right) = moments(&series[right]);
    let freedom = m + n - 2.0;
    let error = ((left + right) / freedom * (1.0 / m + 1.0 / n)).sqrt();
    let p_value = if freedom < 1.0 {
        1.0
    } else if error > 0.0 {
        student_two_sided((after - before) / error, freedom)
    } else if before.total_cmp(&after).is_eq() {
        1.0
    } else {
        0.0
    };
    Change {
        index,
        before,
        after,
        p_value,
    }
}
