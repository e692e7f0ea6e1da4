//! Finds what a reader reads from: the file that its path names now, or a store in memory.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use redb::{
    Builder, ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase, ReadTransaction,
    ReadableDatabase, ReadableTable,
};

use super::error::{StoreError, guarded};
use super::meta::{check_schema, load_names};
use super::names::Names;
use super::tables::NAMES;

/// Where a reader's rows come from.
pub(super) enum Source {
    /// The file of its path, and what is open of it.
    File(Mutex<Option<Arc<OpenFile>>>),
    /// A store without a file, for as long as its writer keeps it.
    Memory(Weak<Database>, Arc<Known>),
}

/// A file that is open, with the names read from it.
pub(super) struct OpenFile {
    db: ReadOnlyDatabase,
    /// Which file it is: the path may come to name another one.
    identity: (u64, u64),
    known: Known,
}

/// The names read so far.
type Known = Mutex<Arc<Names>>;

/// What is read from: kept open for one call.
pub(super) enum Held {
    /// A file.
    File(Arc<OpenFile>),
    /// A store without one.
    Memory(Arc<Database>, Arc<Known>),
}

impl Source {
    pub(super) const fn file() -> Self {
        Self::File(Mutex::new(None))
    }

    pub(super) fn memory(db: Weak<Database>) -> Self {
        Self::Memory(db, Arc::default())
    }

    /// What to read from now: the file that `path` names now, should it be another one.
    pub(super) fn hold(&self, path: &Path) -> Result<Held, StoreError> {
        match self {
            Self::Memory(db, known) => {
                let db = db.upgrade();
                db.map(|db| Held::Memory(db, Arc::clone(known)))
                    .ok_or_else(|| StoreError::Broken(path.to_owned()))
            }
            Self::File(open) => {
                let identity = identity(path)?;
                let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(file) = open.as_ref().filter(|file| file.identity == identity) {
                    return Ok(Held::File(Arc::clone(file)));
                }
                let file = Arc::new(OpenFile {
                    db: open_settled(path)?,
                    identity,
                    known: Known::default(),
                });
                *open = Some(Arc::clone(&file));
                Ok(Held::File(file))
            }
        }
    }
}

impl Held {
    pub(super) fn begin_read(&self) -> Result<ReadTransaction, redb::Error> {
        match self {
            Self::File(file) => Ok(file.db.begin_read()?),
            Self::Memory(db, _) => Ok(db.begin_read()?),
        }
    }

    /// The texts of all numbers in the rows that `txn` sees.
    pub(super) fn names(&self, txn: &ReadTransaction) -> Result<Arc<Names>, redb::Error> {
        let known = match self {
            Self::File(file) => &file.known,
            Self::Memory(_, known) => known,
        };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let table = txn.open_table(NAMES)?;
        let last = table.last()?.map(|(id, _)| id.value());
        if last.is_some_and(|id| id > known.last().0) {
            load_names(txn, Arc::make_mut(&mut known))?;
        }
        Ok(Arc::clone(&known))
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

/// Opening for writing and closing well settles a file; a mere drop would not say why it did not.
/// Where another process does that now, there is to wait.
fn settle(path: &Path) -> Result<bool, StoreError> {
    let opened = guarded(path, || {
        let db = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_concurrency_mode(ConcurrencyMode::SingleWriter)
            .open(path)
            .map_err(|error| StoreError::at(path, error))?;
        db.close().map_err(|error| StoreError::at(path, error))
    });
    match opened {
        Err(StoreError::InUse(_)) => Ok(false),
        Err(StoreError::Full(path) | StoreError::TooLarge(path)) => Err(StoreError::NoRoom(path)),
        other => other.map(|()| true),
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

/// Memory for pages read; the system's own cache does the rest.
const CACHE_BYTES: usize = 16 << 20;
