//! Packs a store and backs it up.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redb::ReadableDatabase;

use super::copying::{back_up, copy};
use super::error::{StoreError, guarded};
use super::file::{beside, durable_rename, keep};
use super::writer::Store;

/// What a compaction did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compacted {
    /// Bytes of the file before.
    pub before: u64,
    /// Bytes of the file after.
    pub after: u64,
    /// Damaged rows that were left out.
    pub damaged: u64,
    /// Where the file is as it was, if rows were left out.
    pub kept: Option<PathBuf>,
}

impl Store {
    /// Copies the store as it is now to the new file `to`, and says how many damaged rows were
    /// left out. The writer waits meanwhile.
    pub fn backup(&self, to: &Path) -> Result<u64, StoreError> {
        back_up(to, || self.copy_to(to))
    }

    /// Packs the file: copies what is sound into a new one beside it, and takes that in its place.
    /// Where rows had to be left out, the file as it was stays beside it. Needs as much free space as the copy takes.
    pub fn compact(mut self) -> Result<(Self, Compacted), StoreError> {
        if !self.in_file {
            return Ok((self, Compacted::default()));
        }
        let path = self.path.clone();
        let failed = |error| StoreError::io(path.clone(), error);
        let before = fs::metadata(&path).map_err(failed)?.len();
        let packed = beside(&path, ".packed");
        match fs::remove_file(&packed) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let damaged = self.copy_to(&packed).inspect_err(|_| {
            let _ = fs::remove_file(&packed);
        })?;
        let kept = (damaged > 0).then(|| keep(&path, ".before-compact"));
        let kept = kept.transpose().inspect_err(|_| {
            let _ = fs::remove_file(&packed);
        })?;
        // The lock of the old file is held until the new one has its name.
        durable_rename(&packed, &path).map_err(failed)?;
        let settings = self.settings.clone();
        self.broken = true;
        drop(self);
        let (store, _) = guarded(&path, || Self::open_file(&settings))?;
        let after = fs::metadata(&path).map_err(failed)?.len();
        let compacted = Compacted {
            before,
            after,
            damaged,
            kept,
        };
        Ok((store, compacted))
    }

    fn copy_to(&self, to: &Path) -> Result<u64, StoreError> {
        guarded(&self.path, || {
            let txn = self.db.begin_read();
            let txn = txn.map_err(|error| StoreError::at(&self.path, error))?;
            copy(&txn, &self.ledger, to)
        })
    }
}
