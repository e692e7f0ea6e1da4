//! Takes health apart into plain values to be kept over a restart, and puts it together again.
//!
//! Moments of one run mean nothing in another: what is kept are the spans that are left.

use crate::record::{ErrorClass, KeyedHash, Moment, Name, Nanos};
use crate::routing::route::RouteKey;

use super::HealthTuning;
use super::board::Health;
use super::breaker::{Breaker, BreakerState, Tripped};
use super::cooling::Cooling;
use super::pace::Pace;

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
    /// How long its breaker stays open, and how long it has been; absent where it is closed.
    pub open: Option<(Nanos, Nanos)>,
    /// What opened it last.
    pub why: Option<Tripped>,
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
    /// How it cools.
    pub cooling: Option<KeptSpan>,
    /// How it is held.
    pub held: Option<KeptSpan>,
    /// How many requests may be at work with it ([`super::pace::Pace::keep`]).
    pub pace: Option<(u32, bool, u32)>,
}

/// What is kept of something that is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptSpan {
    /// For how long yet.
    pub left: Nanos,
    /// For the how-manieth time in a row.
    pub times: u32,
    /// For how long already, where that is known.
    pub lasted: Option<Nanos>,
    /// What was met last.
    pub why: Option<ErrorClass>,
}

/// What is kept of a held credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCredential {
    /// The provider.
    pub provider: Name,
    /// The credential.
    pub credential: Option<KeyedHash>,
    /// How it is held.
    pub held: KeptSpan,
}

impl Health {
    /// What is to be kept as of `now`.
    #[must_use]
    pub fn keep(&self, now: Moment) -> KeptHealth {
        let left = |cooling: &Cooling| {
            let until = cooling.until(now)?;
            Some(KeptSpan {
                left: until.since(now),
                times: cooling.times(),
                lasted: cooling.since().map(|since| now.since(since)),
                why: cooling.why(),
            })
        };
        let mut routes: Vec<KeptRouteHealth> = self
            .routes
            .iter()
            .map(|(route, health)| KeptRouteHealth {
                route: route.clone(),
                open: match health.breaker.state() {
                    BreakerState::Closed => None,
                    BreakerState::Open { since, until } => {
                        Some((until.since(now), now.since(since)))
                    }
                    // A trial that nobody will end: another one is due at once.
                    BreakerState::Trial { since, .. } => Some((Nanos(0), now.since(since))),
                },
                why: health.breaker.why(),
                times: health.breaker.times(),
                consecutive: health.breaker.consecutive(),
                lanes: health
                    .lanes
                    .iter()
                    .map(|lane| KeptLane {
                        credential: lane.credential,
                        cooling: left(&lane.cooling),
                        held: left(&lane.held),
                        pace: lane.pace.keep(),
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
        // The clock of this run may not reach back so far.
        let since = |lasted: Nanos| {
            let ago = lasted.0.saturating_add(age.0);
            now.0.checked_sub(ago).map(Moment)
        };
        let cooling = |kept: Option<KeptSpan>| match kept {
            Some(kept) if kept.left > age => Cooling::kept(
                until(kept.left),
                kept.times,
                kept.lasted.and_then(since),
                kept.why,
            ),
            _ => Cooling::default(),
        };
        for of in &kept.routes {
            let route = health.route(&of.route, now);
            let open = of.open.map(|(left, lasted)| {
                let since = since(lasted).unwrap_or_default();
                (since, until(left))
            });
            route.breaker = Breaker::kept(open, of.why, of.times, of.consecutive);
            for kept in &of.lanes {
                let lane = route.lane(kept.credential);
                lane.cooling = cooling(kept.cooling);
                lane.held = cooling(kept.held);
                lane.pace = Pace::kept(kept.pace);
            }
        }
        for of in &kept.credentials {
            let held = health.credentials.entry(of.provider.clone()).or_default();
            held.push((of.credential, cooling(Some(of.held))));
        }
        health
    }
}
