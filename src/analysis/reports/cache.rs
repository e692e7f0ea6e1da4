//! The report `cache`: what the provider's prompt cache does to the first token, and what a cache
//! of identical requests would have saved.

use std::collections::{BTreeMap, HashSet};

use super::call::Call;
use super::figures::{
    NO_CALLS, Numbers, by_route, head, model_cell, named, nothing, spent, to_first_token,
};
use super::tax::Metric;
use super::within::{METHOD, Within, findings, forest, sheet, within};
use crate::analysis::paper::{
    Band, Cell, Chart, Column, Head, Line, Paper, Plot, Sheet, Source, Unit,
};
use crate::analysis::render::paper::number;
use crate::analysis::tables::Share;
use crate::record::Outcome;
use crate::statistics::interval::{ALPHA, Nearby, Pool as _};

const TITLE: &str = "Caches";

/// What is said of identical requests where not every one was looked at: of a pair, one half may
/// lie in what was not taken, so no factor makes the whole of what was seen.
const UNTOLD: &str = "Identical requests can only be told of every record, and this is a sample: \
    narrow the window, or ask `tollgate report cache`, which reads more at a time.";

/// Turns of a conversation that are told apart, by the first of each.
const TURNS: [(u32, &str); 6] = [
    (1, "1"),
    (2, "2"),
    (3, "3"),
    (4, "4 and 5"),
    (6, "6 to 9"),
    (10, "10 and more"),
];

/// Shares of the prompt read from the provider's cache.
const CACHED: [&str; 3] = ["none", "up to half", "more than half"];

/// Lines of a chart at most.
const LINES_MAX: usize = 6;

pub(super) fn paper(calls: &[Call], of: Head) -> Paper {
    let of = head(of, METHOD);
    if calls.is_empty() {
        return nothing("cache", TITLE, of, NO_CALLS);
    }
    let effects = effects(calls);
    let is_sample = matches!(of.source, Source::Sample { .. });
    let identical = (!is_sample).then(|| identical(calls));
    let mut said = vec![
        identical
            .as_ref()
            .map_or_else(|| UNTOLD.to_owned(), Identical::said),
    ];
    said.extend(findings("Prompt cache (more than half read)", &effects));
    let charts = [
        turns_chart(calls),
        forest(
            "Time to first token: more than half read from the cache, less none",
            &effects,
        ),
    ];
    Paper {
        name: "cache",
        version: 1,
        title: TITLE.to_owned(),
        findings: said,
        head: of,
        sheets: identical
            .iter()
            .map(Identical::sheet)
            .chain([
                turns(calls),
                cached(calls),
                sheet(
                    "effects",
                    "More than half of the prompt read from the cache, against none",
                    &effects,
                ),
            ])
            .collect(),
        charts: charts.into_iter().flatten().collect(),
        notes: vec![
            "OBSERVATIONAL: later turns have longer prompts and more in the cache. The table of \
             effects compares only prompts of like size at one route, and only answers whose usage \
             says what was read: failures are in none of its rows."
                .to_owned(),
            "Identical are requests for the same model whose whole body is the same, by a keyed \
             hash, as one that was answered well before in this window. Saved is what the later ones used and cost: \
             the most that a cache of answers could save, and only where the same answer twice is \
             wanted."
                .to_owned(),
            "A time of several turns is the median of its requests; turns are user messages up to \
             and with the last."
                .to_owned(),
        ],
    }
}

fn effects(calls: &[Call]) -> Vec<Within> {
    within(
        calls,
        &[Metric::FirstToken, Metric::FirstAnswer, Metric::Cost],
        // A failure, or an answer without counts, did not read nothing: nobody knows what it read.
        |call| match (call.cached_read?, call.traits.cached) {
            (_, 0) => Some(false),
            (_, 2) => Some(true),
            _ => None,
        },
        |call| call.traits.cached = 0,
    )
}

/// The index of the span of turns in which `turn` is.
fn span_of(turn: u32) -> usize {
    TURNS.partition_point(|(first, _)| *first <= turn).max(1) - 1
}

/// Streams by turn.
fn of_turns<'a>(calls: &[&'a Call]) -> BTreeMap<usize, Vec<&'a Call>> {
    let mut turns: BTreeMap<usize, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        if let Some(turn) = call.turn.filter(|turn| *turn > 0) {
            turns.entry(span_of(turn)).or_default().push(call);
        }
    }
    turns
}

