//! Draws charts as SVG: classes and attributes only, so that a strict page may show them.

use std::fmt::Write as _;

use super::labels::places;
use super::words::number;
use crate::analysis::paper::{Bar, Heat, Line, Mark, Point, Unit};
use crate::analysis::render::units::plain;

/// Width of every drawing, in units of its own.
pub(super) const WIDTH: f64 = 900.0;
/// Height of drawings with a vertical scale.
pub(super) const HEIGHT: f64 = 300.0;
/// Where the plotting area begins and ends.
pub(super) const LEFT: f64 = 70.0;
pub(super) const RIGHT: f64 = 880.0;
pub(super) const TOP: f64 = 16.0;
pub(super) const BOTTOM: f64 = 262.0;
/// Height of a row of a forest plot or a heat map.
const ROW: f64 = 30.0;
/// Where the intervals of a forest plot begin and end: names left of it, numbers right.
const FOREST: (f64, f64) = (280.0, 640.0);
/// Length of the head of an arrow.
const ARROW: f64 = 9.0;
/// Letters of a point's name at most.
const NAME_LETTERS: usize = 36;
/// Looks that series can have.
pub(super) const LOOKS: usize = 6;
/// Depths of colour of a heat map.
const DEPTHS: f64 = 6.0;

/// `text` as it may stand in HTML, in attributes too.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}

/// A linear scale onto a span of the drawing.
#[derive(Debug, Clone, Copy)]
struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// A scale of round steps that holds all of `values`.
    fn over(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let step = step(low, high);
        let from = (low / step).floor() * step;
        let to = (high / step).ceil() * step;
        Self {
            from,
            to: if to > from { to } else { from + step },
            start,
            end,
        }
    }

    fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.from, self.to);
        self.start + (value - self.from) / (self.to - self.from) * (self.end - self.start)
    }

    fn ticks(&self) -> Vec<f64> {
        let step = step(self.from, self.to);
        let count = ((self.to - self.from) / step).round() as usize;
        (0..=count).map(|n| self.from + n as f64 * step).collect()
    }
}

/// A round step of which four to eight fill the span.
fn step(low: f64, high: f64) -> f64 {
    let span = if high > low {
        high - low
    } else {
        high.abs().max(1.0)
    };
    let rough = span / 5.0;
    let unit = 10_f64.powf(rough.log10().floor());
    let factors = [1.0, 2.0, 2.5, 5.0, 10.0];
    let fits = factors
        .into_iter()
        .find(|factor| factor * unit >= rough * 0.999_999);
    fits.unwrap_or(10.0) * unit
}

/// A number on a scale: what is zero up to rounding is zero.
fn tick_text(value: f64, step: f64, unit: Unit) -> String {
    if value.abs() < step * 1e-9 {
        "0".to_owned()
    } else {
        number(value, unit)
    }
}

/// Height, what is inside, and the legend.
pub(super) type Drawn = (f64, String, String);

/// Off the scale, at its end.
fn arrow(y: f64, to_the_right: bool) -> String {
    let (tip, back) = if to_the_right {
        (FOREST.1, -ARROW)
    } else {
        (FOREST.0, ARROW)
    };
    [
        (tip + 2.0 * back, y),
        (tip + back, y - 6.0),
        (tip + back, y + 6.0),
    ]
    .map(|(x, from)| {
        format!(
            "<line class=\"whisker\" x1=\"{x:.1}\" x2=\"{tip:.1}\" y1=\"{from:.1}\" y2=\"{y:.1}\"/>"
        )
    })
    .concat()
}

