//! Lays baselines out: one alone, or two side by side.

use serde_json::Value;

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
    let mut sheets = vec![facts(baseline), results(baseline), anomalies(baseline)];
    // What loads found is a report of its own.
    sheets.retain(|sheet| baseline.loads.is_empty() || sheet.key != "results");
    Paper {
        name: "baseline",
        version: 1,
        title: format!("Baseline {}", baseline.name),
        findings: baseline
            .recommendation
            .iter()
            .map(|said| format!("Recommendation: {said}"))
            .collect(),
        head: head(baseline, made),
        sheets,
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
        Value::Null => "traffic as it came".to_owned(),
        asked => in_words(asked),
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

/// Items of a list that are named; of a longer one their number is told.
const NAMED_MAX: usize = 6;

/// What was asked, as people read it: `tollgate baseline list --json` has it exactly. The routes
/// stand in the results.
fn in_words(plan: &Value) -> String {
    let Some(plan) = plan.as_object() else {
        return plan.to_string();
    };
    let said = plan.iter().filter(|(key, _)| *key != "routes");
    let said = said.filter_map(|(key, value)| {
        let words = key.replace('_', " ");
        value_in_words(value).map(|value| format!("{words}: {value}"))
    });
    said.collect::<Vec<_>>().join("; ")
}

/// One value of a plan; nothing of what was not asked for.
fn value_in_words(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null | Value::Bool(false) => return None,
        Value::Bool(true) => "yes".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(list) if list.len() > NAMED_MAX => list.len().to_string(),
        Value::Array(list) => {
            let each: Vec<String> = list.iter().filter_map(value_in_words).collect();
            each.join(", ")
        }
        Value::Object(fields) => {
            let each = fields.iter().filter_map(|(key, value)| {
                let words = key.replace('_', " ");
                value_in_words(value).map(|value| format!("{words} {value}"))
            });
            each.collect::<Vec<_>>().join(" ")
        }
    })
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
        few_hours: false,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_workload_is_told_in_words() {
        let topics: Vec<String> = (0..25).map(|n| format!("topic {n}")).collect();
        let plan = json!({
            "count": 30, "design": "rounds", "prompts": topics, "reference": null,
            "routes": [{"model": "m"}], "seed": 7, "warm_ups": 2,
            "variants": [{"cold": false, "json": true, "max_tokens": 256, "prompt_tokens": null}],
        });
        assert_eq!(
            in_words(&plan),
            "count: 30; design: rounds; prompts: 25; seed: 7; warm ups: 2; variants: json yes max \
             tokens 256"
        );
    }
}
