//! Reads a store, also one that another process writes to.

use std::fmt;
use std::fs;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use redb::{
    Builder, ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase, ReadTransaction,
    ReadableDatabase, ReadableTable,
};

use crate::record::{ExchangeId, ExchangeRecord, WallTime};
use crate::statistics::Rollup;

use super::codec;
use super::copying::{back_up, copy};
use super::error::{StoreError, guarded};
use super::keys::{self, Grain, RollupKey};
use super::names::Names;
use super::open::{check_schema, load_names, read_ledger};
use super::summary::Summary;
use super::tables::{DETAILS, NAMES, SUMMARIES, rollups};

/// Reads a store beside its writer. No snapshot is held for longer than a page of rows, so that
/// a long report does not make the file grow.
pub struct StoreReader {
    path: PathBuf,
    source: Source,
    names: Mutex<Arc<Names>>,
}

enum Source {
    File(Mutex<Option<Arc<OpenFile>>>),
    Memory(Weak<Database>),
}

struct OpenFile {
    db: ReadOnlyDatabase,
    /// Which file it is: the path may come to name another one.
    identity: (u64, u64),
}

/// What is read from: kept open for one call.
enum Held {
    File(Arc<OpenFile>),
    Memory(Arc<Database>),
}

impl Held {
    fn begin_read(&self) -> Result<ReadTransaction, redb::Error> {
        match self {
            Self::File(file) => Ok(file.db.begin_read()?),
            Self::Memory(db) => Ok(db.begin_read()?),
        }
    }
}

/// What a scan met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Rows given.
    pub rows: u64,
    /// Rows that were damaged, and were not.
    pub damaged: u64,
}

/// Rows read in one transaction.
const PAGE_ROWS: usize = 16_384;

/// Memory for pages read; the system's own cache does the rest.
const CACHE_BYTES: usize = 16 << 20;

