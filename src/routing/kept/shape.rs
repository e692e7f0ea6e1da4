//! Holds the shape of the text: short names, spans in milliseconds, hashes as numbers.

use serde::{Deserialize, Serialize};

use super::VERSION;
use crate::record::{ErrorClass, KeyedHash, Name, Nanos, WallTime};
use crate::routing::health::{
    KeptCredential, KeptHealth, KeptLane, KeptRouteHealth, KeptSpan, Tripped,
};
use crate::routing::learned::{KeptFilter, KeptLearned, KeptRoute};
use crate::routing::route::RouteKey;
use crate::statistics::filter::Belief;

/// The part that every version has.
#[derive(Deserialize)]
pub(super) struct Version {
    pub(super) version: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Shape {
    version: u32,
    /// Microseconds since 1970.
    pub(super) at: i64,
    health: Vec<HealthShape>,
    credentials: Vec<CredentialShape>,
    routes: Vec<RouteShape>,
    lengths: Vec<(String, Option<u64>, f64, u64)>,
}

/// A span left in milliseconds, for the how-manieth time, the span passed, and the error's name.
type Left = (u64, u32, Option<u64>, Option<String>);

/// A credential's hash, how it cools, how it is held.
type Lane = (Option<u64>, Option<Left>, Option<Left>);

#[derive(Debug, Serialize, Deserialize)]
struct HealthShape {
    provider: String,
    model: Option<String>,
    /// The spans left and passed in milliseconds.
    open_ms: Option<(u64, u64)>,
    why: Option<String>,
    times: u32,
    consecutive: u32,
    lanes: Vec<Lane>,
    /// Of each lane the limit of requests at work; texts of before it was kept have none.
    #[serde(default)]
    paces: Vec<Option<(u32, bool, u32)>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct CredentialShape {
    provider: String,
    credential: Option<u64>,
    held: Left,
}

#[derive(Debug, Serialize, Deserialize)]
struct RouteShape {
    provider: String,
    model: Option<String>,
    first_token: Option<FilterShape>,
    per_token: Option<FilterShape>,
    success: (f64, f64),
    slope: (f64, f64),
    #[serde(default)]
    middle: Option<f64>,
    /// Of reasoning; texts of before it was learned have none.
    #[serde(default)]
    reasoning: (f64, f64),
    #[serde(default)]
    setup_ms: Option<f64>,
    /// Stratum, age and span in milliseconds.
    recent: Vec<(u8, u64, u32)>,
    /// The model that answers there; versions before this field did not keep it.
    #[serde(default)]
    answered: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FilterShape {
    mean: f64,
    variance: f64,
    noise: f64,
    count: u64,
    age_ms: u64,
}

impl Shape {
    pub(super) fn of(health: &KeptHealth, learned: &KeptLearned, at: WallTime) -> Self {
        Self {
            version: VERSION,
            at: at.0,
            health: health.routes.iter().map(HealthShape::of).collect(),
            credentials: health
                .credentials
                .iter()
                .map(|kept| CredentialShape {
                    provider: text(&kept.provider),
                    credential: kept.credential.map(|hash| hash.0),
                    held: left(kept.held),
                })
                .collect(),
            routes: learned.routes.iter().map(RouteShape::of).collect(),
            lengths: learned
                .lengths
                .iter()
                .map(|(model, client, mean, count)| {
                    (text(model), client.map(|hash| hash.0), *mean, *count)
                })
                .collect(),
        }
    }

    pub(super) fn health(&self) -> KeptHealth {
        KeptHealth {
            routes: self.health.iter().map(HealthShape::kept).collect(),
            credentials: self
                .credentials
                .iter()
                .map(|shape| KeptCredential {
                    provider: shape.provider.as_str().into(),
                    credential: shape.credential.map(KeyedHash),
                    held: unleft(&shape.held),
                })
                .collect(),
        }
    }

