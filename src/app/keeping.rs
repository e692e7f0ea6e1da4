//! Keeps what is known of the routes: every minute, and when the program stops.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::fault::AppFault;
use crate::proxy::Shared;
use crate::recorder::{Recorder, kept};

/// How often it is written, where there was traffic.
const EVERY: Duration = Duration::from_mins(1);

/// The one who keeps. It must be stopped before the recorder is.
#[derive(Debug)]
pub(super) struct Keeping {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Keeping {
    pub(super) fn start(shared: Arc<Shared>, recorder: Recorder) -> Result<Self, AppFault> {
        let (stop, stopped) = mpsc::channel();
        let keep = move || {
            recall_spending(&shared, &recorder);
            let mut settled_before = 0;
            loop {
                let stops = stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout);
                let (_, settled) = shared.counts();
                // Without traffic nothing changes but its age, which its date tells.
                if settled > settled_before {
                    let now = (shared.clock.now(), shared.clock.wall());
                    if kept::write(&recorder, &shared.settler.standing, now) {
                        settled_before = settled;
                    }
                }
                if stops {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("keeping".to_owned())
            .spawn(keep)
            .map_err(|error| AppFault::Runtime(format!("cannot start a thread: {error}")))?;
        Ok(Self { stop, thread })
    }

    /// Writes once more, and ends.
    pub(super) fn stop(self) {
        // Whoever has ended already has nothing left to write.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

/// The records in the store know of money that was spent after what was kept was written. Both are
/// part of what was spent, never more: the larger one counts.
fn recall_spending(shared: &Shared, recorder: &Recorder) {
    let now = shared.clock.wall();
    match kept::spent(&recorder.reader(), now) {
        Ok(sum) => {
            let standing = &shared.settler.standing;
            standing.with(|board| board.spending.at_least(sum, now));
        }
        Err(error) => {
            tracing::warn!(%error, "what this month has cost cannot be read from the store");
        }
    }
}
