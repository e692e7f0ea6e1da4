//! Says what part an exchange had in a live experiment: its arm and its coin, or why it had none.

use super::named::named;
use super::units::Name;

named! {
    /// One of the two routes that an experiment compares.
    Arm {
        /// The first, which the other is compared with.
        A = "a",
        /// The second, whose effect is asked for.
        B = "b",
    }
}

named! {
    /// Why an exchange with a model that an experiment is about has no part in it.
    NotEnrolled {
        /// `x-tollgate-route` named a route.
        Pinned = "pinned",
        /// The base URL, or the model's name, named the provider.
        Addressed = "addressed",
        /// `x-tollgate-policy` named a policy.
        PolicyAsked = "policy_asked",
        /// It carries none of the tags asked for.
        Tag = "other_tag",
        /// It comes with another client key than those asked for.
        ClientKey = "other_client_key",
        /// It goes to another endpoint than those asked for.
        Endpoint = "other_endpoint",
        /// It streams, or does not, against what is asked for.
        Stream = "other_stream",
        /// One of the arms is no candidate now: no credential, residency, or its health.
        ArmUnavailable = "arm_unavailable",
        /// Nothing tells its conversation, which is what is assigned.
        NoSession = "no_session",
        /// Its conversation is not among those that take part.
        NotDrawn = "not_drawn",
    }
}

named! {
    /// What a coin is thrown for.
    AssignedUnit {
        /// A conversation: prompt caches and loops make its requests depend on each other.
        Session = "session",
        /// Each request on its own.
        Request = "request",
    }
}

/// A fair number in [0, 1), in parts of 2^32: an arm is `a` where it is below that arm's chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coin(pub u32);

impl Coin {
    /// The number.
    #[must_use]
    pub fn as_fraction(self) -> f64 {
        f64::from(self.0) / 4_294_967_296.0
    }
}

/// An exchange's part in an experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The experiment's name.
    pub experiment: Name,
    /// The arm it was assigned to, or why to none.
    pub part: Result<Assigned, NotEnrolled>,
}

/// An arm, and how it came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The arm whose route goes first.
    pub arm: Arm,
    /// The coin that chose it.
    pub coin: Coin,
    /// The chance that this arm had, in millionths.
    pub propensity: u32,
    /// What the coin was thrown for.
    pub unit: AssignedUnit,
}

impl Enrolment {
    /// The assigned arm with its experiment's name, where there is one.
    #[must_use]
    pub fn assigned(&self) -> Option<(&Name, Assigned)> {
        let assigned = self.part.ok()?;
        Some((&self.experiment, assigned))
    }

    /// `name/arm`, as the header `x-tollgate-experiment` says it; nothing without an arm.
    #[must_use]
    pub fn label(&self) -> Option<String> {
        self.assigned()
            .map(|(name, assigned)| format!("{name}/{}", assigned.arm.name()))
    }
}
