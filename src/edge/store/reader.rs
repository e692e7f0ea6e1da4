//! Reads a store, also one that another process writes to.

use std::fmt;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use redb::{Database, ReadTransaction};

use crate::record::{ExchangeId, ExchangeRecord, WallTime};
use crate::statistics::{DEFINITIONS, Rollup};

use super::codec;
use super::copying::{back_up, copy};
use super::error::{StoreError, guarded};
use super::keys::{self, Grain, RollupKey};
use super::meta::read_ledger;
use super::names::Names;
use super::source::{Held, Source};
use super::summary::Summary;
use super::tables::{DETAILS, SUMMARIES, rollups};

/// Reads a store beside its writer. No snapshot is held for longer than a page of rows, so that
/// a long report does not make the file grow.
///
/// What takes a closure hands it on as one that is called through a pointer: else the decoding of
/// every row would be built with whoever asks, for size and not for speed.
pub struct StoreReader {
    path: PathBuf,
    source: Source,
}

/// What a scan met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Rows given.
    pub rows: u64,
    /// Rows that were damaged, and were not.
    pub damaged: u64,
}

/// How far a store has come: equal where nothing was written or trimmed between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed(u64, WallTime, usize);

/// Rows read in one transaction.
const PAGE_ROWS: usize = 16_384;

