//! Probes by the schedule of the config, looks at the providers' lists, and delivers what changed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::lists::lists;
use super::purse::Purse;
use super::round::{Round, asked_models, cost_of};
use super::watching::Watching;
use crate::active::targets::Target;
use crate::active::traffic::{Traffic, TrafficFault};
use crate::analysis::watch::Point;
use crate::config::settings::Settings;
use crate::edge::alert::Webhook;
use crate::edge::server::Drain;
use crate::proxy::Shared;
use crate::record::{ExchangeId, ExchangeRecord};
use crate::recorder::Recorder;
use crate::workload::cron::Timetable;

/// How often it looks whether something is due.
const TICK: Duration = Duration::from_secs(1);
/// How long a record may take to be in the store after its answer, and the time between two looks.
const RECORD_PATIENCE: Duration = Duration::from_secs(3);
const RECORD_TICK: Duration = Duration::from_millis(50);

/// Who probes by schedule.
#[derive(Debug)]
pub struct Scheduled {
    shared: Arc<Shared>,
    traffic: Traffic,
    purse: Arc<Mutex<Purse>>,
    recorder: Recorder,
    watching: Watching,
    rounds: Timetable,
    looks: Timetable,
    round: u32,
    recalled: bool,
}

impl Scheduled {
    /// One that takes its probes out of `purse` and hands them to `watching`.
    #[must_use]
    pub fn new(
        shared: Arc<Shared>,
        traffic: Traffic,
        purse: Arc<Mutex<Purse>>,
        recorder: Recorder,
        watching: Watching,
    ) -> Self {
        let now = shared.clock.wall();
        Self {
            shared,
            traffic,
            purse,
            recorder,
            watching,
            rounds: Timetable::new(now),
            looks: Timetable::new(now),
            round: 0,
            recalled: false,
        }
    }

    /// Probes until the program stops.
    pub async fn run(mut self, drain: Drain) {
        loop {
            tokio::select! {
                biased;
                () = drain.stopping() => return,
                () = tokio::time::sleep(TICK) => {}
            }
            tokio::select! {
                biased;
                () = drain.stopping() => return,
                () = self.once() => {}
            }
        }
    }

    /// Does what is due.
    pub async fn once(&mut self) {
        let settings = self.shared.settings.load_full();
        let now = self.shared.clock.wall();
        let rounds = settings.probes.schedule.as_ref();
        let looks = settings.alerts.new_models.as_ref();
        let round = rounds.is_some_and(|cron| self.rounds.is_due(cron, now));
        let look = looks.is_some_and(|cron| self.looks.is_due(cron, now));
        if round {
            self.round(&settings).await;
        }
        if look {
            self.look(&settings).await;
        }
        if round || look {
            self.keep().await;
        }
    }

    /// Asks every route of the schedule.
    pub async fn round(&mut self, settings: &Settings) {
        if !self.recalled {
            // Where there is no schedule nobody needs to know.
            self.recalled = true;
            let watching = self.watching.clone();
            // It has said what went wrong.
            let _ = tokio::task::spawn_blocking(move || watching.recall()).await;
        }
        let targets = asked_models(settings, &settings.probes.models);
        self.watching
            .retain(|route| targets.iter().any(|target| target.route == *route));
        self.round += 1;
        for (place, target) in targets.iter().enumerate() {
            match self.probe(target, place, settings).await {
                Ok(true) => {}
                // Nothing is left of the day's.
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "no probe can be sent");
                    break;
                }
            }
        }
    }

    /// Asks one route; says whether the day's number and money allowed it.
    async fn probe(
        &self,
        target: &Target,
        place: usize,
        settings: &Settings,
    ) -> Result<bool, TrafficFault> {
        let probes = &settings.probes;
        let clock = &self.shared.clock;
        let round = Round {
            run: "scheduled",
            number: self.round,
            max_tokens: probes.scheduled_tokens(),
            cold: probes.cold,
        };
        for trial in 0..round.calls() {
            let now = clock.wall();
            let cost = cost_of(target, round.max_tokens, settings, now).unwrap_or_default();
            let (may, spent) = {
                let mut purse = self.purse.lock().unwrap_or_else(PoisonError::into_inner);
                (purse.take(probes, cost, now), purse.spent(now))
            };
            self.watching.spent(spent);
            if !may {
                return Ok(false);
            }
            let asked = round.ask(&self.traffic, (target, place), trial).await?;
            let record = match asked {
                Some(id) => self.record(id).await,
                None => None,
            };
            let point = record.as_ref().and_then(Point::of);
            let point = match (point, asked) {
                (Some((_, point)), _) => point,
                (None, None) => Point::given_up(now),
                // No provider was asked, or the store takes nothing now: it says nothing.
                (None, Some(_)) => continue,
            };
            if self.watching.add(&target.route, point, &settings.alerts) {
                self.keep().await;
            }
        }
        Ok(true)
    }

    /// The record of a probe, once it is in the store.
    async fn record(&self, id: ExchangeId) -> Option<ExchangeRecord> {
        let looking = async {
            loop {
                if let Ok(Some(record)) = self.recorder.reader().detail(id) {
                    return record;
                }
                tokio::time::sleep(RECORD_TICK).await;
            }
        };
        tokio::time::timeout(RECORD_PATIENCE, looking).await.ok()
    }

    /// Looks at the providers' lists of models.
    pub async fn look(&self, settings: &Settings) {
        match lists(&self.traffic, settings).await {
            Ok(lists) => {
                for (provider, ids) in &lists {
                    self.watching.list(provider, ids, &settings.alerts);
                }
            }
            Err(error) => tracing::warn!(%error, "no list of models can be asked for"),
        }
    }

    async fn keep(&self) {
        let watching = self.watching.clone();
        // It has said what went wrong.
        let _ = tokio::task::spawn_blocking(move || watching.keep()).await;
    }
}

/// Delivers alerts until the program stops: in their order, each until it is taken.
pub async fn deliver(shared: Arc<Shared>, watching: Watching, webhook: Webhook, drain: Drain) {
    loop {
        tokio::select! {
            biased;
            () = drain.stopping() => return,
            () = watching.posted.notified() => {}
        }
        tokio::select! {
            biased;
            () = drain.stopping() => return,
            () = deliver_all(&shared, &watching, &webhook) => {}
        }
    }
}

/// Delivers what waits.
async fn deliver_all(shared: &Shared, watching: &Watching, webhook: &Webhook) {
    while let Some(body) = watching.outbox(|outbox| outbox.next().map(str::to_owned)) {
        let settings = shared.settings.load_full();
        let Some(to) = &settings.alerts.webhook else {
            // The config names nobody any more.
            watching.outbox(super::outbox::Outbox::clear);
            break;
        };
        match webhook.post(to, Bytes::from(body.clone())).await {
            Ok(()) => watching.outbox(|outbox| outbox.delivered(&body)),
            Err(error) => {
                let pause = watching.outbox(super::outbox::Outbox::failed);
                tracing::warn!(%error, "an alert was not taken: again in {pause:?}");
                tokio::time::sleep(pause).await;
                continue;
            }
        }
        let kept = watching.clone();
        // It has said what went wrong.
        let _ = tokio::task::spawn_blocking(move || kept.keep()).await;
    }
}
