//! Reads results of loads back, and lays them out: one run as a table, runs beside each other.

use std::collections::BTreeMap;

use serde_json::Value;

use super::bears::{self, Bears};
use super::numbers::number;
use super::result::SCHEMA;
use crate::analysis::paper::{Cell, Column, Head, Paper, Sheet, Source, Unit};
use crate::analysis::render::pivot;
use crate::analysis::render::units::{minute, three_digits};
use crate::analysis::tables::Window;
use crate::analysis::tables::window::date;
use crate::record::WallTime;

/// A load that is over.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its name.
    pub run: String,
    /// When it began and ended.
    pub window: Window,
    /// The file.
    pub(super) file: Value,
}

/// Numbers of a step: key, name, unit, place in the file, what it is to be multiplied by.
type Number = (&'static str, &'static str, Unit, &'static str, f64);

const MS: f64 = 1e6;

#[rustfmt::skip]
const NUMBERS: [Number; 15] = [
    ("served", "served", Unit::Share, "/served", 1.0),
    ("errors", "failed", Unit::Share, "/errors", 1.0),
    ("latency_p50", "latency p50", Unit::Span, "/latency_ms/p50", MS),
    ("latency_p90", "p90", Unit::Span, "/latency_ms/p90", MS),
    ("latency_p95", "p95", Unit::Span, "/latency_ms/p95", MS),
    ("latency_p99", "p99", Unit::Span, "/latency_ms/p99", MS),
    ("first_token_p50", "first token p50", Unit::Span, "/first_token_ms/p50", MS),
    ("first_token_p95", "p95", Unit::Span, "/first_token_ms/p95", MS),
    ("user_rate_p50", "tokens/s a user p50", Unit::Rate, "/user_tokens_per_s/p50", 1.0),
    ("offered", "offered/s", Unit::Number, "/offered_requests_per_s", 1.0),
    ("completed", "completed/s", Unit::Number, "/completed_requests_per_s", 1.0),
    ("goodput", "served/s", Unit::Number, "/goodput_requests_per_s", 1.0),
    ("input_rate", "prompt tokens/s", Unit::Number, "/input_tokens_per_s", 1.0),
    ("output_rate", "answer tokens/s", Unit::Number, "/output_tokens_per_s", 1.0),
    ("cost_per_1000", "per 1,000", Unit::Dollars, "/cost_per_1000_usd", 1.0),
];

impl Finished {
    /// Reads the file of a run; the error says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let file: Value = serde_json::from_str(text)
            .map_err(|error| format!("is no whole JSON ({error}): was it cut off?"))?;
        if file["schema"] != SCHEMA {
            return Err(format!(
                "is no result of a load: its schema is not {SCHEMA}"
            ));
        }
        let at = |key: &str| {
            let text = file[key].as_str().ok_or(format!("has no `{key}`"))?;
            date(text, WallTime(0)).map_err(|_| format!("`{key}` is no date"))
        };
        let (from, until) = (at("began")?, at("ended")?);
        Ok(Self {
            run: file["run"].as_str().ok_or("has no `run`")?.to_owned(),
            window: Window {
                from,
                until: WallTime(until.0.max(from.0) + 1),
            },
            file,
        })
    }

    /// What each route bears, by model and region, as comma-separated values.
    #[must_use]
    pub fn pivot(&self) -> String {
        let routes = self.file["routes"].as_array().into_iter().flatten();
        let all: Vec<Bears<'_>> = routes.map(Bears::of).collect();
        pivot(&bears::sheet(&all), &bears::places(&all), "model")
    }

    /// The steps that say nothing: of which route, at which load, and why.
    pub(super) fn void_steps(&self) -> Vec<(&str, String, &str)> {
        let mut found = Vec::new();
        for route in self.routes() {
            let [_, name, _] = route.names();
            let void = route.steps().into_iter();
            let void = void.filter_map(|(load, step)| Some((name, load, step["void"].as_str()?)));
            found.extend(void);
        }
        found
    }

    fn routes(&self) -> impl Iterator<Item = Route<'_>> {
        let routes = self.file["routes"].as_array().into_iter().flatten();
        routes.map(|value| Route { run: self, value })
    }
}

