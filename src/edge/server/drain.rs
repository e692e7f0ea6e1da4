//! Carries the word to stop from whoever gives it to every connection, and waits for them.

use tokio::sync::{mpsc, watch};

/// Held by every listener and connection: hears the word to stop, and by being dropped tells
/// that nothing is left to do.
#[derive(Debug, Clone)]
pub struct Drain {
    stopping: watch::Receiver<bool>,
    // Never sent on: the receiver's end closes when the last clone is gone.
    _alive: mpsc::Sender<()>,
}

/// Gives the word to stop and waits until every [`Drain`] is gone.
#[derive(Debug)]
pub struct Drained {
    stop: watch::Sender<bool>,
    all_gone: mpsc::Receiver<()>,
}

impl Drain {
    /// A pair of both ends.
    #[must_use]
    pub fn new() -> (Self, Drained) {
        let (stop, stopping) = watch::channel(false);
        let (alive, all_gone) = mpsc::channel(1);
        (Self { stopping, _alive: alive }, Drained { stop, all_gone })
    }

    /// Whether the word has been given.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Returns once the word has been given.
    pub async fn stopping(&self) {
        let mut stopping = self.stopping.clone();
        // An error means that the giver is gone, which is a word too.
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}

impl Drained {
    /// Gives the word without waiting.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Gives the word and returns once every holder is gone.
    pub async fn wait(&mut self) {
        self.stop();
        let _ = self.all_gone.recv().await;
    }
}
