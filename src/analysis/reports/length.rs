//! The report `length`: whether the output rate holds as answers grow.

use std::collections::BTreeMap;

use super::cache::line;
use super::call::Call;
use super::figures::{
    METHOD, NO_CALLS, Numbers, OBSERVATIONAL, SEED, by_route, ends, head, model_cell, named,
    nothing, numbers, rate, verdict,
};
use crate::analysis::paper::{Cell, Chart, Column, Head, Paper, Plot, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::statistics::compare::{Resampling, bootstrap_difference, decide};
use crate::statistics::interval::ALPHA;

const TITLE: &str = "Output length";

/// Lengths of answers in tokens, by the least of each.
const BUCKETS: [(u64, &str); 7] = [
    (1, "1 to 63"),
    (64, "64 to 127"),
    (128, "128 to 255"),
    (256, "256 to 511"),
    (512, "512 to 1,023"),
    (1_024, "1,024 to 2,047"),
    (2_048, "2,048 and more"),
];

/// Lines of a chart at most.
const LINES_MAX: usize = 6;

type Buckets<'a> = BTreeMap<usize, Vec<&'a Call>>;

pub(super) fn paper(calls: &[Call], of: Head) -> Paper {
    let of = head(of, METHOD);
    if calls.is_empty() {
        return nothing("length", TITLE, of, NO_CALLS);
    }
    let routes: Vec<((String, String), Buckets<'_>)> = by_route(calls)
        .into_iter()
        .map(|(route, calls)| (route, buckets(&calls)))
        .collect();
    let mut sheet = Sheet::new(
        "lengths",
        "Answers by length",
        vec![
            Column::words("model", "model"),
            Column::words("provider", "provider"),
            Column::words("output_tokens", "output tokens"),
            Column::new("requests", "requests", Unit::Count),
            Column::new("output_rate_p50", "tokens/s p50", Unit::Rate),
            Column::new("output_rate_p5", "tokens/s p5", Unit::Rate),
            Column::new("total_p50", "total p50", Unit::Span),
            Column::new("total_p95", "total p95", Unit::Span),
        ],
    );
    for ((model, provider), buckets) in &routes {
        for (bucket, calls) in buckets {
            let (rates, totals) = (numbers(calls, rate), numbers(calls, |call| call.whole));
            sheet.rows.push(vec![
                model_cell(model),
                Cell::text(provider),
                Cell::text(BUCKETS[*bucket].1),
                Cell::count(calls.len() as u64),
                rates.at(0.5),
                rates.at(0.05),
                totals.at(0.5),
                totals.at(0.95),
            ]);
        }
    }
    Paper {
        name: "length",
        version: 1,
        title: TITLE.to_owned(),
        findings: findings(&routes),
        head: of,
        sheets: vec![sheet],
        charts: chart(&routes).into_iter().collect(),
        notes: vec![
            OBSERVATIONAL.to_owned(),
            "How long an answer gets is known only afterwards: what makes answers long may make \
             them slow. Failures have no length and are in no row. A rate needs 16 tokens after \
             the first event and 100 ms."
                .to_owned(),
        ],
    }
}

fn buckets<'a>(calls: &[&'a Call]) -> Buckets<'a> {
    let mut buckets: Buckets<'_> = BTreeMap::new();
    for call in calls {
        let known = call.output.filter(|_| call.failed == Some(false));
        if let Some(tokens) = known.filter(|tokens| *tokens > 0) {
            let bucket = BUCKETS.partition_point(|(least, _)| *least <= tokens) - 1;
            buckets.entry(bucket).or_default().push(call);
        }
    }
    buckets
}