impl StoreReader {
    /// Opens the store at `path` for reading.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let reader = Self {
            path: path.to_owned(),
            source: Source::File(Mutex::default()),
            names: Mutex::default(),
        };
        reader.held()?;
        Ok(reader)
    }

    pub(super) fn of_memory(path: &Path, db: Weak<Database>) -> Result<Self, StoreError> {
        let reader = Self {
            path: path.to_owned(),
            source: Source::Memory(db),
            names: Mutex::default(),
        };
        reader.held()?;
        Ok(reader)
    }

    /// Gives the summaries of the exchanges begun within `range`, oldest first, until `each`
    /// breaks.
    pub fn scan(
        &self,
        range: Range<WallTime>,
        mut each: impl FnMut(&Summary) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        let mut scanned = Scanned::default();
        self.pages(keys::exchanges(&range), |txn, from, end| {
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
        self.read(|txn| {
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
        let mut scanned = Scanned::default();
        self.pages(keys::exchanges(&range), |txn, from, end| {
            let names = self.fresh_names(txn)?;
            let table = txn.open_table(DETAILS)?;
            let mut page = Page::default();
            for row in table
                .range::<&keys::ExchangeKey>(from..end)?
                .take(PAGE_ROWS / 8)
            {
                let (key, value) = row?;
                let id = ExchangeId(*key.value());
                page.read(id.0);
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
            Ok(page)
        })?;
        Ok(scanned)
    }

    /// The whole record of one exchange; absent where there is none.
    pub fn detail(&self, id: ExchangeId) -> Result<Option<ExchangeRecord>, StoreError> {
        let found = self.read(|txn| {
            let names = self.fresh_names(txn)?;
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

    /// Gives the roll-ups of one version of definitions that begin within `range`, oldest first.
    pub fn rollups(
        &self,
        definitions: u16,
        grain: Grain,
        range: Range<WallTime>,
        mut each: impl FnMut(&RollupKey, &Rollup) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        let mut scanned = Scanned::default();
        self.pages(
            keys::rollups(definitions, grain, &range),
            |txn, from, end| {
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

    /// Copies the store as it is now to the new file `to`, and says how many damaged rows were
    /// left out. The one job that holds a snapshot for long: a copy is of one moment.
    pub fn backup(&self, to: &Path) -> Result<u64, StoreError> {
        let held = self.held()?;
        back_up(to, || {
            let failed = |error: redb::Error| StoreError::at(&self.path, error);
            let txn = held.begin_read().map_err(failed)?;
            let ledger = read_ledger(&txn).map_err(failed)?;
            copy(&txn, &ledger.unwrap_or_default(), to)
        })
    }

    /// The texts of all numbers that rows read so far can have.
    pub fn names(&self) -> Result<Arc<Names>, StoreError> {
        self.read(|txn| self.fresh_names(txn))
    }

    /// Reads page by page, each in a transaction of its own.
    fn pages(
        &self,
        range: Range<[u8; 16]>,
        mut read: impl FnMut(&ReadTransaction, &[u8; 16], &[u8; 16]) -> Result<Page, redb::Error>,
    ) -> Result<(), StoreError> {
        let held = self.held()?;
        let mut from = range.start;
        while from < range.end {
            let page = self.within(&held, |txn| read(txn, &from, &range.end))?;
            match page.next() {
                Some(next) => from = next,
                None => break,
            }
        }
        Ok(())
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let held = self.held()?;
        self.within(&held, read)
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

    fn fresh_names(&self, txn: &ReadTransaction) -> Result<Arc<Names>, redb::Error> {
        let mut known = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let table = txn.open_table(NAMES)?;
        let last = table.last()?.map(|(id, _)| id.value());
        if last.is_some_and(|id| id > known.last().0) {
            load_names(txn, Arc::make_mut(&mut known))?;
        }
        Ok(Arc::clone(&known))
    }

    /// What to read from now: the file that the path names now, should it be another one.
    fn held(&self) -> Result<Held, StoreError> {
        match &self.source {
            Source::Memory(db) => {
                let db = db.upgrade();
                db.map(Held::Memory)
                    .ok_or_else(|| StoreError::Broken(self.path.clone()))
            }
            Source::File(open) => {
                let identity = identity(&self.path)?;
                let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(file) = open.as_ref().filter(|file| file.identity == identity) {
                    return Ok(Held::File(Arc::clone(file)));
                }
                let file = Arc::new(OpenFile {
                    db: open_settled(&self.path)?,
                    identity,
                });
                *open = Some(Arc::clone(&file));
                *self.names.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
                Ok(Held::File(file))
            }
        }
    }
}

impl fmt::Debug for StoreReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreReader")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Opens the file as its writer left it; one that was killed left a file to be settled first.
fn open_settled(path: &Path) -> Result<ReadOnlyDatabase, StoreError> {
    for _ in 0..SETTLING_TRIES {
        match open_read_only(path) {
            Err(StoreError::Unsettled(_)) if !settle(path)? => thread::sleep(SETTLING_WAIT),
            Err(StoreError::Unsettled(_)) => {}
            other => return other,
        }
    }
    Err(StoreError::Unsettled(path.to_owned()))
}

/// Opening for writing settles a file. Where another process does that now, there is to wait.
fn settle(path: &Path) -> Result<bool, StoreError> {
    let opened = guarded(path, || {
        Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_concurrency_mode(ConcurrencyMode::SingleWriter)
            .open(path)
            .map_err(|error| StoreError::at(path, error))
    });
    match opened {
        Err(StoreError::InUse(_)) => Ok(false),
        other => other.map(|_| true),
    }
}

/// Opens the file without changing it.
pub(super) fn open_read_only(path: &Path) -> Result<ReadOnlyDatabase, StoreError> {
    guarded(path, || {
        let db = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_concurrency_mode(ConcurrencyMode::SingleWriter)
            .open_read_only(path)
            .map_err(|error| match error {
                DatabaseError::RepairAborted => StoreError::Unsettled(path.to_owned()),
                other => StoreError::at(path, other),
            })?;
        let txn = db
            .begin_read()
            .map_err(|error| StoreError::at(path, error))?;
        check_schema(&txn, path)?;
        Ok(db)
    })
}

/// A writer that opens a store settles it within milliseconds, a large one within a second.
const SETTLING_TRIES: u32 = 100;
const SETTLING_WAIT: Duration = Duration::from_millis(20);

#[cfg(unix)]
fn identity(path: &Path) -> Result<(u64, u64), StoreError> {
    use std::os::unix::fs::MetadataExt;
    let meta = fs::metadata(path).map_err(|error| StoreError::io(path.to_owned(), error))?;
    Ok((meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Result<(u64, u64), StoreError> {
    fs::metadata(path).map_err(|error| StoreError::io(path.to_owned(), error))?;
    Ok((0, 0))
}

/// Where a page of rows ended.
#[derive(Default)]
struct Page {
    at: Option<[u8; 16]>,
    ended: bool,
}

impl Page {
    const fn read(&mut self, key: [u8; 16]) {
        self.at = Some(key);
    }

    /// Nothing more is wanted.
    const fn last(mut self) -> Self {
        self.ended = true;
        self
    }

    fn next(&self) -> Option<[u8; 16]> {
        if self.ended {
            return None;
        }
        keys::after(self.at?)
    }
}
