//! Writes batches on a thread of its own, and opens the store again when it fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::Clock;
use crate::edge::store::{Opened, Store, StoreError};
use crate::record::{ExchangeRecord, Moment, WallTime};

use super::shared::Shared;
use super::sleep::{nanos, sleep};

/// Opens the store, at start and after each failure.
pub type Opener = Box<dyn FnMut() -> Result<(Store, Opened), StoreError> + Send>;

/// How the writer goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long the first record waits for others until they go to the journal together, at most:
    /// what the killing of the process may cost.
    pub gather: Duration,
    /// How long a batch waits for more once its first records are there, at most: with `gather`
    /// 100 ms. A commit costs the same whatever it holds.
    pub wait: Duration,
    /// How long the waiting and the commit of a batch may take together: what a loss of power may
    /// cost beyond `gather`. Where commits are slow of late, batches wait the less.
    pub age: Duration,
    /// Records of a batch at most.
    pub records: usize,
    /// First wait before the store is opened again; doubles with each failure.
    pub retry_min: Duration,
    /// Longest such wait.
    pub retry_max: Duration,
    /// Times that a batch is tried that the store will not take though it opens.
    pub tries: u32,
    /// Time between looks at what is too old.
    pub trim: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            gather: Duration::from_millis(40),
            wait: Duration::from_millis(60),
            age: Duration::from_millis(120),
            records: 4096,
            retry_min: Duration::from_millis(100),
            retry_max: Duration::from_secs(2),
            tries: 5,
            trim: Duration::from_mins(1),
        }
    }
}

impl Pace {
    /// How long a batch may wait where writing one may take as long as `slowest`.
    fn wait(&self, slowest: Duration) -> Duration {
        self.wait.min(self.age.saturating_sub(slowest))
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    opener: Opener,
    store: Option<Store>,
    pace: Pace,
    clock: Clock,
    path: PathBuf,
    /// Taken from the queue and not on the disk yet: kept over failures and panics.
    in_hand: Vec<Arc<ExchangeRecord>>,
    /// Times that the batch in hand failed for no reason that may heal.
    failed: u32,
    retry: Duration,
    next_trim: Moment,
    /// How long writing the last batch took.
    took: Duration,
    /// The same of the slowest of late: an eighth is forgotten with each batch.
    slowest: Duration,
    /// Date and moment of the start: a date that runs ahead of the clock removes nothing.
    started: (WallTime, Moment),
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        opener: Opener,
        store: Store,
        pace: Pace,
        clock: Clock,
    ) -> Self {
        Self {
            path: store.path().to_owned(),
            shared,
            opener,
            store: Some(store),
            pace,
            in_hand: Vec::new(),
            failed: 0,
            retry: pace.retry_min,
            next_trim: clock.now(),
            took: Duration::ZERO,
            slowest: Duration::ZERO,
            started: (clock.wall(), clock.now()),
            clock,
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Works until it is told to stop, and through every panic.
    pub(super) fn run(mut self) {
        while let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.work())) {
            self.shared.counts.panics.fetch_add(1, Ordering::Relaxed);
            let what = panic.downcast_ref::<&str>().copied().unwrap_or("a panic");
            self.fail(&format!("the writer failed: {what}"), false);
            // Closing a store that panicked may panic, too.
            let store = self.store.take();
            let _ = catch_unwind(AssertUnwindSafe(|| drop(store)));
        }
        // Records offered from now on have nobody to write them.
        self.shared.counts.stopped();
    }

    fn work(&mut self) {
        while !self.is_stopping() {
            self.await_batch();
            self.write_batch();
            self.do_jobs();
            self.trim();
        }
        self.flush();
        self.do_jobs();
        self.shared.inbox().end();
        self.store = None;
    }

    /// Waits for a first record, then as long as the batch may grow. What failed waits here for
    /// its next try.
    fn await_batch(&mut self) {
        if !self.in_hand.is_empty() || self.store.is_none() {
            self.sleep(self.retry, |_| false);
            self.retry = (self.retry * 2).min(self.pace.retry_max);
            return;
        }
        // Records that came while the last batch was written have waited for as long as that took.
        let waited = if ready(&self.shared) > 0 {
            self.took
        } else {
            Duration::ZERO
        };
        // Nothing to do until a record comes, but to look at what is too old.
        self.sleep(self.pace.trim, |shared| {
            ready(shared) > 0 || shared.has_jobs()
        });
        let full = self.pace.records;
        let wait = self.pace.wait(self.slowest).saturating_sub(waited);
        self.sleep(wait, |shared| ready(shared) == 0 || ready(shared) >= full);
    }

    /// Sleeps for `span`, or until it is `enough`, or time to stop.
    fn sleep(&self, span: Duration, enough: impl Fn(&Shared) -> bool) {
        sleep(&self.clock, span, || {
            self.is_stopping() || enough(&self.shared)
        });
    }

    fn write_batch(&mut self) {
        self.take_batch();
        if !self.open() || self.in_hand.is_empty() {
            return;
        }
        let began = self.clock.now();
        let appended = match &mut self.store {
            Some(store) => store.append(&self.in_hand),
            None => return,
        };
        self.took = Duration::from_nanos(self.clock.now().since(began).0);
        self.slowest = self.took.max(self.slowest.saturating_sub(self.slowest / 8));
        match appended {
            Ok(_) => self.acknowledge(),
            Err(error) => {
                tracing::warn!(%error, "the store failed and is opened again");
                self.store = None;
                self.fail(&error.to_string(), error.may_heal());
            }
        }
    }

