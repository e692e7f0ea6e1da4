//! Makes baselines of runs of a benchmark, or of traffic.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Baseline, Known, NUMBERS, Row, Watched};
use crate::analysis::paper::{Head, Source, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::render::units::minute;
use crate::analysis::reports::bench::{Run, rows_of_runs};
use crate::analysis::reports::call::Call;
use crate::analysis::reports::call::plain_model;
use crate::analysis::reports::figures::{
    Good, Numbers, by, by_route, failures, first_token, leader, mean, named, numbers, price, rate,
    region, to_first_token, to_whole,
};
use crate::analysis::reports::gather::named as named_as;
use crate::analysis::reports::same::SameModel;
use crate::analysis::tables::Share;
use crate::record::WallTime;
use crate::statistics::DEFINITIONS;
use crate::statistics::compare::dispersion::MAD_FACTOR;
use crate::statistics::compare::resistant_slope;
use crate::statistics::drift::Reference;
use crate::statistics::drift::cusum::STEP;
use crate::statistics::interval::ALPHA;
use crate::statistics::quantile::{Sample, sorted};

/// Where a metric of [`NUMBERS`] stands.
pub(super) const FIRST_TOKEN: usize = 0;
pub(super) const RATE: usize = 2;

/// What a metric that is watched takes from a call, and whether nobody waited it out: it is larger
/// then.
pub(super) fn watched_of(metric: usize, call: &Call) -> Option<(f64, bool)> {
    if metric == RATE {
        return rate(call).map(|value| (value, false));
    }
    let wait = call.waited[0].filter(|_| call.traits.stream);
    let first = first_token(call).map(|value| (value, false));
    first.or_else(|| wait.map(|wait| (wait, true)))
}

/// The numbers of a metric that is watched.
pub(super) fn watched_numbers(metric: usize, calls: &[&Call]) -> Numbers {
    match metric {
        RATE => numbers(calls, rate),
        _ => to_first_token(calls),
    }
}

/// The baseline of `runs`, which `head` is of; `same` knows which names mean one model.
#[must_use]
pub fn of_runs(
    runs: &[Run<'_>],
    same: Option<&SameModel>,
    head: &Head,
    saved: WallTime,
) -> Baseline {
    let mut rows = Vec::new();
    let mut variants: BTreeMap<Option<String>, Vec<Call>> = BTreeMap::new();
    for of in rows_of_runs(runs) {
        let all: Vec<&Call> = of.calls.iter().collect();
        rows.push(row(of.names, of.failed.whole, of.failed, &all));
        let calls = of.calls.into_iter().map(|call| named_as(call, same));
        variants.entry(of.variant).or_default().extend(calls);
    }
    let mut said = Vec::new();
    for (variant, calls) in &mut variants {
        calls.sort_by_key(|call| call.started);
        said.extend(leaders(calls, variant.as_deref()));
    }
    let mut calls: Vec<Call> = variants.into_values().flatten().collect();
    calls.sort_by_key(|call| call.started);
    finished(rows, &calls, said, head, saved)
}

/// The baseline of the traffic that `calls` are.
#[must_use]
pub fn of_calls(calls: &[Call], head: &Head, saved: WallTime) -> Baseline {
    let groups = by(calls, |call| {
        (
            plain_model(call),
            call.provider.to_string(),
            region(call).to_owned(),
        )
    });
    let rows = groups.into_iter().map(|((model, provider, region), own)| {
        let names = [
            model,
            provider,
            region,
            "any".to_owned(),
            "traffic".to_owned(),
        ];
        row(names, own.len() as u64, failures(&own), &own)
    });
    finished(rows.collect(), calls, leaders(calls, None), head, saved)
}

fn row(names: [String; 5], requests: u64, failed: Share, calls: &[&Call]) -> Row {
    let first = to_first_token(calls);
    let (rates, totals) = (numbers(calls, rate), to_whole(calls));
    Row {
        names,
        requests,
        failed: failed.of_its_span(),
        numbers: [
            known(&first, 0.5),
            known(&first, 0.95),
            known(&rates, 0.5),
            known(&totals, 0.5),
        ],
        cost: mean(calls.iter().filter_map(|call| price(call))).map(|cost| cost.0),
    }
}

pub(super) fn known(numbers: &Numbers, p: f64) -> Option<Known> {
    let found = numbers.estimate(p, ALPHA).ok()?;
    let end = |end: f64| end.is_finite().then_some(end);
    Some(Known {
        value: found.value,
        low: end(found.interval.low),
        high: end(found.interval.high),
        n: numbers.count(),
    })
}

fn finished(
    rows: Vec<Row>,
    calls: &[Call],
    mut recommendation: Vec<String>,
    head: &Head,
    saved: WallTime,
) -> Baseline {
    if recommendation.is_empty() {
        let none = "No model has two routes with a median: there is nothing to choose.";
        recommendation.push(none.to_owned());
    }
    Baseline {
        name: String::new(),
        saved,
        note: String::new(),
        source: format!(
            "{} traffic, {} to {}{}",
            head.origin,
            minute(head.window.from),
            minute(head.window.until),
            match head.source {
                Source::Sample { share, .. } => format!(
                    ", a sample of one in {}",
                    number(share.one_in(), Unit::Number)
                ),
                Source::Records | Source::Rollups => String::new(),
            }
        ),
        origin: head.origin.clone(),
        window: head.window,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        definitions: DEFINITIONS,
        configs: head.configs.iter().map(ToString::to_string).collect(),
        prices: None,
        workload: Value::Null,
        loads: Vec::new(),
        anomalies: anomalies(&rows),
        recommendation,
        watched: watched(calls),
        rows,
    }
}

/// What speaks against a row.
fn anomalies(rows: &[Row]) -> Vec<String> {
    let mut said = Vec::new();
    for row in rows {
        let name = row.names.join(", ");
        if row.failed.part > 0 {
            let Share { part, whole, .. } = row.failed;
            said.push(format!("{name}: {part} of {whole} failed."));
        }
        if row.numbers[FIRST_TOKEN].is_none() {
            said.push(format!(
                "{name}: no median of the first token, {} requests.",
                row.requests
            ));
        }
    }
    said
}

/// Who leads each model, and how surely, among `calls` that asked the same: that `variant`, where
/// there are others.
fn leaders(calls: &[Call], variant: Option<&str>) -> Vec<String> {
    let mut models: BTreeMap<String, Vec<(String, Numbers, Numbers)>> = BTreeMap::new();
    for (route, own) in by_route(calls) {
        let name = named(&route);
        let found = (name, to_first_token(&own), numbers(&own, rate));
        models.entry(route.0).or_default().push(found);
    }
    let mut said = Vec::new();
    for (model, ways) in models {
        let asked = variant.map_or_else(|| model.clone(), |of| format!("{model}, {of}"));
        let first: Vec<(String, &Numbers)> =
            ways.iter().map(|way| (way.0.clone(), &way.1)).collect();
        let rates: Vec<(String, &Numbers)> =
            ways.iter().map(|way| (way.0.clone(), &way.2)).collect();
        said.extend(leader(
            &format!("{asked}, first token"),
            &first,
            Good::Low,
            Unit::Span,
        ));
        said.extend(leader(
            &format!("{asked}, output rate"),
            &rates,
            Good::High,
            Unit::Rate,
        ));
    }
    said
}

/// What drift is told against: of each route the residuals of the logarithm, the prompt's size
/// taken out along a resistant line.
fn watched(calls: &[Call]) -> Vec<Watched> {
    let mut list = Vec::new();
    for ((model, provider), own) in by_route(calls) {
        for metric in [FIRST_TOKEN, RATE] {
            // As in the interval: what was not waited out is larger than all.
            let points: Vec<(f64, f64)> = own
                .iter()
                .filter_map(|call| {
                    let (value, cut) = watched_of(metric, call)?;
                    let value = if cut { f64::INFINITY } else { value.ln() };
                    Some((size(call), value))
                })
                .collect();
            let finite: Vec<(f64, f64)> = points
                .iter()
                .copied()
                .filter(|point| point.1.is_finite())
                .collect();
            let slope = resistant_slope(&finite).unwrap_or(0.0);
            let residuals: Vec<f64> = points.iter().map(|(x, y)| y - slope * x).collect();
            let median = known(&watched_numbers(metric, &own), 0.5);
            if let (Some(median), Some(reference)) = (median, Reference::of(&residuals)) {
                list.push(Watched {
                    model: model.clone(),
                    provider: provider.clone(),
                    metric,
                    median,
                    slope,
                    centre: reference.centre,
                    sigma: deviation(&residuals, reference.sigma),
                    steps: (residuals.len() / STEP) as u64,
                });
            }
        }
    }
    debug_assert!(list.iter().all(|of| of.metric < NUMBERS.len()));
    list
}

/// The deviation of a step: that of the steps themselves, no less than `√(π/2n)` of the residuals'
/// own (1.4826 MAD), which is that of a median of n normal numbers, and more by `√(1 + 1/m)` where
/// the middle is of m steps only. Of few steps the first alone would often be far too small.
fn deviation(residuals: &[f64], of_steps: f64) -> f64 {
    let median = |values: Vec<f64>| {
        let (finite, failures) = sorted(values);
        Sample::new(&finite, failures).quantile(0.5)
    };
    let middle = median(residuals.to_vec()).unwrap_or(0.0);
    let apart = median(residuals.iter().map(|x| (x - middle).abs()).collect());
    let own = MAD_FACTOR * apart.unwrap_or(0.0);
    let of_median = own * (std::f64::consts::FRAC_PI_2 / STEP as f64).sqrt();
    let steps = (residuals.len() / STEP).max(1) as f64;
    let wide = if of_median.is_finite() {
        of_steps.max(of_median)
    } else {
        of_steps
    };
    wide * (1.0 + 1.0 / steps).sqrt()
}

/// The logarithm of the prompt's tokens and one; zero where nobody knows them.
pub(super) fn size(call: &Call) -> f64 {
    call.size.map_or(0.0, |tokens| (tokens as f64).ln_1p())
}
