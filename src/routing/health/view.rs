//! Shows what health says of a route at one moment.

use crate::record::Moment;

/// Why a route may not be tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Barred {
    /// It works on as many requests as it may.
    Full,
    /// A trial is at work that decides whether it is well again.
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

impl Barred {
    /// The name used in explanations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "limit_of_requests_at_work",
            Self::Trial => "trial_at_work",
            Self::Cooling => "cooling",
            Self::Open => "breaker_open",
            Self::Held => "route_held",
            Self::CredentialHeld => "credential_held",
        }
    }

    /// How bad it is to try all the same, the least bad first: what passes by itself before what
    /// waits for a human, and of one kind what is over soonest.
    #[must_use]
    pub const fn badness(self, until: Option<Moment>) -> (u8, u64) {
        let until = match until {
            Some(Moment(ns)) => ns,
            None => 0,
        };
        (self as u8, until)
    }
}

/// What health says of a route and a credential.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HealthView {
    /// Why it may not be tried now, and until when where that is known; absent where it may.
    pub barred: Option<(Barred, Option<Moment>)>,
    /// Whether the next request would be a trial.
    pub trial_due: bool,
    /// Failures in a row.
    pub consecutive: u32,
    /// Requests at work on the route, of all credentials.
    pub at_work: u32,
    /// Requests at work on the route with this credential.
    pub own_at_work: u32,
    /// Requests sent to the route with this credential in the last minute.
    pub own_requests: u64,
    /// How many may be at work with this credential.
    pub limit: Option<u32>,
    /// Requests that the provider still allows.
    pub requests_left: Option<u64>,
    /// Tokens that the provider still allows.
    pub tokens_left: Option<u64>,
    /// The share of the declared limits that is in use.
    pub utilisation: Option<f64>,
}

impl HealthView {
    /// Whether it may be tried now.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.barred.is_none()
    }

    /// Whether this credential of a route is to be tried before that one: one that may be tried, then
    /// the less limited, then the less used. Of those that may not the least bad: a key that is only
    /// limited before one that was refused, whose answer would tell the client that its own is wrong.
    #[must_use]
    pub fn goes_before(&self, other: &Self, tokens: u64) -> std::cmp::Ordering {
        let used = |view: &Self| view.utilisation.unwrap_or(0.0);
        let bad = |view: &Self| view.barred.map(|(barred, until)| barred.badness(until));
        let rank = |view: &Self| (bad(view), view.is_near_limit(tokens));
        rank(self)
            .cmp(&rank(other))
            // A rate that differs by less says more of when it was told than of what is left.
            .then_with(|| {
                (used(self) * 10.0)
                    .floor()
                    .total_cmp(&(used(other) * 10.0).floor())
            })
            .then_with(|| self.own_at_work.cmp(&other.own_at_work))
            .then_with(|| self.own_requests.cmp(&other.own_requests))
    }

    /// Whether a request of so many tokens would run into a declared limit.
    #[must_use]
    pub fn is_near_limit(&self, tokens: u64) -> bool {
        self.requests_left == Some(0) || self.tokens_left.is_some_and(|left| left < tokens)
    }
}
