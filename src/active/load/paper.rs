//! Lays out what a load came to: what each route bears, step by step, as tables and charts.

use serde_json::Value;

use super::bears::{self, Bears};
use super::figures::Figures;
use super::pictures::{cost as cost_of, outcomes};
use super::plan::Plan;
use super::result::{STOP_RULE, Use, route};
use super::run::{StepResult, TargetResult};
use super::spread::Spread;
pub use super::told::level;
use super::told::{findings, words};
use crate::analysis::paper::{
    Band, Cell, Chart, Column, Head, Line, Paper, Plot, Sheet, Source, Unit,
};
use crate::analysis::render::units;
use crate::analysis::tables::{Share, Window};
use crate::record::{KeyedHash, Nanos, Origin, WallTime};
use crate::statistics::interval::Estimate;

/// Steps of a route that make a curve.
const CURVE_MIN: usize = 3;

/// The report of a run from `began` to `ended`, under the settings of that fingerprint.
#[must_use]
pub fn paper(
    plan: &Plan,
    results: &[TargetResult],
    (began, ended): (WallTime, WallTime),
    config: KeyedHash,
) -> Paper {
    let steps: Vec<&StepResult> = results.iter().flat_map(|of| &of.steps).collect();
    let taken = steps.iter().map(|of| of.figures.n).sum();
    // As the result's file has them: the charts of the file are those of the report.
    let routes: Vec<Value> = results.iter().map(|of| route(plan, of)).collect();
    let all: Vec<Bears<'_>> = routes.iter().map(Bears::of).collect();
    let own = |p: f64| Spread::of_all(steps.iter().map(|of| &of.figures.own), p);
    Paper {
        name: "load",
        version: 1,
        title: format!("Load {} {}", plan.workload.name, plan.workload.version),
        findings: findings(plan, results),
        head: Head {
            window: Window {
                from: began,
                until: ended,
            },
            made: ended,
            origin: Origin::Load.name().to_owned(),
            selection: vec![format!("run {}", plan.run)],
            source: Source::Records,
            scanned: taken,
            taken,
            excluded: Vec::new(),
            configs: vec![config],
            own_delay: own(0.5).zip(own(0.99)),
            seed: Some(plan.seed),
            method: "quantiles: exact order statistics; shares: Wilson; both of as many requests as \
                     those that follow one another alike are worth.",
            hosted: Vec::new(),
            remarks: Vec::new(),
            sides: Vec::new(),
        },
        sheets: vec![
            bears::sheet(&all),
            speed(plan, results),
            sent(results),
            throughput(results),
            cost(plan, results),
        ],
        charts: [
            bears::heat(&all, &level(plan)),
            outcomes(&all),
            cost_of(&all),
        ]
        .into_iter()
        .flatten()
        .chain(charts(results))
        .collect(),
        notes: notes(plan),
    }
}

fn notes(plan: &Plan) -> Vec<String> {
    let mut notes = vec![
        "Latency counts from the moment at which a request was to be sent: a generator that waits \
         for slow answers would leave out those who would have waited in the meantime. Failures \
         take infinitely long and are in every quantile. Answers, those in time, and tokens count \
         what ended while the load was full. Per 1,000: of good answers with a price, failures' \
         cost shared out."
            .to_owned(),
        "What each bears: of a search the highest load that held, else the load that was asked for; \
         answers per second are those that it measured there. `pivot.csv` beside the results has \
         the same by model and region."
            .to_owned(),
    ];
    if plan.search.is_some() {
        notes.push(STOP_RULE.to_owned());
    }
    notes
}

/// The columns that name a row.
fn names() -> Vec<Column> {
    vec![
        Column::words("model", "model"),
        Column::words("route", "route"),
        Column::hidden("step"),
        Column::words("load", "load"),
    ]
}

