//! The report `scores`: what evaluations found of routes so far, as the store has kept it.

use std::collections::BTreeMap;

use super::pairs::{Pair, finding, holm_within, of_intervals, of_items, pair_columns, pair_row};
use super::picture::{Placed, charts_of};
use super::route::size_of;
use crate::analysis::paper::{Cell, Chart, Column, Head, Paper, Sheet, Unit};
use crate::analysis::render::units::minute;
use crate::analysis::reports::call::Call;
use crate::analysis::reports::choice::Choice;
use crate::analysis::reports::figures::{Numbers, mean, nothing, numbers, spent, verdict};
use crate::analysis::reports::gather::Report;
use crate::record::{ExchangeRecord, Name, Origin, RouteScore};
use crate::statistics::interval::{Estimate, Interval};

const TITLE: &str = "Scores";

const METHOD: &str = "A score is the mean over the items of a data set of the mean over an item's \
    trials; its interval is Wilson's, 95 %, for as many items as their spread is worth. Two scores \
    of one data set are compared on the items that both have (exact McNemar's p where all are 0 or \
    1, Wilcoxon's signed ranks elsewhere, by Holm over the pairs of a scorer); where the items are \
    not known, by the interval of the difference of two independent scores (Zou and Donner 2008), \
    which is wider. Scores of different data sets are never compared. Durations and costs are those of the run's answers that are \
    in the store still, without its judges'.";

/// A route at which a run was scored.
type Place = (Name, Name, Name);

/// The report `scores`, at work.
#[derive(Debug, Default)]
pub struct Evaluations {
    /// The oldest first.
    scores: Vec<RouteScore>,
    calls: BTreeMap<Place, Vec<Call>>,
    /// Whether a score counts only where answers of its run were chosen.
    only_seen: bool,
}

impl Evaluations {
    /// The report over those of `scores` that `choice` takes.
    #[must_use]
    pub fn new(scores: Vec<RouteScore>, choice: &Choice) -> Self {
        let mut scores = scores;
        scores.retain(|score| choice.takes_score(score));
        scores.sort_by_key(|score| score.at);
        Self {
            scores,
            calls: BTreeMap::new(),
            // Regions and tags stand in records alone.
            only_seen: !(choice.regions.is_empty() && choice.tags.is_empty()),
        }
    }

    fn calls(&self, of: &RouteScore) -> Vec<&Call> {
        let there = [&of.there, &of.model].map(|model| {
            let place = (of.run.clone(), of.provider.clone(), model.clone());
            self.calls.get(&place)
        });
        there
            .into_iter()
            .flatten()
            .next()
            .into_iter()
            .flatten()
            .collect()
    }

    /// The scores, each with the answers that it is of.
    fn found(&self) -> Vec<Found<'_>> {
        let each = self.scores.iter().map(|score| {
            let calls = self.calls(score);
            Found {
                score,
                seen: !calls.is_empty(),
                durations: numbers(&calls, |call| call.whole),
                cost: mean(calls.iter().filter_map(|call| spent(call))).map(|(each, _)| each),
            }
        });
        each.filter(|found| found.seen || !self.only_seen).collect()
    }
}

impl Report for Evaluations {
    fn take(&mut self, record: &ExchangeRecord, calls: Vec<Call>) {
        let Some(active) = &record.active else { return };
        // The last one answered.
        let Some(call) = calls.into_iter().next_back() else {
            return;
        };
        let model = call.model.clone().or_else(|| call.asked.clone());
        let Some(model) = model else { return };
        let place = (active.run.clone(), call.provider.clone(), model);
        self.calls.entry(place).or_default().push(call);
    }

    fn takes_origin(&self, origin: Origin) -> bool {
        origin == Origin::Eval
    }

    fn paper(&self, head: Head) -> Paper {
        let head = Head {
            method: METHOD,
            origin: Origin::Eval.name().to_owned(),
            ..head
        };
        let found = self.found();
        if found.is_empty() {
            let why = "No evaluation has left a score in this window: `tollgate eval` keeps them.";
            return nothing("scores", TITLE, head, why);
        }
        let scorers = by_scorer(&found);
        let told: Vec<Told<'_>> = scorers.iter().map(Told::of).collect();
        let mut sheets = vec![newest_sheet(&told)];
        sheets.extend(pairs_sheet(&told));
        sheets.extend(history_sheet(&scorers));
        Paper {
            name: "scores",
            version: 1,
            title: TITLE.to_owned(),
            findings: told.iter().map(Told::finding).collect(),
            head,
            sheets,
            charts: told.iter().flat_map(Told::charts).collect(),
            notes: vec![
                "Scores are means of 0 to 1. A difference under 0.02 is taken for none; whether \
                 intervals overlap is never asked. What `min_score` goes by is the newest score of \
                 each route, whichever data set it is of."
                    .to_owned(),
            ],
        }
    }
}

