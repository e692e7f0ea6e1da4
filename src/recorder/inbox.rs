//! Holds records that are in the journal and wait for the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::edge::store::{Journal, Store};
use crate::record::ExchangeRecord;

/// Records on their way to the writer.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    records: Vec<Arc<ExchangeRecord>>,
    /// A store without a file has none.
    journal: Option<Journal>,
}

impl Inbox {
    pub(super) fn new(journal: Option<Journal>) -> Self {
        Self {
            records: Vec::new(),
            journal,
        }
    }

    /// Takes records in, written down first. Says why they could not be, where they could until
    /// now.
    pub(super) fn add(&mut self, records: &mut Vec<Arc<ExchangeRecord>>) -> Result<(), String> {
        let journal = &mut self.journal;
        let written = catch_unwind(AssertUnwindSafe(|| {
            journal
                .as_mut()
                .map_or(Ok(()), |journal| journal.add(records))
        }));
        self.records.append(records);
        match written {
            Ok(written) => written.map_err(|error| error.to_string()),
            Err(_) => Err("writing it panicked".to_owned()),
        }
    }

    /// Whether the records that wait are written down: a store without a file asks for nothing.
    pub(super) fn is_kept(&self) -> bool {
        self.journal.as_ref().is_none_or(Journal::is_kept)
    }

    /// Hands over at most `count` records. Where none is left behind, the journal turns: what it
    /// holds is all in the writer's hand.
    pub(super) fn take(&mut self, count: usize) -> impl Iterator<Item = Arc<ExchangeRecord>> {
        let taken = self.records.len().min(count);
        if taken == self.records.len()
            && let Some(journal) = &mut self.journal
        {
            journal.turn();
        }
        self.records.drain(..taken)
    }

    /// What the writer had in hand is committed, or dropped.
    pub(super) fn forget(&mut self) {
        if let Some(Err(error)) = self.journal.as_mut().map(Journal::forget) {
            tracing::warn!(%error, "the journal cannot be emptied");
        }
    }

    /// Another file took the store's place: its journal is another one.
    pub(super) fn adopt(&mut self, store: &Store) {
        let is_other = |journal: &mut Journal| !store.owns(journal);
        if let Some(journal) = self.journal.take_if(is_other) {
            journal.end();
            self.journal = store.journal();
        }
    }

    /// Everything is committed.
    pub(super) fn end(&mut self) {
        if let Some(journal) = self.journal.take() {
            journal.end();
        }
    }
}
