//! Draws lines and stacked bars over a common scale.

use std::fmt::Write as _;

use maud::{Markup, html};

/// A chart.
#[derive(Debug, Clone)]
pub(in crate::ui) struct Chart {
    /// What it shows.
    pub(in crate::ui) title: String,
    /// How it is drawn.
    pub(in crate::ui) kind: Kind,
    /// Its horizontal scale.
    pub(in crate::ui) x: Scale,
    /// Its vertical scale.
    pub(in crate::ui) y: Scale,
    /// Its series; at most six have looks of their own.
    pub(in crate::ui) series: Vec<Series>,
    /// What must be known to read it.
    pub(in crate::ui) note: Option<String>,
}

/// How a chart is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) enum Kind {
    /// Lines with gaps where there is no number.
    Lines,
    /// Steps, as of a distribution.
    Steps,
    /// Bars on top of each other, each as wide as given.
    Bars,
}

/// A scale with evenly spaced labels.
#[derive(Debug, Clone)]
pub(in crate::ui) struct Scale {
    /// Its beginning.
    pub(in crate::ui) from: f64,
    /// Its end.
    pub(in crate::ui) to: f64,
    /// Its labels, from beginning to end.
    pub(in crate::ui) labels: Vec<String>,
}

/// A series of points.
#[derive(Debug, Clone)]
pub(in crate::ui) struct Series {
    /// What it is.
    pub(in crate::ui) name: String,
    /// Its points: x, and y where there is a number.
    pub(in crate::ui) points: Vec<(f64, Option<f64>)>,
}

/// Width and height of the drawing, in units of its own.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 240.0;
/// Looks that series can have.
const LOOKS: usize = 6;

impl Scale {
    /// A scale from zero to at least `most`, with labels by `write`.
    pub(in crate::ui) fn up_to(most: f64, write: impl Fn(f64) -> String) -> Self {
        let to = nice(most);
        let steps = if (to / magnitude(to) - 5.0).abs() < 1e-9 {
            5
        } else {
            4
        };
        Self {
            from: 0.0,
            to,
            labels: (0..=steps)
                .map(|n| match n {
                    0 => "0".to_owned(),
                    n => write(to * f64::from(n) / f64::from(steps)),
                })
                .collect(),
        }
    }

    fn at(&self, value: f64) -> f64 {
        if self.to > self.from {
            (value - self.from) / (self.to - self.from)
        } else {
            0.0
        }
    }

    fn x(&self, value: f64) -> f64 {
        self.at(value) * WIDTH
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - self.at(value) * HEIGHT
    }
}

fn magnitude(value: f64) -> f64 {
    10_f64.powf(value.max(1e-9).log10().floor())
}

/// The least of 1, 2, 4, 5, 8 and 10 times a power of ten that is at least `most`.
fn nice(most: f64) -> f64 {
    let most = if most.is_finite() && most > 0.0 {
        most
    } else {
        1.0
    };
    let unit = magnitude(most);
    let factors = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0];
    let factor = factors
        .into_iter()
        .find(|factor| factor * unit >= most * 0.999_999);
    factor.unwrap_or(10.0) * unit
}

/// The chart as a figure with its legend.
pub(in crate::ui) fn chart(chart: &Chart) -> Markup {
    let empty = chart
        .series
        .iter()
        .all(|series| series.points.iter().all(|(_, y)| y.is_none()));
    html! {
        figure.chart {
            figcaption {
                span.chart-title { (chart.title) }
                @if !empty && chart.series.len() > 1 { (legend(chart)) }
            }
            @if empty {
                p.empty { "Not enough exchanges for this chart yet." }
            } @else {
                (plot(chart))
            }
            @if let (Some(note), false) = (&chart.note, empty) { p.note { (note) } }
        }
    }
}

fn legend(chart: &Chart) -> Markup {
    html! {
        ul.legend {
            @for (index, series) in chart.series.iter().enumerate() {
                li {
                    svg.swatch viewBox="0 0 28 10" aria-hidden="true" {
                        @if chart.kind == Kind::Bars {
                            rect class=(look(chart.kind, index)) x="8" y="0" width="12" height="10" {}
                        } @else {
                            path class=(look(chart.kind, index)) d="M0 5 H28" {}
                        }
                    }
                    (series.name)
                }
            }
        }
    }
}

