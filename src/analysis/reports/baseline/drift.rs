//! The report `drift`: whether each route is still what a baseline says, by a test that is made to
//! be looked at all the time.

use super::make::{RATE, known, size, watched_numbers, watched_of};
use super::shown::cell;
use super::{Baseline, Known, NUMBERS, Watched};
use crate::analysis::paper::{Bar, Cell, Chart, Column, Head, Paper, Plot, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::render::units::minute;
use crate::analysis::reports::Report;
use crate::analysis::reports::call::{Call, plain_model};
use crate::analysis::reports::figures::{Numbers, head, verdict};
use crate::record::{ExchangeRecord, WallTime};
use crate::statistics::compare::{Margin, Verdict, decide};
use crate::statistics::drift::cusum::STEP;
use crate::statistics::drift::{Cusum, Direction, Reference};
use crate::statistics::interval::{ALPHA, Estimate, Interval, order_ci_deff};

/// Fewer steps than this say too little of how a route varies.
const STEPS_MIN: u64 = 5;
/// A false alarm in so many seconds: a week.
const WEEK: f64 = 7.0 * 86_400.0;
/// A change of the median by this share is worth looking into.
const WORTH: f64 = 0.2;

const METHOD: &str = "Two-sided CUSUM (Page 1954) of medians of ten residuals, in deviations \
    of the baseline's own steps (1.4826 MAD; no less than what its requests' own deviation makes of \
    a median of ten, and wider where few steps stand behind it), allowance 1/2; its threshold is such that a route that \
    has not changed gives one false alarm a week at the pace of its requests (Siegmund 1985). \
    Residuals are of the logarithm, less what the prompt's size explains. Differences of medians \
    are B less A of two independent estimates (Zou and Donner 2008), beside a margin of 20 ms or \
    3 %. A first token that was not waited out is at least as long as the wait: the sum of what is \
    slower takes the wait, the sum of what is faster takes it as longer than all.";

/// The report at work.
#[derive(Debug)]
pub struct Drift {
    baseline: Baseline,
    calls: Vec<Call>,
}

impl Drift {
    /// Nothing yet.
    #[must_use]
    pub const fn new(baseline: Baseline) -> Self {
        Self {
            baseline,
            calls: Vec::new(),
        }
    }
}

impl Report for Drift {
    fn take(&mut self, _: &ExchangeRecord, calls: Vec<Call>) {
        self.calls.extend(calls);
    }

    fn paper(&self, of: Head) -> Paper {
        told(&self.baseline, &self.calls, head(of, METHOD))
    }
}

/// Whether a report `drift` tells of a route that changed, and by more than the margin.
#[must_use]
pub fn has_drifted(paper: &Paper) -> bool {
    let nothing = [Verdict::Equivalent, Verdict::RealButNegligible].map(|of| verdict(&of));
    let matters = |cell: &Cell| !nothing.iter().any(|word| *cell == Cell::text(word));
    paper.sheets.iter().any(|sheet| {
        let at = |key| sheet.columns.iter().position(|column| column.key == key);
        let (Some(alarms), Some(said)) = (at("alarms"), at("verdict")) else {
            return false;
        };
        let moved = |row: &Vec<Cell>| row[alarms].number().is_some_and(|alarms| alarms > 0.0);
        sheet
            .rows
            .iter()
            .any(|row| moved(row) && matters(&row[said]))
    })
}

/// What became of one number of one route.
struct Found<'a> {
    of: &'a Watched,
    now: Option<Known>,
    /// Why there is no median now.
    why: String,
    n: u64,
    /// Of those, how many nobody waited out.
    cut: u64,
    difference: Option<(Estimate, Verdict)>,
    /// Whether the median is surely larger than it was, of which nobody knows by how much.
    beyond: bool,
    test: Test,
}

/// What the test says.
enum Test {
    TooFew(String),
    Still,
    Moved {
        direction: Direction,
        since: WallTime,
        alarms: u64,
    },
}

fn told(baseline: &Baseline, calls: &[Call], of: Head) -> Paper {
    let seconds = looked_at(calls, &of);
    let found: Vec<Found<'_>> = baseline
        .watched
        .iter()
        .map(|watched| found(watched, calls, seconds))
        .collect();
    let mut notes = vec![
        "OBSERVATIONAL: prompts, hours and load may differ from the baseline's; the size of \
         prompts is taken out, the rest is part of what drifted. An alarm is a reason to look, and \
         `note add` writes down what was found."
            .to_owned(),
    ];
    if baseline.origin != of.origin {
        notes.push(format!(
            "The baseline is of {} traffic and this is of {} traffic: what differs between the \
             two from the first request on is no drift (`report production` tells it).",
            baseline.origin, of.origin
        ));
    }
    Paper {
        name: "drift",
        version: 1,
        title: format!("Drift from baseline {}", baseline.name),
        findings: findings(baseline, &found),
        head: of,
        sheets: vec![sheet(&found)],
        charts: chart(&found).into_iter().collect(),
        notes,
    }
}

