//! Keeps the health of every route and credential, and judges what it is told.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::record::{ErrorClass, KeyedHash, Moment, Name};
use crate::routing::limits::{Declared, Meter};
use crate::routing::route::RouteKey;

use super::HealthTuning;
use super::breaker::{Breaker, BreakerState};
use super::cooling::Cooling;
use super::effect::{Effect, effect};
use super::event::{Change, Event, Ticket};
use super::lane::Lane;
use super::view::{Barred, HealthView};

/// Routes kept: clients may ask for models without end.
const ROUTES_MAX: usize = 1_024;
/// Credentials kept of one route, and of one provider.
const LANES_MAX: usize = 64;

/// The health of one route.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct RouteHealth {
    pub(super) breaker: Breaker,
    pub(super) lanes: Vec<Lane>,
    pub(super) touched: Moment,
}

impl RouteHealth {
    pub(super) fn lane(&mut self, credential: Option<KeyedHash>) -> &mut Lane {
        let at = self
            .lanes
            .iter()
            .position(|lane| lane.credential == credential);
        let at = at.unwrap_or_else(|| {
            let idle = self.lanes.iter().position(|lane| lane.at_work == 0);
            if let (true, Some(idle)) = (self.lanes.len() >= LANES_MAX, idle) {
                self.lanes.remove(idle);
            }
            self.lanes.push(Lane::new(credential));
            self.lanes.len() - 1
        });
        &mut self.lanes[at]
    }

    fn at_work(&self) -> u32 {
        self.lanes.iter().map(|lane| lane.at_work).sum()
    }
}

type HeldCredentials = HashMap<Name, Vec<(Option<KeyedHash>, Cooling)>, FixedState>;

/// The health of every route. Owned by whoever serves; told of the beginning and the end of every
/// attempt.
#[derive(Debug, Clone)]
pub struct Health {
    pub(super) tuning: HealthTuning,
    pub(super) routes: HashMap<RouteKey, RouteHealth, FixedState>,
    pub(super) credentials: HeldCredentials,
}

impl Health {
    /// Nothing known yet: every route may be tried.
    #[must_use]
    pub fn new(tuning: HealthTuning) -> Self {
        Self {
            tuning,
            routes: HashMap::default(),
            credentials: HashMap::default(),
        }
    }

    /// The numbers it judges by.
    #[must_use]
    pub const fn tuning(&self) -> &HealthTuning {
        &self.tuning
    }

    /// An attempt begins. The ticket comes back to [`Self::end`], however the attempt ends.
    pub fn begin(
        &mut self,
        route: &RouteKey,
        credential: Option<KeyedHash>,
        now: Moment,
    ) -> Ticket {
        let tuning = self.tuning;
        let health = self.route(route, now);
        let trial = health.breaker.begin(&tuning, now);
        let lane = health.lane(credential);
        lane.at_work = lane.at_work.saturating_add(1);
        lane.used.request(now);
        Ticket {
            route: route.clone(),
            credential,
            begun: now,
            trial,
        }
    }

    /// An attempt is over. `draw` of `[0, 1)` decides jitter. What changed is for logs and alerts.
    pub fn end(&mut self, ticket: Ticket, event: Event, now: Moment, draw: f64) -> Vec<Change> {
        let health = self.route(&ticket.route, now);
        let lane = health.lane(ticket.credential);
        let at_work = lane.at_work;
        lane.at_work = at_work.saturating_sub(1);
        match event {
            Event::Cancelled => {
                health.breaker.cancelled(ticket.trial);
                Vec::new()
            }
            Event::Success => self.succeeded(&ticket, now),
            Event::Failed { class, until } => {
                self.failed(&ticket, class, until, at_work, now, draw)
            }
        }
    }

    /// The tokens that an attempt used, for the use of declared limits, and whether its answer
    /// declared how many are left.
    pub fn tokens(
        &mut self,
        route: &RouteKey,
        credential: Option<KeyedHash>,
        (tokens, is_declared): (u64, bool),
        now: Moment,
    ) {
        self.route(route, now)
            .lane(credential)
            .used
            .tokens(tokens, is_declared, now);
    }

    /// What the headers of a response declare to be left.
    pub fn declare(
        &mut self,
        route: &RouteKey,
        credential: Option<KeyedHash>,
        declared: &Declared,
        now: Moment,
    ) {
        if *declared != Declared::default() {
            self.route(route, now)
                .lane(credential)
                .declare(declared, now);
        }
    }