/// How many of the prompt tokens were read from the cache.
fn read_share(calls: &[&Call]) -> Cell {
    let known = calls
        .iter()
        .filter_map(|call| Some((call.cached_read?, call.input?)));
    // Counts are the providers', who may say anything.
    let (read, all) = known.fold((0_u64, 0_u64), |(read, all), call| {
        (read.saturating_add(call.0), all.saturating_add(call.1))
    });
    let share = Share::of(read, all).fraction();
    Cell::maybe(share, "no counts")
}

fn columns(what: Column) -> Vec<Column> {
    vec![
        Column::words("model", "model"),
        Column::words("provider", "provider"),
        what,
        Column::new("requests", "requests", Unit::Count),
        Column::new("tokens_read", "prompt tokens from the cache", Unit::Share),
        Column::new("first_token_p50", "first token p50", Unit::Span),
        Column::new("first_token_p95", "first token p95", Unit::Span),
    ]
}

fn turns(calls: &[Call]) -> Sheet {
    let what = Column::words("turn", "turn");
    let mut sheet = Sheet::new("turns", "First token by turn", columns(what));
    for (route, calls) in by_route(calls) {
        for (span, calls) in of_turns(&calls) {
            sheet
                .rows
                .push(row(&route.0, &route.1, TURNS[span].1, &calls));
        }
    }
    sheet
}

fn cached(calls: &[Call]) -> Sheet {
    let what = Column::words("cached", "read from the cache");
    let mut sheet = Sheet::new("cached", "First token by cached share", columns(what));
    for (route, calls) in by_route(calls) {
        for (class, name) in CACHED.into_iter().enumerate() {
            let of = calls.iter().copied();
            let calls: Vec<&Call> = of
                .filter(|call| {
                    call.cached_read.is_some() && usize::from(call.traits.cached) == class
                })
                .collect();
            if !calls.is_empty() {
                sheet.rows.push(row(&route.0, &route.1, name, &calls));
            }
        }
    }
    sheet
}

fn row(model: &str, provider: &str, what: &str, calls: &[&Call]) -> Vec<Cell> {
    let numbers = to_first_token(calls);
    vec![
        model_cell(model),
        Cell::text(provider),
        Cell::text(what),
        Cell::count(calls.len() as u64),
        read_share(calls),
        numbers.at(0.5),
        numbers.at(0.95),
    ]
}

fn turns_chart(calls: &[Call]) -> Option<Chart> {
    let mut routes: Vec<_> = by_route(calls).into_iter().collect();
    routes.sort_by_key(|(_, calls)| std::cmp::Reverse(calls.len()));
    let mut lines = Vec::new();
    for (route, calls) in routes.iter().take(LINES_MAX) {
        let turns = of_turns(calls);
        let at = |span: usize| -> Numbers {
            turns
                .get(&span)
                .map_or_else(Numbers::default, to_first_token)
        };
        let line = line(
            named(route),
            (0..TURNS.len()).map(|span| (span as f64, at(span))),
        );
        if line.points.iter().any(|(_, y)| y.is_some()) {
            lines.push(line);
        }
    }
    (!lines.is_empty()).then(|| Chart {
        title: "Time to first token by turn of the conversation, p50 with 95 % bands".to_owned(),
        unit: Unit::Span,
        plot: Plot::Lines {
            lines,
            labels: TURNS.map(|(_, name)| name.to_owned()).to_vec(),
            x: (0.0, (TURNS.len() - 1) as f64),
            marks: Vec::new(),
        },
        note: "Prompts grow from turn to turn; a cache shows where the line does not.".to_owned(),
    })
}

/// A line of medians with their intervals; gaps where too few numbers are.
pub(super) fn line(name: String, at: impl Iterator<Item = (f64, Numbers)>) -> Line {
    let mut points = Vec::new();
    let mut band = Vec::new();
    for (x, numbers) in at {
        let found = numbers.estimate(0.5, ALPHA).ok();
        points.push((x, found.map(|found| found.value)));
        if let Some(found) = found.filter(|found| found.interval.is_finite()) {
            band.push(Band {
                x,
                low: found.interval.low,
                high: found.interval.high,
            });
        }
    }
    // A band over a gap would say what nobody measured.
    if points
        .iter()
        .skip_while(|(_, y)| y.is_none())
        .filter(|(_, y)| y.is_some())
        .count()
        != band.len()
        || has_inner_gap(&points)
    {
        band.clear();
    }
    Line { name, points, band }
}

fn has_inner_gap(points: &[(f64, Option<f64>)]) -> bool {
    let known: Vec<bool> = points.iter().map(|(_, y)| y.is_some()).collect();
    let first = known.iter().position(|known| *known);
    let last = known.iter().rposition(|known| *known);
    match (first, last) {
        (Some(first), Some(last)) => known[first..=last].contains(&false),
        _ => false,
    }
}

