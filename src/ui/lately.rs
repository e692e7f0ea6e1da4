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
/// Slots that requests per minute are counted over.
const MINUTE: i64 = 6;

/// Seconds before now of which something is shown.
pub(super) const REACH: i64 = SLOT * SLOTS;

/// The last five minutes.
#[derive(Debug, Default)]
pub(super) struct Lately(VecDeque<(i64, Rollup)>);

/// What the last minutes come to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sums {
    /// Exchanges that ended within the last whole minute.
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
        let slot = slot(ended(record));
        // Records of one slot may come after the first of the next.
        let place = self.0.iter().rposition(|(known, _)| *known <= slot);
        let at = match place {
            Some(at) if self.0[at].0 == slot => at,
            other => {
                let at = other.map_or(0, |at| at + 1);
                self.0.insert(at, (slot, Rollup::default()));
                at
            }
        };
        self.0[at].1.fold(record);
        while self.0.len() > SLOTS as usize {
            self.0.pop_front();
        }
    }

    /// What the last minutes come to.
    pub(super) fn sums(&self, now: WallTime) -> Sums {
        let slot = slot(now);
        let mut all = Rollup::default();
        let mut per_minute = 0;
        for (known, rollup) in &self.0 {
            if *known + SLOTS > slot {
                all.merge(rollup);
            }
            // The slot that is not over is left out: it would make every minute seem short.
            if *known < slot && *known + MINUTE >= slot {
                per_minute += rollup.exchanges();
            }
        }
        let failures = all.failures();
        Sums {
            per_minute,
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
