//! Counts what was sent in the last minute, and remembers what the provider says is left.

use crate::record::{Moment, Nanos};
use crate::routing::limits::{Declared, Limit, Meter};

const SLOTS: usize = 12;
const SLOT: u64 = 5_000_000_000;
const MINUTE: Nanos = Nanos(60_000_000_000);
/// What a header said counts no longer than this, or until its reset.
const SAID_MAX: Nanos = Nanos(120_000_000_000);

/// What a credential's use of a route amounts to.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Used {
    slots: [(u64, u64, u64); SLOTS],
    said: [Option<Said>; 2],
}

/// How much of one meter is in use.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MeterUse {
    /// What was sent in the last minute.
    pub minute: u64,
    /// What the provider declared to allow in a window, when it last did.
    pub limit: Option<u64>,
    /// What is left of it, where that still holds.
    pub left: Option<u64>,
    /// The share that is in use.
    pub share: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Said {
    limit: Limit,
    at: Moment,
    /// What was sent since.
    since: u64,
}

impl Used {
    /// A request went out.
    pub(super) fn request(&mut self, now: Moment) {
        self.slot(now).1 += 1;
        self.since(Meter::Requests, 1);
    }

    /// Tokens were used.
    pub(super) fn tokens(&mut self, tokens: u64, now: Moment) {
        self.slot(now).2 += tokens;
        self.since(Meter::Tokens, tokens);
    }

    /// What the headers of a response say.
    pub(super) fn declare(&mut self, declared: &Declared, now: Moment) {
        for (meter, limit) in declared.meters() {
            self.said[meter as usize] = Some(Said {
                limit,
                at: now,
                since: 0,
            });
        }
    }

    /// What is left of a meter, where that is known and still holds.
    pub(super) fn left(&self, meter: Meter, now: Moment) -> Option<u64> {
        let said = self.said[meter as usize].as_ref()?;
        let holds = said
            .limit
            .reset
            .map_or(SAID_MAX, |reset| reset.min(SAID_MAX));
        if now.since(said.at) >= holds {
            return None;
        }
        Some(said.limit.left?.saturating_sub(said.since))
    }

    /// The share of what is allowed that is in use: of both meters the higher.
    pub(super) fn utilisation(&self, now: Moment) -> Option<f64> {
        [Meter::Requests, Meter::Tokens]
            .into_iter()
            .filter_map(|meter| self.share(meter, now))
            .reduce(f64::max)
    }

    /// The use of one meter.
    pub(super) fn meter(&self, meter: Meter, now: Moment) -> MeterUse {
        let said = self.said[meter as usize].as_ref();
        MeterUse {
            minute: self.minute(meter, now),
            limit: said.and_then(|said| said.limit.limit),
            left: self.left(meter, now),
            share: self.share(meter, now),
        }
    }

    fn share(&self, meter: Meter, now: Moment) -> Option<f64> {
        let limit = self.said[meter as usize].as_ref()?.limit;
        let whole = limit.limit.filter(|whole| *whole > 0)? as f64;
        let left = self.left(meter, now).map(|left| 1.0 - left as f64 / whole);
        // The own count says something only of limits a minute.
        let own = (limit.window.is_none_or(|window| window == MINUTE))
            .then(|| self.minute(meter, now) as f64 / whole);
        left.into_iter().chain(own).reduce(f64::max)
    }

    /// What was used in the last minute.
    pub(super) fn minute(&self, meter: Meter, now: Moment) -> u64 {
        let newest = now.0 / SLOT;
        let within = self
            .slots
            .iter()
            .filter(|(slot, ..)| newest.saturating_sub(*slot) < SLOTS as u64);
        within
            .map(|(_, requests, tokens)| match meter {
                Meter::Requests => *requests,
                Meter::Tokens => *tokens,
            })
            .sum()
    }

    fn slot(&mut self, now: Moment) -> &mut (u64, u64, u64) {
        let number = now.0 / SLOT;
        let slot = &mut self.slots[(number % SLOTS as u64) as usize];
        if slot.0 != number {
            *slot = (number, 0, 0);
        }
        slot
    }

    fn since(&mut self, meter: Meter, amount: u64) {
        if let Some(said) = &mut self.said[meter as usize] {
            said.since = said.since.saturating_add(amount);
        }
    }
}
