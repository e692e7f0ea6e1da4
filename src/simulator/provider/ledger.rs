//! Keeps the last truths, found by either of their ids.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::simulator::truth::Truth;

/// A truth that is still being written.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenTruth(Arc<Mutex<Truth>>);

impl OpenTruth {
    /// Opens one.
    pub(super) fn new(truth: Truth) -> Self {
        Self(Arc::new(Mutex::new(truth)))
    }

    /// The truth, for a short change: no await while it is held.
    pub(super) fn lock(&self) -> MutexGuard<'_, Truth> {
        // A poisoned truth is still the truth: nothing in it can be half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last truths, found by either of their ids.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    kept: VecDeque<OpenTruth>,
    by_id: HashMap<String, OpenTruth>,
    requests: u64,
}

impl Ledger {
    /// Truths kept.
    pub(super) const TRUTHS_MAX: usize = 4096;

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a truth, and lets the oldest go where there are too many.
    pub(super) fn keep(&self, truth: Truth) -> OpenTruth {
        let (id, sim_id) = (tail(&truth.id).to_owned(), truth.sim_id.clone());
        let open = OpenTruth::new(truth);
        let mut inner = self.inner();
        inner.requests += 1;
        inner.by_id.insert(id, open.clone());
        if let Some(sim_id) = sim_id {
            inner.by_id.insert(sim_id, open.clone());
        }
        inner.kept.push_back(open.clone());
        if inner.kept.len() > Self::TRUTHS_MAX
            && let Some(oldest) = inner.kept.pop_front()
        {
            inner.forget(&oldest);
        }
        open
    }

    /// The truth of that id: an `x-sim-id`, or any id that ends as the completion's does.
    pub(super) fn find(&self, id: &str) -> Option<Truth> {
        let inner = self.inner();
        let open = inner.by_id.get(id).or_else(|| inner.by_id.get(tail(id)));
        let open = open.cloned();
        drop(inner);
        open.map(|open| open.lock().clone())
    }

    /// All truths kept, oldest first.
    pub(super) fn all(&self) -> Vec<Truth> {
        let kept: Vec<OpenTruth> = self.inner().kept.iter().cloned().collect();
        kept.iter().map(|open| open.lock().clone()).collect()
    }

    /// Requests ever received.
    pub(super) fn requests(&self) -> u64 {
        self.inner().requests
    }

    /// The ids kept, oldest first, as a JSON object.
    pub(super) fn index(&self) -> String {
        let mut text = format!("{{\"requests\":{},\"ids\":[", self.requests());
        for (place, truth) in self.all().iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}{}", Value::from(truth.id.as_str()));
        }
        text.push_str("]}");
        text
    }
}

/// What the ids of one exchange have in common: `chatcmpl-sim-4100-7`, `req_sim-4100-7`.
fn tail(id: &str) -> &str {
    id.rsplit_once("sim-").map_or(id, |(_, tail)| tail)
}

impl Inner {
    fn forget(&mut self, oldest: &OpenTruth) {
        let truth = oldest.lock();
        for id in [Some(tail(&truth.id)), truth.sim_id.as_deref()]
            .into_iter()
            .flatten()
        {
            // A later request may have used the same id: the entry is then its own.
            let same = |open: &OpenTruth| Arc::ptr_eq(&open.0, &oldest.0);
            if self.by_id.get(id).is_some_and(same) {
                self.by_id.remove(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_is_bounded_and_forgets_the_oldest() {
        let ledger = Ledger::default();
        for number in 0..Ledger::TRUTHS_MAX + 3 {
            ledger.keep(Truth {
                id: format!("id-{number}"),
                sim_id: Some("same".into()),
                ..Truth::default()
            });
        }
        assert!(ledger.find("id-2").is_none());
        assert!(ledger.find("id-3").is_some());
        let last = format!("id-{}", Ledger::TRUTHS_MAX + 2);
        assert_eq!(ledger.find("same").unwrap().id, last);
        assert_eq!(ledger.all().len(), Ledger::TRUTHS_MAX);
        assert_eq!(ledger.requests() as usize, Ledger::TRUTHS_MAX + 3);
    }
}
