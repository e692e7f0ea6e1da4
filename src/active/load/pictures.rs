//! Draws loads of several routes beside each other: how requests ended, and what answers cost; and
//! of each how its latency went on.

use serde_json::Value;

use super::bears::Bears;
use crate::analysis::paper::{Bar, Chart, Heat, HeatCell, Line, Plot, Unit};
use crate::statistics::interval::{ALPHA, wilson};

/// Lines of a chart at most.
const ROWS_MAX: usize = 40;

/// The ways in which requests end, each with its name and how many of a step did.
fn ways(step: &Value) -> [(&'static str, u64); 4] {
    let of = |key: &str| step[key].as_u64().unwrap_or(0);
    let (n, failed) = (of("n"), of("failed"));
    let (limited, late) = (of("rate_limited"), of("timed_out"));
    [
        ("answered", n.saturating_sub(failed)),
        ("rate limits", limited),
        ("time-outs", late),
        ("other failures", failed.saturating_sub(limited + late)),
    ]
}

/// The share of requests that ended in each way, at the load that counts.
pub(super) fn outcomes(all: &[Bears<'_>]) -> Option<Chart> {
    let (mut rows, mut values, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    for (of, step) in all
        .iter()
        .filter_map(|of| Some((of, of.step()?)))
        .take(ROWS_MAX)
    {
        let n = step["n"].as_u64().unwrap_or(0);
        let share = |count: u64| -> Option<HeatCell> {
            let found = wilson(count.min(n), n, ALPHA)?;
            Some((found.value, Some((found.interval.low, found.interval.high))))
        };
        let ways = ways(step);
        columns = ways.map(|(name, _)| name.to_owned()).to_vec();
        rows.push(named(of));
        values.push(ways.map(|(_, count)| share(count)).to_vec());
    }
    (!rows.is_empty()).then(|| Chart {
        title: "How requests ended".to_owned(),
        unit: Unit::Share,
        plot: Plot::Heat(Heat {
            rows,
            columns,
            values,
        }),
        note: "Of those that were due while the load was full. Darker is more. Intervals as of \
               requests that fail each by itself."
            .to_owned(),
    })
}

/// What an answer cost, where its price is known.
pub(super) fn cost(all: &[Bears<'_>]) -> Option<Chart> {
    let bar = |of: &Bears<'_>| {
        Some(Bar {
            name: named(of),
            value: of.cost()?,
            interval: None,
        })
    };
    let bars: Vec<Bar> = all.iter().filter_map(bar).take(ROWS_MAX).collect();
    (!bars.is_empty()).then(|| Chart {
        title: "Cost of an answer".to_owned(),
        unit: Unit::Dollars,
        plot: Plot::Forest { bars, zero: 0.0 },
        note: "By the price table, of good answers, what failures cost shared out among them. A \
               route without a price has none."
            .to_owned(),
    })
}

/// How latency went on through the step that counts.
pub(super) fn over_time(of: &Bears<'_>) -> Option<Chart> {
    let slices = of.step()?["over_time"].as_array()?;
    let middle = |slice: &Value| {
        Some(f64::midpoint(
            slice["from_s"].as_f64()?,
            slice["to_s"].as_f64()?,
        ))
    };
    let end = slices.last()?["to_s"].as_f64()?;
    let line = |name: &str, key: &str| {
        let point = |slice: &Value| Some((middle(slice)?, slice[key].as_f64().map(|ms| ms * 1e6)));
        Line {
            name: name.to_owned(),
            points: slices.iter().filter_map(point).collect(),
            band: Vec::new(),
        }
    };
    let lines = [line("p50", "latency_p50_ms"), line("p95", "latency_p95_ms")];
    let is_told = |line: &Line| line.points.iter().any(|point| point.1.is_some());
    let lines: Vec<Line> = lines.into_iter().filter(is_told).collect();
    (!lines.is_empty()).then(|| Chart {
        title: format!("Latency over time: {}", named(of)),
        unit: Unit::Span,
        plot: Plot::Lines {
            lines,
            labels: vec!["0 s".to_owned(), format!("{} s", end.round())],
            x: (0.0, end),
            marks: Vec::new(),
        },
        note: "Seconds of what was measured, from the intended start. No point where a quantile \
               falls among failures or a slice has too few requests."
            .to_owned(),
    })
}

fn named(of: &Bears<'_>) -> String {
    match of.load() {
        Some(load) => format!("{}, {load}", of.name()),
        None => of.name(),
    }
}
