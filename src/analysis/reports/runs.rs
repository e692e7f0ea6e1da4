//! The report `runs`: what benchmarks, loads, evaluations and probes have asked so far, run by run.

use std::collections::{BTreeMap, BTreeSet};

use super::call::{Call, plain_model};
use super::figures::{
    METHOD, Numbers, Route, failures, head, named, nothing, numbers, rate, spent, to_first_token,
};
use super::gather::Report;
use crate::analysis::paper::{Cell, Column, Head, Paper, Sheet, Unit};
use crate::analysis::render::units::minute;
use crate::analysis::tables::Share;
use crate::record::{ExchangeRecord, Name, Origin, WallTime};

/// Routes named in a cell at most.
const ROUTES_NAMED: usize = 4;

const TITLE: &str = "Runs";

/// The report `runs`, at work.
#[derive(Debug, Default)]
pub struct Runs {
    runs: BTreeMap<Name, Run>,
}

/// What one run asked.
#[derive(Debug)]
struct Run {
    origin: Origin,
    first: WallTime,
    last: WallTime,
    calls: Vec<Call>,
    pairs: BTreeSet<u32>,
}

impl Report for Runs {
    fn take(&mut self, record: &ExchangeRecord, calls: Vec<Call>) {
        let Some(active) = &record.active else {
            return;
        };
        let run = self.runs.entry(active.run.clone()).or_insert_with(|| Run {
            origin: record.origin,
            first: record.started,
            last: record.started,
            calls: Vec::new(),
            pairs: BTreeSet::new(),
        });
        run.first = run.first.min(record.started);
        run.last = run.last.max(record.started);
        run.pairs.extend(active.pair.map(|pair| pair.number));
        run.calls.extend(calls);
    }

    fn paper(&self, of: Head) -> Paper {
        let of = head(of, METHOD);
        if self.runs.is_empty() {
            let why = "No benchmark, load, evaluation or probe in this window: `tollgate bench`, `eval` and `probe` begin one.";
            return nothing("runs", TITLE, of, why);
        }
        let mut runs: Vec<(&Name, &Run)> = self.runs.iter().collect();
        runs.sort_by_key(|(_, run)| std::cmp::Reverse(run.last));
        Paper {
            name: "runs",
            version: 1,
            title: TITLE.to_owned(),
            findings: vec![finding(&runs)],
            head: of,
            sheets: vec![asked(&runs), routes(&runs)],
            charts: Vec::new(),
            notes: vec![
                "A run that is going on grows with every look. Any report is narrowed to runs by \
                 their names: `--runs A,B`, `?runs=A,B`. Two finished ones are compared by \
                 `tollgate bench compare`."
                    .to_owned(),
                "What only warmed connections is not counted.".to_owned(),
            ],
        }
    }
}

fn finding(runs: &[(&Name, &Run)]) -> String {
    let newest = runs.first().map_or(String::new(), |(name, run)| {
        let tries = run.calls.len();
        format!(
            "; the newest is {name}, {tries} requests until {}",
            minute(run.last)
        )
    });
    let some = if runs.len() == 1 { "run" } else { "runs" };
    format!("{} {some}{newest}.", runs.len())
}

fn asked(runs: &[(&Name, &Run)]) -> Sheet {
    let columns = vec![
        Column::words("run", "run"),
        Column::words("origin", "origin"),
        Column::words("first", "first request"),
        Column::words("last", "last request"),
        Column::new("requests", "requests", Unit::Count),
        Column::new("pairs", "pairs", Unit::Count),
        Column::new("failed", "failed", Unit::Share),
        Column::new("cost", "cost", Unit::Dollars),
        Column::words("routes", "routes"),
    ];
    let mut sheet = Sheet::new("runs", "What was asked", columns);
    sheet.rows = runs
        .iter()
        .map(|(name, run)| asked_row(name, run))
        .collect();
    sheet
}

fn asked_row(name: &Name, run: &Run) -> Vec<Cell> {
    let calls: Vec<&Call> = run.calls.iter().collect();
    let known: Vec<f64> = calls.iter().filter_map(|call| spent(call)).collect();
    let cost = if known.is_empty() {
        Cell::absent("no price")
    } else {
        Cell::Value(known.iter().sum())
    };
    vec![
        Cell::text(name.as_str()),
        Cell::text(run.origin.name()),
        Cell::text(minute(run.first)),
        Cell::text(minute(run.last)),
        Cell::count(calls.len() as u64),
        Cell::count(run.pairs.len() as u64),
        Cell::share(failures(&calls)),
        cost,
        Cell::text(few(&by_route(run))),
    ]
}

fn few(routes: &BTreeMap<Route, Vec<&Call>>) -> String {
    let named: Vec<String> = routes.keys().take(ROUTES_NAMED).map(named).collect();
    let more = routes.len().saturating_sub(named.len());
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{rest}", named.join(", "))
}

fn by_route(run: &Run) -> BTreeMap<Route, Vec<&Call>> {
    let mut routes: BTreeMap<Route, Vec<&Call>> = BTreeMap::new();
    for call in &run.calls {
        let route = (plain_model(call), call.provider.to_string());
        routes.entry(route).or_default().push(call);
    }
    routes
}

/// What a run saw of a route.
struct Way<'a> {
    run: &'a Name,
    route: Route,
    requests: u64,
    failed: Share,
    first_token: Numbers,
    rate: Numbers,
}

fn routes(runs: &[(&Name, &Run)]) -> Sheet {
    let columns = vec![
        Column::words("run", "run"),
        Column::words("model", "model"),
        Column::words("provider", "provider"),
        Column::new("requests", "requests", Unit::Count),
        Column::new("failed", "failed", Unit::Share),
        Column::new("first_token_p50", "first token p50", Unit::Span),
        Column::new("output_rate_p50", "tokens/s p50", Unit::Rate),
    ];
    let mut sheet = Sheet::new("routes", "What each route did in it", columns);
    let ways = runs.iter().flat_map(|(name, run)| {
        let each = by_route(run).into_iter();
        each.map(|(route, calls)| Way {
            run: name,
            route,
            requests: calls.len() as u64,
            failed: failures(&calls),
            first_token: to_first_token(&calls),
            rate: numbers(&calls, rate),
        })
    });
    sheet.rows = ways
        .map(|way| {
            vec![
                Cell::text(way.run.as_str()),
                Cell::text(&way.route.0),
                Cell::text(&way.route.1),
                Cell::count(way.requests),
                Cell::share(way.failed),
                way.first_token.at(0.5),
                way.rate.at(0.5),
            ]
        })
        .collect();
    sheet
}
