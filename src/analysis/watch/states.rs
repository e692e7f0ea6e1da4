//! Keeps which alerts hold, so that each is told once for each change and never for each probe.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::alert::{Alert, Change, Condition};
use super::availability::Availability;
use super::drift::{Drift, Judged, Question, drift};
use super::point::Point;
use crate::record::{Name, WallTime};
use crate::routing::route::RouteKey;
use crate::statistics::drift::Thresholds;

/// What holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct States {
    holding: BTreeMap<(RouteKey, Condition), Holding>,
    /// The models that each provider has listed.
    listed: BTreeMap<Name, BTreeSet<Name>>,
}

/// Since when something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// When it was told.
    pub raised: WallTime,
    /// When it began.
    pub began: WallTime,
}

/// How a route was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Its first token against its baseline.
    pub drift: Drift,
    /// How often it answered within the last day.
    pub availability: Availability,
}

/// Microseconds of a day.
const DAY: i64 = 86_400 * 1_000_000;

impl States {
    /// Judges a route by its probes in the order of time, and says what has changed.
    pub fn judge(
        &mut self,
        route: &RouteKey,
        points: &[Point],
        thresholds: Thresholds,
        now: WallTime,
    ) -> (Found, Vec<Alert>) {
        let before = |of: &Self, condition| of.holding.get(&(route.clone(), condition)).copied();
        let (drifted, fallen) = (
            before(self, Condition::Drift),
            before(self, Condition::Availability),
        );
        let drift = drift(
            points,
            &Question {
                now,
                threshold: thresholds.drift,
                held: drifted.map(|of| of.began),
            },
        );
        let day = points.partition_point(|point| point.at.0 < now.0 - DAY);
        let lately = &points[day..];
        let availability = Availability::of(lately, thresholds.availability, fallen.is_some());
        let mut alerts = Vec::new();
        // Where there is too little to say, what was said stands.
        if let Drift::Judged(judged) = &drift {
            let began = judged.since.unwrap_or(now);
            let change = self.change(route, Condition::Drift, judged.drifted, began, now);
            alerts.extend(change.map(|change| of_drift(route, change, judged, thresholds, now)));
        }
        if availability.judged > 0 {
            let condition = Condition::Availability;
            let change = self.change(route, condition, availability.down, now, now);
            let told = |change| of_availability(route, change, &availability, thresholds, now);
            alerts.extend(change.map(told));
        }
        (
            Found {
                drift,
                availability,
            },
            alerts,
        )
    }

    fn change(
        &mut self,
        route: &RouteKey,
        condition: Condition,
        holds: bool,
        began: WallTime,
        now: WallTime,
    ) -> Option<Change> {
        let key = (route.clone(), condition);
        match (self.holding.contains_key(&key), holds) {
            (false, true) => {
                self.holding.insert(key, Holding { raised: now, began });
                Some(Change::Raised)
            }
            (true, false) => {
                self.holding.remove(&key);
                Some(Change::Resolved)
            }
            _ => None,
        }
    }

