//! Runs what probes by itself beside the workers, on a thread of its own: idle routes, the
//! schedule, the lists of models, and the delivery of alerts.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::fault::AppFault;
use super::node::Node;
use crate::active::probing::{Idle, Purse, Scheduled, Watching, deliver};
use crate::edge::alert::Webhook;
use crate::edge::upstream::ProxyRules;
use crate::recorder::{Recorder, kept};

/// Starts it; it ends when the node stops. Whether anything is probed the settings in force say.
pub(super) fn start(
    node: &Node,
    recorder: &Recorder,
    watching: Watching,
    proxies: ProxyRules,
) -> Result<JoinHandle<()>, AppFault> {
    let failed = |error| AppFault::Runtime(format!("cannot start a thread: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let shared = Arc::clone(&node.shared);
    let (traffic, drain) = (node.traffic(), node.drain_signal());
    let recorder = recorder.clone();
    let run = move || {
        let now = shared.clock.wall();
        let today = kept::probes(&recorder.reader(), now);
        let today = today.unwrap_or_else(|error| {
            tracing::warn!(%error, "how many probes were sent today cannot be read");
            Default::default()
        });
        let purse = Arc::new(Mutex::new(Purse::new(now, today)));
        let idle = Idle::new(Arc::clone(&shared), traffic.clone(), Arc::clone(&purse));
        let scheduled = Scheduled::new(
            Arc::clone(&shared),
            traffic,
            purse,
            recorder,
            watching.clone(),
        );
        let webhook = Webhook::new(proxies, shared.clock.clone());
        runtime.block_on(async {
            tokio::join!(
                idle.run(drain.clone()),
                scheduled.run(drain.clone()),
                deliver(shared, watching, webhook, drain)
            );
        });
    };
    std::thread::Builder::new()
        .name("probing".to_owned())
        .spawn(run)
        .map_err(failed)
}
