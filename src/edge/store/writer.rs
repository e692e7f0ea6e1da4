//! Writes records: one transaction for a batch, its names and its roll-ups.

use std::borrow::Borrow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, WriteTransaction};

use crate::config::settings::StoreSettings;
use crate::record::ExchangeRecord;
use crate::statistics::Figures;

use super::buckets::Buckets;
use super::codec::{self, seal};
use super::error::{StoreError, guarded};
use super::journal::Journal;
use super::keys::Grain;
use super::ledger::Ledger;
use super::meta::NAME;
use super::names::Names;
use super::summary::{SUMMARY_BYTES, Summary};
use super::tables::{DETAILS, Identity, META, META_LEDGER, NAMES, SUMMARIES, rollups};

/// The one writer of a store. After an error it is broken: drop it, and open the store again.
#[derive(Debug)]
pub struct Store {
    // Behind an `Arc` only for the readers of stores without a file, which hold it weakly.
    pub(super) db: Arc<Database>,
    pub(super) path: PathBuf,
    pub(super) in_file: bool,
    pub(super) settings: StoreSettings,
    pub(super) names: Names,
    pub(super) minutes: Buckets,
    pub(super) hours: Buckets,
    pub(super) ledger: Ledger,
    pub(super) identity: Identity,
    /// An earlier journal is still there, so that no new one is begun.
    pub(super) keeps_journal: bool,
    pub(super) broken: bool,
}

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Appended {
    /// Records written.
    pub written: u64,
    /// Records that were there already: an earlier append had reached the disk after all.
    pub known: u64,
}

impl Store {
    /// The file; of a store without one, a name for it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A journal for what this store has not committed yet; a store without a file has none. The
    /// caller begins one for as long as it writes, also over reopenings.
    #[must_use]
    pub fn journal(&self) -> Option<Journal> {
        let has_one = self.in_file && !self.keeps_journal;
        has_one.then(|| Journal::new(&self.path, self.identity))
    }

    /// Whether it is this store's journal.
    #[must_use]
    pub fn owns(&self, journal: &Journal) -> bool {
        self.identity == journal.identity
    }

    /// Bytes of the exchanges kept, which retention compares with its limit.
    #[must_use]
    pub const fn record_bytes(&self) -> u64 {
        self.ledger.bytes
    }

    /// Writes `records`, their names and their roll-ups in one transaction: all or nothing. When
    /// it returns, they are on the disk.
    pub fn append<R: Borrow<ExchangeRecord>>(
        &mut self,
        records: &[R],
    ) -> Result<Appended, StoreError> {
        self.work(|store| {
            let txn = store.begin()?;
            let appended = store.write(&txn, records)?;
            store.finish(txn)?;
            Ok(appended)
        })
    }

    /// Runs `work` on a sound store; one that failed once is sound no more.
    pub(super) fn work<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        if self.broken {
            return Err(StoreError::Broken(self.path.clone()));
        }
        // Until it went well: what names and roll-ups hold then, the disk may not.
        self.broken = true;
        let path = self.path.clone();
        let done = guarded(&path, || {
            work(self).map_err(|error| StoreError::at(&path, error))
        })?;
        self.broken = false;
        Ok(done)
    }

    /// Begins a transaction whose commit is safe against a crash at any moment: two phases, since
    /// rows hold what clients wrote, and no long repair when opened again.
    pub(super) fn begin(&self) -> Result<WriteTransaction, redb::Error> {
        let mut txn = self.db.begin_write()?;
        txn.set_two_phase_commit(true);
        txn.set_quick_repair(true);
        Ok(txn)
    }

    /// Commits with the ledger as it stands.
    pub(super) fn finish(&self, txn: WriteTransaction) -> Result<(), redb::Error> {
        let mut value = Vec::new();
        self.ledger.encode(&mut value);
        txn.open_table(META)?.insert(META_LEDGER, &*value)?;
        Ok(txn.commit()?)
    }

    fn write<R: Borrow<ExchangeRecord>>(
        &mut self,
        txn: &WriteTransaction,
        records: &[R],
    ) -> Result<Appended, redb::Error> {
        let mut sorted: Vec<&ExchangeRecord> = records.iter().map(Borrow::borrow).collect();
        sorted.sort_unstable_by_key(|record| record.id);
        let appended = self.write_exchanges(txn, &sorted)?;
        self.write_names(txn)?;
        self.write_rollups(txn)?;
        Ok(appended)
    }

    fn write_exchanges(
        &mut self,
        txn: &WriteTransaction,
        records: &[&ExchangeRecord],
    ) -> Result<Appended, redb::Error> {
        let mut summaries = txn.open_table(SUMMARIES)?;
        let mut details = txn.open_table(DETAILS)?;
        let minutes = txn.open_table(rollups(Grain::Minute))?;
        let hours = txn.open_table(rollups(Grain::Hour))?;
        let mut appended = Appended::default();
        let mut detail = Vec::with_capacity(1024);
        for record in records {
            let figures = Figures::of(record);
            let row = Summary::of(record, figures, &mut self.names).encode();
            if summaries.insert(&record.id.0, &row)?.is_some() {
                appended.known += 1;
                continue;
            }
            codec::exchange::encode(record, &mut self.names, &mut detail);
            details.insert(&record.id.0, &*detail)?;
            self.minutes
                .fold(&minutes, record, &figures, &mut self.names)?;
            self.hours.fold(&hours, record, &figures, &mut self.names)?;
            self.ledger.bytes += row_bytes(detail.len());
            appended.written += 1;
        }
        Ok(appended)
    }

    fn write_names(&mut self, txn: &WriteTransaction) -> Result<(), redb::Error> {
        let mut table = txn.open_table(NAMES)?;
        let mut value = Vec::new();
        for (id, name) in self.names.fresh() {
            seal::open(NAME, &mut value);
            value.extend_from_slice(name.as_bytes());
            seal::close(&id.0.to_be_bytes(), &mut value);
            table.insert(id.0, &*value)?;
        }
        self.names.settle();
        Ok(())
    }

    fn write_rollups(&mut self, txn: &WriteTransaction) -> Result<(), redb::Error> {
        let mut value = Vec::new();
        for (grain, buckets) in [
            (Grain::Minute, &mut self.minutes),
            (Grain::Hour, &mut self.hours),
        ] {
            let mut table = txn.open_table(rollups(grain))?;
            for (key, rollup) in buckets.changed() {
                let bytes = key.encode();
                codec::rollup::encode(&bytes, rollup, &mut value);
                table.insert(&bytes, &*value)?;
            }
            buckets.settle();
        }
        Ok(())
    }
}

/// Bytes that an exchange counts for: keys and values of both its rows.
pub(super) const fn row_bytes(detail: usize) -> u64 {
    (SUMMARY_BYTES + detail + 32) as u64
}
