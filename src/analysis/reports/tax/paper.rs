//! Tells the tax: which route is compared with which, and what was found, for everybody.

use std::collections::{BTreeMap, BTreeSet};

use super::adjust::{Comparison, Metric, Refusal, compare, difference_unit, unit};
use super::paired::{Compared, Pairs};
use super::{paired_paper, randomised};
use crate::analysis::paper::{Bar, Cell, Chart, Column, Head, Paper, Plot, Sheet, Source, Unit};
use crate::analysis::reports::Report;
use crate::analysis::reports::call::{Call, plain_model};
use crate::analysis::reports::ecdf::first_tokens;
use crate::analysis::reports::experiments::{Taxed, Trials};
use crate::analysis::reports::figures::{Numbers, to_first_token, unchosen, verdict};
use crate::record::{ExchangeRecord, Name, ProviderKind};
use crate::statistics::compare::Resampling;
use crate::statistics::interval::Estimate;
use crate::statistics::sequence::SEQUENCE_FROM;

/// What a tax is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The provider to compare with, where one was named.
    pub reference: Option<String>,
    /// Seed of the draws.
    pub seed: u64,
    /// Whether the requests are rounds of a benchmark: each prompt went to every route, in drawn
    /// order.
    pub rounds: bool,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            reference: None,
            seed: 1,
            rounds: false,
        }
    }
}

/// The report `tax`.
#[derive(Debug, Default)]
pub struct Tax {
    asked: Asked,
    calls: Vec<Call>,
    /// Live experiments, and the calls of what their coins assigned.
    trials: Trials,
    assigned: BTreeMap<Name, Vec<Call>>,
    /// Requests that went to two routes at once, or one behind the other.
    pairs: Pairs,
}

impl Report for Tax {
    fn takes_pairs(&self) -> bool {
        true
    }

    fn take(&mut self, record: &ExchangeRecord, calls: Vec<Call>) {
        let Err(calls) = self.pairs.add(record, calls) else {
            return;
        };
        let experiment = record
            .experiment
            .as_ref()
            .filter(|_| self.trials.add(record));
        match experiment {
            Some(enrolment) => {
                let name = enrolment.experiment.clone();
                self.assigned.entry(name).or_default().extend(calls);
            }
            None => self.calls.extend(calls),
        }
    }

    fn paper(&self, head: Head) -> Paper {
        self.written(Head {
            method: METHOD,
            seed: Some(self.asked.seed),
            ..head
        })
    }
}

/// How the numbers are made.
const METHOD: &str = "Differences of medians within groups of like requests of which either route \
    has at least 10, at one prompt size (each route's numbers moved along the resistant line of \
    their logarithm on that of the prompt tokens), weighted by overlap; intervals by the index bootstrap within groups, 10,000 \
    draws (arXiv 2202.10992) of as many requests as are independent (cluster effect of conversations, \
    of minutes, or of hours on the difference, with Student's factor for few of these: the largest); failure rates by Mantel-Haenszel with Sato's variance. Told only \
    where the groups hold half of either route's requests and the standardised difference in \
    prompt size and hour is below 0.1.";

/// One route beside its reference.
struct Pair<'a> {
    model: String,
    route: &'a str,
    reference: &'a str,
    /// Whether whoever served behind the router is the reference itself.
    pinned: bool,
    /// Whether both were asked the same in rounds.
    rounds: bool,
    headlines: Vec<Comparison>,
    parts: Vec<Comparison>,
}

impl Pair<'_> {
    const fn badge(&self) -> &'static str {
        match (self.rounds, self.pinned) {
            (false, true) => "OBSERVATIONAL tax",
            (false, false) => "OBSERVATIONAL route comparison",
            (true, true) => "ROUNDS tax",
            (true, false) => "ROUNDS route comparison",
        }
    }
}

type Arms<'a> = BTreeMap<&'a str, Vec<&'a Call>>;

