//! Judges every probe as it comes, raises alerts, and keeps what holds over a restart.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::history::{self, Series};
use super::outbox::Outbox;
use crate::analysis::watch::states::Found;
use crate::analysis::watch::{Alert, Condition, Point, States};
use crate::clock::Clock;
use crate::config::settings::AlertSettings;
use crate::edge::store::KeptText;
use crate::record::{ExchangeId, Name, PicoDollars, WallTime};
use crate::recorder::Recorder;
use crate::routing::route::RouteKey;
use crate::statistics::drift::Thresholds;

/// Under which name the store keeps it.
const KEPT: &str = "alerts";

/// What is known of the probes now: plain values for page and metrics.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Watched {
    /// How each route was found last.
    pub routes: Vec<(RouteKey, Found, Point)>,
    /// What holds: of which route, what, and since when.
    pub holding: Vec<(RouteKey, Condition, WallTime)>,
    /// Alerts that wait, were delivered, and were dropped for others.
    pub alerts: (u64, u64, u64),
    /// Probes sent today, UTC, and what they may have cost.
    pub spent: (u64, PicoDollars),
}

/// Who watches; shared by those who probe and those who deliver.
#[derive(Debug, Clone)]
pub struct Watching {
    clock: Clock,
    recorder: Recorder,
    inner: Arc<Mutex<Inner>>,
    /// Wakes whoever delivers.
    pub(super) posted: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    series: Series,
    states: States,
    outbox: Outbox,
    found: std::collections::BTreeMap<RouteKey, Found>,
    spent: (u64, PicoDollars),
}

#[derive(Debug, Serialize, Deserialize)]
struct Shape {
    states: String,
    outbox: Outbox,
}

impl Watching {
    /// One that takes up what was kept. Earlier probes are read with [`Self::recall`].
    #[must_use]
    pub fn new(recorder: Recorder, clock: Clock) -> Self {
        let inner = kept(&recorder).unwrap_or_default();
        let posted = Arc::new(Notify::new());
        if inner.outbox.next().is_some() {
            // What was not delivered before the program stopped.
            posted.notify_one();
        }
        Self {
            clock,
            recorder,
            inner: Arc::new(Mutex::new(inner)),
            posted,
        }
    }

    /// Reads what earlier probes said. Blocks for as long as reading takes.
    pub fn recall(&self) {
        match history::history(&self.recorder.reader(), self.clock.wall(), || {}) {
            Ok(series) => self.with(|inner| inner.series = series),
            Err(error) => {
                tracing::warn!(%error, "earlier probes cannot be read: baselines begin anew");
            }
        }
    }

    /// What is known now.
    #[must_use]
    pub fn shown(&self) -> Watched {
        self.with(|inner| Watched {
            routes: inner
                .found
                .iter()
                .filter_map(|(route, found)| {
                    let last = inner.series.get(route)?.last()?;
                    Some((route.clone(), *found, *last))
                })
                .collect(),
            holding: inner
                .states
                .holding()
                .map(|(route, condition, of)| (route.clone(), condition, of.raised))
                .collect(),
            alerts: inner.outbox.counts(),
            spent: inner.spent,
        })
    }

    /// Says what was spent today.
    pub(super) fn spent(&self, spent: (u64, PicoDollars)) {
        self.with(|inner| inner.spent = spent);
    }

    /// Takes in a probe, and judges its route. Says whether an alert was raised by it.
    pub(super) fn add(&self, route: &RouteKey, point: Point, settings: &AlertSettings) -> bool {
        let now = self.clock.wall();
        let thresholds = Thresholds {
            drift: settings.drift,
            availability: settings.availability,
        };
        let alerts = self.with(|inner| {
            history::add(&mut inner.series, route.clone(), point);
            let points = inner.series.get(route).map_or(&[][..], Vec::as_slice);
            let (found, alerts) = inner.states.judge(route, points, thresholds, now);
            inner.found.insert(route.clone(), found);
            alerts
        });
        self.raise(&alerts, settings);
        !alerts.is_empty()
    }

    /// Takes in what a provider lists.
    pub(super) fn list(&self, provider: &Name, ids: &[Name], settings: &AlertSettings) {
        let now = self.clock.wall();
        let alert = self.with(|inner| inner.states.list(provider, ids, now));
        self.raise(alert.as_slice(), settings);
    }

    /// Forgets routes that are probed no more.
    pub(super) fn retain(&self, probed: impl Fn(&RouteKey) -> bool) {
        self.with(|inner| {
            inner.states.retain(&probed);
            inner.found.retain(|route, _| probed(route));
        });
    }

    fn raise(&self, alerts: &[Alert], settings: &AlertSettings) {
        for alert in alerts {
            tracing::warn!(
                condition = alert.condition.name(),
                change = alert.change.name(),
                "{}",
                alert.summary
            );
            if settings.webhook.is_some() {
                let id = ExchangeId::new(alert.at, fastrand::u64(..)).to_string();
                let body = alert.json(&id).to_string();
                self.with(|inner| inner.outbox.put(body));
            }
        }
        if !alerts.is_empty() {
            self.posted.notify_one();
        }
    }

    /// Does something with what waits to be delivered.
    pub(super) fn outbox<R>(&self, of: impl FnOnce(&mut Outbox) -> R) -> R {
        self.with(|inner| of(&mut inner.outbox))
    }

    /// Writes what holds and what waits into the store. Blocks, up to seconds where the store takes
    /// nothing now.
    pub(super) fn keep(&self) {
        let shape = self.with(|inner| {
            Some(Shape {
                states: inner.states.text().ok()?,
                outbox: inner.outbox.clone(),
            })
        });
        let Some(Ok(text)) = shape.map(|shape| serde_json::to_string(&shape)) else {
            return;
        };
        let written = self
            .recorder
            .with_store(move |store| store.keep(KEPT, &text));
        if let Some(Err(error)) = written {
            tracing::warn!(%error, "which alerts hold was not kept");
        }
    }

    fn with<R>(&self, look: impl FnOnce(&mut Inner) -> R) -> R {
        look(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What was kept; what cannot be read begins anew, and the log says so.
fn kept(recorder: &Recorder) -> Option<Inner> {
    let text = match recorder.reader().kept(KEPT) {
        Ok(KeptText::Found(text)) => text,
        Ok(KeptText::Missing) => return None,
        Ok(KeptText::Damaged) => {
            tracing::warn!("which alerts held is damaged; they begin anew");
            return None;
        }
        Err(error) => {
            tracing::warn!(%error, "which alerts held cannot be read; they begin anew");
            return None;
        }
    };
    let shape: Option<Shape> = serde_json::from_str(&text).ok();
    let read = shape.and_then(|shape| {
        Some(Inner {
            states: States::of_text(&shape.states)?,
            outbox: shape.outbox,
            ..Inner::default()
        })
    });
    if read.is_none() {
        tracing::warn!("which alerts held cannot be read; they begin anew");
    }
    read
}
