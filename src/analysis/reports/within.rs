//! Compares the requests of a route that have something with those of the same route that do not.

use super::call::Call;
use super::figures::{Route, SEED, by_route, model_cell, named};
use super::tax::{Comparison, Metric, compare, effect_cells, sentence};
use crate::analysis::paper::{Bar, Cell, Chart, Column, Plot, Sheet, Unit};
use crate::statistics::compare::Resampling;

/// A route with the comparisons of its two kinds of requests.
pub(super) struct Within {
    pub(super) route: Route,
    pub(super) found: Vec<Comparison>,
}

/// How it is compared, for the head.
pub(super) const METHOD: &str = "Requests of one route are compared with requests like them at the \
    same route (streaming, tools, JSON, reasoning effort, prompt size by powers of two, cached \
    share, connection reused, the same six hours) in groups of at least 10 of either kind, at one \
    prompt size (resistant lines), weighted by overlap; differences of medians by the index bootstrap, 10,000 draws, 95 %; failure \
    rates by Mantel-Haenszel. Told only where the groups hold half of either kind.";

/// Compares at each route those of `calls` of which `has` says true with those of which it says
/// false; `plain` takes from a call what decides `has`, so that the kinds may be alike.
pub(super) fn within(
    calls: &[Call],
    metrics: &[Metric],
    has: impl Fn(&Call) -> Option<bool>,
    plain: impl Fn(&mut Call),
) -> Vec<Within> {
    let mut arms: [Vec<Call>; 2] = Default::default();
    for call in calls {
        if let Some(has) = has(call) {
            let mut call = call.clone();
            plain(&mut call);
            arms[usize::from(!has)].push(call);
        }
    }
    let [with, without] = &arms;
    let (with, without) = (by_route(with), by_route(without));
    let pairs: Vec<_> = with
        .into_iter()
        .filter_map(|(route, with)| Some((without.get(&route)?, route, with)))
        .collect();
    let family = pairs.len() * metrics.len();
    let how = Resampling::seeded(SEED);
    pairs
        .into_iter()
        .map(|(without, route, with)| Within {
            found: compare(&with, without, metrics, &how, family),
            route,
        })
        .collect()
}

/// One sentence a route: `JSON at gpt-4.1 at openai: …`.
pub(super) fn findings(what: &str, list: &[Within]) -> Vec<String> {
    list.iter()
        .map(|within| {
            let said: Vec<String> = within.found.iter().filter_map(sentence).collect();
            let name = named(&within.route);
            if said.is_empty() {
                let first = within.found.first().and_then(|found| found.effect.err());
                let why = first.map_or("nothing to compare", |refusal| refusal.words());
                return format!(
                    "{what}, {name}: {}.",
                    why.replace("other route", "other kind")
                );
            }
            format!("{what}, {name} (OBSERVATIONAL): {}.", said.join("; "))
        })
        .collect()
}

/// The comparisons as a table.
pub(super) fn sheet(key: &'static str, title: &str, list: &[Within]) -> Sheet {
    let mut sheet = Sheet::new(
        key,
        title,
        vec![
            Column::words("model", "model"),
            Column::words("provider", "provider"),
            Column::new("with_calls", "n with", Unit::Count),
            Column::new("without_calls", "n without", Unit::Count),
            Column::words("metric", "metric"),
            Column::hidden("unit"),
            Column::new("without", "without p50", Unit::Number),
            Column::new("with", "with p50", Unit::Number),
            Column::new("difference", "difference", Unit::Number),
            Column::new("at_any_time", "the same at any look", Unit::Number),
            Column::new("with_over_without", "ratio", Unit::Times),
            Column::new("naive_difference", "unadjusted", Unit::Number),
            Column::remark("verdict", "verdict"),
        ],
    );
    for within in list {
        for found in &within.found {
            let names = [
                model_cell(&within.route.0),
                Cell::text(&within.route.1),
                Cell::count(found.calls[0] as u64),
                Cell::count(found.calls[1] as u64),
            ];
            let row = names.into_iter().chain(effect_cells(found)).collect();
            sheet.rows.push(row);
        }
    }
    sheet
}

/// The differences of the first metric.
pub(super) fn forest(title: &str, list: &[Within]) -> Option<Chart> {
    let bars: Vec<Bar> = list
        .iter()
        .filter_map(|within| {
            let effect = within.found.first()?.effect.ok()?;
            let interval = effect.difference.interval;
            Some(Bar {
                name: named(&within.route),
                value: effect.difference.value,
                interval: interval
                    .is_finite()
                    .then_some((interval.low, interval.high)),
            })
        })
        .collect();
    (!bars.is_empty()).then(|| Chart {
        title: title.to_owned(),
        unit: Unit::Delta,
        plot: Plot::Forest { bars, zero: 0.0 },
        note: "Right of the line it takes longer. 95 % intervals of the adjusted difference."
            .to_owned(),
    })
}
