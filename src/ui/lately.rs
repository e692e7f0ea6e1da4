//! Keeps the last minutes in memory, for the live overview.

use std::collections::VecDeque;

use crate::analysis::tables::{Figure, Share};
use crate::record::{ExchangeRecord, Moment, Nanos};
use crate::statistics::quantile::minimum_count;
use crate::statistics::{Rollup, Sketch};

/// The grain in which time passes out of sight.
const SLOT: Nanos = Nanos::from_millis(10_000);
/// Slots kept: five minutes, and the one that is not over.
const SLOTS: u64 = 31;
/// Slots that requests per minute are counted over.
const MINUTE: u64 = 6;

/// The last five minutes.
#[derive(Debug, Default)]
pub(super) struct Lately(VecDeque<(u64, Rollup)>);

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
        let slot = record.closed_at.0 / SLOT.0;
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
    pub(super) fn sums(&self, now: Moment) -> Sums {
        let slot = now.0 / SLOT.0;
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
