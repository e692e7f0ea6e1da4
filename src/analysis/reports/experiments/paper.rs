//! Lays the report `experiments` out: findings, tables, and each effect as it came to be known.

use std::sync::Arc;

use super::trial::Trials;
use super::verdict::Judged;
use super::{others, over_time, tables};
use crate::analysis::paper::{Head, Paper};
use crate::analysis::reports::Report;
use crate::analysis::reports::call::Call;
use crate::analysis::reports::figures::SEED;
use crate::record::{ExchangeRecord, Name};
use crate::routing::experiment::Experiment;
use crate::statistics::sequence::Looks;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Asked {
    /// The experiments of the config.
    pub defined: Arc<[Experiment]>,
    /// Only this one.
    pub name: Option<String>,
}

/// The report `experiments`.
#[derive(Debug, Default)]
pub struct Experiments {
    asked: Asked,
    trials: Trials,
}

const METHOD: &str = "By intention to treat: an exchange counts for the arm that was drawn, \
    whoever served it. Spans run from the choice of the route: connecting and failed tries count. \
    Decided by the first exchange of each session: difference of medians (of failures: of rates; \
    of cost: of means) with the asymptotic confidence sequence (arXiv 2103.06476) of McKean and \
    Schrader's standard error, of rates with the beta-binomial mixture (arXiv 1906.09712): they \
    hold however often one looks; where one look was fixed before, the normal interval of the same \
    standard error, and Newcombe's of rates. All exchanges: variances by session. Arms' sizes by the \
    multinomial mixture (Lindon and Malek 2022), results hidden below p 0.001.";

impl Experiments {
    /// A report of nothing yet.
    #[must_use]
    pub fn new(asked: Asked) -> Self {
        Self {
            asked,
            trials: Trials::default(),
        }
    }

    fn is_asked(&self, name: &str) -> bool {
        self.asked.name.as_deref().is_none_or(|asked| asked == name)
    }

    /// Every experiment that was recorded, and what the config says of it.
    fn judged<'a>(&'a self, head: &Head) -> Vec<Judged<'a>> {
        let defined = |name: &Name| self.asked.defined.iter().find(|one| one.name == *name);
        self.trials
            .iter()
            .filter(|(name, _)| self.is_asked(name))
            .map(|(name, trial)| Judged::new(name, trial, defined(name), head.made))
            .collect()
    }
}

impl Report for Experiments {
    fn take(&mut self, record: &ExchangeRecord, _: Vec<Call>) {
        self.trials.add(record);
    }

    fn paper(&self, head: Head) -> Paper {
        let judged = self.judged(&head);
        let waiting = self
            .asked
            .defined
            .iter()
            .filter(|one| self.is_asked(&one.name) && !self.trials.0.contains_key(&one.name));
        let mut findings: Vec<String> = judged.iter().map(Judged::finding).collect();
        findings.extend(waiting.map(|one| {
            format!(
                "{} ({}): no exchange with its model in this window. `tollgate experiments plan \
                 {}` says what it could find.",
                one.name, one.model, one.name
            )
        }));
        if findings.is_empty() {
            findings.push(match &self.asked.name {
                Some(name) => format!("No experiment is called {name}, here or in the config."),
                None => "No experiment is configured, and none is in this window: \
                         [experiments.<name>] takes two routes of a model by lot."
                    .to_owned(),
            });
        }
        let paths: Vec<_> = judged.iter().map(over_time::looks).collect();
        let sheets = vec![
            tables::list(&judged),
            tables::effects(&judged),
            others::sheet(&judged),
            tables::arms(&judged),
            tables::outside(&judged),
            over_time::sheet(&judged, &paths),
        ];
        Paper {
            name: "experiments",
            version: 1,
            title: "Experiments".to_owned(),
            findings,
            sheets,
            charts: judged
                .iter()
                .zip(&paths)
                .filter_map(|(each, looks)| over_time::chart(each, looks))
                .collect(),
            notes: notes(&judged),
            head: Head {
                method: METHOD,
                seed: Some(SEED),
                ..head
            },
        }
    }
}

fn notes(judged: &[Judged<'_>]) -> Vec<String> {
    if judged.is_empty() {
        return Vec::new();
    }
    let mut notes = vec![
        "RANDOMISED: a coin chose the arm, so a difference is the effect of the route, for the \
         requests that may take part while both routes are candidates. It says nothing of pinned \
         requests, nor of hours in which a route was out."
            .to_owned(),
        "Differences are arm b less arm a. One metric decides, by the margin and the rule of the \
         config; the others are for orientation, each at its own alpha."
            .to_owned(),
        "Failures and rate limits count as infinitely long. Where a client left before its answer, \
         the number is known to lie above the time it waited: the interval holds for anything it \
         may have been."
            .to_owned(),
        "The sequence holds for a window whose beginning was fixed before looking: best the whole \
         experiment. The store keeps records for `store.keep_records` only."
            .to_owned(),
    ];
    for each in judged {
        notes.push(format!(
            "{}: intervals are of {} % each, {}.",
            each.name,
            // To a tenth, and 95 without one.
            (1_000.0 * (1.0 - each.question.alpha)).round() / 10.0,
            match each.looks {
                Looks::Any => "and hold however often one looks",
                Looks::Once => "for the one look at the end that was fixed before",
            }
        ));
        if each.trial.crossed > 0 {
            notes.push(format!(
                "{}: {} exchanges of sessions that were first in the other arm (another seed or \
                 split since); they count for the first.",
                each.name, each.trial.crossed
            ));
        }
        let [cut_a, cut_b] = each.effect.cut;
        let whole = each.effect.numbers.iter().sum::<usize>().max(1);
        if (cut_a + cut_b) * 20 > whole {
            notes.push(format!(
                "{}: clients left {cut_a} and {cut_b} first exchanges before their number was \
                 known; the interval is wider for it.",
                each.name
            ));
        }
    }
    notes
}
