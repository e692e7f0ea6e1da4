//! A chart of a report, as what it shows and not as it is drawn.

use super::cell::Unit;

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What its numbers are measured in.
    pub unit: Unit,
    /// What it is made of.
    pub plot: Plot,
    /// What must be known to read it.
    pub note: String,
}

/// What a chart is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Plot {
    /// Estimates with their intervals, one under the other, beside a line of no effect.
    Forest {
        /// The estimates.
        bars: Vec<Bar>,
        /// Where there is no effect.
        zero: f64,
    },
    /// Lines over a common horizontal scale: distributions, or times.
    Lines {
        /// The lines.
        lines: Vec<Line>,
        /// What stands under the horizontal scale, from its beginning to its end.
        labels: Vec<String>,
        /// The horizontal scale's beginning and end.
        x: (f64, f64),
        /// Moments to be marked, with what happened.
        marks: Vec<Mark>,
    },
    /// A value for each pair of names.
    Heat(Heat),
    /// Shares of requests up to each value, over a scale of logarithms.
    Curves(Vec<Curve>),
    /// Points of two values each.
    Scatter {
        /// The points.
        points: Vec<Point>,
        /// What the horizontal values are measured in.
        x_unit: Unit,
        /// What the horizontal scale shows.
        x_name: String,
        /// What the vertical scale shows.
        y_name: String,
    },
}

/// A point of two values.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Whose it is.
    pub name: String,
    /// The horizontal value, and its interval.
    pub x: f64,
    /// Its interval.
    pub x_ends: Option<(f64, f64)>,
    /// The vertical value.
    pub y: f64,
    /// Its interval.
    pub y_ends: Option<(f64, f64)>,
    /// Whether no other point is better in both.
    pub best: bool,
}

/// A distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Whose it is.
    pub name: String,
    /// How many numbers it is of, failures included.
    pub count: u64,
    /// Its steps, ascending.
    pub steps: Vec<Step>,
}

/// A step of a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The value.
    pub at: f64,
    /// The share of the numbers up to it.
    pub share: f64,
    /// The lower end of that share.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// An estimate with its interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Whose it is.
    pub name: String,
    /// The estimate.
    pub value: f64,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
}

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Whose it is.
    pub name: String,
    /// Its points: gaps where there is no number.
    pub points: Vec<(f64, Option<f64>)>,
    /// How sure each point is, where that is known.
    pub band: Vec<Band>,
}

/// The interval of a line at one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The place.
    pub x: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A moment worth a mark.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// When.
    pub x: f64,
    /// What happened.
    pub what: String,
    /// Whether a user wrote it, and nobody found it in the numbers.
    pub note: bool,
}

/// A value for each pair of names.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The values, row by row; absent where there is none.
    pub values: Vec<Vec<Option<HeatCell>>>,
}

/// A value of a heat map with its interval, where that is known.
pub type HeatCell = (f64, Option<(f64, f64)>);
