//! Makes intervals of a quantile out of two order statistics: exact, and of no distribution.
//!
//! Source: David and Nagaraja, "Order Statistics", 2003, section 7.1. With B the inverse of the
//! binomial distribution of (n, p), the ends are the ranks `l = B(α/2)` and `u = B(1 − α/2) + 1`;
//! the chance of cover is `F(u − 1) − F(l − 1) ≥ 1 − α`.

use std::collections::HashMap;

use super::binomial::{cdf, quantile};
use super::special::{normal_quantile, student_quantile};
use super::{ALPHA, Interval};
use crate::statistics::quantile::Sample;
use crate::statistics::sketch::{RELATIVE_ERROR, Sketch};

/// One end of an interval of order statistics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderEnd {
    /// Its rank in the sorted numbers, counted from 1.
    pub rank: usize,
    /// The number of that rank; infinite where it is a failure.
    pub value: f64,
}

/// An interval between two order statistics; an end is absent where there are too few numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderInterval {
    /// The lower end.
    pub lower: Option<OrderEnd>,
    /// The upper end.
    pub upper: Option<OrderEnd>,
    /// The exact chance that the interval holds the true quantile, of continuous numbers; of
    /// numbers with ties it is larger.
    pub coverage: f64,
}

impl OrderInterval {
    /// The interval with absent ends open.
    #[must_use]
    pub fn bounds(&self) -> Interval {
        Interval {
            low: self.lower.map_or(f64::NEG_INFINITY, |end| end.value),
            high: self.upper.map_or(f64::INFINITY, |end| end.value),
        }
    }

    /// Whether there are numbers enough for both ends; below that the quantile is not printed.
    #[must_use]
    pub const fn is_two_sided(&self) -> bool {
        self.lower.is_some() && self.upper.is_some()
    }
}

/// The ranks `l` and `u` and the coverage; `l` may be 0 and `u` may be `n + 1`.
#[must_use]
pub fn ranks(n: u64, p: f64, alpha: f64) -> (u64, u64, f64) {
    let low = quantile(alpha / 2.0, n, p);
    let high = quantile(1.0 - alpha / 2.0, n, p) + 1;
    let below = if low == 0 { 0.0 } else { cdf(low - 1, n, p) };
    (low, high, cdf(high - 1, n, p) - below)
}

/// The interval of confidence `1 − alpha` of the `p`-quantile of `sample`.
#[must_use]
pub fn order_ci(sample: Sample<'_>, p: f64, alpha: f64) -> OrderInterval {
    order_ci_deff(sample, p, alpha, 1.0)
}

/// The same for numbers that follow one another alike: `deff` of them say what one would.
///
/// Ranks are those of `n_eff = ⌊n / deff⌋` numbers, moved outward to `n` of them:
/// `⌊l (n + 1) / (n_eff + 1)⌋` and `⌈u (n + 1) / (n_eff + 1)⌉`.
#[must_use]
pub fn order_ci_deff(sample: Sample<'_>, p: f64, alpha: f64, deff: f64) -> OrderInterval {
    let count = sample.len() as u64;
    let effective = effective_count(count, deff);
    let (low, high, coverage) = ranks(effective, p, alpha);
    let scale = |rank: u64, up: u64| {
        let product = u128::from(rank) * u128::from(count + 1);
        let whole = u128::from(effective + 1);
        (product + u128::from(up) * (whole - 1)) / whole
    };
    let end = |rank: u128| OrderEnd {
        rank: rank as usize,
        value: sample.at(rank as usize),
    };
    OrderInterval {
        lower: (low >= 1).then(|| end(scale(low, 0))),
        upper: (high <= effective).then(|| end(scale(high, 1))),
        coverage,
    }
}

/// `⌊n / deff⌋`, one at least where there is any number.
#[must_use]
pub fn effective_count(n: u64, deff: f64) -> u64 {
    ((n as f64 / deff.max(1.0)).floor() as u64).clamp(n.min(1), n)
}

