//! Holds what an experiment is: plain values that were checked when the config was read.

use crate::record::{Arm, AssignedUnit, KeyedHash, Name, WallTime};
use crate::statistics::compare::Margin;

/// A live experiment: two routes of one model, taken by lot.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Its name, which salts its coins: two experiments throw apart.
    pub name: Name,
    /// The model that applications ask for.
    pub model: Name,
    /// The routes, arm A first; the same twice in an A/A experiment.
    pub routes: [Route; 2],
    /// Whether the arms differ.
    pub mode: Mode,
    /// Share of the eligible units that take part, in millionths.
    pub share: u32,
    /// Chance of arm A among those, in millionths; neither 0 nor 1.
    pub split: u32,
    /// Salts the coins beside the name: another seed is another lot.
    pub seed: u64,
    /// What is assigned.
    pub unit: AssignedUnit,
    /// When it runs.
    pub bounds: Bounds,
    /// What may take part.
    pub eligible: Eligible,
    /// What is asked of it.
    pub question: Question,
}

/// A route as an experiment names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The provider.
    pub provider: Name,
    /// The model's name there.
    pub model: Name,
}

/// Whether the arms differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Two routes.
    Ab,
    /// One route twice: what is found is the method's own error.
    Aa,
}

/// When an experiment runs: from the start, up to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// The first moment; absent: as soon as it is configured.
    pub start: Option<WallTime>,
    /// The first moment after it; absent: until it is taken out of the config.
    pub end: Option<WallTime>,
}

/// What may take part; an empty list narrows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Eligible {
    /// Tags of which a request has one at least.
    pub tags: Vec<Name>,
    /// Keyed hashes of client credentials.
    pub client_keys: Vec<KeyedHash>,
    /// Endpoints, as records name them.
    pub endpoints: Vec<Name>,
    /// Only streams, or only whole answers.
    pub stream: Option<bool>,
}

/// What is asked, and when it may be answered: fixed before the first coin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// What is compared.
    pub metric: Metric,
    /// Whether less of it is better.
    pub less_is_better: bool,
    /// The difference below which nobody cares.
    pub margin: Margin,
    /// The chance of a false alarm that is accepted.
    pub alpha: f64,
    /// The chance of finding a difference as large as the margin that a plan asks for.
    pub power: f64,
    /// When it may be answered.
    pub stop: Stop,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Time to first token.
    FirstToken,
    /// Time to first answer.
    FirstAnswer,
    /// Time to the last token.
    Total,
    /// Output rate.
    OutputRate,
    /// Failure rate.
    Failure,
    /// Cost of an exchange.
    Cost,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 6] = [
        Self::FirstToken,
        Self::FirstAnswer,
        Self::Total,
        Self::OutputRate,
        Self::Failure,
        Self::Cost,
    ];

    /// The name used in config and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstToken => "first_token",
            Self::FirstAnswer => "first_answer",
            Self::Total => "total",
            Self::OutputRate => "output_rate",
            Self::Failure => "failure",
            Self::Cost => "cost",
        }
    }

    /// Whether it is a span of time.
    #[must_use]
    pub const fn is_time(self) -> bool {
        matches!(self, Self::FirstToken | Self::FirstAnswer | Self::Total)
    }

    /// The margin where the config names none: what the tax is judged by.
    #[must_use]
    pub const fn margin(self) -> Margin {
        let (absolute, relative) = match self {
            Self::FirstToken | Self::FirstAnswer | Self::Total => return Margin::NANOS,
            Self::OutputRate => (0.0, 0.03),
            Self::Failure => (0.005, 0.0),
            Self::Cost => (0.0, 0.01),
        };
        Margin { absolute, relative }
    }
}

/// When an experiment may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// At any time: intervals hold however often one looks.
    Sequential,
    /// At its end, which was fixed before, and not sooner.
    Fixed,
}

impl Bounds {
    /// Whether the experiment runs at `at`.
    #[must_use]
    pub fn hold(&self, at: WallTime) -> bool {
        self.start.is_none_or(|start| at >= start) && self.end.is_none_or(|end| at < end)
    }

    /// Whether both run at some moment.
    #[must_use]
    pub fn meet(&self, other: &Self) -> bool {
        let before = |end: Option<WallTime>, start: Option<WallTime>| {
            end.zip(start).is_none_or(|(end, start)| start < end)
        };
        before(self.end, other.start) && before(other.end, self.start)
    }
}

impl Experiment {
    /// The route of an arm.
    #[must_use]
    pub const fn route(&self, arm: Arm) -> &Route {
        &self.routes[arm as usize]
    }

    /// The chance of an arm, in millionths.
    #[must_use]
    pub const fn chance(&self, arm: Arm) -> u32 {
        match arm {
            Arm::A => self.split,
            Arm::B => 1_000_000 - self.split,
        }
    }
}