    /// Takes in what a provider lists: the first list is the starting point, and what comes later
    /// is told. What vanishes from a list and comes again is not new.
    pub fn list(&mut self, provider: &Name, ids: &[Name], now: WallTime) -> Option<Alert> {
        let Some(known) = self.listed.get_mut(provider) else {
            let ids = ids.iter().cloned().collect();
            self.listed.insert(provider.clone(), ids);
            return None;
        };
        let new = ids.iter().filter(|id| known.insert((*id).clone()));
        let models: Vec<Name> = new.cloned().collect();
        if models.is_empty() {
            return None;
        }
        let names: Vec<&str> = models.iter().map(Name::as_str).take(NAMED).collect();
        let more = models.len().saturating_sub(NAMED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        Some(Alert {
            at: now,
            condition: Condition::NewModels,
            change: Change::Seen,
            provider: provider.clone(),
            summary: format!("{provider} lists new models: {}{more}", names.join(", ")),
            figures: vec![("listed", json!(ids.len()))],
            models,
        })
    }

    /// What holds now, of which route, and since when.
    pub fn holding(&self) -> impl Iterator<Item = (&RouteKey, Condition, Holding)> {
        let holding = self.holding.iter();
        holding.map(|((route, condition), of)| (route, *condition, *of))
    }

    /// Forgets routes that are probed no more: nothing would ever resolve what holds of them.
    pub fn retain(&mut self, probed: impl Fn(&RouteKey) -> bool) {
        self.holding.retain(|(route, _), _| probed(route));
    }

    /// As text, to be kept.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        let holding = self.holding().map(|(route, condition, of)| {
            let there = route.model.as_ref().map(Name::to_string);
            let dates = (of.raised.0, of.began.0);
            (
                route.provider.to_string(),
                there,
                condition.name().to_owned(),
                dates,
            )
        });
        let listed = self.listed.iter().map(|(provider, ids)| {
            (
                provider.to_string(),
                ids.iter().map(Name::to_string).collect(),
            )
        });
        serde_json::to_string(&Shape {
            version: VERSION,
            holding: holding.collect(),
            listed: listed.collect(),
        })
    }

    /// What was kept so; absent where it cannot be read.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let shape: Shape = serde_json::from_str(text).ok()?;
        if shape.version != VERSION {
            return None;
        }
        let holding = shape.holding.into_iter().filter_map(|of| {
            let (provider, there, condition, (raised, began)) = of;
            let route = RouteKey::new(provider.as_str(), there.as_deref().map(Name::from));
            let holding = Holding {
                raised: WallTime(raised),
                began: WallTime(began),
            };
            Some(((route, Condition::from_name(&condition)?), holding))
        });
        let listed = shape.listed.into_iter().map(|(provider, ids)| {
            let ids = ids.iter().map(|id| Name::from(id.as_str()));
            (Name::from(provider), ids.collect())
        });
        Some(Self {
            holding: holding.collect(),
            listed: listed.collect(),
        })
    }
}

/// New models that a sentence names.
const NAMED: usize = 5;
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Shape {
    version: u32,
    holding: Vec<(String, Option<String>, String, (i64, i64))>,
    listed: BTreeMap<String, Vec<String>>,
}

fn of_drift(
    route: &RouteKey,
    change: Change,
    judged: &Judged,
    thresholds: Thresholds,
    now: WallTime,
) -> Alert {
    let (before, after) = (judged.baseline / 1e6, judged.now / 1e6);
    let percent = judged.shift() * 100.0;
    let what = match change {
        Change::Resolved => "is back at its baseline",
        _ if percent > 0.0 => "has become slower",
        _ => "has become faster",
    };
    let summary = format!(
        "{route} {what}: median first token {after:.0} ms against {before:.0} ms ({percent:+.0} %)"
    );
    let figures = vec![
        ("baseline_first_token_ms", json!(before)),
        ("baseline_steps", json!(judged.baseline_steps)),
        ("first_token_ms", json!(after)),
        ("steps", json!(judged.now_steps)),
        ("shift", json!(judged.shift())),
        ("threshold", json!(thresholds.drift)),
        ("since", json!(judged.since.map(WallTime::rfc3339))),
    ];
    of_route(route, Condition::Drift, change, summary, figures, now)
}

fn of_availability(
    route: &RouteKey,
    change: Change,
    found: &Availability,
    thresholds: Thresholds,
    now: WallTime,
) -> Alert {
    let what = match change {
        Change::Resolved => "answers again",
        _ => "does not answer as it should",
    };
    let summary = format!(
        "{route} {what}: {} of {} probes answered within the last day",
        found.answered, found.judged
    );
    let share = found.share();
    let interval = share.map(|found| [found.interval.low, found.interval.high]);
    let figures = vec![
        ("answered", json!(found.answered)),
        ("probes", json!(found.judged)),
        ("availability", json!(share.map(|found| found.value))),
        ("availability_interval_95", json!(interval)),
        ("threshold", json!(thresholds.availability)),
    ];
    of_route(
        route,
        Condition::Availability,
        change,
        summary,
        figures,
        now,
    )
}