pub(super) fn forest(bars: &[Bar], zero: f64, unit: Unit) -> Drawn {
    let ends = bars.iter().flat_map(|bar| {
        let (low, high) = bar.interval.unwrap_or((bar.value, bar.value));
        [low, high, bar.value]
    });
    let scale = Scale::over(ends.chain([zero]), FOREST.0, FOREST.1);
    let bottom = TOP + bars.len() as f64 * ROW;
    let mut svg = String::new();
    let ticks = scale.ticks();
    let step = (scale.to - scale.from) / (ticks.len().max(2) - 1) as f64;
    for tick in ticks {
        let x = scale.at(tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom:.1}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 16.0,
            tick_text(tick, step, unit),
        );
    }
    let x = scale.at(zero);
    let _ = write!(
        svg,
        "<line class=\"zero\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom:.1}\"/>"
    );
    for (row, bar) in bars.iter().enumerate() {
        let y = TOP + (row as f64 + 0.5) * ROW;
        let mut value = number(bar.value, unit);
        let mut name = bar.name.as_str();
        if bar.value.is_infinite() {
            svg.push_str(&arrow(y, bar.value > 0.0));
            // Why stands behind the name in brackets: here beside the value, where there is room.
            if let Some((of, why)) = name.rsplit_once(" (") {
                (name, value) = (of, format!("{value} ({why}"));
            }
        }
        let shown = match bar.interval {
            Some((low, high)) => {
                let _ = write!(
                    svg,
                    "<line class=\"whisker\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
                    scale.at(low),
                    scale.at(high)
                );
                format!("{value} [{}, {}]", number(low, unit), number(high, unit))
            }
            None => value,
        };
        let radius = if bar.value.is_finite() { 5 } else { 0 };
        let _ = write!(
            svg,
            "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"{radius}\"><title>{}: {}</title></circle>\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            scale.at(bar.value),
            escaped(name),
            escaped(&shown),
            FOREST.0 - 12.0,
            y + 4.0,
            escaped(&clipped(name, 36)),
            FOREST.1 + 14.0,
            y + 4.0,
            escaped(&shown),
        );
    }
    (bottom + 26.0, svg, String::new())
}

pub(super) fn line_chart(
    lines: &[Line],
    labels: &[String],
    x: (f64, f64),
    marks: &[Mark],
    unit: Unit,
) -> Drawn {
    let values = lines.iter().flat_map(|line| {
        let points = line.points.iter().filter_map(|(_, y)| *y);
        points.chain(line.band.iter().flat_map(|band| [band.low, band.high]))
    });
    let y_scale = Scale::over(values.chain([0.0]), BOTTOM, TOP);
    let x_scale = Scale {
        from: x.0,
        to: if x.1 > x.0 { x.1 } else { x.0 + 1.0 },
        start: LEFT,
        end: RIGHT,
    };
    let mut svg = horizontal_grid(&y_scale, unit);
    for (index, label) in labels.iter().enumerate() {
        let share = index as f64 / (labels.len().max(2) - 1) as f64;
        let anchor = match index {
            0 => "start",
            n if n + 1 == labels.len() => "end",
            _ => "middle",
        };
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            LEFT + share * (RIGHT - LEFT),
            BOTTOM + 18.0,
            escaped(label)
        );
    }
    for mark in marks {
        let at = x_scale.at(mark.x);
        let _ = write!(
            svg,
            "<line class=\"mark{class}\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\">\
             <title>{what}</title></line>",
            class = if mark.note { " note" } else { "" },
            what = escaped(&mark.what),
        );
        if mark.note {
            let _ = write!(
                svg,
                "<path class=\"flag\" d=\"M{at:.1} {TOP}l9 4.5l-9 4.5z\"><title>{}</title></path>",
                escaped(&mark.what)
            );
        }
    }
    for (index, line) in lines.iter().enumerate() {
        let look = index % LOOKS;
        if line.band.len() > 1 {
            let upper = line.band.iter().map(|band| (band.x, band.high));
            let lower = line.band.iter().rev().map(|band| (band.x, band.low));
            let points: String = upper
                .chain(lower)
                .map(|(x, y)| format!("{:.1},{:.1} ", x_scale.at(x), y_scale.at(y)))
                .collect();
            let _ = write!(
                svg,
                "<polygon class=\"band look{look}\" points=\"{points}\"/>"
            );
        }
        for run in line.points.split(|(_, y)| y.is_none()) {
            let points: String = run
                .iter()
                .filter_map(|(x, y)| {
                    Some(format!("{:.1},{:.1} ", x_scale.at(*x), y_scale.at((*y)?)))
                })
                .collect();
            let _ = write!(
                svg,
                "<polyline class=\"line look{look}\" points=\"{points}\"/>"
            );
        }
        // Few points are dots with their values; many would hide the line.
        if line.points.len() <= 200 {
            for (x, y) in line.points.iter().filter_map(|(x, y)| Some((*x, (*y)?))) {
                let band = line.band.iter().find(|band| (band.x - x).abs() < 1e-9);
                let ends = band.map_or_else(String::new, |band| {
                    format!(" [{}, {}]", number(band.low, unit), number(band.high, unit))
                });
                let _ = write!(
                    svg,
                    "<circle class=\"point look{look}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\"><title>{}: {}{ends}</title></circle>",
                    x_scale.at(x),
                    y_scale.at(y),
                    escaped(&line.name),
                    number(y, unit)
                );
            }
        }
    }
    (
        HEIGHT,
        svg,
        legend(lines.iter().map(|line| line.name.as_str())),
    )
}