    /// Does what others asked of the store. Without one the jobs are dropped, which tells whoever
    /// waits for them.
    fn do_jobs(&mut self) {
        for job in self.shared.take_jobs() {
            if let Some(store) = &mut self.store {
                job(store);
            }
        }
    }

    fn take_batch(&mut self) {
        let before = self.in_hand.len();
        let room = self.pace.records.saturating_sub(before);
        self.in_hand.extend(self.shared.inbox().take(room));
        let taken = self.in_hand.len() - before;
        self.shared.ready.fetch_sub(taken, Ordering::AcqRel);
        self.shared.counts.queued.fetch_sub(taken, Ordering::AcqRel);
    }

    /// Whether there is a store to write to, after trying to open one.
    fn open(&mut self) -> bool {
        if self.store.is_some() {
            return true;
        }
        match (self.opener)() {
            Ok((store, opened)) => {
                let counts = &self.shared.counts;
                counts.reopened.fetch_add(1, Ordering::Relaxed);
                if let Some(aside) = &opened.moved_aside {
                    tracing::error!(path = %aside.display(), "the store was damaged and moved aside");
                }
                counts.moved_aside(opened.moved_aside);
                if self.in_hand.is_empty() {
                    // Otherwise the batch tells.
                    self.heal();
                }
                self.shared.inbox().adopt(&store);
                self.store = Some(store);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the store cannot be opened");
                // A store that does not open says nothing about the batch.
                self.fail(&error.to_string(), true);
                false
            }
        }
    }

    /// The batch is on the disk: only now it is shown.
    fn acknowledge(&mut self) {
        let counts = &self.shared.counts;
        tracing::debug!(records = self.in_hand.len(), "committed");
        self.shared.inbox().forget();
        // Before it is counted: whoever sees it written sees the store well.
        self.heal();
        counts
            .written
            .fetch_add(self.in_hand.len() as u64, Ordering::Release);
        self.failed = 0;
        self.retry = self.pace.retry_min;
        if self.shared.feed.receiver_count() == 0 {
            self.in_hand.clear();
            return;
        }
        for record in self.in_hand.drain(..) {
            // Nobody listens any more: that is no failure.
            let _ = self.shared.feed.send(record);
        }
    }

    /// Records reach the disk; where they did not, whoever reads the log hears what it cost.
    fn heal(&self) {
        let counts = &self.shared.counts;
        if counts.well() {
            let dropped = counts.health().dropped();
            tracing::info!(dropped, "the store takes records again");
        }
    }

    /// The batch stays in hand for another try, unless it was tried enough.
    fn fail(&mut self, reason: &str, may_heal: bool) {
        self.shared.counts.degraded(self.clock.wall(), reason);
        self.failed += u32::from(!may_heal);
        if self.failed >= self.pace.tries {
            self.drop_batch();
        }
    }

    fn drop_batch(&mut self) {
        let dropped = self.in_hand.len() as u64;
        self.shared
            .counts
            .dropped_store_failed
            .fetch_add(dropped, Ordering::Relaxed);
        self.in_hand.clear();
        self.shared.inbox().forget();
        self.failed = 0;
    }

    /// Writes everything that is left; what fails twice now is dropped.
    fn flush(&mut self) {
        loop {
            self.take_batch();
            if self.in_hand.is_empty() {
                return;
            }
            self.write_batch();
            if !self.in_hand.is_empty() {
                self.write_batch();
            }
            if !self.in_hand.is_empty() {
                self.drop_batch();
            }
        }
    }

    fn trim(&mut self) {
        let now = self.clock.now();
        let Some(store) = self.store.as_mut().filter(|_| now >= self.next_trim) else {
            return;
        };
        let (wall, moment) = self.started;
        let passed = i64::try_from(now.since(moment).0 / 1_000_000_000).unwrap_or(i64::MAX);
        // A day over what has passed allows for suspended machines and corrected clocks, and not
        // for a clock that jumps a year and would take all records with it.
        let latest = wall.plus_secs(passed.saturating_add(86_400));
        match store.trim(self.clock.wall().min(latest)) {
            Ok(trimmed) => {
                self.shared
                    .counts
                    .trimmed
                    .fetch_add(trimmed.records, Ordering::Relaxed);
                if !trimmed.more {
                    self.next_trim = now.plus(nanos(self.pace.trim));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "old records could not be removed");
                self.store = None;
                self.next_trim = now.plus(nanos(self.pace.trim));
                self.shared
                    .counts
                    .degraded(self.clock.wall(), &error.to_string());
            }
        }
    }

    fn is_stopping(&self) -> bool {
        self.shared.close.load(Ordering::Acquire)
    }
}

fn ready(shared: &Shared) -> usize {
    shared.ready.load(Ordering::Acquire)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_waits_the_less_the_slower_the_disk_is() {
        let pace = Pace::default();
        for (slowest, wait) in [(0, 60), (60, 60), (75, 45), (120, 0), (3_000, 0)] {
            let span = pace.wait(Duration::from_millis(slowest));
            assert_eq!(span, Duration::from_millis(wait), "{slowest}");
        }
    }
}