/// What a run found of a route.
#[derive(Clone, Copy)]
struct Route<'a> {
    run: &'a Finished,
    value: &'a Value,
}

impl<'a> Route<'a> {
    fn names(&self) -> [&'a str; 3] {
        ["model", "route", "region"].map(|key| self.value[key].as_str().unwrap_or("not said"))
    }

    /// The last step at each load, with its words, the lowest first.
    fn steps(&self) -> Vec<(String, &'a Value)> {
        let mut steps: Vec<(f64, String, &Value)> = Vec::new();
        let all = self.value["steps"].as_array().into_iter().flatten();
        for step in all.filter(|step| step["n"].as_u64() > Some(0)) {
            let users = step["load"]["users"].as_f64();
            let rate = step["load"]["requests_per_s"].as_f64();
            let (Some(load), unit) = (
                users.or(rate),
                if users.is_some() { " users" } else { "/s" },
            ) else {
                continue;
            };
            // A load that was tried again: what it showed last.
            steps.retain(|(other, ..)| other.total_cmp(&load).is_ne());
            steps.push((load, format!("{}{unit}", three_digits(load)), step));
        }
        steps.sort_by(|a, b| a.0.total_cmp(&b.0));
        steps
            .into_iter()
            .map(|(_, words, step)| (words, step))
            .collect()
    }

    /// The highest load at which the level held, where it was searched for.
    fn capacity(&self) -> Option<f64> {
        self.value["capacity"]["load"].as_f64()
    }
}

fn names() -> Vec<Column> {
    vec![
        Column::words("model", "model"),
        Column::words("route", "route"),
        Column::words("region", "region"),
    ]
}

fn head(runs: &[Finished], made: WallTime) -> Head {
    let taken = runs.iter().flat_map(Finished::routes);
    let taken = taken.flat_map(|route| route.steps());
    let taken = taken.filter_map(|(_, step)| step["n"].as_u64()).sum();
    Head {
        window: Window {
            from: runs.iter().map(|run| run.window.from).min().unwrap_or(made),
            until: runs
                .iter()
                .map(|run| run.window.until)
                .max()
                .unwrap_or(made),
        },
        made,
        origin: "load".to_owned(),
        selection: runs.iter().map(|run| format!("run {}", run.run)).collect(),
        source: Source::Records,
        scanned: taken,
        taken,
        excluded: Vec::new(),
        configs: Vec::new(),
        own_delay: None,
        seed: None,
        method: "Figures of the steps as their runs found them: exact order statistics, and Wilson's \
                 intervals of shares, of as many requests as those that follow one another alike \
                 are worth. Of a load that was tried again the last step counts.",
        hosted: Vec::new(),
        remarks: Vec::new(),
        sides: Vec::new(),
    }
}