impl Tax {
    /// A tax of nothing yet.
    #[must_use]
    pub fn new(asked: Asked) -> Self {
        Self {
            asked,
            calls: Vec::new(),
            trials: Trials::default(),
            assigned: BTreeMap::new(),
            pairs: Pairs::default(),
        }
    }

    /// Adds a call.
    #[cfg(test)]
    pub(in crate::analysis::reports) fn add(&mut self, call: Call) {
        self.calls.push(call);
    }

    fn written(&self, head: Head) -> Paper {
        let asked = &self.asked;
        // Narrowed by who served, an experiment's arms are no longer what the coin made them.
        let by_outcome =
            |part: &String| part.starts_with("providers ") || part.starts_with("regions ");
        let taxed = if head.selection.iter().any(by_outcome) {
            Vec::new()
        } else {
            self.trials.taxed(asked.reference.as_deref())
        };
        // What such a coin assigned is told apart; what any other assigned is traffic like all.
        let apart = |name: &Name| taxed.iter().any(|found| found.experiment == *name);
        let is_sample = matches!(head.source, Source::Sample { .. });
        let others = self.assigned.iter().filter(|(name, _)| !apart(name));
        let observed = self.calls.iter().chain(others.flat_map(|(_, calls)| calls));
        let mut models: BTreeMap<String, Arms<'_>> = BTreeMap::new();
        for call in observed {
            let arms = models.entry(plain_model(call)).or_default();
            arms.entry(call.provider.as_str()).or_default().push(call);
        }
        let mut alone = Vec::new();
        let mut planned = Vec::new();
        for (model, arms) in &models {
            match reference(arms, asked) {
                Some(reference) if arms.len() > 1 => {
                    let others = arms.keys().filter(|route| **route != reference);
                    planned.extend(others.map(|route| (model, arms, *route, reference)));
                }
                _ => alone.push(model.clone()),
            }
        }
        let family = planned.len() * Metric::HEADLINES.len();
        let pairs: Vec<Pair<'_>> = planned
            .into_iter()
            .map(|(model, arms, route, reference)| {
                let how = Resampling::seeded(asked.seed);
                let (calls, others) = (&arms[route], &arms[reference]);
                let metrics = [&Metric::HEADLINES[..], &Metric::PARTS[..]].concat();
                let mut headlines = compare(calls, others, &metrics, &how, family);
                for found in headlines.iter_mut().filter(|_| asked.rounds) {
                    if found.effect.as_ref().err() == Some(&Refusal::NoOverlap) {
                        found.effect = Err(Refusal::FewRounds);
                    }
                }
                let parts = headlines.split_off(Metric::HEADLINES.len());
                Pair {
                    model: model.clone(),
                    route,
                    reference,
                    pinned: is_pinned(calls, reference),
                    rounds: asked.rounds,
                    headlines,
                    parts,
                }
            })
            .collect();
        let paired = self.pairs.compared(asked.reference.as_deref(), asked.seed);
        let named = asked.reference.as_deref();
        let mut paper = write(&pairs, &alone, (family, asked.rounds), head);
        if let Some(said) = named.and_then(|named| unknown_reference(named, &models)) {
            paper.findings = vec![said];
        }
        let mut paper = if is_sample {
            with_untold(paper, &taxed)
        } else {
            with(paper, &taxed)
        };
        paper = with_pairs(paper, &paired, self.pairs.alone());
        let several = models.iter().filter(|(_, arms)| arms.len() > 1);
        let drawn = several.filter_map(|(model, arms)| distribution(model, arms));
        paper.charts.extend(drawn.take(DISTRIBUTIONS_MAX));
        paper
    }
}

/// Models whose distributions are drawn.
const DISTRIBUTIONS_MAX: usize = 4;

/// First tokens of all routes of a model, as they were and not like with like.
fn distribution(model: &str, arms: &Arms<'_>) -> Option<Chart> {
    let of: Vec<(String, Numbers)> = arms
        .iter()
        .map(|(route, calls)| ((*route).to_owned(), to_first_token(calls)))
        .collect();
    let groups = of.iter().map(|(name, numbers)| (name.clone(), numbers));
    let title = format!("{model}: time to first token, unadjusted");
    first_tokens(&title, groups.collect())
}