/// The seconds that the calls are of: up to now, and from the first of them on, for what was before
/// nobody knows. A pace over more than that would be too slow, and a threshold by it too low.
pub(super) fn looked_at(calls: &[Call], of: &Head) -> f64 {
    let first = calls.iter().map(|call| call.started).min();
    let from = first.map_or(of.window.from, |first| first.max(of.window.from));
    let until = of.window.until.min(of.made);
    ((until.0 - from.0) as f64 / 1e6).max(1.0)
}

fn found<'a>(of: &'a Watched, calls: &[Call], seconds: f64) -> Found<'a> {
    let own: Vec<&Call> = calls
        .iter()
        .filter(|call| call.provider.as_str() == of.provider && plain_model(call) == of.model)
        .collect();
    let values = watched_numbers(of.metric, &own);
    let now = known(&values, 0.5);
    let margin = match NUMBERS[of.metric].2 {
        Unit::Span => Margin::NANOS.beside(of.median.value),
        _ => 0.03 * of.median.value,
    };
    let difference = now.and_then(|now| {
        let found = estimate(&now)?.less(&estimate(&of.median)?);
        let count = usize::try_from(now.n.min(of.median.n)).unwrap_or(usize::MAX);
        Some((found, decide(&found, margin, count)))
    });
    Found {
        of,
        now,
        why: values.estimate(0.5, ALPHA).err().unwrap_or_default(),
        n: values.count(),
        cut: values.cut_count(),
        difference,
        beyond: now.is_none() && is_beyond(&values, of.median, margin),
        test: test(of, &own, seconds),
    }
}

/// Whether the median of `values`, were none longer than it was waited for, is surely larger than
/// the one before, and by more than `margin`.
fn is_beyond(values: &Numbers, before: Known, margin: f64) -> bool {
    let least = order_ci_deff(values.least(), 0.5, ALPHA, values.effect_of());
    let low = least.lower.map(|end| end.value);
    low.zip(before.high)
        .is_some_and(|(low, high)| values.cut_count() > 0 && low - high > margin)
}

fn estimate(known: &Known) -> Option<Estimate> {
    Some(Estimate {
        value: known.value,
        interval: Interval {
            low: known.low?,
            high: known.high?,
        },
    })
}

fn test(of: &Watched, own: &[&Call], seconds: f64) -> Test {
    if of.steps < STEPS_MIN {
        return Test::TooFew(format!(
            "the baseline has {} steps of {STEP}, {STEPS_MIN} are needed",
            of.steps
        ));
    }
    let residuals: Vec<(WallTime, f64, bool)> = own
        .iter()
        .filter_map(|call| {
            let (value, cut) = watched_of(of.metric, call)?;
            Some((call.started, value.ln() - of.slope * size(call), cut))
        })
        .collect();
    let steps = residuals.len() / STEP;
    if steps == 0 {
        return Test::TooFew(format!("{} since, a step is {STEP}", residuals.len()));
    }
    let reference = Reference {
        centre: of.centre,
        sigma: of.sigma,
    };
    // One false alarm a week, however many steps a week has.
    let a_week = (steps as f64 / seconds * WEEK).clamp(100.0, 1e8);
    let Some(mut slower) = Cusum::calibrated(reference, a_week) else {
        return Test::TooFew("the baseline does not vary".to_owned());
    };
    // What was not waited out is neither faster than it was nor slower than its wait: of each sum
    // only the one side counts. Where all was waited out the two are one.
    let mut faster = slower.clone();
    let (mut first, mut alarms) = (None, 0);
    for (at, (moment, least, cut)) in residuals.iter().enumerate() {
        let most = if *cut { f64::INFINITY } else { *least };
        let up = slower.push(*least);
        let down = faster.push(most);
        let up = up.filter(|alarm| alarm.direction == Direction::Up);
        let down = down.filter(|alarm| alarm.direction == Direction::Down);
        let Some(alarm) = up.or(down) else {
            continue;
        };
        alarms += 1;
        if first.is_none() {
            // The sum began to rise so many steps before.
            let back = alarm.steps as usize * STEP;
            let since = residuals[(at + 1).saturating_sub(back)].0.min(*moment);
            first = Some((alarm.direction, since));
        }
    }
    first.map_or(Test::Still, |(direction, since)| Test::Moved {
        direction,
        since,
        alarms,
    })
}

/// What a direction means for a metric.
const fn word(direction: Direction, metric: usize) -> &'static str {
    match (direction, metric == RATE) {
        (Direction::Up, false) | (Direction::Down, true) => "slower",
        (Direction::Down, false) | (Direction::Up, true) => "faster",
    }
}