    pub(super) fn learned(&self) -> KeptLearned {
        KeptLearned {
            routes: self.routes.iter().map(RouteShape::kept).collect(),
            lengths: self
                .lengths
                .iter()
                .map(|(model, client, mean, count)| {
                    (model.as_str().into(), client.map(KeyedHash), *mean, *count)
                })
                .collect(),
        }
    }
}

impl HealthShape {
    fn of(kept: &KeptRouteHealth) -> Self {
        let lane = |lane: &KeptLane| {
            let hash = lane.credential.map(|hash| hash.0);
            (hash, lane.cooling.map(left), lane.held.map(left))
        };
        Self {
            provider: text(&kept.route.provider),
            model: kept.route.model.as_ref().map(text),
            open_ms: kept
                .open
                .map(|(left, lasted)| (millis(left), millis(lasted))),
            why: kept.why.map(|why| why.name().to_owned()),
            times: kept.times,
            consecutive: kept.consecutive,
            lanes: kept.lanes.iter().map(lane).collect(),
            paces: kept.lanes.iter().map(|lane| lane.pace).collect(),
        }
    }

    fn kept(&self) -> KeptRouteHealth {
        let paces = self.paces.iter().copied().chain(std::iter::repeat(None));
        let lanes = self.lanes.iter().zip(paces);
        let lane = |((hash, cooling, held), pace): (&Lane, _)| KeptLane {
            credential: hash.map(KeyedHash),
            cooling: cooling.as_ref().map(unleft),
            held: held.as_ref().map(unleft),
            pace,
        };
        KeptRouteHealth {
            route: route(&self.provider, self.model.as_deref()),
            open: self
                .open_ms
                .map(|(left, lasted)| (Nanos::from_millis(left), Nanos::from_millis(lasted))),
            why: self.why.as_deref().and_then(tripped),
            times: self.times,
            consecutive: self.consecutive,
            lanes: lanes.map(lane).collect(),
        }
    }
}

impl RouteShape {
    fn of(kept: &KeptRoute) -> Self {
        let span = |(stratum, age, span): &(u8, Nanos, u32)| (*stratum, millis(*age), *span);
        Self {
            provider: text(&kept.route.provider),
            model: kept.route.model.as_ref().map(text),
            first_token: kept.level.map(FilterShape::of),
            per_token: kept.per_token.map(FilterShape::of),
            success: kept.success,
            slope: kept.slope,
            middle: kept.middle,
            reasoning: kept.reasoning,
            setup_ms: kept.setup_ms,
            recent: kept.recent.iter().map(span).collect(),
            answered: kept.answered.as_ref().map(text),
        }
    }

    fn kept(&self) -> KeptRoute {
        let span =
            |(stratum, age, span): &(u8, u64, u32)| (*stratum, Nanos::from_millis(*age), *span);
        KeptRoute {
            route: route(&self.provider, self.model.as_deref()),
            level: self.first_token.as_ref().map(FilterShape::kept),
            per_token: self.per_token.as_ref().map(FilterShape::kept),
            success: self.success,
            slope: self.slope,
            middle: self.middle,
            reasoning: self.reasoning,
            setup_ms: self.setup_ms,
            recent: self.recent.iter().map(span).collect(),
            answered: self.answered.as_deref().map(Name::from),
        }
    }
}

impl FilterShape {
    fn of(kept: KeptFilter) -> Self {
        Self {
            mean: kept.belief.mean,
            variance: kept.belief.variance,
            noise: kept.belief.noise,
            count: kept.count,
            age_ms: millis(kept.age),
        }
    }

    const fn kept(&self) -> KeptFilter {
        KeptFilter {
            belief: Belief {
                mean: self.mean,
                variance: self.variance,
                noise: self.noise,
            },
            count: self.count,
            age: Nanos::from_millis(self.age_ms),
        }
    }
}

fn route(provider: &str, model: Option<&str>) -> RouteKey {
    RouteKey::new(provider, model.map(Name::from))
}

fn text(name: &Name) -> String {
    name.as_str().to_owned()
}

const fn millis(span: Nanos) -> u64 {
    span.0 / 1_000_000
}

fn left(kept: KeptSpan) -> Left {
    (
        kept.left.0.div_ceil(1_000_000),
        kept.times,
        kept.lasted.map(millis),
        kept.why.map(|why| why.name().to_owned()),
    )
}

fn unleft((left, times, lasted, why): &Left) -> KeptSpan {
    KeptSpan {
        left: Nanos::from_millis(*left),
        times: *times,
        lasted: lasted.map(Nanos::from_millis),
        why: why.as_deref().and_then(class),
    }
}

fn tripped(name: &str) -> Option<Tripped> {
    Tripped::ALL.into_iter().find(|why| why.name() == name)
}

fn class(name: &str) -> Option<ErrorClass> {
    let mut all = ErrorClass::ALL.iter().copied();
    all.find(|class| class.name() == name)
}
