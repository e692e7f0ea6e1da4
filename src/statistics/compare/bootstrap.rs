//! Makes intervals of the difference and the ratio of two quantiles by the index bootstrap.
//!
//! Source: Schultzberg and Ankargren, arXiv 2202.10992: a resampled `p`-quantile is the order
//! statistic of rank `i ~ Binomial(n + 1, p)`, so that a replicate costs the same for any n.

use super::index_law::IndexLaw;
use super::random::Random;
use crate::statistics::interval::{ALPHA, Estimate, Interval};
use crate::statistics::quantile::Sample;

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resampling {
    /// How many replicates.
    pub replicates: u32,
    /// What decides them all: a hash of the report's identity, printed beside its figures.
    pub seed: u64,
    /// The chance of missing the truth.
    pub alpha: f64,
    /// How many numbers of either arm say what one independent one would.
    pub effects: [f64; 2],
}

impl Resampling {
    /// 10,000 replicates at 95 %.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self {
            replicates: 10_000,
            seed,
            alpha: ALPHA,
            effects: [1.0; 2],
        }
    }
}

/// Two samples taken under the same circumstances, and what they count for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stratum<'a> {
    /// The first arm.
    pub a: Sample<'a>,
    /// The second arm.
    pub b: Sample<'a>,
    /// The weight, as [`overlap_weight`]; weights need not sum to one.
    pub weight: f64,
}

/// The overlap weight of a stratum, `n_a n_b / (n_a + n_b)`.
#[must_use]
pub fn overlap_weight(a: usize, b: usize) -> f64 {
    let (a, b) = (a as f64, b as f64);
    if a + b > 0.0 { a * b / (a + b) } else { 0.0 }
}

/// The difference `Q_a(p) − Q_b(p)` in the samples' unit, with its percentile interval.
///
/// Absent where an arm is empty or both quantiles are infinite. An end is infinite where failures
/// reach it; a replicate in which both are infinite widens the interval at both ends.
#[must_use]
pub fn bootstrap_difference(
    a: Sample<'_>,
    b: Sample<'_>,
    p: f64,
    how: &Resampling,
) -> Option<Estimate> {
    let weight = 1.0;
    stratified_difference(&[Stratum { a, b, weight }], p, how)
}

/// The ratio `Q_a(p) / Q_b(p)`, with its percentile interval; as [`bootstrap_difference`].
#[must_use]
pub fn bootstrap_ratio(a: Sample<'_>, b: Sample<'_>, p: f64, how: &Resampling) -> Option<Estimate> {
    let weight = 1.0;
    stratified_ratio(&[Stratum { a, b, weight }], p, how)
}

