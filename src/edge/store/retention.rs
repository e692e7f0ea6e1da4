//! Removes what is too old or too much, a bounded piece at a time.

use std::ops::Range;
use std::time::Duration;

use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};

use crate::record::{ExchangeId, WallTime};
use crate::statistics::DEFINITIONS;

use super::error::StoreError;
use super::keys::{self, Grain, RollupKey};
use super::tables::{DETAILS, SUMMARIES, rollups};
use super::writer::{Store, row_bytes};

/// What a trim removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trimmed {
    /// Exchanges.
    pub records: u64,
    /// Roll-ups.
    pub rollups: u64,
    /// There is more to remove: trim again.
    pub more: bool,
}

/// Most rows of one kind that one call removes.
const ROWS_MAX: u64 = 20_000;

impl Store {
    /// Removes exchanges older than they are kept, the oldest of those that are too many bytes,
    /// and roll-ups older than they are kept. Bounded: [`Trimmed::more`] says to call again.
    pub fn trim(&mut self, now: WallTime) -> Result<Trimmed, StoreError> {
        let oldest = before(now, self.settings.keep_records);
        let (minutes, hours) = (self.settings.keep_minutes, self.settings.keep_hours);
        if !self.has_to_trim(oldest)? && self.has_fresh_rollups(now) {
            return Ok(Trimmed::default());
        }
        self.work(|store| {
            let txn = store.begin()?;
            let mut trimmed = Trimmed::default();
            store.trim_exchanges(&txn, oldest, &mut trimmed)?;
            store.ledger.minutes_from = trim_rollups(
                &txn,
                Grain::Minute,
                store.ledger.minutes_from..before(now, minutes),
                &mut trimmed,
            )?;
            store.ledger.hours_from = trim_rollups(
                &txn,
                Grain::Hour,
                store.ledger.hours_from..before(now, hours),
                &mut trimmed,
            )?;
            store.finish(txn)?;
            Ok(trimmed)
        })
    }

    /// A look at the first row tells; no transaction is written for nothing.
    fn has_to_trim(&self, oldest: WallTime) -> Result<bool, StoreError> {
        if self.ledger.bytes > self.settings.keep_bytes {
            return Ok(true);
        }
        let look = || {
            let txn = redb::ReadableDatabase::begin_read(&*self.db)?;
            let summaries = txn.open_table(SUMMARIES)?;
            let first = summaries.first()?.map(|(key, _)| *key.value());
            Ok(first.is_some_and(|key| key < ExchangeId::lower_bound(oldest).0))
        };
        look().map_err(|error: redb::Error| StoreError::at(&self.path, error))
    }

    /// Roll-ups are looked at once in an hour of the store's own dates.
    fn has_fresh_rollups(&self, now: WallTime) -> bool {
        let due = |from: WallTime, keep| from.plus_secs(3600) <= before(now, keep);
        !due(self.ledger.minutes_from, self.settings.keep_minutes)
            && !due(self.ledger.hours_from, self.settings.keep_hours)
    }

    fn trim_exchanges(
        &mut self,
        txn: &WriteTransaction,
        oldest: WallTime,
        trimmed: &mut Trimmed,
    ) -> Result<(), redb::Error> {
        let mut summaries = txn.open_table(SUMMARIES)?;
        let mut details = txn.open_table(DETAILS)?;
        let bound = ExchangeId::lower_bound(oldest).0;
        loop {
            let Some(key) = summaries.first()?.map(|(key, _)| *key.value()) else {
                // What is left has no summary: nothing can be found by it.
                details.retain(|_, _| false)?;
                self.ledger.bytes = 0;
                return Ok(());
            };
            if key >= bound && self.ledger.bytes <= self.settings.keep_bytes {
                return Ok(());
            }
            if trimmed.records >= ROWS_MAX {
                trimmed.more = true;
                return Ok(());
            }
            summaries.remove(&key)?;
            let detail = details.remove(&key)?.map_or(0, |value| value.value().len());
            self.ledger.bytes = self.ledger.bytes.saturating_sub(row_bytes(detail));
            let after = WallTime(keys::date(ExchangeId(key)).0.saturating_add(1));
            self.ledger.trimmed_before = self.ledger.trimmed_before.max(after);
            trimmed.records += 1;
        }
    }

    /// Exchanges kept.
    pub fn records(&self) -> Result<u64, StoreError> {
        let count = || {
            let txn = redb::ReadableDatabase::begin_read(&*self.db)?;
            Ok(txn.open_table(SUMMARIES)?.len()?)
        };
        count().map_err(|error: redb::Error| StoreError::at(&self.path, error))
    }
}

fn before(now: WallTime, keep: Duration) -> WallTime {
    now.plus_secs(-i64::try_from(keep.as_secs()).unwrap_or(i64::MAX))
}

/// Removes roll-ups of every version that began within `range`, and says up to where.
fn trim_rollups(
    txn: &WriteTransaction,
    grain: Grain,
    range: Range<WallTime>,
    trimmed: &mut Trimmed,
) -> Result<WallTime, redb::Error> {
    if range.end <= range.start {
        return Ok(range.start);
    }
    let mut table = txn.open_table(rollups(grain))?;
    for definitions in 1..=DEFINITIONS {
        let bounds = keys::rollups(definitions, grain, &(WallTime::default()..range.end));
        // The end's own minute or hour is not over yet.
        let end = RollupKey::decode(&bounds.end).map(|key| key.place.saturating_sub(1));
        let mut old = Vec::new();
        for row in table.range::<&keys::RollupBytes>(&bounds.start..&bounds.end)? {
            let key = *row?.0.value();
            let is_old = RollupKey::decode(&key).is_none_or(|key| Some(key.place) < end);
            if !is_old || old.len() as u64 >= ROWS_MAX {
                break;
            }
            old.push(key);
        }
        trimmed.rollups += old.len() as u64;
        for key in &old {
            table.remove(key)?;
        }
        if old.len() as u64 >= ROWS_MAX {
            trimmed.more = true;
            return Ok(range.start);
        }
    }
    Ok(range.end)
}
