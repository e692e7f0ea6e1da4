//! The report `bench-runs`: how runs of the same benchmark differ, and how sure a number is that
//! takes runs, and not requests, as what is independent.

use std::collections::{BTreeMap, BTreeSet};

use super::cells::{Group, columns, groups};
use super::{Item, Kind};
use crate::analysis::paper::{Bar, Cell, Chart, Column, Head, Paper, Plot, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::reports::call::Call;
use crate::analysis::reports::figures::{ends, first_token, head, nothing, numbers, rate};
use crate::statistics::compare::{Spread, deviation, mean_of_runs, spread};
use crate::statistics::interval::{ALPHA, Estimate};

/// A run with everything that it measured.
#[derive(Debug)]
pub struct Run<'a> {
    /// Its name.
    pub name: String,
    /// What it asked.
    pub kinds: Vec<Kind>,
    /// Its exchanges.
    pub items: Vec<Item<'a>>,
}

const TITLE: &str = "How runs differ";
/// Bars of a chart at most.
const BARS_MAX: usize = 36;

const METHOD: &str = "The number of a run is the median of its requests (type 7; it needs 6, and \
    failures count as infinitely long). Over runs: the mean of medians with Student's interval, \
    95 %, of as many independent numbers as there are runs; the deviation of the medians between \
    runs; the deviation of a request within its run and the intraclass share by a one-way analysis \
    of variance (Searle, Casella and McCulloch 1992; Shrout and Fleiss 1979, case 1), failures \
    left out.";

struct Metric {
    key: &'static str,
    name: &'static str,
    unit: Unit,
    of: fn(&Call) -> Option<f64>,
}

const METRICS: [Metric; 3] = [
    Metric {
        key: "first_token",
        name: "first token",
        unit: Unit::Span,
        of: first_token,
    },
    Metric {
        key: "output_rate",
        name: "tokens/s",
        unit: Unit::Rate,
        of: rate,
    },
    Metric {
        key: "total",
        name: "total",
        unit: Unit::Span,
        of: |call| call.whole,
    },
];

/// What runs say of one metric of one kind.
struct Found {
    /// The median of each run that has one, with the run's place.
    medians: Vec<(usize, Estimate)>,
    count: u64,
    mean: Option<Estimate>,
    between: Option<f64>,
    spread: Option<Spread>,
}