fn sheet(
    key: &'static str,
    title: &str,
    columns: Vec<Column>,
    results: &[TargetResult],
    cells: impl Fn(&StepResult) -> Vec<Cell>,
) -> Sheet {
    let columns = names().into_iter().chain(columns).collect();
    let mut sheet = Sheet::new(key, title, columns).grouped(2);
    for of in results {
        for step in &of.steps {
            let mut row = vec![
                Cell::text(of.target.model.as_str()),
                Cell::text(of.target.route.to_string()),
                Cell::count(u64::from(step.step.number)),
                Cell::text(step.step.label()),
            ];
            row.extend(cells(step));
            sheet.rows.push(row);
        }
    }
    sheet
}

fn speed(plan: &Plan, results: &[TargetResult]) -> Sheet {
    let columns = vec![
        Column::new("requests", "n", Unit::Count),
        Column::remark("verdict", "verdict"),
        Column::new("served", "served in time", Unit::Share),
        Column::new("latency_p50", "latency p50", Unit::Span),
        Column::new("latency_p95", "p95", Unit::Span),
        Column::new("latency_p99", "p99", Unit::Span),
        Column::new("lag_p99", "lag p99", Unit::Span),
    ];
    sheet(
        "steps",
        "Latency from the intended start",
        columns,
        results,
        |of| {
            let figures = &of.figures;
            vec![
                Cell::count(figures.n),
                Cell::text(figures.verdict(&plan.workload.sla)),
                share(figures.served, figures.n),
                figures.latency.cell(0.5),
                figures.latency.cell(0.95),
                figures.latency.cell(0.99),
                lag(figures),
            ]
        },
    )
}

fn sent(results: &[TargetResult]) -> Sheet {
    let columns = vec![
        Column::new("first_token_p50", "first token p50", Unit::Span),
        Column::new("first_token_p95", "p95", Unit::Span),
        Column::new("first_token_from_send_p50", "from send p50", Unit::Span),
        Column::new("latency_from_send_p50", "latency from send p50", Unit::Span),
        Column::new("latency_from_send_p95", "p95", Unit::Span),
    ];
    sheet(
        "first_token",
        "First token, and times from the send",
        columns,
        results,
        |of| {
            let figures = &of.figures;
            vec![
                figures.first_token.cell(0.5),
                figures.first_token.cell(0.95),
                figures.first_token_sent.cell(0.5),
                figures.latency_sent.cell(0.5),
                figures.latency_sent.cell(0.95),
            ]
        },
    )
}

fn throughput(results: &[TargetResult]) -> Sheet {
    let columns = vec![
        Column::new("offered_per_s", "offered/s", Unit::Number),
        Column::new("completed_per_s", "answers/s", Unit::Number),
        Column::new("goodput_per_s", "in time/s", Unit::Number),
        Column::new("input_rate", "tokens/s in", Unit::Rate),
        Column::new("output_rate", "out", Unit::Rate),
        Column::new("user_rate_p50", "per user p50", Unit::Rate),
        Column::new("in_flight", "at work", Unit::Number),
    ];
    sheet("throughput", "Throughput", columns, results, |of| {
        let figures = &of.figures;
        vec![
            Cell::Value(figures.offered),
            Cell::Value(figures.completed),
            Cell::Value(figures.goodput),
            Cell::Value(figures.input_tokens),
            Cell::Value(figures.output_tokens),
            figures.user_rate.cell(0.5),
            Cell::Value(figures.in_flight),
        ]
    })
}

