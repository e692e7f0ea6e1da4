//! Watches canaries: routes drawn by a weight that grows, or that is small beside the others.

use crate::config::settings::{ModelRoutes, RampStop, RouteSettings, Settings};
use crate::record::{ExchangeRecord, Name, RouteScore, WallTime};
use crate::recorder::Standing;
use crate::recorder::canaries::{Canary, Listed, Stop, Turn};
use crate::recorder::standing::Board;
use crate::routing::canary::Scored;
use crate::routing::policy::{Policy, weight_of};
use crate::routing::route::RouteKey;
use crate::statistics::interval::{Estimate, Interval};

/// The canaries of a model at a date: the routes whose weight or share grows, or else the one whose
/// weight is the least and less than half of the largest.
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
        let planned = route.stages.as_ref().map(|stages| stages.start);
        let start = planned.or(route.ramp.map(|(start, _)| start))?;
        let stop = match (route.ramp_stop, planned) {
            (RampStop::None, _) => Stop::None,
            (RampStop::Hold, Some(_)) => Stop::Share,
            (RampStop::Hold, None) => Stop::Weight(route.weight_at(now)),
            (RampStop::Back, _) => Stop::Weight(0.0),
        };
        (start <= now).then(|| Listed {
            route: key(route),
            start,
            stop,
            stages: route.stages.clone(),
        })
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
    let of = of.map(|(least, _)| Listed {
        route: key(least),
        start: WallTime(0),
        stop: Stop::None,
        stages: None,
    });
    of.into_iter().collect()
}

/// Takes in an exchange that is over; a canary that is found worse is stopped by it, where the
/// config says so, one that is surely not goes on to its next stage, and the log tells.
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
    let turns = standing.with(|board| {
        for of in &listed {
            let score = routes.and_then(|routes| scored(board, routes, &of.route));
            board.canaries.score(model, &of.route, score);
        }
        board.canaries.add(model, &listed, record)
    });
    for (route, turn) in turns {
        match turn {
            Turn::Stopped(stopped) => tracing::error!(
                %model,
                %route,
                worse = stopped.worse.words(),
                weight = stopped.weight,
                "the canary is worse than the others: its weight is stopped"
            ),
            Turn::Passed { progress, .. } if progress.done => tracing::info!(
                %model,
                %route,
                "the canary has passed the last stage of its plan: the rest is yours to decide"
            ),
            Turn::Passed { share, .. } => tracing::info!(
                %model,
                %route,
                share,
                "the canary is surely no worse than the others: it goes on to the next stage"
            ),
        }
    }
}

/// What evaluations say of a canary: its score less that of the best other route that was scored,
/// by the scorer that the model's `min_score` names, of one data set. The runs are taken as
/// independent.
fn scored(board: &Board, model: &ModelRoutes, canary: &RouteKey) -> Option<Scored> {
    let asked = model.constraints.min_score.as_ref()?;
    let own = board.scores.of(canary, asked)?;
    let estimate = |of: &RouteScore| Estimate {
        value: of.value,
        interval: Interval {
            low: of.low,
            high: of.high,
        },
    };
    let others = model.routes.iter().filter_map(|route| {
        let there = route.model.as_ref().unwrap_or(&model.name);
        let key = RouteKey::new(route.provider.clone(), Some(there.clone()));
        let score = board.scores.like(&key, own).filter(|_| key != *canary)?;
        Some(estimate(score))
    });
    let best = others.max_by(|one, other| one.value.total_cmp(&other.value))?;
    Some(Scored::new(estimate(own).less(&best)))
}

/// The weight of a route of `model`: what it grew to, what its stage makes of it beside all others,
/// or what it was stopped at; and its share of the requests where it grows by stages.
#[must_use]
pub(super) fn weight(
    board: &Board,
    model: &ModelRoutes,
    key: &RouteKey,
    route: &RouteSettings,
    now: WallTime,
) -> (f64, Option<f64>) {
    let start = match (&route.stages, route.ramp) {
        (Some(stages), _) => stages.start,
        (None, Some((start, _))) => start,
        (None, None) => return (route.weight, None),
    };
    let canary = board.canaries.get(&model.name, key, start);
    let stopped = canary.and_then(|canary| canary.stopped);
    let stopped = stopped.filter(|_| route.ramp_stop != RampStop::None);
    let stopped = stopped.map(|stopped| stopped.weight);
    let Some(stages) = &route.stages else {
        return (stopped.unwrap_or_else(|| route.weight_at(now)), None);
    };
    if now < start {
        return (0.0, Some(0.0));
    }
    let progress = canary.map_or_else(Default::default, |canary| canary.progress);
    let share = stopped.unwrap_or_else(|| stages.share(&progress));
    let others = model.routes.iter().filter(|other| other.stages.is_none());
    let others = others.map(|other| other.weight_at(now)).sum();
    (weight_of(share, others), Some(share))
}

/// What is known of a canary.
#[must_use]
pub(super) fn known<'a>(board: &'a Board, model: &Name, listed: &Listed) -> Option<&'a Canary> {
    board.canaries.get(model, &listed.route, listed.start)
}
