//! Keeps beside the store what it has not committed yet, so that a killed process loses next to nothing.
//!
//! Two files take turns: one takes records while those of the other are committed, which empties
//! it. What was written to them outlives the process and not the machine: nothing is synced here,
//! the store does that.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::record::ExchangeRecord;

use super::codec;
use super::error::StoreError;
use super::file::{beside, own_file};
use super::names::Names;
use super::tables::Identity;

/// How a file of the journal begins; the store's identity follows.
pub(super) const MAGIC: &[u8; 8] = b"tgjrnl1\n";

/// Length and checksum before each entry.
pub(super) const ENTRY_HEAD: usize = 8;

/// More than this is kept of no store that has stopped taking records.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Where a store's journal is.
pub(super) fn files(store: &Path) -> [PathBuf; 2] {
    [".journal-0", ".journal-1"].map(|ending| beside(store, ending))
}

/// The journal of a store that this process writes to.
#[derive(Debug)]
pub struct Journal {
    pub(super) identity: Identity,
    /// The one that takes records, and the one whose records are being committed.
    open: Segment,
    closed: Segment,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
    /// Names that its entries gave numbers so far: each file is read by itself.
    names: Names,
    /// It could not be written: what is behind a torn entry would not be read.
    given_up: bool,
}

impl Journal {
    /// The empty journal of the store at `path`.
    pub(super) fn new(path: &Path, identity: Identity) -> Self {
        let [open, closed] = files(path).map(Segment::new);
        Self {
            identity,
            open,
            closed,
            buffer: Vec::new(),
        }
    }

    /// Writes `records` down, as one write to the system. After an error they and those that
    /// follow are in no journal, until [`Journal::turn`] begins a new file.
    pub fn add(&mut self, records: &[Arc<ExchangeRecord>]) -> Result<(), StoreError> {
        if self.open.given_up {
            return Ok(());
        }
        self.buffer.clear();
        if self.open.bytes == 0 {
            self.buffer.extend_from_slice(MAGIC);
            self.buffer.extend_from_slice(&self.identity);
        }
        let mut detail = Vec::new();
        for record in records {
            write_entry(record, &mut self.open.names, &mut detail, &mut self.buffer);
        }
        // Until it went well.
        self.open.given_up = true;
        let written = self.open.write(&self.buffer);
        written.map_err(|source| StoreError::io(self.open.path.clone(), source))?;
        self.open.given_up = false;
        Ok(())
    }

    /// Whether records are written down.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        !self.open.given_up
    }

    /// Everything written down so far is being committed: what follows goes to the other file.
    /// Nothing happens while that one still waits for its commit.
    pub fn turn(&mut self) {
        if self.closed.bytes == 0 && !self.closed.given_up {
            std::mem::swap(&mut self.open, &mut self.closed);
        }
    }

    /// What was written down before the last [`Journal::turn`] is committed, or given up.
    pub fn forget(&mut self) -> Result<(), StoreError> {
        let path = self.closed.path.clone();
        let emptied = self.closed.empty();
        emptied.map_err(|source| StoreError::io(path, source))
    }

    /// Takes the files away: everything is committed.
    pub fn end(self) {
        for segment in [self.open, self.closed] {
            if segment.file.is_some() {
                // Whoever reads it finds records that the store has.
                let _ = fs::remove_file(segment.path);
            }
        }
    }
}

impl Segment {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            bytes: 0,
            names: Names::default(),
            given_up: false,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.bytes + bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(own_file().append(true).open(&self.path)?),
        };
        // Counted before: a part of it may be there.
        self.bytes += bytes.len() as u64;
        file.write_all(bytes)?;
        self.names.settle();
        Ok(())
    }

    fn empty(&mut self) -> io::Result<()> {
        if let Some(file) = self.file.as_ref().filter(|_| self.bytes > 0) {
            self.given_up = true;
            file.set_len(0)?;
        }
        self.names = Names::default();
        self.bytes = 0;
        self.given_up = false;
        Ok(())
    }
}

/// An entry: its length and checksum, the record's id, the names that are new in this file, and
/// the detail as the store has it.
pub(super) fn write_entry(
    record: &ExchangeRecord,
    names: &mut Names,
    detail: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    codec::exchange::encode(record, names, detail);
    let head = out.len();
    out.extend_from_slice(&[0; ENTRY_HEAD]);
    out.extend_from_slice(&record.id.0);
    let fresh = names.fresh().count() as u16;
    out.extend_from_slice(&fresh.to_le_bytes());
    for (_, name) in names.fresh() {
        out.extend_from_slice(&(name.len() as u16).to_le_bytes());
        out.extend_from_slice(name.as_bytes());
    }
    names.settle();
    out.extend_from_slice(detail);
    let payload = head + ENTRY_HEAD;
    let length = (out.len() - payload) as u32;
    let sum = crc32fast::hash(&out[payload..]);
    out[head..head + 4].copy_from_slice(&length.to_le_bytes());
    out[head + 4..payload].copy_from_slice(&sum.to_le_bytes());
}
