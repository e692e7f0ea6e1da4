//! Tells how much of a spread lies between runs and how much within them, and how sure a number
//! is that was measured in some runs.
//!
//! Sources: Searle, Casella and `McCulloch`, "Variance Components", 1992, chapter 3 (one-way
//! analysis of variance of unequal groups); Shrout and Fleiss, Psychological Bulletin 86, 1979
//! (intraclass correlation, case 1).

use crate::statistics::interval::special::student_quantile;
use crate::statistics::interval::{Estimate, Interval};

/// A spread, taken apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Groups that have a number.
    pub groups: usize,
    /// Numbers.
    pub count: usize,
    /// The mean square between groups.
    pub between: f64,
    /// The mean square within groups: its root is the deviation of a number in its group.
    pub within: f64,
    /// The variance of the groups' own means, `(MSB − MSW) / n₀`, no less than zero.
    pub component: f64,
    /// Which share of the variance of a number is its group's:
    /// `(MSB − MSW) / (MSB + (n₀ − 1) MSW)`, no less than zero. Absent where nothing varies.
    pub intraclass: Option<f64>,
}

/// Takes the spread of `groups` apart; absent for fewer than two groups that have a number, for
/// groups of one number each, and where a number is not finite.
#[must_use]
pub fn spread(groups: &[Vec<f64>]) -> Option<Spread> {
    let groups: Vec<&Vec<f64>> = groups.iter().filter(|group| !group.is_empty()).collect();
    let sizes: Vec<f64> = groups.iter().map(|group| group.len() as f64).collect();
    let all: f64 = sizes.iter().sum();
    let freedom = all - groups.len() as f64;
    let finite = groups
        .iter()
        .all(|group| group.iter().all(|x| x.is_finite()));
    if groups.len() < 2 || freedom < 1.0 || !finite {
        return None;
    }
    let grand = groups.iter().flat_map(|group| group.iter()).sum::<f64>() / all;
    let (mut between, mut within) = (0.0, 0.0);
    for (group, size) in groups.iter().zip(&sizes) {
        let mean = group.iter().sum::<f64>() / size;
        between += size * (mean - grand).powi(2);
        within += group.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    }
    let others = groups.len() as f64 - 1.0;
    between /= others;
    within /= freedom;
    let squares: f64 = sizes.iter().map(|size| size * size).sum();
    let usual = (all - squares / all) / others;
    let whole = between + (usual - 1.0) * within;
    Some(Spread {
        groups: groups.len(),
        count: all as usize,
        between,
        within,
        component: ((between - within) / usual).max(0.0),
        intraclass: (whole > 0.0).then(|| ((between - within) / whole).max(0.0)),
    })
}

/// The mean of one number per run with Student's interval of confidence `1 − alpha`, each run one
/// independent number: `x̄ ± t(k−1) s/√k`. Of one run both ends are open; absent for none, or where
/// a number is not finite.
#[must_use]
pub fn mean_of_runs(each: &[f64], alpha: f64) -> Option<Estimate> {
    if each.is_empty() || each.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let count = each.len() as f64;
    let value = each.iter().sum::<f64>() / count;
    let Some(deviation) = deviation(each) else {
        return Some(Estimate {
            value,
            interval: Interval::UNKNOWN,
        });
    };
    let reach = student_quantile(1.0 - alpha / 2.0, count - 1.0) * deviation / count.sqrt();
    Some(Estimate {
        value,
        interval: Interval {
            low: value - reach,
            high: value + reach,
        },
    })
}

/// The standard deviation of `each`, by `n − 1`; absent for fewer than two.
#[must_use]
pub fn deviation(each: &[f64]) -> Option<f64> {
    if each.len() < 2 {
        return None;
    }
    let mean = each.iter().sum::<f64>() / each.len() as f64;
    let squares: f64 = each.iter().map(|x| (x - mean).powi(2)).sum();
    Some((squares / (each.len() as f64 - 1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, within: f64) {
        assert!((found - expected).abs() <= within, "{found}, {expected}");
    }

    /// Shrout and Fleiss 1979, tables 2 and 4: six targets, four judges; 11.24, 6.26, 0.17.
    #[test]
    fn the_intraclass_share_is_that_of_the_literature() {
        let table: [[f64; 4]; 6] = [
            [9.0, 2.0, 5.0, 8.0],
            [6.0, 1.0, 3.0, 2.0],
            [8.0, 4.0, 6.0, 8.0],
            [7.0, 1.0, 2.0, 6.0],
            [10.0, 5.0, 6.0, 9.0],
            [6.0, 2.0, 4.0, 7.0],
        ];
        let groups: Vec<Vec<f64>> = table.iter().map(|row| row.to_vec()).collect();
        let found = spread(&groups).unwrap();
        assert_eq!((found.groups, found.count), (6, 24));
        near(found.between, 11.24, 0.005);
        near(found.within, 6.26, 0.005);
        near(found.intraclass.unwrap(), 0.17, 0.005);
        near(found.component, (11.2417 - 6.2639) / 4.0, 0.001);
    }

    #[test]
    fn groups_of_unequal_size_follow_the_closed_form() {
        // Means 2 and 8, grand 4.4: SSB 3·2.4² + 2·3.6² = 43.2; SSW 2 + 2 = 4 of 3 degrees;
        // n₀ = (5 − 13/5) / 1 = 2.4.
        let found = spread(&[vec![1.0, 2.0, 3.0], vec![], vec![7.0, 9.0]]).unwrap();
        near(found.between, 43.2, 1e-9);
        near(found.within, 4.0 / 3.0, 1e-9);
        near(found.component, (43.2 - 4.0 / 3.0) / 2.4, 1e-9);
        near(
            found.intraclass.unwrap(),
            (43.2 - 4.0 / 3.0) / (43.2 + 1.4 * 4.0 / 3.0),
            1e-9,
        );
        let same = spread(&[vec![1.0, 3.0], vec![1.0, 3.0]]).unwrap();
        assert_eq!((same.component, same.intraclass), (0.0, Some(0.0)));
        let still = spread(&[vec![1.0, 1.0], vec![1.0]]).unwrap();
        assert_eq!(still.intraclass, None);
        for none in [
            vec![],
            vec![vec![1.0, 2.0]],
            vec![vec![1.0], vec![2.0]],
            vec![vec![1.0, f64::INFINITY], vec![2.0, 3.0]],
        ] {
            assert_eq!(spread(&none), None, "{none:?}");
        }
    }

    /// t(2) at 97.5 % is 4.3027, t(9) 2.2622.
    #[test]
    fn runs_are_the_clusters_of_the_interval() {
        let found = mean_of_runs(&[10.0, 12.0, 14.0], 0.05).unwrap();
        near(found.value, 12.0, 1e-12);
        near(
            found.interval.high - 12.0,
            4.302_652_73 * 2.0 / 3_f64.sqrt(),
            1e-6,
        );
        near(
            12.0 - found.interval.low,
            4.302_652_73 * 2.0 / 3_f64.sqrt(),
            1e-6,
        );
        let ten: Vec<f64> = (0..10).map(f64::from).collect();
        let found = mean_of_runs(&ten, 0.05).unwrap();
        near(
            found.interval.high - 4.5,
            2.262_157_16 * 3.027_650_35 / 10_f64.sqrt(),
            1e-6,
        );
        let one = mean_of_runs(&[7.0], 0.05).unwrap();
        assert_eq!((one.value, one.interval), (7.0, Interval::UNKNOWN));
        assert_eq!(mean_of_runs(&[], 0.05), None);
        assert_eq!(mean_of_runs(&[1.0, f64::INFINITY], 0.05), None);
    }
}
