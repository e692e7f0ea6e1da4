//! Takes up what a killed process had written to the journal and not committed.

use std::fs;
use std::io;
use std::path::Path;

use crate::record::{ExchangeId, ExchangeRecord, WallTime};

use super::codec;
use super::error::StoreError;
use super::file::move_aside;
use super::journal::{ENTRY_HEAD, MAGIC, files};
use super::names::Names;
use super::tables::Identity;
use super::writer::Store;

/// Records of one transaction.
const BATCH: usize = 4096;

/// What was found beside a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replayed {
    /// Records that the store did not have yet, and has now.
    pub records: u64,
    /// What could not be taken up, and why: for people.
    pub left_out: Option<String>,
    /// The journal is still there: it is taken up at the next opening, and no other is begun.
    pub kept: bool,
}

/// What one file of a journal holds.
#[derive(Debug, Default, PartialEq)]
struct Found {
    records: Vec<ExchangeRecord>,
    /// Bytes behind the last whole entry.
    torn: usize,
    /// It belongs to another store.
    foreign: bool,
}

impl Store {
    /// Writes what the journal beside this store holds into it, and removes the journal. What the
    /// store has already is not written twice. Fails where the store takes nothing.
    pub(super) fn replay(&mut self, now: WallTime) -> Result<Replayed, StoreError> {
        let mut replayed = Replayed::default();
        for path in files(&self.path) {
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    replayed.leave(&path, &format!("it cannot be read: {error}"));
                    replayed.kept = true;
                    continue;
                }
            };
            let found = read(&bytes, &self.identity);
            if found.foreign {
                let aside = move_aside(&path, now)?;
                let why = format!("it is another store's; moved to {}", aside.display());
                replayed.leave(&path, &why);
                continue;
            }
            for batch in found.records.chunks(BATCH) {
                replayed.records += self.append(batch)?.written;
            }
            if found.torn > 0 {
                let why = format!("its last {} bytes are no whole entry", found.torn);
                replayed.leave(&path, &why);
            }
            if let Err(error) = fs::remove_file(&path) {
                replayed.leave(&path, &format!("it cannot be removed: {error}"));
                replayed.kept = true;
            }
        }
        Ok(replayed)
    }
}

impl Replayed {
    /// What there is where the store would not take it: all of it stays for the next opening.
    pub(super) fn refused(store: &Path, error: &StoreError) -> Self {
        let mut replayed = Self {
            kept: true,
            ..Self::default()
        };
        let [path, _] = files(store);
        replayed.leave(&path, &format!("{error}; the next start tries it again"));
        replayed
    }

    /// What a user hears of it; nothing where there was nothing.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        let taken = (self.records > 0).then(|| {
            let records = self.records;
            format!("{records} exchanges of a process that was killed were taken from the journal")
        });
        let left = self
            .left_out
            .as_ref()
            .map(|what| format!("left out of {what}"));
        let told: Vec<_> = taken.into_iter().chain(left).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    fn leave(&mut self, path: &Path, why: &str) {
        let before = self.left_out.take();
        let before = before.map_or_else(String::new, |before| format!("{before}; "));
        let what = format!("{before}the journal {}: {why}", path.display());
        self.left_out = Some(what);
    }
}

/// Whether a journal beside the store holds anything: a process writes it now, or was killed.
#[must_use]
pub fn journal_is_left(store: &Path) -> bool {
    let files = files(store);
    let mut sizes = files.iter().filter_map(|path| fs::metadata(path).ok());
    sizes.any(|file| file.len() > 0)
}

/// Reads entries up to the first that is not as it was written.
fn read(bytes: &[u8], identity: &Identity) -> Found {
    let mut found = Found::default();
    if bytes.is_empty() {
        return found;
    }
    let head = bytes.split_first_chunk().and_then(|(magic, rest)| {
        let (whose, rest) = rest.split_first_chunk::<16>()?;
        (magic == MAGIC).then_some((whose, rest))
    });
    let Some((whose, mut rest)) = head else {
        found.torn = bytes.len();
        return found;
    };
    if whose != identity {
        found.foreign = true;
        return found;
    }
    let mut names = Names::default();
    while let Some((record, after)) = read_entry(rest, &mut names) {
        found.records.push(record);
        rest = after;
    }
    found.torn = rest.len();
    found
}

/// The record of an entry, and what follows it.
pub(super) fn read_entry<'a>(
    bytes: &'a [u8],
    names: &mut Names,
) -> Option<(ExchangeRecord, &'a [u8])> {
    let (head, rest) = bytes.split_first_chunk::<ENTRY_HEAD>()?;
    let (length, sum) = head.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    let (payload, after) = rest.split_at_checked(length)?;
    if crc32fast::hash(payload).to_le_bytes() != *sum {
        return None;
    }
    let (id, payload) = payload.split_first_chunk::<16>()?;
    let (fresh, mut payload) = payload.split_first_chunk::<2>()?;
    for _ in 0..u16::from_le_bytes(*fresh) {
        let (length, rest) = payload.split_first_chunk::<2>()?;
        let (name, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
        let number = names.following();
        names.load(number, Some(std::str::from_utf8(name).ok()?));
        payload = rest;
    }
    let record = codec::exchange::decode(ExchangeId(*id), payload, names)?;
    Some((record, after))
}
