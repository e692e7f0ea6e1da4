//! The report `production`: live traffic beside what benchmarks measured of the same routes, and
//! why the two may differ.

use std::collections::{BTreeMap, BTreeSet};

use super::call::Call;
use super::figures::{
    METHOD, Numbers, Route, by_route, difference, ends, failures, head, model_cell, named, nothing,
    numbers, rate, share, to_first_token, verdict,
};
use super::gather::Report;
use crate::analysis::paper::{Bar, Cell, Chart, Column, Head, Paper, Plot, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::record::{ExchangeRecord, Name, Origin};
use crate::statistics::compare::{Margin, Resampling, Verdict, decide, holm};

use crate::statistics::interval::{ALPHA, Estimate};

use super::figures::SEED;

const TITLE: &str = "Production beside the benchmark";
/// Production that is slower than the benchmark by this share is worth looking into.
const WORTH: f64 = 0.2;

/// The report at work.
#[derive(Debug, Default)]
pub struct Production {
    live: Vec<Call>,
    bench: Vec<Call>,
    /// The benchmarks that those are of, with how many.
    runs: BTreeMap<Name, usize>,
}

impl Report for Production {
    fn take(&mut self, record: &ExchangeRecord, calls: Vec<Call>) {
        match record.origin {
            Origin::Live => self.live.extend(calls),
            Origin::Bench => {
                if let Some(active) = &record.active {
                    *self.runs.entry(active.run.clone()).or_default() += calls.len();
                }
                self.bench.extend(calls);
            }
            // A load measures what a route does when too much is asked of it.
            _ => {}
        }
    }

    fn paper(&self, of: Head) -> Paper {
        let mut paper = told(&self.live, &self.bench, head(of, METHOD));
        if !paper.sheets.is_empty() {
            paper.notes.push(benchmarks(&self.runs));
        }
        paper
    }
}

/// Benchmarks named in a note at most.
const RUNS_NAMED: usize = 8;

/// Which benchmarks stand beside live traffic.
fn benchmarks(runs: &BTreeMap<Name, usize>) -> String {
    let named = runs.iter().take(RUNS_NAMED);
    let named: Vec<String> = named
        .map(|(run, count)| format!("{run} ({count} requests)"))
        .collect();
    let more = runs.len().saturating_sub(named.len());
    let rest = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "The benchmark is of the runs {}{rest}. Loads (origin load) are not in it: they ask for \
         more than a route can do on purpose.",
        named.join(", ")
    )
}

/// A route with its calls of either kind.
struct Way<'a> {
    route: Route,
    live: Vec<&'a Call>,
    bench: Vec<&'a Call>,
    found: [Option<Found>; 3],
}

/// A difference, live less bench.
struct Found {
    difference: Estimate,
    /// Of the benchmark's number.
    beside: f64,
    margin: f64,
    count: usize,
    p: f64,
    verdict: Verdict,
}

const METRICS: [(&str, Unit, Unit); 3] = [
    ("first_token_p50", Unit::Span, Unit::Delta),
    ("output_rate_p50", Unit::Rate, Unit::RateMore),
    ("failed", Unit::Share, Unit::Points),
];

fn told(live: &[Call], bench: &[Call], of: Head) -> Paper {
    let benched = by_route(bench);
    let mut ways: Vec<Way<'_>> = by_route(live)
        .into_iter()
        .filter_map(|(route, live)| {
            let bench = benched.get(&route)?.clone();
            let found = differences(&live, &bench);
            Some(Way {
                route,
                live,
                bench,
                found,
            })
        })
        .collect();
    if ways.is_empty() {
        let why = "No route has both live traffic and benchmarks in this window: `tollgate bench` \
                   makes them, and a wider --since may find some.";
        return nothing("production", TITLE, of, why);
    }
    judge(&mut ways);
    Paper {
        name: "production",
        version: 1,
        title: TITLE.to_owned(),
        findings: findings(&ways),
        head: of,
        sheets: vec![beside(&ways), reasons(&ways)],
        charts: chart(&ways).into_iter().collect(),
        notes: vec![
            "OBSERVATIONAL: the benchmark asks its own prompts at its own hours, one after the \
             other; applications ask theirs when they need to. The table of reasons shows by how \
             much the two differ in what decides times; none of it is taken out of the \
             differences."
                .to_owned(),
            "Production 20 % behind the benchmark, and surely so, is worth finding out why: another \
             model version, limits, the region\'s load, the application\'s own prompts, or chance."
                .to_owned(),
            "Verdicts are of intervals of 95 %; p is adjusted by Holm over all rows, and what is \
             not below 5 % then is not called different."
                .to_owned(),
        ],
    }
}