fn findings(routes: &[((String, String), Buckets<'_>)]) -> Vec<String> {
    let how = Resampling {
        alpha: ALPHA / routes.len().max(1) as f64,
        ..Resampling::seeded(SEED)
    };
    let mut findings: Vec<String> = routes
        .iter()
        .filter_map(|(route, buckets)| {
            let known: Vec<(usize, Numbers)> = buckets
                .iter()
                .map(|(bucket, calls)| (*bucket, numbers(calls, rate)))
                .filter(|(_, numbers)| numbers.median().is_some())
                .collect();
            let [(short, first), .., (long, last)] = known.as_slice() else {
                return None;
            };
            let median = first.median()?;
            let how = Resampling {
                effects: [last.effect_of(), first.effect_of()],
                ..how
            };
            let found = bootstrap_difference(last.sample(), first.sample(), 0.5, &how)?;
            let count = first.count().min(last.count());
            let said = decide(&found, 0.03 * median, count as usize);
            Some(format!(
                "{}: {} tokens/s in answers of {} tokens, {} {} in those of {}: {}.",
                named(route),
                number(median, Unit::Rate),
                BUCKETS[*short].1,
                number(found.value, Unit::RateMore),
                ends(found.interval, Unit::RateMore),
                BUCKETS[*long].1,
                verdict(&said)
            ))
        })
        .collect();
    if findings.is_empty() {
        findings.push(
            "No route has answers of two lengths with rates enough to compare (6 each).".to_owned(),
        );
    }
    findings
}

fn chart(routes: &[((String, String), Buckets<'_>)]) -> Option<Chart> {
    let mut most: Vec<_> = routes.iter().collect();
    most.sort_by_key(|(_, buckets)| {
        std::cmp::Reverse(buckets.values().map(Vec::len).sum::<usize>())
    });
    let known = routes.iter().flat_map(|(_, buckets)| buckets.keys());
    let last = known.max().copied().unwrap_or(0).max(1);
    let lines: Vec<_> = most
        .into_iter()
        .take(LINES_MAX)
        .map(|(route, buckets)| {
            let at = |bucket: usize| {
                let calls = buckets.get(&bucket);
                calls.map_or_else(Numbers::default, |calls| numbers(calls, rate))
            };
            line(
                named(route),
                (0..=last).map(|bucket| (bucket as f64, at(bucket))),
            )
        })
        .filter(|line| line.points.iter().any(|(_, y)| y.is_some()))
        .collect();
    (!lines.is_empty()).then(|| Chart {
        title: "Output rate by length of the answer, p50 with 95 % bands".to_owned(),
        unit: Unit::Rate,
        plot: Plot::Lines {
            lines,
            labels: (0..=last)
                .map(|bucket| number(BUCKETS[bucket].0 as f64, Unit::Count))
                .collect(),
            x: (0.0, last as f64),
            marks: Vec::new(),
        },
        note: "Each place holds the answers from that many tokens up to the next. A level line \
               holds its rate as answers grow."
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::tests::{failing, head, made_up};

    #[test]
    fn a_rate_that_falls_with_length_is_found() {
        let mut calls: Vec<Call> = (0..600)
            .map(|n| {
                let long = n % 2 == 0;
                Call {
                    output: Some(if long { 3_000 } else { 63 }),
                    rate: Some(if long { 40.0 } else { 60.0 } + (n % 30) as f64 / 10.0),
                    ..made_up(n, 300.0)
                }
            })
            .collect();
        calls.push(failing(1));
        let paper = paper(&calls, head());
        let rows = &paper.sheets[0].rows;
        assert_eq!(rows.len(), 2, "failures have no length");
        assert_eq!(rows[0][2], Cell::text("1 to 63"));
        assert_eq!(rows[1][2], Cell::text("2,048 and more"));
        let finding = &paper.findings[0];
        assert!(
            finding.contains("in answers of 1 to 63 tokens, −20")
                && finding.ends_with("different."),
            "{finding}"
        );
        assert_eq!(paper.charts.len(), 1);
    }

    /// Two lengths whose rates differ by chance of the hour alone: what is alike says less.
    #[test]
    fn rates_that_are_alike_for_a_while_are_told_with_wider_ends() {
        let width = |alike: usize| {
            let calls: Vec<Call> = (0..1_200)
                .map(|n| Call {
                    output: Some(if n % 2 == 0 { 3_000 } else { 63 }),
                    rate: Some(50.0 + (n / 2 / alike * 37 % 23) as f64),
                    ..made_up(n, 300.0)
                })
                .collect();
            let said = paper(&calls, head()).findings[0].clone();
            let ends = said.split(['[', ']']).nth(1).unwrap().replace('−', "-");
            let ends: Vec<f64> = ends.split(", ").map(|end| end.parse().unwrap()).collect();
            ends[1] - ends[0]
        };
        assert!(width(30) > 2.0 * width(1), "{} {}", width(30), width(1));
    }
}
