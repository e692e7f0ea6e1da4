//! The report `models`: each model at each provider, so that one may be chosen.

use std::collections::BTreeMap;

use super::call::Call;
use super::ecdf::first_tokens;
use super::figures::{
    Good, METHOD, NO_CALLS, Numbers, OBSERVATIONAL, Route, by_route, failures, head, leader, mean,
    model_cell, named, nothing, numbers, price, rate, to_first_answer, to_first_token, to_total,
};
use super::sums::Routes;
use crate::analysis::paper::{Cell, Chart, Column, Head, Paper, Plot, Point, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::tables::Share;

/// A model at a provider.
struct Way {
    route: Route,
    /// Tries, and those that answered.
    tries: u64,
    answers: u64,
    failed: Share,
    first_token: Numbers,
    first_answer: Numbers,
    rate: Numbers,
    total: Numbers,
    /// Mean cost of those whose cost is known, and how many they are.
    cost: Option<(f64, u64)>,
    spent: Numbers,
    /// US dollars for 1,000,000 tokens of answers; or why that is not one number.
    output_price: Result<f64, &'static str>,
}

const TITLE: &str = "Models";

pub(super) fn paper(calls: &[Call], of: Head) -> Paper {
    let ways: Vec<Way> = by_route(calls)
        .into_iter()
        .map(|(route, calls)| Way {
            tries: calls.len() as u64,
            answers: calls.iter().filter(|call| !call.lost).count() as u64,
            failed: failures(&calls),
            first_token: to_first_token(&calls).lacking(&calls, |call| call.no_first_token),
            first_answer: to_first_answer(&calls).lacking(&calls, |call| call.no_first_token),
            rate: numbers(&calls, rate).lacking(&calls, |call| call.no_rate),
            total: to_total(&calls).lacking(&calls, |call| call.no_rate),
            cost: mean(calls.iter().filter_map(|call| price(call))),
            spent: numbers(&calls, price),
            output_price: output_price(&calls),
            route,
        })
        .collect();
    written(&ways, head(of, METHOD))
}

/// The same from roll-ups.
pub(super) fn rolled(routes: &Routes, of: Head) -> Paper {
    let ways: Vec<Way> = routes
        .iter()
        .map(|(route, sums)| Way {
            route: route.clone(),
            tries: sums.tries(),
            answers: sums.exchanges(),
            failed: sums.failed(),
            first_token: sums.first_token(),
            first_answer: sums.first_answer(),
            rate: sums.rate(),
            total: Numbers::unkept(),
            cost: sums.cost(),
            spent: Numbers::unkept(),
            output_price: Err("roll-ups do not say what it is called there"),
        })
        .collect();
    written(&ways, head(of, METHOD))
}

fn written(ways: &[Way], of: Head) -> Paper {
    if ways.is_empty() {
        return nothing("models", TITLE, of, NO_CALLS);
    }
    Paper {
        name: "models",
        version: 1,
        title: TITLE.to_owned(),
        findings: findings(ways),
        head: of,
        sheets: vec![speed(ways), tails(ways), money(ways)],
        charts: [chart(ways), distribution(ways)]
            .into_iter()
            .flatten()
            .collect(),
        notes: vec![
            OBSERVATIONAL.to_owned(),
            "A model is one whatever its hosts call it: by the catalogue, else by the routes of \
             `[models]`, else by its name without the maker's. Tokens of two models are not the same tokens: rates across \
             families compare what is billed, not what is read."
                .to_owned(),
            "Requests are tries: those after which another route was asked are among them.".to_owned(),
            "Total is to the 500th token: first answer and 499 times the time per token, of each \
             request. A stream that had no answer yet when its client left counts as at least as \
             long as it was waited for; of one that was left in the middle nothing is told here."
                .to_owned(),
        ],
    }
}

fn findings(ways: &[Way]) -> Vec<String> {
    let of = |numbers: fn(&Way) -> &Numbers| -> Vec<(String, &Numbers)> {
        let each = ways.iter();
        each.map(|way| (named(&way.route), numbers(way))).collect()
    };
    let mut findings: Vec<String> = [
        leader(
            "First token",
            &of(|way| &way.first_token),
            Good::Low,
            Unit::Span,
        ),
        leader("Output rate", &of(|way| &way.rate), Good::High, Unit::Rate),
        leader("500 tokens", &of(|way| &way.total), Good::Low, Unit::Span),
    ]
    .into_iter()
    .flatten()
    .collect();
    let cheapest = ways
        .iter()
        .filter_map(|way| Some((way.cost?.0, way)))
        .min_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((cost, way)) = cheapest {
        findings.push(format!(
            "Cheapest as used: {} at {} per 1,000 requests (mean of {}; not an equal workload).",
            named(&way.route),
            number(cost * 1e3, Unit::Dollars),
            number(way.cost.map_or(0.0, |cost| cost.1 as f64), Unit::Count)
        ));
    }
    if findings.is_empty() {
        let models: BTreeMap<&str, u64> = ways
            .iter()
            .map(|way| (way.route.0.as_str(), way.tries))
            .collect();
        let named = format!(
            "{} model{} in this window",
            models.len(),
            if models.len() == 1 { "" } else { "s" }
        );
        let told = ways
            .iter()
            .any(|way| way.first_token.at(0.5).number().is_some());
        findings.push(if told && models.len() == ways.len() {
            format!("{named}, each by one route: there is nothing to rank it against.")
        } else {
            format!("{named}, too few answers to rank: a median needs 6.")
        });
    }
    findings
}

fn names() -> Vec<Column> {
    vec![
        Column::words("model", "model"),
        Column::words("provider", "provider"),
    ]
}

fn name_cells(way: &Way) -> Vec<Cell> {
    vec![model_cell(&way.route.0), Cell::text(&way.route.1)]
}

fn sheet(
    key: &'static str,
    title: &str,
    columns: Vec<Column>,
    ways: &[Way],
    cells: impl Fn(&Way) -> Vec<Cell>,
) -> Sheet {
    let columns = names().into_iter().chain(columns).collect();
    let mut sheet = Sheet::new(key, title, columns);
    let rows = ways.iter();
    sheet.rows = rows
        .map(|way| name_cells(way).into_iter().chain(cells(way)).collect())
        .collect();
    sheet
}

fn speed(ways: &[Way]) -> Sheet {
    let columns = vec![
        Column::new("requests", "requests", Unit::Count),
        Column::new("failed", "failed", Unit::Share),
        Column::new("first_token_p50", "first token p50", Unit::Span),
        Column::new("first_answer_p50", "first answer p50", Unit::Span),
        Column::new("output_rate_p50", "tokens/s p50", Unit::Rate),
        Column::new("total_500_p50", "500 tokens p50", Unit::Span),
    ];
    sheet("speed", "Speed and failures", columns, ways, |way| {
        vec![
            Cell::count(way.tries),
            Cell::share(way.failed),
            way.first_token.at(0.5),
            way.first_answer.at(0.5),
            way.rate.at(0.5),
            way.total.at(0.5),
        ]
    })
}

fn tails(ways: &[Way]) -> Sheet {
    let columns = vec![
        Column::new("first_token_p95", "first token p95", Unit::Span),
        Column::new("first_token_p99", "first token p99", Unit::Span),
        Column::new("output_rate_p5", "tokens/s p5", Unit::Rate),
        Column::new("total_500_p95", "500 tokens p95", Unit::Span),
    ];
    sheet("tails", "The slow ones", columns, ways, |way| {
        vec![
            way.first_token.at(0.95),
            way.first_token.at(0.99),
            way.rate.at(0.05),
            way.total.at(0.95),
        ]
    })
}

fn money(ways: &[Way]) -> Sheet {
    let columns = vec![
        Column::new("priced", "with a price", Unit::Share),
        Column::new("cost", "each (mean)", Unit::Dollars),
        Column::new("cost_per_1000", "per 1,000", Unit::Dollars),
        Column::new("cost_p50", "each p50", Unit::Dollars),
        Column::new("rate_per_usd", "tokens/s per $ a request", Unit::Number),
        Column::new("output_price", "1M output tokens", Unit::Dollars),
        Column::new(
            "rate_per_output_usd",
            "tokens/s per $ of that",
            Unit::Number,
        ),
    ];
    sheet("money", "Cost", columns, ways, |way| {
        let each = way.cost.map(|cost| cost.0);
        let priced = way.cost.map_or(0, |cost| cost.1);
        let each_told = each.filter(|each| *each > 0.0).ok_or("no price");
        vec![
            Cell::share(Share::of(priced, way.answers)),
            Cell::maybe(each, "no price"),
            Cell::maybe(each.map(|each| each * 1e3), "no price"),
            way.spent.at(0.5),
            by_price(way, each_told),
            way.output_price.map_or_else(Cell::absent, Cell::Value),
            by_price(way, way.output_price),
        ]
    })
}

/// The output rate by a price: by that of answers what a model's speed costs, whatever it was asked.
fn by_price(way: &Way, price: Result<f64, &'static str>) -> Cell {
    match (way.rate.median(), price) {
        (Some(rate), Ok(price)) => Cell::Value(rate / price),
        (None, Ok(_)) => way.rate.at(0.5),
        (_, Err(why)) => Cell::absent(why),
    }
}

/// The price of answers that all calls of a route have.
fn output_price(calls: &[&Call]) -> Result<f64, &'static str> {
    let mut prices: Vec<Option<f64>> = calls.iter().map(|call| call.output_price).collect();
    prices.dedup();
    match prices[..] {
        [Some(price)] => Ok(price),
        [None] | [] => Err("no price"),
        _ => Err("several prices"),
    }
}

