//! Holds the settings of runs that the page begins: benchmarks, loads, probes, evaluations.

use std::path::PathBuf;

use crate::record::PicoDollars;

/// What the page may begin, and where its results are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSettings {
    /// Whether the page begins any.
    pub enabled: bool,
    /// The folder of results: one folder a run in it.
    pub folder: PathBuf,
    /// The folder whose files evaluations may name; they can name none where absent.
    pub sets: Option<PathBuf>,
    /// What one run may be given.
    pub cost_max: PicoDollars,
    /// Requests of one run, at most.
    pub requests_max: u64,
}
