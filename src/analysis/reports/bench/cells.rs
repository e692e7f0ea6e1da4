//! Puts the exchanges of a run together by what they asked and by how they were connected.

use std::collections::BTreeMap;

use super::{Item, Kind, Quality, Run};
use crate::analysis::paper::{Cell, Column};
use crate::analysis::reports::call::{Call, calls};
use crate::analysis::reports::figures::UNKNOWN;
use crate::record::Outcome;

/// The exchanges of one kind, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// How many were asked.
    pub(super) asked: u64,
    /// Those that did not end well.
    pub(super) failed: u64,
    /// Those that no provider saw: refused by Tollgate itself.
    pub(super) unsent: u64,
    pub(super) calls: Vec<Call>,
    pub(super) quality: Vec<Quality>,
}

impl Group {
    pub(super) fn all(&self) -> Vec<&Call> {
        self.calls.iter().collect()
    }
}

/// The groups of `items`; what only warmed connections is left out. Of an answer it is the
/// connection that it came over which counts, of a failure the one that was asked for.
pub(super) fn groups(kinds: &[Kind], items: &[Item<'_>]) -> BTreeMap<Kind, Group> {
    let mut groups: BTreeMap<Kind, Group> = BTreeMap::new();
    for item in items {
        let active = item.record.active.as_ref();
        let Some(kind) = kinds.get(item.kind) else {
            continue;
        };
        if active.is_some_and(|active| active.warm_up) {
            continue;
        }
        let ok = item.record.outcome == Outcome::Ok;
        let over = item.record.attempts.last().filter(|_| ok);
        let cold = over.map_or(kind.cold, |attempt| !attempt.reused);
        let kind = Kind {
            cold,
            ..kind.clone()
        };
        let group = groups.entry(kind).or_default();
        group.asked += 1;
        group.failed += u64::from(!ok);
        group.unsent += u64::from(item.record.attempts.is_empty());
        group.quality.extend(item.quality);
        // The try that answered: runs are pinned to a route.
        let calls = calls(item.record, |_| true).unwrap_or_default();
        group.calls.extend(calls.into_iter().last());
    }
    groups
}

/// The columns that say what a row is of.
pub(super) fn columns() -> Vec<Column> {
    vec![
        Column::words("model", "model"),
        Column::words("provider", "provider"),
        Column::remark("there", "called there"),
        Column::words("region", "region"),
        Column::words("connection", "connection"),
        Column::words("asked", "asked for"),
    ]
}

impl Kind {
    /// Their cells; the provider is told with the model's name there where `all` have another
    /// route to the same model at it.
    pub(super) fn cells<'a>(&self, all: impl Iterator<Item = &'a Self>) -> Vec<Cell> {
        let there = self.there.as_deref().unwrap_or(&self.model);
        vec![
            Cell::text(&self.model),
            Cell::text(self.route(all)),
            Cell::text(there),
            Cell::text(self.region.as_deref().unwrap_or(UNKNOWN)),
            Cell::text(self.connection()),
            Cell::text(self.words()),
        ]
    }

    fn route<'a>(&self, mut all: impl Iterator<Item = &'a Self>) -> String {
        let beside = |of: &Self| {
            of.model == self.model && of.provider == self.provider && of.there != self.there
        };
        match &self.there {
            Some(there) if all.any(beside) => format!("{}/{there}", self.provider),
            _ => self.provider.clone(),
        }
    }

    /// The row in words, with what tells it from others of `all`.
    pub(super) fn named<'a>(&self, all: impl Iterator<Item = &'a Self> + Clone) -> String {
        let differ = |of: &dyn Fn(&Self) -> bool| all.clone().any(|other| !of(other));
        let mut name = format!("{} at {}", self.model, self.route(all.clone()));
        if differ(&|other| other.cold == self.cold) {
            name = format!("{name}, {}", self.connection());
        }
        if differ(&|other| other.words() == self.words()) {
            name = format!("{name}, {}", self.short());
        }
        name
    }

    const fn connection(&self) -> &'static str {
        if self.cold { "cold" } else { "warm" }
    }
}

/// What stands in the rows of all `runs` together: model, provider, region, connection, what was
/// asked for; how many were asked and failed; and the calls.
pub(in crate::analysis::reports) fn names_and_groups(
    runs: &[Run<'_>],
) -> Vec<([String; 5], u64, u64, Vec<Call>)> {
    let mut all: BTreeMap<Kind, Group> = BTreeMap::new();
    for run in runs {
        for (kind, group) in groups(&run.kinds, &run.items) {
            let sum = all.entry(kind).or_default();
            sum.asked += group.asked;
            sum.failed += group.failed;
            sum.calls.extend(group.calls);
        }
    }
    let kinds: Vec<Kind> = all.keys().cloned().collect();
    let row = |(kind, group): (Kind, Group)| {
        let names = [
            kind.model.clone(),
            kind.route(kinds.iter()),
            kind.region.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
            kind.connection().to_owned(),
            kind.words(),
        ];
        (names, group.asked, group.failed, group.calls)
    };
    all.into_iter().map(row).collect()
}
