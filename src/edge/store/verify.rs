//! Checks a store: its pages, its rows, and that its roll-ups are what its records give.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use redb::{ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use crate::record::{ExchangeId, ExchangeRecord, WallTime};
use crate::statistics::{DEFINITIONS, Figures, Part, Rollup};

use super::buckets;
use super::codec;
use super::error::{StoreError, guarded};
use super::keys::{self, Grain, RollupBytes, RollupKey};
use super::ledger::Ledger;
use super::names::{NameId, Names};
use super::summary::{Row, Summary};
use super::tables::{DETAILS, SUMMARIES, rollups};
use super::writer::Store;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Exchanges looked at.
    pub records: u64,
    /// Rows that are not what was written.
    pub damaged: u64,
    /// Exchanges that have one row and not the other, or rows that contradict each other.
    pub unmatched: u64,
    /// Roll-ups compared with their records folded anew.
    pub rollups: u64,
    /// Roll-ups that are not what their records give.
    pub rollups_wrong: u64,
    /// The pages of the file are what was written to them.
    pub pages_sound: bool,
}

impl Verified {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.damaged == 0 && self.unmatched == 0 && self.rollups_wrong == 0 && self.pages_sound
    }
}

impl Store {
    /// Checks every page and every row, and that the roll-ups are what the records give.
    pub fn verify(&mut self) -> Result<Verified, StoreError> {
        let path = self.path.clone();
        guarded(&path, || {
            let failed = |error: redb::Error| StoreError::at(&path, error);
            let db = Arc::get_mut(&mut self.db).ok_or_else(|| StoreError::Busy(path.clone()))?;
            let pages_sound = db.check_integrity().map_err(|error| failed(error.into()))?;
            let txn = db.begin_read().map_err(|error| failed(error.into()))?;
            let mut check = Check {
                txn: &txn,
                names: &mut self.names,
                ledger: self.ledger,
                refolded: [Grain::Minute, Grain::Hour].map(Refolded::new),
                verified: Verified {
                    pages_sound,
                    ..Verified::default()
                },
            };
            check.rows().map_err(failed)?;
            check.left_over().map_err(failed)?;
            Ok(check.verified)
        })
    }
}

struct Check<'a> {
    txn: &'a ReadTransaction,
    names: &'a mut Names,
    ledger: Ledger,
    refolded: [Refolded; 2],
    verified: Verified,
}

/// The roll-ups of one minute or hour as its records give them. Records come in the order of
/// their dates, so no more than one of each is in memory.
struct Refolded {
    grain: Grain,
    place: u32,
    rollups: BTreeMap<RollupKey, Rollup>,
    done: BTreeSet<u32>,
}