fn differences(live: &[&Call], bench: &[&Call]) -> [Option<Found>; 3] {
    let [a, b] = [live, bench].map(speeds);
    let of = |at: usize, unit: Unit| quantiles(&a[at], &b[at], unit);
    let (a, b) = (failures(live), failures(bench));
    let failed = a.less(b).and_then(|difference| {
        Some(Found {
            difference,
            beside: b.fraction()?,
            margin: 0.005,
            count: usize::try_from(a.whole.min(b.whole)).unwrap_or(usize::MAX),
            p: difference.p_value(ALPHA),
            verdict: Verdict::Inconclusive {
                need_about_more: None,
            },
        })
    });
    [of(0, Unit::Span), of(1, Unit::Rate), failed]
}

/// Time to first token and output rate.
fn speeds(calls: &[&Call]) -> [Numbers; 2] {
    [to_first_token(calls), numbers(calls, rate)]
}

fn quantiles(live: &Numbers, bench: &Numbers, unit: Unit) -> Option<Found> {
    let (_, beside) = (live.median()?, bench.median()?);
    let how = Resampling {
        effects: [live.effect_of(), bench.effect_of()],
        ..Resampling::seeded(SEED)
    };
    let difference = difference(live, bench, &how)?;
    let margin = match unit {
        Unit::Span => Margin::NANOS.beside(beside),
        _ => 0.03 * beside.abs(),
    };
    Some(Found {
        difference,
        beside,
        margin,
        count: usize::try_from(live.count().min(bench.count())).unwrap_or(usize::MAX),
        p: difference.p_value(ALPHA),
        verdict: Verdict::Inconclusive {
            need_about_more: None,
        },
    })
}

