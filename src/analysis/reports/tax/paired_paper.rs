//! Lays out what pairs told of the tax: apart from what is observed and from what lots told.

use super::adjust::{Metric, difference_unit, unit};
use super::paired::{Compared, Dropped, PAIRS_MIN, PAIRS_P95, Told};
use crate::analysis::paper::{Bar, Cell, Chart, Column, Plot, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::reports::figures::{ends, verdict};
use crate::analysis::tables::Share;

fn badge(found: &Compared) -> &'static str {
    if found.key.route == found.key.reference {
        "PAIRED A/A"
    } else if found.pinned {
        "PAIRED tax"
    } else {
        "PAIRED route comparison"
    }
}

fn comparison(found: &Compared) -> String {
    format!("{} against {}", found.key.route, found.key.reference)
}

fn connections(found: &Compared) -> &'static str {
    match found.key.warm {
        Some(true) => "warm",
        Some(false) => "cold",
        None => "mixed",
    }
}

/// Each comparison in a sentence.
pub(super) fn finding(found: &Compared) -> String {
    let word = if found.pinned {
        "Router tax"
    } else {
        "Route comparison"
    };
    let told: Vec<String> = found
        .told
        .iter()
        .filter_map(|(metric, told)| {
            let told = told.as_ref().ok()?;
            let more = difference_unit(*metric);
            Some(format!(
                "{} {} {}, {}",
                metric.key().replace('_', " "),
                number(told.difference.value, more),
                ends(told.difference.interval, more),
                verdict(&told.verdict)
            ))
        })
        .collect();
    let mut said = if told.is_empty() {
        vec![format!("fewer than {PAIRS_MIN} pairs can be compared")]
    } else {
        told
    };
    // Failed halves have no differences of times, and none of them is left out here.
    let counted = found
        .failures
        .iter()
        .all(|(_, all)| *all >= PAIRS_MIN as u64);
    if let Some((difference, judged)) = found.failure_difference().filter(|_| counted) {
        said.push(format!(
            "{} {} {}, {}",
            Metric::Failures.key().replace('_', " "),
            number(difference.value, Unit::Points),
            ends(difference.interval, Unit::Points),
            verdict(&judged)
        ));
    }
    let said = said.join("; ");
    format!(
        "{word} of {}, {} ({}, {} connections, {} of {} pairs): {said}.",
        found.key.model,
        comparison(found),
        badge(found).split(' ').next().unwrap_or("PAIRED"),
        connections(found),
        number(found.used as f64, Unit::Count),
        number(found.pairs as f64, Unit::Count),
    )
}

fn names(found: &Compared) -> Vec<Cell> {
    vec![
        Cell::text(&found.key.model),
        Cell::text(comparison(found)),
        Cell::text(connections(found)),
    ]
}

fn name_columns() -> Vec<Column> {
    vec![
        Column::words("model", "model"),
        Column::words("comparison", "comparison"),
        Column::words("connections", "connections"),
    ]
}

/// Every metric of every comparison.
pub(super) fn sheet(list: &[Compared]) -> Sheet {
    let columns = [
        name_columns(),
        vec![
            Column::words("badge", "badge"),
            Column::words("metric", "metric"),
            Column::hidden("unit"),
            Column::new("pairs", "pairs", Unit::Count),
            Column::new("reference_p50", "reference p50", Unit::Number),
            Column::new("route_p50", "route p50", Unit::Number),
            Column::new("difference", "median of differences", Unit::Number),
            Column::new("at_any_time", "the same at any look", Unit::Number),
            Column::new("route_over_reference", "ratio", Unit::Times),
            Column::remark("verdict", "verdict"),
        ],
    ]
    .concat();
    let mut sheet = Sheet::new("paired", "Route against reference, in pairs", columns).grouped(3);
    for found in list {
        for (metric, told) in &found.told {
            let cells = metric_cells(found, *metric, told);
            sheet.rows.push([names(found), cells].concat());
        }
        sheet
            .rows
            .push([names(found), failure_cells(found)].concat());
    }
    sheet
}

fn metric_cells(found: &Compared, metric: Metric, told: &Result<Told, usize>) -> Vec<Cell> {
    let (own, more) = (unit(metric), difference_unit(metric));
    let head = vec![
        Cell::text(badge(found)),
        Cell::text(metric.key()),
        Cell::text(own.suffix().trim_start_matches('_')),
    ];
    let rest = match told {
        Ok(told) => {
            let any = crate::statistics::interval::Estimate {
                value: told.difference.value,
                interval: told.at_any_time,
            };
            let value = |at: usize| Cell::maybe(told.values[at], "no such number").in_unit(own);
            vec![
                Cell::count(told.count as u64),
                value(1),
                value(0),
                Cell::estimate(&told.difference).in_unit(more),
                Cell::estimate(&any).in_unit(more),
                told.ratio
                    .as_ref()
                    .map_or_else(|| Cell::absent("not of numbers above zero"), Cell::estimate),
                Cell::text(verdict(&told.verdict)),
            ]
        }
        Err(has) => {
            let why = format!("needs {PAIRS_MIN} pairs, has {has}");
            let mut cells = vec![Cell::count(*has as u64)];
            cells.extend((0..5).map(|_| Cell::absent(&why)));
            cells.push(Cell::text("not compared"));
            cells
        }
    };
    [head, rest].concat()
}

