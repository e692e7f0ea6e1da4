//! Measures a typical shift (Hodges and Lehmann) and how often one arm is below the other (A12).
//!
//! Sources: Hodges and Lehmann 1963; Vargha and Delaney 2000; Newcombe, Statistics in Medicine
//! 25, 2006, method 5, for the interval of A12. Secondary figures: a report leads with medians.

use super::random::Random;
use super::rank::{mann_whitney_rank, wilcoxon_rank};
use crate::statistics::interval::special::normal_quantile;
use crate::statistics::interval::{Estimate, Interval};
use crate::statistics::quantile::Sample;

/// The most numbers an arm that pairs are made of; of more a seeded choice is taken.
pub const PAIRING_MAX: usize = 2_000;

/// The median of all `a_i − b_j`, with the Mann–Whitney interval of confidence `1 − alpha`.
///
/// Two failures beside each other say nothing: they count at both ends and not in the middle.
/// Absent where an arm is empty or every pair is of failures.
#[must_use]
pub fn hodges_lehmann(a: Sample<'_>, b: Sample<'_>, alpha: f64, seed: u64) -> Option<Estimate> {
    let mut random = Random::new(seed);
    let (a, b) = (chosen(a, &mut random), chosen(b, &mut random));
    let mut differences = Vec::with_capacity(a.len() * b.len());
    for one in &a {
        differences.extend(b.iter().map(|other| one - other));
    }
    let whole = differences.len();
    differences.retain(|difference| !difference.is_nan());
    let rank = mann_whitney_rank(a.len(), b.len(), alpha);
    around(&mut differences, whole, rank)
}

/// The median of the Walsh averages `(d_i + d_j) / 2`, `i ≤ j`, with the Wilcoxon interval of
/// confidence `1 − alpha`; absent for no differences.
#[must_use]
pub fn hodges_lehmann_paired(differences: &[f64], alpha: f64, seed: u64) -> Option<Estimate> {
    let mut kept = differences.to_vec();
    limit(&mut kept, &mut Random::new(seed));
    let mut averages = Vec::with_capacity(kept.len() * (kept.len() + 1) / 2);
    for (index, one) in kept.iter().enumerate() {
        averages.extend(
            kept[index..]
                .iter()
                .map(|other| f64::midpoint(*one, *other)),
        );
    }
    let whole = averages.len();
    around(&mut averages, whole, wilcoxon_rank(kept.len(), alpha))
}

/// The middle of `values` and the ends `rank` from either side of `whole`, of which those that
/// are not in `values` may be anywhere.
fn around(values: &mut [f64], whole: usize, rank: usize) -> Option<Estimate> {
    let value = median(values)?;
    let unknown = whole - values.len();
    let interval = if rank > unknown && 2 * rank <= whole + 1 {
        Interval {
            low: nth(values, rank - unknown - 1),
            high: nth(values, whole - rank),
        }
    } else {
        Interval::UNKNOWN
    };
    Some(Estimate { value, interval })
}

fn nth(values: &mut [f64], index: usize) -> f64 {
    *values.select_nth_unstable_by(index, f64::total_cmp).1
}

/// The median of numbers in any order, which it changes.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    let count = values.len();
    if count == 0 {
        return None;
    }
    let (below, middle, _) = values.select_nth_unstable_by(count / 2, f64::total_cmp);
    if count % 2 == 1 {
        return Some(*middle);
    }
    let other = below.iter().copied().max_by(f64::total_cmp)?;
    Some(f64::midpoint(other, *middle))
}

fn chosen(sample: Sample<'_>, random: &mut Random) -> Vec<f64> {
    let mut values = sample.finite().to_vec();
    values.resize(sample.len(), f64::INFINITY);
    limit(&mut values, random);
    values
}

fn limit(values: &mut Vec<f64>, random: &mut Random) {
    if values.len() > PAIRING_MAX {
        random.shuffle(values);
        values.truncate(PAIRING_MAX);
    }
}

/// `A12 = P(a < b) + ½ P(a = b)`: in how many comparisons `a` is below; failures are equal.
///
/// The ends solve `(θ̂ − θ)² = z² θ(1−θ)/(mn) [1 + N ((1−θ)/(2−θ) + θ/(1+θ))]`, `N = (m+n)/2 − 1`.
#[must_use]
pub fn a12(a: Sample<'_>, b: Sample<'_>, alpha: f64) -> Option<Estimate> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (m, n) = (a.len() as f64, b.len() as f64);
    let all = b.finite();
    let finite = a.finite().iter().map(|value| {
        let below = all.partition_point(|other| other < value);
        let ties = all[below..].partition_point(|other| other <= value);
        (b.len() - below - ties) as f64 + ties as f64 / 2.0
    });
    let failures = a.failures() as f64 * b.failures() as f64 / 2.0;
    let value = (finite.sum::<f64>() + failures) / (m * n);
    let normal = normal_quantile(1.0 - alpha / 2.0);
    let inside = |truth: f64| {
        let spread = (1.0 - truth) / (2.0 - truth) + truth / (1.0 + truth);
        let variance =
            truth * (1.0 - truth) / (m * n) * (1.0 + (f64::midpoint(m, n) - 1.0) * spread);
        (value - truth).powi(2) <= normal * normal * variance
    };
    let end = |from: f64| {
        let (mut near, mut far) = (value, from);
        for _ in 0..60 {
            let middle = f64::midpoint(near, far);
            if inside(middle) {
                near = middle;
            } else {
                far = middle;
            }
        }
        near
    };
    let interval = Interval {
        low: end(0.0),
        high: end(1.0),
    };
    Some(Estimate { value, interval })
}
