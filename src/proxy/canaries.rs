//! Watches canaries: routes drawn by a weight that grows, or that is small beside the others.

use crate::config::settings::{ModelRoutes, RampStop, RouteSettings, Settings};
use crate::record::{ExchangeRecord, Name, WallTime};
use crate::recorder::Standing;
use crate::recorder::canaries::Canary;
use crate::recorder::standing::Board;
use crate::routing::policy::Policy;
use crate::routing::route::RouteKey;

/// A canary's route, when its weight began to grow, and the weight that it keeps once it is worse.
type Listed = (RouteKey, WallTime, Option<f64>);

/// The canaries of a model at a date: the routes whose weight grows, or else the one whose weight
/// is the least and less than half of the largest.
#[must_use]
pub(super) fn of(routes: &ModelRoutes, now: WallTime) -> Vec<Listed> {
    if routes.policy != Policy::Weighted {
        return Vec::new();
    }
    let key = |route: &RouteSettings| {
        let there = route.model.as_ref().unwrap_or(&routes.name);
        RouteKey::new(route.provider.clone(), Some(there.clone()))
    };
    let growing = routes.routes.iter().filter_map(|route| {
        let (start, _) = route.ramp?;
        let weight = match route.ramp_stop {
            RampStop::None => None,
            RampStop::Hold => Some(route.weight_at(now)),
            RampStop::Back => Some(0.0),
        };
        (start <= now).then(|| (key(route), start, weight))
    });
    let growing: Vec<Listed> = growing.collect();
    if !growing.is_empty() {
        return growing;
    }
    let by_weight =
        |one: &&RouteSettings, other: &&RouteSettings| one.weight.total_cmp(&other.weight);
    let least = routes.routes.iter().min_by(by_weight);
    let most = routes.routes.iter().max_by(by_weight);
    let of = least.zip(most);
    let of = of.filter(|(least, most)| least.weight > 0.0 && least.weight < most.weight / 2.0);
    of.map(|(least, _)| (key(least), WallTime(0), None))
        .into_iter()
        .collect()
}

/// Takes in an exchange that is over; a canary that is found worse is stopped by it, where the
/// config says so, and the log tells.
pub(super) fn watch(settings: &Settings, standing: &Standing, record: &ExchangeRecord) {
    if &*record.policy != Policy::Weighted.name() || record.active.is_some() {
        return;
    }
    let Some(model) = &record.model else { return };
    let routes = settings.models.iter().find(|routes| routes.name == *model);
    let listed = routes.map_or_else(Vec::new, |routes| of(routes, record.started));
    if listed.is_empty() {
        return;
    }
    let stopped = standing.with(|board| board.canaries.add(model, &listed, record));
    for (route, stopped) in stopped {
        tracing::error!(
            %model,
            %route,
            worse = stopped.worse.words(),
            weight = stopped.weight,
            "the canary is worse than the others: its weight is stopped"
        );
    }
}

/// The weight of a route: what it grew to, or what it was stopped at.
#[must_use]
pub(super) fn weight(
    board: &Board,
    model: &Name,
    key: &RouteKey,
    route: &RouteSettings,
    now: WallTime,
) -> f64 {
    let stopped = route
        .ramp
        .filter(|_| route.ramp_stop != RampStop::None)
        .and_then(|(start, _)| board.canaries.get(model, key, start)?.stopped);
    stopped.map_or_else(|| route.weight_at(now), |stopped| stopped.weight)
}

/// What is known of a canary.
#[must_use]
pub(super) fn known<'a>(
    board: &'a Board,
    model: &Name,
    (route, start, _): &Listed,
) -> Option<&'a Canary> {
    board.canaries.get(model, route, *start)
}
