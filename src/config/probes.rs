//! Holds the settings of probes: of those that keep idle routes fresh, and of scheduled ones.

use std::time::Duration;

use crate::record::PicoDollars;
use crate::workload::cron::Cron;

/// Cheap requests of our own: to idle routes, and by a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeSettings {
    /// Whether idle routes are asked.
    pub enabled: bool,
    /// How long a route must have been idle.
    pub idle_after: Duration,
    /// When every route is asked; never where absent.
    pub schedule: Option<Cron>,
    /// Names of models, and beginnings with a trailing `*`, that the schedule is for; all models
    /// with routes where empty.
    pub models: Vec<String>,
    /// Whether the schedule asks on a fresh connection and on one that is there, and not once.
    pub cold: bool,
    /// So many a day at most, over all routes.
    pub per_day: u64,
    /// What they may cost in a day; what has no price is not in it.
    pub cost_per_day: PicoDollars,
    /// Tokens of the answer that are asked for; what is usual for its kind where absent.
    pub max_tokens: Option<u64>,
}

impl ProbeSettings {
    /// Tokens of the answer that an idle route is asked for: the first one says it all.
    #[must_use]
    pub fn idle_tokens(&self) -> u64 {
        self.max_tokens.unwrap_or(1)
    }

    /// Tokens of the answer that the schedule asks for: enough that a rate can be told.
    #[must_use]
    pub fn scheduled_tokens(&self) -> u64 {
        self.max_tokens.unwrap_or(SCHEDULED_TOKENS)
    }
}

/// Tokens of the answer that a probe asks for unless one says otherwise.
pub const SCHEDULED_TOKENS: u64 = 16;
