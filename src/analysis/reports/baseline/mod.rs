//! Saved results to compare with: what they hold, how they are made, written and read, and whether
//! traffic has drifted from them since.

mod make;

mod saved;

mod shown;

mod drift;

pub use drift::{Drift, has_drifted};
pub use make::{of_calls, of_runs};
pub use shown::{compared_with, paper};

use serde_json::Value;

use crate::analysis::paper::Unit;
use crate::analysis::tables::{Share, Window};
use crate::record::WallTime;

/// Characters of a baseline's name at most.
pub const NAME_MAX: usize = 64;

/// The numbers that a row holds: key, name, unit.
pub(super) const NUMBERS: [(&str, &str, Unit); 4] = [
    ("first_token_p50", "first token p50", Unit::Span),
    ("first_token_p95", "first token p95", Unit::Span),
    ("output_rate_p50", "tokens/s p50", Unit::Rate),
    ("total_p50", "total p50", Unit::Span),
];

/// A saved set of results.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Its name.
    pub name: String,
    /// When it was saved.
    pub saved: WallTime,
    /// Why, as its user says.
    pub note: String,
    /// What it is of: a folder of runs, or a span of traffic.
    pub source: String,
    /// The origins of its traffic.
    pub origin: String,
    /// The span of time of its measurements.
    pub window: Window,
    /// The program that measured it: version, commit.
    pub program: String,
    /// Version of the definitions of its numbers.
    pub definitions: u16,
    /// Fingerprints of the settings.
    pub configs: Vec<String>,
    /// Version of the price table.
    pub prices: Option<String>,
    /// What was asked, of a benchmark.
    pub workload: Value,
    /// What was found, by route.
    pub rows: Vec<Row>,
    /// What traffic is held against.
    pub watched: Vec<Watched>,
    /// What was odd.
    pub anomalies: Vec<String>,
    /// What follows from it.
    pub recommendation: Vec<String>,
    /// Results of loads as their files have them, where it is of loads: those have no rows.
    pub loads: Vec<Value>,
}

/// What was found of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Model, provider, region, connection, what was asked for.
    pub names: [String; 5],
    /// How many were asked.
    pub requests: u64,
    /// How many of them failed.
    pub failed: Share,
    /// The numbers, in the order of `NUMBERS`.
    pub numbers: [Option<Known>; NUMBERS.len()],
    /// Mean cost in dollars.
    pub cost: Option<f64>,
}

/// A number with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// The number.
    pub value: f64,
    /// The lower end.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// Of how many.
    pub n: u64,
}

/// What a route's first token or rate was like, for the test of drift.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// The model, without the maker's name.
    pub model: String,
    /// The provider.
    pub provider: String,
    /// Which of `NUMBERS`.
    pub metric: usize,
    /// The median.
    pub median: Known,
    /// By how much the logarithm grows with that of the prompt's tokens and one.
    pub slope: f64,
    /// The middle of the steps' residuals.
    pub centre: f64,
    /// Their deviation.
    pub sigma: f64,
    /// How many steps of ten requests these are of.
    pub steps: u64,
}

/// Whether a baseline may be called so; the error says what it may be called.
pub fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(fits) {
        return Err(format!(
            "the name of a baseline has 1 to {NAME_MAX} letters, digits and . _ -, not `{name}`"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
