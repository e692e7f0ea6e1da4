//! Lays baselines out: one alone, or two side by side.

use super::{Baseline, Known, NUMBERS};
use crate::analysis::paper::{Cell, Column, Head, Paper, Sheet, Source, Unit};
use crate::analysis::render::units::minute;
use crate::analysis::reports::compare::compared;
use crate::record::WallTime;

const METHOD: &str = "As it was saved: quantiles of type 7 with exact binomial intervals, 95 %; \
    shares with Wilson's.";

/// The baseline as a document: date, versions, workload, results by model and region, anomalies,
/// recommendation.
#[must_use]
pub fn paper(baseline: &Baseline, made: WallTime) -> Paper {
    Paper {
        name: "baseline",
        version: 1,
        title: format!("Baseline {}", baseline.name),
        findings: baseline.recommendation.clone(),
        head: head(baseline, made),
        sheets: vec![facts(baseline), results(baseline), anomalies(baseline)],
        charts: Vec::new(),
        notes: vec![
            "What it recommends is who led when it was saved, and how surely; `baseline compare` \
             and `report drift --baseline` say whether that still holds."
                .to_owned(),
        ],
    }
}

/// `b` less `a`, row by row.
#[must_use]
pub fn compared_with(a: &Baseline, b: &Baseline, made: WallTime) -> Paper {
    let bare = |of: &Baseline| Paper {
        sheets: vec![results(of)],
        ..paper(of, made)
    };
    let what = [a, b].map(|of| format!("{} ({})", of.name, of.source));
    compared(&bare(a), &bare(b), &what)
}

fn head(of: &Baseline, made: WallTime) -> Head {
    let taken = of.rows.iter().map(|row| row.requests).sum();
    Head {
        window: of.window,
        made,
        origin: of.origin.clone(),
        selection: Vec::new(),
        source: Source::Records,
        scanned: taken,
        taken,
        excluded: Vec::new(),
        configs: Vec::new(),
        own_delay: None,
        seed: None,
        method: METHOD,
        hosted: Vec::new(),
        remarks: Vec::new(),
        sides: Vec::new(),
    }
}

fn facts(of: &Baseline) -> Sheet {
    let mut sheet = Sheet::new(
        "facts",
        "What it is",
        vec![Column::words("what", ""), Column::remark("is", "")],
    );
    let absent = || "not known".to_owned();
    let workload = match &of.workload {
        serde_json::Value::Null => "traffic as it came".to_owned(),
        asked => asked.to_string(),
    };
    for (what, is) in [
        ("saved", minute(of.saved)),
        ("note", of.note.clone()),
        ("of", of.source.clone()),
        (
            "measured",
            format!("{} to {}", minute(of.window.from), minute(of.window.until)),
        ),
        ("program", of.program.clone()),
        ("definitions", of.definitions.to_string()),
        ("config", of.configs.join(" ")),
        ("prices", of.prices.clone().unwrap_or_else(absent)),
        ("workload", workload),
    ] {
        sheet.rows.push(vec![Cell::text(what), Cell::text(is)]);
    }
    sheet
}

fn results(of: &Baseline) -> Sheet {
    let mut columns = vec![
        Column::words("model", "model"),
        Column::words("provider", "provider"),
        Column::words("region", "region"),
        Column::words("connection", "connection"),
        Column::words("asked", "asked for"),
        Column::new("requests", "requests", Unit::Count),
        Column::new("failed", "failed", Unit::Share),
    ];
    let numbers = NUMBERS.iter();
    columns.extend(numbers.map(|(key, name, unit)| Column::new(key, name, *unit)));
    columns.push(Column::new("cost_mean", "cost, mean", Unit::Dollars));
    let mut sheet = Sheet::new("results", "Results by model and region", columns);
    for row in &of.rows {
        let mut cells: Vec<Cell> = row.names.iter().map(Cell::text).collect();
        cells.push(Cell::count(row.requests));
        cells.push(Cell::share(row.failed));
        cells.extend(row.numbers.iter().map(|known| match known {
            Some(known) => cell(known),
            None => Cell::absent("too few"),
        }));
        cells.push(Cell::maybe(row.cost, "no price"));
        sheet.rows.push(cells);
    }
    sheet
}

/// A known number as a cell.
pub(super) const fn cell(known: &Known) -> Cell {
    Cell::Quantile {
        value: known.value,
        low: known.low,
        high: known.high,
        n: known.n,
        of: None,
    }
}

fn anomalies(of: &Baseline) -> Sheet {
    let columns = vec![Column::remark("anomaly", "anomaly")];
    let mut sheet = Sheet::new("anomalies", "Anomalies", columns);
    let none = || vec!["None was seen.".to_owned()];
    let said = if of.anomalies.is_empty() {
        none()
    } else {
        of.anomalies.clone()
    };
    sheet.rows = said
        .into_iter()
        .map(|text| vec![Cell::text(text)])
        .collect();
    sheet
}
