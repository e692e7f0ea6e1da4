//! Puts the exchanges of a run together by what they asked and by how they were connected.

use std::collections::BTreeMap;

use super::{Item, Kind, Quality, Run};
use crate::analysis::paper::{Cell, Column};
use crate::analysis::reports::call::{Call, calls};
use crate::analysis::reports::figures::UNKNOWN;
use crate::analysis::tables::Share;
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

impl Item<'_> {
    /// What it asked, of `kinds`. Of an answer it is the connection that it came over which counts,
    /// of a failure the one that was asked for.
    #[must_use]
    pub fn kind_among(&self, kinds: &[Kind]) -> Option<Kind> {
        let kind = kinds.get(self.kind)?;
        let ok = self.record.outcome == Outcome::Ok;
        let over = self.record.attempts.last().filter(|_| ok);
        Some(Kind {
            cold: over.map_or(kind.cold, |attempt| !attempt.reused),
            ..kind.clone()
        })
    }
}

/// The groups of `items`; what only warmed connections is left out.
pub(super) fn groups(kinds: &[Kind], items: &[Item<'_>]) -> BTreeMap<Kind, Group> {
    let mut groups: BTreeMap<Kind, Group> = BTreeMap::new();
    for item in items {
        let active = item.record.active.as_ref();
        let Some(kind) = item.kind_among(kinds) else {
            continue;
        };
        if active.is_some_and(|active| active.warm_up) {
            continue;
        }
        let ok = item.record.outcome == Outcome::Ok;
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
        let name = format!("{} at {}", self.model, self.route(all.clone()));
        match self.variant(all) {
            Some(variant) => format!("{name}, {variant}"),
            None => name,
        }
    }

    /// What was asked for, of whatever route, with what tells it from others of `all`; absent where
    /// all ask the same.
    #[must_use]
    pub fn variant<'a>(&self, all: impl Iterator<Item = &'a Self> + Clone) -> Option<String> {
        let differ = |of: &dyn Fn(&Self) -> bool| all.clone().any(of) && !all.clone().all(of);
        let mut parts = Vec::new();
        if differ(&|other| other.cold == self.cold) {
            parts.push(self.connection().to_owned());
        }
        if differ(&|other| other.words() == self.words()) {
            parts.push(self.short());
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    const fn connection(&self) -> &'static str {
        if self.cold { "cold" } else { "warm" }
    }
}

/// What stands in a row of runs.
pub(in crate::analysis::reports) struct RowOfRuns {
    /// Model, provider, region, connection, what was asked for.
    pub(in crate::analysis::reports) names: [String; 5],
    /// What tells what was asked for from other rows; absent where all ask the same.
    pub(in crate::analysis::reports) variant: Option<String>,
    /// How many were asked, and failed.
    pub(in crate::analysis::reports) failed: Share,
    /// Those that answered.
    pub(in crate::analysis::reports) calls: Vec<Call>,
}

/// The rows of all `runs` together.
pub(in crate::analysis::reports) fn rows_of_runs(runs: &[Run<'_>]) -> Vec<RowOfRuns> {
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
        RowOfRuns {
            names,
            variant: kind.variant(kinds.iter()),
            failed: Share::of(group.failed, group.asked),
            calls: group.calls,
        }
    };
    all.into_iter().map(row).collect()
}
