//! Takes records from the street without ever waiting.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
use super::inbox::Inbox;
use super::intake::Intake;
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
    intake: Option<JoinHandle<()>>,
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
        let mut is_first = true;
        let opener = Box::new(move || {
            if std::mem::take(&mut is_first) {
                return Store::open(&of_store, &of_clock);
            }
            // From now on the journal is this process's own.
            Store::open_again(&of_store, &of_clock)
        });
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
            close: AtomicBool::new(false),
            unread: AtomicUsize::new(0),
            ready: AtomicUsize::new(0),
            inbox: Mutex::new(Inbox::new(store.journal())),
            jobs: Mutex::default(),
            queue_max: queue_max.max(1),
            batch_max: pace.records,
            intake: OnceLock::new(),
            writer: OnceLock::new(),
        });
        shared.counts.moved_aside(opened.moved_aside.clone());
        let intake = Intake {
            shared: Arc::clone(&shared),
            records,
            clock: clock.clone(),
            gather: pace.gather,
            idle: pace.trim,
        };
        let writer = Writer::new(Arc::clone(&shared), opener, store, pace, clock);
        let running = Running::spawn(Arc::clone(&shared), intake, writer)?;
        Ok((Self { queue, shared }, running, opened))
    }

    /// Hands over a finished record: never waits. Says whether there was room for it; where there
    /// was none, that is counted.
    pub fn offer(&self, record: ExchangeRecord) -> bool {
        let shared = &self.shared;
        // Before the disk and apart from it: a dead store must not blind the routing.
        shared.recent.fold(&record);
        let before = shared.counts.queued.fetch_add(1, Ordering::AcqRel);
        let unread = shared.unread.fetch_add(1, Ordering::AcqRel);
        let room = before < shared.queue_max && self.queue.try_send(Arc::new(record)).is_ok();
        if !room {
            shared.unread.fetch_sub(1, Ordering::AcqRel);
            shared.counts.queued.fetch_sub(1, Ordering::AcqRel);
            shared
                .counts
                .dropped_queue_full
                .fetch_add(1, Ordering::Relaxed);
        }
        // Who takes them in sleeps while they gather: the first one wakes it, and a full batch.
        if unread == 0 || unread + 1 == shared.batch_max {
            shared.wake_intake();
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
        shared.wake_writer();
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
    fn spawn(shared: Arc<Shared>, intake: Intake, writer: Writer) -> Result<Self, StoreError> {
        let path = writer.path();
        let mut running = Self {
            shared,
            intake: None,
            writer: None,
        };
        let failed = |source| StoreError::Io { path, source };
        let spawned = running.spawn_both(intake, writer);
        spawned.map(|()| running).map_err(failed)
    }

    fn spawn_both(&mut self, intake: Intake, writer: Writer) -> io::Result<()> {
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        let handle = thread("recorder").spawn(move || writer.run())?;
        let _ = self.shared.writer.set(handle.thread().clone());
        self.writer = Some(handle);
        let handle = thread("journal").spawn(move || intake.run())?;
        let _ = self.shared.intake.set(handle.thread().clone());
        self.intake = Some(handle);
        Ok(())
    }

    /// Writes what is queued, closes the store, and says how it did. Blocks for as long as that
    /// takes.
    pub fn shutdown(mut self) -> StoreHealth {
        self.stop();
        self.shared.counts.health()
    }

    fn stop(&mut self) {
        // First who takes records in, then who writes them: none is left between the two.
        self.shared.stop.store(true, Ordering::Release);
        if let Some(intake) = self.intake.take() {
            intake.thread().unpark();
            let _ = intake.join();
        }
        self.shared.close.store(true, Ordering::Release);
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
