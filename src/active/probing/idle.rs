//! Asks routes that nobody used for long for one token, so that what is expected of them stays
//! fresh: within a number a day, and only while the street is in use.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::ask::Probe;
use super::purse::Purse;
use super::round::cost_of;
use crate::active::targets::Target;
use crate::active::traffic::{Reply, Traffic};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::edge::server::Drain;
use crate::proxy::Shared;
use crate::record::{Moment, Nanos};
use crate::recorder::standing::Board;
use crate::routing::route::RouteKey;

/// How often it looks for idle routes.
const EVERY: Duration = Duration::from_secs(15);
/// Without a request of a client's for so long, nothing has to be kept fresh.
const IN_USE: Nanos = Nanos(600 * 1_000_000_000);
/// Whoever does not answer by then is not waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// Who keeps idle routes fresh.
#[derive(Debug)]
pub struct Idle {
    shared: Arc<Shared>,
    traffic: Traffic,
    purse: Arc<Mutex<Purse>>,
    sent: u32,
    /// Routes that refuse such requests: asked again in the next run.
    refused: BTreeSet<RouteKey>,
}

impl Idle {
    /// One who has asked nobody yet, and takes what it asks out of `purse`.
    #[must_use]
    pub const fn new(shared: Arc<Shared>, traffic: Traffic, purse: Arc<Mutex<Purse>>) -> Self {
        Self {
            shared,
            traffic,
            purse,
            sent: 0,
            refused: BTreeSet::new(),
        }
    }

    /// Probes until the program stops.
    pub async fn run(mut self, drain: Drain) {
        loop {
            tokio::select! {
                biased;
                () = drain.stopping() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            tokio::select! {
                biased;
                () = drain.stopping() => return,
                () = self.once() => {}
            }
        }
    }

    /// Probes the route that was idle longest, if one is due.
    pub async fn once(&mut self) {
        let settings = self.shared.settings.load_full();
        if !settings.probes.enabled {
            return;
        }
        let clock: &Clock = &self.shared.clock;
        let standing = &self.shared.settler.standing;
        let now = clock.now();
        let due = standing.with(|board| due(board, &settings, &self.refused, now));
        let Some(target) = due else { return };
        let max_tokens = settings.probes.idle_tokens();
        let cost = cost_of(&target, max_tokens, &settings, clock.wall()).unwrap_or_default();
        let may = {
            let mut purse = self.purse.lock().unwrap_or_else(PoisonError::into_inner);
            purse.take(&settings.probes, cost, clock.wall())
        };
        if !may {
            return;
        }
        self.sent += 1;
        let route = &target.route;
        tracing::debug!(%route, "idle: asked for a token");
        let probe = Probe {
            target: &target,
            run: "idle-routes",
            round: 0,
            trial: self.sent,
            max_tokens,
            fresh: false,
            worker: self.sent as usize,
        };
        match tokio::time::timeout(PATIENCE, self.traffic.send(probe.asked())).await {
            Ok(Ok(Reply { status, .. })) if (400..500).contains(&status) && status != 429 => {
                tracing::info!(%route, status, "the route takes no probes");
                self.refused.insert(target.route);
            }
            Ok(Err(error)) => tracing::debug!(%error, "a probe came to nothing"),
            // How it went is in the record, and known to the routing.
            Ok(Ok(_)) | Err(_) => {}
        }
    }
}

/// The route of a model with several that was idle longest, for `idle_after` at least; none while
/// no client uses the street. What health keeps requests from is left alone.
#[must_use]
pub fn due(
    board: &Board,
    settings: &Settings,
    refused: &BTreeSet<RouteKey>,
    now: Moment,
) -> Option<Target> {
    let in_use = board.used.is_some_and(|used| now.since(used).0 < IN_USE.0);
    if !in_use {
        return None;
    }
    let idle_after = settings.probes.idle_after.as_nanos();
    let routes = settings
        .models
        .iter()
        .filter(|model| model.routes.len() > 1);
    let routes = routes.flat_map(|model| {
        model.routes.iter().map(move |route| {
            let there = route.model.clone().unwrap_or_else(|| model.name.clone());
            (model, route, there)
        })
    });
    let idle = routes.filter_map(|(model, route, there)| {
        let provider = settings.provider(&route.provider)?;
        let target = Target::new(&model.name, provider, there);
        let route = &target.route;
        let fit = provider.has_credential() && !refused.contains(route);
        let last = board.learned.last(route);
        let quiet = last.map_or(u128::MAX, |last| u128::from(now.since(last).0));
        let credentials = board.health.lanes(route).iter();
        let barred = credentials
            .map(crate::routing::health::Lane::credential)
            .chain([None])
            .any(|credential| board.health.view(route, credential, now).barred.is_some());
        (fit && !barred && quiet >= idle_after).then_some((quiet, target))
    });
    idle.max_by_key(|(quiet, _)| *quiet)
        .map(|(_, target)| target)
}
