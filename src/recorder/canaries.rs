//! Keeps what was seen of each canary, and whether its growing weight was stopped for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{ExchangeRecord, Name, WallTime};
use crate::routing::canary::{Judged, Seen, Watch, Worse};
use crate::routing::route::RouteKey;

/// Every canary: a route whose weight grows, by model, route, and when it began to grow.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Canaries(BTreeMap<(Name, RouteKey), Canary>);

/// One canary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Canary {
    /// When its weight began to grow: another date is another canary.
    pub start: WallTime,
    /// What was seen of it.
    pub watch: Watch,
    /// When it was stopped, by what, and with which weight it goes on.
    pub stopped: Option<Stopped>,
}

/// A canary that was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    /// Microseconds since 1970.
    at: i64,
    /// What it was worse in.
    pub worse: Worse,
    /// The weight that it keeps.
    pub weight: f64,
}

impl Stopped {
    /// When.
    #[must_use]
    pub const fn at(&self) -> WallTime {
        WallTime(self.at)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Shape {
    version: u32,
    canaries: Vec<(String, String, Option<String>, i64, Watch, Option<Stopped>)>,
}

const VERSION: u32 = 1;

impl Canaries {
    /// Takes in an exchange of `model`. `canaries` are its routes whose weight grows, each with
    /// when that began, and the weight that it keeps once it is found worse, where it is to stop
    /// then. Gives what was stopped by this.
    pub fn add(
        &mut self,
        model: &Name,
        canaries: &[(RouteKey, WallTime, Option<f64>)],
        record: &ExchangeRecord,
    ) -> Vec<(RouteKey, Stopped)> {
        let routes: Vec<RouteKey> = canaries.iter().map(|(route, ..)| route.clone()).collect();
        let mut stopped = Vec::new();
        for (route, start, weight) in canaries {
            let Some(seen) = Seen::of(record, route, &routes) else {
                continue;
            };
            let new = Canary {
                start: *start,
                watch: Watch::default(),
                stopped: None,
            };
            let key = (model.clone(), route.clone());
            let canary = self.0.entry(key).or_insert(new);
            if canary.start != *start {
                *canary = new;
            }
            canary.watch.add(&seen);
            if let (Some(weight), None) = (weight, canary.stopped)
                && let Some(worse) = canary.watch.judged().worse
            {
                let now = Stopped {
                    at: record.started.0,
                    worse,
                    weight: *weight,
                };
                canary.stopped = Some(now);
                stopped.push((route.clone(), now));
            }
        }
        stopped
    }

    /// The canary that began to grow then.
    #[must_use]
    pub fn get(&self, model: &Name, route: &RouteKey, start: WallTime) -> Option<&Canary> {
        let canary = self.0.get(&(model.clone(), route.clone()))?;
        (canary.start == start).then_some(canary)
    }

    /// As text, to be kept.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        let of = |((model, route), canary): (&(Name, RouteKey), &Canary)| {
            (
                model.to_string(),
                route.provider.to_string(),
                route.model.as_ref().map(Name::to_string),
                canary.start.0,
                canary.watch,
                canary.stopped,
            )
        };
        serde_json::to_string(&Shape {
            version: VERSION,
            canaries: self.0.iter().map(of).collect(),
        })
    }

    /// What was kept so; absent where it cannot be read.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let shape: Shape = serde_json::from_str(text).ok()?;
        if shape.version != VERSION {
            return None;
        }
        let of = |(model, provider, there, start, watch, stopped): (
            String,
            String,
            Option<String>,
            i64,
            Watch,
            Option<Stopped>,
        )| {
            let route = RouteKey::new(provider.as_str(), there.as_deref().map(Name::from));
            let canary = Canary {
                start: WallTime(start),
                watch,
                stopped,
            };
            ((Name::from(model), route), canary)
        };
        Some(Self(shape.canaries.into_iter().map(of).collect()))
    }
}

impl Canary {
    /// What may be said of it now.
    #[must_use]
    pub fn judged(&self) -> Judged {
        self.watch.judged()
    }
}
