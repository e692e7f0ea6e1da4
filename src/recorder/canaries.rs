//! Keeps what was seen of each canary, and whether its growing weight was stopped for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{ExchangeRecord, Name, WallTime};
use crate::routing::canary::{Judged, Progress, Scored, Seen, Stages, Watch, Worse};
use crate::routing::route::RouteKey;

/// Every canary: a route whose weight grows, by model, route, and when it began to grow.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Canaries(BTreeMap<(Name, RouteKey), Canary>);

/// A canary as the config has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its route.
    pub route: RouteKey,
    /// When its weight, or its share, begins to grow: another date is another canary.
    pub start: WallTime,
    /// What becomes of it once it is found worse.
    pub stop: Stop,
    /// Its plan, where it grows by stages.
    pub stages: Option<Stages>,
}

/// What becomes of a canary that is found worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stop {
    /// Nothing: whoever looks decides.
    None,
    /// It goes on with this weight.
    Weight(f64),
    /// It goes on with the share of its stage.
    Share,
}

/// One canary.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// When its weight began to grow, microseconds since 1970.
    start: i64,
    /// What was seen of it.
    watch: Watch,
    /// What scored data sets say of it.
    score: Option<Scored>,
    /// How far it has come in its plan, where it has one.
    pub progress: Progress,
    /// When it was stopped, by what, and with which weight it goes on.
    pub stopped: Option<Stopped>,
}

/// What an exchange did to a canary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Turn {
    /// It is worse, and was stopped.
    Stopped(Stopped),
    /// It has passed a stage, and has this share from now on.
    Passed {
        /// How far it has come.
        progress: Progress,
        /// Its share of the model's requests.
        share: f64,
    },
}

/// A canary that was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    /// Microseconds since 1970.
    at: i64,
    /// What it was worse in.
    pub worse: Worse,
    /// The weight that it keeps; of a plan the share.
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
    canaries: Vec<(String, String, Option<String>, Canary)>,
}

const VERSION: u32 = 2;

impl Canaries {
    /// Takes in an exchange of `model`, whose canaries are listed. Gives what this did to them.
    pub fn add(
        &mut self,
        model: &Name,
        canaries: &[Listed],
        record: &ExchangeRecord,
    ) -> Vec<(RouteKey, Turn)> {
        let routes: Vec<RouteKey> = canaries.iter().map(|of| of.route.clone()).collect();
        let mut turns = Vec::new();
        for listed in canaries {
            let Some(seen) = Seen::of(record, &listed.route, &routes) else {
                continue;
            };
            let key = (model.clone(), listed.route.clone());
            let canary = self.0.entry(key).or_insert(Canary::new(listed.start));
            if canary.start != listed.start.0 {
                *canary = Canary::new(listed.start);
            }
            let turn = canary.add(&seen, listed, record.started);
            turns.extend(turn.map(|turn| (listed.route.clone(), turn)));
        }
        turns
    }

    /// Takes in what scored data sets say of a canary; one that nothing was seen of yet is not
    /// known. It counts from the next exchange on.
    pub fn score(&mut self, model: &Name, route: &RouteKey, score: Option<Scored>) -> bool {
        let canary = self.0.get_mut(&(model.clone(), route.clone()));
        canary.is_some_and(|canary| {
            canary.score = score;
            true
        })
    }

    /// The canary that began to grow then.
    #[must_use]
    pub fn get(&self, model: &Name, route: &RouteKey, start: WallTime) -> Option<&Canary> {
        let canary = self.0.get(&(model.clone(), route.clone()))?;
        (canary.start == start.0).then_some(canary)
    }

    /// As text, to be kept.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        let of = |((model, route), canary): (&(Name, RouteKey), &Canary)| {
            (
                model.to_string(),
                route.provider.to_string(),
                route.model.as_ref().map(Name::to_string),
                *canary,
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
        let of = |(model, provider, there, canary): (String, String, Option<String>, Canary)| {
            let route = RouteKey::new(provider.as_str(), there.as_deref().map(Name::from));
            ((Name::from(model), route), canary)
        };
        Some(Self(shape.canaries.into_iter().map(of).collect()))
    }
}

impl Canary {
    /// One that nothing was seen of yet.
    #[must_use]
    pub fn new(start: WallTime) -> Self {
        Self {
            start: start.0,
            watch: Watch::default(),
            score: None,
            progress: Progress::default(),
            stopped: None,
        }
    }

    fn add(&mut self, seen: &Seen, listed: &Listed, now: WallTime) -> Option<Turn> {
        self.watch.add(seen);
        if self.stopped.is_some() {
            return None;
        }
        let share = |of: &Self| {
            let stages = listed.stages.as_ref();
            stages.map_or(0.0, |stages| stages.share(&of.progress))
        };
        let kept = match listed.stop {
            Stop::None => None,
            Stop::Weight(weight) => Some(weight),
            Stop::Share => Some(share(self)),
        };
        if let Some(weight) = kept
            && let Some(worse) = self.judged().worse
        {
            let stopped = Stopped {
                at: now.0,
                worse,
                weight,
            };
            self.stopped = Some(stopped);
            return Some(Turn::Stopped(stopped));
        }
        let (watch, score) = (self.watch, self.score);
        let judged = || watch.judged_with(score);
        let stages = listed.stages.as_ref()?;
        let passed = stages.step(&mut self.progress, seen.on_canary, now, judged);
        passed.then(|| Turn::Passed {
            progress: self.progress,
            share: share(self),
        })
    }

    /// What may be said of it now.
    #[must_use]
    pub fn judged(&self) -> Judged {
        self.watch.judged_with(self.score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_canary_is_kept_and_a_score_counts_at_once() {
        let route = RouteKey::new("b", Some(Name::from("m")));
        let model = Name::from("m");
        let mut canaries = Canaries::default();
        let worse = Scored::new(crate::statistics::interval::Estimate {
            value: -0.2,
            interval: crate::statistics::interval::Interval {
                low: -0.3,
                high: -0.1,
            },
        });
        assert!(!canaries.score(&model, &route, Some(worse)), "not seen yet");
        let start = WallTime(7);
        let key = (model.clone(), route.clone());
        canaries.0.insert(key, Canary::new(start));
        assert!(canaries.score(&model, &route, Some(worse)));
        let listed = Listed {
            route: route.clone(),
            start,
            stop: Stop::Share,
            stages: Some(Stages {
                start,
                shares: vec![0.05, 0.5],
                exchanges: 30,
            }),
        };
        let seen = Seen {
            on_canary: true,
            chance: 0.05,
            failed: Some(false),
            is_cut: false,
            // Text keeps not every last bit of a sum of logarithms.
            first_token_ms: None,
        };
        let canary = canaries.0.values_mut().next().unwrap();
        let turn = canary.add(&seen, &listed, WallTime(9));
        let Some(Turn::Stopped(stopped)) = turn else {
            panic!("{turn:?}")
        };
        assert_eq!((stopped.worse, stopped.weight), (Worse::Score, 0.05));
        assert_eq!(canary.add(&seen, &listed, WallTime(10)), None, "once");
        let text = canaries.text().unwrap();
        assert_eq!(Canaries::of_text(&text), Some(canaries));
        assert_eq!(Canaries::of_text("{\"version\":1}"), None);
    }
}
