//! Says in what state a route is: since when, until when, and why.

use crate::record::{ErrorClass, KeyedHash, Moment};
use crate::routing::route::RouteKey;

use super::board::Health;
use super::breaker::{Breaker, BreakerState, Tripped};
use super::cooling::Cooling;
use super::view::Barred;

/// The state of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum State {
    /// It works, as far as anybody knows.
    #[default]
    Closed,
    /// It works on as many requests as it may.
    Full,
    /// Its breaker opened, and the next request is the trial that decides.
    TrialDue,
    /// That trial is at work.
    Trial,
    /// It cools after a rate limit.
    Cooling,
    /// Its breaker is open.
    Open,
    /// It is held until somebody changes something.
    Held,
    /// The credential is held until somebody changes it.
    CredentialHeld,
}

impl State {
    /// Every one, the least bad first.
    pub const ALL: [Self; 8] = [
        Self::Closed,
        Self::Full,
        Self::TrialDue,
        Self::Trial,
        Self::Cooling,
        Self::Open,
        Self::Held,
        Self::CredentialHeld,
    ];

    /// The name used in the API and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Full => "full",
            Self::TrialDue => "trial_due",
            Self::Trial => "trial",
            Self::Cooling => "cooling",
            Self::Open => "open",
            Self::Held => "held",
            Self::CredentialHeld => "credential_held",
        }
    }
}

/// The state of a route with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Condition {
    /// The state.
    pub state: State,
    /// Since when, where that is known.
    pub since: Option<Moment>,
    /// Until when it lasts, where that is known.
    pub until: Option<Moment>,
    /// What brought it there: what opened the breaker, or the class of the error met.
    pub why: Option<&'static str>,
}

impl Condition {
    fn of(state: State, cooling: &Cooling, until: Option<Moment>) -> Self {
        Self {
            state,
            since: cooling.since(),
            until,
            why: cooling.why().map(ErrorClass::name),
        }
    }
}

impl Health {
    /// In what state a route is for requests with that credential.
    #[must_use]
    pub fn condition(
        &self,
        route: &RouteKey,
        credential: Option<KeyedHash>,
        now: Moment,
    ) -> Condition {
        let view = self.view(route, credential, now);
        let bare = |state| Condition {
            state,
            ..Condition::default()
        };
        let breaker = self.breaker(route);
        let mut lanes = self.lanes(route).iter();
        let lane = lanes.find(|lane| lane.credential == credential);
        let of_breaker = |state, until| {
            let since = breaker.and_then(|breaker| match breaker.state() {
                BreakerState::Closed => None,
                BreakerState::Open { since, .. } | BreakerState::Trial { since, .. } => Some(since),
            });
            Condition {
                state,
                // Restored from so long ago that this run's clock has no moment for it.
                since: since.filter(|since| *since > Moment(0)),
                until,
                why: breaker.and_then(Breaker::why).map(Tripped::name),
            }
        };
        let of_lane = |state, cooling: Option<&Cooling>, until| {
            cooling.map_or_else(|| bare(state), |of| Condition::of(state, of, until))
        };
        match view.barred {
            None if view.trial_due => of_breaker(State::TrialDue, None),
            None => bare(State::Closed),
            Some((Barred::Full, _)) => bare(State::Full),
            Some((Barred::Trial, until)) => of_breaker(State::Trial, until),
            Some((Barred::Open, until)) => of_breaker(State::Open, until),
            Some((Barred::Cooling, until)) => {
                of_lane(State::Cooling, lane.map(|lane| &lane.cooling), until)
            }
            Some((Barred::Held, until)) => of_lane(State::Held, lane.map(|lane| &lane.held), until),
            Some((Barred::CredentialHeld, until)) => {
                let held = self.held_credential(&route.provider, credential);
                of_lane(State::CredentialHeld, held, until)
            }
        }
    }
}
