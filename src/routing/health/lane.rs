//! Holds what is known of one credential's use of one route.

use crate::record::{KeyedHash, Moment};
use crate::routing::limits::{Declared, Meter};

use super::cooling::Cooling;
use super::pace::Pace;
use super::used::{MeterUse, Used};

/// One credential on one route.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lane {
    pub(super) credential: Option<KeyedHash>,
    pub(super) at_work: u32,
    pub(super) cooling: Cooling,
    pub(super) held: Cooling,
    pub(super) pace: Pace,
    pub(super) used: Used,
}

impl Lane {
    pub(super) fn new(credential: Option<KeyedHash>) -> Self {
        Self {
            credential,
            ..Self::default()
        }
    }

    pub(super) fn declare(&mut self, declared: &Declared, now: Moment) {
        self.used.declare(declared, now);
    }

    /// How much of a meter is in use.
    #[must_use]
    pub fn meter(&self, meter: Meter, now: Moment) -> MeterUse {
        self.used.meter(meter, now)
    }

    /// The credential's hash; absent where none is sent.
    #[must_use]
    pub const fn credential(&self) -> Option<KeyedHash> {
        self.credential
    }

    /// Requests at work.
    #[must_use]
    pub const fn at_work(&self) -> u32 {
        self.at_work
    }
}
