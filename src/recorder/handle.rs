//! Takes records from the street without ever waiting.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::broadcast;

use crate::clock::Clock;
use crate::config::settings::StoreSettings;
use crate::edge::store::{Opened, Store, StoreError, StoreReader};
use crate::record::ExchangeRecord;

use super::health::{Counts, StoreHealth};
use super::recent::Recent;
use super::shared::Shared;
use super::writer::{Opener, Pace, Writer};

/// Where finished records go: clones are the same recorder.
#[derive(Clone)]
pub struct Recorder {
    queue: SyncSender<Arc<ExchangeRecord>>,
    shared: Arc<Shared>,
}

/// The writer at work: the recorder ends when this is shut down, or dropped.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

/// How long a job of the store's writer is waited for: a batch and a trim are before it.
const JOB_PATIENCE: Duration = Duration::from_secs(5);

/// Records that a slow subscriber may lag behind before it misses some: a full batch.
const FEED_RECORDS: usize = 4096;

impl Recorder {
    /// Opens the store of `settings` and starts its writer.
    pub fn start(
        settings: &StoreSettings,
        clock: Clock,
    ) -> Result<(Self, Running, Opened), StoreError> {
        let (of_store, of_clock) = (settings.clone(), clock.clone());
        let opener = Box::new(move || Store::open(&of_store, &of_clock));
        Self::start_with(opener, settings.queue_max, Pace::default(), clock)
    }

    /// Starts on a store in memory, gone with the recorder: for demos and tests.
    pub fn start_in_memory(
        settings: &StoreSettings,
        clock: Clock,
    ) -> Result<(Self, Running, Opened), StoreError> {
        let of_store = settings.clone();
        let opener = Box::new(move || Store::in_memory(&of_store));
        Self::start_with(opener, settings.queue_max, Pace::default(), clock)
    }

    /// Starts on the store that `opener` opens, again after each failure.
    pub fn start_with(
        mut opener: Opener,
        queue_max: usize,
        pace: Pace,
        clock: Clock,
    ) -> Result<(Self, Running, Opened), StoreError> {
        let (store, opened) = opener()?;
        let (queue, records) = mpsc::sync_channel(queue_max.max(1));
        let shared = Arc::new(Shared {
            counts: Counts::default(),
            recent: Recent::default(),
            reader: Arc::new(store.reader()?),
            feed: broadcast::Sender::new(FEED_RECORDS),
            stop: AtomicBool::new(false),
            jobs: Mutex::default(),
            queue_max: queue_max.max(1),
            batch_max: pace.records,
            writer: OnceLock::new(),
        });
        shared.counts.moved_aside(opened.moved_aside.clone());
        let writer = Writer::new(Arc::clone(&shared), records, opener, store, pace, clock);
        let running = Running::spawn(Arc::clone(&shared), writer)?;
        Ok((Self { queue, shared }, running, opened))
    }

    /// Hands over a finished record: never waits. Says whether there was room for it; where there
    /// was none, that is counted.
    pub fn offer(&self, record: ExchangeRecord) -> bool {
        let shared = &self.shared;
        // Before the disk and apart from it: a dead store must not blind the routing.
        shared.recent.fold(&record);
        let before = shared.counts.queued.fetch_add(1, Ordering::AcqRel);
        let room = before < shared.queue_max && self.queue.try_send(Arc::new(record)).is_ok();
        if !room {
            shared.counts.queued.fetch_sub(1, Ordering::AcqRel);
            shared
                .counts
                .dropped_queue_full
                .fetch_add(1, Ordering::Relaxed);
        }
        // The writer sleeps through a batch: it is woken for the first record and for a full one.
        if before == 0 || before + 1 == shared.batch_max {
            shared.wake();
        }
        room
    }

    /// The live feed: each record once it is on the disk.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<ExchangeRecord>> {
        self.shared.feed.subscribe()
    }

    /// How the store does.
    #[must_use]
    pub fn health(&self) -> StoreHealth {
        self.shared.counts.health()
    }

    /// Reads what is written. Blocks: on a runtime, call it where blocking is allowed.
    #[must_use]
    pub fn reader(&self) -> Arc<StoreReader> {
        Arc::clone(&self.shared.reader)
    }

    /// Has the one writer of the store do `work` between two batches, and waits for it: what it
    /// gives, or nothing where the store takes nothing now. Blocks.
    pub fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> T + Send + 'static,
    ) -> Option<T> {
        let (done, answer) = mpsc::sync_channel(1);
        let job = move |store: &mut Store| {
            // Nobody waits any more: the work is done all the same.
            let _ = done.send(work(store));
        };
        let shared = &self.shared;
        shared
            .jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Box::new(job));
        shared.wake();
        answer.recv_timeout(JOB_PATIENCE).ok()
    }

    /// What routes did lately.
    #[must_use]
    pub fn recent(&self) -> &Recent {
        &self.shared.recent
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

impl Running {
    fn spawn(shared: Arc<Shared>, writer: Writer) -> Result<Self, StoreError> {
        let thread = thread::Builder::new().name("recorder".to_owned());
        let path = writer.path();
        let handle = thread
            .spawn(move || writer.run())
            .map_err(|source| StoreError::Io { path, source })?;
        let _ = shared.writer.set(handle.thread().clone());
        Ok(Self {
            shared,
            writer: Some(handle),
        })
    }

    /// Writes what is queued, closes the store, and says how it did. Blocks for as long as that
    /// takes.
    pub fn shutdown(mut self) -> StoreHealth {
        self.stop();
        self.shared.counts.health()
    }

    fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(writer) = self.writer.take() {
            writer.thread().unpark();
            // Its panics are caught and counted; there is nothing to join but its end.
            let _ = writer.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