/// How many numbers, in the order of time, say as much as one independent number:
/// `1 + 2 Σ ρ_k` for `k ≤ ⌊n^(1/3)⌋`, ρ the autocorrelation of the ranks, and 1 at least.
///
/// Infinities are failures; equal numbers share the mean of their ranks.
#[must_use]
pub fn design_effect(in_time: &[f64]) -> f64 {
    let ranks = mid_ranks(in_time);
    let count = ranks.len();
    let mean = f64::midpoint(count as f64, 1.0);
    let centred: Vec<f64> = ranks.iter().map(|rank| rank - mean).collect();
    let product = |lag: usize| -> f64 {
        let pairs = centred.iter().zip(&centred[lag..]);
        pairs.map(|(one, other)| one * other).sum()
    };
    if count < 2 || product(0) <= 0.0 {
        return 1.0;
    }
    // Whole cubes decide: a cube root may fall short of a whole number by a rounding.
    let lags = (1..count).take_while(|lag| lag * lag * lag <= count);
    let sum: f64 = lags.map(product).sum();
    (1.0 + 2.0 * sum / product(0)).max(1.0)
}

/// How many numbers say as much as one independent number where those of one cluster are alike:
/// `Σ_c (Σ_{i∈c} u_i)² / Σ u_i²` and 1 at least, `u_i = 1{x_i ≤ Q} − p` for the quantile `Q(p)`.
///
/// Source: the linearised variance of a quantile under cluster sampling (Woodruff 1952; Francisco
/// and Fuller 1991), over that of a simple sample. `below` has each number's cluster, and whether
/// the number is at or below the quantile.
#[must_use]
pub fn cluster_effect(below: impl IntoIterator<Item = (u64, bool)>, p: f64) -> f64 {
    let mut known: HashMap<u64, usize> = HashMap::new();
    let numbered: Vec<(usize, bool)> = below
        .into_iter()
        .map(|(cluster, is_below)| {
            let next = known.len();
            (*known.entry(cluster).or_insert(next), is_below)
        })
        .collect();
    numbered_cluster_effect(numbered, known.len(), p)
}

/// [`cluster_effect`] of clusters that are counted from 0, of which there are `clusters`.
#[must_use]
pub fn numbered_cluster_effect(
    below: impl IntoIterator<Item = (usize, bool)>,
    clusters: usize,
    p: f64,
) -> f64 {
    let mut sums = vec![0.0; clusters];
    let mut single = 0.0;
    for (cluster, is_below) in below {
        let scored = f64::from(u8::from(is_below)) - p;
        sums[cluster] += scored;
        single += scored * scored;
    }
    if single <= 0.0 {
        return 1.0;
    }
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    (squares / single).max(1.0)
}

/// The same of clusters of which only counts are known: how many numbers each has at or below some
/// number, and how many in all. They are scored against the share of all that lies there, which is
/// the quantile's `p` but for numbers that are equal; as that share is the clusters' own, of few of
/// them the effect is times `c / (c − 1)`. And few clusters say little of how they differ: it is
/// times `(t / z)²` too, Student's quantile of `c' − 1` degrees of freedom over the normal one at
/// 95 %, where `c'` clusters of one size would be as uneven as these (Kish, "Survey Sampling",
/// 1965; Korn and Graubard 1998). Both count by `1 − 1/m`, where a number has `m` in its cluster in
/// the mean: clusters of one number each have no spread that could be told badly.
#[must_use]
pub fn counted_cluster_effect(clusters: &[(u64, u64)]) -> f64 {
    let known = || clusters.iter().filter(|(_, all)| *all > 0);
    let (below, all) = known().fold((0.0, 0.0), |(below, all), cluster| {
        (below + cluster.0 as f64, all + cluster.1 as f64)
    });
    let (count, share) = (known().count() as f64, below / all);
    let single = all * share * (1.0 - share);
    if count < 2.0 || single.is_nan() || single <= 0.0 {
        return 1.0;
    }
    let off = |(below, all): &(u64, u64)| (*below as f64 - *all as f64 * share, *all);
    scored_cluster_effect(&known().map(off).collect::<Vec<_>>(), single)
}

/// The same of clusters of which the sum of their numbers' scores is known, and how many numbers
/// they have; `single` is the sum of the squares of all scores, of which the mean is zero.
#[must_use]
pub fn scored_cluster_effect(clusters: &[(f64, u64)], single: f64) -> f64 {
    let count = clusters.len() as f64;
    if count < 2.0 || single.is_nan() || single <= 0.0 {
        return 1.0;
    }
    let squares: f64 = clusters.iter().map(|(sum, _)| sum * sum).sum();
    let all: f64 = clusters.iter().map(|(_, size)| *size as f64).sum();
    let even = evenly_many(clusters.iter().map(|(_, size)| *size));
    let freedom = (even - 1.0).max(1.0);
    let tail = 1.0 - ALPHA / 2.0;
    let few = (student_quantile(tail, freedom) / normal_quantile(tail)).powi(2);
    let shared = 1.0 - even / all;
    let surely = 1.0 + (count / (count - 1.0) * few - 1.0) * shared;
    (squares / single * surely).max(1.0)
}

