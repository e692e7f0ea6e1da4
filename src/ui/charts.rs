//! Puts numbers of the store into charts.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_json::{Value, json};

use crate::analysis::render::units::span;
use crate::analysis::tables::Window;
use crate::edge::store::{Grain, RollupKey, StoreError, StoreReader, Summary};
use crate::record::{Outcome, WallTime};
use crate::statistics::metric::is_timed;
use crate::statistics::{DEFINITIONS, Rollup};

use super::lately::quantile;
use super::rows::{self, Asked};
use super::svg::{Chart, Kind, Scale, Series};

/// The charts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// First token over time: p50 and p95.
    Latency,
    /// Exchanges over time, by what became of them.
    Volume,
    /// How first tokens are distributed, by route.
    FirstToken,
}

impl Which {
    pub(super) const ALL: [Self; 3] = [Self::Latency, Self::Volume, Self::FirstToken];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Volume => "volume",
            Self::FirstToken => "first-token",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|which| which.name() == name)
    }
}

/// Spans of a chart over time, about: fewer would hide what happened, more would leave too few
/// exchanges for a quantile in each.
const POINTS: i64 = 30;
/// Up to this length of time minutes are looked at, then hours.
const MINUTES_MAX: i64 = 12 * 3600;
/// Routes in one chart.
const ROUTES_MAX: usize = 6;
/// First tokens looked at for a distribution.
const VALUES_MAX: usize = 400_000;
/// Points of a distribution.
const STEPS: usize = 160;

/// One chart of what `asked` takes.
pub(super) fn draw(reader: &StoreReader, which: Which, asked: &Asked) -> Result<Chart, StoreError> {
    match which {
        Which::Latency => Ok(latency(&over_time(reader, asked)?)),
        Which::Volume => Ok(volume(&over_time(reader, asked)?)),
        Which::FirstToken => first_token(reader, asked),
    }
}

/// The two charts over time, read at once.
pub(super) fn both(reader: &StoreReader, asked: &Asked) -> Result<[Chart; 2], StoreError> {
    let times = over_time(reader, asked)?;
    Ok([latency(&times), volume(&times)])
}

/// Roll-ups of equal spans of time.
struct Times {
    window: Window,
    step: i64,
    /// By number of the span: all exchanges, and streams alone.
    spans: BTreeMap<i64, (Rollup, Rollup)>,
}

