//! Says what was weighed when an exchange's route was chosen.

use super::units::Name;

/// What was weighed. Kept where there was something to choose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// Every route that could have been taken, in the order of the config; at most
    /// [`Decision::ROUTES_MAX`].
    pub routes: Vec<Considered>,
    /// Place of the rule that matched, from 0; absent where none did.
    pub rule: Option<u32>,
    /// Whether the first route was drawn in order to learn of it.
    pub explored: bool,
    /// Index of the attempt that was begun beside another one, because that one was slow.
    pub hedge: Option<u32>,
}

impl Decision {
    /// Routes kept of one decision.
    pub const ROUTES_MAX: usize = 64;
}

/// One route that could have been taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Considered {
    /// The provider.
    pub provider: Name,
    /// The model's name there.
    pub model: Option<Name>,
    /// Whether it serves another model than the one asked for.
    pub other_model: bool,
    /// The policy's score in millionths, the lowest best; its unit is the policy's. Absent for
    /// routes that it did not judge.
    pub score: Option<i64>,
    /// Its chance of being first, in millionths.
    pub propensity: u32,
    /// Why it was not to be tried; absent where it was.
    pub left_out: Option<Name>,
}