fn name(of: &Watched) -> String {
    format!("{} at {}, {}", of.model, of.provider, NUMBERS[of.metric].1)
}

/// The change of the median as a share of what it was.
fn share(found: &Found<'_>) -> Option<f64> {
    let now = found.now?;
    Some(now.value / found.of.median.value - 1.0).filter(|share| share.is_finite())
}

fn findings(baseline: &Baseline, all: &[Found<'_>]) -> Vec<String> {
    let mut said = Vec::new();
    for found in all {
        let Test::Moved {
            direction, since, ..
        } = &found.test
        else {
            continue;
        };
        let change = share(found).map_or_else(String::new, |share| {
            format!(", the median by {}", number(share, Unit::Points))
        });
        let small = found.difference.as_ref().is_some_and(|(_, said)| {
            matches!(said, Verdict::Equivalent | Verdict::RealButNegligible)
        });
        let rest = match share(found) {
            None if found.beyond => ", the median by more than was waited for: find out why",
            _ if small => ", which is within the margin",
            Some(share) if share.abs() >= WORTH => ": find out why",
            _ => "",
        };
        said.push(format!(
            "{}: {} since about {}{change}{rest}.",
            name(found.of),
            word(*direction, found.of.metric),
            minute(*since),
        ));
    }
    let few = all
        .iter()
        .filter(|found| matches!(found.test, Test::TooFew(_)))
        .count();
    if all.is_empty() {
        said.push(format!(
            "Baseline {} has no route with enough requests to watch.",
            baseline.name
        ));
    } else if said.is_empty() {
        said.push(format!(
            "No drift: {} of {} numbers are as they were, {few} have too few requests to tell.",
            all.len() - few,
            all.len()
        ));
    }
    said
}

fn sheet(all: &[Found<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "routes",
        "Then and now",
        vec![
            Column::words("model", "model"),
            Column::words("provider", "provider"),
            Column::words("metric", "metric"),
            Column::new("then", "then", Unit::Number),
            Column::new("now", "now", Unit::Number),
            Column::new("n", "n now", Unit::Count),
            Column::new("difference", "difference", Unit::Number),
            Column::new("change", "change", Unit::Points),
            Column::remark("verdict", "verdict"),
            Column::remark("drift", "drift"),
            Column::new("alarms", "alarms", Unit::Count),
            Column::remark("since", "since about"),
            Column::new("not_waited_out", "not waited out", Unit::Count),
        ],
    );
    for found in all {
        let of = found.of;
        let unit = NUMBERS[of.metric].2;
        let more = if unit == Unit::Rate {
            Unit::RateMore
        } else {
            Unit::Delta
        };
        let (difference, said) = match &found.difference {
            Some((difference, said)) => (
                Cell::estimate(difference).in_unit(more),
                Cell::text(verdict(said)),
            ),
            None if found.beyond => (
                Cell::absent(&found.why),
                Cell::text(verdict(&Verdict::Different)),
            ),
            None => (Cell::absent(&found.why), Cell::absent(&found.why)),
        };
        let (drift, alarms, since) = match &found.test {
            Test::TooFew(why) => (Cell::absent(why), Cell::absent(why), Cell::absent("")),
            Test::Still => (Cell::text("none"), Cell::count(0), Cell::absent("")),
            Test::Moved {
                direction,
                since,
                alarms,
            } => (
                Cell::text(word(*direction, of.metric)),
                Cell::count(*alarms),
                Cell::text(minute(*since)),
            ),
        };
        sheet.rows.push(vec![
            Cell::text(&of.model),
            Cell::text(&of.provider),
            Cell::text(NUMBERS[of.metric].0),
            cell(&of.median).in_unit(unit),
            found
                .now
                .map_or_else(|| Cell::absent(&found.why), |now| cell(&now).in_unit(unit)),
            Cell::count(found.n),
            difference,
            Cell::maybe(share(found), "no median"),
            said,
            drift,
            alarms,
            since,
            Cell::count(found.cut),
        ]);
    }
    sheet
}

fn chart(all: &[Found<'_>]) -> Option<Chart> {
    let bars: Vec<Bar> = all
        .iter()
        .filter(|found| NUMBERS[found.of.metric].2 == Unit::Span)
        .filter_map(|found| {
            let (difference, _) = found.difference.as_ref()?;
            let ends = difference.interval;
            Some(Bar {
                name: format!("{} at {}", found.of.model, found.of.provider),
                value: difference.value,
                interval: ends.is_finite().then_some((ends.low, ends.high)),
            })
        })
        .collect();
    (!bars.is_empty()).then(|| Chart {
        title: "Time to first token: now less the baseline's, medians".to_owned(),
        unit: Unit::Delta,
        plot: Plot::Forest { bars, zero: 0.0 },
        note: "Right of the line it takes longer than when the baseline was saved. 95 % intervals."
            .to_owned(),
    })
}
