//! The tables of the report `experiments`.

use super::effect::{Effect, Scope};
use super::entry::Ending;
use super::verdict::{HIDDEN, Judged, minute, more, own};
use crate::analysis::paper::{Cell, Column, Sheet, Unit};
use crate::analysis::tables::Share;
use crate::record::{Arm, NotEnrolled};
use crate::routing::experiment::Metric;

/// Each experiment in a line.
pub(super) fn list(judged: &[Judged<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "experiments",
        "Experiments",
        vec![
            Column::words("experiment", "experiment"),
            Column::words("badge", "badge"),
            Column::words("state", "state"),
            // The arms have a table of their own.
            Column::hidden("model"),
            Column::hidden("arm_a"),
            Column::hidden("arm_b"),
            Column::new("share", "share", Unit::Share),
            Column::words("metric", "metric"),
            Column::hidden("unit"),
            Column::new("difference", "b less a", Unit::Number),
            Column::words("arms_sizes", "arms' sizes"),
            Column::words("stop", "may it stop?"),
        ],
    );
    for each in judged {
        let metric = each.question.metric;
        let state = match each.defined.and_then(|defined| defined.bounds.end) {
            Some(end) => format!("{}, end {}", each.state.name(), minute(end)),
            None => each.state.name().to_owned(),
        };
        sheet.rows.push(vec![
            Cell::text(each.name.as_str()),
            Cell::text(each.badge()),
            Cell::text(state),
            Cell::text(each.trial.model().map_or("", |model| model.as_str())),
            Cell::text(route(each, Arm::A)),
            Cell::text(route(each, Arm::B)),
            each.defined.map_or_else(
                || Cell::absent("not configured"),
                |defined| Cell::Value(f64::from(defined.share) / 1e6),
            ),
            Cell::text(metric.name()),
            Cell::text(own(metric).suffix().trim_start_matches('_')),
            difference(&each.effect, metric),
            Cell::text(each.ratio_words()),
            Cell::text(each.stop()),
        ]);
    }
    sheet
}

fn route(each: &Judged<'_>, arm: Arm) -> String {
    match (each.defined, each.trial.route(arm)) {
        (Some(defined), _) => {
            let route = defined.route(arm);
            format!("{}/{}", route.provider, route.model)
        }
        (None, Some((provider, Some(model)))) => format!("{provider}/{model}"),
        (None, Some((provider, None))) => provider.to_string(),
        (None, None) => "nobody yet".to_owned(),
    }
}

fn difference(effect: &Effect, metric: Metric) -> Cell {
    match &effect.difference {
        Ok(found) => Cell::estimate(found).in_unit(more(metric)),
        Err(why) => Cell::absent(*why),
    }
}

/// Every metric, of first exchanges and of all.
pub(super) fn effects(judged: &[Judged<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "effects",
        "Arm b against arm a, by intention to treat",
        vec![
            Column::words("experiment", "experiment"),
            Column::words("badge", "badge"),
            Column::words("metric", "metric"),
            Column::words("of", "exchanges"),
            Column::hidden("decides"),
            Column::hidden("unit"),
            Column::new("a_numbers", "n a", Unit::Count),
            Column::new("b_numbers", "n b", Unit::Count),
            Column::new("a_value", "a", Unit::Number),
            Column::new("b_value", "b", Unit::Number),
            Column::new("difference", "b less a", Unit::Number),
            Column::new("b_over_a", "ratio", Unit::Times),
        ],
    )
    .grouped(2);
    for each in judged {
        for metric in Metric::ALL {
            for scope in [Scope::First, Scope::All] {
                if let Some(row) = effect_row(each, metric, scope) {
                    sheet.rows.push(row);
                }
            }
        }
    }
    sheet
}

