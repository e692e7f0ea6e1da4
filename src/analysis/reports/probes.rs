//! The report `probes`: how often each route answers, how soon, which way it goes, how it starts.

use std::collections::{BTreeMap, HashMap};

use super::Report;
use super::call::{Call, plain_model};
use super::figures::{METHOD, Numbers, Route, ends, model_cell, named, nothing};
use super::probed::drift_cells;
use crate::analysis::paper::{Band, Cell, Chart, Column, Head, Line, Paper, Plot, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::tables::{Share, Window};
use crate::analysis::watch::cold::{Warm, cold_starts};
use crate::analysis::watch::drift::{Question, drift};
use crate::analysis::watch::{Drift, Point};
use crate::record::{ExchangeId, ExchangeRecord, Origin, Outcome, WallTime};
use crate::statistics::drift::Thresholds;
use crate::statistics::drift::slow_trend;
use crate::statistics::interval::{ALPHA, Estimate, wilson};

const TITLE: &str = "Probes";
/// Microseconds of a day, and of a step of the trend.
const DAY: i64 = 86_400 * 1_000_000;
const TREND_STEP: i64 = DAY / 4;
/// Steps that a trend needs.
const STEPS_MIN: usize = 10;
/// Routes drawn at most: those with most probes.
const LINES_MAX: usize = 6;

/// The report at work.
#[derive(Debug, Default)]
pub struct Probes {
    routes: BTreeMap<Route, Vec<Point>>,
    /// Microseconds since the call of its route before each, where that was looked up.
    idle: HashMap<ExchangeId, i64>,
}

impl Probes {
    /// Nothing yet; `idle` says for how long the route of each probe had been idle.
    #[must_use]
    pub fn new(idle: impl IntoIterator<Item = (ExchangeId, Option<i64>)>) -> Self {
        let known = idle.into_iter().filter_map(|(id, idle)| Some((id, idle?)));
        Self {
            routes: BTreeMap::new(),
            idle: known.collect(),
        }
    }
}

impl Report for Probes {
    fn take(&mut self, record: &ExchangeRecord, calls: Vec<Call>) {
        let (Some((_, point)), Some(call)) = (Point::of(record), calls.last()) else {
            return;
        };
        let route = (plain_model(call), call.provider.to_string());
        let points = self.routes.entry(route).or_default();
        let before = points.last().map(|last| point.at.0 - last.at.0);
        let idle = self.idle.get(&record.id).copied().or(before);
        points.push(Point { idle, ..point });
    }

    fn takes_origin(&self, origin: Origin) -> bool {
        origin == Origin::Probe
    }

    fn paper(&self, head: Head) -> Paper {
        let head = Head {
            origin: Origin::Probe.name().to_owned(),
            method: METHOD,
            ..head
        };
        // Of what is to come there is nothing: the last day is the one up to now.
        let window = Window {
            until: head.window.until.min(WallTime(head.made.0 + 1)),
            ..head.window
        };
        if self.routes.is_empty() {
            let why = "No probe in this window: `tollgate probe` asks each route once, \
                       `probes.schedule` of the config does it by the clock.";
            return nothing("probes", TITLE, head, why);
        }
        let found: Vec<Found<'_>> = self
            .routes
            .iter()
            .map(|(route, points)| Found::of(route, points, window))
            .collect();
        Paper {
            name: "probes",
            version: 1,
            title: TITLE.to_owned(),
            findings: found.iter().map(Found::sentence).collect(),
            sheets: vec![
                routes_sheet(&found),
                baseline_sheet(&found),
                days_sheet(&found, window),
            ],
            charts: charts(&found, window),
            notes: notes(),
            head,
        }
    }
}

fn notes() -> Vec<String> {
    vec![
        "Availability is of the probes that were answered or failed by the route's fault; rate \
         limits and refused keys are in neither part. A probe that was not answered within a \
         minute has failed. Days end with the window."
            .to_owned(),
        "First token and total begin with the request's first byte to the provider; connecting is \
         beside them, of the probes that opened a connection."
            .to_owned(),
        "A cold start is a first token after five idle minutes or more that takes at least twice \
         the median of the warm ones and lies more than 3.5 deviations (1.4826 MAD of the \
         logarithms) above it. Warm are probes that follow another call of the route within five \
         minutes; below six of them all probes stand in, which finds fewer."
            .to_owned(),
        "Drifted: both the sums of quarters of an hour (CUSUM, k = 0.5, one false alarm a week) of \
         the window's last day say that it changed, against up to seven days before, and the \
         median is off by 20 %. The trend is the median slope of medians of six hours (Theil and \
         Sen) over the window, its interval and p of as many steps as are independent (design \
         effect)."
            .to_owned(),
    ]
}

/// A route and what was found of it.
struct Found<'a> {
    route: &'a Route,
    points: &'a [Point],
    availability: Share,
    first_token: Numbers,
    cold: Option<(u64, u64)>,
    warm: Option<Warm>,
    drift: Drift,
    trend: Trend,
}

