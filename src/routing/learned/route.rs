//! Learns one route.

use crate::record::{Moment, Name, Nanos};
use crate::statistics::filter::{Chance, LogFilter};

use super::LearnedTuning;
use super::epoch::Epoch;
use super::expectation::Expectation;
use super::observation::{Ended, Observation};
use super::recent::RecentSpans;
use super::slope::{Slope, size};

/// What is known of one route.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteLearned {
    pub(super) level: Option<LogFilter>,
    pub(super) per_token: Option<LogFilter>,
    pub(super) success: Chance,
    pub(super) slope: Slope,
    pub(super) recent: RecentSpans,
    pub(super) touched: Moment,
    pub(super) epoch: Epoch,
}

impl RouteLearned {
    /// Nothing known yet.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self {
            level: None,
            per_token: None,
            success: Chance::new(now),
            slope: Slope::default(),
            recent: RecentSpans::default(),
            touched: now,
            epoch: Epoch::default(),
        }
    }

    /// Takes the name that an answer gives its model. Once another one answers, what was learned
    /// of the speed is not about it: it is learned anew, and the name before is returned.
    pub fn answered(&mut self, model: &Name) -> Option<Name> {
        let before = self.epoch.answered(model)?;
        self.level = None;
        self.per_token = None;
        self.recent = RecentSpans::default();
        Some(before)
    }

    /// Takes in what an attempt tells.
    pub fn observe(&mut self, seen: &Observation, tuning: &LearnedTuning) {
        self.touched = self.touched.max(seen.at);
        match seen.ended {
            Ended::Unjudged => return,
            Ended::Well => self.success.observe(true, &tuning.success, seen.at),
            Ended::Failed { .. } => self.success.observe(false, &tuning.success, seen.at),
            Ended::Censored { .. } => {}
        }
        let x = size(seen.prompt_tokens);
        match (seen.first_token, seen.ended) {
            (Some(first), _) => {
                let y = log_ms(first);
                self.slope.observe(x, y);
                self.follow(x, y, seen.at, tuning);
                self.recent.insert(seen.prompt_tokens, first, seen.at);
            }
            // As bad as a first token that came then; but a refusal at once is not fast.
            (None, Ended::Failed { waited } | Ended::Censored { waited }) => {
                let y = log_ms(waited);
                let late = self.level.as_ref().is_some_and(|level| {
                    y > level.belief(&tuning.first_token, seen.at).mean + self.slope.alone() * x
                });
                if late {
                    self.follow(x, y, seen.at, tuning);
                }
            }
            (None, _) => {}
        }
        if let (Some(span), Ended::Well) = (seen.per_token, seen.ended) {
            let y = log_ms(span);
            let per_token = &tuning.per_token;
            let filter = self
                .per_token
                .get_or_insert_with(|| LogFilter::new(y, per_token, seen.at));
            filter.observe(y, per_token, seen.at);
        }
    }

    fn follow(&mut self, x: f64, y: f64, at: Moment, tuning: &LearnedTuning) {
        let bare = y - self.slope.alone() * x;
        let first_token = &tuning.first_token;
        let filter = self
            .level
            .get_or_insert_with(|| LogFilter::new(bare, first_token, at));
        filter.observe(bare, first_token, at);
    }

    /// What to expect of it.
    #[must_use]
    pub fn expect(&self, tuning: &LearnedTuning, now: Moment) -> Expectation {
        let unknown = Expectation::default();
        Expectation {
            level: self.level.as_ref().map_or(unknown.level, |level| {
                level.belief(&tuning.first_token, now)
            }),
            slope: self.slope.alone(),
            per_token: self
                .per_token
                .as_ref()
                .map(|filter| filter.belief(&tuning.per_token, now)),
            success: self.success.mean(&tuning.success),
            success_lower: self.success.lower(&tuning.success, 1.645),
            samples: self.level.as_ref().map_or(0, LogFilter::count),
        }
    }

    /// The last spans to the first token.
    #[must_use]
    pub const fn recent(&self) -> &RecentSpans {
        &self.recent
    }
}

fn log_ms(span: Nanos) -> f64 {
    span.as_millis().max(0.1).ln()
}
