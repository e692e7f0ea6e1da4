//! Keeps the last hour of every route in memory, whatever becomes of the disk.

use std::collections::VecDeque;

use dashmap::DashMap;
use foldhash::fast::RandomState;

use crate::record::{ErrorClass, ExchangeRecord, Moment, Name, Nanos, Outcome};
use crate::statistics::{Figures, Part, Rollup};

/// What routes did lately, by provider and the model's name there.
#[derive(Debug, Default)]
pub struct Recent {
    routes: DashMap<(Name, Name), RouteRecent, RandomState>,
}

/// One way that an attempt on a route ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAttempt {
    /// When it was over.
    pub at: Moment,
    /// How the exchange ended, where the attempt was its last.
    pub outcome: Option<Outcome>,
    /// What kind of error it met.
    pub error_class: Option<ErrorClass>,
}

#[derive(Debug, Default)]
struct RouteRecent {
    /// Oldest first.
    slots: VecDeque<(u64, Rollup)>,
    last: VecDeque<LastAttempt>,
}

/// The grain in which time passes out of sight.
const SLOT: Nanos = Nanos(300 * 1_000_000_000);
/// An hour, and the slot that is not over.
const SLOTS_MAX: usize = 13;
/// Attempts of a route whose ends are kept one by one.
const LAST_MAX: usize = 32;
/// Routes kept: clients may ask for models without end.
const ROUTES_MAX: usize = 256;

impl Recent {
    /// Takes in a finished record. Only provider and model are looked at, and time on the
    /// monotonic clock: a date that jumps changes nothing here.
    pub fn fold(&self, record: &ExchangeRecord) {
        let figures = Figures::of(record);
        for part in Part::of(record) {
            let (Some(provider), Some(model)) = part.route(record) else {
                continue;
            };
            let route = (provider.clone(), model.clone());
            if self.routes.len() >= ROUTES_MAX && !self.routes.contains_key(&route) {
                self.forget_one();
            }
            let mut held = self.routes.entry(route).or_default();
            held.fold(part, record, &figures);
        }
    }

    /// What a route did within the last `span`, rounded up to slots of five minutes; absent where
    /// nothing is known of it.
    #[must_use]
    pub fn of(&self, provider: &str, model: &str, now: Moment, span: Nanos) -> Option<Rollup> {
        let route = self.routes.get(&(provider.into(), model.into()))?;
        let oldest = slot(Moment(now.0.saturating_sub(span.0)));
        let mut all = Rollup::default();
        for (_, rollup) in route.slots.iter().filter(|(slot, _)| *slot >= oldest) {
            all.merge(rollup);
        }
        (all != Rollup::default()).then_some(all)
    }

    /// The last attempts on a route, newest first.
    #[must_use]
    pub fn last(&self, provider: &str, model: &str) -> Vec<LastAttempt> {
        let route = self.routes.get(&(provider.into(), model.into()));
        route.map_or_else(Vec::new, |route| route.last.iter().copied().collect())
    }

    /// The routes that are known, in no order.
    #[must_use]
    pub fn routes(&self) -> Vec<(Name, Name)> {
        self.routes
            .iter()
            .map(|route| route.key().clone())
            .collect()
    }

    /// Forgets the route that was silent longest.
    fn forget_one(&self) {
        let newest = |route: &RouteRecent| route.last.front().map(|last| last.at);
        let silent = self
            .routes
            .iter()
            .min_by_key(|route| newest(route.value()))
            .map(|route| route.key().clone());
        if let Some(silent) = silent {
            self.routes.remove(&silent);
        }
    }
}

impl RouteRecent {
    fn fold(&mut self, part: Part<'_>, record: &ExchangeRecord, figures: &Figures) {
        let now = slot(record.closed_at);
        // Records of one slot may arrive after the first of the next.
        let place = self.slots.iter().rposition(|(slot, _)| *slot <= now);
        let at = match place {
            Some(at) if self.slots[at].0 == now => at,
            other => {
                let at = other.map_or(0, |at| at + 1);
                self.slots.insert(at, (now, Rollup::default()));
                at
            }
        };
        self.slots[at].1.fold_part(part, figures);
        while self.slots.len() > SLOTS_MAX {
            self.slots.pop_front();
        }
        let (outcome, attempt) = match part {
            Part::Exchange(record) => (Some(record.outcome), record.attempts.last()),
            Part::Lost(attempt) => (None, Some(attempt)),
        };
        self.last.push_front(LastAttempt {
            at: record.closed_at,
            outcome,
            error_class: attempt.and_then(|attempt| attempt.error_class),
        });
        self.last.truncate(LAST_MAX);
    }
}

const fn slot(at: Moment) -> u64 {
    at.0 / SLOT.0
}
