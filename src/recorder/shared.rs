//! Holds what the recorder's handles and its writer share.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;

use tokio::sync::broadcast;

use super::health::Counts;
use super::inbox::Inbox;
use super::recent::Recent;
use crate::edge::store::{Store, StoreReader};
use crate::record::ExchangeRecord;

/// The receiving end of the queue.
pub(super) type Records = Receiver<Arc<ExchangeRecord>>;

/// Something that only the one writer can do with the store.
pub(super) type Job = Box<dyn FnOnce(&mut Store) + Send>;

/// What the recorder's handles and its writer share.
pub(super) struct Shared {
    pub(super) counts: Counts,
    pub(super) recent: Recent,
    pub(super) reader: Arc<StoreReader>,
    pub(super) feed: broadcast::Sender<Arc<ExchangeRecord>>,
    /// No more records are taken in.
    pub(super) stop: AtomicBool,
    /// All records are taken in: the writer is to write them and end.
    pub(super) close: AtomicBool,
    /// Records offered that are not taken in yet.
    pub(super) unread: AtomicUsize,
    /// Records that wait in the inbox.
    pub(super) ready: AtomicUsize,
    /// Between the two threads: no worker waits for it.
    pub(super) inbox: Mutex<Inbox>,
    /// Jobs that wait for the writer: few, and none of them on the way of a request.
    pub(super) jobs: Mutex<Vec<Job>>,
    pub(super) queue_max: usize,
    pub(super) batch_max: usize,
    pub(super) intake: OnceLock<Thread>,
    pub(super) writer: OnceLock<Thread>,
}

impl Shared {
    /// Takes the jobs that wait.
    pub(super) fn take_jobs(&self) -> Vec<Job> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *jobs)
    }

    pub(super) fn has_jobs(&self) -> bool {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        !jobs.is_empty()
    }

    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake_intake(&self) {
        if let Some(intake) = self.intake.get() {
            intake.unpark();
        }
    }

    pub(super) fn wake_writer(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}
