//! Resamples whole clusters, or blocks of time: what is alike stays together.
//!
//! Sources: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8
//! (clusters drawn whole); Kunsch, Annals of Statistics 17, 1989 (moving blocks). They cost a pass
//! over the numbers for every replicate; where that is too dear, the linearised effects of
//! [`crate::statistics::interval::cluster_effect`] stand in, and these say how well.

use super::bootstrap::{Resampling, percentiles};
use super::random::Random;
use crate::statistics::interval::Estimate;

/// The `p`-quantile of numbers, each with the cluster it is in (counted from 0), with the
/// percentile interval of clusters drawn whole with replacement. Absent for no numbers, for fewer
/// than two clusters, or where a number is not finite.
#[must_use]
pub fn cluster_bootstrap(values: &[(f64, usize)], p: f64, how: &Resampling) -> Option<Estimate> {
    let clusters = 1 + values.iter().map(|each| each.1).max()?;
    let mut members: Vec<Vec<f64>> = vec![Vec::new(); clusters];
    for (value, cluster) in values {
        members[*cluster].push(*value);
    }
    members.retain(|cluster| !cluster.is_empty());
    if members.len() < 2 {
        return None;
    }
    let all: Vec<f64> = values.iter().map(|each| each.0).collect();
    resampled(all, p, how, |random, drawn| {
        for _ in 0..members.len() {
            drawn.extend_from_slice(&members[random.below(members.len())]);
        }
    })
}

/// The `p`-quantile of numbers in the order of time, with the percentile interval of blocks of
/// `length` drawn with replacement from wherever they begin, the last one cut. Absent for no
/// numbers, where fewer than two blocks fit, or where a number is not finite.
#[must_use]
pub fn block_bootstrap(
    in_time: &[f64],
    length: usize,
    p: f64,
    how: &Resampling,
) -> Option<Estimate> {
    let count = in_time.len();
    if length == 0 || count < 2 * length {
        return None;
    }
    let starts = count - length + 1;
    resampled(in_time.to_vec(), p, how, |random, drawn| {
        while drawn.len() < count {
            let from = random.below(starts);
            let whole = length.min(count - drawn.len());
            drawn.extend_from_slice(&in_time[from..from + whole]);
        }
    })
}

fn resampled(
    mut values: Vec<f64>,
    p: f64,
    how: &Resampling,
    draw: impl Fn(&mut Random, &mut Vec<f64>),
) -> Option<Estimate> {
    let sound = values.iter().all(|value| value.is_finite()) && (0.0..=1.0).contains(&p);
    if !sound {
        return None;
    }
    let value = quantile(&mut values, p)?;
    let mut random = Random::new(how.seed);
    let mut drawn = Vec::with_capacity(values.len());
    let mut replicates: Vec<f64> = Vec::with_capacity(how.replicates as usize);
    for _ in 0..how.replicates.max(1) {
        drawn.clear();
        draw(&mut random, &mut drawn);
        replicates.push(quantile(&mut drawn, p)?);
    }
    Some(Estimate {
        value,
        interval: percentiles(&mut replicates, how.alpha),
    })
}

/// The quantile of type 7 of numbers in any order, which it changes.
fn quantile(values: &mut [f64], p: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let position = p * last as f64;
    let below = position.floor() as usize;
    let share = position - below as f64;
    let (_, at, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let at = *at;
    let next = above.iter().copied().min_by(f64::total_cmp);
    Some(next.map_or(at, |next| at + share * (next - at)))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "exact by construction")]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_drawn_is_absent() {
        let how = Resampling {
            replicates: 10,
            ..Resampling::seeded(1)
        };
        assert_eq!(cluster_bootstrap(&[], 0.5, &how), None);
        assert_eq!(cluster_bootstrap(&[(1.0, 0), (2.0, 0)], 0.5, &how), None);
        assert_eq!(
            cluster_bootstrap(&[(f64::INFINITY, 0), (2.0, 1)], 0.5, &how),
            None
        );
        assert_eq!(block_bootstrap(&[1.0, 2.0, 3.0], 2, 0.5, &how), None);
        assert_eq!(block_bootstrap(&[1.0, 2.0, 3.0], 0, 0.5, &how), None);
        let same = block_bootstrap(&[4.0; 9], 2, 0.5, &how).unwrap();
        assert_eq!(
            (same.value, same.interval.low, same.interval.high),
            (4.0, 4.0, 4.0)
        );
        // Names of clusters that nobody has are none.
        let gap = cluster_bootstrap(&[(1.0, 0), (3.0, 7)], 0.5, &how).unwrap();
        assert_eq!(gap.value, 2.0);
    }
}
