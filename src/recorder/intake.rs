//! Takes finished records from the street's queue into the journal, and from there to the inbox.
//!
//! A thread of its own does it: the writer waits for the disk, and what ends meanwhile is to
//! outlive a kill, too.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::Clock;
use crate::record::ExchangeRecord;

use super::shared::{Records, Shared};
use super::sleep::sleep;

/// The thread that takes records in.
pub(super) struct Intake {
    pub(super) shared: Arc<Shared>,
    pub(super) records: Records,
    pub(super) clock: Clock,
    /// How long the first record waits for others.
    pub(super) gather: Duration,
    /// The longest that it waits for a first one.
    pub(super) idle: Duration,
}

impl Intake {
    /// Works until the recorder is told to stop and the queue is empty.
    pub(super) fn run(self) {
        let shared = &self.shared;
        let is_stopping = || shared.stop.load(Ordering::Acquire);
        let unread = || shared.unread.load(Ordering::Acquire);
        let mut batch = Vec::new();
        while !is_stopping() {
            sleep(&self.clock, self.idle, || is_stopping() || unread() > 0);
            let full = shared.batch_max;
            sleep(&self.clock, self.gather, || {
                is_stopping() || unread() == 0 || unread() >= full
            });
            self.take_in(&mut batch);
        }
        self.take_in(&mut batch);
    }

    fn take_in(&self, batch: &mut Vec<Arc<ExchangeRecord>>) {
        loop {
            batch.extend(self.records.try_iter().take(self.shared.batch_max));
            let taken = batch.len();
            if taken == 0 {
                return;
            }
            self.shared.unread.fetch_sub(taken, Ordering::AcqRel);
            let mut inbox = self.shared.inbox();
            if let Err(why) = inbox.add(batch) {
                tracing::warn!(%why, "the journal is given up until the next commit: a crash would cost more");
            }
            let kept = inbox.is_kept();
            // Counted before the writer can take them: it counts them off again.
            let before = self.shared.ready.fetch_add(taken, Ordering::AcqRel);
            drop(inbox);
            let counts = &self.shared.counts;
            if !kept {
                counts
                    .unjournaled
                    .fetch_add(taken as u64, Ordering::Relaxed);
            }
            if before == 0 || before + taken >= self.shared.batch_max {
                self.shared.wake_writer();
            }
        }
    }
}
