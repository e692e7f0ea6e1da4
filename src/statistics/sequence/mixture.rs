//! Confidence sequences of quantiles and rates by a beta-binomial mixture: exact at any time.
//!
//! Source: Howard and Ramdas, Bernoulli 28(3), 2022, arXiv 1906.09712. With k of t numbers at or
//! below the p-quantile, `a = pc`, `b = (1 − p)c`, the mixture
//! `M = B(a + k, b + t − k) / (B(a, b) p^k (1 − p)^(t − k))` is a martingale: the chance that it
//! ever reaches 1/α is at most α (Ville).

use crate::statistics::interval::order::{OrderEnd, effective_count};
use crate::statistics::interval::special::ln_beta;
use crate::statistics::interval::{Interval, OrderInterval};
use crate::statistics::quantile::Sample;

/// The weight of the mixture, c: about where in the count of numbers it is sharpest.
pub const CENTRE: f64 = 20.0;

/// `ln M` of `k` of `n` numbers for the chance `p`.
#[must_use]
#[expect(
    clippy::many_single_char_names,
    reason = "the names of the source's formula"
)]
pub fn ln_mixture(k: usize, n: usize, p: f64, centre: f64) -> f64 {
    let (a, b) = (p * centre, (1.0 - p) * centre);
    let (hits, misses) = (k as f64, (n - k) as f64);
    ln_beta(a + hits, b + misses) - ln_beta(a, b) - hits * p.ln() - misses * (-p).ln_1p()
}

/// The least of the counts at which [`ln_mixture`] is smallest: it is convex in `k`, and grows
/// from `k` to `k + 1` where `k > p (n − 1)`.
fn lowest(n: usize, p: f64) -> usize {
    (p * n.saturating_sub(1) as f64).ceil() as usize
}

/// The smallest and the largest `k` with `ln M < ln(1/α)`: the sequence's ends have the ranks `k`
/// and `k + 1` of these, absent for 0 and `n + 1`.
#[must_use]
pub fn ranks(n: usize, p: f64, alpha: f64, centre: f64) -> (usize, usize) {
    let inside = |k: usize| ln_mixture(k, n, p, centre) < -alpha.ln();
    let middle = lowest(n, p).min(n);
    (
        first(0, middle, inside),
        n - first(0, n - middle, |back: usize| inside(n - back)),
    )
}

