//! A street that nobody else comes to: for commands that ask the providers themselves.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::fault::AppFault;
use super::hand_over::{Hand, HandOver, Handed};
use super::machine::proxies;
use super::node::{Node, Parts};
use super::recording::{offer_to, open_store, open_store_at_once};
use super::secret_file;
use crate::active::Traffic;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::edge::store::StoreError;
use crate::edge::upstream::ProxyRules;
use crate::record::{Active, ExchangeRecord, Origin};
use crate::recorder::{Recorder, Running, Standing, StoreHealth};
use crate::ui::handles::TakeScores;

/// What such a street is opened with.
pub(super) struct Opening<'a> {
    /// The settings; nobody listens to their addresses.
    pub(super) settings: Settings,
    /// Threads that carry the requests: those of one share their connections.
    pub(super) workers: usize,
    /// What its records are.
    pub(super) origin: Origin,
    /// The clock.
    pub(super) clock: &'a Clock,
    /// Takes what the user should know.
    pub(super) print: &'a dyn Fn(&str),
    /// What becomes of what is measured where the store cannot be used.
    pub(super) unkept: &'a str,
    /// Where records are that the store would not take.
    pub(super) elsewhere: &'a str,
    /// Where it is kept.
    pub(super) surroundings: &'a Surroundings,
}

/// What a run finds around it: nothing on the command line, a running program under the page.
#[derive(Default)]
pub struct Surroundings {
    /// Says when to stop; the program's signals do where absent.
    pub stopped: Option<watch::Receiver<bool>>,
    /// The store as the program has it open; it is opened where absent.
    pub kept: Option<KeptIn>,
    /// A server answers that has the store: nobody waits for it to let go.
    pub served: bool,
    /// Has the server that has the store take records.
    pub hand: Option<Hand>,
}

/// A store that is open already, and the world that its program lives in.
#[derive(Clone)]
pub struct KeptIn {
    /// Takes records.
    pub recorder: Recorder,
    /// Takes scores, and tells routing.
    pub scores: TakeScores,
    /// Forward proxies.
    pub proxies: ProxyRules,
}

impl std::fmt::Debug for KeptIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeptIn")
    }
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings")
            .field("in_a_program", &self.kept.is_some())
            .field("served", &self.served)
            .finish_non_exhaustive()
    }
}

impl Surroundings {
    /// Says when to stop. Signals are heard on the runtime within which this is called.
    pub(super) fn stopped(&self) -> watch::Receiver<bool> {
        self.stopped.clone().unwrap_or_else(|| {
            let (stop, stopped) = watch::channel(false);
            tokio::spawn(hear(stop));
            stopped
        })
    }
}

/// A street of our own, and the store where one can be used.
pub(super) struct OwnStreet {
    node: Node,
    /// The store, where it was opened for it, or why it could not be.
    store: Option<Result<(Recorder, Running), StoreError>>,
    /// Hands records to the program that has the store.
    hand_over: Option<HandOver>,
    /// Where records are that the store would not take.
    elsewhere: String,
}

/// What became of a street's store.
pub(super) enum Kept<T> {
    /// None was opened: a program around it has it.
    Around,
    /// Another program has it.
    InUse,
    /// Another program has it, and was handed the records.
    Handed {
        /// Records that it did not take.
        lost: u64,
    },
    /// It could not be opened.
    Unopened(String),
    /// It was opened and is closed again.
    Closed {
        /// What was done with it at the end.
        last: T,
        /// Why it last failed, where it did.
        failure: Option<String>,
        /// Records that it would not take.
        lost: u64,
    },
}

impl<T> Kept<T> {
    /// Records that the store would not take.
    pub(super) const fn lost(&self) -> u64 {
        match self {
            Self::Closed { lost, .. } | Self::Handed { lost } => *lost,
            _ => 0,
        }
    }
}

impl OwnStreet {
    /// Opens the store and the street. `taken` gets every record, on the thread that settled it.
    pub(super) fn open(
        opening: Opening<'_>,
        taken: impl Fn(ExchangeRecord) + Send + Sync + 'static,
    ) -> Result<Self, AppFault> {
        let Opening {
            mut settings,
            workers,
            origin,
            clock,
            print,
            unkept,
            elsewhere,
            surroundings,
        } = opening;
        settings.server.listen = ([127, 0, 0, 1], 0).into();
        settings.server.workers = workers;
        settings.server.tls = None;
        let store = match &surroundings.kept {
            Some(_) => None,
            None => {
                let open = if surroundings.served {
                    open_store_at_once
                } else {
                    open_store
                };
                Some(open(&settings, clock, print))
            }
        };
        let in_use = matches!(&store, Some(Err(StoreError::InUse(_))));
        let hand = surroundings.hand.clone().filter(|_| in_use);
        let hand_over = hand.map(HandOver::begin).transpose()?;
        if let (Some(Err(fault)), None) = (&store, &hand_over) {
            print(&format!("{fault}\n{unkept}"));
        }
        let around = surroundings.kept.as_ref();
        let opened = store.as_ref().and_then(|store| store.as_ref().ok());
        let opened = opened.map(|(recorder, _)| recorder);
        let kept = around.map(|kept| &kept.recorder).or(opened).map(offer_to);
        let handed = hand_over.as_ref().map(HandOver::records);
        let proxies = around.map_or_else(proxies, |kept| Ok(kept.proxies.clone()))?;
        let node = Node::start(Parts {
            offer: Arc::new(move |record: ExchangeRecord| {
                if let Some(kept) = &kept {
                    kept(record.clone());
                }
                if let Some(handed) = &handed {
                    // Its thread has ended only where the run has, too.
                    let _ = handed.send(record.clone());
                }
                taken(record);
            }),
            standing: Standing::default(),
            secret: secret_file::of_store(&settings.store.path).0,
            origin,
            proxies,
            logins: None,
            clock: clock.clone(),
            settings,
        })?;
        Ok(Self {
            node,
            store,
            hand_over,
            elsewhere: elsewhere.to_owned(),
        })
    }