impl Check<'_> {
    fn rows(&mut self) -> Result<(), redb::Error> {
        let summaries = self.txn.open_table(SUMMARIES)?;
        let details = self.txn.open_table(DETAILS)?;
        for row in details.iter()? {
            let (key, value) = row?;
            let id = ExchangeId(*key.value());
            let Some(record) = codec::exchange::decode(id, value.value(), self.names) else {
                self.verified.damaged += 1;
                continue;
            };
            self.verified.records += 1;
            let figures = Figures::of(&record);
            let row = summaries.get(&id.0)?.map(|row| *row.value());
            self.summary(row.as_ref(), &record, figures);
            for at in 0..self.refolded.len() {
                self.refold(at, &record, &figures)?;
            }
        }
        let rows = self.verified.records + self.verified.damaged;
        self.verified.unmatched += summaries.len()?.saturating_sub(rows);
        for at in 0..self.refolded.len() {
            self.compare(at)?;
        }
        Ok(())
    }

    fn summary(&mut self, row: Option<&Row>, record: &ExchangeRecord, figures: Figures) {
        let Some(row) = row else {
            self.verified.unmatched += 1;
            return;
        };
        let Some(found) = Summary::decode(record.id, row) else {
            self.verified.damaged += 1;
            return;
        };
        let mut expected = Summary::of(record, figures, self.names);
        for (expected, found) in expected.names_mut().into_iter().zip(found.names()) {
            // Numbers were spent when it was written, and are not any more.
            if found == NameId::OTHER {
                *expected = found;
            }
        }
        // Older versions did not say of a row that it only warmed a connection.
        expected.warm_up &= found.warm_up;
        self.verified.unmatched += u64::from(expected.encode() != *row);
    }

    fn refold(
        &mut self,
        at: usize,
        record: &ExchangeRecord,
        figures: &Figures,
    ) -> Result<(), redb::Error> {
        let place = self.refolded[at].grain.place(keys::date(record.id));
        if place != self.refolded[at].place {
            self.compare(at)?;
            self.refolded[at].place = place;
        }
        let refolded = &mut self.refolded[at];
        for part in Part::of(record) {
            let key = buckets::key(refolded.grain, part, record, self.names);
            let key = comparable(key, self.names);
            let rollup = refolded.rollups.entry(key).or_default();
            rollup.fold_part(part, figures);
        }
        Ok(())
    }

    /// Compares the minute or hour that is over with what is stored for it.
    fn compare(&mut self, at: usize) -> Result<(), redb::Error> {
        let refolded = &mut self.refolded[at];
        let expected = std::mem::take(&mut refolded.rollups);
        let (grain, place) = (refolded.grain, refolded.place);
        if expected.is_empty() || !is_whole(grain, place, &self.ledger) {
            return Ok(());
        }
        refolded.done.insert(place);
        let mut stored: BTreeMap<RollupKey, Rollup> = BTreeMap::new();
        let table = self.txn.open_table(rollups(grain))?;
        let Range { start, end } = keys::place(DEFINITIONS, place);
        for row in table.range::<&RollupBytes>(&start..&end)? {
            let (bytes, value) = row?;
            if let Some((key, rollup)) = decode(bytes.value(), value.value()) {
                let key = comparable(key, self.names);
                stored.entry(key).or_default().merge(&rollup);
            }
        }
        // An older version rolled up counts of tokens with the answers of their route.
        let older = stored.values().any(|rollup| rollup.untold_waits() > 0);
        let [expected, stored] = [expected, stored].map(|rollups| {
            if older {
                of_all_routes(rollups)
            } else {
                rollups
            }
        });
        let wrong = expected.iter().filter(|(key, rollup)| {
            !stored
                .get(key)
                .is_some_and(|stored| is_same(stored, rollup))
        });
        self.verified.rollups_wrong += wrong.count() as u64;
        let unknown = stored.keys().filter(|key| !expected.contains_key(key));
        self.verified.rollups_wrong += unknown.count() as u64;
        self.verified.rollups += expected.len() as u64;
        Ok(())
    }

    /// Looks for roll-ups that are damaged, or that no record stands behind.
    fn left_over(&mut self) -> Result<(), redb::Error> {
        for refolded in &self.refolded {
            for row in self.txn.open_table(rollups(refolded.grain))?.iter()? {
                let (bytes, value) = row?;
                let Some((key, _)) = decode(bytes.value(), value.value()) else {
                    self.verified.damaged += 1;
                    continue;
                };
                let known = refolded.done.contains(&key.place)
                    || key.definitions != DEFINITIONS
                    || !is_whole(refolded.grain, key.place, &self.ledger);
                self.verified.rollups_wrong += u64::from(!known);
            }
        }
        Ok(())
    }
}

impl Refolded {
    fn new(grain: Grain) -> Self {
        Self {
            grain,
            place: 0,
            rollups: BTreeMap::new(),
            done: BTreeSet::new(),
        }
    }
}

fn decode(bytes: &RollupBytes, value: &[u8]) -> Option<(RollupKey, Rollup)> {
    RollupKey::decode(bytes).zip(codec::rollup::decode(bytes, value))
}

/// Whether all records of that minute or hour, and its roll-ups, are still there.
fn is_whole(grain: Grain, place: u32, ledger: &Ledger) -> bool {
    let kept_from = match grain {
        Grain::Minute => ledger.minutes_from,
        Grain::Hour => ledger.hours_from,
    };
    let began = WallTime::default().plus_secs(i64::from(place) * grain.seconds());
    began >= ledger.trimmed_before.max(kept_from)
}

/// The same as if all routes were one.
fn of_all_routes(rollups: BTreeMap<RollupKey, Rollup>) -> BTreeMap<RollupKey, Rollup> {
    let mut merged: BTreeMap<RollupKey, Rollup> = BTreeMap::new();
    for (key, rollup) in rollups {
        merged.entry(of_any_route(key)).or_default().merge(&rollup);
    }
    merged
}

const fn of_any_route(key: RollupKey) -> RollupKey {
    RollupKey {
        provider: NameId::NONE,
        model: NameId::NONE,
        ..key
    }
}

/// Whether the roll-up is what its records give, as far as the version that wrote it counted.
fn is_same(stored: &Rollup, expected: &Rollup) -> bool {
    if stored.untold_waits() == 0 {
        return stored == expected;
    }
    let expected = Rollup {
        further: stored.further,
        cost: stored.cost,
        waited: stored.waited.clone(),
        waited_answer: stored.waited_answer.clone(),
        ..expected.clone()
    };
    *stored == expected
}

/// Where numbers of names were spent once, routes cannot be told apart for certain: then all of
/// them are compared as one.
fn comparable(key: RollupKey, names: &Names) -> RollupKey {
    if names.may_have_refused() {
        of_any_route(key)
    } else {
        key
    }
}