/// What `runs` found: of a route and a load that several tried, the newest.
#[must_use]
pub fn paper(runs: &[Finished], made: WallTime) -> Paper {
    let mut newest: BTreeMap<(Vec<&str>, String), (Route<'_>, &Value)> = BTreeMap::new();
    let mut order = Vec::new();
    let mut sorted: Vec<&Finished> = runs.iter().collect();
    sorted.sort_by_key(|run| run.window.from);
    for route in sorted.iter().flat_map(|run| run.routes()) {
        for (load, step) in route.steps() {
            let key = (route.names().to_vec(), load);
            if !order.contains(&key) {
                order.push(key.clone());
            }
            newest.insert(key, (route, step));
        }
    }
    let numbers = NUMBERS.map(|(key, name, unit, ..)| Column::new(key, name, unit));
    let columns = [
        names(),
        vec![Column::words("load", "load")],
        vec![Column::new("n", "requests", Unit::Count)],
        numbers.to_vec(),
        vec![
            Column::new("capacity", "held", Unit::Number),
            Column::remark("verdict", "verdict"),
            Column::remark("run", "run"),
            Column::remark("date", "date"),
        ],
    ];
    let mut sheet = Sheet::new("steps", "Steps", columns.concat());
    for key in &order {
        let Some((route, step)) = newest.get(key) else {
            continue;
        };
        let mut row: Vec<Cell> = route.names().map(Cell::text).to_vec();
        row.push(Cell::text(&key.1));
        row.push(Cell::count(step["n"].as_u64().unwrap_or(0)));
        row.extend(NUMBERS.map(|(.., place, scale)| number(step, place, scale)));
        let verdict = step["void"].as_str().map_or("", |_| "void");
        let verdict = if verdict.is_empty() {
            step["verdict"].as_str().unwrap_or_default()
        } else {
            verdict
        };
        row.extend([
            Cell::maybe(route.capacity(), "not searched for"),
            Cell::text(verdict),
            Cell::text(&route.run.run),
            Cell::text(minute(route.run.window.from)),
        ]);
        sheet.rows.push(row);
    }
    Paper {
        name: "load-results",
        version: 1,
        title: "Loads".to_owned(),
        findings: Vec::new(),
        head: head(runs, made),
        sheets: vec![sheet],
        charts: Vec::new(),
        notes: vec![
            "One row per model, route, region and load: as csv it can be pivoted as it is. `held` \
             is the highest load at which the level of service was shown to hold."
                .to_owned(),
        ],
    }
}

/// How `runs` of the same load differ: means over runs, and how far runs lie apart.
#[must_use]
pub fn analysis(runs: &[Finished], made: WallTime) -> Paper {
    let columns = [
        names(),
        vec![
            Column::words("load", "load"),
            Column::words("of", "figure"),
            Column::new("runs", "runs", Unit::Count),
            Column::new("mean", "mean", Unit::Number),
            Column::new("least", "least", Unit::Number),
            Column::new("most", "most", Unit::Number),
            Column::new("apart", "SD over mean", Unit::Share),
        ],
    ];
    let mut sheet = Sheet::new("between", "Between runs", columns.concat());
    let mut groups: BTreeMap<(Vec<&str>, String), Vec<&Value>> = BTreeMap::new();
    let mut capacities: BTreeMap<Vec<&str>, Vec<f64>> = BTreeMap::new();
    for route in runs.iter().flat_map(Finished::routes) {
        let held = capacities.entry(route.names().to_vec()).or_default();
        held.extend(route.capacity());
        for (load, step) in route.steps() {
            let key = (route.names().to_vec(), load);
            groups.entry(key).or_default().push(step);
        }
    }
    let mut add = |names: &[&str], load: &str, of: &str, unit: Unit, values: &[f64]| {
        if values.is_empty() {
            return;
        }
        let mut row: Vec<Cell> = names.iter().map(|name| Cell::text(*name)).collect();
        row.extend([
            Cell::text(load),
            Cell::text(of),
            Cell::count(values.len() as u64),
        ]);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.extend([mean, least, most].map(|value| Cell::Value(value).in_unit(unit)));
        row.push(spread(values, mean).map_or_else(
            || Cell::absent("of one run"),
            |share| Cell::Value(share).in_unit(Unit::Share),
        ));
        sheet.rows.push(row);
    };
    for (names, held) in &capacities {
        add(names, "searched", "held", Unit::Number, held);
    }
    for ((names, load), steps) in &groups {
        for of in NUMBERS {
            let (.., place, scale) = of;
            let found = steps
                .iter()
                .filter_map(|step| number(step, place, scale).number());
            add(names, load, of.1, of.2, &found.collect::<Vec<_>>());
        }
    }
    let each = runs.len();
    Paper {
        name: "load-runs",
        version: 1,
        title: format!("{each} loads beside each other"),
        findings: vec![format!(
            "{each} runs; a figure of one run says nothing of how runs differ: three or more of \
             the same load do (`bench load --repeat 3`)."
        )],
        head: head(runs, made),
        sheets: vec![sheet, paper(runs, made).sheets.remove(0)],
        charts: Vec::new(),
        notes: vec![
            "SD over mean is the standard deviation between runs over their mean.".to_owned(),
        ],
    }
}

/// The standard deviation over the mean; absent of one number.
fn spread(values: &[f64], mean: f64) -> Option<f64> {
    let free = values.len().checked_sub(1).filter(|free| *free > 0)?;
    let squares = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>();
    (mean.abs() > 0.0).then_some((squares / free as f64).sqrt() / mean.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::render::Format;
    use crate::analysis::render::paper::write;
    use crate::analysis::reports::compare::compared;
    use serde_json::json;

    fn made(run: &str, hour: u64, p50: f64, completed: f64) -> Finished {
        let step = |load: f64, n: u64| {
            json!({
                "load": {"requests_per_s": load}, "n": n, "verdict": "held", "void": null,
                "served": {"value": 0.99, "low": 0.96, "high": 1.0},
                "errors": {"value": 0.01, "low": 0.0, "high": 0.04},
                "latency_ms": {"p50": {"value": p50, "low": p50 - 5.0, "high": p50 + 5.0},
                               "p99": {"value": null, "why": "needs 368, has 200"}},
                "completed_requests_per_s": completed,
            })
        };
        let file = json!({
            "schema": SCHEMA, "run": run, "began": format!("2026-11-01T{hour:02}:00:00Z"),
            "ended": format!("2026-11-01T{hour:02}:10:00Z"),
            "routes": [{
                "model": "m", "route": "p/m", "region": "eu-west-1", "capacity": {"load": 20.0},
                "steps": [step(10.0, 200), step(20.0, 100), step(20.0, 150), step(40.0, 0)],
            }],
        });
        Finished::read(&file.to_string()).unwrap()
    }

    #[test]
    fn a_load_is_read_back_with_its_intervals() {
        let one = [made("one", 1, 300.0, 9.8)];
        let paper = paper(&one, WallTime(0));
        let [sheet] = &paper.sheets[..] else {
            panic!("{paper:?}")
        };
        assert_eq!(
            sheet.rows.len(),
            2,
            "the last step at each load that has requests"
        );
        let text = write(&paper, Format::Csv);
        for part in ["eu-west-1", "20.0/s", "latency_p50_ms"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains(",300,295,305,150,"), "value, ends, n: {text}");
        assert!(Finished::read("{}").is_err() && Finished::read("[").is_err());
    }

    #[test]
    fn loads_are_compared_and_runs_of_one_lie_apart() {
        let (before, after) = ([made("one", 1, 300.0, 9.8)], [made("two", 2, 400.0, 9.1)]);
        let sides = ["one".to_owned(), "two".to_owned()];
        let found = compared(
            &paper(&before, WallTime(0)),
            &paper(&after, WallTime(0)),
            &sides,
        );
        let text = write(&found, Format::Json);
        let value: Value = serde_json::from_str(&text).unwrap();
        let rows = value["tables"].to_string();
        assert!(rows.contains("\"different\""), "{rows}");
        let both = [before[0].clone(), after[0].clone()];
        let apart = analysis(&both, WallTime(0));
        let is = |row: &&Vec<Cell>| row[4] == Cell::text("latency p50");
        let row = apart.sheets[0].rows.iter().find(is).unwrap();
        assert_eq!(
            (row[5].clone(), row[6].number()),
            (Cell::count(2), Some(350e6))
        );
        let apart = row[9].number().unwrap();
        assert!((apart - 70.710_678 / 350.0).abs() < 1e-6, "{apart}");
    }
}
