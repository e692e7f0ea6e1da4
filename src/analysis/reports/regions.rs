//! The report `regions`: each model in each region, as a table that can be pivoted.

use std::collections::{BTreeMap, BTreeSet};

use super::call::{Call, plain_model};
use super::figures::{
    Good, METHOD, NO_CALLS, Numbers, OBSERVATIONAL, UNKNOWN, by, failures, head, leader, mean,
    model_cell, nothing, numbers, price, rate, region, to_first_token,
};
use crate::analysis::paper::{
    Cell, Chart, Column, Head, Heat, HeatCell, Paper, Plot, Sheet, Source, Unit,
};
use crate::record::Outcome;

/// A model of a provider in a region.
struct Place<'a> {
    model: String,
    provider: String,
    region: String,
    calls: Vec<&'a Call>,
    first_token: Numbers,
    rate: Numbers,
}

const TITLE: &str = "Regions";

pub(super) fn paper(calls: &[Call], of: Head) -> Paper {
    let of = head(of, METHOD);
    if calls.is_empty() {
        return nothing("regions", TITLE, of, NO_CALLS);
    }
    let groups = by(calls.iter(), |call| {
        (
            plain_model(call),
            call.provider.to_string(),
            region(call).to_owned(),
        )
    });
    let places: Vec<Place<'_>> = groups
        .into_iter()
        .map(|((model, provider, region), calls)| Place {
            first_token: to_first_token(&calls).lacking(&calls, |call| call.no_first_token),
            rate: numbers(&calls, rate).lacking(&calls, |call| call.no_rate),
            model,
            provider,
            region,
            calls,
        })
        .collect();
    let of_runs = is_of_runs(&of);
    let seconds = |place: &Place<'_>| {
        if of_runs {
            lasted(&place.calls)
        } else {
            looked_at(calls, &of)
        }
    };
    Paper {
        name: "regions",
        version: 1,
        title: TITLE.to_owned(),
        findings: findings(&places),
        sheets: vec![sheet(&places, seconds)],
        charts: [
            heat(
                &places,
                "Tokens/s p50 by model and region",
                Unit::Rate,
                |place| place.rate.middle(),
            ),
            heat(
                &places,
                "Time to first token p50 by model and region",
                Unit::Span,
                |place| place.first_token.middle(),
            ),
        ]
        .into_iter()
        .flatten()
        .collect(),
        head: of,
        notes: vec![
            OBSERVATIONAL.to_owned(),
            format!(
                "A region is the configured one of the provider, or the one its answers name. \
                 Requests per second are those answered well, {}: what was asked for, not what the \
                 region could do.",
                if of_runs {
                    "from a row's first request to the end of its last"
                } else {
                    "from the first request of this window to its end or to now"
                }
            ),
            "One row per model, provider and region: as csv it can be pivoted as it is.".to_owned(),
        ],
    }
}

/// Whether the calls are of runs by name: those are over, and what comes after them is no part of
/// them.
fn is_of_runs(of: &Head) -> bool {
    let is_run = |words: &String| words.starts_with("runs ") || words.starts_with("run ");
    of.selection.iter().any(is_run)
}

/// The seconds from the first request of `calls` to the end of the last: a run asks one route after
/// the other, and each has its own time.
fn lasted(calls: &[&Call]) -> f64 {
    let ended = |call: &&Call| {
        let whole = call.whole.filter(|whole| whole.is_finite());
        call.started.0 + whole.map_or(0, |nanos| (nanos / 1e3) as i64)
    };
    let from = calls.iter().map(|call| call.started.0).min();
    let until = calls.iter().map(ended).max();
    let micros = until.unwrap_or_default() - from.unwrap_or_default();
    (micros as f64 / 1e6).max(1.0)
}