fn effect_row(each: &Judged<'_>, metric: Metric, scope: Scope) -> Option<Vec<Cell>> {
    let decides = metric == each.question.metric && scope == Scope::First;
    let found = if decides {
        each.effect
    } else {
        let found = each
            .trial
            .effect(metric, scope, each.question.alpha, each.looks);
        if each.is_sound() {
            found
        } else {
            Effect {
                difference: Err(HIDDEN),
                ratio: None,
                values: [None; 2],
                ..found
            }
        }
    };
    // All exchanges of sessions of one are their first ones.
    let repeated = scope == Scope::All
        && each.trial.units.iter().sum::<u64>() as usize == each.trial.entries.len();
    if repeated || (found.numbers == [0, 0] && !decides) {
        return None;
    }
    let value = |at: usize| Cell::maybe(found.values[at], "not told").in_unit(own(metric));
    let mark = if decides { " (decides)" } else { "" };
    Some(vec![
        Cell::text(each.name.as_str()),
        Cell::text(each.badge()),
        Cell::text(format!("{}{mark}", metric.name())),
        Cell::text(match scope {
            Scope::First => "first of a session",
            Scope::All => "all",
        }),
        Cell::text(if decides { "yes" } else { "no" }),
        Cell::text(own(metric).suffix().trim_start_matches('_')),
        Cell::count(found.numbers[0] as u64),
        Cell::count(found.numbers[1] as u64),
        value(0),
        value(1),
        difference(&found, metric),
        found
            .ratio
            .as_ref()
            .map_or_else(|| Cell::absent(""), Cell::estimate),
    ])
}

/// Who was in the arms, and what became of them.
pub(super) fn arms(judged: &[Judged<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "arms",
        "The arms",
        vec![
            Column::words("experiment", "experiment"),
            Column::words("arm", "arm"),
            Column::words("route", "route"),
            Column::new("chance", "chance", Unit::Share),
            Column::new("units", "sessions", Unit::Count),
            Column::new("requests", "requests", Unit::Count),
            Column::new("served_elsewhere", "served elsewhere", Unit::Share),
            Column::new("failed", "failed", Unit::Share),
            Column::new("rate_limited", "rate-limited", Unit::Share),
            Column::new("given_up", "client left", Unit::Share),
            Column::new("other", "other", Unit::Share),
        ],
    )
    .grouped(1);
    for each in judged {
        for arm in Arm::ALL.iter().copied() {
            let entries = each.trial.entries.iter().filter(|entry| entry.arm == arm);
            let all = entries.clone().count() as u64;
            let ended = |ending: Ending| {
                let part = entries
                    .clone()
                    .filter(|entry| entry.ending == ending)
                    .count();
                Cell::share(Share::of(part as u64, all))
            };
            let moved = entries.clone().filter(|entry| entry.moved).count() as u64;
            sheet.rows.push(vec![
                Cell::text(each.name.as_str()),
                Cell::text(arm.name()),
                Cell::text(route(each, arm)),
                each.defined.map_or_else(
                    || Cell::absent("not configured"),
                    |defined| Cell::Value(f64::from(defined.chance(arm)) / 1e6),
                ),
                Cell::count(each.trial.units[arm as usize]),
                Cell::count(all),
                Cell::share(Share::of(moved, all)),
                ended(Ending::Failed),
                ended(Ending::Limited),
                ended(Ending::GivenUp),
                ended(Ending::Other),
            ]);
        }
    }
    sheet
}

/// Who has no part, and why.
pub(super) fn outside(judged: &[Judged<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "without_a_part",
        "Exchanges with the model that have no part",
        vec![
            Column::words("experiment", "experiment"),
            Column::words("reason", "reason"),
            Column::new("requests", "requests", Unit::Count),
        ],
    )
    .grouped(1);
    for each in judged {
        for reason in NotEnrolled::ALL.iter().copied() {
            let count = each.trial.outside[reason as usize];
            if count > 0 {
                sheet.rows.push(vec![
                    Cell::text(each.name.as_str()),
                    Cell::text(reason.name()),
                    Cell::count(count),
                ]);
            }
        }
    }
    sheet
}
