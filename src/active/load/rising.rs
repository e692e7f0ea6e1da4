//! Says whether latency rose all through a step: then a queue grows, and the level only seems to
//! hold because the step was over before the queue was too long.

use crate::statistics::drift::mann_kendall;

/// Parts that a step is cut into: requests that follow one another wait in the same queue, and
/// their parts' medians know far less of each other than they do.
const PARTS: usize = 12;
/// Requests of a part, at least.
const OF_PART: usize = 3;
/// A rise that chance makes in one of fifty steps of a route that keeps up.
const ALPHA: f64 = 0.04;
/// A rise that is less than this share of what latency was at first is none.
const SHARE: f64 = 0.1;
/// Nor is one of fewer nanoseconds. A load that is beyond what a route can do by one part in a
/// hundred makes latency grow by 10 ms a second, however long an answer takes.
const LEAST: f64 = 20e6;

/// From what to what latency rose, nanoseconds: the medians of a step's first and last quarter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rise {
    /// At first.
    pub from: f64,
    /// At last; infinite where most failed by then.
    pub to: f64,
}

impl Rise {
    /// The rise of latencies in the order in which their requests were due, failures infinite;
    /// absent where there is none, or chance may have made it.
    ///
    /// Mann and Kendall's test of the medians of [`PARTS`] parts. Of a queue before 24 workers of
    /// 600 ms it finds an overload of 6 % within 8 s three times of four. Of a load of 90 %, whose
    /// queue truly grows to begin with, it says so once in ten; tried again for twice as long, that
    /// one holds.
    pub(super) fn of(in_time: &[f64]) -> Option<Self> {
        if in_time.len() < PARTS * OF_PART {
            return None;
        }
        let part = |number: usize, of: usize| {
            let bound = |number: usize| number * in_time.len() / of;
            middle(&in_time[bound(number)..bound(number + 1)])
        };
        let points: Vec<(f64, f64)> = (0..PARTS).map(|n| (n as f64, part(n, PARTS))).collect();
        let trend = mann_kendall(&points, 1.0)?;
        let (from, to) = (part(0, 4), part(3, 4));
        let is_worth = to - from > LEAST.max(from * SHARE);
        (trend.rising > 0.0 && trend.p_value < ALPHA && is_worth).then_some(Self { from, to })
    }
}

/// The median of what is not empty; the lower one of two.
fn middle(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[(sorted.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::compare::Random;

    /// Latencies before `workers` that each take 600 ms, of `rate` requests a second for `seconds`.
    fn queued(rate: f64, seconds: f64, workers: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed);
        let mut free = vec![0.0_f64; workers];
        let (mut now, mut found) = (0.0, Vec::new());
        while now < seconds {
            now -= (1.0 - random.unit()).ln() / rate;
            let next = (0..workers).min_by(|a, b| free[*a].total_cmp(&free[*b]));
            let next = &mut free[next.unwrap()];
            *next = next.max(now) + 0.6;
            found.push((*next - now) * 1e9);
        }
        found
    }

    #[test]
    fn a_queue_that_grows_is_told_from_one_that_does_not() {
        // 24 workers of 600 ms bear 40 requests a second, for ever.
        for (rate, seconds, least, most) in [
            (20.0, 8.0, 0, 1),
            (32.0, 8.0, 0, 4),
            (36.0, 8.0, 0, 30),
            (36.0, 30.0, 0, 40),
            (42.5, 8.0, 100, 200),
            (42.5, 16.0, 140, 200),
            (42.5, 30.0, 160, 200),
            (60.0, 8.0, 199, 200),
        ] {
            let told = (0..200).filter(|seed| {
                let found = queued(rate, seconds, 24, *seed);
                Rise::of(&found).is_some()
            });
            let told = told.count();
            assert!(
                (least..=most).contains(&told),
                "{rate}/s for {seconds} s: {told} of 200"
            );
        }
    }

    #[test]
    fn only_a_rise_that_is_worth_a_word_is_one() {
        let of = |each: &dyn Fn(usize) -> f64| (0..200).map(|n| each(n) * 1e6).collect::<Vec<_>>();
        for (name, latencies, rises) in [
            ("flat", of(&|_| 500.0), false),
            ("by little", of(&|n| 500.0 + n as f64 / 10.0), false),
            (
                "short ones by little",
                of(&|n| 5.0 + n as f64 / 20.0),
                false,
            ),
            ("by a third", of(&|n| 500.0 + n as f64), true),
            ("falls", of(&|n| 900.0 - n as f64), false),
            (
                "rises and falls",
                of(&|n| 500.0 + (100.0 - n as f64).abs()),
                false,
            ),
            (
                "one burst",
                of(&|n| if n == 150 { 9e3 } else { 500.0 }),
                false,
            ),
            (
                "fails at last",
                of(&|n| {
                    if n > 120 {
                        f64::INFINITY
                    } else {
                        500.0 + n as f64
                    }
                }),
                true,
            ),
            ("fails all the time", of(&|_| f64::INFINITY), false),
            ("too few", of(&|n| 500.0 + n as f64)[..30].to_vec(), false),
            ("none", Vec::new(), false),
        ] {
            assert_eq!(Rise::of(&latencies).is_some(), rises, "{name}");
        }
    }
}
