//! Compares the medians or means of two arms by an interval that holds however often one looks.
//!
//! Sources: `McKean` and Schrader, Commun. Stat. B 13, 1984 (standard error of a median, with
//! Wilcox's confidence of 99 %); Waudby-Smith et al., arXiv 2103.06476 (asymptotic confidence
//! sequence of anything asymptotically linear, by its standard error).

use super::adjusted::asymptotic;
use crate::statistics::interval::special::normal_quantile;
use crate::statistics::interval::{Estimate, Interval};
use crate::statistics::quantile::Sample;

/// Where an arm's numbers lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Location {
    /// The median or the mean.
    pub value: f64,
    /// The variance of it, times `count`: what one more number is worth.
    pub variance: f64,
    /// How many independent numbers it is of: of clusters, the clusters.
    pub count: usize,
}

/// The least deviation, as a share of the value, that is not a rounding of equal numbers.
const SPREAD_MIN: f64 = 1e-12;

/// How often one looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// Whenever one likes.
    Any,
    /// Once, at a moment that was fixed before.
    Once,
}

impl Location {
    /// The median of `sample`; absent where too few numbers, or too many failures, stand about it,
    /// or it does not vary.
    #[must_use]
    pub fn median(sample: Sample<'_>) -> Option<Self> {
        Self::clustered_median(sample, sample.len(), 1.0)
    }

    /// The same of numbers in `clusters`, whose variance is `design` times that of as many
    /// independent numbers: [`sign_design`].
    #[must_use]
    pub fn clustered_median(sample: Sample<'_>, clusters: usize, design: f64) -> Option<Self> {
        let count = sample.len() as f64;
        let z = normal_quantile(0.995);
        let rank = (f64::midpoint(count, 1.0) - z * (count / 4.0).sqrt()).round();
        if rank < 1.0 {
            return None;
        }
        let (low, high) = (rank as usize, sample.len() + 1 - rank as usize);
        let error = (sample.at(high) - sample.at(low)) / (2.0 * z);
        let value = sample.quantile(0.5)?;
        Self {
            value,
            variance: error * error * design * clusters as f64,
            count: clusters,
        }
        .sound()
    }

    /// The mean of numbers, each with the cluster it is in, which are counted from 0.
    #[must_use]
    pub fn mean(values: &[(f64, usize)]) -> Option<Self> {
        let count = values.len() as f64;
        let value = values.iter().map(|each| each.0).sum::<f64>() / count;
        let sums = by_cluster(values.iter().map(|each| (each.0 - value, each.1)));
        let clusters = sums.len() as f64;
        let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
        // The usual correction of few clusters: with one number in each, the sample's variance.
        let corrected = squares / (count * count) * clusters / (clusters - 1.0);
        Self {
            value,
            variance: corrected * clusters,
            count: sums.len(),
        }
        .sound()
    }

    fn sound(self) -> Option<Self> {
        // Numbers that are all the same have a spread of roundings only.
        let least = (self.value * SPREAD_MIN).powi(2);
        (self.value.is_finite() && self.variance.is_finite() && self.variance > least)
            .then_some(self)
    }

    /// The squared standard error.
    fn squared_error(&self) -> f64 {
        self.variance / self.count as f64
    }

    /// The logarithm, by the delta method; absent unless positive.
    fn ln(&self) -> Option<Self> {
        (self.value > 0.0).then(|| Self {
            value: self.value.ln(),
            variance: self.variance / (self.value * self.value),
            ..*self
        })
    }
}

/// How many times the variance of a median of independent numbers that of clustered ones is:
/// `Σ_c (Σ_i sign(x_i − m))² / n`, signs of ±1 about the median `m` and nothing at it. Below one is
/// one: chance alone must not narrow an interval.
#[must_use]
pub fn sign_design(values: &[(f64, usize)], median: f64) -> f64 {
    let sign = |value: f64| match value.total_cmp(&median) {
        std::cmp::Ordering::Less => -1.0,
        std::cmp::Ordering::Equal => 0.0,
        std::cmp::Ordering::Greater => 1.0,
    };
    let sums = by_cluster(values.iter().map(|each| (sign(each.0), each.1)));
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    (squares / values.len().max(1) as f64).max(1.0)
}