/// The route that others are compared with: the one named, or else the direct provider with most
/// calls, or else whoever has most.
fn reference<'a>(arms: &Arms<'a>, asked: &Asked) -> Option<&'a str> {
    if let Some(named) = &asked.reference {
        return arms.keys().find(|route| **route == named.as_str()).copied();
    }
    let direct = |calls: &[&Call]| {
        calls
            .first()
            .is_some_and(|call| call.kind == ProviderKind::Direct)
    };
    arms.iter()
        .max_by_key(|(_, calls)| (direct(calls), calls.len()))
        .map(|(route, _)| *route)
}

/// Whether every answer behind the router says that the reference served it.
fn is_pinned(calls: &[&Call], reference: &str) -> bool {
    let served = calls.iter().filter(|call| call.failed == Some(false));
    let mut known = 0;
    let all = served.into_iter().all(|call| {
        known += 1;
        let by = call.served_by.as_ref().map(|by| by.to_ascii_lowercase());
        by.is_some_and(|by| by == reference.to_ascii_lowercase())
    });
    all && known > 0
}

/// What is said of traffic as it came.
const OBSERVED: &str = "OBSERVATIONAL: nobody assigned these requests by lot. Requests are compared only with \
    requests like them (streaming, tools, reasoning effort, prompt size by powers of two, \
    cached share, connection reused, the same six hours), weighted by overlap; of a failure \
    neither the cached share nor the connection is known: failure rates are compared without \
    both, and a failure stands in times among the answers of its route that are like it \
    otherwise. What was not measured may still differ. For a proof of cause use a live experiment or a paired bench.";

/// What is said of rounds of a benchmark.
const IN_ROUNDS: &str = "ROUNDS: each prompt was asked of every route once a round, in drawn order, so that neither \
    prompts nor hours nor lengths tell routes apart; what differs are the moments within a round. \
    Connections and cached shares are as they came: requests are compared only with requests like \
    them in these too, weighted by overlap. Crossover pairs (--pairs) hold each request against its own twin.";