/// The slope of the first token, nanoseconds a day.
enum Trend {
    TooShort(usize),
    Slope {
        slope: Estimate,
        p_value: Option<f64>,
    },
}

impl<'a> Found<'a> {
    fn of(route: &'a Route, points: &'a [Point], window: Window) -> Self {
        Self {
            route,
            points,
            availability: availability(points),
            first_token: numbers(points, |point| point.first_token),
            cold: cold_starts(points),
            warm: Warm::of(points),
            drift: drift(
                points,
                &Question {
                    now: window.until,
                    threshold: Thresholds::default().drift,
                    held: None,
                },
            ),
            trend: Trend::of(points),
        }
    }

    fn sentence(&self) -> String {
        let mut parts = Vec::new();
        let Share { part, whole, .. } = self.availability;
        if let Some(found) = wilson(part, whole, ALPHA) {
            parts.push(format!(
                "answered {part} of {whole} probes ({}, {})",
                number(found.value, Unit::Share),
                ends(found.interval, Unit::Share)
            ));
        }
        if let Ok(found) = self.first_token.estimate(0.5, ALPHA) {
            let interval = ends(found.interval, Unit::Span);
            let median = number(found.value, Unit::Span);
            parts.push(format!("median first token {median} ({interval})"));
        }
        if let Drift::Judged(judged) = &self.drift
            && judged.drifted
        {
            let before = number(judged.baseline, Unit::Span);
            let now = number(judged.now, Unit::Span);
            parts.push(format!("has drifted from {before} to {now}"));
        }
        if let Some((cold, of)) = self.cold.filter(|(cold, _)| *cold > 0) {
            parts.push(format!(
                "{cold} of {of} answers after a pause look like cold starts"
            ));
        }
        if parts.is_empty() {
            parts.push("nothing is known but rate limits or refused keys".to_owned());
        }
        format!("{}: {}.", named(self.route), parts.join("; "))
    }
}

fn availability(points: &[Point]) -> Share {
    let judged = points.iter().filter_map(|point| point.answered);
    let answered = points.iter().filter(|point| point.answered == Some(true));
    Share::of(answered.count() as u64, judged.count() as u64)
}

/// A number of the probes, in the order of time; a failure takes infinitely long.
fn numbers(points: &[Point], of: impl Fn(&Point) -> Option<f64>) -> Numbers {
    let values = points.iter().filter_map(|point| match point.answered {
        Some(false) => Some((point.at, f64::INFINITY)),
        _ => Some((point.at, of(point)?)),
    });
    Numbers::in_time(values)
}

impl Trend {
    fn of(points: &[Point]) -> Self {
        let steps = points.chunk_by(|one, other| {
            one.at.0.div_euclid(TREND_STEP) == other.at.0.div_euclid(TREND_STEP)
        });
        let medians: Vec<(f64, f64)> = steps
            .filter_map(|step| {
                let first = step.iter().filter_map(|point| point.first_token);
                let median = Numbers::of(first).sample().quantile(0.5)?;
                let at = step[0].at.0.div_euclid(TREND_STEP) as f64;
                Some((at * TREND_STEP as f64 / DAY as f64, median))
            })
            .collect();
        if medians.len() < STEPS_MIN {
            return Self::TooShort(medians.len());
        }
        let found = slow_trend(&medians, ALPHA);
        found.map_or(Self::TooShort(medians.len()), |(slope, p_value)| {
            Self::Slope { slope, p_value }
        })
    }
}

fn names() -> [Column; 2] {
    [
        Column::words("model", "model"),
        Column::words("provider", "provider"),
    ]
}