fn of_route(
    route: &RouteKey,
    condition: Condition,
    change: Change,
    summary: String,
    figures: Vec<(&'static str, Value)>,
    at: WallTime,
) -> Alert {
    Alert {
        at,
        condition,
        change,
        provider: route.provider.clone(),
        models: route.model.iter().cloned().collect(),
        summary,
        figures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::watch::point::tests::{answered, failed};

    const QUARTER: i64 = 900;

    fn route() -> RouteKey {
        RouteKey::new("openai", Some(Name::from("gpt-4.1")))
    }

    /// What is told probe by probe: `condition change` with the number of the probe.
    fn told(points: &[Point]) -> Vec<(usize, String)> {
        let (mut states, mut all) = (States::default(), Vec::new());
        for count in 1..=points.len() {
            let now = points[count - 1].at;
            let (_, alerts) = states.judge(&route(), &points[..count], Thresholds::default(), now);
            let words =
                |alert: &Alert| format!("{} {}", alert.condition.name(), alert.change.name());
            all.extend(alerts.iter().map(|alert| (count, words(alert))));
            // Kept and taken up again after every probe: a restart changes nothing.
            states = States::of_text(&states.text().unwrap()).unwrap();
        }
        all
    }

    #[test]
    fn an_outage_and_a_drift_are_told_once_each_and_once_that_they_are_over() {
        let at = |n: i64| {
            let millis = 400.0 + 7.0 * (n * 13 % 11) as f64;
            match n {
                200..230 => failed(n * QUARTER),
                300..330 => answered(n * QUARTER, 1.6 * millis),
                _ => answered(n * QUARTER, millis),
            }
        };
        let points: Vec<Point> = (0..450).map(at).collect();
        let told = told(&points);
        let words: Vec<&str> = told.iter().map(|(_, words)| words.as_str()).collect();
        assert_eq!(
            words,
            [
                "availability raised",
                "availability resolved",
                "drift raised",
                "drift resolved"
            ],
            "{told:?}"
        );
        for ((count, words), within) in told.iter().zip([201..206, 234..238, 303..310, 331..342]) {
            assert!(within.contains(count), "{words} after {count}");
        }
    }

    #[test]
    fn what_is_no_more_probed_is_forgotten() {
        let points: Vec<Point> = (0..5).map(|n| failed(n * QUARTER)).collect();
        let mut states = States::default();
        let (found, alerts) = states.judge(&route(), &points, Thresholds::default(), points[4].at);
        assert!(found.availability.down && alerts.len() == 1);
        assert_eq!(states.holding().count(), 1);
        states.retain(|_| false);
        assert_eq!(states.holding().count(), 0);
    }

    #[test]
    fn new_models_are_told_once_and_the_first_list_is_none() {
        let mut states = States::default();
        let provider = Name::from("openai");
        let mut list = |ids: &str| {
            let ids: Vec<Name> = ids.split_whitespace().map(Name::from).collect();
            states = States::of_text(&states.text().unwrap()).unwrap();
            let alert = states.list(&provider, &ids, WallTime(7));
            alert.map_or_else(String::new, |alert| alert.summary)
        };
        assert_eq!(list("a b"), "");
        assert_eq!(list("a b"), "");
        assert_eq!(list("b c d"), "openai lists new models: c, d");
        assert_eq!(list("a b c d"), "", "a was there before");
        assert_eq!(
            list("1 2 3 4 5 6 7"),
            "openai lists new models: 1, 2, 3, 4, 5 and 2 more"
        );
    }

    #[test]
    fn an_alert_says_what_it_was_found_by() {
        let points: Vec<Point> = (0..4).map(|n| failed(n * QUARTER)).collect();
        let (_, alerts) =
            States::default().judge(&route(), &points, Thresholds::default(), points[3].at);
        let json = alerts[0].json("7");
        for (pointer, expected) in [
            ("/schema", json!("tollgate.alert/1")),
            ("/condition", json!("availability")),
            ("/change", json!("raised")),
            ("/provider", json!("openai")),
            ("/models/0", json!("gpt-4.1")),
            ("/figures/probes", json!(4)),
            ("/figures/availability", json!(0.0)),
        ] {
            assert_eq!(json.pointer(pointer), Some(&expected), "{json}");
        }
    }
}