fn write(
    pairs: &[Pair<'_>],
    alone: &[String],
    (family, rounds): (usize, bool),
    head: Head,
) -> Paper {
    let mut findings: Vec<String> = pairs.iter().map(finding).collect();
    if pairs.is_empty() {
        findings.push(unchosen(&head).unwrap_or_else(|| {
            "No model went through two routes in this window: there is nothing to compare. Send \
             part of a model's traffic through another provider, or choose a longer --since."
                .to_owned()
        }));
    }
    let mut notes = vec![
        if rounds { IN_ROUNDS } else { OBSERVED }
            .to_owned(),
        "`tax` is said where every answer names the reference as the one who served; elsewhere it \
         is a route comparison: another upstream, region or quantisation may be part of it."
            .to_owned(),
        "Failures of streams count as infinitely long, and are in no rate. Answers that the client broke off count for the \
         numbers that they had come to; one without a token that was waited for beyond both medians \
         stands for a longer one, as does one that a hedge overtook then. Differences are route less reference: negative is faster, \
         cheaper or steadier through the route."
            .to_owned(),
    ];
    if family > 0 {
        notes.push(format!(
            "Intervals are of 95 % each, and with their verdicts for one look at a window that was \
             chosen before: whoever looks again and again until they leave zero will see it happen \
             by chance. `the same at any look` holds however often one looks at a window whose \
             beginning stands (--since a date), also as it grows. Verdicts are made as {family} comparisons of one family \
             (Bonferroni), against a margin of 20 ms or 3 % (rate 3 %, failures 0.5 points, cost \
             1 %)."
        ));
    }
    notes.extend(few_hours(pairs));
    if !alone.is_empty() {
        notes.push(format!(
            "Of one route only, so not compared: {}.",
            alone.join(", ")
        ));
    }
    Paper {
        name: "tax",
        version: 1,
        title: "Router tax".to_owned(),
        findings,
        head,
        sheets: vec![effects(pairs), parts(pairs), grounds(pairs)],
        charts: forest(pairs).into_iter().collect(),
        notes,
    }
}

/// Of which pairs intervals cannot know how routes differ from hour to hour.
fn few_hours(pairs: &[Pair<'_>]) -> Option<String> {
    let of = |pair: &Pair<'_>| {
        let mut told = pair.headlines.iter();
        let few = told.any(|found| found.effect.is_ok() && found.few_hours);
        few.then(|| format!("{}, {} against {}", pair.model, pair.route, pair.reference))
    };
    let named: Vec<String> = pairs.iter().filter_map(of).collect();
    (!named.is_empty()).then(|| {
        format!(
            "Of less than three hours: the intervals are of those alone and cannot know how the \
             difference changes from hour to hour: {}.",
            named.join("; ")
        )
    })
}

/// The paper with what experiments measured beside what was observed.
fn with(mut paper: Paper, taxed: &[Taxed]) -> Paper {
    if !taxed.is_empty() {
        if paper
            .sheets
            .first()
            .is_some_and(|effects| effects.rows.is_empty())
        {
            // Nothing was observed; that there is nothing to compare is not so.
            paper.findings.clear();
        }
        paper.findings.extend(taxed.iter().map(randomised::finding));
        paper.sheets.insert(1, randomised::sheet(taxed));
        paper.charts.extend(randomised::forest(taxed));
        paper.notes.insert(1, randomised::NOTE.to_owned());
    }
    paper
}

/// The same of a sample: a sequence that holds at any look is one of all numbers as they came.
fn with_untold(mut paper: Paper, taxed: &[Taxed]) -> Paper {
    paper.findings.extend(taxed.iter().map(|found| {
        format!(
            "RANDOMISED, experiment {}: not told of a sample; `tollgate report experiments` and the \
             page Experiments read every exchange of it.",
            found.experiment
        )
    }));
    if !taxed.is_empty() {
        // Where it would stand, so that nobody looks for it in vain.
        paper.sheets.insert(1, randomised::untold(taxed));
    }
    paper
}

/// That no call went to the provider that is to be compared with, and who there is.
fn unknown_reference(named: &str, models: &BTreeMap<String, Arms<'_>>) -> Option<String> {
    let known: BTreeSet<&str> = models
        .values()
        .flat_map(|arms| arms.keys().copied())
        .collect();
    if known.is_empty() || known.contains(named) {
        return None;
    }
    let known: Vec<&str> = known.into_iter().collect();
    Some(format!(
        "{NOBODY} {named} in this window, so nothing is compared with it. There are {}.",
        known.join(", ")
    ))
}

/// How the only finding begins where the reference is not there.
const NOBODY: &str = "No request went to a provider";

/// Why `paper` compares nothing, where it is a tax whose reference is not there.
#[must_use]
pub fn lacks_reference(paper: &Paper) -> Option<&str> {
    let said = paper.findings.first()?;
    (paper.name == "tax" && said.starts_with(NOBODY)).then_some(said)
}

/// The paper with what pairs told beside all that.
fn with_pairs(mut paper: Paper, paired: &[Compared], alone: usize) -> Paper {
    if paired.is_empty() {
        return paper;
    }
    let is_bare = paper.sheets.iter().all(|sheet| sheet.rows.is_empty());
    if is_bare {
        // That there is nothing to compare is not so.
        paper.findings.clear();
    }
    let findings = paired.iter().map(paired_paper::finding);
    paper.findings.splice(0..0, findings);
    let sheets = [
        paired_paper::sheet(paired),
        paired_paper::grounds(paired),
        paired_paper::pairs(paired),
    ];
    paper.sheets.splice(0..0, sheets);
    paper.charts.splice(0..0, paired_paper::forest(paired));
    paper.notes.insert(0, paired_paper::note(alone));
    paper
}

fn finding(pair: &Pair<'_>) -> String {
    let word = if pair.pinned {
        "Router tax"
    } else {
        "Route comparison"
    };
    let name = format!(
        "{word} of {}, {} against {}",
        pair.model, pair.route, pair.reference
    );
    let said: Vec<String> = pair.headlines.iter().filter_map(sentence).collect();
    if said.is_empty() {
        let why = pair
            .headlines
            .first()
            .and_then(|first| first.effect.as_ref().err());
        let why = why.map_or("nothing to compare", |refusal| refusal.words());
        return format!("{name}: {why}.");
    }
    let how = if pair.rounds {
        "ROUNDS"
    } else {
        "OBSERVATIONAL"
    };
    format!("{name} ({how}): {}.", said.join("; "))
}

/// A comparison in words: difference, interval, verdict; nothing where none is told.
pub(in crate::analysis::reports) fn sentence(comparison: &Comparison) -> Option<String> {
    let effect = comparison.effect.as_ref().ok()?;
    let unit = difference_unit(comparison.metric);
    let Cell::Estimate { value, low, high } = Cell::estimate(&effect.difference) else {
        return None;
    };
    let number = |value: f64| crate::analysis::render::paper::number(value, unit);
    let end = |end: Option<f64>| end.map_or_else(|| "open".to_owned(), number);
    let name = comparison.metric.key().replace('_', " ");
    Some(format!(
        "{name} {} [{}, {}], {}",
        number(value),
        end(low),
        end(high),
        verdict(&effect.verdict)
    ))
}

fn effects(pairs: &[Pair<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "effects",
        "Route against reference",
        vec![
            Column::words("model", "model"),
            Column::words("comparison", "comparison"),
            Column::remark("badge", "badge"),
            Column::hidden("route"),
            Column::hidden("reference"),
            Column::words("metric", "metric"),
            Column::hidden("unit"),
            Column::new("reference_p50", "reference p50", Unit::Number),
            Column::new("route_p50", "route p50", Unit::Number),
            Column::new("difference", "difference, like with like", Unit::Number),
            Column::new("at_any_time", "the same at any look", Unit::Number),
            Column::new("route_over_reference", "ratio", Unit::Times),
            Column::new("naive_difference", "unadjusted", Unit::Number),
            Column::remark("verdict", "verdict"),
        ],
    )
    .grouped(3);
    for pair in pairs {
        let rows = pair.headlines.iter().map(|found| effect_row(pair, found));
        sheet.rows.extend(rows);
    }
    sheet
}

fn effect_row(pair: &Pair<'_>, found: &Comparison) -> Vec<Cell> {
    let names = [
        Cell::text(&pair.model),
        Cell::text(format!("{} against {}", pair.route, pair.reference)),
        Cell::text(pair.badge()),
        Cell::text(pair.route),
        Cell::text(pair.reference),
    ];
    names.into_iter().chain(effect_cells(found)).collect()
}

/// What was compared, its unit, both medians, difference, the same at any look, ratio, plain
/// difference, verdict.
pub(in crate::analysis::reports) fn effect_cells(found: &Comparison) -> Vec<Cell> {
    let (own, more) = (unit(found.metric), difference_unit(found.metric));
    let estimate = |estimate: &Estimate| Cell::estimate(estimate).in_unit(more);
    let plain = |value: Option<f64>| Cell::maybe(value, "no such number").in_unit(own);
    let (difference, any, ratio, said) = match &found.effect {
        Ok(effect) => (
            estimate(&effect.difference),
            effect.at_any_time.map_or_else(
                || Cell::absent(format!("begins at {SEQUENCE_FROM} independent requests")),
                |interval| {
                    estimate(&Estimate {
                        interval,
                        ..effect.difference
                    })
                },
            ),
            effect
                .ratio
                .as_ref()
                .map_or_else(|| Cell::absent(""), Cell::estimate),
            verdict(&effect.verdict),
        ),
        Err(refusal) => (
            Cell::absent(refusal.words()),
            Cell::absent(""),
            Cell::absent(""),
            "not compared".to_owned(),
        ),
    };
    vec![
        Cell::text(found.metric.key()),
        Cell::text(own.suffix().trim_start_matches('_')),
        plain(found.plain[1]),
        plain(found.plain[0]),
        difference,
        any,
        ratio,
        found
            .naive
            .as_ref()
            .map_or_else(|| Cell::absent(""), estimate),
        Cell::text(said),
    ]
}

fn parts(pairs: &[Pair<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "parts",
        "Where it comes from",
        vec![
            Column::words("model", "model"),
            Column::words("comparison", "comparison"),
            Column::words("phase", "phase"),
            Column::new("reference", "reference p50", Unit::Span),
            Column::new("route_value", "route p50", Unit::Span),
            Column::new("difference", "difference, like with like", Unit::Delta),
        ],
    )
    .grouped(2);
    for pair in pairs {
        for found in &pair.parts {
            let plain = |value: Option<f64>| Cell::maybe(value, "not reported");
            let difference = match &found.effect {
                Ok(effect) => Cell::estimate(&effect.difference),
                Err(refusal) => Cell::absent(refusal.words()),
            };
            sheet.rows.push(vec![
                Cell::text(&pair.model),
                Cell::text(format!("{} against {}", pair.route, pair.reference)),
                Cell::text(found.metric.key()),
                plain(found.plain[1]),
                plain(found.plain[0]),
                difference,
            ]);
        }
    }
    sheet
}

fn grounds(pairs: &[Pair<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "grounds",
        "What the comparison stands on",
        vec![
            Column::words("model", "model"),
            Column::words("comparison", "comparison"),
            Column::words("metric", "metric"),
            Column::new("route_calls", "route", Unit::Count),
            Column::new("reference_calls", "reference", Unit::Count),
            Column::new("groups", "groups alike", Unit::Count),
            Column::new("route_overlap", "route's share in them", Unit::Share),
            Column::new("reference_overlap", "reference's share", Unit::Share),
            Column::new("route_effect", "route: n for one", Unit::Number),
            Column::new("reference_effect", "reference: n for one", Unit::Number),
            Column::new("size_imbalance", "left in prompt size, SD", Unit::Number),
            Column::new("hour_imbalance", "left in hour, SD", Unit::Number),
        ],
    )
    .grouped(2);
    for pair in pairs {
        for found in &pair.headlines {
            sheet.rows.push(vec![
                Cell::text(&pair.model),
                Cell::text(format!("{} against {}", pair.route, pair.reference)),
                Cell::text(found.metric.key()),
                Cell::count(found.calls[0] as u64),
                Cell::count(found.calls[1] as u64),
                Cell::count(found.groups as u64),
                Cell::Value(found.overlap[0]),
                Cell::Value(found.overlap[1]),
                Cell::Value(found.effects[0]),
                Cell::Value(found.effects[1]),
                Cell::Value(found.imbalance[0]),
                Cell::Value(found.imbalance[1]),
            ]);
        }
    }
    sheet
}

/// The differences in time to first token, adjusted and not.
fn forest(pairs: &[Pair<'_>]) -> Option<Chart> {
    let mut bars = Vec::new();
    for pair in pairs {
        let name = format!("{}: {} against {}", pair.model, pair.route, pair.reference);
        let Some(found) = pair.headlines.first() else {
            continue;
        };
        let bar = |name: String, estimate: &Estimate| Bar {
            name,
            value: estimate.value,
            interval: estimate
                .interval
                .is_finite()
                .then_some((estimate.interval.low, estimate.interval.high)),
        };
        if let Ok(effect) = &found.effect {
            bars.push(bar(name, &effect.difference));
        }
        if let Some(naive) = found.naive.as_ref().filter(|naive| naive.value.is_finite()) {
            bars.push(bar("unadjusted".to_owned(), naive));
        }
    }
    (!bars.is_empty()).then(|| Chart {
        title: "Time to first token: route less reference, with 95 % intervals".to_owned(),
        unit: Unit::Delta,
        plot: Plot::Forest { bars, zero: 0.0 },
        note: "Right of the line the route is slower. `unadjusted` compares requests that are not \
               alike: it is shown to be seen, not to be quoted."
            .to_owned(),
    })
}