fn row(found: &Found<'_>, rest: impl IntoIterator<Item = Cell>) -> Vec<Cell> {
    let names = [model_cell(&found.route.0), Cell::text(&found.route.1)];
    names.into_iter().chain(rest).collect()
}

fn columns(rest: impl IntoIterator<Item = Column>) -> Vec<Column> {
    names().into_iter().chain(rest).collect()
}

fn routes_sheet(all: &[Found<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "routes",
        "Routes",
        columns([
            Column::new("probes", "probes", Unit::Count),
            Column::new("availability", "answered", Unit::Share),
            Column::new("first_token_p50", "first token p50", Unit::Span),
            Column::new("total_p50", "total p50", Unit::Span),
            Column::new("connect_p50", "connect p50", Unit::Span),
            Column::new("cold_starts", "cold starts", Unit::Share),
            Column::new("warm_first_token", "warm median", Unit::Span),
            Column::new("cost", "cost", Unit::Dollars),
            Column::new("priced", "with a price", Unit::Share),
        ]),
    );
    for found in all {
        let points = found.points;
        let (cost, priced) = cost(points);
        let connect = points
            .iter()
            .filter_map(|point| Some((point.at, point.connect?)));
        let warm = found.warm.filter(|warm| warm.is_warm);
        sheet.rows.push(row(
            found,
            [
                Cell::count(points.len() as u64),
                Cell::share(found.availability),
                found.first_token.at(0.5),
                numbers(points, |point| point.total).at(0.5),
                Numbers::in_time(connect).at(0.5),
                found.cold.map_or_else(
                    || Cell::absent("needs 6 answers"),
                    |(cold, of)| Cell::share(Share::of(cold, of)),
                ),
                Cell::maybe(warm.map(|warm| warm.median()), "needs 6 warm"),
                Cell::maybe(cost, "no price"),
                Cell::share(priced),
            ],
        ));
    }
    sheet
}

/// US dollars of the probes whose cost is known, and how many that is of those that were answered.
/// A refused one costs nothing, which is no price of a probe.
fn cost(points: &[Point]) -> (Option<f64>, Share) {
    let costs = points.iter().filter_map(|point| point.cost);
    let sum: f64 = costs.sum();
    let answered = || points.iter().filter(|point| point.outcome == Outcome::Ok);
    let priced = answered().filter(|point| point.cost.is_some()).count() as u64;
    let known = priced > 0 || sum > 0.0;
    (
        known.then_some(sum),
        Share::of(priced, answered().count() as u64),
    )
}

fn baseline_sheet(all: &[Found<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "baseline",
        "Against the baseline, and the trend",
        columns([
            Column::new("baseline_first_token", "baseline", Unit::Span),
            Column::new("now_first_token", "first token now", Unit::Span),
            Column::new("over_baseline", "over baseline", Unit::Times),
            Column::remark("drift", "drifted"),
            Column::new("trend", "trend, a day", Unit::Delta),
            Column::new("trend_p", "p of it", Unit::Number),
        ]),
    );
    for found in all {
        let trend = match &found.trend {
            Trend::TooShort(has) => {
                let why = format!("needs {STEPS_MIN} steps, has {has}");
                [Cell::absent(why), Cell::absent("too short")]
            }
            Trend::Slope { slope, p_value } => {
                [Cell::estimate(slope), Cell::maybe(*p_value, "only ties")]
            }
        };
        sheet.rows.push(row(
            found,
            drift_cells(&found.drift).into_iter().chain(trend),
        ));
    }
    sheet
}

/// The days up to the window's end, the oldest first: their beginnings.
fn days(window: Window) -> Vec<i64> {
    // A window up to now ends a microsecond behind it.
    let count = (window.until.0 - window.from.0 - 2).max(0) / DAY + 1;
    let first = window.until.0 - count * DAY;
    (0..count).map(|day| first + day * DAY).collect()
}

/// The points of the day that begins at `from`.
fn of_day(points: &[Point], from: i64) -> &[Point] {
    let start = points.partition_point(|point| point.at.0 < from);
    let end = points.partition_point(|point| point.at.0 < from + DAY);
    &points[start..end]
}

fn date(at: i64) -> String {
    let text = WallTime(at).rfc3339();
    format!("{} {}", &text[..10], &text[11..16])
}

