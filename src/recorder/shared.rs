//! Holds what the recorder's handles and its writer share.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use tokio::sync::broadcast;

use super::health::Counts;
use super::recent::Recent;
use crate::edge::store::StoreReader;
use crate::record::ExchangeRecord;

/// The receiving end of the queue.
pub(super) type Records = Receiver<Arc<ExchangeRecord>>;

/// What the recorder's handles and its writer share.
pub(super) struct Shared {
    pub(super) counts: Counts,
    pub(super) recent: Recent,
    pub(super) reader: Arc<StoreReader>,
    pub(super) feed: broadcast::Sender<Arc<ExchangeRecord>>,
    pub(super) stop: AtomicBool,
    pub(super) queue_max: usize,
    pub(super) batch_max: usize,
    pub(super) writer: OnceLock<Thread>,
}

impl Shared {
    pub(super) fn wake(&self) {
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