/// How many clusters of one size would be as uneven as those of these sizes (Kish 1965).
pub(super) fn evenly_many(sizes: impl Iterator<Item = u64>) -> f64 {
    let (all, squares) = sizes.fold((0.0, 0.0), |(all, squares), size| {
        let size = size as f64;
        (all + size, squares + size * size)
    });
    all * all / f64::max(squares, 1.0)
}

/// The rank of each number, counted from 1; equal numbers share the mean of their ranks.
#[must_use]
pub fn mid_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|one, other| values[*one].total_cmp(&values[*other]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for run in order.chunk_by(|one, other| values[*one].total_cmp(&values[*other]).is_eq()) {
        let rank = below as f64 + f64::midpoint(run.len() as f64, 1.0);
        run.iter().for_each(|index| ranks[*index] = rank);
        below += run.len();
    }
    ranks
}

/// The ranks of [`ranks`] for numbers of which `deff` say what one would, moved outward as
/// [`order_ci_deff`] moves them; 0 and `n + 1` where there is no such number.
#[must_use]
pub fn ranks_deff(n: u64, p: f64, alpha: f64, deff: f64) -> (u64, u64) {
    let effective = effective_count(n, deff);
    let (low, high, _) = ranks(effective, p, alpha);
    let product = |rank: u64| u128::from(rank) * u128::from(n + 1);
    let whole = u128::from(effective + 1);
    let low = (product(low) / whole) as u64;
    let high = if high > effective {
        n + 1
    } else {
        product(high).div_ceil(whole) as u64
    };
    (low, high)
}

