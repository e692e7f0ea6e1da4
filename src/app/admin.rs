//! Runs the admin plane beside the data plane: page, JSON API, metrics, health.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::fault::AppFault;
use super::node::Node;
use super::own_street::KeptIn;
use super::runs::Desk;
use crate::active::probing::Watching;
use crate::config::settings::Settings;
use crate::edge::server::{self, Drain, Stop};
use crate::edge::upstream::ProxyRules;
use crate::proxy::outlook;
use crate::recorder::Recorder;
use crate::ui::desk::RunDesk;
use crate::ui::handles::{BaselineEdit, NoteEdit, TakeScores};
use crate::ui::{Addresses, Counts, Handles, Reloads, Ui};

/// A running admin plane. It goes on while the node drains, and ends when it is joined or dropped.
#[derive(Debug)]
pub struct Admin {
    /// Its address.
    pub address: SocketAddr,
    /// Where runs are begun for it.
    desk: Arc<Desk>,
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Admin {
    /// Starts it on a thread of its own, so that no report slows the data plane.
    pub fn start(
        node: &Node,
        recorder: &Recorder,
        settings: &Settings,
        watching: &Watching,
        reloads: watch::Receiver<Reloads>,
        proxies: ProxyRules,
    ) -> Result<Self, AppFault> {
        let runtime_fault =
            |error: std::io::Error| AppFault::Runtime(format!("cannot start the page: {error}"));
        let mut listeners = server::listen(settings.admin.listen, 1, "admin.listen")?;
        let listener = listeners.remove(0);
        let address = listener.local_addr().map_err(runtime_fault)?;
        let desk = desk(node, recorder, proxies);
        let runs = Arc::new(Arc::clone(&desk));
        let handles = handles(node, recorder, watching.clone(), reloads, (address, runs));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(runtime_fault)?;
        let (until, stop) = Drain::new();
        let thread = std::thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    match tokio::net::TcpListener::from_std(listener) {
                        Ok(listener) => Ui::new(handles).serve(listener, until).await,
                        Err(error) => tracing::error!(%error, "the page cannot listen"),
                    }
                });
            })
            .map_err(runtime_fault)?;
        Ok(Self {
            address,
            desk,
            stop,
            thread,
        })
    }

    /// Ends the run that goes on, and begins no more. What it measured is in the store and in its
    /// folder when this returns.
    pub fn end_runs(&self) {
        self.desk.close();
    }

    /// Ends it, and waits for its end.
    pub fn join(self) {
        self.stop.abort();
        // A page that panicked has nothing left to wait for.
        let _ = self.thread.join();
    }
}

/// Takes scores of routes into the store, and tells routing.
fn scores(node: &Node, recorder: &Recorder) -> TakeScores {
    let (scoring, scored) = (recorder.clone(), Arc::clone(&node.shared));
    Arc::new(move |scores| {
        let kept = scores.clone();
        let done = scoring.with_store(move |store| store.add_scores(&kept));
        if let Some(Ok(())) = done {
            let known = &scored.settler.standing;
            known.with(|board| scores.into_iter().for_each(|score| board.scores.add(score)));
        }
        done
    })
}

/// Where runs are begun: their records go where the node's own go.
fn desk(node: &Node, recorder: &Recorder, proxies: ProxyRules) -> Arc<Desk> {
    let shared = Arc::clone(&node.shared);
    let kept = KeptIn {
        recorder: recorder.clone(),
        scores: scores(node, recorder),
        proxies,
    };
    let settings = Arc::new(move || shared.settings.load_full());
    Desk::new(settings, kept, node.shared.clock.clone())
}

fn handles(
    node: &Node,
    recorder: &Recorder,
    watching: Watching,
    reloads: watch::Receiver<Reloads>,
    (admin, runs): (SocketAddr, Arc<dyn RunDesk>),
) -> Handles {
    let of = |recorder: &Recorder| recorder.clone();
    let (reading, feeding, asking) = (of(recorder), of(recorder), of(recorder));
    let (noting, saving, taking) = (of(recorder), of(recorder), of(recorder));
    let (shared, counted) = (Arc::clone(&node.shared), Arc::clone(&node.shared));
    let standing = Arc::clone(&node.shared);
    let counters = Arc::clone(&node.counters);
    Handles {
        reader: Arc::new(move || Ok(reading.reader())),
        feed: Arc::new(move || feeding.subscribe()),
        store: Arc::new(move || asking.health()),
        notes: Arc::new(move |edit| {
            noting.with_store(move |store| match edit {
                NoteEdit::Add(note) => store.add_note(&note).map(Some),
                NoteEdit::Remove(id) => Ok(store.remove_note(id)?.then_some(id)),
            })
        }),
        scores: scores(node, recorder),
        records: Arc::new(move |record| taking.offer(record)),
        runs,
        baselines: Arc::new(move |edit| {
            saving.with_store(move |store| match edit {
                BaselineEdit::Save(name, text) => store.save_baseline(&name, &text),
                BaselineEdit::Remove(name) => store.remove_baseline(&name),
            })
        }),
        standing: Arc::new(move || outlook::standing(&standing)),
        watched: Arc::new(move || watching.shown()),
        counts: Arc::new(move || {
            let (accepted, settled) = counted.counts();
            Counts {
                in_flight: accepted.saturating_sub(settled),
                accepted,
                connections: counters.open.load(Ordering::Relaxed) as u64,
                refused: counters.refused.load(Ordering::Relaxed) as u64,
            }
        }),
        settings: Arc::new(move || shared.settings.load_full()),
        reloads: Arc::new(move || reloads.borrow().clone()),
        clock: node.shared.clock.clone(),
        origin: node.shared.origin,
        addresses: Addresses {
            data: node.address,
            admin,
        },
        drain: node.drain_signal(),
    }
}