fn distribution(ways: &[Way]) -> Option<Chart> {
    let each = ways.iter().map(|way| (named(&way.route), &way.first_token));
    first_tokens("Time to first token, whole distribution", each.collect())
}

/// Cost against output rate; a way is on the front where no other is as cheap and as fast.
fn chart(ways: &[Way]) -> Option<Chart> {
    let known: Vec<(String, f64, f64)> = ways
        .iter()
        .filter_map(|way| Some((named(&way.route), way.cost?.0 * 1e3, way.rate.median()?)))
        .collect();
    let ends = |name: &String| {
        let way = ways.iter().find(|way| named(&way.route) == *name)?;
        way.rate.middle()?.1
    };
    let best = |cost: f64, rate: f64| {
        !known.iter().any(|(_, other_cost, other_rate)| {
            *other_cost <= cost && *other_rate >= rate && (*other_cost < cost || *other_rate > rate)
        })
    };
    let points: Vec<_> = known
        .iter()
        .map(|(name, cost, rate)| Point {
            name: name.clone(),
            x: *cost,
            // A mean of costs, which have no law that an interval could come of.
            x_ends: None,
            y: *rate,
            y_ends: ends(name),
            best: best(*cost, *rate),
        })
        .collect();
    (!points.is_empty()).then(|| Chart {
        title: "Output rate against cost, with the Pareto front".to_owned(),
        unit: Unit::Rate,
        plot: Plot::Scatter {
            points,
            x_unit: Unit::Dollars,
            x_name: "cost of 1,000 requests".to_owned(),
            y_name: "tokens/s, p50".to_owned(),
        },
        note: "Left and up is better. The line joins those that no other beats in both, as \
               they were seen. Upright bars are 95 % intervals of the rate; a cost is a mean."
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::tests::{failing, head, made_up, routed};

    #[test]
    fn a_model_is_one_whoever_serves_it_and_the_dearer_slower_way_is_off_the_front() {
        let mut calls = Vec::new();
        for n in 0..400 {
            let jitter = (n % 40) as f64;
            calls.push(Call {
                output_price: Some(8.0),
                ..made_up(n, 300.0 + jitter)
            });
            let other = Call {
                rate: Some(40.0),
                cost: Some(0.0011),
                output_price: Some(if n == 7 { 9.0 } else { 8.0 }),
                ..made_up(n, 400.0 + jitter)
            };
            calls.push(routed(other, None));
        }
        calls.push(Call {
            output_price: Some(8.0),
            ..failing(400)
        });
        let paper = paper(&calls, head());
        let speed = &paper.sheets[0];
        assert_eq!(speed.rows.len(), 2);
        assert_eq!(speed.rows[0][0], speed.rows[1][0], "one model");
        assert_eq!(speed.rows[0][2], Cell::count(401));
        assert!(
            paper.findings[0].starts_with("First token: gpt-4.1 at openai leads"),
            "{:?}",
            paper.findings
        );
        assert!(
            paper.findings[0].contains("next gpt-4.1 at openrouter, +99.5 ms ["),
            "{:?}",
            paper.findings
        );
        let Plot::Scatter { points, .. } = &paper.charts[0].plot else {
            panic!("a scatter");
        };
        let front: Vec<bool> = points.iter().map(|point| point.best).collect();
        assert_eq!(front, [true, false]);
        let Cell::Value(cost) = paper.sheets[2].rows[0][4] else {
            panic!("a cost");
        };
        assert!((cost - 1.0).abs() < 1e-9, "{cost}");
        let [direct, router] = [0, 1].map(|row| &paper.sheets[2].rows[row]);
        let rate = paper.sheets[0].rows[0][6].number().unwrap();
        assert_eq!(direct[7], Cell::Value(8.0));
        assert_eq!(direct[8], Cell::Value(rate / 8.0));
        assert_eq!(router[8], Cell::absent("several prices"));
    }
}
