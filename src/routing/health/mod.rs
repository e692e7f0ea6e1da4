//! Knows whether a route may be tried now: breakers, cooling, holds, limits, requests at work.
//!
//! Three things are told apart, because they heal differently: a *breaker* is the route's own
//! failing (opened for a growing time, closed by one trial that succeeds); *cooling* is a rate
//! limit (over at the moment that the provider named); a *hold* is a fault that needs a human (a
//! wrong key, a model that is not there), kept long and shown as an alert.

mod board;

mod breaker;

mod condition;

mod cooling;

mod effect;

mod event;

mod keep;

mod lane;

mod pace;

mod used;

mod view;

pub use board::Health;
pub use breaker::{Breaker, BreakerState, Tripped};
pub use condition::{Condition, State};
pub use effect::{Effect, effect};
pub use event::{Change, Event, Ticket};
pub use keep::{KeptCredential, KeptHealth, KeptLane, KeptRouteHealth, KeptSpan};
pub use lane::Lane;
pub use pace::Pace;
pub use used::MeterUse;
pub use view::{Barred, HealthView};

use crate::record::Nanos;

const SECOND: u64 = 1_000_000_000;

/// The numbers by which health is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HealthTuning {
    /// Failures in a row that open a breaker.
    pub consecutive: u32,
    /// The share of failures that opens it,
    pub failing_share: f64,
    /// among at least so many requests
    pub failing_min: u32,
    /// within this span.
    pub window: Nanos,
    /// How long it is open the first time; twice as long each time after.
    pub open: Nanos,
    /// The longest that it is open.
    pub open_max: Nanos,
    /// How much that varies either way, so that not all routes are tried again at once.
    pub jitter: f64,
    /// How long a closed breaker must stay closed to count as healed.
    pub healed: Nanos,
    /// How long a trial may run before another one may begin.
    pub trial_max: Nanos,
    /// Cooling after a rate limit that names no time; twice as long each time in a row.
    pub cooling: Nanos,
    /// The longest cooling; what a provider asks for beyond it is cut.
    pub cooling_max: Nanos,
    /// How long a fault that needs a human holds a credential or a route the first time.
    pub hold: Nanos,
    /// The longest such hold.
    pub hold_max: Nanos,
}

impl Default for HealthTuning {
    fn default() -> Self {
        Self {
            consecutive: 5,
            failing_share: 0.5,
            failing_min: 10,
            window: Nanos(60 * SECOND),
            open: Nanos(30 * SECOND),
            open_max: Nanos(300 * SECOND),
            jitter: 0.2,
            healed: Nanos(300 * SECOND),
            trial_max: Nanos(300 * SECOND),
            cooling: Nanos(5 * SECOND),
            cooling_max: Nanos(86_400 * SECOND),
            hold: Nanos(600 * SECOND),
            hold_max: Nanos(3_600 * SECOND),
        }
    }
}

/// `base · 2^(times − 1)`, at most `max`.
fn doubled(base: Nanos, times: u32, max: Nanos) -> Nanos {
    let doublings = times.saturating_sub(1).min(32);
    Nanos(base.0.saturating_mul(1 << doublings).min(max.0))
}

#[cfg(test)]
mod tests;
