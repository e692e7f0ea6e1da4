//! Gives each attempt its place in the record of the exchange, also while two of them run.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::proxy::booking::Booking;
use crate::proxy::settle::Exchange;
use crate::record::{AttemptRecord, ExchangeRecord, Mark};

/// The exchange, as its attempts reach it. Nobody waits for the lock: all run on one thread.
pub(super) type Draft<'e> = Mutex<&'e mut Exchange>;

/// Whether another attempt runs beside one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// None was begun.
    Nobody,
    /// It may be first yet.
    AtWork,
    /// It failed.
    Over,
}

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
        let mut exchange = lock(draft);
        let attempt = exchange.draft().map(make);
        let index = attempt.and_then(|attempt| exchange.begin_attempt(attempt));
        Self {
            draft,
            index: index.unwrap_or_default(),
        }
    }

    /// Its place in the record.
    pub(super) const fn place(self) -> usize {
        self.index
    }

    /// What became of the attempt that was begun beside this one.
    pub(super) fn beside(self) -> Beside {
        let is_over = |of: &AttemptRecord| of.timeline.get(Mark::Closed).is_some();
        let found = with(self.draft, |record| {
            match record.attempts.get(self.index + 1..) {
                None | Some([]) => Beside::Nobody,
                Some(later) if later.iter().all(is_over) => Beside::Over,
                Some(_) => Beside::AtWork,
            }
        });
        found.unwrap_or(Beside::Nobody)
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

    /// The attempt whose answer the client gets is the last of its exchange. `spoke` says that it
    /// was held until its first token, and that this has come.
    pub(super) fn come_last(self, spoke: bool) {
        let mut exchange = lock(self.draft);
        exchange.answer_begins(self.index, spoke);
        exchange.put_last(self.index);
    }

    /// What was booked for it is to be settled with its exchange.
    pub(super) fn book(self, booking: Booking) {
        lock(self.draft).book(booking);
    }

    /// The attempt is over, and its answer nobody's.
    pub(super) fn lose(self) {
        lock(self.draft).lose_attempt(self.index);
    }
}

/// Writes into the record of the exchange.
pub(super) fn with<R>(draft: &Draft<'_>, note: impl FnOnce(&mut ExchangeRecord) -> R) -> Option<R> {
    lock(draft).draft().map(note)
}

/// Whether the client has left, where work goes on without it.
pub(super) fn has_left(draft: &Draft<'_>) -> bool {
    lock(draft).left_at().is_some()
}

fn lock<'a, 'e>(draft: &'a Draft<'e>) -> MutexGuard<'a, &'e mut Exchange> {
    draft.lock().unwrap_or_else(PoisonError::into_inner)
}
