//! The report `bench`: what one run measured, warm and cold connections apart, and what its
//! answers were worth.

use std::collections::{BTreeMap, BTreeSet};

use super::cells::{Group, columns, groups};
use super::{Item, Kind, Quality};
use crate::analysis::paper::{Band, Cell, Chart, Column, Head, Line, Paper, Plot, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::reports::call::Call;
use crate::analysis::reports::figures::{
    METHOD, Numbers, first_answer, first_token, head, mean, nothing, numbers, rate, spent,
};
use crate::analysis::tables::Share;

const TITLE: &str = "Benchmark";
/// Bars of a chart at most.
const BARS_MAX: usize = 30;
/// Lines of a chart at most.
const LINES_MAX: usize = 6;

type Groups = BTreeMap<Kind, Group>;

/// What a run that asked `kinds` measured.
#[must_use]
pub fn paper(kinds: &[Kind], items: &[Item<'_>], of: Head) -> Paper {
    let of = head(of, METHOD);
    let groups = groups(kinds, items);
    if groups.is_empty() {
        return nothing("bench", TITLE, of, "Nothing was measured in this run.");
    }
    Paper {
        name: "bench",
        version: 1,
        title: TITLE.to_owned(),
        findings: findings(&groups),
        head: of,
        sheets: vec![speed(&groups), tails(&groups), answers(&groups)],
        charts: charts(&groups),
        notes: vec![
            "Cold: a connection was opened for the request, so that resolving, connecting and TLS \
             are in its times (TLS may resume an earlier session). Warm: it came over one that \
             was there. What was to be warm and was not stands with the cold ones."
                .to_owned(),
            "Failed are all that did not end well: also rate limits, refused keys, and those that \
             no provider saw. They count as infinitely long in times where the route failed, and \
             are in no rate."
                .to_owned(),
            "Answers are looked at and forgotten: as many tokens as --min-tokens asks (words where \
             nobody counted tokens), a word of the topic in them, sentences or valid JSON."
                .to_owned(),
        ],
    }
}

fn findings(groups: &Groups) -> Vec<String> {
    let sum = |of: fn(&Group) -> u64| groups.values().map(of).sum::<u64>();
    let (asked, failed, unsent) = (
        sum(|group| group.asked),
        sum(|group| group.failed),
        sum(|group| group.unsent),
    );
    let mut first = format!(
        "{} measured, {} failed",
        number(asked as f64, Unit::Count),
        number(failed as f64, Unit::Count)
    );
    if unsent > 0 {
        first = format!("{first}, of which {unsent} were sent to no provider");
    }
    first.push('.');
    let mut findings = vec![first];
    let checks: [(&str, fn(&Quality) -> bool); 3] = [
        ("too short", |of| !of.long_enough),
        ("not on the topic", |of| of.on_topic == Some(false)),
        ("not well formed", |of| !of.well_formed),
    ];
    for (key, group) in groups {
        let wrong: Vec<String> = checks
            .iter()
            .filter_map(|(what, is)| {
                let count = group.quality.iter().filter(|of| is(of)).count();
                (count > 0).then(|| format!("{count} {what}"))
            })
            .collect();
        if !wrong.is_empty() {
            findings.push(format!(
                "{}: of {} answers {}.",
                key.named(groups.keys()),
                group.quality.len(),
                wrong.join(", ")
            ));
        }
    }
    findings
}

fn sheet(
    key: &'static str,
    title: &str,
    more: Vec<Column>,
    groups: &Groups,
    cells: impl Fn(&Group) -> Vec<Cell>,
) -> Sheet {
    let mut sheet = Sheet::new(key, title, columns().into_iter().chain(more).collect());
    sheet.rows = groups
        .iter()
        .map(|(key, group)| {
            key.cells(groups.keys())
                .into_iter()
                .chain(cells(group))
                .collect()
        })
        .collect();
    sheet
}

fn of(group: &Group, take: impl Fn(&Call) -> Option<f64>) -> Numbers {
    numbers(&group.all(), take)
}

fn speed(groups: &Groups) -> Sheet {
    let columns = vec![
        Column::new("requests", "requests", Unit::Count),
        Column::new("failed", "failed", Unit::Share),
        Column::new("unsent", "not sent", Unit::Count),
        Column::new("first_token_p50", "first token p50", Unit::Span),
        Column::new("first_answer_p50", "first answer p50", Unit::Span),
        Column::new("output_rate_p50", "tokens/s p50", Unit::Rate),
        Column::new("total_p50", "total p50", Unit::Span),
        Column::new("cost_mean", "cost, mean", Unit::Dollars),
    ];
    sheet("speed", "Speed, failures, cost", columns, groups, |group| {
        let cost = mean(group.calls.iter().filter_map(spent));
        vec![
            Cell::count(group.asked),
            Cell::share(Share::of(group.failed, group.asked)),
            Cell::count(group.unsent),
            of(group, first_token).at(0.5),
            of(group, first_answer).at(0.5),
            of(group, rate).at(0.5),
            of(group, |call| call.whole).at(0.5),
            Cell::maybe(cost.map(|cost| cost.0), "no price"),
        ]
    })
}

fn tails(groups: &Groups) -> Sheet {
    let columns = vec![
        Column::new("first_token_p95", "first token p95", Unit::Span),
        Column::new("first_token_p99", "first token p99", Unit::Span),
        Column::new("output_rate_p5", "tokens/s p5", Unit::Rate),
        Column::new("total_p95", "total p95", Unit::Span),
        Column::new("total_p99", "total p99", Unit::Span),
        Column::new("connect_p50", "connecting p50", Unit::Span),
    ];
    sheet("tails", "The slow ones", columns, groups, |group| {
        let whole = of(group, |call| call.whole);
        vec![
            of(group, first_token).at(0.95),
            of(group, first_token).at(0.99),
            of(group, rate).at(0.05),
            whole.at(0.95),
            whole.at(0.99),
            of(group, |call| call.connect.filter(|_| !call.traits.reused)).at(0.5),
        ]
    })
}

fn answers(groups: &Groups) -> Sheet {
    let columns = vec![
        Column::new("judged", "answers", Unit::Count),
        Column::new("long_enough", "long enough", Unit::Share),
        Column::new("on_topic", "on the topic", Unit::Share),
        Column::new("well_formed", "well formed", Unit::Share),
        Column::new("output_tokens_p50", "tokens p50", Unit::Number),
    ];
    sheet(
        "quality",
        "What the answers were worth",
        columns,
        groups,
        |group| {
            let share = |all: Vec<bool>| {
                let part = all.iter().filter(|is| **is).count();
                Cell::share(Share::of(part as u64, all.len() as u64))
            };
            let each = group.quality.iter();
            vec![
                Cell::count(group.quality.len() as u64),
                share(each.clone().map(|of| of.long_enough).collect()),
                share(each.clone().filter_map(|of| of.on_topic).collect()),
                share(each.map(|of| of.well_formed).collect()),
                of(group, |call| call.output.map(|tokens| tokens as f64)).at(0.5),
            ]
        },
    )
}

fn charts(groups: &Groups) -> Vec<Chart> {
    let drawn = |title: &str, unit, take: fn(&Call) -> Option<f64>, note: &str| {
        let (mut bars, mut without) = (Vec::new(), Vec::new());
        for (key, group) in groups {
            let name = key.named(groups.keys());
            match of(group, take).bar(name.clone()) {
                Some(bar) if bars.len() < BARS_MAX => bars.push(bar),
                _ => without.push(name),
            }
        }
        let without = match without.as_slice() {
            [] => String::new(),
            names => format!(" Not drawn, see the table: {}.", names.join("; ")),
        };
        (!bars.is_empty()).then(|| Chart {
            title: title.to_owned(),
            unit,
            plot: Plot::Forest { bars, zero: 0.0 },
            note: format!("{note}{without}"),
        })
    };
    let whiskers = "Medians with their exact 95 % intervals; ∞ where most requests failed. Whether two differ is not seen by \
                    whether these overlap: compare the difference.";
    [
        drawn(
            "Time to first token, median",
            Unit::Span,
            first_token,
            whiskers,
        ),
        drawn("Output rate, median", Unit::Rate, rate, whiskers),
        sweep(groups),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The rate by the limit of the answer, where several were asked for.
fn sweep(groups: &Groups) -> Option<Chart> {
    let limits: BTreeSet<u64> = groups.keys().map(|kind| kind.max_tokens).collect();
    if limits.len() < 2 {
        return None;
    }
    // Lines of one route are alike but for the limit.
    let same = |kind: &Kind| Kind {
        max_tokens: 0,
        ..kind.clone()
    };
    let routes: BTreeSet<Kind> = groups.keys().map(same).collect();
    let line = |route: &Kind| {
        let (mut points, mut band) = (Vec::new(), Vec::new());
        for (limit, x) in limits.iter().zip(0_u32..) {
            let kind = Kind {
                max_tokens: *limit,
                ..route.clone()
            };
            let found = groups.get(&kind).and_then(|group| of(group, rate).middle());
            points.push((f64::from(x), found.map(|found| found.0)));
            if let Some((low, high)) = found.and_then(|found| found.1) {
                let x = f64::from(x);
                band.push(Band { x, low, high });
            }
        }
        Line {
            name: route.named(routes.iter()),
            points,
            band,
        }
    };
    let lines: Vec<Line> = routes.iter().take(LINES_MAX).map(line).collect();
    let known = lines.iter().flat_map(|line| &line.points);
    (known.filter(|point| point.1.is_some()).count() > 1).then(|| Chart {
        title: "Output rate by the limit of the answer, median".to_owned(),
        unit: Unit::Rate,
        plot: Plot::Lines {
            labels: limits
                .iter()
                .map(|limit| format!("{limit} tokens"))
                .collect(),
            x: (0.0, limits.len() as f64 - 1.0),
            lines,
            marks: Vec::new(),
        },
        note: "With bands of 95 %. A level line holds its rate as answers grow; a rate needs 16 \
               tokens after the first event and 100 ms."
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::bench::tests::{kind, run};
    use crate::analysis::reports::tests::head;

    #[test]
    fn warm_and_cold_are_told_apart_by_the_connection_that_answered() {
        let kinds = [kind(false), kind(true)];
        // The fifth warm one found its connection closed.
        let records = run(&[(0, true); 4], 20.0)
            .into_iter()
            .chain(run(&[(0, false)], 90.0))
            .chain(run(&[(1, false); 8], 60.0));
        let records: Vec<_> = records.collect();
        let items: Vec<Item<'_>> = records
            .iter()
            .map(|(kind, record)| Item {
                kind: *kind,
                record,
                quality: Some(Quality {
                    long_enough: *kind == 0,
                    on_topic: None,
                    well_formed: true,
                }),
            })
            .collect();
        let paper = paper(&kinds, &items, head());
        let speed = &paper.sheets[0];
        let counts: Vec<(Cell, Cell)> = speed
            .rows
            .iter()
            .map(|row| (row[4].clone(), row[6].clone()))
            .collect();
        assert_eq!(
            counts,
            [
                (Cell::text("warm"), Cell::count(4)),
                (Cell::text("cold"), Cell::count(9)),
            ]
        );
        assert_eq!(speed.rows[0][9], Cell::absent("needs 6, has 4"));
        assert_eq!(speed.rows[1][9].number(), Some(60e6));
        assert_eq!(
            paper.findings,
            [
                "13 measured, 0 failed.",
                "m at p, cold: of 9 answers 8 too short."
            ]
        );
    }

    #[test]
    fn a_route_that_mostly_failed_is_in_the_picture() {
        let kinds = [
            kind(false),
            Kind {
                provider: "q".to_owned(),
                ..kind(false)
            },
        ];
        let mut records = run(&[(0, true); 10], 20.0);
        records.extend(run(&[(1, true); 10], 20.0));
        for (_, record) in &mut records[12..] {
            record.outcome = crate::record::Outcome::UpstreamError;
            record.attempts[0].error_class = Some(crate::record::ErrorClass::Overloaded);
            record.attempts[0].timeline = crate::record::Timeline::default();
        }
        let items = records.iter().map(|(kind, record)| Item {
            kind: *kind,
            record,
            quality: None,
        });
        let items: Vec<Item<'_>> = items.collect();
        let paper = paper(&kinds, &items, head());
        let Plot::Forest { bars, .. } = &paper.charts[0].plot else {
            panic!("bars");
        };
        let names: Vec<&str> = bars.iter().map(|bar| bar.name.as_str()).collect();
        assert_eq!(names, ["m at p", "m at q (8 of 10 failed)"]);
        assert!(bars[0].value.is_finite() && bars[1].value.is_infinite());
    }

    #[test]
    fn what_nobody_saw_is_counted() {
        let kinds = [kind(false)];
        let mut records = run(&[(0, true); 3], 20.0);
        records[1].1.attempts.clear();
        records[1].1.outcome = crate::record::Outcome::Rejected;
        let items: Vec<Item<'_>> = records
            .iter()
            .map(|(kind, record)| Item {
                kind: *kind,
                record,
                quality: None,
            })
            .collect();
        let paper = paper(&kinds, &items, head());
        let row = &paper.sheets[0].rows[0];
        assert_eq!(
            row[6..9],
            [Cell::count(3), Cell::share(Share::of(1, 3)), Cell::count(1)]
        );
        assert_eq!(
            paper.findings,
            ["3 measured, 1 failed, of which 1 were sent to no provider."]
        );
    }
}