impl StoreReader {
    /// Opens the store at `path` for reading.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let reader = Self {
            path: path.to_owned(),
            source: Source::file(),
        };
        reader.source.hold(path)?;
        Ok(reader)
    }

    pub(super) fn of_memory(path: &Path, db: Weak<Database>) -> Result<Self, StoreError> {
        let reader = Self {
            path: path.to_owned(),
            source: Source::memory(db),
        };
        reader.source.hold(path)?;
        Ok(reader)
    }

    /// Gives the summaries of the exchanges begun within `range`, oldest first, until `each`
    /// breaks.
    pub fn scan(
        &self,
        range: Range<WallTime>,
        mut each: impl FnMut(&Summary) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        self.each_summary(range, &mut each)
    }

    fn each_summary(
        &self,
        range: Range<WallTime>,
        each: &mut dyn FnMut(&Summary) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        let mut scanned = Scanned::default();
        self.pages(keys::exchanges(&range), |_, txn, from, end| {
            let table = txn.open_table(SUMMARIES)?;
            let mut page = Page::default();
            for row in table
                .range::<&keys::ExchangeKey>(from..end)?
                .take(PAGE_ROWS)
            {
                let (key, row) = row?;
                let id = ExchangeId(*key.value());
                page.read(id.0);
                match Summary::decode(id, row.value()) {
                    None => scanned.damaged += 1,
                    Some(summary) => {
                        scanned.rows += 1;
                        if each(&summary).is_break() {
                            return Ok(page.last());
                        }
                    }
                }
            }
            Ok(page)
        })?;
        Ok(scanned)
    }

    /// The summaries of the newest `count` exchanges begun within `range`, newest first.
    pub fn newest(&self, range: Range<WallTime>, count: usize) -> Result<Vec<Summary>, StoreError> {
        let bounds = keys::exchanges(&range);
        self.read(|_, txn| {
            let table = txn.open_table(SUMMARIES)?;
            let mut newest = Vec::with_capacity(count.min(1024));
            for row in table
                .range::<&keys::ExchangeKey>(&bounds.start..&bounds.end)?
                .rev()
            {
                if newest.len() >= count {
                    break;
                }
                let (key, row) = row?;
                newest.extend(Summary::decode(ExchangeId(*key.value()), row.value()));
            }
            Ok(newest)
        })
    }

    /// Gives the whole records of the exchanges begun within `range`, oldest first, until `each`
    /// breaks.
    pub fn records(
        &self,
        range: Range<WallTime>,
        mut each: impl FnMut(ExchangeRecord) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        self.each_record(range, &mut each)
    }

    fn each_record(
        &self,
        range: Range<WallTime>,
        each: &mut dyn FnMut(ExchangeRecord) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        let mut scanned = Scanned::default();
        self.pages(keys::exchanges(&range), |held, txn, from, end| {
            let names = held.names(txn)?;
            let table = txn.open_table(DETAILS)?;
            let mut page = Page::default();
            let mut rows = 0;
            for row in table
                .range::<&keys::ExchangeKey>(from..end)?
                .take(PAGE_ROWS / 8)
            {
                let (key, value) = row?;
                let id = ExchangeId(*key.value());
                page.read(id.0);
                rows += 1;
                match codec::exchange::decode(id, value.value(), &*names) {
                    None => scanned.damaged += 1,
                    Some(record) => {
                        scanned.rows += 1;
                        if each(record).is_break() {
                            return Ok(page.last());
                        }
                    }
                }
            }
            // A damaged page ends a table before its end, or leaves rows out, and says nothing: the
            // summaries know how many there are.
            let whole = rows < PAGE_ROWS / 8;
            let last = page.at.filter(|_| !whole);
            let upto = last.and_then(keys::after);
            let upto = upto.as_ref().filter(|upto| *upto < end).unwrap_or(end);
            let summaries = txn.open_table(SUMMARIES)?;
            let known = summaries.range::<&keys::ExchangeKey>(from..upto)?;
            let known = known.map_while(Result::ok).count();
            scanned.damaged += known.saturating_sub(rows) as u64;
            Ok(if whole { page.last() } else { page })
        })?;
        Ok(scanned)
    }

    /// The whole record of one exchange; absent where there is none.
    pub fn detail(&self, id: ExchangeId) -> Result<Option<ExchangeRecord>, StoreError> {
        let found = self.read(|held, txn| {
            let names = held.names(txn)?;
            let value = txn.open_table(DETAILS)?.get(&id.0)?;
            Ok(value.map(|value| codec::exchange::decode(id, value.value(), &*names)))
        })?;
        match found {
            None => Ok(None),
            Some(Some(record)) => Ok(Some(record)),
            Some(None) => Err(StoreError::Row {
                path: self.path.clone(),
                id,
            }),
        }
    }

    /// Gives the whole records of the exchanges `ids`, in their order, as far as there are any.
    pub fn details(
        &self,
        ids: &[ExchangeId],
        mut each: impl FnMut(ExchangeRecord),
    ) -> Result<Scanned, StoreError> {
        self.each_detail(ids, &mut each)
    }

    fn each_detail(
        &self,
        ids: &[ExchangeId],
        each: &mut dyn FnMut(ExchangeRecord),
    ) -> Result<Scanned, StoreError> {
        let mut scanned = Scanned::default();
        for page in ids.chunks(PAGE_ROWS / 8) {
            self.read(|held, txn| {
                let names = held.names(txn)?;
                let table = txn.open_table(DETAILS)?;
                for id in page {
                    let Some(value) = table.get(&id.0)? else {
                        continue;
                    };
                    match codec::exchange::decode(*id, value.value(), &*names) {
                        None => scanned.damaged += 1,
                        Some(record) => {
                            scanned.rows += 1;
                            each(record);
                        }
                    }
                }
                Ok(())
            })?;
        }
        Ok(scanned)
    }

    /// Gives the roll-ups of one version of definitions that begin within `range`, oldest first.
    pub fn rollups(
        &self,
        definitions: u16,
        grain: Grain,
        range: Range<WallTime>,
        mut each: impl FnMut(&RollupKey, &Rollup) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        self.each_rollup(definitions, grain, range, &mut each)
    }

    fn each_rollup(
        &self,
        definitions: u16,
        grain: Grain,
        range: Range<WallTime>,
        each: &mut dyn FnMut(&RollupKey, &Rollup) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        let mut scanned = Scanned::default();
        self.pages(
            keys::rollups(definitions, grain, &range),
            |_, txn, from, end| {
                let table = txn.open_table(rollups(grain))?;
                let mut page = Page::default();
                for row in table
                    .range::<&keys::RollupBytes>(from..end)?
                    .take(PAGE_ROWS)
                {
                    let (bytes, value) = row?;
                    let bytes = *bytes.value();
                    page.read(bytes);
                    let rollup = codec::rollup::decode(&bytes, value.value());
                    match RollupKey::decode(&bytes).zip(rollup) {
                        None => scanned.damaged += 1,
                        Some((key, rollup)) => {
                            scanned.rows += 1;
                            if each(&key, &rollup).is_break() {
                                return Ok(page.last());
                            }
                        }
                    }
                }
                Ok(page)
            },
        )?;
        Ok(scanned)
    }

    /// About how many exchanges begun within `range` the store has seen, by its roll-ups: those
    /// of a minute or hour that the range cuts are all counted.
    pub fn count(&self, grain: Grain, range: Range<WallTime>) -> Result<u64, StoreError> {
        let mut count = 0_u64;
        for definitions in 1..=DEFINITIONS {
            self.pages(
                keys::rollups(definitions, grain, &range),
                |_, txn, from, end| {
                    let table = txn.open_table(rollups(grain))?;
                    let mut page = Page::default();
                    for row in table
                        .range::<&keys::RollupBytes>(from..end)?
                        .take(PAGE_ROWS)
                    {
                        let (bytes, value) = row?;
                        let bytes = *bytes.value();
                        page.read(bytes);
                        let exchanges = codec::rollup::exchanges(&bytes, value.value());
                        count = count.saturating_add(exchanges.unwrap_or(0));
                    }
                    Ok(page)
                },
            )?;
        }
        Ok(count)
    }

    /// Copies the store as it is now to the new file `to`, and says how many damaged rows were
    /// left out. The one job that holds a snapshot for long: a copy is of one moment.
    pub fn backup(&self, to: &Path) -> Result<u64, StoreError> {
        let held = self.source.hold(&self.path)?;
        back_up(to, || {
            let failed = |error: redb::Error| StoreError::at(&self.path, error);
            let txn = held.begin_read().map_err(failed)?;
            let ledger = read_ledger(&txn).map_err(failed)?;
            copy(&txn, &ledger.unwrap_or_default(), to)
        })
    }

    /// What the store holds, as one value that every commit of exchanges or notes changes.
    pub fn committed(&self) -> Result<Committed, StoreError> {
        let ledger = self.read(|_, txn| read_ledger(txn))?;
        let ledger = ledger.unwrap_or_default();
        let notes = self.notes()?.len();
        Ok(Committed(ledger.bytes, ledger.trimmed_before, notes))
    }

    /// The date before which exchanges may have been trimmed, by age or size.
    pub fn trimmed_before(&self) -> Result<WallTime, StoreError> {
        let ledger = self.read(|_, txn| read_ledger(txn))?;
        Ok(ledger.unwrap_or_default().trimmed_before)
    }

    /// The texts of all numbers that rows read so far can have.
    pub fn names(&self) -> Result<Arc<Names>, StoreError> {
        self.read(Held::names)
    }

    /// Reads page by page, each in a transaction of its own.
    fn pages(
        &self,
        range: Range<Key>,
        mut read: impl FnMut(&Held, &ReadTransaction, &Key, &Key) -> Result<Page, redb::Error>,
    ) -> Result<(), StoreError> {
        let held = self.source.hold(&self.path)?;
        let mut from = range.start;
        while from < range.end {
            let page = self.within(&held, |txn| read(&held, txn, &from, &range.end))?;
            match page.next() {
                Some(next) => from = next,
                None => break,
            }
        }
        Ok(())
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Held, &ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let held = self.source.hold(&self.path)?;
        self.within(&held, |txn| read(&held, txn))
    }

    fn within<T>(
        &self,
        held: &Held,
        read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        guarded(&self.path, || {
            held.begin_read()
                .and_then(|txn| read(&txn))
                .map_err(|error| StoreError::at(&self.path, error))
        })
    }
}

impl fmt::Debug for StoreReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreReader")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Exchanges and roll-ups have keys of one length.
type Key = [u8; 16];

/// Where a page of rows ended.
#[derive(Default)]
struct Page {
    at: Option<Key>,
    ended: bool,
}

impl Page {
    const fn read(&mut self, key: Key) {
        self.at = Some(key);
    }

    /// Nothing more is wanted.
    const fn last(mut self) -> Self {
        self.ended = true;
        self
    }

    fn next(&self) -> Option<Key> {
        if self.ended {
            return None;
        }
        keys::after(self.at?)
    }
}
