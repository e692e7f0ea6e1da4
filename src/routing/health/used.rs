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
    /// Of requests and of tokens the limit with the fewest left, where that is another one.
    fewest: [Option<Said>; 2],
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

impl Said {
    fn left(&self, now: Moment) -> Option<u64> {
        let holds = self.limit.reset.unwrap_or(SAID_MAX).min(SAID_MAX);
        (now.since(self.at) < holds).then_some(())?;
        Some(self.limit.left?.saturating_sub(self.since))
    }
}

impl Used {
    /// A request went out.
    pub(super) fn request(&mut self, now: Moment) {
        self.slot(now).1 += 1;
        self.since(Meter::Requests, 1);
    }

    /// Tokens were used. What the answer's own headers said to be left is less them already:
    /// `is_declared` says that they did.
    pub(super) fn tokens(&mut self, tokens: u64, is_declared: bool, now: Moment) {
        self.slot(now).2 += tokens;
        if !is_declared {
            self.since(Meter::Tokens, tokens);
        }
    }

    /// What the headers of a response say.
    pub(super) fn declare(&mut self, declared: &Declared, now: Moment) {
        let said = |limit| Said {
            limit,
            at: now,
            since: 0,
        };
        for (meter, limit) in declared.meters() {
            self.said[meter as usize] = Some(said(limit));
            self.fewest[meter as usize] = declared.fewest[meter as usize].map(said);
        }
    }

    /// What is left of a meter in number, by whichever of its limits leaves the fewest.
    pub(super) fn fewest(&self, meter: Meter, now: Moment) -> Option<u64> {
        let fewest = self.fewest[meter as usize].as_ref();
        let fewest = fewest.and_then(|said| said.left(now));
        [self.left(meter, now), fewest].into_iter().flatten().min()
    }

    /// What is left of a meter, where that is known and still holds.
    pub(super) fn left(&self, meter: Meter, now: Moment) -> Option<u64> {
        self.said[meter as usize].as_ref()?.left(now)
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
        let both = [&mut self.said, &mut self.fewest];
        for said in both
            .into_iter()
            .filter_map(|of| of[meter as usize].as_mut())
        {
            said.since = said.since.saturating_add(amount);
        }
    }
}
