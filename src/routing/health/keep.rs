//! Takes health apart into plain values to be kept over a restart, and puts it together again.
//!
//! Moments of one run mean nothing in another: what is kept are the spans that are left.

use crate::record::{KeyedHash, Moment, Name, Nanos};
use crate::routing::route::RouteKey;

use super::HealthTuning;
use super::board::Health;
use super::breaker::{Breaker, BreakerState};
use super::cooling::Cooling;

/// What is kept of health.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeptHealth {
    /// Routes.
    pub routes: Vec<KeptRouteHealth>,
    /// Held credentials.
    pub credentials: Vec<KeptCredential>,
}

/// What is kept of one route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRouteHealth {
    /// The route.
    pub route: RouteKey,
    /// How long its breaker stays open; absent where it is closed.
    pub open: Option<Nanos>,
    /// Times it opened without healing in between.
    pub times: u32,
    /// Failures in a row.
    pub consecutive: u32,
    /// Its credentials.
    pub lanes: Vec<KeptLane>,
}

/// What is kept of a credential's use of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptLane {
    /// The credential.
    pub credential: Option<KeyedHash>,
    /// How long it cools, and for the how-manieth time.
    pub cooling: Option<(Nanos, u32)>,
    /// How long it is held, and for the how-manieth time.
    pub held: Option<(Nanos, u32)>,
}

/// What is kept of a held credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCredential {
    /// The provider.
    pub provider: Name,
    /// The credential.
    pub credential: Option<KeyedHash>,
    /// How long it is held, and for the how-manieth time.
    pub held: (Nanos, u32),
}

impl Health {
    /// What is to be kept as of `now`.
    #[must_use]
    pub fn keep(&self, now: Moment) -> KeptHealth {
        let left = |cooling: &Cooling| {
            let until = cooling.until(now)?;
            Some((until.since(now), cooling.times()))
        };
        let mut routes: Vec<KeptRouteHealth> = self
            .routes
            .iter()
            .map(|(route, health)| KeptRouteHealth {
                route: route.clone(),
                open: match health.breaker.state() {
                    BreakerState::Closed => None,
                    BreakerState::Open { until, .. } => Some(until.since(now)),
                    // A trial that nobody will end: another one is due at once.
                    BreakerState::Trial { .. } => Some(Nanos(0)),
                },
                times: health.breaker.times(),
                consecutive: health.breaker.consecutive(),
                lanes: health
                    .lanes
                    .iter()
                    .map(|lane| KeptLane {
                        credential: lane.credential,
                        cooling: left(&lane.cooling),
                        held: left(&lane.held),
                    })
                    .collect(),
            })
            .collect();
        routes.sort_by(|a, b| a.route.cmp(&b.route));
        let of_provider = |(provider, held): (&Name, &Vec<(Option<KeyedHash>, Cooling)>)| {
            let provider = provider.clone();
            let held = held.clone();
            held.into_iter().filter_map(move |(credential, cooling)| {
                Some(KeptCredential {
                    provider: provider.clone(),
                    credential,
                    held: left(&cooling)?,
                })
            })
        };
        let mut credentials: Vec<KeptCredential> =
            self.credentials.iter().flat_map(of_provider).collect();
        credentials.sort_by(|a, b| (&a.provider, a.credential).cmp(&(&b.provider, b.credential)));
        KeptHealth {
            routes,
            credentials,
        }
    }

    /// Health as it was kept `age` ago: what has run out meanwhile is over.
    #[must_use]
    pub fn restore(tuning: HealthTuning, kept: &KeptHealth, age: Nanos, now: Moment) -> Self {
        let mut health = Self::new(tuning);
        let until = |left: Nanos| now.plus(Nanos(left.0.saturating_sub(age.0)));
        let cooling = |kept: Option<(Nanos, u32)>| match kept {
            Some((left, times)) if left > age => Cooling::kept(Some(until(left)), times),
            _ => Cooling::default(),
        };
        for of in &kept.routes {
            let route = health.route(&of.route, now);
            let open = of.open.map(|left| (now, until(left)));
            route.breaker = Breaker::kept(open, of.times, of.consecutive);
            for kept in &of.lanes {
                let lane = route.lane(kept.credential);
                lane.cooling = cooling(kept.cooling);
                lane.held = cooling(kept.held);
            }
        }
        for of in &kept.credentials {
            let held = health.credentials.entry(of.provider.clone()).or_default();
            held.push((of.credential, cooling(Some(of.held))));
        }
        health
    }
}