/// Judges all differences as one family.
fn judge(ways: &mut [Way<'_>]) {
    let mut all: Vec<&mut Found> = ways
        .iter_mut()
        .flat_map(|way| way.found.iter_mut().flatten())
        .collect();
    let plain: Vec<f64> = all.iter().map(|found| found.p).collect();
    for (found, p) in all.iter_mut().zip(holm(&plain)) {
        found.p = p;
        found.verdict = match decide(&found.difference, found.margin, found.count) {
            Verdict::Different if p > ALPHA => Verdict::Inconclusive {
                need_about_more: None,
            },
            said => said,
        };
    }
}

/// The change as a share of the benchmark's number.
fn change(found: &Found) -> Option<f64> {
    Some(found.difference.value / found.beside).filter(|share| share.is_finite())
}

fn findings(ways: &[Way<'_>]) -> Vec<String> {
    let mut said = Vec::new();
    for way in ways {
        for ((key, _, more), found) in METRICS.iter().zip(&way.found) {
            let Some(found) = found else { continue };
            if found.verdict != Verdict::Different {
                continue;
            }
            let behind = match *key {
                "first_token_p50" => change(found).is_some_and(|share| share >= WORTH),
                "output_rate_p50" => change(found).is_some_and(|share| share <= -WORTH),
                _ => found.difference.value > 0.0,
            };
            let name = match *key {
                "first_token_p50" => "first token",
                "output_rate_p50" => "output rate",
                _ => "failures",
            };
            let why = if behind {
                format!(": worth finding out why ({})", told_apart(way).join("; "))
            } else {
                String::new()
            };
            said.push(format!(
                "{}: {name} {} {} against the benchmark{why}.",
                named(&way.route),
                number(found.difference.value, *more),
                ends(found.difference.interval, *more),
            ));
        }
    }
    if said.is_empty() {
        said.push(format!(
            "{} route{} with both live traffic and benchmarks: no number surely differs by more \
             than the margin.",
            ways.len(),
            if ways.len() == 1 { "" } else { "s" }
        ));
    }
    said
}

/// What differs between the two kinds of requests of a route, in words.
fn told_apart(way: &Way<'_>) -> Vec<String> {
    let mut said = Vec::new();
    let sizes = [&way.live, &way.bench].map(|calls| median(calls, prompt));
    if let [Some(live), Some(bench)] = sizes
        && (live > 2.0 * bench || bench > 2.0 * live)
    {
        said.push(format!("prompts of {live:.0} tokens against {bench:.0}"));
    }
    let warm = [&way.live, &way.bench].map(|calls| warm(calls));
    if let [Some(live), Some(bench)] = warm
        && (live - bench).abs() > 0.1
    {
        said.push(format!(
            "connections warm in {} against {}",
            number(live, Unit::Share),
            number(bench, Unit::Share)
        ));
    }
    let hours = [&way.live, &way.bench].map(|calls| hours(calls));
    if hours[0].is_disjoint(&hours[1]) {
        said.push("no hour of the day in common".to_owned());
    }
    let reasons = [&way.live, &way.bench].map(|calls| {
        let asked = share(calls, |call| call.traits.effort.is_some());
        asked.fraction().unwrap_or(0.0)
    });
    if (reasons[0] - reasons[1]).abs() > 0.1 {
        said.push("reasoning asked for in one of them".to_owned());
    }
    if said.is_empty() {
        said.push("sizes, connections and hours are alike".to_owned());
    }
    said
}

fn prompt(call: &Call) -> Option<f64> {
    call.size.map(|tokens| tokens as f64)
}

fn output(call: &Call) -> Option<f64> {
    call.output.map(|tokens| tokens as f64)
}

fn median(calls: &[&Call], of: fn(&Call) -> Option<f64>) -> Option<f64> {
    numbers(calls, of).median()
}

fn warm(calls: &[&Call]) -> Option<f64> {
    share(calls, |call| call.traits.reused).fraction()
}

/// The hours of the day, UTC, in which they were.
fn hours(calls: &[&Call]) -> BTreeSet<i64> {
    let hour = |call: &&Call| call.started.as_secs().div_euclid(3_600).rem_euclid(24);
    calls.iter().map(hour).collect()
}

fn names() -> Vec<Column> {
    vec![
        Column::words("model", "model"),
        Column::words("provider", "provider"),
    ]
}

fn name_cells(way: &Way<'_>) -> Vec<Cell> {
    vec![model_cell(&way.route.0), Cell::text(&way.route.1)]
}

fn beside(ways: &[Way<'_>]) -> Sheet {
    let mut columns = names();
    columns.extend([
        Column::words("metric", "metric"),
        Column::new("live", "live", Unit::Number),
        Column::new("bench", "benchmark", Unit::Number),
        Column::new("difference", "live less benchmark", Unit::Number),
        Column::new("change", "change", Unit::Share),
        Column::new("p_value", "p (Holm)", Unit::Number),
        Column::remark("verdict", "verdict"),
    ]);
    let mut sheet = Sheet::new("beside", "Live beside the benchmark", columns);
    for way in ways {
        let [live, bench] = [&way.live, &way.bench].map(|calls| speeds(calls));
        let cells = [0, 1].map(|at: usize| [&live, &bench].map(|of| of[at].at(0.5)));
        let failed = [&way.live, &way.bench].map(|calls| Cell::share(failures(calls)));
        let all = cells.into_iter().chain([failed]);
        for (((key, unit, more), found), [live, bench]) in METRICS.iter().zip(&way.found).zip(all) {
            let mut row = name_cells(way);
            row.push(Cell::text(*key));
            row.push(live.in_unit(*unit));
            row.push(bench.in_unit(*unit));
            match found {
                Some(found) => row.extend([
                    Cell::estimate(&found.difference).in_unit(*more),
                    Cell::maybe(change(found), "of none"),
                    Cell::Value(found.p),
                    Cell::text(verdict(&found.verdict)),
                ]),
                None => row.extend((0..4).map(|_| Cell::absent("too few"))),
            }
            sheet.rows.push(row);
        }
    }
    sheet
}

fn reasons(ways: &[Way<'_>]) -> Sheet {
    let mut columns = names();
    columns.extend([
        Column::words("traffic", "traffic"),
        Column::new("requests", "requests", Unit::Count),
        Column::new("prompt_tokens_p50", "prompt tokens p50", Unit::Number),
        Column::new("output_tokens_p50", "output tokens p50", Unit::Number),
        Column::new("warm", "warm connections", Unit::Share),
        Column::new("streamed", "streamed", Unit::Share),
        Column::new("cached", "with cached prompt", Unit::Share),
        Column::new("hours", "hours of the day", Unit::Count),
    ]);
    let mut sheet = Sheet::new("reasons", "Why they may differ", columns);
    for way in ways {
        for (what, calls) in [("live", &way.live), ("bench", &way.bench)] {
            let mut row = name_cells(way);
            row.extend([
                Cell::text(what),
                Cell::count(calls.len() as u64),
                numbers(calls, prompt).at(0.5),
                numbers(calls, output).at(0.5),
                Cell::share(share(calls, |call| call.traits.reused)),
                Cell::share(share(calls, |call| call.traits.stream)),
                Cell::share(share(calls, |call| call.traits.cached > 0)),
                Cell::count(hours(calls).len() as u64),
            ]);
            sheet.rows.push(row);
        }
    }
    sheet
}

fn chart(ways: &[Way<'_>]) -> Option<Chart> {
    let bars: Vec<Bar> = ways
        .iter()
        .filter_map(|way| {
            let found = way.found[0].as_ref()?;
            let interval = found.difference.interval;
            Some(Bar {
                name: named(&way.route),
                value: found.difference.value,
                interval: interval
                    .is_finite()
                    .then_some((interval.low, interval.high)),
            })
        })
        .collect();
    (!bars.is_empty()).then(|| Chart {
        title: "Time to first token: live less benchmark, medians".to_owned(),
        unit: Unit::Delta,
        plot: Plot::Forest { bars, zero: 0.0 },
        note: "Right of the line live traffic waits longer than the benchmark did. 95 % intervals."
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::tests::{failing, head, made_up, routed};
    use crate::record::Active;
    use crate::sample::record;

    fn around(count: usize, first_ms: f64) -> Vec<Call> {
        let call = |n: usize| made_up(n, first_ms + (n * 7 % 11) as f64);
        (0..count).map(call).collect()
    }

    #[test]
    fn live_traffic_that_waits_longer_is_told_with_its_reasons() {
        let bench = around(60, 200.0);
        let live: Vec<Call> = around(90, 300.0)
            .into_iter()
            .map(|mut call| {
                call.size = Some(4_000);
                call.traits.reused = false;
                call
            })
            .collect();
        let paper = told(&live, &bench, head());
        let said = &paper.findings[0];
        for part in [
            "gpt-4.1 at openai: first token +100 ms",
            "worth finding out why",
            "prompts of 4000 tokens against 600",
            "connections warm in 0 % against 100 %",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let row = &paper.sheets[0].rows[0];
        assert_eq!(row[8], Cell::text("different"), "{row:?}");
        // 100 of a median of 205 ms.
        assert!(
            (row[6].number().unwrap() - 100.0 / 205.0).abs() < 0.01,
            "{row:?}"
        );
    }

    #[test]
    fn loads_are_no_benchmark_and_runs_are_named() {
        let mut report = Production::default();
        for (origin, run, first_ms) in [
            (Origin::Live, None, 200.0),
            (Origin::Bench, Some("monday"), 200.0),
            // A sweep goes on until its queue is seconds long.
            (Origin::Load, Some("sweep"), 2_000.0),
            (Origin::Probe, Some("probes"), 900.0),
            (Origin::Eval, Some("eval"), 900.0),
        ] {
            let mut record = record();
            record.origin = origin;
            record.active = run.map(|run| Active {
                run: run.into(),
                ..Active::default()
            });
            report.take(&record, around(60, first_ms));
        }
        let paper = report.paper(head());
        assert!(
            paper.findings[0].starts_with("1 route with both"),
            "{:?}",
            paper.findings
        );
        let last = paper.notes.last().unwrap();
        assert!(
            last.contains("of the runs monday (60 requests). Loads"),
            "{last}"
        );
    }

    #[test]
    fn what_is_alike_is_called_so_and_what_is_alone_is_left_out() {
        let paper = told(&around(60, 200.0), &around(60, 200.0), head());
        assert!(
            paper.findings[0].starts_with("1 route with both"),
            "{:?}",
            paper.findings
        );
        assert_eq!(paper.sheets[0].rows[0][8], Cell::text("equivalent"));
        let router: Vec<Call> = around(60, 200.0)
            .into_iter()
            .map(|call| routed(call, None))
            .collect();
        let paper = told(&router, &around(60, 200.0), head());
        // The same model at another provider is another route.
        assert!(
            paper.findings[0].starts_with("No route has both"),
            "{:?}",
            paper.findings
        );
        let live: Vec<Call> = around(60, 200.0)
            .into_iter()
            .chain((0..40).map(failing))
            .collect();
        let paper = told(&live, &around(100, 200.0), head());
        assert!(
            paper
                .findings
                .iter()
                .any(|said| said.contains("failures +40.00 pp")),
            "{:?}",
            paper.findings
        );
    }
}