fn plot(chart: &Chart) -> Markup {
    let grid = chart.y.labels.len().saturating_sub(1).max(1);
    html! {
        div.plot {
            div.y-labels aria-hidden="true" {
                @for label in chart.y.labels.iter().rev() { span { (label) } }
            }
            svg role="img" aria-label=(described(chart)) viewBox=(format!("0 0 {WIDTH} {HEIGHT}"))
                preserveAspectRatio="none" {
                @for line in 0..=grid {
                    @let y = HEIGHT * line as f64 / grid as f64;
                    path.grid d=(format!("M0 {y:.1} H{WIDTH}")) {}
                }
                @for (index, shape) in shapes(chart).into_iter().enumerate() {
                    path class=(look(chart.kind, index)) d=(shape) {}
                }
            }
            div.x-labels aria-hidden="true" {
                @for label in &chart.x.labels { span { (label) } }
            }
        }
    }
}

fn look(kind: Kind, index: usize) -> String {
    let shape = if kind == Kind::Bars { "bar" } else { "line" };
    format!("{shape} s{}", index % LOOKS)
}

/// What a screen reader says: the last number of every series.
fn described(chart: &Chart) -> String {
    let mut text = chart.title.clone();
    for series in &chart.series {
        let _ = write!(text, "; {}", series.name);
    }
    text
}

fn shapes(chart: &Chart) -> Vec<String> {
    match chart.kind {
        Kind::Bars => bars(chart),
        Kind::Lines => chart
            .series
            .iter()
            .map(|series| line(chart, series, false))
            .collect(),
        Kind::Steps => chart
            .series
            .iter()
            .map(|series| line(chart, series, true))
            .collect(),
    }
}

/// A line that is broken where a number is missing; a number alone is a dot.
fn line(chart: &Chart, series: &Series, steps: bool) -> String {
    let mut path = String::new();
    let mut begun = 0;
    for (x, y) in &series.points {
        let Some(y) = y.filter(|y| y.is_finite()) else {
            end_dot(&mut path, begun);
            begun = 0;
            continue;
        };
        let (x, y) = (chart.x.x(*x), chart.y.y(y).clamp(0.0, HEIGHT));
        if begun == 0 {
            let _ = write!(path, "M{x:.1} {y:.1}");
        } else if steps {
            let _ = write!(path, "H{x:.1}V{y:.1}");
        } else {
            let _ = write!(path, "L{x:.1} {y:.1}");
        }
        begun += 1;
    }
    end_dot(&mut path, begun);
    path
}

fn end_dot(path: &mut String, begun: usize) {
    if begun == 1 {
        path.push_str("h0.1");
    }
}

/// One path per series: bars of the n-th stand on those before it.
fn bars(chart: &Chart) -> Vec<String> {
    let count = chart
        .series
        .first()
        .map_or(1, |series| series.points.len())
        .max(1);
    let width = WIDTH / count as f64;
    let mut floor = vec![0.0; count];
    let mut paths = Vec::new();
    for series in &chart.series {
        let mut path = String::new();
        for (at, (_, y)) in series.points.iter().enumerate().take(count) {
            let height = y.unwrap_or(0.0);
            if height > 0.0 {
                let (bottom, top) = (chart.y.y(floor[at]), chart.y.y(floor[at] + height));
                let x = width * at as f64 + width * 0.1;
                let _ = write!(
                    path,
                    "M{x:.1} {bottom:.1}V{top:.1}h{:.1}V{bottom:.1}Z",
                    width * 0.8
                );
                floor[at] += height;
            }
        }
        paths.push(path);
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_on_round_numbers() {
        for (most, to, labels) in [
            (0.0, 1.0, 5),
            (0.9, 1.0, 5),
            (3.1, 4.0, 5),
            (4.3, 5.0, 6),
            (980.0, 1000.0, 5),
            (1_100.0, 2_000.0, 5),
            (f64::INFINITY, 1.0, 5),
        ] {
            let scale = Scale::up_to(most, |value| value.to_string());
            assert!((scale.to - to).abs() < 1e-9, "{most}: {}", scale.to);
            assert_eq!(scale.labels.len(), labels, "{most}");
        }
    }

    #[test]
    fn a_line_is_broken_where_a_number_is_missing() {
        let series = Series {
            name: String::new(),
            points: vec![
                (0.0, Some(1.0)),
                (1.0, None),
                (2.0, Some(0.0)),
                (3.0, Some(1.0)),
            ],
        };
        let scale = |to| Scale {
            from: 0.0,
            to,
            labels: Vec::new(),
        };
        let chart = Chart {
            title: String::new(),
            kind: Kind::Lines,
            x: scale(4.0),
            y: scale(1.0),
            series: vec![series.clone()],
            note: None,
        };
        assert_eq!(
            line(&chart, &series, false),
            "M0.0 0.0h0.1M500.0 240.0L750.0 0.0"
        );
    }
}