fn cost(plan: &Plan, results: &[TargetResult]) -> Sheet {
    let columns = vec![
        Column::new("errors", "failed", Unit::Share),
        Column::new("rate_limited", "429s", Unit::Count),
        Column::new("cost", "cost", Unit::Dollars),
        Column::new("priced", "with a price", Unit::Share),
        Column::new("cost_per_1000", "per 1,000", Unit::Dollars),
        Column::new("requests_per_minute", "requests/min", Unit::Number),
        Column::new("requests_limit_used", "of limit", Unit::Share),
        Column::new("tokens_per_minute", "tokens/min", Unit::Number),
        Column::new("tokens_limit_used", "of limit", Unit::Share),
    ];
    sheet(
        "cost",
        "Failures, cost and limits",
        columns,
        results,
        |of| {
            let figures = &of.figures;
            let (requests, tokens) = (Use::requests(plan, of), Use::tokens(plan, of));
            let used = |of: Use| Cell::maybe(of.share(), "nobody says");
            let bill = figures.bill;
            vec![
                share(figures.errors, figures.n),
                Cell::count(figures.rate_limited),
                Cell::maybe(bill.known(), "no price"),
                Cell::share(Share::of(bill.priced, bill.answered)),
                Cell::maybe(bill.per_thousand(), "no price"),
                Cell::Value(requests.used),
                used(requests),
                Cell::Value(tokens.used),
                used(tokens),
            ]
        },
    )
}

fn share(of: Option<Estimate>, n: u64) -> Cell {
    of.map_or_else(|| Cell::absent("of none"), |of| Cell::quantile(&of, n))
}

fn lag(figures: &Figures) -> Cell {
    let nanos = |Nanos(nanos)| nanos as f64;
    Cell::maybe(figures.lag.map(|lag| nanos(lag.p99)), "nothing was sent")
}

/// A route's steps in the order of their loads.
fn sorted(of: &TargetResult) -> Vec<&StepResult> {
    let mut steps: Vec<&StepResult> = of.steps.iter().collect();
    steps.sort_by(|a, b| a.step.load().total_cmp(&b.step.load()));
    steps
}

/// How latency and answers grow with the load, where there are loads enough.
fn charts(results: &[TargetResult]) -> Vec<Chart> {
    let results: Vec<&TargetResult> = results
        .iter()
        .filter(|of| of.steps.len() >= CURVE_MIN)
        .collect();
    let loads = results.iter().flat_map(|of| &of.steps);
    let loads: Vec<f64> = loads.map(|of| of.step.load()).collect();
    let (Some(least), Some(most)) = (
        loads.iter().copied().min_by(f64::total_cmp),
        loads.iter().copied().max_by(f64::total_cmp),
    ) else {
        return Vec::new();
    };
    let Some(first) = results.first().and_then(|of| of.steps.first()) else {
        return Vec::new();
    };
    let unit_words = words(&first.step);
    let scale = |plotted: Vec<Line>, title: &str, unit: Unit, note: &str| Chart {
        title: format!("{title} by {unit_words}"),
        unit,
        plot: Plot::Lines {
            lines: plotted,
            labels: [least, most]
                .map(|load| format!("{} {unit_words}", units::three_digits(load)))
                .to_vec(),
            x: (least, most),
            marks: Vec::new(),
        },
        note: note.to_owned(),
    };
    let name = |of: &TargetResult| of.target.route.to_string();
    let latency = results.iter().map(|of| {
        let at = |step: &&StepResult| (step.step.load(), step.figures.latency.at(0.95).ok());
        let points: Vec<(f64, Option<Estimate>)> = sorted(of).iter().map(at).collect();
        Line {
            name: name(of),
            band: points
                .iter()
                .filter_map(|(x, found)| {
                    let interval = found.as_ref()?.interval;
                    let (low, high) = (interval.low, interval.high);
                    interval.is_finite().then_some(Band { x: *x, low, high })
                })
                .collect(),
            points: points
                .iter()
                .map(|(x, found)| (*x, found.map(|found| found.value)))
                .collect(),
        }
    });
    let answers = results.iter().map(|of| Line {
        name: name(of),
        points: sorted(of)
            .iter()
            .map(|step| (step.step.load(), Some(step.figures.completed)))
            .collect(),
        band: Vec::new(),
    });
    vec![
        scale(
            latency.collect(),
            "Latency p95",
            Unit::Span,
            "From the intended start, with 95 % intervals. No point where it falls among failures.",
        ),
        scale(
            answers.collect(),
            "Answers per second",
            Unit::Number,
            "Of a route that keeps up they grow as the load does.",
        ),
    ]
}