/// The weighted mean of the strata's differences, `Σ w_s (Q_a,s − Q_b,s) / Σ w_s`, resampled
/// within each stratum.
#[must_use]
pub fn stratified_difference(strata: &[Stratum<'_>], p: f64, how: &Resampling) -> Option<Estimate> {
    let [difference] = stratified(strata, p, how, |value| [value]);
    difference
}

/// The weighted geometric mean of the strata's ratios, `exp(Σ w_s ln(Q_a,s / Q_b,s) / Σ w_s)`,
/// resampled within each stratum.
#[must_use]
pub fn stratified_ratio(strata: &[Stratum<'_>], p: f64, how: &Resampling) -> Option<Estimate> {
    let [log] = stratified(strata, p, how, |value| [value.ln()]);
    log.map(exponential)
}

/// [`stratified_difference`] and [`stratified_ratio`] of the same replicates.
#[must_use]
pub fn stratified_contrast(
    strata: &[Stratum<'_>],
    p: f64,
    how: &Resampling,
) -> [Option<Estimate>; 2] {
    let [difference, log] = stratified(strata, p, how, |value| [value, value.ln()]);
    [difference, log.map(exponential)]
}

fn exponential(log: Estimate) -> Estimate {
    Estimate {
        value: log.value.exp(),
        interval: log.interval.map(f64::exp),
    }
}

/// The contrasts of `K` scales at once: the ranks that are drawn are the same on every scale.
fn stratified<const K: usize>(
    strata: &[Stratum<'_>],
    p: f64,
    how: &Resampling,
    scale: impl Fn(f64) -> [f64; K],
) -> [Option<Estimate>; K] {
    let whole: f64 = strata.iter().map(|stratum| stratum.weight).sum();
    let sound = |weight: f64| weight.is_finite() && weight >= 0.0;
    if !(p > 0.0 && p < 1.0) || whole <= 0.0 || !strata.iter().all(|each| sound(each.weight)) {
        return [None; K];
    }
    let parts: Vec<_> = strata.iter().filter(|each| each.weight > 0.0).collect();
    let mut values = [0.0; K];
    for part in &parts {
        let (Some(a), Some(b)) = (part.a.quantile(p), part.b.quantile(p)) else {
            return [None; K];
        };
        add(&mut values, part.weight / whole, scale(a), scale(b));
    }
    let mut random = Random::new(how.seed);
    let mut replicates = vec![[0.0; K]; how.replicates.max(1) as usize];
    for part in parts {
        let share = part.weight / whole;
        let arms = [(part.a, how.effects[0]), (part.b, how.effects[1])];
        let [a, b] = arms.map(|(arm, deff)| {
            let law = IndexLaw::effective(arm.len(), deff, p);
            law.outcomes(|rank| scale(arm.at(rank)))
        });
        if let (Some(a), Some(b)) = (a.only(), b.only()) {
            let all = replicates.iter_mut();
            all.for_each(|replicate| add(replicate, share, a, b));
            continue;
        }
        for replicate in &mut replicates {
            // One draw is enough for both arms: a place and its share take 32 bits.
            let bits = random.bits();
            add(
                replicate,
                share,
                a.draw(bits as u32),
                b.draw((bits >> 32) as u32),
            );
        }
    }
    let mut one = vec![0.0; replicates.len()];
    std::array::from_fn(|at| {
        if values[at].is_nan() {
            return None;
        }
        one.iter_mut()
            .zip(&replicates)
            .for_each(|(one, all)| *one = all[at]);
        Some(Estimate {
            value: values[at],
            interval: percentiles(&mut one, how.alpha),
        })
    })
}

#[inline]
fn add<const K: usize>(sums: &mut [f64; K], share: f64, a: [f64; K], b: [f64; K]) {
    for at in 0..K {
        sums[at] += share * (a[at] - b[at]);
    }
}

/// The `α/2` and `1 − α/2` percentiles, the outer neighbour where they fall between two. What is
/// no number (infinite less infinite) counts as minus infinity below and as infinity above.
pub(super) fn percentiles(replicates: &mut [f64], alpha: f64) -> Interval {
    let unknown = replicates.iter().filter(|value| value.is_nan()).count();
    replicates.iter_mut().for_each(|value| {
        if value.is_nan() {
            *value = f64::INFINITY;
        }
    });
    let last = replicates.len() - 1;
    let low = (alpha / 2.0 * last as f64).floor() as usize;
    let high = ((1.0 - alpha / 2.0) * last as f64).ceil() as usize;
    // Two of them are looked for, the others need no order.
    let mut ranked = |rank: usize| *replicates.select_nth_unstable_by(rank, f64::total_cmp).1;
    Interval {
        low: if low < unknown {
            f64::NEG_INFINITY
        } else {
            ranked(low - unknown)
        },
        high: ranked(high.min(last)),
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "exact by construction")]
mod tests {
    use super::*;

    fn ramp(from: i32, count: i32) -> Vec<f64> {
        (from..from + count).map(f64::from).collect()
    }

    #[test]
    fn a_shift_is_found_and_a_seed_repeats_it() {
        let (a, b) = (ramp(40, 201), ramp(0, 201));
        let (a, b) = (Sample::new(&a, 0), Sample::new(&b, 0));
        let found = bootstrap_difference(a, b, 0.5, &Resampling::seeded(7)).unwrap();
        assert_eq!(found.value, 40.0);
        // A median's standard error is √n / 2 = 7 here, of a difference 10.
        assert!((found.interval.low - 20.0).abs() < 3.0, "seed 7: {found:?}");
        assert!(
            (found.interval.high - 60.0).abs() < 3.0,
            "seed 7: {found:?}"
        );
        let again = bootstrap_difference(a, b, 0.5, &Resampling::seeded(7)).unwrap();
        assert_eq!(found, again);
        let ratio = bootstrap_ratio(a, b, 0.5, &Resampling::seeded(7)).unwrap();
        assert!((ratio.value - 1.4).abs() < 1e-12);
        assert!(ratio.interval.contains(1.4) && !ratio.interval.contains(1.0));
    }

    #[test]
    fn failures_reach_the_ends() {
        let (a, b) = (ramp(0, 101), ramp(0, 101));
        let of = |fail_a, fail_b, p| {
            let (a, b) = (Sample::new(&a, fail_a), Sample::new(&b, fail_b));
            bootstrap_difference(a, b, p, &Resampling::seeded(1))
        };
        let one = of(4, 0, 0.95).unwrap();
        assert!(one.interval.low.is_finite() && one.interval.high == f64::INFINITY);
        let other = of(0, 4, 0.95).unwrap();
        assert!(other.interval.low == f64::NEG_INFINITY && other.interval.high.is_finite());
        assert_eq!(of(4, 4, 0.95).unwrap().interval, Interval::UNKNOWN);
        assert_eq!(of(200, 200, 0.5), None);
        assert_eq!(of(200, 0, 0.5).unwrap().value, f64::INFINITY);
    }

    #[test]
    fn strata_are_weighed() {
        let (a, b) = (ramp(100, 51), ramp(0, 51));
        let (c, d) = (ramp(10, 51), ramp(0, 51));
        let stratum = |a, b, weight| Stratum {
            a: Sample::new(a, 0),
            b: Sample::new(b, 0),
            weight,
        };
        let strata = [stratum(&a, &b, 1.0), stratum(&c, &d, 3.0)];
        let found = stratified_difference(&strata, 0.5, &Resampling::seeded(3)).unwrap();
        assert!((found.value - 32.5).abs() < 1e-9);
        assert!(found.interval.contains(32.5));
        let ratio = stratified_ratio(&strata, 0.5, &Resampling::seeded(3)).unwrap();
        let expected = (5.0_f64.ln() / 4.0 + 1.4_f64.ln() * 0.75).exp();
        assert!((ratio.value - expected).abs() < 1e-9);
        // One pass for both draws what each would alone.
        let both = stratified_contrast(&strata, 0.5, &Resampling::seeded(3));
        assert_eq!(both, [Some(found), Some(ratio)]);
        assert_eq!(
            stratified_difference(&[], 0.5, &Resampling::seeded(3)),
            None
        );
        assert_eq!(overlap_weight(30, 60), 20.0);
    }
}
