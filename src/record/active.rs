//! Says what an exchange of our own making is part of: a run, a round, a pair, a trial.

use super::units::{Moment, Name};

/// What an exchange of our own making is part of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Active {
    /// The run that it belongs to.
    pub run: Name,
    /// The round of the run, from 0.
    pub round: u32,
    /// Its pair, where it has a partner with the same request at another route.
    pub pair: Option<Pair>,
    /// What was asked: the item of a data set, or of the pool of prompts.
    pub item: Option<Name>,
    /// Which time that item is asked there, from 0.
    pub trial: u32,
    /// When it was to be sent: later is the schedule's lag.
    pub intended: Option<Moment>,
    /// It only warms connections: left out of everything that is measured.
    pub warm_up: bool,
    /// It was to go over a connection that is opened for it.
    pub cold: bool,
}

/// The place of an exchange in a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pair {
    /// Which pair of its run, from 0.
    pub number: u32,
    /// Its place in the drawn order of the two: 0 was sent first.
    pub order: u8,
}
