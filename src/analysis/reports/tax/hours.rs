//! Says how much the difference of two routes changes from hour to hour.
//!
//! What makes an hour slow for both routes cancels in their difference; what makes it slow for one
//! of them does not, and then the calls of an hour say less than as many would. Each call counts by
//! its influence on the difference (a median's: Hampel 1974; its density by Hall and Sheather,
//! JRSS B 50, 1988), and influences are summed by the hour, over both routes (Parente and Santos
//! Silva, Journal of Econometric Methods 5, 2016).

use crate::record::WallTime;
use crate::statistics::compare::Stratum;
use crate::statistics::interval::{Nearby, Pool as _};
use crate::statistics::quantile::Sample;

const HOUR: i64 = 3_600_000_000;

/// The influences of calls on a difference, by the hour.
#[derive(Debug, Default)]
pub(super) struct Hours {
    sums: Nearby<(f64, u64)>,
    /// Of the squares of all influences, of either arm.
    squares: [f64; 2],
}

impl Hours {
    /// Adds a group of like calls whose two arms are `arms`: of each call its date and its number.
    pub(super) fn add(
        &mut self,
        stratum: &Stratum<'_>,
        arms: [&[(WallTime, f64)]; 2],
        failures: bool,
    ) {
        for (arm, calls) in arms.into_iter().enumerate() {
            let (sign, sample) = [(1.0, stratum.a), (-1.0, stratum.b)][arm];
            let count = calls.len().max(1) as f64;
            let each = sign * stratum.weight / count;
            if failures {
                let rate = calls.iter().map(|call| call.1).sum::<f64>() / count;
                self.extend(arm, calls, |failed| each * (failed - rate));
            } else if let Some((middle, spread)) = sparsity(sample) {
                let side = |value: f64| if value <= middle { -0.5 } else { 0.5 };
                self.extend(arm, calls, |value| each * spread * side(value));
            }
        }
    }

    fn extend(&mut self, arm: usize, calls: &[(WallTime, f64)], influence: impl Fn(f64) -> f64) {
        // Like calls are of six hours: a short list is found through sooner than any table.
        let mut hours: Vec<(i64, (f64, u64))> = Vec::new();
        for (date, value) in calls {
            let influence = influence(*value);
            self.squares[arm] += influence * influence;
            let hour = date.0.div_euclid(HOUR);
            match hours.iter_mut().find(|(known, _)| *known == hour) {
                Some((_, sum)) => sum.pool((influence, 1)),
                None => hours.push((hour, (influence, 1))),
            }
        }
        for (hour, sum) in hours {
            self.sums.at(WallTime(hour * HOUR)).pool(sum);
        }
    }

    /// How much larger the variance of the difference is than by `effects`, what is alike within
    /// either arm; 1 at least. Absent where calls are of so few hours that nothing tells how hours
    /// differ.
    pub(super) fn beyond(&self, effects: [f64; 2]) -> Option<f64> {
        let single: f64 = self.squares.iter().sum();
        let found = self.sums.scored_effect(single)?;
        let known: f64 = self
            .squares
            .iter()
            .zip(effects)
            .map(|(of, by)| of * by)
            .sum();
        let beyond = found * single / known;
        Some(if beyond > 1.0 { beyond } else { 1.0 })
    }
}

/// A sample's median and the inverse of its density there; absent among failures.
fn sparsity(sample: Sample<'_>) -> Option<(f64, f64)> {
    // Hall and Sheather's at 95 % for a median: z^(2/3) (1.5 φ(0)²)^(1/3) n^(-1/3).
    let reach = (0.971_6 * (sample.len() as f64).powf(-1.0 / 3.0)).min(0.25);
    let at = |p: f64| sample.quantile(p).filter(|value| value.is_finite());
    let (middle, low) = (at(0.5)?, at(0.5 - reach)?);
    let spread = match at(0.5 + reach) {
        Some(high) => (high - low) / (2.0 * reach),
        // Those above are failures: the side that is known stands for both.
        None => (middle - low) / reach,
    };
    Some((middle, spread))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparsity_is_the_inverse_of_the_density() {
        let values: Vec<f64> = (0..1_000).map(|n| f64::from(n) / 10.0).collect();
        let (middle, spread) = sparsity(Sample::new(&values, 0)).unwrap();
        assert!((middle - 49.95).abs() < 1e-9 && (spread - 99.9).abs() < 0.2);
        // Half of them fail, nearly: the lower side is known.
        let (_, spread) = sparsity(Sample::new(&values, 990)).unwrap();
        assert!((spread - 199.0).abs() < 1.0, "{spread}");
        assert_eq!(sparsity(Sample::new(&values, 1_100)), None);
    }
}
