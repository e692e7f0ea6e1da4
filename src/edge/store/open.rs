//! Opens stores: makes new ones, refuses newer ones, moves damaged ones aside.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Builder, ConcurrencyMode, Database, ReadableDatabase, StorageBackend};

use crate::clock::Clock;
use crate::config::settings::StoreSettings;

use super::buckets::Buckets;
use super::error::{StoreError, guarded};
use super::file::{move_aside, prepare};
use super::keys::Grain;
use super::ledger::Ledger;
use super::meta::{
    check_schema, load_names, read_identity, read_ledger, write_identity, write_meta,
};
use super::names::Names;
use super::reader::StoreReader;
use super::replay::{Replayed, journal_is_left};
use super::source::open_read_only;
use super::tables::{DETAILS, Identity, NAMES, SUMMARIES, rollups};
use super::writer::Store;

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
    /// What the journal held that a killed process left.
    pub replayed: Replayed,
}

/// Up to this size every page is checked at opening: a file closed well and damaged later is
/// found at once. Larger ones are checked by `db verify`, and every row when it is read.
const CHECKED_BYTES_MAX: u64 = 2 << 20;

impl Store {
    /// Opens the store of `settings` for writing, and makes it where there is none. A damaged
    /// file is moved aside to `<name>.corrupt-<date>` and a new one begun. What a killed process
    /// left in the journal is taken up.
    pub fn open(settings: &StoreSettings, clock: &Clock) -> Result<(Self, Opened), StoreError> {
        Self::open_by(settings, clock, || Self::open_again(settings, clock))
    }

    /// The same for who looks after a store, or writes a line into it: a damaged file stays where
    /// and as it is, and that it is damaged is the error. Only who serves begins a new one.
    pub fn open_in_place(
        settings: &StoreSettings,
        clock: &Clock,
    ) -> Result<(Self, Opened), StoreError> {
        Self::open_by(settings, clock, || {
            prepare(&settings.path)?;
            guarded(&settings.path, || Self::open_file(settings))
        })
    }

    fn open_by(
        settings: &StoreSettings,
        clock: &Clock,
        open: impl Fn() -> Result<(Self, Opened), StoreError>,
    ) -> Result<(Self, Opened), StoreError> {
        let (mut store, mut opened) = open()?;
        if journal_is_left(&settings.path) {
            match store.replay(clock.wall()) {
                Ok(replayed) => opened.replayed = replayed,
                Err(error) => {
                    drop(store);
                    opened.replayed = Replayed::refused(&settings.path, &error);
                    (store, _) = open()?;
                }
            }
            store.keeps_journal = opened.replayed.kept;
        }
        Ok((store, opened))
    }

    /// Opens the store as [`Store::open`] does and leaves the journal alone: for who has one in
    /// use, and opens the store again after a failure.
    pub fn open_again(
        settings: &StoreSettings,
        clock: &Clock,
    ) -> Result<(Self, Opened), StoreError> {
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
        let identity = match read_identity(&txn).map_err(failed)? {
            Some(identity) => identity,
            None => identify(&db).map_err(failed)?,
        };
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
            identity,
            keeps_journal: false,
            broken: false,
        };
        let opened = Opened {
            created,
            ..Opened::default()
        };
        Ok((store, opened))
    }
}

/// Refuses what is not ours before it is opened for writing, which changes a file.
fn refuse_untouched(path: &Path) -> Result<(), StoreError> {
    match guarded(path, || open_read_only(path)) {
        Err(refused @ (StoreError::Newer { .. } | StoreError::Foreign(_))) => Err(refused),
        // Whatever else is the matter, opening it for writing tells.
        _ => Ok(()),
    }
}

/// Gives a store of an earlier version its identity.
fn identify(db: &Database) -> Result<Identity, redb::Error> {
    let identity = fastrand::u128(..).to_le_bytes();
    let mut txn = db.begin_write()?;
    txn.set_two_phase_commit(true);
    txn.set_quick_repair(true);
    write_identity(&txn, &identity)?;
    txn.commit()?;
    Ok(identity)
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
    write_meta(&txn, &Ledger::default(), &fastrand::u128(..).to_le_bytes())?;
    Ok(txn.commit()?)
}