fn horizontal_grid(scale: &Scale, unit: Unit) -> String {
    let ticks = scale.ticks();
    let step = (scale.to - scale.from) / (ticks.len().max(2) - 1) as f64;
    ticks
        .into_iter()
        .map(|tick| {
            let y = scale.at(tick);
            format!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                tick_text(tick, step, unit)
            )
        })
        .collect()
}

pub(super) fn legend<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let items: String = names
        .enumerate()
        .map(|(index, name)| format!("<li class=\"look{}\">{}</li>", index % LOOKS, escaped(name)))
        .collect();
    format!("<ul class=\"legend\">{items}</ul>")
}

pub(super) fn heat_map(heat: &Heat, unit: Unit) -> Drawn {
    let name_width = 250.0;
    let columns = heat.columns.len().max(1) as f64;
    let width = ((RIGHT - name_width) / columns).min(180.0);
    let all = heat
        .values
        .iter()
        .flatten()
        .flatten()
        .map(|(value, _)| *value);
    let (low, high) = all
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    let mut svg = String::new();
    for (column, name) in heat.columns.iter().enumerate() {
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{TOP}\" text-anchor=\"middle\">{}</text>",
            name_width + (column as f64 + 0.5) * width,
            escaped(&clipped(name, (width / 7.0) as usize))
        );
    }
    for (row, name) in heat.rows.iter().enumerate() {
        let y = TOP + 8.0 + row as f64 * ROW;
        let _ = write!(
            svg,
            "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            name_width - 10.0,
            y + 19.0,
            escaped(&clipped(name, 28))
        );
        let values = heat.values.get(row).into_iter().flatten();
        for (column, cell) in values.enumerate() {
            let value = cell.map(|(value, _)| value);
            let told = heat.said(row, column, unit);
            let of = heat.columns.get(column).map_or("", String::as_str);
            let x = name_width + column as f64 * width;
            let (depth, text) = match value {
                Some(value) if high > low => {
                    let share = (value - low) / (high - low);
                    ((share * (DEPTHS - 1.0)).round() as u8, number(value, unit))
                }
                Some(value) => (0, number(value, unit)),
                None => (u8::MAX, "—".to_owned()),
            };
            let class = if depth == u8::MAX {
                "none".to_owned()
            } else {
                format!("heat{depth}")
            };
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{}, {}: {}</title></rect>\
                 <text class=\"in {class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                x + 1.0,
                width - 2.0,
                ROW - 2.0,
                escaped(name),
                escaped(of),
                escaped(&told),
                x + width / 2.0,
                y + 19.0
            );
        }
    }
    let height = TOP + 16.0 + heat.rows.len() as f64 * ROW;
    (height, svg, String::new())
}

