//! Runs the probes of idle routes beside the workers, on a thread of its own.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::fault::AppFault;
use super::node::Node;
use crate::active::probing::Probing;
use crate::recorder::{Recorder, kept};

/// Starts it; it ends when the node stops. Whether anything is probed the settings in force say.
pub(super) fn start(node: &Node, recorder: &Recorder) -> Result<JoinHandle<()>, AppFault> {
    let failed = |error| AppFault::Runtime(format!("cannot start a thread: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let shared = Arc::clone(&node.shared);
    let (traffic, drain) = (node.traffic(), node.drain_signal());
    let recorder = recorder.clone();
    let run = move || {
        let today = kept::probes(&recorder.reader(), shared.clock.wall());
        let sent = today.unwrap_or_else(|error| {
            tracing::warn!(%error, "how many probes were sent today cannot be read");
            0
        });
        runtime.block_on(Probing::new(shared, traffic, sent).run(drain));
    };
    std::thread::Builder::new()
        .name("probing".to_owned())
        .spawn(run)
        .map_err(failed)
}
