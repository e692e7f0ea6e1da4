//! Cuts a step into slices of time, and says how latency went on through them.

use serde_json::{Value, json};

use super::spread::Spread;
use crate::record::{Moment, Nanos};

/// Slices of a step at most.
const MOST: usize = 30;
/// Requests of a slice of which the 95th percentile can be told, some over what that needs.
const OF_TAIL: usize = 90;
/// The same of the median, and slices at most where it alone can be told.
const OF_MIDDLE: usize = 12;
const OF_MIDDLE_MOST: usize = 10;

/// A slice of the time that was measured, and what was due in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slice {
    /// From the beginning of what was measured.
    pub from: Nanos,
    /// To the same.
    pub to: Nanos,
    /// Requests that were due in it and have a record.
    pub n: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// The median of their latency, nanoseconds; absent of too few, and among failures.
    pub p50: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
}

/// The slices of so long from `start` on, of latencies with the moments at which their requests were
/// due, in that order; failures are infinite. None where there are too few.
pub(super) fn slices(
    (start, length): (Moment, Nanos),
    latencies: impl Iterator<Item = (Moment, f64)>,
) -> Vec<Slice> {
    let all: Vec<(Moment, f64)> = latencies.collect();
    let count = if all.len() >= OF_TAIL * OF_MIDDLE_MOST {
        (all.len() / OF_TAIL).min(MOST)
    } else {
        (all.len() / OF_MIDDLE).min(OF_MIDDLE_MOST)
    };
    let bound = |number: usize| {
        let at = u128::from(length.0) * number as u128 / count as u128;
        Nanos(at as u64)
    };
    (0..count)
        .map(|number| {
            let (from, to) = (bound(number), bound(number + 1));
            let at = |moment: Nanos| {
                let moment = start.plus(moment);
                all.partition_point(|(due, _)| *due < moment)
            };
            let values: Vec<f64> = all[at(from)..at(to)].iter().map(|of| of.1).collect();
            let spread = Spread::in_time(&values);
            let quantile = |p: f64| spread.at(p).ok().map(|found| found.value);
            Slice {
                from,
                to,
                n: values.len() as u64,
                failed: values.iter().filter(|value| value.is_infinite()).count() as u64,
                p50: quantile(0.5),
                p95: quantile(0.95),
            }
        })
        .collect()
}

impl Slice {
    /// As the result's file has it.
    #[must_use]
    pub fn value(&self) -> Value {
        json!({
            "from_s": self.from.as_secs(),
            "to_s": self.to.as_secs(),
            "n": self.n,
            "failed": self.failed,
            "latency_p50_ms": self.p50.map(|nanos| nanos / 1e6),
            "latency_p95_ms": self.p95.map(|nanos| nanos / 1e6),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` requests over 10 s, whose latency is `of` their place.
    fn found(n: u64, of: impl Fn(u64) -> f64) -> Vec<Slice> {
        let start = Moment(5_000_000_000);
        let length = Nanos::from_millis(10_000);
        let due = |at: u64| start.plus(Nanos::from_millis(at * 10_000 / n));
        slices((start, length), (0..n).map(|at| (due(at), of(at))))
    }

    #[test]
    fn a_step_is_cut_as_fine_as_its_quantiles_can_be_told() {
        for (n, count, has_p95) in [
            (5, 0, false),
            (60, 5, false),
            (500, 10, false),
            (3_000, 30, true),
        ] {
            let slices = found(n, |at| at as f64);
            assert_eq!(slices.len(), count, "{n}");
            assert_eq!(
                slices.iter().map(|of| of.n).sum::<u64>(),
                if count > 0 { n } else { 0 }
            );
            assert!(slices.iter().all(|of| of.p50.is_some()), "{n}");
            assert!(slices.iter().all(|of| of.p95.is_some() == has_p95), "{n}");
            let rises = slices.windows(2).all(|pair| pair[0].p50 < pair[1].p50);
            assert!(
                rises && slices.last().is_none_or(|of| of.to.0 == 10_000_000_000),
                "{n}"
            );
        }
        // From the middle on everything fails.
        let slices = found(120, |at| if at < 60 { 7.0 } else { f64::INFINITY });
        let told: Vec<(u64, Option<f64>)> = slices.iter().map(|of| (of.failed, of.p50)).collect();
        assert_eq!((told[0], told[9]), ((0, Some(7.0)), (12, None)));
    }
}
