//! Opens for a route that fails, lets one trial through when its time is over, and closes when
//! the trial succeeds.

use std::collections::VecDeque;

use crate::record::{Moment, Nanos};

use super::{HealthTuning, doubled};

/// Whether a route is believed to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// It works.
    Closed,
    /// It does not; from `until` on a trial may be made.
    Open {
        /// Since when.
        since: Moment,
        /// When a trial may be made.
        until: Moment,
    },
    /// A trial is at work since the given moment.
    Trial {
        /// When it opened.
        since: Moment,
        /// When the trial began.
        begun: Moment,
    },
}

/// What opened a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tripped {
    /// Failures in a row.
    Consecutive,
    /// Too large a share of the last minute's requests failed.
    Share,
    /// The trial failed.
    Trial,
}

impl Tripped {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Consecutive, Self::Share, Self::Trial];

    /// The name used in explanations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consecutive => "consecutive_failures",
            Self::Share => "failing_share",
            Self::Trial => "trial_failed",
        }
    }
}

/// The breaker of one route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    state: BreakerState,
    why: Option<Tripped>,
    consecutive: u32,
    /// Times it opened without healing in between.
    times: u32,
    /// Times it opened since the program began.
    opened: u64,
    closed_at: Moment,
    /// Ends within the window, oldest first: when, and whether it failed.
    recent: VecDeque<(Moment, bool)>,
}

/// Ends that are kept: more within a minute only make a share more certain.
const RECENT_MAX: usize = 256;

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: BreakerState::Closed,
            why: None,
            consecutive: 0,
            times: 0,
            opened: 0,
            closed_at: Moment(0),
            recent: VecDeque::new(),
        }
    }
}

impl Breaker {
    /// The breaker as it was kept: open since and until a moment, and by what; having opened so
    /// many times.
    #[must_use]
    pub fn kept(
        open: Option<(Moment, Moment)>,
        why: Option<Tripped>,
        times: u32,
        consecutive: u32,
    ) -> Self {
        Self {
            why,
            state: open.map_or(BreakerState::Closed, |(since, until)| BreakerState::Open {
                since,
                until,
            }),
            times,
            consecutive,
            ..Self::default()
        }
    }

    /// Its state.
    #[must_use]
    pub const fn state(&self) -> BreakerState {
        self.state
    }

    /// What opened it last.
    #[must_use]
    pub const fn why(&self) -> Option<Tripped> {
        self.why
    }

    /// Times it opened without healing in between.
    #[must_use]
    pub const fn times(&self) -> u32 {
        self.times
    }

    /// Times it opened since the program began.
    #[must_use]
    pub const fn opened(&self) -> u64 {
        self.opened
    }

    /// Failures in a row.
    #[must_use]
    pub const fn consecutive(&self) -> u32 {
        self.consecutive
    }

    /// Failures and requests within the window that ends now.
    #[must_use]
    pub fn recent(&self, tuning: &HealthTuning, now: Moment) -> (u32, u32) {
        let within = self
            .recent
            .iter()
            .filter(|(at, _)| now.since(*at) <= tuning.window);
        within.fold((0, 0), |(failed, all), (_, failure)| {
            (failed + u32::from(*failure), all + 1)
        })
    }

    /// Whether a request may go through: closed, or a trial is due.
    #[must_use]
    pub fn admits(&self, tuning: &HealthTuning, now: Moment) -> bool {
        match self.state {
            BreakerState::Closed => true,
            BreakerState::Open { until, .. } => now >= until,
            BreakerState::Trial { begun, .. } => now.since(begun) >= tuning.trial_max,
        }
    }

    /// A request begins; true where it is the trial.
    pub fn begin(&mut self, tuning: &HealthTuning, now: Moment) -> bool {
        match self.state {
            BreakerState::Open { since, .. } | BreakerState::Trial { since, .. }
                if self.admits(tuning, now) =>
            {
                self.state = BreakerState::Trial { since, begun: now };
                true
            }
            _ => false,
        }
    }

    /// A request ended without telling anything; a trial may be made anew at once.
    pub fn cancelled(&mut self, trial: bool) {
        if let (true, BreakerState::Trial { since, begun }) = (trial, self.state) {
            self.state = BreakerState::Open {
                since,
                until: begun,
            };
        }
    }

    /// A request that began at `begun` succeeded; true where that closes the breaker.
    ///
    /// What began before the breaker opened says nothing of the time after.
    pub fn succeeded(&mut self, begun: Moment, now: Moment) -> bool {
        self.note(false, now);
        match self.state {
            BreakerState::Closed => {
                self.consecutive = 0;
                false
            }
            BreakerState::Open { since, .. } | BreakerState::Trial { since, .. } => {
                if begun < since {
                    return false;
                }
                self.state = BreakerState::Closed;
                self.consecutive = 0;
                self.recent.clear();
                self.closed_at = now;
                true
            }
        }
    }

    /// A request failed; where that opens the breaker, why, and until when. `draw` of `[0, 1)`
    /// decides the jitter.
    pub fn failed(
        &mut self,
        trial: bool,
        tuning: &HealthTuning,
        now: Moment,
        draw: f64,
    ) -> Option<(Tripped, Moment)> {
        self.note(true, now);
        self.consecutive = self.consecutive.saturating_add(1);
        let why = match self.state {
            BreakerState::Trial { .. } if trial => Tripped::Trial,
            BreakerState::Open { .. } | BreakerState::Trial { .. } => return None,
            BreakerState::Closed if self.consecutive >= tuning.consecutive => Tripped::Consecutive,
            BreakerState::Closed => {
                let (failed, all) = self.recent(tuning, now);
                let share = f64::from(failed) / f64::from(all.max(1));
                if all < tuning.failing_min || share < tuning.failing_share {
                    return None;
                }
                Tripped::Share
            }
        };
        if why != Tripped::Trial && now.since(self.closed_at) >= tuning.healed {
            self.times = 0;
        }
        self.times = self.times.saturating_add(1);
        self.opened += 1;
        let span = doubled(tuning.open, self.times, tuning.open_max).0 as f64;
        let jitter = 1.0 + tuning.jitter * (2.0 * draw - 1.0);
        let until = now.plus(Nanos((span * jitter) as u64));
        self.state = BreakerState::Open { since: now, until };
        self.why = Some(why);
        Some((why, until))
    }

    fn note(&mut self, failure: bool, now: Moment) {
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((now, failure));
    }
}
