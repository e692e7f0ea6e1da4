//! Makes intervals of a rate and of the difference of two.
//!
//! Sources: Wilson, JASA 22, 1927; Newcombe, Statistics in Medicine 17, 1998, method 10.

use super::special::normal_quantile;
use super::{Estimate, Interval};

/// The rate `hits / all` with Wilson's interval of confidence `1 − alpha`; absent for none at all.
///
/// `(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n)`.
#[must_use]
pub fn wilson(hits: u64, all: u64, alpha: f64) -> Option<Estimate> {
    wilson_deff(hits, all, 1.0, alpha)
}

/// The same of trials of which `deff` say what one independent trial would, as those of an outage do:
/// Wilson's interval around the rate of `all / deff` trials (Korn and Graubard, Survey Methodology
/// 24, 1998).
#[must_use]
pub fn wilson_deff(hits: u64, all: u64, deff: f64, alpha: f64) -> Option<Estimate> {
    if all == 0 || hits > all {
        return None;
    }
    let worth = (all as f64 / deff.max(1.0)).max(1.0);
    let found = wilson_of(hits as f64 / all as f64, worth, alpha);
    let Interval { low, high } = found.interval;
    Some(Estimate {
        interval: Interval {
            low: if hits == 0 { 0.0 } else { low },
            high: if hits == all { 1.0 } else { high },
        },
        ..found
    })
}

/// Wilson's interval around `rate` of `count` trials, of which there may be parts.
pub(super) fn wilson_of(rate: f64, count: f64, alpha: f64) -> Estimate {
    let z = normal_quantile(1.0 - alpha / 2.0);
    let square = z * z / count;
    let middle = rate + square / 2.0;
    let reach = z * (rate * (1.0 - rate) / count + square / (4.0 * count)).sqrt();
    let at = |end: f64| (end / (1.0 + square)).clamp(0.0, 1.0);
    Estimate {
        value: rate,
        interval: Interval {
            low: at(middle - reach),
            high: at(middle + reach),
        },
    }
}

/// The difference of two rates, `a − b`, with Newcombe's interval of confidence `1 − alpha`; each
/// is given as (hits, all). Absent where one has none at all.
///
/// `d − √((p₁−l₁)² + (u₂−p₂)²)` to `d + √((u₁−p₁)² + (p₂−l₂)²)`, l and u Wilson's ends.
#[must_use]
pub fn newcombe(a: (u64, u64), b: (u64, u64), alpha: f64) -> Option<Estimate> {
    let (first, second) = (wilson(a.0, a.1, alpha)?, wilson(b.0, b.1, alpha)?);
    Some(first.less(&second))
}
