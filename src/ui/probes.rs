//! Shows what probes found and which alerts hold: for Prometheus, and for `/api/standing`.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use serde_json::{Value, json};

use crate::active::probing::Watched;
use crate::analysis::watch::Condition;
use crate::record::WallTime;
use crate::routing::route::RouteKey;

type Labels = Vec<(&'static str, String)>;
type Numbers = Family<Labels, Gauge<f64, AtomicU64>>;

/// Whether each condition holds of each route that is probed, what the probes say, what was spent
/// on them, and how many alerts are on their way.
pub(super) fn register(registry: &mut Registry, watched: &Watched) {
    let labels = |route: &RouteKey| -> Labels { vec![("route", route.to_string())] };
    let holds = Family::<Labels, Gauge>::default();
    let of = |route: &RouteKey, condition: Condition| {
        let condition = [("condition", condition.name().to_owned())];
        let all = condition.into_iter().chain(labels(route));
        holds.get_or_create(&all.collect()).clone()
    };
    let [availability, first, baseline] = [(); 3].map(|()| Numbers::default());
    for (route, found, last) in &watched.routes {
        for condition in [Condition::Drift, Condition::Availability] {
            of(route, condition).set(0);
        }
        if let Some(share) = found.availability.share() {
            availability.get_or_create(&labels(route)).set(share.value);
        }
        if let Some(value) = last.first_token {
            first.get_or_create(&labels(route)).set(value / 1e9);
        }
        if let Some(judged) = found.drift.judged() {
            let value = judged.baseline / 1e9;
            baseline.get_or_create(&labels(route)).set(value);
        }
    }
    for (route, condition, _) in &watched.holding {
        of(route, *condition).set(1);
    }
    registry.register(
        "tollgate_alert",
        "Whether a route has drifted, or does not answer",
        holds,
    );
    registry.register(
        "tollgate_probe_availability",
        "Share of the probes of the last day that the route answered",
        availability,
    );
    let help = "First token of the route's last probe";
    registry.register_with_unit("tollgate_probe_first_token", help, Unit::Seconds, first);
    let help = "Median first token of the route's baseline";
    let name = "tollgate_probe_baseline_first_token";
    registry.register_with_unit(name, help, Unit::Seconds, baseline);
    let (sent, cost) = watched.spent;
    let (waiting, delivered, dropped) = watched.alerts;
    for (name, help, value) in [
        (
            "tollgate_probes_today",
            "Probes sent since midnight, UTC",
            sent as f64,
        ),
        (
            "tollgate_probes_today_usd",
            "What they may have cost, US dollars",
            cost.as_dollars(),
        ),
        (
            "tollgate_alerts_waiting",
            "Alerts that the webhook has not taken yet",
            waiting as f64,
        ),
    ] {
        registry.register(name, help, ConstGauge::new(value));
    }
    for (name, help, value) in [
        (
            "tollgate_alerts_delivered",
            "Alerts that the webhook took",
            delivered,
        ),
        (
            "tollgate_alerts_dropped",
            "Alerts that made room for newer ones",
            dropped,
        ),
    ] {
        registry.register(name, help, ConstCounter::new(value));
    }
}

/// The alerts that hold, as JSON.
pub(super) fn holding(watched: &Watched) -> Value {
    let one = |(route, condition, since): &(RouteKey, Condition, WallTime)| {
        json!({
            "condition": condition.name(),
            "provider": route.provider.as_str(),
            "model": route.model.as_deref(),
            "since": since.rfc3339(),
        })
    };
    watched.holding.iter().map(one).collect()
}
