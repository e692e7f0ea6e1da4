//! Disks that fail: at the n-th operation, or by losing what was not synced.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

use super::records::Random;

/// Bytes of the pieces that a crash keeps or loses.
const PIECE: usize = 4096;

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What a power loss leaves for certain.
    synced: Vec<u8>,
    /// Pieces written since, by their number.
    written: BTreeMap<usize, Vec<u8>>,
    length: usize,
    operations: u64,
    fail_at: Option<u64>,
    /// Once it failed, it fails on, as a full disk does.
    stuck: bool,
    full: bool,
}

impl Disk {
    /// Fails the `n`-th write or sync from now on, and every later one.
    pub(crate) fn fail_at(&self, n: u64) {
        let mut state = self.0.lock().unwrap();
        state.operations = 0;
        state.fail_at = Some(n);
        state.stuck = false;
    }

    /// Works again.
    pub(crate) fn heal(&self) {
        let mut state = self.0.lock().unwrap();
        state.fail_at = None;
        state.stuck = false;
        state.full = false;
    }

    /// Has no space: whatever writes, fails.
    pub(crate) fn fill(&self) {
        self.0.lock().unwrap().full = true;
    }

    /// Whether the failure asked for was reached.
    pub(crate) fn has_failed(&self) -> bool {
        self.0.lock().unwrap().stuck
    }

    /// What is on the disk after a power loss: everything synced, and of the rest, piece by piece,
    /// what chance kept.
    pub(crate) fn after_power_loss(&self, random: &mut Random) -> Self {
        let state = self.0.lock().unwrap();
        let mut synced = state.synced.clone();
        if random.chance(50) {
            synced.resize(state.length.max(synced.len()), 0);
        }
        for (number, piece) in &state.written {
            let at = number * PIECE;
            if random.chance(50) && at < synced.len() {
                let length = piece.len().min(synced.len() - at);
                synced[at..at + length].copy_from_slice(&piece[..length]);
            }
        }
        let length = synced.len();
        Self(Arc::new(Mutex::new(State {
            synced,
            length,
            ..State::default()
        })))
    }

    /// What is on the disk after the program died: everything written.
    pub(crate) fn after_kill(&self) -> Self {
        let mut state = self.0.lock().unwrap();
        state.flush();
        Self(Arc::new(Mutex::new(State {
            synced: state.synced.clone(),
            length: state.length,
            ..State::default()
        })))
    }
}

impl State {
    fn operate(&mut self) -> io::Result<()> {
        self.operations += 1;
        if self.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.stuck |= self.fail_at.is_some_and(|n| self.operations >= n);
        if self.stuck {
            return Err(io::Error::other("injected"));
        }
        Ok(())
    }

    fn flush(&mut self) {
        self.synced.resize(self.length, 0);
        for (number, piece) in std::mem::take(&mut self.written) {
            let at = number * PIECE;
            if at < self.length {
                let length = piece.len().min(self.length - at);
                self.synced[at..at + length].copy_from_slice(&piece[..length]);
            }
        }
    }

    fn piece(&mut self, number: usize) -> &mut Vec<u8> {
        let synced = &self.synced;
        self.written.entry(number).or_insert_with(|| {
            let at = number * PIECE;
            let mut piece = vec![0; PIECE];
            if at < synced.len() {
                let length = PIECE.min(synced.len() - at);
                piece[..length].copy_from_slice(&synced[at..at + length]);
            }
            piece
        })
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().length as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        let offset = offset as usize;
        if offset + out.len() > state.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut done = 0;
        while done < out.len() {
            let (number, within) = ((offset + done) / PIECE, (offset + done) % PIECE);
            let length = (PIECE - within).min(out.len() - done);
            let target = &mut out[done..done + length];
            if let Some(piece) = state.written.get(&number) {
                target.copy_from_slice(&piece[within..within + length]);
            } else {
                let at = offset + done;
                let synced = &mut state.synced;
                if synced.len() < at + length {
                    synced.resize(at + length, 0);
                }
                target.copy_from_slice(&synced[at..at + length]);
            }
            done += length;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.operate()?;
        state.length = length as usize;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.operate()?;
        state.flush();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.operate()?;
        let offset = offset as usize;
        let mut done = 0;
        while done < data.len() {
            let (number, within) = ((offset + done) / PIECE, (offset + done) % PIECE);
            let length = (PIECE - within).min(data.len() - done);
            let piece = state.piece(number);
            piece[within..within + length].copy_from_slice(&data[done..done + length]);
            done += length;
        }
        Ok(())
    }
}
