//! The report `trend`: percentiles over time, where they changed, and what else changed then.

use std::collections::BTreeMap;

use super::call::Call;
use super::figures::{
    METHOD, NO_CALLS, Numbers, OBSERVATIONAL, Route, UNKNOWN, by_route, ends, failures, head,
    model_cell, named, nothing, numbers, rate, region, to_first_token,
};
use super::sums::Sums;
use crate::analysis::paper::{
    Band, Cell, Chart, Column, Head, Line, Mark, Paper, Plot, Sheet, Unit,
};
use crate::analysis::render::paper::number;
use crate::analysis::tables::{Share, Window};
use crate::record::{Name, Note, WallTime};
use crate::statistics::compare::{e_benjamini_hochberg, e_value};
use crate::statistics::drift::{Change, Divisive, changes, slow_trend};
use crate::statistics::interval::{ALPHA, Estimate};

const TITLE: &str = "Trend";
/// Microseconds of an hour and of a day.
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// Windows up to this long are told by the hour.
const HOURLY: i64 = 3 * DAY;
/// Routes drawn at most: those with most requests.
const CHARTS_MAX: usize = 6;
/// Changes told in words at most.
const FINDINGS_MAX: usize = 6;
/// A name whose share moved by this much changed with it.
const SHARE_MOVED: f64 = 0.2;
/// A median prompt that moved by this factor changed with it.
const SIZE_MOVED: f64 = 1.25;

/// A route over time.
struct Course<'a> {
    route: Route,
    /// Beginning of each step with its requests, in the order of time, steps without any included.
    steps: Vec<Step<'a>>,
    /// All of it at once.
    whole: Step<'a>,
    marks: Vec<Marked>,
    /// What users wrote of it.
    notes: Vec<&'a Note>,
}

struct Step<'a> {
    at: i64,
    requests: u64,
    failed: Share,
    first_token: Numbers,
    rate: Numbers,
    /// The requests themselves; none from roll-ups.
    calls: Vec<&'a Call>,
}

impl Step<'_> {
    /// The step as one of a trend: its numbers are about its own time.
    fn of_its_span(self) -> Self {
        Self {
            failed: self.failed.of_its_span(),
            first_token: self.first_token.of_its_span(),
            rate: self.rate.of_its_span(),
            ..self
        }
    }
}

/// A change with what else changed then.
struct Marked {
    at: i64,
    metric: &'static str,
    unit: Unit,
    change: Change,
    with: Vec<String>,
}

/// The length of a step, in microseconds, of a trend over `window`.
pub(super) const fn step_of(window: Window) -> i64 {
    if window.until.0 - window.from.0 <= HOURLY {
        HOUR
    } else {
        DAY
    }
}

pub(super) fn paper(calls: &[Call], of: Head) -> Paper {
    let step = step_of(of.window);
    let notes = of.remarks.clone();
    let courses: Vec<Course<'_>> = by_route(calls)
        .into_iter()
        .map(|(route, calls)| course(route, calls, step, &notes))
        .collect();
    written(&courses, step, head(of, METHOD))
}

/// The same from roll-ups by route and step.
pub(super) fn rolled(routes: BTreeMap<Route, BTreeMap<i64, Sums>>, head: Head) -> Paper {
    let step = step_of(head.window);
    let notes = head.remarks.clone();
    let courses: Vec<Course<'_>> = routes
        .into_iter()
        .map(|(route, mut sums)| {
            let steps = all_steps(&sums.keys().copied().collect::<Vec<_>>());
            let mut whole = Sums::default();
            let of = |at: i64| {
                let sums = sums.remove(&at).unwrap_or_default();
                whole.merge(&sums);
                summed(at * step, &sums).of_its_span()
            };
            let steps = steps.map(of).collect();
            along(route, steps, summed(0, &whole), step, &notes)
        })
        .collect();
    written(&courses, step, super::figures::head(head, METHOD))
}