fn over_time(reader: &StoreReader, asked: &Asked) -> Result<Times, StoreError> {
    let names = reader.names()?;
    let number = |name: &Option<String>| {
        name.as_ref()
            .map(|name| names.find(name).map_or(u32::MAX, |id| id.0))
    };
    let (provider, model) = (number(&asked.provider), number(&asked.model));
    let wanted = |key: &RollupKey| {
        asked.origins.takes(key.origin)
            && provider.is_none_or(|provider| provider == key.provider.0)
            && model.is_none_or(|model| model == key.model.0)
    };
    let seconds = asked.window.seconds();
    let grain = if seconds <= MINUTES_MAX {
        Grain::Minute
    } else {
        Grain::Hour
    };
    let step = seconds
        .div_euclid(POINTS)
        .max(1)
        .div_euclid(grain.seconds())
        .max(0)
        + 1;
    let step = step * grain.seconds();
    let mut spans: BTreeMap<i64, (Rollup, Rollup)> = BTreeMap::new();
    reader.rollups(DEFINITIONS, grain, asked.window.range(), |key, rollup| {
        if wanted(key) {
            let at = i64::from(key.place) * grain.seconds();
            let (all, streams) = spans.entry(at.div_euclid(step)).or_default();
            all.merge(rollup);
            if key.stream {
                streams.merge(rollup);
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(Times {
        window: asked.window,
        step,
        spans,
    })
}

impl Times {
    fn places(&self) -> std::ops::RangeInclusive<i64> {
        let last = (self.window.until.0 - 1).div_euclid(1_000_000);
        self.window.from.as_secs().div_euclid(self.step)..=last.div_euclid(self.step)
    }

    fn points(&self, of: impl Fn(&(Rollup, Rollup)) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
        let point = |place: i64| {
            let middle = (place * self.step + self.step / 2) as f64;
            (middle, self.spans.get(&place).and_then(&of))
        };
        self.places().map(point).collect()
    }

    fn scale(&self) -> Scale {
        let places = self.places();
        let from = places.start() * self.step;
        let to = (places.end() + 1) * self.step;
        let label = |n: i64| clock(from + (to - from) * n / 4, to - from);
        Scale {
            from: from as f64,
            to: to as f64,
            labels: (0..=4).map(label).collect(),
        }
    }
}

/// A date as a chart shows it: the time of a day, or the day.
fn clock(seconds: i64, window: i64) -> String {
    let text = WallTime::default().plus_secs(seconds).rfc3339();
    if window <= 2 * 86_400 {
        text[11..16].to_owned()
    } else {
        text[5..10].to_owned()
    }
}

fn latency(times: &Times) -> Chart {
    let series = [("p50", 0.5), ("p95", 0.95)].map(|(name, p)| Series {
        name: name.to_owned(),
        points: times.points(|(_, streams)| {
            quantile(&streams.first_token, p, streams.failures())
                .value()
                .map(|ns| ns / 1e6)
        }),
    });
    let most = most(&series);
    Chart {
        title: "First token".to_owned(),
        kind: Kind::Lines,
        x: times.scale(),
        y: Scale::up_to(most, |ms| span(ms * 1e6)),
        series: series.to_vec(),
        note: Some(
            "Streams, times in UTC. A point needs 6 exchanges for p50 and 72 for p95; failures \
             count as infinitely long, and what falls among them has no point. From sketches \
             within 1 %."
                .to_owned(),
        ),
    }
}

fn volume(times: &Times) -> Chart {
    let count = |of: fn(&Rollup) -> u64| times.points(|(all, _)| Some(of(all) as f64));
    let series = [
        ("ok", count(|rollup| rollup.outcome(Outcome::Ok))),
        ("route failure", count(Rollup::failures)),
        (
            "rate limited",
            count(|rollup| rollup.outcome(Outcome::RateLimited)),
        ),
        (
            "other",
            count(|rollup| {
                let known = rollup.judged() + rollup.outcome(Outcome::RateLimited);
                rollup.exchanges().saturating_sub(known)
            }),
        ),
    ]
    .map(|(name, points)| Series {
        name: name.to_owned(),
        points,
    });
    let sum = |at: usize| {
        series
            .iter()
            .filter_map(|one| one.points[at].1)
            .sum::<f64>()
    };
    let most = (0..series[0].points.len())
        .map(sum)
        .fold(0.0, f64::max)
        .max(4.0);
    let minutes = times.step / 60;
    Chart {
        title: if minutes == 1 {
            "Exchanges per minute".to_owned()
        } else {
            format!("Exchanges per {minutes} minutes")
        },
        kind: Kind::Bars,
        x: times.scale(),
        y: Scale::up_to(most, |count| format!("{count:.0}")),
        series: if times.spans.is_empty() {
            Vec::new()
        } else {
            series.to_vec()
        },
        note: None,
    }
}

fn most(series: &[Series]) -> f64 {
    let points = series.iter().flat_map(|series| &series.points);
    points.filter_map(|(_, y)| *y).fold(0.0, f64::max)
}

/// The first tokens of one route, and its failures.
#[derive(Default)]
struct FirstTokens {
    values: Vec<u64>,
    failures: usize,
}

fn first_token(reader: &StoreReader, asked: &Asked) -> Result<Chart, StoreError> {
    let names = reader.names()?;
    let mut routes: BTreeMap<(u32, u32), (FirstTokens, Summary)> = BTreeMap::new();
    let mut looked_at = 0;
    let selection = rows::selection(asked, &names);
    reader.scan(asked.window.range(), |summary| {
        let row = rows::row(summary);
        if selection.excludes(&row).is_some() || row.provider == 0 || !summary.in_latency() {
            return ControlFlow::Continue(());
        }
        let route = (row.provider, row.model);
        let (found, _) = routes
            .entry(route)
            .or_insert_with(|| (FirstTokens::default(), *summary));
        if row.outcome.is_route_failure() {
            found.failures += usize::from(row.stream);
        } else if let (true, Ok(time)) = (is_timed(row.outcome), row.figures.first_token) {
            found.values.push(time.0);
            looked_at += 1;
        }
        if looked_at < VALUES_MAX {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    let mut routes: Vec<(FirstTokens, Summary)> = routes.into_values().collect();
    routes.retain(|(found, _)| found.values.len() >= 6);
    routes.sort_by_key(|(found, _)| std::cmp::Reverse(found.values.len()));
    let left_out = routes.len().saturating_sub(ROUTES_MAX);
    routes.truncate(ROUTES_MAX);
    let mut to = 0.0_f64;
    let mut series = Vec::new();
    for (found, summary) in &mut routes {
        found.values.sort_unstable();
        let p99 = found.values[(found.values.len() - 1) * 99 / 100];
        to = to.max(p99 as f64 / 1e6);
        let text = |id| rows::text(&names, id).unwrap_or_default();
        series.push(Series {
            name: format!("{}/{}", text(summary.provider), text(summary.route_model)),
            points: steps(found),
        });
    }
    Ok(Chart {
        title: "First token, distribution by route".to_owned(),
        kind: Kind::Steps,
        x: cut(to, &mut series),
        y: Scale {
            from: 0.0,
            to: 1.0,
            labels: (0..=4).map(|n| format!("{} %", n * 25)).collect(),
        },
        series,
        note: Some(format!(
            "How many streams had their first token by then; failures never have it, so that \
             their line stays below 100 %.{}{}",
            if left_out > 0 {
                format!(" {left_out} routes with fewer are left out.")
            } else {
                String::new()
            },
            if looked_at >= VALUES_MAX {
                " The first 400,000 exchanges of the window."
            } else {
                ""
            },
        )),
    })
}

fn steps(found: &FirstTokens) -> Vec<(f64, Option<f64>)> {
    let (values, all) = (&found.values, (found.values.len() + found.failures) as f64);
    let count = STEPS.min(values.len());
    let place = |n: usize| (n + 1) * values.len() / count - 1;
    let mut points = vec![(0.0, Some(0.0))];
    points.extend(
        (0..count)
            .map(place)
            .map(|at| (values[at] as f64 / 1e6, Some((at + 1) as f64 / all))),
    );
    points
}

/// A scale that ends where the slowest route has almost all: what lies beyond is not drawn.
fn cut(to: f64, series: &mut [Series]) -> Scale {
    let scale = Scale::up_to(to, |ms| span(ms * 1e6));
    for one in series {
        let last = one
            .points
            .iter()
            .rfind(|(x, _)| *x <= scale.to)
            .and_then(|(_, y)| *y);
        one.points.retain(|(x, _)| *x <= scale.to);
        // The line goes on level to the edge.
        one.points.push((scale.to, last));
    }
    scale
}

/// The chart as JSON.
pub(super) fn json(which: Which, chart: &Chart) -> Value {
    let series: Vec<Value> = chart
        .series
        .iter()
        .map(|series| json!({ "name": series.name, "points": series.points }))
        .collect();
    json!({
        "schema": "tollgate.chart/1",
        "chart": which.name(),
        "title": chart.title,
        "x": if which == Which::FirstToken { "milliseconds" } else { "unix_seconds" },
        "y": match which {
            Which::Latency => "milliseconds",
            Which::Volume => "exchanges",
            Which::FirstToken => "fraction",
        },
        "series": series,
        "note": chart.note,
    })
}
