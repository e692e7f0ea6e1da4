//! Says before an experiment begins what it could find, from the traffic recorded so far.

use std::collections::HashSet;

use super::entry::{Entry, unit_key};
use super::verdict::{more, own};
use crate::analysis::paper::{Cell, Column, Head, Paper, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::reports::Report;
use crate::analysis::reports::call::Call;
use crate::record::{Arm, ExchangeRecord, WallTime};
use crate::routing::experiment::{Experiment, Metric, Mode, Stop};
use crate::statistics::quantile::{Sample, sorted};
use crate::statistics::sequence::{Location, Looks, arms};

/// Fewest sessions with a number from which a plan is made.
const SESSIONS_MIN: usize = 50;
/// Shortest history from which traffic per day is told, in seconds.
const HISTORY_MIN: i64 = 3_600;
const DAY: f64 = 86_400.0;

/// The plan of an experiment, from exchanges with its model.
#[derive(Debug)]
pub struct Plans {
    experiment: Experiment,
    known: HashSet<u128>,
    firsts: Vec<Entry>,
    /// Of exchanges with the model.
    seen: u64,
    first: Option<WallTime>,
}

impl Plans {
    /// A plan without a history yet.
    #[must_use]
    pub fn new(experiment: Experiment) -> Self {
        Self {
            experiment,
            known: HashSet::new(),
            firsts: Vec::new(),
            seen: 0,
            first: None,
        }
    }

    /// Whether an exchange went where an arm would go, as far as its record says.
    fn concerns(&self, record: &ExchangeRecord) -> bool {
        let arm = |arm: Arm| {
            let route = self.experiment.route(arm);
            record.first_begun().is_some_and(|first| {
                first.provider == route.provider && first.model.as_ref() == Some(&route.model)
            })
        };
        let asked = record.model.as_ref() == Some(&self.experiment.model);
        let tags = &self.experiment.eligible;
        (asked || arm(Arm::A) || arm(Arm::B))
            && tags.stream.is_none_or(|only| only == record.request.stream)
            && (tags.tags.is_empty() || tags.tags.iter().any(|tag| record.tags.contains(tag)))
            && (tags.endpoints.is_empty() || tags.endpoints.contains(&record.endpoint))
            && (tags.client_keys.is_empty()
                || record
                    .client_key
                    .is_some_and(|key| tags.client_keys.contains(&key)))
    }

    fn location(&self) -> Option<Location> {
        let metric = self.experiment.question.metric;
        let values = self.firsts.iter().filter_map(|entry| entry.value(metric));
        let values: Vec<f64> = values
            .filter(|value| !value.is_cut())
            .map(|value| value.low)
            .collect();
        if values.len() < SESSIONS_MIN {
            return None;
        }
        if matches!(metric, Metric::Failure | Metric::Cost) {
            let apart: Vec<(f64, usize)> = values
                .into_iter()
                .enumerate()
                .map(|(n, value)| (value, n))
                .collect();
            return Location::mean(&apart);
        }
        let (finite, failures) = sorted(values);
        Location::median(Sample::new(&finite, failures))
    }

    /// Why there is no plan, or what it is made of: where the numbers lie, and sessions a day that
    /// would take part.
    fn grounds(&self, head: &Head) -> Result<(Location, f64), String> {
        let one = &self.experiment;
        if self.seen == 0 {
            return Err(format!(
                "no history: no exchange with {} or its arms' routes is recorded in this window. \
                 Send its traffic through Tollgate for a day, then plan",
                one.model
            ));
        }
        let location = self.location().ok_or_else(|| {
            format!(
                "too little history: {} sessions with a {} that varies, {SESSIONS_MIN} are needed",
                self.firsts
                    .iter()
                    .filter(|entry| entry.value(one.question.metric).is_some())
                    .count(),
                one.question.metric.name(),
            )
        })?;
        let from = self.first.unwrap_or(head.window.from).max(head.window.from);
        let until = head.window.until.min(head.made);
        let seconds = (until.0 - from.0) / 1_000_000;
        if seconds < HISTORY_MIN {
            return Err("too short a history: an hour at least tells traffic per day".to_owned());
        }
        let daily = self.firsts.len() as f64 / (seconds as f64 / DAY);
        Ok((location, daily * f64::from(one.share) / 1e6))
    }
}

impl Report for Plans {
    fn take(&mut self, record: &ExchangeRecord, _: Vec<Call>) {
        if !self.concerns(record) {
            return;
        }
        self.seen += 1;
        self.first.get_or_insert(record.started);
        if let Some(key) = unit_key(record, self.experiment.unit)
            && self.known.insert(key)
        {
            let entry = Entry::of(record, self.firsts.len(), Arm::A, true);
            self.firsts.push(entry);
        }
    }

    fn paper(&self, head: Head) -> Paper {
        written(&self.experiment, self.grounds(&head), self.seen, head)
    }
}

const METHOD: &str = "Standard errors as of the report itself (McKean and Schrader for medians), \
    of the first exchange of each recorded session; the confidence sequence of arXiv 2103.06476 in \
    place of the normal quantile where the experiment may be answered at any time. Both arms are \
    taken to vary as the recorded traffic does.";

fn written(
    one: &Experiment,
    grounds: Result<(Location, f64), String>,
    seen: u64,
    head: Head,
) -> Paper {
    let mut findings = Vec::new();
    let mut sheets = Vec::new();
    match grounds {
        Err(why) => findings.push(format!("{} cannot be planned: {why}.", one.name)),
        Ok((location, daily)) => {
            findings.push(needed(one, &location, daily));
            sheets.push(table(one, &location, daily));
        }
    }
    Paper {
        name: "experiment-plan",
        version: 1,
        title: format!("Plan of {}", one.name),
        findings,
        sheets,
        charts: Vec::new(),
        notes: vec![format!(
            "From {seen} recorded exchanges with {} or with its arms' routes. A session counts once.",
            one.model
        )],
        head: Head {
            method: METHOD,
            ..head
        },
    }
}

struct Means {
    variances: [f64; 2],
    split: f64,
    errors: (f64, f64),
    looks: Looks,
}

fn means(one: &Experiment, location: &Location) -> Means {
    Means {
        variances: [location.variance; 2],
        split: f64::from(one.split) / 1e6,
        errors: (one.question.alpha, one.question.power),
        looks: match one.question.stop {
            Stop::Sequential => Looks::Any,
            Stop::Fixed => Looks::Once,
        },
    }
}

fn needed(one: &Experiment, location: &Location, daily: f64) -> String {
    let question = &one.question;
    let margin = question.margin.beside(location.value);
    let metric = question.metric;
    let means = means(one, location);
    let count = arms::count_for(
        margin,
        means.variances,
        means.split,
        means.errors,
        means.looks,
    );
    let what = match one.mode {
        Mode::Ab => "a difference",
        Mode::Aa => "(were there one) a difference",
    };
    let middle = if matches!(metric, Metric::Failure | Metric::Cost) {
        "on average"
    } else {
        "at p50"
    };
    let begin = format!(
        "{}: {} is {} {middle}, about {} sessions a day would take part",
        one.name,
        metric.name().replace('_', " "),
        number(location.value, own(metric)),
        number(daily, Unit::Number),
    );
    let margin = number(margin, more(metric))
        .trim_start_matches('+')
        .to_owned();
    match count {
        Some(count) if daily > 0.0 => format!(
            "{begin}. To find {what} of {margin} with a chance of {:.0} % it needs about {} \
             sessions, {} days.",
            question.power * 100.0,
            number(count as f64, Unit::Count),
            number((count as f64 / daily * 10.0).ceil() / 10.0, Unit::Number),
        ),
        Some(count) => format!(
            "{begin}: none, at a share of 0. To find {what} of {margin} it needs about {} sessions.",
            number(count as f64, Unit::Count)
        ),
        None => format!(
            "{begin}. A difference of {margin} is beyond what any number of sessions finds."
        ),
    }
}

fn table(one: &Experiment, location: &Location, daily: f64) -> Sheet {
    let metric = one.question.metric;
    let mut sheet = Sheet::new(
        "minimum_detectable",
        format!(
            "What it finds with a chance of {:.0} %",
            one.question.power * 100.0
        ),
        vec![
            Column::new("days", "after days", Unit::Number),
            Column::new("units", "sessions", Unit::Count),
            Column::hidden("unit"),
            Column::new("difference", "difference of at least", Unit::Number),
        ],
    );
    let means = means(one, location);
    for days in [1.0, 3.0, 7.0, 14.0, 28.0, 56.0] {
        let count = (daily * days) as usize;
        let found = arms::minimum_detectable(
            means.variances,
            means.split,
            count,
            means.errors,
            means.looks,
        );
        sheet.rows.push(vec![
            Cell::Value(days),
            Cell::count(count as u64),
            Cell::text(own(metric).suffix().trim_start_matches('_')),
            Cell::maybe(found, "too few sessions by then").in_unit(more(metric)),
        ]);
    }
    sheet
}
