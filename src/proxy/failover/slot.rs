//! Gives each attempt its place in the record of the exchange, also while two of them run.

use std::sync::{Mutex, PoisonError};

use crate::proxy::settle::Exchange;
use crate::record::{AttemptRecord, ExchangeRecord};

/// The exchange, as its attempts reach it. Nobody waits for the lock: all run on one thread.
pub(super) type Draft<'e> = Mutex<&'e mut Exchange>;

/// The place of one attempt. Its record stands in the draft from the first moment on, so that it
/// is there whatever happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot<'a, 'e> {
    draft: &'a Draft<'e>,
    index: usize,
}

impl<'a, 'e> Slot<'a, 'e> {
    /// Puts `attempt` behind those before it, and lets `note` write into the exchange's record.
    pub(super) fn begin(
        draft: &'a Draft<'e>,
        make: impl FnOnce(&mut ExchangeRecord) -> AttemptRecord,
    ) -> Self {
        let index = with(draft, |record| {
            let attempt = make(record);
            record.attempts.push(attempt);
            record.attempts.len() - 1
        });
        Self {
            draft,
            index: index.unwrap_or_default(),
        }
    }

    /// Writes into the record of this attempt; an exchange that was settled has none any more.
    pub(super) fn note<R>(&self, note: impl FnOnce(&mut AttemptRecord) -> R) -> Option<R> {
        with(self.draft, |record| {
            record.attempts.get_mut(self.index).map(note)
        })
        .flatten()
    }

    /// Writes into the record of the whole exchange.
    pub(super) fn note_exchange<R>(
        &self,
        note: impl FnOnce(&mut ExchangeRecord) -> R,
    ) -> Option<R> {
        with(self.draft, note)
    }

    /// The attempt whose answer the client gets is the last of its exchange.
    pub(super) fn come_last(self) {
        with(self.draft, |record| {
            if self.index < record.attempts.len() {
                let attempt = record.attempts.remove(self.index);
                record.attempts.push(attempt);
            }
        });
    }
}

/// Writes into the record of the exchange.
pub(super) fn with<R>(draft: &Draft<'_>, note: impl FnOnce(&mut ExchangeRecord) -> R) -> Option<R> {
    let mut exchange = draft.lock().unwrap_or_else(PoisonError::into_inner);
    exchange.draft().map(note)
}