/// The first of `from..=to` that holds, where `to` does and all behind the first do.
fn first(mut from: usize, mut to: usize, holds: impl Fn(usize) -> bool) -> usize {
    while from < to {
        let middle = usize::midpoint(from, to);
        if holds(middle) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    to
}

/// The confidence sequence of the `p`-quantile at the numbers seen so far: all of them together
/// hold the truth with a chance of `1 − alpha` at least.
#[must_use]
pub fn quantile_sequence(sample: Sample<'_>, p: f64, alpha: f64, centre: f64) -> OrderInterval {
    quantile_sequence_deff(sample, p, alpha, centre, 1.0)
}

/// The same for numbers that follow one another alike: `deff` of them say what one would. Ranks
/// are those of `n_eff = ⌊n / deff⌋` numbers, moved outward to `n` of them as those of
/// [`order_ci_deff`](crate::statistics::interval::order_ci_deff) are.
#[must_use]
pub fn quantile_sequence_deff(
    sample: Sample<'_>,
    p: f64,
    alpha: f64,
    centre: f64,
    deff: f64,
) -> OrderInterval {
    let count = sample.len();
    let effective = effective_count(count as u64, deff) as usize;
    let (low, high) = ranks(effective, p, alpha, centre);
    let whole = effective as u128 + 1;
    let end = |rank: usize, up: u128| {
        let product = rank as u128 * (count as u128 + 1);
        let rank = ((product + up * (whole - 1)) / whole) as usize;
        OrderEnd {
            rank,
            value: sample.at(rank),
        }
    };
    OrderInterval {
        lower: (low >= 1).then(|| end(low, 0)),
        upper: (high < effective).then(|| end(high + 1, 1)),
        coverage: 1.0 - alpha,
    }
}

/// The confidence sequence of a rate after `hits` of `all`: every rate whose mixture has not
/// reached 1/α.
#[must_use]
pub fn rate_sequence(hits: usize, all: usize, alpha: f64, centre: f64) -> Interval {
    if all == 0 || hits > all {
        return Interval {
            low: 0.0,
            high: 1.0,
        };
    }
    let rate = hits as f64 / all as f64;
    let inside = |truth: f64| ln_mixture(hits, all, truth, centre) < -alpha.ln();
    let end = |edge: f64| {
        let (mut near, mut far) = (rate, edge);
        for _ in 0..100 {
            let middle = f64::midpoint(near, far);
            // Rates of no or of all hits stand at the edge itself.
            if middle <= 0.0 || middle >= 1.0 || inside(middle) {
                near = middle;
            } else {
                far = middle;
            }
        }
        far
    };
    Interval {
        low: end(0.0),
        high: end(1.0),
    }
}

/// The p-value, true at any time, that two arms have one `p`-quantile:
/// `min(1, exp(−min_x [ln M_a(k_a(x)) + ln M_b(k_b(x))]))`.
///
/// Where numbers equal `x` (failures: infinity), `k(x)` is whichever of the counts with and
/// without them speaks least against it. The sum falls below both arms' own lowest places and
/// grows above both, so that only numbers between these are tried. Source: the reference's
/// theorem 5 and its `QuantileABTest`.
#[must_use]
pub fn quantiles_differ_p(a: Sample<'_>, b: Sample<'_>, p: f64, centre: f64) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 1.0;
    }
    let below = |arm: Sample<'_>, x: f64| arm.finite().partition_point(|value| *value < x);
    let up_to = |arm: Sample<'_>, x: f64| {
        if x.is_finite() {
            arm.finite().partition_point(|value| *value <= x)
        } else {
            arm.len()
        }
    };
    let evidence = |x: f64| -> f64 {
        let of = |arm: Sample<'_>| {
            let least = lowest(arm.len(), p).clamp(below(arm, x), up_to(arm, x));
            ln_mixture(least, arm.len(), p, centre)
        };
        of(a) + of(b)
    };
    let edges = [a, b].map(|arm| arm.at(lowest(arm.len(), p)));
    let (low, high) = (edges[0].min(edges[1]), edges[0].max(edges[1]));
    let tried = [a, b].into_iter().flat_map(|arm| {
        let (from, to) = (below(arm, low), up_to(arm, high).min(arm.finite().len()));
        arm.finite()[from..to].iter().copied()
    });
    let least = tried
        .chain([low, high])
        .map(evidence)
        .fold(f64::INFINITY, f64::min);
    (-least).exp().min(1.0)
}

/// The p-value, true at any time, that two arms (hits, all) have one rate: the same, over a grid
/// of rates between the two seen, refined about its best place.
#[must_use]
pub fn rates_differ_p(a: (usize, usize), b: (usize, usize), centre: f64) -> f64 {
    if a.1 == 0 || b.1 == 0 {
        return 1.0;
    }
    let evidence =
        |rate: f64| ln_mixture(a.0, a.1, rate, centre) + ln_mixture(b.0, b.1, rate, centre);
    let rates = [a, b].map(|(hits, all)| hits as f64 / all as f64);
    let mut low = rates[0].min(rates[1]).max(1e-12);
    let mut high = rates[0].max(rates[1]).min(1.0 - 1e-12);
    let mut least = evidence(low).min(evidence(high));
    for _ in 0..12 {
        let step = (high - low) / 16.0;
        let at = |index: u32| low + step * f64::from(index);
        let best = (0..=16).min_by(|x, y| evidence(at(*x)).total_cmp(&evidence(at(*y))));
        let best = at(best.unwrap_or(0));
        least = least.min(evidence(best));
        (low, high) = ((best - step).max(low), (best + step).min(high));
    }
    (-least).exp().min(1.0)
}

/// The interval of `a − b` from intervals of both, each of confidence `1 − α/2`: conservative, and
/// true at any time if they are.
#[must_use]
pub fn subtract(a: Interval, b: Interval) -> Interval {
    let end = |a: f64, b: f64, open: f64| {
        let apart = a - b;
        if apart.is_nan() { open } else { apart }
    };
    Interval {
        low: end(a.low, b.high, f64::NEG_INFINITY),
        high: end(a.high, b.low, f64::INFINITY),
    }
}
