//! Lays the tables out: scores, time and money, pairs, groups.

use std::collections::BTreeSet;

use super::pairs::{Pair, pair_columns, pair_row};
use super::route::Route;
use super::{Asked, Scores};
use crate::analysis::paper::{Cell, Column, Sheet, Unit};
use crate::analysis::scoring::Scored;
use crate::statistics::interval::Estimate;

pub(super) fn sheets(scores: &Scores, routes: &[Route<'_>], pairs: &[Pair]) -> Vec<Sheet> {
    let mut sheets = vec![of_scores(scores, routes), of_time(routes)];
    if !pairs.is_empty() {
        sheets.push(of_pairs(scores, routes, pairs));
    }
    if !scores.groups.is_empty() {
        sheets.push(of_groups(scores, routes));
    }
    sheets
}

fn names() -> Vec<Column> {
    vec![
        Column::words("model", "model"),
        Column::words("provider", "provider"),
        Column::remark("size", "size"),
    ]
}

fn name_cells(route: &Route<'_>) -> Vec<Cell> {
    let size = route.size().map_or_else(|| Cell::absent(""), Cell::text);
    vec![Cell::text(route.model), Cell::text(route.provider), size]
}

fn estimate(found: Option<Estimate>, n: usize) -> Cell {
    found.map_or_else(
        || Cell::absent("no answer has one"),
        |found| Cell::quantile(&found, n as u64),
    )
}

/// Whether an answer has a score; a scorer that failed says nothing of it.
fn has_score(asked: &Asked, scorer: usize) -> Option<bool> {
    match asked.scores.get(scorer) {
        Some(Scored::Failed(_)) => None,
        found => Some(matches!(found, Some(Scored::Score(_)))),
    }
}

fn of_scores(scores: &Scores, routes: &[Route<'_>]) -> Sheet {
    let columns = [
        vec![Column::words("scorer", "scorer")],
        names(),
        vec![
            Column::new("score", "score", Unit::Number),
            Column::new("items", "items", Unit::Count),
            Column::new("non_null", "with a score", Unit::Share),
            Column::new("scorer_failed", "scorer failed", Unit::Count),
            Column::new("asked", "asked", Unit::Count),
        ],
    ];
    let mut sheet = Sheet::new("scores", "Scores", columns.concat()).grouped(1);
    for (place, scorer) in scores.scorers.iter().enumerate() {
        for route in routes {
            let items = route.items(place).len();
            let is_failed =
                |asked: &&&Asked| matches!(asked.scores.get(place), Some(Scored::Failed(_)));
            let failed = route.asked.iter().filter(is_failed).count();
            let non_null = route.share(|asked| has_score(asked, place));
            let mut row = vec![Cell::text(scorer)];
            row.extend(name_cells(route));
            row.extend([
                estimate(route.score(place), items),
                Cell::count(items as u64),
                estimate(non_null, route.asked.len() - failed),
                Cell::count(failed as u64),
                Cell::count(route.asked.len() as u64),
            ]);
            sheet.rows.push(row);
        }
    }
    sheet
}

fn of_time(routes: &[Route<'_>]) -> Sheet {
    let columns = [
        names(),
        vec![
            Column::new("duration_p50", "duration p50", Unit::Span),
            Column::new("duration_p95", "duration p95", Unit::Span),
            Column::new("cost_per_1000", "per 1,000 (mean)", Unit::Dollars),
            Column::new("failed", "requests failed", Unit::Share),
        ],
    ];
    let mut sheet = Sheet::new("time", "Time and cost", columns.concat());
    for route in routes {
        let durations = route.durations();
        let cost = route.cost().map(|(each, _)| each * 1e3);
        let mut row = name_cells(route);
        row.extend([
            durations.at(0.5),
            durations.at(0.95),
            Cell::maybe(cost, "no price"),
            estimate(
                route.share(|asked| Some(asked.scores.is_empty())),
                route.asked.len(),
            ),
        ]);
        sheet.rows.push(row);
    }
    sheet
}

fn of_pairs(scores: &Scores, routes: &[Route<'_>], pairs: &[Pair]) -> Sheet {
    let title = "Differences on the same items";
    let mut sheet = Sheet::new("pairs", title, pair_columns(false)).grouped(1);
    for pair in pairs {
        let names = pair.routes.map(|place| routes[place].name());
        let row = pair_row(&scores.scorers[pair.scorer], None, names, pair);
        sheet.rows.push(row);
    }
    sheet
}

fn of_groups(scores: &Scores, routes: &[Route<'_>]) -> Sheet {
    let columns = vec![
        Column::words("scorer", "scorer"),
        Column::words("field", "field"),
        Column::words("value", "value"),
        Column::words("model", "model"),
        Column::words("provider", "provider"),
        Column::new("score", "score", Unit::Number),
    ];
    let mut sheet = Sheet::new("groups", "By group", columns).grouped(2);
    for (place, scorer) in scores.scorers.iter().enumerate() {
        for (field, name) in scores.groups.iter().enumerate() {
            let value_of = |asked: &Asked| asked.groups.get(field).cloned().unwrap_or_default();
            let values: BTreeSet<String> = scores.asked.iter().map(value_of).collect();
            for value in values {
                for route in routes {
                    let part = Route {
                        asked: route
                            .asked
                            .iter()
                            .copied()
                            .filter(|asked| value_of(asked) == value)
                            .collect(),
                        ..*route
                    };
                    let items = part.items(place).len();
                    sheet.rows.push(vec![
                        Cell::text(scorer),
                        Cell::text(name),
                        Cell::text(&value),
                        Cell::text(route.model),
                        Cell::text(route.provider),
                        estimate(part.score(place), items),
                    ]);
                }
            }
        }
    }
    sheet
}