pub(super) fn scatter(
    points: &[Point],
    x_unit: Unit,
    (x_name, y_name): (&str, &str),
    y_unit: Unit,
) -> Drawn {
    let reach = |value: f64, ends: Option<(f64, f64)>| {
        let (low, high) = ends.unwrap_or((value, value));
        [value, low, high]
    };
    let xs = points.iter().flat_map(|point| reach(point.x, point.x_ends));
    let ys = points.iter().flat_map(|point| reach(point.y, point.y_ends));
    let x_scale = Scale::over(xs.chain([0.0]), LEFT, RIGHT);
    let y_scale = Scale::over(ys.chain([0.0]), BOTTOM, TOP);
    let mut svg = horizontal_grid(&y_scale, y_unit);
    let ticks = x_scale.ticks();
    let step = (x_scale.to - x_scale.from) / (ticks.len().max(2) - 1) as f64;
    for tick in ticks {
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x_scale.at(tick),
            BOTTOM + 18.0,
            tick_text(tick, step, x_unit)
        );
    }
    let mut front: Vec<_> = points.iter().filter(|point| point.best).collect();
    front.sort_by(|a, b| a.x.total_cmp(&b.x));
    let path: String = front
        .iter()
        .map(|point| format!("{:.1},{:.1} ", x_scale.at(point.x), y_scale.at(point.y)))
        .collect();
    let _ = write!(svg, "<polyline class=\"front\" points=\"{path}\"/>");
    let named = points.iter().map(|point| {
        let letters = clipped(&point.name, NAME_LETTERS).chars().count();
        (x_scale.at(point.x), y_scale.at(point.y), letters)
    });
    let places = places(&named.collect::<Vec<_>>(), [LEFT, RIGHT, TOP, BOTTOM - 2.0]);
    for (point, place) in points.iter().zip(places) {
        let (cx, cy) = (x_scale.at(point.x), y_scale.at(point.y));
        if let Some((low, high)) = point.x_ends {
            let (from, to) = (x_scale.at(low), x_scale.at(high));
            let _ = write!(
                svg,
                "<line class=\"whisker thin\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{cy:.1}\" y2=\"{cy:.1}\"/>"
            );
        }
        if let Some((low, high)) = point.y_ends {
            let (from, to) = (y_scale.at(low), y_scale.at(high));
            let _ = write!(
                svg,
                "<line class=\"whisker thin\" x1=\"{cx:.1}\" x2=\"{cx:.1}\" y1=\"{from:.1}\" y2=\"{to:.1}\"/>"
            );
        }
        let anchor = if place.ends { "end" } else { "start" };
        if place.far {
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{cx:.1}\" y1=\"{cy:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
                place.x,
                place.y - 4.0
            );
        }
        let _ = write!(
            svg,
            "<circle class=\"{}\" cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"5\"><title>{}: {} {}, {} {}</title></circle>\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            if point.best { "dot" } else { "dot other" },
            escaped(&point.name),
            escaped(x_name),
            number(point.x, x_unit),
            escaped(y_name),
            number(point.y, y_unit),
            place.x,
            place.y,
            escaped(&clipped(&point.name, NAME_LETTERS))
        );
    }
    let _ = write!(
        svg,
        "<text class=\"tick\" x=\"{RIGHT}\" y=\"{:.1}\" text-anchor=\"end\">{} →</text>\
         <text class=\"tick\" x=\"{LEFT}\" y=\"{:.1}\">↑ {}</text>",
        BOTTOM + 36.0,
        escaped(x_name),
        TOP - 4.0,
        escaped(y_name)
    );
    (HEIGHT + 6.0, svg, String::new())
}

fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most.max(4)) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
