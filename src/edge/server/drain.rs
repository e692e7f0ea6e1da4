//! Carries the word to stop from whoever gives it to every listener and connection.

use std::time::Duration;

use tokio::sync::watch;

/// How long a connection may take to tell its client that it ends, once work is dropped.
pub const LAST_WORDS: Duration = Duration::from_millis(250);

/// How far stopping has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serving,
    Draining,
    Aborting,
}

/// Hears the word to stop.
#[derive(Debug, Clone)]
pub struct Drain(watch::Receiver<Stage>);

/// Gives the word to stop.
#[derive(Debug)]
pub struct Stop(watch::Sender<Stage>);

impl Drain {
    /// A pair of both ends.
    #[must_use]
    pub fn new() -> (Self, Stop) {
        let (stop, stage) = watch::channel(Stage::Serving);
        (Self(stage), Stop(stop))
    }

    /// Whether the word has been given.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow() > Stage::Serving
    }

    /// Returns once no new work is to be begun.
    pub async fn stopping(&self) {
        self.reached(Stage::Draining).await;
    }

    /// Returns once work that is still going on is to be dropped: who carries a stream that can say so has [`LAST_WORDS`] for it.
    pub async fn aborting(&self) {
        self.reached(Stage::Aborting).await;
    }

    async fn reached(&self, stage: Stage) {
        // An error means that the giver is gone, which is a word too.
        let _ = self.0.clone().wait_for(|now| *now >= stage).await;
    }
}

impl Stop {
    /// No new work; what is going on may finish.
    pub fn drain(&self) {
        self.0.send_if_modified(|stage| {
            let first = *stage == Stage::Serving;
            if first {
                *stage = Stage::Draining;
            }
            first
        });
    }

    /// What is still going on is dropped within [`LAST_WORDS`], and settled as such.
    pub fn abort(&self) {
        self.0.send_replace(Stage::Aborting);
    }
}
