//! Writes the report `routes` as JSON.
//!
//! The schema is `tollgate.report.routes/1`. Keys are added, never renamed or removed, within one
//! version. Spans are in milliseconds, rates in tokens per second, money in US dollars. A figure
//! is `{"value": number}`, or `{"value": null, "reason": "too_few", "needs": n, "has": n}`, or
//! `{"value": null, "reason": "among_failures"}`. A share is `{"value", "part", "whole"}`. Where
//! there is an interval, of 95 %, `low` and `high` are its ends; a `high` of null is infinite.

use serde_json::{Map, Value, json};

use crate::analysis::tables::{
    Exclusion, Figure, OutcomeCounts, RouteReport, RoutesReport, Share, Spread,
};
use crate::record::{Outcome, ProviderKind, TokenSource};
use crate::statistics::DEFINITIONS;
use crate::statistics::sketch::RELATIVE_ERROR;

/// The name and version of the schema.
pub const ROUTES_SCHEMA: &str = "tollgate.report.routes/1";

/// The report `routes`.
#[must_use]
pub fn routes(report: &RoutesReport) -> Value {
    let head = &report.head;
    let configs: Vec<String> = head.configs.iter().map(ToString::to_string).collect();
    let excluded = Exclusion::ALL.into_iter().zip(report.excluded);
    json!({
        "schema": ROUTES_SCHEMA,
        "definitions": DEFINITIONS,
        "program": env!("CARGO_PKG_VERSION"),
        "design": "observational",
        "made": head.made.rfc3339(),
        "window": { "from": head.window.from.rfc3339(), "until": head.window.until.rfc3339() },
        "span": report.span.map(|(first, last)| json!({
            "first": first.rfc3339(), "last": last.rfc3339(),
        })),
        "selection": { "origin": head.origin, "model": head.model, "provider": head.provider },
        "configs": configs,
        "scanned": report.scanned,
        "taken": report.taken,
        "damaged": head.damaged,
        "lost_unread": head.lost_unread,
        "source": if head.rolled { "rollups" } else { "records" },
        "relative_error": head.rolled.then_some(RELATIVE_ERROR),
        "excluded": counts(excluded.map(|(reason, count)| (reason.name(), count))),
        "unrouted": outcomes(&report.unrouted),
        "routes": report.routes.iter().map(route).collect::<Vec<Value>>(),
        "further": { "routes": report.further.routes, "exchanges": report.further.exchanges },
    })
}

fn route(route: &RouteReport) -> Value {
    let name = &route.route;
    json!({
        "provider": name.provider,
        "model": name.model,
        "region": name.region.as_deref(),
        "kind": name.kind.map(ProviderKind::name),
        "exchanges": route.exchanges,
        "streams": route.streams,
        "whole": route.exchanges - route.streams,
        "attempts": route.attempts,
        "failure_rate": share(route.failure_rate),
        "attempt_failure_rate": share(route.attempt_failure_rate),
        "rate_limited": share(route.rate_limited),
        "credential_faults": share(route.credential_faults),
        "lost": {
            "attempts": route.lost.attempts,
            "failures": route.lost.failures,
            "rate_limited": route.lost.rate_limited,
            "credential_faults": route.lost.credential_faults,
            "client_errors": route.lost.client_errors,
        },
        "outcomes": outcomes(&route.outcomes),
        "first_token_ms": spread(&route.first_token, 1e6),
        "first_answer_ms": spread(&route.first_answer, 1e6),
        "total_ms": spread(&route.total, 1e6),
        "output_rate": spread(&route.output_rate, 1e3),
        "own_delay_ms": spread(&route.own_delay, 1e6),
        "left_out_of_latency": {
            "background": route.background,
            "cached_answers": route.cached_answers,
            "untimed": route.untimed,
        },
        "pseudo_streams": route.pseudo_streams,
        "stalled": route.stalled,
        "reused_connections": route.reused,
        "tokens": tokens(route),
        "cost": cost(route),
    })
}

fn tokens(route: &RouteReport) -> Value {
    let tokens = &route.tokens;
    let known = route.exchanges > tokens.unknown;
    let sum = |sum: u64| known.then_some(sum);
    let sources = route.token_sources.map(|sources| {
        let sources = TokenSource::ALL.into_iter().zip(sources);
        counts(sources.map(|(source, count)| (source.name(), count)))
    });
    json!({
        "input": sum(tokens.input),
        "cached_read": sum(tokens.cached_read),
        "cache_write": sum(tokens.cache_write),
        "output": sum(tokens.output),
        "reasoning": sum(tokens.reasoning),
        "unknown": tokens.unknown,
        "sources": sources,
    })
}

fn cost(route: &RouteReport) -> Value {
    let costs = &route.costs;
    json!({
        "usd": costs.dollars(),
        "usd_each": costs.dollars_each(),
        "priced": costs.priced,
        "reason": costs.why_none(),
        "without": counts(costs.reasons()),
        "billed_usd": costs.billed_dollars(),
        "billed_count": costs.billed_count,
    })
}

/// A spread with its numbers divided by `unit`.
#[must_use]
pub fn spread(spread: &Spread, unit: f64) -> Value {
    let scaled = |one: Figure| figure(one.map(|value| value / unit));
    json!({
        "n": spread.seen,
        "failures": spread.failures,
        "not_waited_out": spread.cut,
        "design_effect": spread.effect,
        "few_hours": spread.few_hours,
        "p5": scaled(spread.p5),
        "p50": with_ends(scaled(spread.p50), spread.p50_ends, unit),
        "p95": with_ends(scaled(spread.p95), spread.p95_ends, unit),
        "p99": with_ends(scaled(spread.p99), spread.p99_ends, unit),
        "iqr_over_p50": figure(spread.iqr_over_median),
        "p95_over_p50": figure(spread.p95_over_p50),
        "missing": counts(spread.missing().map(|(reason, count)| (reason.name(), count))),
    })
}

/// A figure with the ends of its interval, where there are; null is infinite.
fn with_ends(mut figure: Value, ends: Option<(f64, f64)>, unit: f64) -> Value {
    if let Some((low, high)) = ends {
        figure["low"] = (low / unit).into();
        figure["high"] = (high / unit).into();
    }
    figure
}

/// A figure, or why there is none.
#[must_use]
pub fn figure(figure: Figure) -> Value {
    match figure {
        Figure::Value(value) => json!({ "value": value }),
        Figure::TooFew { needs, has } => {
            json!({ "value": null, "reason": "too_few", "needs": needs, "has": has })
        }
        Figure::AmongFailures | Figure::NotWaitedOut => {
            json!({ "value": null, "reason": figure.reason() })
        }
    }
}

/// A share with both ends of its fraction, and those of its interval.
#[must_use]
pub fn share(share: Share) -> Value {
    let found = json!({ "value": share.fraction(), "part": share.part, "whole": share.whole });
    with_ends(found, share.ends(), 1.0)
}

fn outcomes(counted: &OutcomeCounts) -> Value {
    counts(
        Outcome::ALL
            .into_iter()
            .map(|one| (one.name(), counted.of(one))),
    )
}

fn counts(list: impl Iterator<Item = (&'static str, u64)>) -> Value {
    let map: Map<String, Value> = list
        .map(|(name, count)| (name.to_owned(), Value::from(count)))
        .collect();
    Value::Object(map)
}
