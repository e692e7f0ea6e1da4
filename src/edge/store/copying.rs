//! Copies a store into a new file, tightly packed, without its damaged rows.

use std::cmp::Ordering;
use std::fs;
use std::io;
use std::path::Path;

use redb::{
    AccessGuard, Builder, Database, Durability, Key, Range, ReadOnlyTable, ReadTransaction,
    ReadableTableMetadata as _, TableDefinition, TableHandle as _, Value, WriteTransaction,
};

use super::codec::seal;
use super::error::{StoreError, guarded, quietly};
use super::file::create_file;
use super::keys::Grain;
use super::ledger::Ledger;
use super::meta::{read_identity, write_meta};
use super::tables::{BASELINES, DETAILS, KEPT, NAMES, NOTES, SCORES, SUMMARIES, rollups};

/// Rows written in one transaction of a copy.
const ROWS_MAX: usize = 100_000;

/// Memory for pages of a copy.
const CACHE_BYTES: usize = 64 << 20;

/// Copies a store to `to`, where there is nothing yet; half a copy is removed.
pub(super) fn back_up(
    to: &Path,
    copy: impl FnOnce() -> Result<u64, StoreError>,
) -> Result<u64, StoreError> {
    if to.exists() {
        let source = io::ErrorKind::AlreadyExists.into();
        return Err(StoreError::io(to.to_owned(), source));
    }
    guarded(to, copy).inspect_err(|_| {
        let _ = fs::remove_file(to);
    })
}

/// Copies what `txn` sees to the new file `to`, and says how many rows were left out because
/// they are damaged. The numbers of names stay as they are.
pub(super) fn copy(txn: &ReadTransaction, ledger: &Ledger, to: &Path) -> Result<u64, StoreError> {
    let failed = |error: redb::Error| StoreError::at(to, error);
    create_file(to)?;
    let mut db = Builder::new()
        .set_cache_size(CACHE_BYTES)
        .create(to)
        .map_err(|error| failed(error.into()))?;
    let damaged = copy_tables(txn, ledger, &db).map_err(failed)?;
    db.compact().map_err(|error| failed(error.into()))?;
    db.close().map_err(|error| failed(error.into()))?;
    Ok(damaged)
}

fn copy_tables(txn: &ReadTransaction, ledger: &Ledger, db: &Database) -> Result<u64, redb::Error> {
    let id = |key: &[u8; 16]| *key;
    let mut damaged = 0;
    damaged += copy_table(txn, db, SUMMARIES, |key, row| sealed(&id(key), &row[..]))?;
    damaged += copy_table(txn, db, DETAILS, |key, value| sealed(&id(key), value))?;
    damaged += copy_table(txn, db, NAMES, |key, value| {
        sealed(&key.to_be_bytes(), value)
    })?;
    for grain in Grain::ALL {
        damaged += copy_table(txn, db, rollups(grain), |key, value| {
            sealed(&id(key), value)
        })?;
    }
    let has_notes = txn.list_tables()?.any(|table| table.name() == NOTES.name());
    if has_notes {
        damaged += copy_table(txn, db, NOTES, |key, value| {
            sealed(&key.to_be_bytes(), value)
        })?;
    }
    if txn
        .list_tables()?
        .any(|table| table.name() == SCORES.name())
    {
        damaged += copy_table(txn, db, SCORES, |key, value| sealed(key.as_bytes(), value))?;
    }
    if txn.list_tables()?.any(|table| table.name() == KEPT.name()) {
        damaged += copy_table(txn, db, KEPT, |key, value| sealed(key.as_bytes(), value))?;
    }
    let has_baselines = txn
        .list_tables()?
        .any(|table| table.name() == BASELINES.name());
    if has_baselines {
        damaged += copy_table(txn, db, BASELINES, |key, value| {
            sealed(key.as_bytes(), value)
        })?;
    }
    // Last, and durable: a copy without it is no store.
    let write = db.begin_write()?;
    write_meta(&write, ledger, &read_identity(txn)?.unwrap_or_default())?;
    write.commit()?;
    Ok(damaged)
}

fn sealed(key: &[u8], value: &[u8]) -> bool {
    seal::check(key, value).is_some()
}

fn copy_table<K: Key + 'static, V: Value + 'static>(
    txn: &ReadTransaction,
    db: &Database,
    table: TableDefinition<'static, K, V>,
    is_sound: impl for<'k, 'v> Fn(K::SelfType<'k>, V::SelfType<'v>) -> bool,
) -> Result<u64, redb::Error> {
    let source = txn.open_table(table)?;
    let all = source.len()?;
    let mut rows = Readable::of(&source)?;
    let (mut damaged, mut seen) = (0, 0);
    loop {
        let write = quick(db)?;
        let mut copied = 0;
        {
            let mut target = write.open_table(table)?;
            for row in rows.by_ref().take(ROWS_MAX) {
                let (key, value) = row;
                copied += 1;
                if is_sound(key.value(), value.value()) {
                    target.insert(key.value(), value.value())?;
                } else {
                    damaged += 1;
                }
            }
        }
        write.commit()?;
        seen += copied as u64;
        if copied < ROWS_MAX {
            return Ok(damaged + all.saturating_sub(seen));
        }
    }
}

/// The rows of a table as far as they can be read: from the beginning, and where that meets a page
/// that is none, from the end back to it. What lies between two such pages is lost.
struct Readable<'t, K: Key + 'static, V: Value + 'static> {
    table: &'t ReadOnlyTable<K, V>,
    rows: Option<Range<'static, K, V>>,
    is_back: bool,
    /// The last key that came from the beginning.
    last: Option<Vec<u8>>,
}

impl<'t, K: Key + 'static, V: Value + 'static> Readable<'t, K, V> {
    fn of(table: &'t ReadOnlyTable<K, V>) -> Result<Self, redb::Error> {
        Ok(Self {
            table,
            rows: Some(table.range::<K::SelfType<'_>>(..)?),
            is_back: false,
            last: None,
        })
    }

    /// Whether a row that came from the end was there already.
    fn is_known(&self, key: &[u8]) -> bool {
        let last = self.last.as_deref();
        last.is_some_and(|last| K::compare(key, last) != Ordering::Greater)
    }
}

impl<K: Key + 'static, V: Value + 'static> Iterator for Readable<'_, K, V> {
    type Item = (AccessGuard<'static, K>, AccessGuard<'static, V>);

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.rows.as_mut()?;
        let is_back = self.is_back;
        let read = quietly(|| {
            if is_back {
                rows.next_back()
            } else {
                rows.next()
            }
        });
        match read {
            Ok(Some(Ok((key, value)))) => {
                let of_key = key.value();
                let bytes = K::as_bytes(&of_key);
                if is_back && self.is_known(bytes.as_ref()) {
                    self.rows = None;
                    return None;
                }
                if !is_back {
                    let last = self.last.get_or_insert_default();
                    last.clear();
                    last.extend_from_slice(bytes.as_ref());
                }
                drop(bytes);
                drop(of_key);
                Some((key, value))
            }
            // A page that is none, as redb says or by a panic.
            Ok(Some(Err(_))) | Err(_) if !is_back => {
                self.is_back = true;
                let again = quietly(|| self.table.range::<K::SelfType<'_>>(..));
                self.rows = again.ok().and_then(Result::ok);
                self.next()
            }
            _ => {
                self.rows = None;
                None
            }
        }
    }
}

/// A transaction that need not survive: the copy is used only when it is whole.
fn quick(db: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut txn = db.begin_write()?;
    txn.set_durability(Durability::None)?;
    Ok(txn)
}
