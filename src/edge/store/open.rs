//! Opens stores: makes new ones, refuses newer ones, moves damaged ones aside.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{
    Builder, ConcurrencyMode, Database, ReadTransaction, ReadableDatabase, StorageBackend,
    TableError,
};

use crate::clock::Clock;
use crate::config::settings::StoreSettings;
use crate::record::WallTime;

use super::buckets::Buckets;
use super::codec::seal;
use super::error::{StoreError, guarded};
use super::keys::Grain;
use super::ledger::Ledger;
use super::names::{NameId, Names};
use super::reader::{StoreReader, open_read_only};
use super::tables::{DETAILS, META, META_LEDGER, META_SCHEMA, NAMES, SCHEMA, SUMMARIES, rollups};
use super::writer::{NAME, Store};

/// What opening a store met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opened {
    /// The store is a new one.
    pub created: bool,
    /// Where the damaged file went in whose place the new one is.
    pub moved_aside: Option<PathBuf>,
    /// What was wrong with it.
    pub damage: Option<String>,
    /// The schema that the store had before it was migrated.
    pub migrated_from: Option<u32>,
}

/// Up to this size every page is checked at opening: a file closed well and damaged later is
/// found at once. Larger ones are checked by `db verify`, and every row when it is read.
const CHECKED_BYTES_MAX: u64 = 8 << 20;

impl Store {
    /// Opens the store of `settings` for writing, and makes it where there is none. A damaged
    /// file is moved aside to `<name>.corrupt-<date>` and a new one begun.
    pub fn open(settings: &StoreSettings, clock: &Clock) -> Result<(Self, Opened), StoreError> {
        let path = &settings.path;
        prepare(path)?;
        match guarded(path, || Self::open_file(settings)) {
            Err(StoreError::Damaged { what, .. }) => {
                let aside = move_aside(path, clock.wall())?;
                prepare(path)?;
                let (store, opened) = guarded(path, || Self::open_file(settings))?;
                let opened = Opened {
                    moved_aside: Some(aside),
                    damage: Some(what),
                    ..opened
                };
                Ok((store, opened))
            }
            other => other,
        }
    }

    /// Opens the store that `backend` holds: for stores without a file, and for disks that fail.
    /// What is damaged stays where it is. No second process can read it.
    pub fn open_on(
        backend: impl StorageBackend,
        settings: &StoreSettings,
    ) -> Result<(Self, Opened), StoreError> {
        let path = &settings.path;
        guarded(path, || {
            let mut builder = Builder::new();
            builder.set_cache_size(settings.cache_bytes);
            let db = builder
                .create_with_backend(backend)
                .map_err(|error| StoreError::at(path, error))?;
            Self::over(db, settings, false)
        })
    }

    /// A store in memory, gone when it is dropped.
    pub fn in_memory(settings: &StoreSettings) -> Result<(Self, Opened), StoreError> {
        Self::open_on(redb::backends::InMemoryBackend::new(), settings)
    }

    /// A reader of this store: of its file, or of its memory for as long as it lives.
    pub fn reader(&self) -> Result<StoreReader, StoreError> {
        if self.in_file {
            StoreReader::open(&self.path)
        } else {
            StoreReader::of_memory(&self.path, Arc::downgrade(&self.db))
        }
    }

    pub(super) fn open_file(settings: &StoreSettings) -> Result<(Self, Opened), StoreError> {
        let path = &settings.path;
        let size = std::fs::metadata(path).map_or(0, |meta| meta.len());
        if size > 0 {
            refuse_untouched(path)?;
        }
        let mut builder = Builder::new();
        builder
            .set_cache_size(settings.cache_bytes)
            .set_concurrency_mode(ConcurrencyMode::SingleWriter)
            .set_check_integrity_on_open(size > 0 && size <= CHECKED_BYTES_MAX);
        let db = builder
            .create(path)
            .map_err(|error| StoreError::at(path, error))?;
        Self::over(db, settings, true)
    }

    fn over(
        db: Database,
        settings: &StoreSettings,
        in_file: bool,
    ) -> Result<(Self, Opened), StoreError> {
        let path = &settings.path;
        let failed = |error: redb::Error| StoreError::at(path, error);
        let begin = || db.begin_read().map_err(redb::Error::from).map_err(failed);
        let created = begin()?
            .list_tables()
            .map_err(|error| failed(error.into()))?
            .next()
            .is_none();
        if created {
            create_tables(&db).map_err(failed)?;
        }
        let txn = begin()?;
        check_schema(&txn, path)?;
        let ledger = read_ledger(&txn).map_err(failed)?;
        let mut names = Names::default();
        load_names(&txn, &mut names).map_err(failed)?;
        drop(txn);
        let store = Self {
            db: Arc::new(db),
            path: path.clone(),
            in_file,
            settings: settings.clone(),
            names,
            minutes: Buckets::new(Grain::Minute),
            hours: Buckets::new(Grain::Hour),
            ledger: ledger.ok_or_else(|| StoreError::damaged(path, "its ledger"))?,
            broken: false,
        };
        let opened = Opened {
            created,
            ..Opened::default()
        };
        Ok((store, opened))
    }
}