    /// What is known of a route with a credential.
    #[must_use]
    pub fn view(&self, route: &RouteKey, credential: Option<KeyedHash>, now: Moment) -> HealthView {
        let held = self.credential(&route.provider, credential, now);
        let Some(health) = self.routes.get(route) else {
            return HealthView {
                barred: held.map(|until| (Barred::CredentialHeld, Some(until))),
                ..HealthView::default()
            };
        };
        let lane = health
            .lanes
            .iter()
            .find(|lane| lane.credential == credential);
        HealthView {
            barred: held
                .map(|until| (Barred::CredentialHeld, Some(until)))
                .or_else(|| self.barred(health, lane, now)),
            trial_due: health.breaker.state() != BreakerState::Closed
                && health.breaker.admits(&self.tuning, now),
            consecutive: health.breaker.consecutive(),
            at_work: health.at_work(),
            own_at_work: lane.map_or(0, |lane| lane.at_work),
            own_requests: lane.map_or(0, |lane| lane.used.minute(Meter::Requests, now)),
            limit: lane.and_then(|lane| lane.pace.limit()),
            requests_left: lane.and_then(|lane| lane.used.fewest(Meter::Requests, now)),
            tokens_left: lane.and_then(|lane| lane.used.fewest(Meter::Tokens, now)),
            utilisation: lane.and_then(|lane| lane.used.utilisation(now)),
        }
    }

    /// Forgets the routes of a provider, and what its credentials are held for. Attempts at work may
    /// end all the same.
    pub fn forget(&mut self, provider: &Name) {
        self.routes.retain(|route, _| route.provider != *provider);
        self.credentials.remove(provider);
    }

    /// Whether a route is known to be well: nothing bars it, and of enough requests that ended
    /// within the window fewer than a tenth failed.
    #[must_use]
    pub fn is_well(&self, route: &RouteKey, now: Moment) -> bool {
        let breaker = self.breaker(route);
        breaker.is_some_and(|breaker| {
            let (failed, all) = breaker.recent(&self.tuning, now);
            let known = all >= self.tuning.failing_min && failed * 10 < all;
            known && breaker.state() == BreakerState::Closed
        })
    }

    /// The breaker of a route, for showing.
    #[must_use]
    pub fn breaker(&self, route: &RouteKey) -> Option<&Breaker> {
        self.routes.get(route).map(|health| &health.breaker)
    }

    /// The credentials' use of a route, for showing.
    #[must_use]
    pub fn lanes(&self, route: &RouteKey) -> &[Lane] {
        self.routes
            .get(route)
            .map_or(&[], |health| health.lanes.as_slice())
    }

    /// Every route that something is known of.
    pub fn routes(&self) -> impl Iterator<Item = &RouteKey> {
        self.routes.keys()
    }

    /// Requests at work on all routes: zero when nothing runs.
    #[must_use]
    pub fn at_work(&self) -> u32 {
        self.routes.values().map(RouteHealth::at_work).sum()
    }

    fn barred(
        &self,
        health: &RouteHealth,
        lane: Option<&Lane>,
        now: Moment,
    ) -> Option<(Barred, Option<Moment>)> {
        let held = lane.and_then(|lane| lane.held.until(now));
        if let Some(until) = held {
            return Some((Barred::Held, Some(until)));
        }
        if !health.breaker.admits(&self.tuning, now) {
            return Some(match health.breaker.state() {
                BreakerState::Open { until, .. } => (Barred::Open, Some(until)),
                _ => (Barred::Trial, None),
            });
        }
        let lane = lane?;
        if let Some(until) = lane.cooling.until(now) {
            return Some((Barred::Cooling, Some(until)));
        }
        let full = lane.pace.limit().is_some_and(|limit| lane.at_work >= limit);
        full.then_some((Barred::Full, None))
    }

    fn succeeded(&mut self, ticket: &Ticket, now: Moment) -> Vec<Change> {
        let health = self.route(&ticket.route, now);
        let closed = health.breaker.succeeded(ticket.begun, now);
        let lane = health.lane(ticket.credential);
        lane.cooling.succeeded(ticket.begun);
        // A held route or credential that works is not at fault any more.
        lane.held.end();
        lane.pace.succeeded();
        if closed {
            health.lanes.iter_mut().for_each(|lane| lane.pace.recover());
        }
        if let Some(held) = self.credentials.get_mut(&ticket.route.provider) {
            held.retain(|(credential, _)| *credential != ticket.credential);
        }
        let route = ticket.route.clone();
        closed
            .then_some(Change::Closed { route })
            .into_iter()
            .collect()
    }