fn summed(at: i64, sums: &Sums) -> Step<'static> {
    Step {
        at,
        requests: sums.tries(),
        failed: sums.failed(),
        first_token: sums.first_token(),
        rate: sums.rate(),
        calls: Vec::new(),
    }
}

fn of_calls(at: i64, calls: Vec<&Call>) -> Step<'_> {
    Step {
        at,
        requests: calls.len() as u64,
        failed: failures(&calls),
        first_token: to_first_token(&calls),
        rate: numbers(&calls, rate),
        calls,
    }
}

fn written(courses: &[Course<'_>], step: i64, of: Head) -> Paper {
    if courses.is_empty() {
        return nothing("trend", TITLE, of, NO_CALLS);
    }
    let word = if step == HOUR { "hour" } else { "day" };
    let mut most: Vec<&Course<'_>> = courses.iter().collect();
    most.sort_by_key(|course| {
        let all: u64 = course.steps.iter().map(|step| step.requests).sum();
        std::cmp::Reverse(all)
    });
    let slow = slow_ones(courses);
    let charts = most.into_iter().take(CHARTS_MAX);
    Paper {
        name: "trend",
        version: 1,
        title: format!("{TITLE} by the {word}"),
        findings: findings(courses, word)
            .into_iter()
            .chain(slow.iter().filter_map(slow_finding))
            .collect(),
        charts: charts
            .filter_map(|course| chart(course, of.window, step))
            .collect(),
        sheets: vec![
            change_sheet(courses),
            note_sheet(&of.remarks),
            whole_sheet(courses),
            steps_sheet(courses),
            slow_sheet(&slow),
        ],
        head: of,
        notes: vec![
            OBSERVATIONAL.to_owned(),
            format!(
                "Changes are found by E-Divisive means (Hunter: windows of 50, Student's p below \
                 0.001, 5 % at least) in the medians of each {word} that has 6 requests. They are \
                 found in hindsight, over all routes and two numbers each, without correction for \
                 that: take a mark as a question. One that comes and goes each day is the daily \
                 curve."
            ),
            format!(
                "Slow trends: the median of all slopes between medians of {word}s (Theil and Sen) \
                 and Mann and Kendall's test, for the interval and p alike its variance times the \
                 design effect of what the slope leaves. A report is looked at again and again, and routes share their \
                 hours: a trend `holds` where its e-value (p to the power of -1/2, halved) is \
                 rejected by e-BH over all of them at 5 %, which is valid under any dependence."
            ),
            "Beside a mark stands what else changed then: a share of answered models, \
             fingerprints, settings, regions, upstreams or limits that moved by 20 points, a \
             median prompt by a quarter. It came with the change; whether it caused it is not \
             known. Tollgate's own version is not in the records."
                .to_owned(),
        ],
    }
}

fn course<'a>(route: Route, calls: Vec<&'a Call>, step: i64, notes: &'a [Note]) -> Course<'a> {
    let whole = of_calls(0, calls.clone());
    let mut by_step: BTreeMap<i64, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        let at = call.started.0.div_euclid(step);
        by_step.entry(at).or_default().push(call);
    }
    let steps = all_steps(&by_step.keys().copied().collect::<Vec<_>>())
        .map(|at| {
            let calls = by_step.remove(&at).unwrap_or_default();
            of_calls(at * step, calls).of_its_span()
        })
        .collect();
    along(route, steps, whole, step, notes)
}

/// Every step from the first to the last that there is.
fn all_steps(known: &[i64]) -> std::ops::Range<i64> {
    match known {
        [first, .., last] => *first..*last + 1,
        [only] => *only..*only + 1,
        [] => 0..0,
    }
}