/// The seconds that the calls are of: from the first of them on, for what was before nobody knows,
/// and no longer than until now; of a sample the part of them that was drawn.
fn looked_at(calls: &[Call], of: &Head) -> f64 {
    let first = calls.iter().map(|call| call.started).min();
    let from = first.map_or(of.window.from, |first| first.max(of.window.from));
    let until = of.window.until.min(of.made.max(from));
    let seconds = (until.0 - from.0) as f64 / 1e6;
    let drawn = match of.source {
        Source::Sample { share, .. } => share.fraction(),
        Source::Records | Source::Rollups => 1.0,
    };
    (seconds * drawn).max(1.0)
}

fn findings(places: &[Place<'_>]) -> Vec<String> {
    let known: Vec<&Place<'_>> = places
        .iter()
        .filter(|place| place.region != UNKNOWN)
        .collect();
    let mut findings = Vec::new();
    let mut ways: BTreeMap<(&str, &str), Vec<&Place<'_>>> = BTreeMap::new();
    for place in &known {
        let way = (place.model.as_str(), place.provider.as_str());
        ways.entry(way).or_default().push(place);
    }
    for ((model, provider), places) in ways {
        let of = |numbers: for<'a> fn(&'a Place<'_>) -> &'a Numbers| -> Vec<(String, &Numbers)> {
            let each = places.iter();
            each.map(|place| (place.region.clone(), numbers(place)))
                .collect()
        };
        findings.extend(leader(
            &format!("{model} at {provider}, first token"),
            &of(|place| &place.first_token),
            Good::Low,
            Unit::Span,
        ));
        findings.extend(leader(
            &format!("{model} at {provider}, output rate"),
            &of(|place| &place.rate),
            Good::High,
            Unit::Rate,
        ));
    }
    if known.is_empty() {
        findings.push(
            "No answer says its region: set `region` on the providers, one provider per region."
                .to_owned(),
        );
    } else if findings.is_empty() {
        findings.push("No model has two regions with answers enough to compare.".to_owned());
    }
    findings
}

fn sheet(places: &[Place<'_>], seconds: impl Fn(&Place<'_>) -> f64) -> Sheet {
    let mut sheet = Sheet::new(
        "regions",
        "Models by region",
        vec![
            Column::words("model", "model"),
            Column::words("region", "region"),
            Column::words("provider", "provider"),
            Column::new("requests", "requests", Unit::Count),
            Column::new("requests_per_s", "requests/s", Unit::Number),
            Column::new("success", "success", Unit::Share),
            Column::new("output_rate_p50", "tokens/s p50", Unit::Rate),
            Column::new("first_token_p50", "first token p50", Unit::Span),
            Column::new("first_token_p95", "p95", Unit::Span),
            Column::new("first_token_p99", "p99", Unit::Span),
            Column::new("cost", "cost each", Unit::Dollars),
        ],
    );
    for place in places {
        let failed = failures(&place.calls);
        let well = place
            .calls
            .iter()
            .filter(|call| !call.lost && call.outcome == Outcome::Ok)
            .count();
        let cost = mean(place.calls.iter().filter_map(|call| price(call)));
        sheet.rows.push(vec![
            model_cell(&place.model),
            Cell::text(&place.region),
            Cell::text(&place.provider),
            Cell::count(place.calls.len() as u64),
            Cell::Value(well as f64 / seconds(place)),
            Cell::share(failed.others()),
            place.rate.at(0.5),
            place.first_token.at(0.5),
            place.first_token.at(0.95),
            place.first_token.at(0.99),
            Cell::maybe(cost.map(|cost| cost.0), "no price"),
        ]);
    }
    sheet
}

fn heat(
    places: &[Place<'_>],
    title: &str,
    unit: Unit,
    of: impl Fn(&Place<'_>) -> Option<HeatCell>,
) -> Option<Chart> {
    let row_of = |place: &Place<'_>| format!("{} at {}", place.model, place.provider);
    let rows: BTreeSet<String> = places.iter().map(row_of).collect();
    let columns: BTreeSet<&str> = places.iter().map(|place| place.region.as_str()).collect();
    let value = |row: &String, column: &str| {
        let place = places
            .iter()
            .find(|place| row_of(place) == *row && place.region == column);
        place.and_then(&of)
    };
    let values: Vec<Vec<Option<HeatCell>>> = rows
        .iter()
        .map(|row| columns.iter().map(|column| value(row, column)).collect())
        .collect();
    let any = values.iter().flatten().any(Option::is_some);
    any.then(|| Chart {
        title: title.to_owned(),
        unit,
        plot: Plot::Heat(Heat {
            rows: rows.into_iter().collect(),
            columns: columns.into_iter().map(str::to_owned).collect(),
            values,
        }),
        note: "Stronger colour is more. A dash has too few answers. Pointing at one shows its interval."
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::render::Format;
    use crate::analysis::render::paper::write;
    use crate::analysis::reports::tests::{head, made_up};
    use crate::record::Name;

    #[test]
    fn the_table_is_one_row_a_place_and_the_near_region_leads() {
        let calls: Vec<Call> = (0..300)
            .map(|n| {
                let near = n % 2 == 0;
                Call {
                    region: Some(Name::from(if near {
                        "eu-west-1"
                    } else {
                        "ap-northeast-1"
                    })),
                    ..made_up(n, if near { 300.0 } else { 900.0 } + (n % 50) as f64)
                }
            })
            .collect();
        let paper = paper(&calls, head());
        assert_eq!(paper.sheets[0].rows.len(), 2);
        assert!(
            paper.findings[0].contains("first token: eu-west-1 leads")
                && paper.findings[0].ends_with("different."),
            "{:?}",
            paper.findings
        );
        let Plot::Heat(heat) = &paper.charts[0].plot else {
            panic!("a heat map");
        };
        assert_eq!(heat.columns, ["ap-northeast-1", "eu-west-1"]);
        let csv = write(&paper, Format::Csv);
        assert_eq!(csv.lines().count(), 3, "{csv}");
        assert!(
            csv.starts_with("table,model,region,provider,requests,"),
            "{csv}"
        );
    }

    #[test]
    fn requests_per_second_of_a_run_end_with_it() {
        // Two regions in turn, 100 s each, one a second; asked for a day later.
        let calls: Vec<Call> = (0..200)
            .map(|n| Call {
                region: Some(Name::from(if n < 100 { "eu-west-1" } else { "us-east-1" })),
                whole: Some(1e9),
                ..made_up(n, 300.0)
            })
            .collect();
        let of = |selection: &str| {
            let head = Head {
                selection: vec![selection.to_owned()],
                ..head()
            };
            let paper = paper(&calls, head);
            let rates = paper.sheets[0].rows.iter();
            let rates: Vec<f64> = rates.map(|row| row[4].number().unwrap()).collect();
            (rates, paper.notes[1].contains("to now"))
        };
        assert_eq!(of("runs lr"), (vec![1.0, 1.0], false));
        let (rates, to_now) = of("models gpt-4.1");
        assert!(to_now && rates.iter().all(|rate| *rate < 0.01), "{rates:?}");
    }

    #[test]
    fn requests_per_second_are_of_the_time_that_was_looked_at() {
        use crate::record::WallTime;
        // One a second for 1,000 seconds, from 10:00 on.
        let from = 36_000;
        let calls: Vec<Call> = (from..from + 1_000).map(|n| made_up(n, 300.0)).collect();
        let end = WallTime(37_000_000_000);
        let of = |source: Source, until: WallTime| {
            let mut head = Head {
                source,
                made: end,
                ..head()
            };
            head.window.until = until;
            let sheet = &paper(&calls, head).sheets[0];
            sheet.rows[0][4].number().unwrap()
        };
        let drawn = Source::Sample {
            share: crate::analysis::paper::Chance(250_000),
            slices: 9,
            seed: 1,
        };
        for (source, until, expected) in [
            (Source::Records, end, 1.0),
            // A window that goes on, and one of which a quarter was drawn.
            (Source::Records, WallTime(86_400_000_000), 1.0),
            (drawn, end, 4.0),
        ] {
            let found = of(source, until);
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }
}
