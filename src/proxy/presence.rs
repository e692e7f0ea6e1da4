//! Knows whether the client of an exchange is still there, where its work may go on without it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::record::{Moment, Nanos};

/// Whether a client has left, shared by whoever notices it and whoever works on.
#[derive(Debug, Clone, Default)]
pub(super) struct Presence(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    left: OnceLock<Moment>,
    word: Notify,
}

impl Presence {
    /// When the client left; absent while it is there.
    #[must_use]
    pub(super) fn left_at(&self) -> Option<Moment> {
        self.0.left.get().copied()
    }

    /// Returns once the client has been gone for `time`; never while it is there.
    pub(super) async fn overdue(&self, time: Duration, clock: &Clock) {
        let left = loop {
            // Asked for before looking: a word given in between is not lost.
            let word = self.0.word.notified();
            if let Some(left) = self.left_at() {
                break left;
            }
            word.await;
        };
        let over = left.plus(Nanos(time.as_nanos() as u64));
        tokio::time::sleep(Duration::from_nanos(over.since(clock.now()).0)).await;
    }
}

/// Notices that a client leaves before its answer has begun: it is dropped with the connection.
#[derive(Debug)]
pub(super) struct Watch {
    presence: Presence,
    clock: Clock,
    answered: bool,
}

impl Watch {
    /// Watches for `presence`.
    #[must_use]
    pub(super) const fn new(presence: Presence, clock: Clock) -> Self {
        Self {
            presence,
            clock,
            answered: false,
        }
    }

    /// The answer has begun: from now on whoever carries its body notices.
    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        let inner = &self.presence.0;
        let _ = inner.left.set(self.clock.now());
        // One task at most waits for it; the word is kept for it if it does not wait yet.
        inner.word.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is overdue at once: nothing is waited for.
    async fn is_overdue(presence: &Presence, clock: &Clock) -> bool {
        tokio::select! {
            biased;
            () = presence.overdue(Duration::ZERO, clock) => true,
            () = tokio::task::yield_now() => false,
        }
    }

    #[tokio::test]
    async fn only_who_has_left_is_overdue() {
        let clock = Clock::system();
        let presence = Presence::default();
        assert!(!is_overdue(&presence, &clock).await);
        Watch::new(presence.clone(), clock.clone()).answered();
        assert_eq!(presence.left_at(), None, "its answer has begun");
        assert!(!is_overdue(&presence, &clock).await);
        drop(Watch::new(presence.clone(), clock.clone()));
        assert!(presence.left_at().is_some());
        presence.overdue(Duration::ZERO, &clock).await;
    }
}