/// How `runs` differ.
#[must_use]
pub fn analysis(runs: &[Run<'_>], of: Head) -> Paper {
    let of = head(of, METHOD);
    let each: Vec<BTreeMap<Kind, Group>> = runs
        .iter()
        .map(|run| groups(&run.kinds, &run.items))
        .collect();
    let kinds: BTreeSet<&Kind> = each.iter().flat_map(BTreeMap::keys).collect();
    if kinds.is_empty() {
        return nothing(
            "bench-runs",
            TITLE,
            of,
            "Nothing was measured in these runs.",
        );
    }
    let rows: Vec<(&Kind, &Metric, Found)> = kinds
        .iter()
        .flat_map(|kind| METRICS.iter().map(|metric| (*kind, metric)))
        .map(|(kind, metric)| (kind, metric, found(kind, metric, &each)))
        .collect();
    let named = |kind: &Kind| kind.named(kinds.iter().copied());
    Paper {
        name: "bench-runs",
        version: 1,
        title: TITLE.to_owned(),
        findings: findings(&rows, runs.len(), named),
        head: of,
        sheets: vec![
            over_runs(&rows),
            medians(&rows, runs),
            requests(&kinds, &each, runs),
        ],
        charts: chart(&rows, runs, named).into_iter().collect(),
        notes: vec![
            "The deviation between runs is that of their medians: it holds what is left of the \
             requests' own noise in a median of so many. The intraclass share does not: 0 says \
             that a run is like any other, 1 that every request of a run is the same. Above some \
             hundredths, the interval of a single run is too narrow to speak for other runs."
                .to_owned(),
            "Student's interval of three runs is 2.5 deviations of the medians to either side, of \
             ten 0.7: more runs say more than longer ones."
                .to_owned(),
        ],
    }
}

fn found(kind: &Kind, metric: &Metric, each: &[BTreeMap<Kind, Group>]) -> Found {
    let all: Vec<Vec<f64>> = each
        .iter()
        .map(|groups| {
            let calls = groups.get(kind).map(|group| &group.calls[..]);
            let calls = calls.unwrap_or_default().iter();
            calls.filter_map(metric.of).collect()
        })
        .collect();
    let medians: Vec<(usize, Estimate)> = each
        .iter()
        .enumerate()
        .filter_map(|(place, groups)| {
            let of = numbers(&groups.get(kind)?.all(), metric.of);
            Some((place, of.estimate(0.5, ALPHA).ok()?))
        })
        .collect();
    let values: Vec<f64> = medians.iter().map(|(_, found)| found.value).collect();
    let finite: Vec<Vec<f64>> = all
        .iter()
        .map(|values| values.iter().copied().filter(|x| x.is_finite()).collect())
        .collect();
    Found {
        count: all.iter().map(|values| values.len() as u64).sum(),
        mean: mean_of_runs(&values, ALPHA).map(not_negative),
        between: deviation(&values),
        spread: spread(&finite),
        medians,
    }
}

/// Neither a time nor a rate is below zero, whatever Student says.
const fn not_negative(mut mean: Estimate) -> Estimate {
    if mean.interval.low.is_finite() {
        mean.interval.low = mean.interval.low.max(0.0);
    }
    mean
}

fn findings(
    rows: &[(&Kind, &Metric, Found)],
    runs: usize,
    named: impl Fn(&Kind) -> String,
) -> Vec<String> {
    if runs < 2 {
        return vec![
            "One run: nothing can be said of how runs differ. `--repeat 3` makes three.".to_owned(),
        ];
    }
    let said = rows.iter().filter(|row| row.1.key != "total");
    let mut findings: Vec<String> = said
        .filter_map(|(kind, metric, found)| {
            let (mean, between) = (found.mean?, found.between?);
            let spread = found.spread?;
            let share = spread.intraclass.map_or_else(String::new, |share| {
                let share = number(share, Unit::Share);
                format!("; {share} of the variance lies between runs")
            });
            Some(format!(
                "{}: {} {} {} over {} runs, deviation {} between runs, {} within{share}.",
                named(kind),
                metric.name,
                number(mean.value, metric.unit),
                ends(mean.interval, metric.unit),
                found.medians.len(),
                number(between, metric.unit),
                number(spread.within.sqrt(), metric.unit),
            ))
        })
        .collect();
    if findings.is_empty() {
        findings.push(
            "No two runs have 6 answers of the same kind each: nothing can be said of how they \
             differ."
                .to_owned(),
        );
    }
    findings
}

fn over_runs(rows: &[(&Kind, &Metric, Found)]) -> Sheet {
    let more = vec![
        Column::words("metric", "metric"),
        Column::hidden("unit"),
        Column::new("runs", "runs", Unit::Count),
        Column::new("n", "n", Unit::Count),
        Column::new("mean_of_medians", "mean of medians", Unit::Number),
        Column::new("sd_between", "SD between runs", Unit::Number),
        Column::new("sd_within", "SD within a run", Unit::Number),
        Column::new("cv_between", "between / mean", Unit::Times),
        Column::new("intraclass", "share between runs", Unit::Share),
        Column::new("least", "least", Unit::Number),
        Column::new("largest", "largest", Unit::Number),
    ];
    let mut sheet = Sheet::new(
        "runs",
        "Over runs",
        columns().into_iter().chain(more).collect(),
    );
    for (kind, metric, found) in rows {
        let unit = metric.unit;
        let few = "needs two runs of 6 each";
        let maybe = |value: Option<f64>| match value {
            Some(value) => Cell::Value(value).in_unit(unit),
            None => Cell::absent(few),
        };
        let values = || found.medians.iter().map(|(_, of)| of.value);
        let mean = match found.mean {
            None => Cell::absent("no median: needs 6 in a run"),
            Some(mean) if mean.interval.is_finite() => Cell::estimate(&mean).in_unit(unit),
            Some(mean) => Cell::Value(mean.value).in_unit(unit),
        };
        let ratio = found.between.zip(found.mean);
        let ratio = ratio.map(|(between, mean)| between / mean.value);
        let cells = vec![
            Cell::text(metric.key),
            Cell::text(unit.suffix().trim_start_matches('_')),
            Cell::count(found.medians.len() as u64),
            Cell::count(found.count),
            mean,
            maybe(found.between),
            maybe(found.spread.map(|spread| spread.within.sqrt())),
            Cell::maybe(ratio.filter(|ratio| ratio.is_finite()), few),
            Cell::maybe(found.spread.and_then(|spread| spread.intraclass), few),
            maybe(values().reduce(f64::min)),
            maybe(values().reduce(f64::max)),
        ];
        let all = rows.iter().map(|row| row.0);
        sheet
            .rows
            .push(kind.cells(all).into_iter().chain(cells).collect());
    }
    sheet
}

fn medians(rows: &[(&Kind, &Metric, Found)], runs: &[Run<'_>]) -> Sheet {
    let more = vec![
        Column::words("metric", "metric"),
        Column::hidden("unit"),
        Column::words("run", "run"),
        Column::new("median", "median", Unit::Number),
    ];
    let mut sheet = Sheet::new(
        "medians",
        "Each run's median",
        columns().into_iter().chain(more).collect(),
    );
    for (kind, metric, found) in rows {
        for (place, of) in &found.medians {
            let cells = vec![
                Cell::text(metric.key),
                Cell::text(metric.unit.suffix().trim_start_matches('_')),
                Cell::text(&runs[*place].name),
                Cell::estimate(of).in_unit(metric.unit),
            ];
            let all = rows.iter().map(|row| row.0);
            sheet
                .rows
                .push(kind.cells(all).into_iter().chain(cells).collect());
        }
    }
    sheet
}

fn requests(kinds: &BTreeSet<&Kind>, each: &[BTreeMap<Kind, Group>], runs: &[Run<'_>]) -> Sheet {
    let more = vec![
        Column::words("run", "run"),
        Column::new("requests", "requests", Unit::Count),
        Column::new("failed", "failed", Unit::Share),
    ];
    let mut sheet = Sheet::new(
        "requests",
        "Requests and failures",
        columns().into_iter().chain(more).collect(),
    );
    for kind in kinds {
        for (groups, run) in each.iter().zip(runs) {
            let Some(group) = groups.get(*kind) else {
                continue;
            };
            let failed = crate::analysis::tables::Share::of(group.failed, group.asked);
            let cells = vec![
                Cell::text(&run.name),
                Cell::count(group.asked),
                Cell::share(failed),
            ];
            let all = kinds.iter().copied();
            sheet
                .rows
                .push(kind.cells(all).into_iter().chain(cells).collect());
        }
    }
    sheet
}

fn chart(
    rows: &[(&Kind, &Metric, Found)],
    runs: &[Run<'_>],
    named: impl Fn(&Kind) -> String,
) -> Option<Chart> {
    let mut bars = Vec::new();
    let several = |found: &Found| found.medians.len() > 1;
    let first = rows.iter().filter(|row| row.1.key == "first_token");
    for (kind, _, found) in first.filter(|row| several(&row.2)) {
        let bar = |name: String, of: &Estimate| Bar {
            name,
            value: of.value,
            interval: of
                .interval
                .is_finite()
                .then_some((of.interval.low, of.interval.high)),
        };
        if let Some(mean) = &found.mean {
            bars.push(bar(named(kind), mean));
        }
        for (place, of) in &found.medians {
            bars.push(bar(format!("run {}", runs[*place].name), of));
        }
    }
    bars.truncate(BARS_MAX);
    (!bars.is_empty()).then(|| Chart {
        title: "Time to first token: mean over runs, and each run's median".to_owned(),
        unit: Unit::Span,
        plot: Plot::Forest { bars, zero: 0.0 },
        note: "95 % intervals: of a mean over runs by Student with the runs as what is \
               independent, of a run's median by its requests."
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::bench::tests::{kind, run};
    use crate::analysis::reports::tests::head;

    /// Three runs whose medians are 40, 50 and 60 ms: mean 50, deviation 10, reach
    /// 4.3027 · 10 / √3.
    #[test]
    fn runs_are_what_is_independent() {
        let firsts = [40.0, 50.0, 60.0];
        let records: Vec<Vec<_>> = firsts
            .iter()
            .map(|first| {
                let spread = [-2.0, -1.0, 0.0, 0.0, 0.0, 1.0, 2.0];
                spread
                    .iter()
                    .flat_map(|by| run(&[(0, true)], first + by))
                    .collect()
            })
            .collect();
        let runs: Vec<Run<'_>> = records
            .iter()
            .zip(1..)
            .map(|(records, number)| Run {
                name: format!("r{number}"),
                kinds: vec![kind(false)],
                items: records
                    .iter()
                    .map(|(kind, record)| Item {
                        kind: *kind,
                        record,
                        quality: None,
                    })
                    .collect(),
            })
            .collect();
        let paper = analysis(&runs, head());
        let row = &paper.sheets[0].rows[0];
        let at = |key: &str| {
            let columns = &paper.sheets[0].columns;
            &row[columns.iter().position(|column| column.key == key).unwrap()]
        };
        let near = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e3, "{found} {expected}");
        };
        assert_eq!(at("runs"), &Cell::count(3));
        assert_eq!(at("n"), &Cell::count(21));
        let Cell::In(Unit::Span, mean) = at("mean_of_medians") else {
            panic!("{row:?}")
        };
        let Cell::Estimate { value, low, high } = **mean else {
            panic!("{row:?}")
        };
        near(value, 50e6);
        let reach = 4.302_652_73 * 10e6 / 3_f64.sqrt();
        near(low.unwrap(), 50e6 - reach);
        near(high.unwrap(), 50e6 + reach);
        near(at("sd_between").number().unwrap(), 10e6);
        // Within: 10 of 6 degrees in each run.
        near(
            at("sd_within").number().unwrap(),
            (10.0_f64 / 6.0).sqrt() * 1e6,
        );
        // MSB = 7 · 100, MSW = 10 / 6, n₀ = 7.
        let (between, within) = (700.0, 10.0 / 6.0);
        let share = (between - within) / (between + 6.0 * within);
        assert!((at("intraclass").number().unwrap() - share).abs() < 1e-6);
        assert!(
            paper.findings[0].contains("over 3 runs"),
            "{:?}",
            paper.findings
        );
        let one = analysis(&runs[..1], head());
        assert!(one.findings[0].starts_with("One run"), "{:?}", one.findings);
    }
}
