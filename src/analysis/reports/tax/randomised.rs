//! Tells the tax that live experiments measured: apart from what is observed, never pooled with it.

use crate::analysis::paper::{Bar, Cell, Chart, Column, Plot, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::reports::experiments::{Taxed, more, own};
use crate::analysis::reports::figures::ends;
use crate::routing::experiment::Metric;

fn badge(found: &Taxed) -> &'static str {
    if found.pinned {
        "RANDOMISED tax"
    } else {
        "RANDOMISED route comparison"
    }
}

/// Each experiment in a sentence.
pub(super) fn finding(found: &Taxed) -> String {
    let word = if found.pinned {
        "Router tax"
    } else {
        "Route comparison"
    };
    let said: Vec<String> = found
        .effects
        .iter()
        .filter_map(|(metric, effect)| {
            let difference = effect.difference.ok()?;
            Some(format!(
                "{} {} {}",
                metric.name().replace('_', " "),
                number(difference.value, more(*metric)),
                ends(difference.interval, more(*metric))
            ))
        })
        .collect();
    let said = if said.is_empty() {
        let why = found
            .effects
            .first()
            .and_then(|(_, effect)| effect.difference.err());
        why.unwrap_or("nothing yet").to_owned()
    } else {
        said.join("; ")
    };
    format!(
        "{word} of {}, {} against {} (RANDOMISED, experiment {}, {} and {} sessions): {said}.",
        found.model,
        found.route,
        found.reference,
        found.experiment,
        number(found.units[0] as f64, Unit::Count),
        number(found.units[1] as f64, Unit::Count),
    )
}

/// Every metric of every experiment.
pub(super) fn sheet(list: &[Taxed]) -> Sheet {
    let mut sheet = Sheet::new(
        "randomised",
        "Route against reference, by lot",
        vec![
            Column::words("model", "model"),
            Column::words("comparison", "comparison"),
            Column::words("badge", "badge"),
            Column::hidden("experiment"),
            Column::words("metric", "metric"),
            Column::hidden("unit"),
            Column::new("reference_numbers", "n reference", Unit::Count),
            Column::new("route_numbers", "n route", Unit::Count),
            Column::new("reference_value", "reference", Unit::Number),
            Column::new("route_value", "route", Unit::Number),
            Column::new("difference", "difference, by lot", Unit::Number),
            Column::new("route_over_reference", "ratio", Unit::Times),
        ],
    )
    .grouped(3);
    for found in list {
        for (metric, effect) in &found.effects {
            let value =
                |at: usize| Cell::maybe(effect.values[at], "not told").in_unit(own(*metric));
            sheet.rows.push(vec![
                Cell::text(found.model.as_str()),
                Cell::text(format!("{} against {}", found.route, found.reference)),
                Cell::text(badge(found)),
                Cell::text(found.experiment.as_str()),
                Cell::text(metric.name()),
                Cell::text(own(*metric).suffix().trim_start_matches('_')),
                Cell::count(effect.numbers[0] as u64),
                Cell::count(effect.numbers[1] as u64),
                value(0),
                value(1),
                match &effect.difference {
                    Ok(found) => Cell::estimate(found).in_unit(more(*metric)),
                    Err(why) => Cell::absent(*why),
                },
                effect
                    .ratio
                    .as_ref()
                    .map_or_else(|| Cell::absent(""), Cell::estimate),
            ]);
        }
    }
    sheet
}

/// The same table of a sample: where what it would have is told.
pub(super) fn untold(list: &[Taxed]) -> Sheet {
    let columns = vec![
        Column::words("model", "model"),
        Column::words("comparison", "comparison"),
        Column::words("badge", "badge"),
        Column::words("experiment", "experiment"),
        Column::words("told", "where it is told"),
    ];
    let mut sheet = Sheet::new("randomised", "Route against reference, by lot", columns);
    sheet.rows = list
        .iter()
        .map(|found| {
            vec![
                Cell::text(found.model.as_str()),
                Cell::text(format!("{} against {}", found.route, found.reference)),
                Cell::text(badge(found)),
                Cell::text(found.experiment.as_str()),
                Cell::text(
                    "not of a sample: the page Experiments, `tollgate report experiments`, or \
                     this report of a shorter window",
                ),
            ]
        })
        .collect();
    sheet
}

/// The differences in time to first token.
pub(super) fn forest(list: &[Taxed]) -> Option<Chart> {
    let bar = |found: &Taxed| {
        let of = |(metric, _): &&(Metric, _)| *metric == Metric::FirstToken;
        let difference = found.effects.iter().find(of)?.1.difference.ok()?;
        let interval = difference.interval;
        Some(Bar {
            name: format!(
                "{}: {} against {} ({})",
                found.model, found.route, found.reference, found.experiment
            ),
            value: difference.value,
            interval: interval
                .is_finite()
                .then_some((interval.low, interval.high)),
        })
    };
    let bars: Vec<Bar> = list.iter().filter_map(bar).collect();
    (!bars.is_empty()).then(|| Chart {
        title: "Time to first token by lot (RANDOMISED): route less reference".to_owned(),
        unit: Unit::Delta,
        plot: Plot::Forest { bars, zero: 0.0 },
        note: "Right of the line the route is slower. Sequences of 95 %: they hold however often \
               one looks."
            .to_owned(),
    })
}

/// How to read them.
pub(super) const NOTE: &str = "RANDOMISED: a live experiment chose these routes by a coin, so \
    their difference is an effect and not only a comparison. Its exchanges are in this table only, \
    and in no OBSERVATIONAL figure; the two are never pooled. First exchanges of sessions, by \
    intention to treat; spans run from the choice of the route, connecting and failed tries \
    included. Here of this window only; `tollgate report experiments` has all of it.";