/// Failures are of all halves: a pair of which one failed has no difference.
fn failure_cells(found: &Compared) -> Vec<Cell> {
    let [route, reference] = found.failures;
    let rate = |(part, whole): (u64, u64)| Cell::share(Share::of(part, whole)).in_unit(Unit::Share);
    let difference = found.failure_difference();
    vec![
        Cell::text(badge(found)),
        Cell::text(Metric::Failures.key()),
        Cell::text(Unit::Share.suffix().trim_start_matches('_')),
        Cell::count(route.1.min(reference.1)),
        rate(reference),
        rate(route),
        difference.as_ref().map_or_else(
            || Cell::absent("of none"),
            |(difference, _)| Cell::estimate(difference).in_unit(Unit::Points),
        ),
        Cell::absent("of single requests"),
        Cell::absent("of single requests"),
        Cell::text(difference.map_or_else(String::new, |(_, told)| verdict(&told))),
    ]
}

/// What the differences stand on.
pub(super) fn grounds(list: &[Compared]) -> Sheet {
    let columns = [
        name_columns(),
        vec![
            Column::words("metric", "metric"),
            Column::hidden("unit"),
            Column::new("typical_shift", "typical shift", Unit::Number),
            Column::new("difference_p95", "p95 of differences", Unit::Number),
            Column::new("order_shift", "shift by order", Unit::Number),
            Column::new("order_p", "order, p", Unit::Number),
            Column::words("order", "order"),
            Column::new("n_for_one", "pairs for one", Unit::Number),
        ],
    ]
    .concat();
    let mut sheet = Sheet::new("paired_grounds", "What the pairs stand on", columns).grouped(3);
    for found in list {
        for (metric, told) in &found.told {
            let Ok(told) = told else { continue };
            let more = difference_unit(*metric);
            let order = told.order.as_ref();
            let cells = vec![
                Cell::text(metric.key()),
                Cell::text(more.suffix().trim_start_matches('_')),
                Cell::estimate(&told.shift).in_unit(more),
                told.p95.as_ref().map_or_else(
                    || Cell::absent(format!("needs {PAIRS_P95} pairs, has {}", told.count)),
                    |p95| Cell::estimate(p95).in_unit(more),
                ),
                order.map_or_else(
                    || Cell::absent("one order only"),
                    |order| Cell::estimate(&order.shift).in_unit(more),
                ),
                Cell::maybe(order.map(|order| order.p_value), "one order only"),
                Cell::text(if told.balanced {
                    "matters: both orders weigh the same"
                } else {
                    ""
                }),
                Cell::Value(told.effect),
            ];
            sheet.rows.push([names(found), cells].concat());
        }
    }
    sheet
}

/// Which pairs are in, and which are not and why.
pub(super) fn pairs(list: &[Compared]) -> Sheet {
    let mut columns = name_columns();
    columns.push(Column::new("pairs", "pairs", Unit::Count));
    columns.push(Column::new("used", "compared", Unit::Count));
    let reasons = Dropped::ALL.map(|why| Column::new(why.name(), why.words(), Unit::Count));
    columns.extend(reasons);
    columns.push(Column::new("hours", "hours of the clock", Unit::Count));
    let mut sheet = Sheet::new("paired_pairs", "Which pairs are compared", columns);
    for found in list {
        let mut cells = names(found);
        cells.push(Cell::count(found.pairs as u64));
        cells.push(Cell::count(found.used as u64));
        cells.extend(found.dropped.map(Cell::count));
        cells.push(Cell::count(found.hours as u64));
        sheet.rows.push(cells);
    }
    sheet
}

/// The differences in time to first token.
pub(super) fn forest(list: &[Compared]) -> Option<Chart> {
    let bar = |found: &Compared| {
        let of = |(metric, _): &&(Metric, _)| *metric == Metric::FirstToken;
        let told = found.told.iter().find(of)?.1.as_ref().ok()?;
        let interval = told.difference.interval;
        Some(Bar {
            name: format!(
                "{}: {} ({})",
                found.key.model,
                comparison(found),
                connections(found)
            ),
            value: told.difference.value,
            interval: interval
                .is_finite()
                .then_some((interval.low, interval.high)),
        })
    };
    let bars: Vec<Bar> = list.iter().filter_map(bar).collect();
    (!bars.is_empty()).then(|| Chart {
        title: "Time to first token in pairs (PAIRED): route less reference".to_owned(),
        unit: Unit::Delta,
        plot: Plot::Forest { bars, zero: 0.0 },
        note: "Right of the line the route is slower. Medians of differences with exact intervals \
               of 95 %, for a number of pairs that was fixed before."
            .to_owned(),
    })
}

/// How to read them.
pub(super) fn note(alone: usize) -> String {
    let alone = if alone == 0 {
        String::new()
    } else {
        format!(" {alone} halves have no partner in this window.")
    };
    format!(
        "PAIRED: each request went to both routes, a moment apart, in an order that was drawn. The \
         median of the differences has the exact interval of two order statistics (the sign test's; \
         widened where pairs near each other are alike), for a number of pairs fixed before: look \
         as often as you like only at `the same at any look`. A pair is left out whole where a half \
         failed or the halves are not alike; failure rates are of all halves. Never pooled with \
         what was observed or drawn.{alone}"
    )
}
