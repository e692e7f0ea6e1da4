//! What every report is laid out as: tables of typed cells, charts, and what must be known to
//! read them. Each format is written from it, so that no two formats can differ in a number.

mod bound;

mod cell;

mod chart;

mod sheet;

pub use bound::whole_within;
pub use cell::{Cell, Cut, Drawn, Unit};
pub use chart::{Band, Bar, Chart, Curve, Heat, HeatCell, Line, Mark, Plot, Point, Step};
pub use sheet::{Column, Sheet};

use crate::record::{KeyedHash, Name, Note, PicoDollars, WallTime};

use super::tables::Window;

/// A report laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct Paper {
    /// Its name, as it is asked for: `tax`. With [`Self::version`] it names the JSON's schema.
    pub name: &'static str,
    /// The version of its tables and columns: raised when one is taken away or changes meaning.
    pub version: u16,
    /// What it is, in a line.
    pub title: String,
    /// What it answers, in words that a manager understands: the findings first.
    pub findings: Vec<String>,
    /// What it is of.
    pub head: Head,
    /// Its tables.
    pub sheets: Vec<Sheet>,
    /// Its charts.
    pub charts: Vec<Chart>,
    /// What must be known to read it.
    pub notes: Vec<String>,
}

impl Paper {
    /// The same with at most `routes` routes, those of the most requests, each with all of its
    /// rows, and at most `rows` rows; a note says what is left out.
    #[must_use]
    pub fn at_most(mut self, routes: usize, rows: usize) -> Self {
        let command = format!("tollgate report {}", self.name);
        let note = bound::keep(&mut self.sheets, routes, rows, &command);
        self.notes.extend(note);
        self
    }
}

/// What the numbers of a report are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// Every record of the window.
    #[default]
    Records,
    /// The records of slices of time that were drawn.
    Sample {
        /// The chance of each.
        share: Chance,
        /// How many were drawn.
        slices: u64,
        /// What the draws were begun with.
        seed: u64,
    },
    /// Sums and sketches of minutes and hours.
    Rollups,
}

/// A chance in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance(pub u32);

impl Chance {
    /// As a number of `[0, 1]`.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    /// Of how many one is drawn.
    #[must_use]
    pub fn one_in(self) -> f64 {
        1e6 / f64::from(self.0.max(1))
    }
}

/// What a report is of, beside its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The span of time.
    pub window: Window,
    /// When it was made.
    pub made: WallTime,
    /// The origins taken, by name.
    pub origin: String,
    /// What was asked for beside them: `model gpt-4.1`.
    pub selection: Vec<String>,
    /// What its numbers are made of.
    pub source: Source,
    /// Exchanges looked at.
    pub scanned: u64,
    /// Exchanges in it.
    pub taken: u64,
    /// Exchanges that are not in it, by reason.
    pub excluded: Vec<(String, u64)>,
    /// Fingerprints of the settings under which its exchanges ran.
    pub configs: Vec<KeyedHash>,
    /// What Tollgate itself added in the same window, p50 and p99 in nanoseconds.
    pub own_delay: Option<(f64, f64)>,
    /// Seed of its draws, where it draws.
    pub seed: Option<u64>,
    /// How its intervals are made.
    pub method: &'static str,
    /// Providers that are paid by the hour, with the price of one.
    pub hosted: Vec<(Name, PicoDollars)>,
    /// What users wrote of its span of time.
    pub remarks: Vec<Note>,
    /// Of two windows or files set side by side: what each is called, and its own head.
    pub sides: Vec<Side>,
}

/// One of two windows or files set side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// What it is called: `A`, `B`.
    pub name: &'static str,
    /// What it is: a span of time, or a file.
    pub what: String,
    /// What it is of.
    pub head: Head,
}
