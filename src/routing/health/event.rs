//! Holds what is told to health, and what it tells in return.

use crate::record::{AttemptRecord, CancelledBy, End, ErrorClass, KeyedHash, Moment, Name};
use crate::routing::route::RouteKey;

use super::breaker::Tripped;

/// How an attempt ended, as far as a route's health is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The answer ended well.
    Success,
    /// It failed.
    Failed {
        /// What kind of error it was.
        class: ErrorClass,
        /// The moment until which the provider wants to be left alone, where it names one.
        until: Option<Moment>,
    },
    /// The client or Tollgate itself ended it: nothing is learned.
    Cancelled,
}

impl Event {
    /// The event that a finished attempt is. `until` is what the response's headers ask for
    /// ([`crate::routing::limits::wait`]).
    #[must_use]
    pub fn of(attempt: &AttemptRecord, until: Option<Moment>) -> Self {
        let ours = attempt
            .cancelled_by
            .is_some_and(|by| by != CancelledBy::Deadline);
        if ours || attempt.end == Some(End::ClientGone) {
            return Self::Cancelled;
        }
        let broken = match attempt.end {
            Some(End::Truncated) => Some(ErrorClass::Truncated),
            Some(End::Reset) => Some(ErrorClass::Reset),
            Some(End::Stalled) => Some(ErrorClass::SilenceTimeout),
            Some(End::ErrorEvent) => Some(ErrorClass::ServerError),
            _ => None,
        };
        match (attempt.error_class.or(broken), attempt.end) {
            (Some(class), _) => Self::Failed { class, until },
            (None, Some(End::Complete | End::Unterminated)) => Self::Success,
            (None, _) => Self::Cancelled,
        }
    }
}

/// An attempt at work. Whoever began it ends it, exactly once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an attempt that is not ended counts as at work for ever"]
pub struct Ticket {
    pub(super) route: RouteKey,
    pub(super) credential: Option<KeyedHash>,
    pub(super) begun: Moment,
    pub(super) trial: bool,
}

impl Ticket {
    /// The route that is tried.
    #[must_use]
    pub const fn route(&self) -> &RouteKey {
        &self.route
    }

    /// When the attempt began.
    #[must_use]
    pub const fn begun(&self) -> Moment {
        self.begun
    }

    /// Whether the attempt is the trial that decides whether the route is well again.
    #[must_use]
    pub const fn is_trial(&self) -> bool {
        self.trial
    }
}

/// What changed, for logs and alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A route's breaker opened.
    Opened {
        /// The route.
        route: RouteKey,
        /// What opened it.
        why: Tripped,
        /// When a trial may be made.
        until: Moment,
    },
    /// A trial succeeded.
    Closed {
        /// The route.
        route: RouteKey,
    },
    /// A route cools after a rate limit.
    Cooled {
        /// The route.
        route: RouteKey,
        /// The credential that was limited.
        credential: Option<KeyedHash>,
        /// Until when.
        until: Moment,
    },
    /// A credential is held: somebody has to look at it.
    CredentialHeld {
        /// The provider.
        provider: Name,
        /// The credential.
        credential: Option<KeyedHash>,
        /// What kind of error it was.
        class: ErrorClass,
        /// Until when.
        until: Moment,
    },
    /// A route is held: somebody has to look at it.
    RouteHeld {
        /// The route.
        route: RouteKey,
        /// What kind of error it was.
        class: ErrorClass,
        /// Until when.
        until: Moment,
    },
}

impl Change {
    /// Whether a human has to do something.
    #[must_use]
    pub const fn is_alert(&self) -> bool {
        matches!(self, Self::CredentialHeld { .. } | Self::RouteHeld { .. })
    }
}
