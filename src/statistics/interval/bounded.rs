//! Makes intervals of the mean of numbers between two bounds, such as scores, one a cluster.

use super::rate::wilson_of;
use super::{Estimate, Interval};

/// The mean of `values`, each of 0 to 1 and independent of the others, with an interval of
/// confidence `1 − alpha`; absent for none, or where one lies outside.
///
/// What is measured several times is first put together: trials of one item are alike, and its mean
/// is one value. The interval is Wilson's for as many trials as would be as sure,
/// `n_eff = n p(1 − p) / v` (Korn and Graubard, Survey Methodology 24, 1998; Dean and Pagano, JSSAM
/// 3, 2015, who find Wilson's the one to keep its word). The variance of a value,
/// `v = ((n − 1) s² + p(1 − p)) / n`, leans with the weight of one value to the largest that the
/// mean allows: values that happen to be equal are no proof that all are. Of values that are 0 or 1
/// it is Wilson's interval exactly.
#[must_use]
pub fn bounded_mean(values: &[f64], alpha: f64) -> Option<Estimate> {
    if values.is_empty() || !values.iter().all(|value| (0.0..=1.0).contains(value)) {
        return None;
    }
    let count = values.len() as f64;
    let mean = (values.iter().sum::<f64>() / count).clamp(0.0, 1.0);
    let largest = mean * (1.0 - mean);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let variance = ((count - 1.0) * squares / count + largest) / count;
    let effective = if variance > 0.0 {
        count * largest / variance
    } else {
        count
    };
    Some(wilson_of(mean, effective, alpha))
}

/// The mean of `differences` of such values, of −1 to 1, one a pair: the same on a scale of 0 to 1.
///
/// A bootstrap of pairs would be sure of everything where no pair differs; this is not: of `n`
/// pairs without a difference it says `± z / n`, about.
#[must_use]
pub fn bounded_difference(differences: &[f64], alpha: f64) -> Option<Estimate> {
    let halves: Vec<f64> = differences
        .iter()
        .map(|apart| f64::midpoint(*apart, 1.0))
        .collect();
    let found = bounded_mean(&halves, alpha)?;
    let back = |half: f64| 2.0 * half - 1.0;
    Some(Estimate {
        value: back(found.value),
        interval: Interval {
            low: back(found.interval.low),
            high: back(found.interval.high),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::compare::Random;
    use crate::statistics::interval::{ALPHA, wilson};

    #[test]
    fn of_zeros_and_ones_it_is_wilsons() {
        for (hits, all) in [(0, 5), (1, 7), (20, 40), (39, 40), (40, 40)] {
            let values: Vec<f64> = (0..all).map(|n| f64::from(u8::from(n < hits))).collect();
            let (found, wilson) = (
                bounded_mean(&values, ALPHA).unwrap(),
                wilson(hits, all, ALPHA).unwrap(),
            );
            let apart = (found.interval.low - wilson.interval.low).abs()
                + (found.interval.high - wilson.interval.high).abs();
            assert!(apart < 1e-9, "{hits} of {all}: {found:?} {wilson:?}");
        }
        assert_eq!(bounded_mean(&[], ALPHA), None);
        assert_eq!(bounded_mean(&[1.1], ALPHA), None);
        assert_eq!(bounded_mean(&[f64::NAN], ALPHA), None);
    }

    #[test]
    fn what_is_always_the_same_is_not_therefore_sure() {
        let same = bounded_mean(&[0.6; 10], ALPHA).unwrap();
        assert!(
            same.interval.low < 0.52 && same.interval.high > 0.68,
            "{same:?}"
        );
        let none = bounded_difference(&[0.0; 40], ALPHA).unwrap();
        assert!(
            none.interval.low < -0.04 && none.interval.high > 0.04,
            "{none:?}"
        );
        assert!(none.value.abs() < 1e-12);
    }

    /// Share of 2,000 worlds of `n` values, drawn by `draw`, whose interval holds `truth`.
    fn coverage(n: usize, truth: f64, difference: bool, draw: impl Fn(&mut Random) -> f64) -> f64 {
        let mut random = Random::new(20_261_122);
        let worlds = 2_000;
        let held = (0..worlds).filter(|_| {
            let values: Vec<f64> = (0..n).map(|_| draw(&mut random)).collect();
            let found = if difference {
                bounded_difference(&values, ALPHA)
            } else {
                bounded_mean(&values, ALPHA)
            };
            found.unwrap().interval.contains(truth)
        });
        held.count() as f64 / f64::from(worlds)
    }

    #[test]
    fn intervals_keep_their_word() {
        let trial = |random: &mut Random, chance: f64| f64::from(u8::from(random.unit() < chance));
        // Three trials of items that are mostly easy or mostly hard: alike within an item.
        let alike = |random: &mut Random| {
            let chance = if random.unit() < 0.7 { 0.95 } else { 0.2 };
            (0..3).map(|_| trial(random, chance)).sum::<f64>() / 3.0
        };
        let graded = |random: &mut Random| [0.0, 0.4, 0.6, 1.0][random.below(4)];
        for n in [10, 20, 40, 100] {
            for (name, found) in [
                ("0.8", coverage(n, 0.8, false, |random| trial(random, 0.8))),
                ("alike", coverage(n, 0.725, false, alike)),
                ("graded", coverage(n, 0.5, false, graded)),
                (
                    "difference",
                    coverage(n, 0.1, true, |random| {
                        trial(random, 0.8) - trial(random, 0.7)
                    }),
                ),
            ] {
                assert!((0.925..=1.0).contains(&found), "{name}, {n}: {found}");
            }
        }
    }
}