    fn failed(
        &mut self,
        ticket: &Ticket,
        class: ErrorClass,
        asked: Option<Moment>,
        at_work: u32,
        now: Moment,
        draw: f64,
    ) -> Vec<Change> {
        let tuning = self.tuning;
        let route = ticket.route.clone();
        let health = self.route(&ticket.route, now);
        let hold = (tuning.hold, tuning.hold_max);
        let cooling = (tuning.cooling, tuning.cooling_max);
        if effect(class) != Effect::Counts {
            // A trial that met the request's own fault decides nothing.
            health.breaker.cancelled(ticket.trial);
        }
        let lane = health.lane(ticket.credential);
        match effect(class) {
            Effect::Nothing => Vec::new(),
            Effect::Cools => {
                let until = lane.cooling.cool(asked, class, cooling, ticket.begun, now);
                lane.pace.cut(at_work, ticket.begun, now);
                let credential = ticket.credential;
                vec![Change::Cooled {
                    route,
                    credential,
                    until,
                }]
            }
            // Requests without a model are of all kinds: a file that is not there is no route's
            // fault.
            Effect::HoldsRoute if route.model.is_none() => Vec::new(),
            Effect::HoldsRoute => {
                let until = lane.held.cool(None, class, hold, ticket.begun, now);
                vec![Change::RouteHeld {
                    route,
                    class,
                    until,
                }]
            }
            Effect::HoldsCredential => vec![self.hold_credential(ticket, class, asked, now)],
            Effect::Counts => {
                if asked.is_some() {
                    lane.cooling.cool(asked, class, cooling, ticket.begun, now);
                }
                let opened = health.breaker.failed(ticket.trial, &tuning, now, draw);
                let opened = opened.map(|(why, until)| Change::Opened { route, why, until });
                opened.into_iter().collect()
            }
        }
    }

    fn hold_credential(
        &mut self,
        ticket: &Ticket,
        class: ErrorClass,
        asked: Option<Moment>,
        now: Moment,
    ) -> Change {
        let provider = ticket.route.provider.clone();
        let held = self.credentials.entry(provider.clone()).or_default();
        let at = held
            .iter()
            .position(|(credential, _)| *credential == ticket.credential);
        let at = at.unwrap_or_else(|| {
            if held.len() >= LANES_MAX {
                held.remove(0);
            }
            held.push((ticket.credential, Cooling::default()));
            held.len() - 1
        });
        let hold = (self.tuning.hold, self.tuning.hold_max);
        // An exhausted quota may name its end; else it is held as long as a wrong key is, and never
        // shorter: Google says seconds beside a day's quota.
        let asked = asked.map(|asked| asked.max(now.plus(self.tuning.hold)));
        let until = held[at].1.cool(asked, class, hold, ticket.begun, now);
        Change::CredentialHeld {
            provider,
            credential: ticket.credential,
            class,
            until,
        }
    }

    fn credential(
        &self,
        provider: &Name,
        credential: Option<KeyedHash>,
        now: Moment,
    ) -> Option<Moment> {
        self.held_credential(provider, credential)?.until(now)
    }

    pub(super) fn held_credential(
        &self,
        provider: &Name,
        credential: Option<KeyedHash>,
    ) -> Option<&Cooling> {
        let held = self.credentials.get(provider)?;
        let (_, cooling) = held.iter().find(|(hash, _)| *hash == credential)?;
        Some(cooling)
    }

    pub(super) fn route(&mut self, route: &RouteKey, now: Moment) -> &mut RouteHealth {
        if self.routes.len() >= ROUTES_MAX && !self.routes.contains_key(route) {
            self.forget_one();
        }
        let health = self.routes.entry(route.clone()).or_default();
        health.touched = health.touched.max(now);
        health
    }

    /// Forgets the route that was silent longest and has nothing at work.
    fn forget_one(&mut self) {
        let idle = self.routes.iter().filter(|(_, of)| of.at_work() == 0);
        let silent = idle.min_by_key(|(_, of)| of.touched);
        if let Some(route) = silent.map(|(route, _)| route.clone()) {
            self.routes.remove(&route);
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new(HealthTuning::default())
    }
}
