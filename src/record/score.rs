//! Holds what an evaluation found of a route: its score at a scorer, and how sure that is.

use super::units::{Name, WallTime};

/// A route's score at a scorer, of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteScore {
    /// The run.
    pub run: Name,
    /// When the run ended.
    pub at: WallTime,
    /// The model, as it was asked for.
    pub model: Name,
    /// The provider.
    pub provider: Name,
    /// The model's name there.
    pub there: Name,
    /// The scorer.
    pub scorer: Name,
    /// The score, 0 to 1.
    pub value: f64,
    /// The lower end of its interval, 95 %.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Items of the data set that it is of.
    pub items: u32,
}
