//! Tells how the store does: for the page, for metrics, for readiness.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::record::WallTime;

/// Whether records reach the disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// They do.
    #[default]
    Ok,
    /// They do not; traffic goes on, and the store is tried again.
    Degraded {
        /// Since when.
        since: WallTime,
        /// Why, in words that say what to do.
        reason: String,
    },
    /// The recorder was stopped.
    Stopped,
}

/// How the store does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreHealth {
    /// Whether records reach the disk.
    pub state: State,
    /// Records on the disk.
    pub written: u64,
    /// Records dropped because the queue was full.
    pub dropped_queue_full: u64,
    /// Records dropped because the store would not take them.
    pub dropped_store_failed: u64,
    /// Records that were in no journal before their commit: a crash would have cost them.
    pub unjournaled: u64,
    /// Times that the store was opened again.
    pub reopened: u64,
    /// Panics of the writer that were caught.
    pub panics: u64,
    /// Records that retention removed.
    pub trimmed: u64,
    /// Records that wait.
    pub queue_len: usize,
    /// The damaged file that was moved aside, the latest one.
    pub moved_aside: Option<PathBuf>,
    /// Why the store last failed, also where it has healed since or was closed.
    pub last_failure: Option<String>,
}

impl StoreHealth {
    /// Records dropped for any reason.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped_queue_full + self.dropped_store_failed
    }

    /// Whether records reach the disk.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        matches!(self.state, State::Ok)
    }
}

/// The counts behind [`StoreHealth`], written by whoever counts.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) written: AtomicU64,
    pub(super) dropped_queue_full: AtomicU64,
    pub(super) dropped_store_failed: AtomicU64,
    pub(super) unjournaled: AtomicU64,
    pub(super) reopened: AtomicU64,
    pub(super) panics: AtomicU64,
    pub(super) trimmed: AtomicU64,
    pub(super) queued: AtomicUsize,
    /// Written by the writer, read by who asks: never on the way of an exchange.
    told: Mutex<Told>,
}

/// What is told in words.
#[derive(Debug, Clone, Default)]
struct Told {
    state: State,
    moved_aside: Option<PathBuf>,
    last_failure: Option<String>,
}

impl Counts {
    pub(super) fn health(&self) -> StoreHealth {
        let Told {
            state,
            moved_aside,
            last_failure,
        } = self.told().clone();
        StoreHealth {
            state,
            written: self.written.load(Relaxed),
            dropped_queue_full: self.dropped_queue_full.load(Relaxed),
            dropped_store_failed: self.dropped_store_failed.load(Relaxed),
            unjournaled: self.unjournaled.load(Relaxed),
            reopened: self.reopened.load(Relaxed),
            panics: self.panics.load(Relaxed),
            trimmed: self.trimmed.load(Relaxed),
            queue_len: self.queued.load(Relaxed),
            moved_aside,
            last_failure,
        }
    }

    /// Records reach the disk. Says whether they did not before.
    pub(super) fn well(&self) -> bool {
        let before = std::mem::take(&mut self.told().state);
        matches!(before, State::Degraded { .. })
    }

    /// They do not, since `now` unless they did not before.
    pub(super) fn degraded(&self, now: WallTime, reason: &str) {
        let mut told = self.told();
        let since = match told.state {
            State::Degraded { since, .. } => since,
            _ => now,
        };
        told.state = State::Degraded {
            since,
            reason: reason.to_owned(),
        };
        told.last_failure = Some(reason.to_owned());
    }

    pub(super) fn stopped(&self) {
        self.told().state = State::Stopped;
    }

    pub(super) fn moved_aside(&self, path: Option<PathBuf>) {
        if path.is_some() {
            self.told().moved_aside = path;
        }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