/// Makes the file and its directory, readable by their owner only: records say who asked whom.
fn prepare(path: &Path) -> Result<(), StoreError> {
    let failed = |source| match StoreError::io(path.to_owned(), source) {
        // The directory is made here: what is missing cannot be made.
        StoreError::Missing(path) => StoreError::Denied {
            path,
            source: io::ErrorKind::NotFound.into(),
        },
        other => other,
    };
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    match create_file(path) {
        Err(StoreError::Missing(_)) => Err(failed(io::ErrorKind::NotFound.into())),
        other => other,
    }
}

/// Makes the file where there is none.
pub(super) fn create_file(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(path).map(drop);
    opened.map_err(|source| StoreError::io(path.to_owned(), source))
}

/// Renames a damaged file, and never over another one.
fn move_aside(path: &Path, now: WallTime) -> Result<PathBuf, StoreError> {
    let date: String = now
        .rfc3339()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(15)
        .collect();
    let aside = (0..1000_u32)
        .map(|turn| {
            let turn = if turn == 0 {
                String::new()
            } else {
                format!("-{turn}")
            };
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".corrupt-{date}Z{turn}"));
            PathBuf::from(name)
        })
        .find(|aside| !aside.exists())
        .ok_or_else(|| StoreError::damaged(path, "too many damaged files beside it"))?;
    std::fs::rename(path, &aside).map_err(|error| StoreError::io(path.to_owned(), error))?;
    Ok(aside)
}

/// Refuses what is not ours before it is opened for writing, which changes a file.
fn refuse_untouched(path: &Path) -> Result<(), StoreError> {
    match guarded(path, || open_read_only(path)) {
        Err(refused @ (StoreError::Newer { .. } | StoreError::Foreign(_))) => Err(refused),
        // Whatever else is the matter, opening it for writing tells.
        _ => Ok(()),
    }
}

fn create_tables(db: &Database) -> Result<(), redb::Error> {
    let mut txn = db.begin_write()?;
    txn.set_two_phase_commit(true);
    txn.set_quick_repair(true);
    txn.open_table(SUMMARIES)?;
    txn.open_table(DETAILS)?;
    txn.open_table(NAMES)?;
    for grain in Grain::ALL {
        txn.open_table(rollups(grain))?;
    }
    write_meta(&txn, &Ledger::default())?;
    Ok(txn.commit()?)
}

/// Writes what a store says of itself.
pub(super) fn write_meta(txn: &redb::WriteTransaction, ledger: &Ledger) -> Result<(), redb::Error> {
    let mut meta = txn.open_table(META)?;
    let mut value = Vec::new();
    seal::open(1, &mut value);
    value.extend_from_slice(&SCHEMA.to_le_bytes());
    value.extend_from_slice(env!("CARGO_PKG_VERSION").as_bytes());
    seal::close(META_SCHEMA.as_bytes(), &mut value);
    meta.insert(META_SCHEMA, &*value)?;
    ledger.encode(&mut value);
    meta.insert(META_LEDGER, &*value)?;
    Ok(())
}

/// Refuses a store that this program cannot read.
pub(super) fn check_schema(txn: &ReadTransaction, path: &Path) -> Result<(), StoreError> {
    let meta = match txn.open_table(META) {
        Err(TableError::TableDoesNotExist(_) | TableError::TableTypeMismatch { .. }) => {
            return Err(StoreError::Foreign(path.to_owned()));
        }
        other => other.map_err(|error| StoreError::at(path, error))?,
    };
    let value = meta
        .get(META_SCHEMA)
        .map_err(|error| StoreError::at(path, error))?;
    let read = value.as_ref().and_then(|value| read_schema(value.value()));
    let (found, program) = read.ok_or_else(|| StoreError::damaged(path, "its schema"))?;
    if found > SCHEMA {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            program,
            known: SCHEMA,
            ours: env!("CARGO_PKG_VERSION"),
        });
    }
    Ok(())
}

/// The seal's own version is 1 for good: the schema of every later store must be readable.
fn read_schema(value: &[u8]) -> Option<(u32, String)> {
    let (_, payload) = seal::check(META_SCHEMA.as_bytes(), value)?;
    let (schema, program) = payload.split_first_chunk()?;
    let program = String::from_utf8_lossy(program).into_owned();
    Some((u32::from_le_bytes(*schema), program))
}

pub(super) fn read_ledger(txn: &ReadTransaction) -> Result<Option<Ledger>, redb::Error> {
    let meta = txn.open_table(META)?;
    let value = meta.get(META_LEDGER)?;
    Ok(value.and_then(|value| Ledger::decode(value.value())))
}

/// Reads the names above those that are known.
pub(super) fn load_names(txn: &ReadTransaction, names: &mut Names) -> Result<(), redb::Error> {
    let table = txn.open_table(NAMES)?;
    let from = names.last().0 + 1;
    for row in table.range(from..)? {
        let (id, value) = row?;
        let id = NameId(id.value());
        let sealed = seal::check(&id.0.to_be_bytes(), value.value());
        let text = sealed
            .filter(|(version, _)| *version == NAME)
            .and_then(|(_, text)| std::str::from_utf8(text).ok());
        names.load(id, text);
    }
    Ok(())
}