fn days_sheet(all: &[Found<'_>], window: Window) -> Sheet {
    let mut sheet = Sheet::new(
        "days",
        "By the day",
        columns([
            Column::words("at", "24 h from (UTC)"),
            Column::new("probes", "probes", Unit::Count),
            Column::new("availability", "answered", Unit::Share),
            Column::new("error_rate", "failed", Unit::Share),
            Column::new("first_token_p50", "first token p50", Unit::Span),
            Column::new("total_p50", "total p50", Unit::Span),
        ]),
    )
    .grouped(2);
    for found in all {
        for day in days(window) {
            let points = of_day(found.points, day);
            if points.is_empty() {
                continue;
            }
            let Share { part, whole, .. } = availability(points);
            sheet.rows.push(row(
                found,
                [
                    Cell::text(date(day)),
                    Cell::count(points.len() as u64),
                    Cell::share(Share::of(part, whole)),
                    Cell::share(Share::of(whole - part, whole)),
                    numbers(points, |point| point.first_token).at(0.5),
                    numbers(points, |point| point.total).at(0.5),
                ],
            ));
        }
    }
    sheet
}

/// Availability and the median first token by the day, of the routes with most probes.
fn charts(all: &[Found<'_>], window: Window) -> Vec<Chart> {
    let mut most: Vec<&Found<'_>> = all.iter().collect();
    most.sort_by_key(|found| std::cmp::Reverse(found.points.len()));
    most.truncate(LINES_MAX);
    let days = days(window);
    if days.len() < 2 {
        return Vec::new();
    }
    let line = |found: &Found<'_>, of: &dyn Fn(&[Point]) -> Option<Estimate>| {
        let mut line = Line {
            name: named(found.route),
            points: Vec::new(),
            band: Vec::new(),
        };
        for day in &days {
            let x = (day + DAY / 2) as f64;
            let value = of(of_day(found.points, *day));
            line.points.push((x, value.map(|found| found.value)));
            if let Some(found) = value.filter(|found| found.interval.is_finite()) {
                let (low, high) = (found.interval.low, found.interval.high);
                line.band.push(Band { x, low, high });
            }
        }
        if line.band.len() < days.len() {
            // A band over a gap would say what nobody measured.
            line.band.clear();
        }
        line
    };
    let share = |points: &[Point]| {
        let Share { part, whole, .. } = availability(points);
        wilson(part, whole, ALPHA)
    };
    let first = |points: &[Point]| {
        numbers(points, |point| point.first_token)
            .estimate(0.5, ALPHA)
            .ok()
    };
    let (from, until) = (days[0], window.until.0);
    let label = |part: i64| date(from + (until - from) / 4 * part)[5..].to_owned();
    let chart = |title: &str, unit, of: &dyn Fn(&[Point]) -> Option<Estimate>| {
        let lines: Vec<Line> = most.iter().map(|found| line(found, of)).collect();
        let known = |line: &Line| line.points.iter().any(|(_, y)| y.is_some());
        lines.iter().any(known).then(|| Chart {
            title: title.to_owned(),
            unit,
            plot: Plot::Lines {
                lines: lines.into_iter().filter(known).collect(),
                labels: (0..=4).map(label).collect(),
                x: (from as f64, until as f64),
                marks: Vec::new(),
            },
            note: "A point a day, with its interval of 95 %. Gaps have too few probes.".to_owned(),
        })
    };
    [
        chart("Answered probes by the day", Unit::Share, &share),
        chart("Median first token by the day", Unit::Span, &first),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::watch::point::tests::answered;

    #[test]
    fn a_refused_probe_is_no_price() {
        let of = |outcome, cost| Point {
            outcome,
            cost,
            ..answered(1, 1.0)
        };
        let refused = of(Outcome::RateLimited, Some(0.0));
        for (points, expected, known) in [
            (vec![of(Outcome::Ok, None), refused], None, (0, 1)),
            (vec![refused], None, (0, 0)),
            (vec![of(Outcome::Ok, Some(0.0)), refused], Some(0.0), (1, 1)),
            (
                vec![of(Outcome::Ok, Some(2.0)), of(Outcome::Ok, None), refused],
                Some(2.0),
                (1, 2),
            ),
            (vec![of(Outcome::Truncated, Some(1.0))], Some(1.0), (0, 0)),
        ] {
            let (cost, Share { part, whole, .. }) = cost(&points);
            assert_eq!((cost, (part, whole)), (expected, known), "{points:?}");
        }
    }
}
