//! Collects the records that a node offers, and waits for one with a deadline.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tollgate::record::ExchangeRecord;

/// How long a record is waited for: far longer than any busy machine delays one.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Every record offered, in the order in which they came.
#[derive(Default)]
pub(crate) struct Records {
    list: Mutex<Vec<ExchangeRecord>>,
    news: Condvar,
    forgotten: AtomicU64,
}

impl Records {
    fn list(&self) -> MutexGuard<'_, Vec<ExchangeRecord>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one more.
    pub(crate) fn offer(&self, record: ExchangeRecord) {
        self.list().push(record);
        self.news.notify_all();
    }

    /// All that came so far.
    pub(crate) fn all(&self) -> Vec<ExchangeRecord> {
        self.list().clone()
    }

    /// Takes all out, and counts them: for tests of so many exchanges that the list would be
    /// the memory.
    pub(crate) fn take(&self) -> Vec<ExchangeRecord> {
        let mut list = self.list();
        let taken = std::mem::take(&mut *list);
        self.forgotten
            .fetch_add(taken.len() as u64, Ordering::Relaxed);
        taken
    }

    /// Records ever offered.
    pub(crate) fn count(&self) -> u64 {
        self.list().len() as u64 + self.forgotten.load(Ordering::Relaxed)
    }

    /// The record with this tag, as soon as it comes.
    pub(crate) fn tagged(&self, tag: &str) -> ExchangeRecord {
        let has = |record: &&ExchangeRecord| record.tags.iter().any(|own| own.as_str() == tag);
        let deadline = Instant::now() + PATIENCE;
        let mut list = self.list();
        loop {
            if let Some(record) = list.iter().find(has) {
                return record.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "no record with the tag {tag} within {PATIENCE:?}"
            );
            list = self
                .news
                .wait_timeout(list, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// Looks again and again until `found` has something, or fails the test.
pub(crate) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
