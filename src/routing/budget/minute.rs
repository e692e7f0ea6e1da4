//! Counts what happened in the last minute, in slots of five seconds.

use crate::record::{Moment, Nanos};

const SLOTS: usize = 12;
const SLOT: u64 = 5_000_000_000;

/// Two counts of the last minute. A moment before the latest one counts into the latest slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Minute {
    slots: [(u64, u32, u32); SLOTS],
    newest: u64,
}

impl Minute {
    /// Counts into the first and the second.
    pub(super) fn add(&mut self, first: u32, second: u32, now: Moment) {
        self.newest = self.newest.max(now.0 / SLOT);
        let slot = &mut self.slots[(self.newest % SLOTS as u64) as usize];
        if slot.0 != self.newest {
            *slot = (self.newest, 0, 0);
        }
        slot.1 = slot.1.saturating_add(first);
        slot.2 = slot.2.saturating_add(second);
    }

    /// The slots of the minute that ends now: how long ago in milliseconds, and both counts.
    pub(super) fn slots(&self, now: Moment) -> Vec<(u64, u32, u32)> {
        let newest = self.newest.max(now.0 / SLOT);
        let ago = |slot: u64| (newest - slot.min(newest)) * (SLOT / 1_000_000);
        let within = self
            .slots
            .iter()
            .filter(|(slot, first, second)| {
                newest - slot.min(&newest) < SLOTS as u64 && (*first > 0 || *second > 0)
            })
            .map(|(slot, first, second)| (ago(*slot), *first, *second));
        let mut slots: Vec<_> = within.collect();
        // Oldest first: that is how counting goes.
        slots.sort_unstable_by_key(|(ago, ..)| std::cmp::Reverse(*ago));
        slots
    }

    /// The counts of such slots, which are `age` older by now.
    pub(super) fn of_slots(slots: &[(u64, u32, u32)], age: Nanos, now: Moment) -> Self {
        let mut minute = Self::default();
        for (ago, first, second) in slots {
            let old = ago.saturating_mul(1_000_000).saturating_add(age.0);
            if old < SLOT * SLOTS as u64 && old <= now.0 {
                minute.add(*first, *second, Moment(now.0 - old));
            }
        }
        minute
    }

    /// Both counts of the minute that ends now.
    pub(super) fn sums(&self, now: Moment) -> (u32, u32) {
        let newest = self.newest.max(now.0 / SLOT);
        let within = self
            .slots
            .iter()
            .filter(|(slot, ..)| newest - slot.min(&newest) < SLOTS as u64);
        within.fold((0, 0), |sums: (u32, u32), (_, first, second)| {
            (
                sums.0.saturating_add(*first),
                sums.1.saturating_add(*second),
            )
        })
    }
}