fn along<'a>(
    route: Route,
    steps: Vec<Step<'a>>,
    whole: Step<'a>,
    step: i64,
    notes: &'a [Note],
) -> Course<'a> {
    let mut marks = marks(&steps, "first token p50", Unit::Span, |step| {
        step.first_token.median()
    });
    marks.extend(self::marks(&steps, "tokens/s p50", Unit::Rate, |step| {
        step.rate.median()
    }));
    marks.sort_by_key(|mark| mark.at);
    let notes: Vec<&Note> = notes
        .iter()
        .filter(|note| note.is_about(&route.1, &route.0))
        .collect();
    for mark in &mut marks {
        // Found to the step: what was written of the step before or after may be the reason.
        let near = |note: &&&Note| (note.at.0 - mark.at).abs() <= 2 * step;
        let near: Vec<String> = notes
            .iter()
            .filter(near)
            .map(|note| format!("note: {}", note.text))
            .collect();
        mark.with.extend(near);
    }
    Course {
        route,
        steps,
        whole,
        marks,
        notes,
    }
}

fn marks(
    steps: &[Step<'_>],
    metric: &'static str,
    unit: Unit,
    of: impl Fn(&Step<'_>) -> Option<f64>,
) -> Vec<Marked> {
    let known: Vec<(usize, f64)> = steps
        .iter()
        .enumerate()
        .filter_map(|(index, step)| Some((index, of(step)?)))
        .collect();
    let series: Vec<f64> = known.iter().map(|(_, value)| *value).collect();
    let found = changes(&series, &Divisive::default());
    let mut marks = Vec::new();
    for (place, change) in found.iter().enumerate() {
        let from = place.checked_sub(1).map_or(0, |before| found[before].index);
        let until = found.get(place + 1).map_or(known.len(), |next| next.index);
        let calls = |range: &[(usize, f64)]| -> Vec<&Call> {
            let steps = range.iter().map(|(index, _)| &steps[*index]);
            steps.flat_map(|step| step.calls.iter().copied()).collect()
        };
        marks.push(Marked {
            at: steps[known[change.index].0].at,
            metric,
            unit,
            change: *change,
            with: if steps.iter().all(|step| step.calls.is_empty()) {
                vec!["roll-ups do not say what else changed".to_owned()]
            } else {
                moved(
                    &calls(&known[from..change.index]),
                    &calls(&known[change.index..until]),
                )
            },
        });
    }
    marks
}

/// What is different of the requests and answers before and after.
fn moved(before: &[&Call], after: &[&Call]) -> Vec<String> {
    let text = |name: &Option<Name>| name.as_ref().map(ToString::to_string);
    let fields: [(&str, &dyn Fn(&Call) -> Option<String>); 6] = [
        ("answered model", &|call| text(&call.answered)),
        ("fingerprint", &|call| text(&call.fingerprint)),
        ("config", &|call| Some(format!("{:016x}", call.config.0))),
        ("region", &|call| Some(region(call).to_owned())),
        ("served by", &|call| text(&call.served_by)),
        ("request limit", &|call| {
            call.limits[0].map(|limit| limit.most.to_string())
        }),
    ];
    let mut moved = Vec::new();
    for (name, of) in fields {
        let (old, new) = (shares(before, of), shares(after, of));
        let names = old
            .keys()
            .chain(new.keys().filter(|key| !old.contains_key(*key)));
        let mut said: Vec<(f64, String)> = names
            .filter_map(|key| {
                let share = |of: &BTreeMap<String, f64>| of.get(key).copied().unwrap_or(0.0);
                let (old, new) = (share(&old), share(&new));
                let text = format!(
                    "{key} {} to {}",
                    number(old, Unit::Share),
                    number(new, Unit::Share)
                );
                ((new - old).abs() >= SHARE_MOVED).then_some((new - old, text))
            })
            .collect();
        said.sort_by(|a, b| b.0.total_cmp(&a.0));
        said.truncate(2);
        if !said.is_empty() {
            let said: Vec<String> = said.into_iter().map(|(_, text)| text).collect();
            moved.push(format!("{name} {}", said.join(", ")));
        }
    }
    let size = |calls: &[&Call]| numbers(calls, |call| call.size.map(|size| size as f64)).median();
    if let (Some(old), Some(new)) = (size(before), size(after))
        && old > 0.0
        && (new / old >= SIZE_MOVED || old / new.max(1.0) >= SIZE_MOVED)
    {
        moved.push(format!(
            "median prompt {} to {} tokens",
            number(old, Unit::Count),
            number(new, Unit::Count)
        ));
    }
    moved
}

fn shares(calls: &[&Call], of: &dyn Fn(&Call) -> Option<String>) -> BTreeMap<String, f64> {
    // What is not said is a name as others: that a few begin to say it is no change.
    let all = calls.len().max(1) as f64;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for call in calls {
        let name = of(call).unwrap_or_else(|| UNKNOWN.to_owned());
        *counts.entry(name).or_default() += 1;
    }
    let share = |(name, count): (String, u64)| (name, count as f64 / all);
    counts.into_iter().map(share).collect()
}

fn date(at: i64) -> String {
    let text = WallTime(at).rfc3339();
    format!("{} {}", &text[..10], &text[11..16])
}

fn with(mark: &Marked) -> String {
    if mark.with.is_empty() {
        "nothing recorded changed with it".to_owned()
    } else {
        mark.with.join("; ")
    }
}

fn findings(courses: &[Course<'_>], word: &str) -> Vec<String> {
    let mut marks: Vec<(&Course<'_>, &Marked)> = courses
        .iter()
        .flat_map(|course| course.marks.iter().map(move |mark| (course, mark)))
        .collect();
    // Those that something came with are looked at first, then the largest.
    marks.sort_by(|(_, a), (_, b)| {
        let size = b.change.magnitude().total_cmp(&a.change.magnitude());
        a.with.is_empty().cmp(&b.with.is_empty()).then(size)
    });
    let all = marks.len();
    let mut findings: Vec<String> = marks
        .into_iter()
        .take(FINDINGS_MAX)
        .map(|(course, mark)| {
            format!(
                "{}: {} went from {} to {} at {} UTC; {}.",
                named(&course.route),
                mark.metric,
                number(mark.change.before, mark.unit),
                number(mark.change.after, mark.unit),
                date(mark.at),
                with(mark)
            )
        })
        .collect();
    if all > FINDINGS_MAX {
        let more = all - FINDINGS_MAX;
        findings.push(format!("{more} smaller changes are in the table."));
    }
    if findings.is_empty() {
        let told = |course: &Course<'_>| {
            let known = course.steps.iter();
            known
                .filter(|step| step.first_token.median().is_some())
                .count()
        };
        let most = courses.iter().map(told).max().unwrap_or(0);
        findings.push(if most < 4 {
            format!(
                "Too short to tell a change: no route has four {word}s with 6 streamed answers \
                 each."
            )
        } else {
            format!("No route's medians changed lastingly, as far as {most} {word}s can tell.")
        });
    }
    findings
}

/// A route's slow trend in one number.
struct Slow<'a> {
    route: &'a Route,
    metric: &'static str,
    unit: Unit,
    steps: usize,
    /// A day's difference.
    slope: Estimate,
    p_value: f64,
    e_value: f64,
    holds: bool,
}

/// Steps that a slow trend needs.
const STEPS_MIN: usize = 10;
/// Share of the trends said to hold that may be none, in the mean.
const FALSE_MAX: f64 = 0.05;

/// The slow trends of all routes that have steps enough, judged together.
fn slow_ones<'a>(courses: &'a [Course<'_>]) -> Vec<Slow<'a>> {
    let mut slow: Vec<Slow<'a>> = Vec::new();
    for course in courses {
        for (metric, unit, of) in [
            (
                "first token p50",
                Unit::Span,
                (|step| step.first_token.median()) as fn(&Step<'_>) -> Option<f64>,
            ),
            ("tokens/s p50", Unit::Rate, |step| step.rate.median()),
        ] {
            let points: Vec<(f64, f64)> = course
                .steps
                .iter()
                .filter_map(|step| Some((step.at as f64 / DAY as f64, of(step)?)))
                .collect();
            if let Some((slope, p_value)) = slope(&points) {
                slow.push(Slow {
                    route: &course.route,
                    metric,
                    unit,
                    steps: points.len(),
                    slope,
                    p_value,
                    e_value: e_value(p_value),
                    holds: false,
                });
            }
        }
    }
    let all: Vec<f64> = slow.iter().map(|slow| slow.e_value).collect();
    let held = e_benjamini_hochberg(&all, FALSE_MAX);
    for (slow, holds) in slow.iter_mut().zip(held) {
        slow.holds = holds;
    }
    slow
}

/// The slope of (day, median) and the p-value that there is none.
fn slope(points: &[(f64, f64)]) -> Option<(Estimate, f64)> {
    let enough = points.len() >= STEPS_MIN;
    let (slope, p_value) = slow_trend(points, ALPHA).filter(|_| enough)?;
    Some((slope, p_value?))
}

fn slow_finding(slow: &Slow<'_>) -> Option<String> {
    let unit = match slow.unit {
        Unit::Span => Unit::Delta,
        _ => Unit::RateMore,
    };
    slow.holds.then(|| {
        format!(
            "{}: {} drifts by {} {} a day.",
            named(slow.route),
            slow.metric,
            number(slow.slope.value, unit),
            ends(slow.slope.interval, unit)
        )
    })
}

fn slow_sheet(slow: &[Slow<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "slow",
        "Slow trends",
        vec![
            Column::words("model", "model"),
            Column::words("provider", "provider"),
            Column::words("metric", "metric"),
            Column::words("unit", "unit"),
            Column::new("steps", "steps", Unit::Count),
            Column::new("per_day", "a day", Unit::Number),
            Column::new("p_value", "p", Unit::Number),
            Column::new("e_value", "e", Unit::Number),
            Column::words("holds", "holds"),
        ],
    );
    for slow in slow {
        let scaled = |value: f64| slow.unit.scaled(value);
        let slope = Estimate {
            value: scaled(slow.slope.value),
            interval: slow.slope.interval.map(scaled),
        };
        sheet.rows.push(vec![
            model_cell(&slow.route.0),
            Cell::text(&slow.route.1),
            Cell::text(slow.metric),
            Cell::text(slow.unit.suffix().trim_start_matches('_')),
            Cell::count(slow.steps as u64),
            Cell::estimate(&slope),
            Cell::Value(slow.p_value),
            Cell::Value(slow.e_value),
            Cell::text(if slow.holds { "yes" } else { "no" }),
        ]);
    }
    sheet
}

fn change_sheet(courses: &[Course<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "changes",
        "Changes",
        vec![
            Column::words("model", "model"),
            Column::words("provider", "provider"),
            Column::words("at", "from, UTC"),
            Column::words("metric", "metric"),
            Column::words("unit", "unit"),
            Column::new("before", "mean before", Unit::Number),
            Column::new("after", "mean after", Unit::Number),
            Column::new("p_value", "p", Unit::Number),
            Column::remark("with", "what else changed then"),
        ],
    );
    for course in courses {
        for mark in &course.marks {
            sheet.rows.push(vec![
                model_cell(&course.route.0),
                Cell::text(&course.route.1),
                Cell::text(date(mark.at)),
                Cell::text(mark.metric),
                Cell::text(mark.unit.suffix().trim_start_matches('_')),
                Cell::Value(mark.unit.scaled(mark.change.before)),
                Cell::Value(mark.unit.scaled(mark.change.after)),
                Cell::Value(mark.change.p_value),
                Cell::text(with(mark)),
            ]);
        }
    }
    sheet
}

fn note_sheet(notes: &[Note]) -> Sheet {
    let mut sheet = Sheet::new(
        "notes",
        "Notes",
        vec![
            Column::words("at", "at, UTC"),
            Column::words("route", "about"),
            Column::remark("text", "note"),
        ],
    );
    for note in notes {
        sheet.rows.push(vec![
            Cell::text(date(note.at.0)),
            Cell::text(note.route.as_deref().unwrap_or("all")),
            Cell::text(&note.text),
        ]);
    }
    sheet
}

/// Each route over the whole window, which another window can be compared with.
fn whole_sheet(courses: &[Course<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "whole",
        "Over the whole window",
        vec![
            Column::words("model", "model"),
            Column::words("provider", "provider"),
            Column::new("requests", "requests", Unit::Count),
            Column::new("failed", "failed", Unit::Share),
            Column::new("first_token_p50", "first token p50", Unit::Span),
            Column::new("first_token_p95", "first token p95", Unit::Span),
            Column::new("output_rate_p50", "tokens/s p50", Unit::Rate),
        ],
    );
    for course in courses {
        let whole = &course.whole;
        sheet.rows.push(vec![
            model_cell(&course.route.0),
            Cell::text(&course.route.1),
            Cell::count(whole.requests),
            Cell::share(whole.failed),
            whole.first_token.at(0.5),
            whole.first_token.at(0.95),
            whole.rate.at(0.5),
        ]);
    }
    sheet
}

fn steps_sheet(courses: &[Course<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "steps",
        "Over time",
        vec![
            Column::words("model", "model"),
            Column::words("provider", "provider"),
            Column::words("at", "from, UTC"),
            Column::new("requests", "requests", Unit::Count),
            Column::new("failed", "failed", Unit::Share),
            Column::new("first_token_p50", "first token p50", Unit::Span),
            Column::new("first_token_p95", "first token p95", Unit::Span),
            Column::new("output_rate_p50", "tokens/s p50", Unit::Rate),
        ],
    );
    for course in courses {
        for step in course.steps.iter().filter(|step| step.requests > 0) {
            sheet.rows.push(vec![
                model_cell(&course.route.0),
                Cell::text(&course.route.1),
                Cell::text(date(step.at)),
                Cell::count(step.requests),
                Cell::share(step.failed),
                step.first_token.at(0.5),
                step.first_token.at(0.95),
                step.rate.at(0.5),
            ]);
        }
    }
    sheet
}

fn chart(course: &Course<'_>, window: Window, step: i64) -> Option<Chart> {
    let place = |at: i64| (at + step / 2) as f64;
    let of = |name: &str, p: f64| {
        let mut line = Line {
            name: name.to_owned(),
            points: Vec::new(),
            band: Vec::new(),
        };
        let mut whole = true;
        for step in &course.steps {
            let found = step.first_token.estimate(p, ALPHA).ok();
            let x = place(step.at);
            line.points.push((x, found.map(|found| found.value)));
            match found.filter(|found| found.interval.is_finite()) {
                Some(found) => line.band.push(Band {
                    x,
                    low: found.interval.low,
                    high: found.interval.high,
                }),
                None => whole = false,
            }
        }
        // A band over a gap would say what nobody measured.
        if !whole {
            line.band.clear();
        }
        line
    };
    let lines: Vec<Line> = [of("p50", 0.5), of("p95", 0.95)]
        .into_iter()
        .filter(|line| line.points.iter().any(|(_, y)| y.is_some()))
        .collect();
    if lines.is_empty() {
        return None;
    }
    let (from, until) = (window.from.0, window.until.0);
    let label = |part: i64| date(from + (until - from) / 4 * part)[5..].to_owned();
    Some(Chart {
        title: format!("Time to first token over time: {}", named(&course.route)),
        unit: Unit::Span,
        plot: Plot::Lines {
            lines,
            labels: (0..=4).map(label).collect(),
            x: (from as f64, until as f64),
            marks: course
                .marks
                .iter()
                .map(|mark| Mark {
                    x: mark.at as f64,
                    what: format!(
                        "{}: {} to {}; {}",
                        mark.metric,
                        number(mark.change.before, mark.unit),
                        number(mark.change.after, mark.unit),
                        with(mark)
                    ),
                    note: false,
                })
                .chain(course.notes.iter().map(|note| Mark {
                    x: note.at.0 as f64,
                    what: format!("note, {}: {}", date(note.at.0), note.text),
                    note: true,
                }))
                .collect(),
        },
        note:
            "Gaps have too few requests. Broken upright lines are changes, whole ones with a flag \
               notes; pointing at one says what else changed then, as do the tables."
                .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::tests::{head, made_up};
    use crate::record::Name;

    /// Twenty-four hours of a request a minute, slower and by another model from the thirteenth.
    fn day(slower: f64) -> Vec<Call> {
        (0..24 * 60)
            .map(|n| {
                let late = n >= 13 * 60;
                let jitter = (n * 37 % 60) as f64;
                Call {
                    started: WallTime(n as i64 * 60_000_000),
                    answered: Some(Name::from(if late { "gpt-4.1-b" } else { "gpt-4.1-a" })),
                    ..made_up(n, 300.0 + jitter + if late { slower } else { 0.0 })
                }
            })
            .collect()
    }

    #[test]
    fn a_change_is_marked_with_what_changed_then() {
        let paper = paper(&day(120.0), head());
        let finding = &paper.findings[0];
        assert!(
            finding.contains("first token p50 went from 330 ms to 450 ms at 1970-01-01 13:00 UTC"),
            "{finding}"
        );
        assert!(
            finding.contains("answered model gpt-4.1-b 0 % to 100 %"),
            "{finding}"
        );
        let Plot::Lines { marks, lines, .. } = &paper.charts[0].plot else {
            panic!("lines");
        };
        assert_eq!(marks.len(), 1);
        assert_eq!(lines[0].points.len(), 24);
        assert_eq!(paper.sheets[3].rows.len(), 24);
    }

    #[test]
    fn a_note_is_a_mark_and_stands_beside_the_change() {
        let note =
            |route, hour: i64| Note::new(WallTime(hour * HOUR), route, "new prompt").unwrap();
        let mut of = head();
        of.remarks = vec![
            note(Some("openai"), 12),
            note(Some("groq"), 13),
            note(None, 2),
        ];
        let paper = paper(&day(120.0), of);
        assert!(
            paper.findings[0].ends_with("; note: new prompt."),
            "{:?}",
            paper.findings
        );
        let Plot::Lines { marks, .. } = &paper.charts[0].plot else {
            panic!("lines");
        };
        let notes = marks.iter().filter(|mark| mark.note);
        assert_eq!(notes.count(), 2, "those of openai and of all");
        assert_eq!(paper.sheets[1].rows.len(), 3);
    }

    #[test]
    fn that_a_few_begin_to_say_something_is_no_change() {
        let mut calls = day(120.0);
        calls.iter_mut().for_each(|call| call.answered = None);
        if let Some(last) = calls.last_mut() {
            last.fingerprint = Some(Name::from("fp_1"));
        }
        let paper = paper(&calls, head());
        assert!(
            paper.findings[0].ends_with("nothing recorded changed with it."),
            "{:?}",
            paper.findings
        );
    }

    #[test]
    fn a_level_day_has_no_mark() {
        let paper = paper(&day(0.0), head());
        assert!(paper.sheets[0].rows.is_empty());
        assert!(
            paper.findings[0].contains("as far as 24 hours can tell"),
            "{:?}",
            paper.findings
        );
    }

    #[test]
    fn a_slow_trend_is_told_where_it_holds() {
        let drifting = |per_day: f64| {
            let calls: Vec<Call> = (0..24 * 60)
                .map(|n| {
                    let noise = f64::from(u32::try_from(n * 7_919 % 101).unwrap());
                    let call = made_up(n as usize, 300.0 + noise + per_day * n as f64 / 1_440.0);
                    Call {
                        started: WallTime(n * 60_000_000),
                        ..call
                    }
                })
                .collect();
            let paper = paper(&calls, head());
            let sheet = paper.sheets.last().unwrap().clone();
            let told = paper.findings.iter().any(|said| said.contains("drifts by"));
            (sheet.rows[0].clone(), told)
        };
        let (row, told) = drifting(60.0);
        let slope = row[5].number().unwrap();
        assert!((50.0..70.0).contains(&slope), "{slope} ms a day");
        assert_eq!((row[8].clone(), told), (Cell::text("yes"), true));
        let (row, told) = drifting(0.0);
        assert_eq!((row[8].clone(), told), (Cell::text("no"), false));
    }
}