/// What identical requests came to.
#[derive(Default)]
struct Identical {
    routes: BTreeMap<(String, String), Saved>,
    all: Saved,
}

#[derive(Default, Clone)]
struct Saved {
    requests: u64,
    repeated: u64,
    /// Repeats and requests that came near each other.
    near: Nearby<(u64, u64)>,
    input: u64,
    output: u64,
    cost: f64,
    whole_cost: f64,
    /// Repeats whose cost is known.
    priced: u64,
}

fn identical(calls: &[Call]) -> Identical {
    let mut answered = HashSet::new();
    let mut identical = Identical::default();
    let mut in_time: Vec<&Call> = calls.iter().filter(|call| !call.lost).collect();
    in_time.sort_by_key(|call| call.started);
    for call in in_time {
        let Some(prompt) = call.prompt else { continue };
        // Where the path names the model, the same body goes to several of them.
        let model = call.asked.as_ref().or(call.model.as_ref());
        let body = (prompt.0, call.language, model);
        let repeated = answered.contains(&body);
        if call.outcome == Outcome::Ok {
            answered.insert(body);
        }
        let route = (super::call::plain_model(call), call.provider.to_string());
        let of_route = identical.routes.entry(route).or_default();
        for saved in [of_route, &mut identical.all] {
            saved.requests += 1;
            saved.near.at(call.started).pool((u64::from(repeated), 1));
            saved.whole_cost += spent(call).unwrap_or(0.0);
            if repeated {
                saved.repeated += 1;
                saved.input = saved.input.saturating_add(call.input.unwrap_or(0));
                saved.output = saved.output.saturating_add(call.output.unwrap_or(0));
                saved.cost += spent(call).unwrap_or(0.0);
                saved.priced += u64::from(spent(call).is_some());
            }
        }
    }
    identical
}

impl Saved {
    fn cells(&self, model: Cell, provider: &str) -> Vec<Cell> {
        let priced = self.repeated == 0 || self.priced > 0;
        let cost = (self.whole_cost > 0.0).then(|| self.cost / self.whole_cost);
        vec![
            model,
            Cell::text(provider),
            Cell::count(self.requests),
            Cell::share(Share::nearby(&self.near)),
            Cell::count(self.input),
            Cell::count(self.output),
            Cell::maybe(priced.then_some(self.cost), "no price"),
            Cell::maybe(cost, "no price"),
        ]
    }
}

impl Identical {
    fn said(&self) -> String {
        let all = &self.all;
        let Some(share) = Share::of(all.repeated, all.requests).fraction() else {
            return "No request has a hash of its body: identical ones cannot be told.".to_owned();
        };
        if all.repeated == 0 {
            return format!(
                "None of {} requests was the same as an earlier one: a cache of answers would have \
                 saved nothing.",
                number(all.requests as f64, Unit::Count)
            );
        }
        let cost = if all.priced > 0 {
            let of = if all.priced < all.repeated {
                let known = Share::of(all.priced, all.repeated).fraction();
                format!(
                    ", where a cost is known ({} of them)",
                    number(known.unwrap_or(0.0), Unit::Share)
                )
            } else {
                String::new()
            };
            format!(" and {}{of}", number(all.cost, Unit::Dollars))
        } else {
            String::new()
        };
        format!(
            "{} of {} requests were the same as an earlier one: a cache of answers would have \
             saved at most {} prompt tokens, {} output tokens{cost}.",
            number(share, Unit::Share),
            number(all.requests as f64, Unit::Count),
            number(all.input as f64, Unit::Count),
            number(all.output as f64, Unit::Count),
        )
    }

    fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::new(
            "identical",
            "Identical requests, and what a cache of answers would have saved",
            vec![
                Column::words("model", "model"),
                Column::words("provider", "provider"),
                Column::new("requests", "requests", Unit::Count),
                Column::new("identical", "identical", Unit::Share),
                Column::new("saved_input_tokens", "prompt tokens", Unit::Count),
                Column::new("saved_output_tokens", "output tokens", Unit::Count),
                Column::new("saved_cost", "cost", Unit::Dollars),
                Column::new("saved_cost_share", "of the cost", Unit::Share),
            ],
        );
        for ((model, provider), saved) in &self.routes {
            sheet.rows.push(saved.cells(model_cell(model), provider));
        }
        if self.routes.len() > 1 {
            sheet.rows.push(self.all.cells(Cell::text("all"), "all"));
        }
        sheet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::tests::{failing, head, made_up};
    use crate::record::KeyedHash;

