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
    /// Points of two values each.
    Scatter {
        /// Name, horizontal value, vertical value, and whether no other point is better in both.
        points: Vec<(String, f64, f64, bool)>,
        /// What the horizontal values are measured in.
        x_unit: Unit,
        /// What the horizontal scale shows.
        x_name: String,
        /// What the vertical scale shows.
        y_name: String,
    },
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
    pub values: Vec<Vec<Option<f64>>>,
}
