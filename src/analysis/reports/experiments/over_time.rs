//! Shows each effect as it came to be known, with intervals that hold at every look.

use super::verdict::{Judged, minute, more};
use crate::analysis::paper::{Band, Cell, Chart, Column, Line, Plot, Sheet, Unit};
use crate::record::WallTime;
use crate::statistics::interval::Estimate;

/// Looks of a chart, and of the table under it.
const LOOKS: usize = 48;

/// One look with a difference that has two ends.
#[derive(Debug)]
pub(super) struct Look {
    at: WallTime,
    numbers: [usize; 2],
    found: Estimate,
}

/// The looks at an experiment, from the first that has an interval.
pub(super) fn looks(each: &Judged<'_>) -> Vec<Look> {
    if !each.is_sound() {
        return Vec::new();
    }
    let path = each
        .trial
        .path(each.question.metric, each.question.alpha, LOOKS);
    path.into_iter()
        .filter_map(|(at, effect)| {
            let found = effect.difference.ok()?;
            found.interval.is_finite().then_some(Look {
                at,
                numbers: effect.numbers,
                found,
            })
        })
        .collect()
}

/// The looks as a table.
pub(super) fn sheet(judged: &[Judged<'_>], paths: &[Vec<Look>]) -> Sheet {
    let mut sheet = Sheet::new(
        "over_time",
        "As it came to be known",
        vec![
            Column::words("experiment", "experiment"),
            Column::words("at", "at (UTC)"),
            Column::new("a_numbers", "n a", Unit::Count),
            Column::new("b_numbers", "n b", Unit::Count),
            Column::hidden("unit"),
            Column::new("difference", "b less a", Unit::Number),
        ],
    )
    .grouped(1);
    for (each, looks) in judged.iter().zip(paths) {
        let unit = more(each.question.metric);
        for look in looks {
            sheet.rows.push(vec![
                Cell::text(each.name.as_str()),
                Cell::text(minute(look.at)),
                Cell::count(look.numbers[0] as u64),
                Cell::count(look.numbers[1] as u64),
                Cell::text(unit.suffix().trim_start_matches('_')),
                Cell::estimate(&look.found).in_unit(unit),
            ]);
        }
    }
    sheet
}

/// The looks as a chart; nothing where there are fewer than two.
pub(super) fn chart(each: &Judged<'_>, looks: &[Look]) -> Option<Chart> {
    let (first, last) = (looks.first()?, looks.last()?);
    if looks.len() < 2 {
        return None;
    }
    let x = (first.at.0 as f64, last.at.0 as f64);
    let label = |share: f64| minute(WallTime((x.0 + share * (x.1 - x.0)) as i64));
    let flat = |name: &str, at: f64| Line {
        name: name.to_owned(),
        points: vec![(x.0, Some(at)), (x.1, Some(at))],
        band: Vec::new(),
    };
    let effect = Line {
        name: "b less a".to_owned(),
        points: looks
            .iter()
            .map(|look| (look.at.0 as f64, Some(look.found.value)))
            .collect(),
        band: looks
            .iter()
            .map(|look| Band {
                x: look.at.0 as f64,
                low: look.found.interval.low,
                high: look.found.interval.high,
            })
            .collect(),
    };
    let margin = each.margin();
    Some(Chart {
        title: format!(
            "{}: {}, arm b less arm a",
            each.name,
            each.question.metric.name().replace('_', " ")
        ),
        unit: more(each.question.metric),
        plot: Plot::Lines {
            lines: vec![
                effect,
                flat("margin, above", margin),
                flat("margin, below", -margin),
            ],
            labels: [0.0, 0.5, 1.0].map(label).to_vec(),
            x,
            marks: Vec::new(),
        },
        note: format!(
            "Confidence sequence of {:.0} %: it holds at all looks together, so that one may stop \
             when it leaves zero, or lies between the margins.",
            (1.0 - each.question.alpha) * 100.0
        ),
    })
}