/// A score, and what its answers took.
struct Found<'a> {
    score: &'a RouteScore,
    seen: bool,
    durations: Numbers,
    cost: Option<f64>,
}

impl Found<'_> {
    fn name(&self) -> String {
        format!("{} at {}", self.score.model, self.score.provider)
    }

    const fn estimate(&self) -> Estimate {
        Estimate {
            value: self.score.value,
            interval: Interval {
                low: self.score.low,
                high: self.score.high,
            },
        }
    }

    fn cell(&self) -> Cell {
        Cell::quantile(&self.estimate(), u64::from(self.score.items))
    }

    /// This score less another, on the items of both where that can be.
    fn less(&self, other: &Self, places: [usize; 2]) -> Pair {
        let paired = self.score.common(other.score);
        let paired = paired.and_then(|both| of_items(0, places, &both));
        paired.unwrap_or_else(|| {
            let items = self.score.items.min(other.score.items);
            of_intervals(
                0,
                places,
                &self.estimate(),
                &other.estimate(),
                items as usize,
            )
        })
    }
}

/// Digits of a data set's digest that tell it from the others of a scorer.
const SET_DIGITS: usize = 8;

/// What a scorer found on a data set.
struct OnSet<'a> {
    scorer: &'a str,
    /// The first digits of the data set's digest, where it is known.
    set: Option<String>,
    /// What people read: the set is named where the scorer has several.
    name: String,
    /// The oldest first.
    all: Vec<&'a Found<'a>>,
}

impl OnSet<'_> {
    fn set_cell(&self) -> Cell {
        let unknown = || Cell::absent("not known of this score");
        self.set.as_ref().map_or_else(unknown, Cell::text)
    }
}

/// Scores of each scorer on each data set, in the order in which they were found: what one data set
/// finds easy says nothing of another.
fn by_scorer<'a>(found: &'a [Found<'a>]) -> Vec<OnSet<'a>> {
    let mut sets: BTreeMap<&str, BTreeMap<Option<&str>, Vec<&Found<'_>>>> = BTreeMap::new();
    for one in found {
        let set = one.score.each.as_ref().map(|each| each.set.as_str());
        let scorer = sets.entry(one.score.scorer.as_str()).or_default();
        scorer.entry(set).or_default().push(one);
    }
    let mut scorers = Vec::new();
    for (scorer, of) in sets {
        let is_alone = of.len() == 1;
        for (set, all) in of {
            let set: Option<String> = set.map(|set| set.chars().take(SET_DIGITS).collect());
            let name = match &set {
                _ if is_alone => scorer.to_owned(),
                Some(set) => format!("{scorer}, data set {set}"),
                None => format!("{scorer}, data set not known"),
            };
            scorers.push(OnSet {
                scorer,
                set,
                name,
                all,
            });
        }
    }
    scorers
}

/// Scores of each route at one scorer, the oldest first.
fn by_route<'a>(all: &[&'a Found<'a>]) -> BTreeMap<Place, Vec<&'a Found<'a>>> {
    let mut routes: BTreeMap<Place, Vec<&Found<'_>>> = BTreeMap::new();
    for found in all {
        let of = found.score;
        let place = (of.model.clone(), of.provider.clone(), of.there.clone());
        routes.entry(place).or_default().push(found);
    }
    routes
}

/// What is told of a scorer on a data set: the newest score of each route.
struct Told<'a> {
    of: &'a OnSet<'a>,
    newest: Vec<&'a Found<'a>>,
    pairs: Vec<Pair>,
}

impl<'a> Told<'a> {
    fn of(of: &'a OnSet<'a>) -> Self {
        let routes = by_route(&of.all).into_values();
        let newest: Vec<&Found<'_>> = routes.filter_map(|runs| runs.last().copied()).collect();
        let mut pairs = Vec::new();
        for (second, theirs) in newest.iter().enumerate() {
            for (first, own) in newest[..second].iter().enumerate() {
                pairs.push(own.less(theirs, [first, second]));
            }
        }
        holm_within(&mut pairs);
        Self { of, newest, pairs }
    }

