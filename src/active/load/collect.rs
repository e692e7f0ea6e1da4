//! Takes the records of a load as they come: hands each on to be written, and keeps its numbers.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::sample::Sample;
use crate::record::{Active, ExchangeRecord, Name, Nanos, Outcome, PicoDollars, RateLimitHeader};

/// What was collected of a run so far, shared by whoever takes records and whoever runs it.
#[derive(Debug)]
pub struct Collected {
    run: Name,
    samples: Mutex<Vec<Sample>>,
    limits: Mutex<Vec<RateLimitHeader>>,
    fault: Mutex<Option<String>>,
    recorded: AtomicU64,
    failed: AtomicU64,
    spent: AtomicU64,
    latest_lag: AtomicU64,
}

impl Collected {
    /// Nothing yet of `run`.
    #[must_use]
    pub fn new(run: Name) -> Self {
        Self {
            run,
            samples: Mutex::default(),
            limits: Mutex::default(),
            fault: Mutex::default(),
            recorded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            spent: AtomicU64::new(0),
            latest_lag: AtomicU64::new(0),
        }
    }

    /// Takes a record, and has `write` write it down, unless it is not of this run or writing has
    /// failed before: then what was measured is kept here all the same.
    pub fn take(
        &self,
        record: &ExchangeRecord,
        write: &mut dyn FnMut(&ExchangeRecord) -> io::Result<()>,
    ) {
        let of_run = |active: &&Active| active.run == self.run;
        let Some(sample) = record
            .active
            .as_ref()
            .filter(of_run)
            .and_then(|_| Sample::of(record))
        else {
            return;
        };
        if lock(&self.fault).is_none()
            && let Err(error) = write(record)
        {
            self.fail(&error);
        }
        let headers = record.attempts.iter().rev();
        let mut headers = headers.map(|attempt| &attempt.rate_limits);
        if let Some(headers) = headers.find(|headers| !headers.is_empty()) {
            lock(&self.limits).clone_from(headers);
        }
        let add = |to: &AtomicU64, count: u64| to.fetch_add(count, Ordering::Relaxed);
        add(&self.spent, sample.cost.unwrap_or_default().0);
        add(&self.failed, u64::from(sample.outcome != Outcome::Ok));
        self.latest_lag.fetch_max(sample.lag().0, Ordering::Relaxed);
        lock(&self.samples).push(sample);
        add(&self.recorded, 1);
    }

    /// Records cannot be written any more.
    pub fn fail(&self, error: &io::Error) {
        *lock(&self.fault) = Some(error.to_string());
    }

    /// How many exchanges were recorded.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    /// How many of them failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// What they cost.
    #[must_use]
    pub fn spent(&self) -> PicoDollars {
        PicoDollars(self.spent.load(Ordering::Relaxed))
    }

    /// The largest lag since it was last asked for.
    #[must_use]
    pub fn take_lag(&self) -> Nanos {
        Nanos(self.latest_lag.swap(0, Ordering::Relaxed))
    }

    /// What was kept since it was last asked for.
    #[must_use]
    pub fn take_samples(&self) -> Vec<Sample> {
        std::mem::take(&mut *lock(&self.samples))
    }

    /// The last headers that told a limit, since they were last asked for.
    #[must_use]
    pub fn take_limits(&self) -> Vec<RateLimitHeader> {
        std::mem::take(&mut *lock(&self.limits))
    }

    /// Why records could not be written, where they could not.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        lock(&self.fault).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