    /// What sends requests along it.
    pub(super) fn traffic(&self) -> Traffic {
        self.node.traffic()
    }

    /// Ends the street, has `last` done with the recorder of a store that was opened for it, and
    /// writes everything down. `print` hears of what could not be.
    pub(super) fn end<T>(self, last: impl FnOnce(&Recorder) -> T, print: &dyn Fn(&str)) -> Kept<T> {
        self.node.stop();
        if let Some(hand_over) = self.hand_over {
            let handed = hand_over.end();
            if let Some(said) = not_taken(&handed, &self.elsewhere) {
                print(&said);
            }
            return Kept::Handed { lost: handed.lost };
        }
        let (recorder, recording) = match self.store {
            None => return Kept::Around,
            Some(Err(StoreError::InUse(_))) => return Kept::InUse,
            Some(Err(error)) => return Kept::Unopened(error.to_string()),
            Some(Ok(store)) => store,
        };
        let done = last(&recorder);
        let health = recording.shutdown();
        if let Some(said) = lost(&health, &self.elsewhere) {
            print(&said);
        }
        Kept::Closed {
            last: done,
            lost: health.dropped(),
            failure: health.last_failure,
        }
    }
}

/// What is said of records that the program that has the store did not take.
fn not_taken(handed: &Handed, elsewhere: &str) -> Option<String> {
    let why = handed.why.as_deref()?;
    Some(format!(
        "{} of {} records were not taken by the server that has the store, and no report over it has \
         them: {why}\n{elsewhere}",
        handed.lost,
        handed.taken + handed.lost
    ))
}

/// What is said of records that are not in the store: how many, why, and where they are.
fn lost(health: &StoreHealth, elsewhere: &str) -> Option<String> {
    let lost = health.dropped();
    let failed = health.last_failure.as_deref();
    let failed = failed.filter(|_| health.dropped_store_failed > 0);
    let why = failed.unwrap_or("more came at once than wait for it (`store.queue_max`)");
    (lost > 0).then(|| {
        format!(
            "{lost} of {} records could not be stored, and no report over the store has them: \
             {why}\n{elsewhere}",
            health.written + lost
        )
    })
}

/// The records of a run as they come, each asked for by what it is part of.
pub(super) struct Arrivals {
    records: mpsc::UnboundedReceiver<ExchangeRecord>,
    /// Those that came before they were asked for.
    waiting: Vec<ExchangeRecord>,
}

impl Arrivals {
    pub(super) const fn new(records: mpsc::UnboundedReceiver<ExchangeRecord>) -> Self {
        Self {
            records,
            waiting: Vec::new(),
        }
    }

    /// The record of which that is true, once it has come; nothing where none comes any more.
    pub(super) async fn find(
        &mut self,
        wanted: impl Fn(&ExchangeRecord) -> bool,
    ) -> Option<ExchangeRecord> {
        loop {
            if let Some(place) = self.waiting.iter().position(&wanted) {
                return Some(self.waiting.swap_remove(place));
            }
            self.waiting.push(self.records.recv().await?);
        }
    }

    /// The record of that part of the run.
    pub(super) async fn of(&mut self, active: &Active) -> Option<ExchangeRecord> {
        self.find(|record| record.active.as_ref() == Some(active))
            .await
    }
}

/// Comes when somebody said stop, and never where nobody can any more.
pub(super) fn until(stopped: &watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
    let mut stopped = stopped.clone();
    async move {
        if stopped.wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for the first word to stop; a second one ends the program as ever.
async fn hear(stop: watch::Sender<bool>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        std::future::pending::<()>().await;
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    let _ = stop.send(true);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    std::process::exit(3);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_would_not_take_is_told_with_its_reason() {
        let full = || Some("no space is left on the device".to_owned());
        let health = |written, failed, queued, last_failure| StoreHealth {
            written,
            dropped_store_failed: failed,
            dropped_queue_full: queued,
            last_failure,
            ..StoreHealth::default()
        };
        for (health, expected) in [
            (health(7, 0, 0, None), None),
            // It failed and healed: nothing is lost.
            (health(7, 0, 0, full()), None),
            (
                health(4, 3, 0, full()),
                Some(("3 of 7 records", "no space")),
            ),
            (health(4, 0, 2, None), Some(("2 of 6 records", "queue_max"))),
            (
                health(4, 0, 2, full()),
                Some(("2 of 6 records", "queue_max")),
            ),
        ] {
            let said = lost(&health, "they are in results/x only");
            match (said, expected) {
                (None, None) => {}
                (Some(said), Some((count, why))) => assert!(
                    said.starts_with(count) && said.contains(why) && said.ends_with("x only"),
                    "{said}"
                ),
                (said, expected) => panic!("{said:?} instead of {expected:?}"),
            }
        }
    }
}
