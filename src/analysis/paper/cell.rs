//! Holds one value of a report with its unit, its interval, or why there is none.

use std::sync::Arc;

use crate::analysis::tables::{Figure, Share};
use crate::statistics::interval::Estimate;
use crate::statistics::quantile::Sample;

/// What a number is measured in. Machine-readable formats name it in the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A span, in nanoseconds; written in milliseconds where a machine reads it.
    Span,
    /// A difference of two spans, in nanoseconds, with its sign.
    Delta,
    /// Tokens per second.
    Rate,
    /// A fraction of one; shown in per cent.
    Share,
    /// A difference of two fractions, with its sign; shown in points of a hundred.
    Points,
    /// How many times.
    Times,
    /// US dollars.
    Dollars,
    /// A difference in US dollars, with its sign.
    DollarsMore,
    /// A difference in tokens per second, with its sign.
    RateMore,
    /// A plain number.
    Number,
    /// A difference of plain numbers or of ratios, with its sign.
    More,
    /// A count.
    Count,
}

impl Unit {
    /// What is put behind a column's key where a machine reads it.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Span | Self::Delta => "_ms",
            Self::Rate | Self::RateMore => "_tokens_per_s",
            Self::Share | Self::Points => "_fraction",
            Self::Times => "_ratio",
            Self::Dollars | Self::DollarsMore => "_usd",
            Self::Number | Self::More | Self::Count => "",
        }
    }

    /// The value as machines read it, in the unit that [`Self::suffix`] names.
    #[must_use]
    pub fn scaled(self, value: f64) -> f64 {
        match self {
            Self::Span | Self::Delta => value / 1e6,
            _ => value,
        }
    }
}

/// Numbers of which some were not waited out, as they were at least.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    /// All of them, ascending and finite: of what was not waited out, how long it was waited for.
    pub sorted: Arc<[f64]>,
    /// How many numbers there are up to each of them.
    pub upto: Arc<[u64]>,
    /// Failures behind them.
    pub failures: usize,
    /// The waits that were not waited out, ascending, each with how often it is there.
    pub waits: Vec<(f64, u64)>,
}

impl Cut {
    /// The numbers as a sample.
    #[must_use]
    pub fn sample(&self) -> Sample<'_> {
        Sample::counted(&self.sorted, &self.upto, self.failures)
    }
}

/// The numbers that a quantile is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// Which quantile.
    pub p: f64,
    /// The numbers, ascending and finite.
    pub sorted: Arc<[f64]>,
    /// How many numbers there are up to each of them, where one stands for many.
    pub upto: Option<Arc<[u64]>>,
    /// Failures behind them.
    pub failures: usize,
    /// How far each of them may be from the truth, as a share of it.
    pub error: f64,
    /// How many of them say what one independent one would.
    pub effect: f64,
    /// What was not waited out, where anything was; it is among the failures here.
    pub cut: Option<Arc<Cut>>,
}

impl Drawn {
    /// The numbers as they were at least: [`Self::sample`] has what was not waited out as infinite.
    #[must_use]
    pub fn least(&self) -> Sample<'_> {
        self.cut
            .as_ref()
            .map_or_else(|| self.sample(), |cut| cut.sample())
    }

    /// The numbers as a sample.
    #[must_use]
    pub fn sample(&self) -> Sample<'_> {
        match &self.upto {
            None => Sample::new(&self.sorted, self.failures),
            Some(upto) => Sample::counted(&self.sorted, upto, self.failures),
        }
    }
}

/// One value of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A name, or a word.
    Text(String),
    /// A number.
    Value(f64),
    /// A number with the ends of its interval; an end that is not known is absent.
    Estimate {
        /// The number.
        value: f64,
        /// The lower end.
        low: Option<f64>,
        /// The upper end.
        high: Option<f64>,
    },
    /// A quantile with the ends of its interval, and how many numbers it is of.
    Quantile {
        /// The number.
        value: f64,
        /// The lower end.
        low: Option<f64>,
        /// The upper end.
        high: Option<f64>,
        /// How many numbers, failures included.
        n: u64,
        /// Whether they are of so few hours that the interval cannot know how hours differ.
        few_hours: bool,
        /// The numbers themselves, where they are at hand: another window is compared with them.
        of: Option<Drawn>,
    },
    /// A part of a whole; written with its Wilson interval of 95 %.
    Share(Share),
    /// No number, and why.
    Absent(String),
    /// A value in a unit of its own, in a column of many units; machines find the unit's name in
    /// another column.
    In(Unit, Box<Self>),
}

