//! Gathers the exchanges of each experiment: its units, their arms, and who has no part.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::entry::{Ending, Entry, first_route, unit_key};
use crate::record::{Arm, AssignedUnit, ExchangeRecord, Name, NotEnrolled, ProviderKind};
use crate::statistics::sequence::RatioWatch;

/// One experiment as records tell it.
#[derive(Debug, Default)]
pub(in crate::analysis::reports) struct Trial {
    /// In the order in which they began.
    pub(super) entries: Vec<Entry>,
    /// Units of either arm.
    pub(super) units: [u64; 2],
    /// What a coin was thrown for last.
    pub(super) unit: Option<AssignedUnit>,
    /// Whether the arms have their sizes.
    pub(super) watch: RatioWatch,
    /// Exchanges of units that were first in the other arm: another seed, another split.
    pub(super) crossed: u64,
    /// The routes that the arms were, and how often each.
    pub(super) routes: [BTreeMap<(Name, Option<Name>), u64>; 2],
    /// What kinds of providers they were.
    kinds: [Option<ProviderKind>; 2],
    /// Who served behind them, of answers from the arm's own route.
    served: [BTreeSet<Option<Name>>; 2],
    /// The model asked for.
    pub(super) model: Option<Name>,
    /// Exchanges without a part in it, by reason.
    pub(super) outside: [u64; NotEnrolled::ALL.len()],
    known: HashMap<u128, (usize, Arm)>,
}

/// Every experiment that records name.
#[derive(Debug, Default)]
pub(in crate::analysis::reports) struct Trials(pub(super) BTreeMap<Name, Trial>);

impl Trials {
    /// Adds an exchange; whether an arm was drawn for it.
    pub(in crate::analysis::reports) fn add(&mut self, record: &ExchangeRecord) -> bool {
        let Some(enrolment) = &record.experiment else {
            return false;
        };
        if !self.0.contains_key(&enrolment.experiment) {
            self.0
                .insert(enrolment.experiment.clone(), Trial::default());
        }
        let Some(trial) = self.0.get_mut(&enrolment.experiment) else {
            return false;
        };
        trial.add(record);
        enrolment.part.is_ok()
    }

    /// The experiments with their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, &Trial)> {
        self.0.iter()
    }
}

impl Trial {
    fn add(&mut self, record: &ExchangeRecord) {
        let Some(enrolment) = &record.experiment else {
            return;
        };
        if self.model.is_none() {
            self.model.clone_from(&record.model);
        }
        let assigned = match enrolment.part {
            Ok(assigned) => assigned,
            Err(reason) => {
                self.outside[reason as usize] += 1;
                return;
            }
        };
        let Some(key) = unit_key(record, assigned.unit) else {
            return;
        };
        self.unit = Some(assigned.unit);
        let next = self.known.len();
        let (unit, arm) = *self.known.entry(key).or_insert((next, assigned.arm));
        let first = unit == next;
        if first {
            self.units[arm as usize] += 1;
            let chance = match arm {
                Arm::A => assigned.propensity,
                Arm::B => 1_000_000_u32.saturating_sub(assigned.propensity),
            };
            self.watch.add(chance, arm == Arm::A);
        }
        self.crossed += u64::from(arm != assigned.arm);
        if arm == assigned.arm
            && let Some(route) = first_route(record)
        {
            *self.routes[arm as usize].entry(route).or_default() += 1;
        }
        let entry = Entry::of(record, unit, arm, first);
        if let ([only], Ending::Answered) = (record.attempts.as_slice(), entry.ending) {
            self.kinds[arm as usize] = Some(only.kind);
            self.served[arm as usize].insert(only.served_by.clone());
        }
        self.entries.push(entry);
    }

    /// The route that an arm mostly was.
    pub(super) fn route(&self, arm: Arm) -> Option<&(Name, Option<Name>)> {
        let routes = self.routes[arm as usize].iter();
        routes
            .max_by_key(|(_, count)| **count)
            .map(|(route, _)| route)
    }

    /// Whether an arm went through a router, where it answered at all.
    pub(super) fn is_router(&self, arm: Arm) -> Option<bool> {
        self.kinds[arm as usize].map(|kind| kind == ProviderKind::Router)
    }

    /// Whether every answer of an arm says that `provider` served it.
    pub(super) fn is_pinned_to(&self, arm: Arm, provider: &str) -> bool {
        let served = &self.served[arm as usize];
        let by = |name: &Option<Name>| {
            name.as_ref()
                .is_some_and(|name| name.eq_ignore_ascii_case(provider))
        };
        !served.is_empty() && served.iter().all(by)
    }

    /// The model asked for.
    pub(super) fn model(&self) -> Option<&Name> {
        self.model.as_ref()
    }
}