    #[test]
    fn counts_that_nobody_can_have_do_not_wrap_around_and_models_are_told_apart() {
        let call = |n: usize, model: &str| Call {
            prompt: Some(KeyedHash(7)),
            asked: Some(model.into()),
            input: Some(u64::MAX),
            cached_read: Some(u64::MAX),
            billed: Some(0.5),
            cost: None,
            ..made_up(n, 300.0)
        };
        let calls: Vec<Call> = (0..4).map(|n| call(n, ["one", "other"][n % 2])).collect();
        let found = identical(&calls);
        // The first of each model is new; what the others cost is what was billed.
        assert_eq!((found.all.requests, found.all.repeated), (4, 2));
        assert_eq!(found.all.input, u64::MAX);
        assert!((found.all.cost - 1.0).abs() < 1e-9);
        let all: Vec<&Call> = calls.iter().collect();
        assert_eq!(read_share(&all).number(), Some(1.0));
    }

    #[test]
    fn only_what_was_answered_before_is_identical() {
        let same = |call: Call| Call {
            prompt: Some(KeyedHash(99)),
            ..call
        };
        let calls = [
            same(failing(0)),
            same(made_up(1, 300.0)),
            made_up(2, 300.0),
            same(made_up(3, 300.0)),
            Call {
                lost: true,
                ..same(made_up(4, 300.0))
            },
        ];
        let found = identical(&calls);
        assert_eq!((found.all.repeated, found.all.requests), (1, 4));
        assert_eq!((found.all.input, found.all.output), (600, 200));
        assert!((found.all.cost - 0.001).abs() < 1e-12);
        assert!(
            found.said().starts_with("25.0 % of 4 requests"),
            "{}",
            found.said()
        );
    }

    #[test]
    fn what_the_cache_does_is_told_of_like_prompts() {
        let calls: Vec<Call> = (0..800)
            .map(|n| {
                let cached = n % 2 == 0;
                let jitter = (n / 2 % 40) as f64;
                let mut call = made_up(n, if cached { 200.0 } else { 500.0 } + jitter);
                call.traits.cached = if cached { 2 } else { 0 };
                call.cached_read = Some(if cached { 500 } else { 0 });
                call.turn = Some(1 + (n % 12) as u32);
                call
            })
            .collect();
        let paper = paper(&calls, head());
        assert!(
            paper.findings[1].contains("first token −300 ms"),
            "{:?}",
            paper.findings
        );
        let turns = &paper.sheets[1];
        assert_eq!(turns.rows.len(), TURNS.len());
        let names: Vec<_> = turns.rows.iter().map(|row| row[2].clone()).collect();
        assert_eq!(names, TURNS.map(|turn| Cell::text(turn.1)));
        assert_eq!(paper.sheets[2].rows.len(), 2);
        assert_eq!(paper.charts.len(), 2);
    }

    #[test]
    fn of_a_sample_nothing_is_said_of_identical_requests() {
        let same = |n: usize| Call {
            prompt: Some(KeyedHash(7)),
            ..made_up(n, 300.0)
        };
        let calls: Vec<Call> = (0..40).map(same).collect();
        let drawn = Head {
            source: Source::Sample {
                share: crate::analysis::paper::Chance(500_000),
                slices: 100,
                seed: 1,
            },
            ..head()
        };
        let keys = |paper: &Paper| {
            paper
                .sheets
                .iter()
                .map(|sheet| sheet.key)
                .collect::<Vec<_>>()
        };
        let (whole, sample) = (paper(&calls, head()), paper(&calls, drawn));
        assert!(keys(&whole).contains(&"identical"));
        assert!(!keys(&sample).contains(&"identical"));
        assert_eq!(sample.findings[0], UNTOLD);
    }

    /// Failures, of which nobody knows what they read, are in neither kind: the truth here is none.
    #[test]
    fn failures_do_not_make_a_cache_look_good() {
        let calls: Vec<Call> = (0..800)
            .map(|n| {
                let cached = n % 2 == 0;
                let mut call = made_up(n, 200.0 + (n / 2 * 37 % 100) as f64);
                call.traits.cached = if cached { 2 } else { 0 };
                call.cached_read = Some(if cached { 500 } else { 0 });
                if n % 7 == 0 {
                    Call {
                        cached_read: None,
                        ..failing(n)
                    }
                } else {
                    call
                }
            })
            .collect();
        let found = effects(&calls);
        let first = &found[0].found[0];
        let effect = first.effect.unwrap();
        assert!(effect.difference.value.abs() < 5e6, "{effect:?}");
        assert!(
            first.plain.iter().all(|p50| p50.unwrap() < 260e6),
            "{first:?}"
        );
    }
}