/// The interval of the `p`-quantile from a sketch and `failures` numbers above it, widened by the
/// sketch's error: `[Q(l)(1 − ε), Q(u)(1 + ε)]`.
#[must_use]
pub fn of_sketch(sketch: &Sketch, failures: u64, p: f64, alpha: f64) -> OrderInterval {
    let count = sketch.count().saturating_add(failures);
    let (low, high, coverage) = ranks(count, p, alpha);
    let end = |rank: u64, factor: f64| {
        let value = sketch.at_rank(rank.saturating_sub(1));
        OrderEnd {
            rank: rank as usize,
            value: value.map_or(f64::INFINITY, |value| value as f64 * factor),
        }
    };
    OrderInterval {
        lower: (low >= 1).then(|| end(low, 1.0 - RELATIVE_ERROR)),
        upper: (high <= count).then(|| end(high, 1.0 + RELATIVE_ERROR)),
        coverage,
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "exact by construction")]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_binomial() {
        for (n, low, high) in [
            (10, 2, 9),
            (30, 10, 21),
            (50, 18, 33),
            (100, 40, 61),
            (1_000, 469, 532),
            (100_000, 49_690, 50_311),
        ] {
            let (found_low, found_high, coverage) = ranks(n, 0.5, 0.05);
            assert_eq!((found_low, found_high), (low, high), "{n}");
            assert!((0.95..1.0).contains(&coverage), "{n}: {coverage}");
        }
    }

    #[test]
    fn both_ends_are_there_from_the_least_count_on() {
        for (p, least) in crate::statistics::quantile::MINIMUM_COUNTS {
            let values: Vec<f64> = (0..least).map(|value| value as f64).collect();
            assert!(order_ci(Sample::new(&values, 0), p, 0.05).is_two_sided());
            let fewer = Sample::new(&values[1..], 0);
            assert!(!order_ci(fewer, p, 0.05).is_two_sided(), "{p}");
        }
        let none = order_ci(Sample::new(&[], 0), 0.5, 0.05);
        assert_eq!(none.bounds(), Interval::UNKNOWN);
    }

    #[test]
    fn failures_stand_behind() {
        let values: Vec<f64> = (1..=55).map(f64::from).collect();
        let found = order_ci(Sample::new(&values, 45), 0.5, 0.05);
        let ends = [found.lower, found.upper].map(|end| end.unwrap());
        assert_eq!(ends.map(|end| end.rank), [40, 61]);
        assert_eq!(ends.map(|end| end.value), [40.0, f64::INFINITY]);
    }

    #[test]
    fn numbers_that_follow_one_another_alike_widen_the_interval() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        let found = order_ci_deff(Sample::new(&values, 0), 0.5, 0.05, 2.0);
        // Ranks 18 and 33 of 50: times 101/51.
        assert_eq!(found.lower.unwrap().rank, 35);
        assert_eq!(found.upper.unwrap().rank, 66);
        // Constant numbers, and ones that swing, count whole.
        assert_eq!(design_effect(&[3.0; 20]), 1.0);
        assert_eq!(design_effect(&[1.0, 2.0, 1.0, 2.0, 1.0]), 1.0);
    }

    #[test]
    fn a_sketch_is_widened_by_its_error() {
        let mut sketch = Sketch::default();
        let values: Vec<f64> = (0..1_000).map(|n| f64::from(n * n + 50_000)).collect();
        values.iter().for_each(|value| sketch.insert(*value as u64));
        let exact = order_ci(Sample::new(&values, 3), 0.5, 0.05).bounds();
        let found = of_sketch(&sketch, 3, 0.5, 0.05);
        assert_eq!(found.lower.unwrap().rank, 470);
        let found = found.bounds();
        assert!(found.low <= exact.low && found.low > exact.low * 0.979);
        assert!(found.high >= exact.high && found.high < exact.high * 1.021);
        let top = of_sketch(&sketch, 100, 0.95, 0.05);
        assert_eq!(top.upper.unwrap().value, f64::INFINITY);
    }

    #[test]
    fn clusters_of_counts_say_how_alike_their_numbers_are() {
        for (clusters, expected) in [
            // All of a cluster on one side: of 40 numbers each cluster says what one would, as
            // surely as four tell their own spread: 3.182446 over 1.959964.
            (
                vec![(10, 10), (0, 10), (10, 10), (0, 10)],
                10.0 + 9.0 * (4.0 / 3.0 * (3.182_446_305_f64 / 1.959_963_985).powi(2) - 1.0),
            ),
            (vec![(5, 10); 4], 1.0),
            (vec![(10, 10); 4], 1.0),
            (vec![(3, 10)], 1.0),
            (vec![], 1.0),
        ] {
            let found = counted_cluster_effect(&clusters);
            assert!((found - expected).abs() < 1e-6, "{clusters:?}: {found}");
        }
        // Of many the factors are next to nothing.
        let many: Vec<(u64, u64)> = (0..400).map(|n| (10 * (n % 2), 10)).collect();
        let found = counted_cluster_effect(&many);
        assert!((found - 10.0).abs() < 0.1, "{found}");
        let ranks =
            [(100, 2.0), (100, 1.0), (100, 60.0)].map(|(n, deff)| ranks_deff(n, 0.5, 0.05, deff));
        assert_eq!(ranks, [(35, 66), (40, 61), (0, 101)]);
    }

    /// Intervals of few hours whose levels differ hold the truth as often as they say: of six hours
    /// it was 89 % of the worlds, of three 77 %.
    #[test]
    fn few_clusters_keep_their_word() {
        use crate::statistics::compare::Random;
        use crate::statistics::interval::wilson;
        let normal = |random: &mut Random| (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        let worlds = 300;
        for hours in [3, 6, 12] {
            let mut held = 0;
            for seed in 0..worlds {
                let mut random = Random::new(seed);
                let levels: Vec<Vec<f64>> = (0..hours)
                    .map(|_| {
                        let level = normal(&mut random);
                        (0..60).map(|_| level + 2.0 * normal(&mut random)).collect()
                    })
                    .collect();
                let mut all: Vec<f64> = levels.concat();
                all.sort_unstable_by(f64::total_cmp);
                let sample = Sample::new(&all, 0);
                let middle = sample.quantile(0.5).unwrap();
                let below = |hour: &Vec<f64>| {
                    let below = hour.iter().filter(|number| **number <= middle).count();
                    (below as u64, hour.len() as u64)
                };
                let counts: Vec<(u64, u64)> = levels.iter().map(below).collect();
                let effect = counted_cluster_effect(&counts);
                let found = order_ci_deff(sample, 0.5, ALPHA, effect).bounds();
                held += u64::from(found.contains(0.0));
            }
            let rate = wilson(held, worlds, ALPHA).unwrap();
            assert!(
                rate.interval.high >= 0.95,
                "{hours} hours: {held} of {worlds} (seeds 0 to {worlds})"
            );
        }
    }
}