impl Cell {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A count.
    #[must_use]
    pub const fn count(count: u64) -> Self {
        Self::Value(count as f64)
    }

    /// No number.
    pub fn absent(why: impl Into<String>) -> Self {
        Self::Absent(why.into())
    }

    /// A part of a whole.
    #[must_use]
    pub fn share(share: Share) -> Self {
        if share.whole == 0 || share.part > share.whole {
            return Self::absent("of none");
        }
        Self::Share(share)
    }

    /// The cell as it is written: a share as the estimate that it is, any other as it stands.
    #[must_use]
    pub fn written(&self) -> Self {
        match self {
            Self::Share(share) => share.estimate().map_or_else(
                || Self::absent("of none"),
                |found| Self::quantile(&found, share.whole).of_few_hours(share.is_of_few_hours()),
            ),
            Self::In(unit, cell) => Self::In(*unit, Box::new(cell.written())),
            other => other.clone(),
        }
    }

    /// A number with its interval; infinite ends are open.
    #[must_use]
    pub fn estimate(estimate: &Estimate) -> Self {
        let end = |end: f64| end.is_finite().then_some(end);
        Self::Estimate {
            value: estimate.value,
            low: end(estimate.interval.low),
            high: end(estimate.interval.high),
        }
    }

    /// A quantile of `n` numbers with its interval; infinite ends are open.
    #[must_use]
    pub fn quantile(estimate: &Estimate, n: u64) -> Self {
        let end = |end: f64| end.is_finite().then_some(end);
        Self::Quantile {
            value: estimate.value,
            low: end(estimate.interval.low),
            high: end(estimate.interval.high),
            n,
            few_hours: false,
            of: None,
        }
    }

    /// The same where it is so that its interval cannot know how hours differ.
    #[must_use]
    fn of_few_hours(mut self, is: bool) -> Self {
        if let Self::Quantile { few_hours, .. } = &mut self {
            *few_hours = is;
        }
        self
    }

    /// Whether it is of less than three hours: its interval cannot know how hours differ.
    #[must_use]
    pub fn is_of_few_hours(&self) -> bool {
        match self {
            Self::Quantile { few_hours, .. } => *few_hours,
            Self::Share(share) => share.whole > 0 && share.is_of_few_hours(),
            Self::In(_, cell) => cell.is_of_few_hours(),
            _ => false,
        }
    }

    /// A figure, or why there is none.
    #[must_use]
    pub fn figure(figure: Figure) -> Self {
        match figure {
            Figure::Value(value) => Self::Value(value),
            Figure::TooFew { needs, has } => Self::Absent(format!("needs {needs}, has {has}")),
            Figure::AmongFailures => Self::absent("falls among the failures"),
            Figure::NotWaitedOut => Self::absent("lies beyond what was waited for"),
        }
    }

    /// A number where there is one.
    pub fn maybe(value: Option<f64>, why: &str) -> Self {
        value.map_or_else(|| Self::absent(why), Self::Value)
    }

    /// The number, where there is one.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Value(value) | Self::Estimate { value, .. } | Self::Quantile { value, .. } => {
                Some(*value)
            }
            Self::Share(share) => share.fraction(),
            Self::In(_, cell) => cell.number(),
            Self::Text(_) | Self::Absent(_) => None,
        }
    }

    /// Its unit, in a column of `unit`.
    #[must_use]
    pub const fn unit_in(&self, unit: Unit) -> Unit {
        match self {
            Self::In(own, _) => *own,
            _ => unit,
        }
    }

    /// The cell without a unit of its own.
    #[must_use]
    pub fn bare(self) -> Self {
        match self {
            Self::In(_, cell) => *cell,
            other => other,
        }
    }

    /// The same in a unit of its own.
    #[must_use]
    pub fn in_unit(self, unit: Unit) -> Self {
        Self::In(unit, Box::new(self))
    }
}