/// Sums of each cluster that has a number.
fn by_cluster(values: impl Iterator<Item = (f64, usize)>) -> Vec<f64> {
    let mut sums: std::collections::BTreeMap<usize, f64> = std::collections::BTreeMap::new();
    for (value, cluster) in values {
        *sums.entry(cluster).or_default() += value;
    }
    sums.into_values().collect()
}

/// `b − a` with its interval of confidence `1 − alpha`; absent before the sequence begins
/// ([`super::adjusted::SEQUENCE_FROM`] numbers of both arms).
#[must_use]
pub fn difference(b: &Location, a: &Location, alpha: f64, looks: Looks) -> Option<Estimate> {
    let error = (b.squared_error() + a.squared_error()).sqrt();
    let reach = reach(error, a.count + b.count, alpha, looks)?;
    let value = b.value - a.value;
    Some(Estimate {
        value,
        interval: Interval {
            low: value - reach,
            high: value + reach,
        },
    })
}

/// `b / a` with its interval, made on the logarithm.
#[must_use]
pub fn ratio(b: &Location, a: &Location, alpha: f64, looks: Looks) -> Option<Estimate> {
    let found = difference(&b.ln()?, &a.ln()?, alpha, looks)?;
    Some(Estimate {
        value: found.value.exp(),
        interval: found.interval.map(f64::exp),
    })
}

/// An estimate with a normal interval of confidence `1 − alpha` as a sequence after `count`
/// numbers.
#[must_use]
pub fn looked_at(estimate: &Estimate, count: usize, alpha: f64) -> Option<Estimate> {
    let z = normal_quantile(1.0 - alpha / 2.0);
    let factor = asymptotic(1.0 / z, count, alpha)?;
    let Estimate { value, interval } = *estimate;
    Some(Estimate {
        value,
        interval: Interval {
            low: value - (value - interval.low) * factor,
            high: value + (interval.high - value) * factor,
        },
    })
}

fn reach(error: f64, count: usize, alpha: f64, looks: Looks) -> Option<f64> {
    match looks {
        Looks::Any => asymptotic(error, count, alpha),
        Looks::Once => Some(error * normal_quantile(1.0 - alpha / 2.0)),
    }
}

/// The smallest difference that `count` numbers of both arms, a share `split` of them in arm a,
/// find with the chance `power`; variances are those of [`Location::variance`].
#[must_use]
pub fn minimum_detectable(
    variances: [f64; 2],
    split: f64,
    count: usize,
    (alpha, power): (f64, f64),
    looks: Looks,
) -> Option<f64> {
    let [a, b] = variances;
    let error = ((a / split + b / (1.0 - split)) / count as f64).sqrt();
    let reach = reach(error, count, alpha, looks)?;
    let found = reach + normal_quantile(power) * error;
    found.is_finite().then_some(found)
}

/// How many numbers of both arms find a difference of `size` with the chance `power`; absent where
/// more than a thousand millions would be needed.
#[must_use]
pub fn count_for(
    size: f64,
    variances: [f64; 2],
    split: f64,
    errors: (f64, f64),
    looks: Looks,
) -> Option<usize> {
    let enough = |count: usize| {
        minimum_detectable(variances, split, count, errors, looks)
            .is_some_and(|found| found <= size)
    };
    let (mut below, mut above) = (1, 1_000_000_000);
    if size <= 0.0 || !enough(above) {
        return None;
    }
    while below < above {
        let middle = usize::midpoint(below, above);
        if enough(middle) {
            above = middle;
        } else {
            below = middle + 1;
        }
    }
    Some(above)
}

#[cfg(test)]
#[path = "arms_tests.rs"]
mod tests;
