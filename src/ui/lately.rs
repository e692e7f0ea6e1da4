//! Keeps the last minutes in memory, for the live overview.

use std::collections::VecDeque;

use crate::analysis::tables::{Figure, Share};
use crate::record::{ExchangeRecord, WallTime};
use crate::statistics::quantile::minimum_count;
use crate::statistics::{Rollup, Sketch};

/// Seconds of the grain in which time passes out of sight.
const SLOT: i64 = 10;
/// Slots kept: five minutes, and the one that is not over.
const SLOTS: i64 = 31;
/// Seconds that requests per minute are counted over.
const MINUTE: i64 = 60;

/// Seconds before now of which something is shown.
pub(super) const REACH: i64 = SLOT * SLOTS;

/// The last five minutes.
#[derive(Debug, Default)]
pub(super) struct Lately {
    slots: VecDeque<(i64, Rollup)>,
    /// Exchanges that ended in each second of the last minute, in rising order.
    seconds: VecDeque<(i64, u64)>,
}

/// What the last minutes come to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sums {
    /// Exchanges that ended within the last minute, to the second.
    pub(super) per_minute: u64,
    /// Exchanges of five minutes.
    pub(super) exchanges: u64,
    /// Route failures of five minutes.
    pub(super) failures: Share,
    /// Nanoseconds to first token.
    pub(super) first_token: [Figure; 2],
    /// Nanoseconds that Tollgate added.
    pub(super) own_delay: [Figure; 2],
}

impl Lately {
    /// Takes in a finished record.
    pub(super) fn add(&mut self, record: &ExchangeRecord) {
        let ended = ended(record);
        self.count(ended.as_secs());
        let slot = slot(ended);
        // Records of one slot may come after the first of the next.
        let place = self.slots.iter().rposition(|(known, _)| *known <= slot);
        let at = match place {
            Some(at) if self.slots[at].0 == slot => at,
            other => {
                let at = other.map_or(0, |at| at + 1);
                self.slots.insert(at, (slot, Rollup::default()));
                at
            }
        };
        self.slots[at].1.fold(record);
        while self.slots.len() > SLOTS as usize {
            self.slots.pop_front();
        }
    }

    fn count(&mut self, second: i64) {
        match self.seconds.iter().rposition(|(known, _)| *known <= second) {
            Some(at) if self.seconds[at].0 == second => self.seconds[at].1 += 1,
            other => self
                .seconds
                .insert(other.map_or(0, |at| at + 1), (second, 1)),
        }
        while self.seconds.len() > MINUTE as usize + 1 {
            self.seconds.pop_front();
        }
    }

    /// What the last minutes come to.
    pub(super) fn sums(&self, now: WallTime) -> Sums {
        let (slot, second) = (slot(now), now.as_secs());
        let within = |(known, _): &&(i64, u64)| *known > second - MINUTE;
        let counted = self.seconds.iter().filter(within);
        let mut all = Rollup::default();
        for (known, rollup) in &self.slots {
            if *known + SLOTS > slot {
                all.merge(rollup);
            }
        }
        let failures = all.failures();
        Sums {
            per_minute: counted.map(|(_, count)| count).sum(),
            exchanges: all.exchanges(),
            failures: Share::of(failures, all.judged()),
            first_token: [0.5, 0.95].map(|p| quantile(&all.first_token, p, 0)),
            own_delay: [0.5, 0.99].map(|p| quantile(&all.own_delay, p, 0)),
        }
    }
}

/// The date at which an exchange was over.
fn ended(record: &ExchangeRecord) -> WallTime {
    let lasted = record.closed_at.since(record.started_at).0 / 1000;
    WallTime(record.started.0.saturating_add_unsigned(lasted))
}

fn slot(at: WallTime) -> i64 {
    at.as_secs().div_euclid(SLOT)
}

/// A quantile of a sketch, where enough numbers stand behind it.
pub(super) fn quantile(sketch: &Sketch, p: f64, failures: u64) -> Figure {
    let has = sketch.count() + failures;
    let needs = minimum_count(p, 0.05).unwrap_or(u64::MAX);
    if has < needs {
        return Figure::TooFew { needs, has };
    }
    let found = sketch.quantile_among(p, failures);
    found.map_or(Figure::AmongFailures, |value| Figure::Value(value as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_the_last_minute_are_seen_at_once_and_leave_it_after_a_minute() {
        let mut lately = Lately::default();
        let at = |second: i64| WallTime(0).plus_secs(second);
        for second in [100, 101, 101, 99, 130] {
            lately.count(second);
        }
        for (now, expected) in [(130, 5), (158, 5), (159, 4), (161, 1), (189, 1), (190, 0)] {
            assert_eq!(lately.sums(at(now)).per_minute, expected, "{now}");
        }
        for second in 1_000..2_000 {
            lately.count(second);
        }
        assert_eq!(lately.sums(at(1_999)).per_minute, 60);
        assert_eq!(lately.seconds.len(), 61, "no more than a minute is kept");
    }
}
