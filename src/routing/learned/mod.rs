//! Learns how fast and how sure each route is, from what was observed of it.
//!
//! Per route: a filter of the logarithm of the time to the first token, free of the prompt's size,
//! of reasoning, and of making a connection;
//! one of the time per output token; a chance of success; the last spans to the first token, by
//! size of prompt, for deadlines and hedges. Per model asked for: how long answers get.

mod epoch;

mod board;

mod expectation;

mod keep;

mod length;

mod observation;

mod recent;

mod route;

mod slope;

mod waiting;

pub use board::Learned;
pub use expectation::{Expectation, Prompt};
pub use keep::{KeptFilter, KeptLearned, KeptRoute};
pub use length::{Lengths, of_choices};
pub use observation::{Ended, Observation, setup};
pub use recent::{RecentSpans, Stratum};
pub use route::RouteLearned;
pub use slope::{Prior, Slope, size};

use crate::statistics::filter::{ChanceTuning, LogTuning};

/// The numbers by which routes are learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearnedTuning {
    /// How the time to the first token is followed.
    pub first_token: LogTuning,
    /// How the time per output token is followed.
    pub per_token: LogTuning,
    /// How the chance of success is followed.
    pub success: ChanceTuning,
}

impl Default for LearnedTuning {
    fn default() -> Self {
        Self {
            first_token: LogTuning::FIRST_TOKEN,
            per_token: LogTuning::PER_TOKEN,
            success: ChanceTuning::default(),
        }
    }
}