    fn finding(&self) -> String {
        let ranked = self.newest.iter().map(|found| found.estimate()).enumerate();
        let names: Vec<String> = self.newest.iter().map(|found| found.name()).collect();
        let pairs: Vec<&Pair> = self.pairs.iter().collect();
        finding(&self.of.name, ranked.collect(), &names, &pairs)
    }

    fn charts(&self) -> Vec<Chart> {
        let placed = |found: &&Found<'_>| Placed {
            name: found.name(),
            score: found.estimate(),
            duration: found.durations.middle(),
            cost: found.cost,
        };
        charts_of(
            &self.of.name,
            &self.newest.iter().map(placed).collect::<Vec<_>>(),
        )
    }
}

fn newest_sheet(told: &[Told<'_>]) -> Sheet {
    let columns = vec![
        Column::words("scorer", "scorer"),
        Column::words("data_set", "data set"),
        Column::words("model", "model"),
        Column::words("provider", "provider"),
        Column::remark("size", "size"),
        Column::new("score", "score", Unit::Number),
        Column::new("items", "items", Unit::Count),
        Column::new("duration_p50", "duration p50", Unit::Span),
        Column::new("cost_per_1000", "per 1,000 (mean)", Unit::Dollars),
        // Another run is what the other side of a comparison has.
        Column::remark("run", "run"),
        Column::remark("date", "scored"),
    ];
    let mut sheet = Sheet::new("scores", "The newest score of each route", columns).grouped(1);
    for of in told {
        for found in &of.newest {
            let score = found.score;
            let gone = || Cell::absent("no record of the run is in this store");
            let cost = found.cost.map(|each| each * 1e3);
            sheet.rows.push(vec![
                Cell::text(of.of.scorer),
                of.of.set_cell(),
                Cell::text(score.model.as_str()),
                Cell::text(score.provider.as_str()),
                size_of(&score.model).map_or_else(|| Cell::absent(""), Cell::text),
                found.cell(),
                Cell::count(u64::from(score.items)),
                if found.seen {
                    found.durations.at(0.5)
                } else {
                    gone()
                },
                if found.seen {
                    Cell::maybe(cost, "no price")
                } else {
                    gone()
                },
                Cell::text(score.run.as_str()),
                Cell::text(minute(score.at)),
            ]);
        }
    }
    sheet
}

fn pairs_sheet(told: &[Told<'_>]) -> Option<Sheet> {
    let mut sheet = Sheet::new("pairs", "Differences", pair_columns(true)).grouped(1);
    for of in told {
        for pair in &of.pairs {
            let names = pair.routes.map(|place| of.newest[place].name());
            sheet
                .rows
                .push(pair_row(of.of.scorer, Some(of.of.set_cell()), names, pair));
        }
    }
    (!sheet.rows.is_empty()).then_some(sheet)
}

/// Every score of routes that were scored more than once, with what changed since the one before.
fn history_sheet(scorers: &[OnSet<'_>]) -> Option<Sheet> {
    let columns = vec![
        Column::words("scorer", "scorer"),
        Column::words("data_set", "data set"),
        Column::words("model", "model"),
        Column::words("provider", "provider"),
        Column::words("run", "run"),
        Column::words("at", "scored"),
        Column::new("score", "score", Unit::Number),
        Column::new("change", "since the run before", Unit::More),
        Column::new("p_value", "p", Unit::Number),
        Column::remark("verdict", "verdict"),
    ];
    let mut sheet = Sheet::new("history", "Run by run", columns).grouped(4);
    for of in scorers {
        for ((model, provider, _), runs) in by_route(&of.all) {
            if runs.len() < 2 {
                continue;
            }
            for (place, found) in runs.iter().enumerate() {
                let before = place.checked_sub(1).map(|before| runs[before]);
                let change = before.map(|before| found.less(before, [1, 0]));
                let first = || Cell::absent("the first");
                sheet.rows.push(vec![
                    Cell::text(of.scorer),
                    of.set_cell(),
                    Cell::text(model.as_str()),
                    Cell::text(provider.as_str()),
                    Cell::text(found.score.run.as_str()),
                    Cell::text(minute(found.score.at)),
                    found.cell(),
                    change
                        .as_ref()
                        .map_or_else(first, |of| Cell::quantile(&of.difference, of.items as u64)),
                    change
                        .as_ref()
                        .map_or_else(first, |of| Cell::maybe(of.p_value, "not the same items")),
                    change.map_or_else(first, |of| Cell::text(verdict(&of.verdict))),
                ]);
            }
        }
    }
    (!sheet.rows.is_empty()).then_some(sheet)
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
