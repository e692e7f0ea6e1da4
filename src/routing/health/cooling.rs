//! Leaves something alone until a moment: of several moments the latest counts.

use crate::record::{ErrorClass, Moment, Nanos};

use super::doubled;

/// Until when something is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cooling {
    until: Option<Moment>,
    /// Times in a row.
    times: u32,
    /// Since when, where this run's clock reaches back so far.
    since: Option<Moment>,
    /// What was met last.
    why: Option<ErrorClass>,
}

impl Cooling {
    /// As it was kept.
    pub(super) const fn kept(
        until: Moment,
        times: u32,
        since: Option<Moment>,
        why: Option<ErrorClass>,
    ) -> Self {
        Self {
            until: Some(until),
            times,
            since,
            why,
        }
    }

    /// Since when it lasts.
    pub(super) const fn since(&self) -> Option<Moment> {
        self.since
    }

    /// What was met last.
    pub(super) const fn why(&self) -> Option<ErrorClass> {
        self.why
    }

    /// Times in a row that it was cooled.
    pub(super) const fn times(&self) -> u32 {
        self.times
    }

    /// Until when it lasts; absent where it is over.
    #[must_use]
    pub(super) fn until(&self, now: Moment) -> Option<Moment> {
        self.until.filter(|until| *until > now)
    }

    /// Cools until the moment asked for, else for `base`, doubled each time in a row. An earlier
    /// end than the one that holds changes nothing.
    pub(super) fn cool(
        &mut self,
        asked: Option<Moment>,
        why: ErrorClass,
        (base, max): (Nanos, Nanos),
        begun: Moment,
        now: Moment,
    ) -> Moment {
        // Requests that were at work together are told the same thing.
        let anew = self.until.is_none_or(|until| begun >= until);
        if anew {
            self.times = self.times.saturating_add(1);
        }
        if self.until(now).is_none() {
            self.since = Some(now);
        }
        self.why = Some(why);
        let until = asked.unwrap_or_else(|| now.plus(doubled(base, self.times, max)));
        let until = until.min(now.plus(max));
        let latest = self.until.map_or(until, |held| held.max(until));
        self.until = Some(latest);
        latest
    }

    /// What was cooled works.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// A request that began at `begun` succeeded: what began before the cooling says nothing.
    pub(super) fn succeeded(&mut self, begun: Moment) {
        if self.until.is_some_and(|until| begun >= until) {
            self.end();
        }
    }
}
