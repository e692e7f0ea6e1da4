//! Writes what routing knows as text to be kept over a restart, and reads it again.

mod shape;

use serde_json::Error;

use crate::record::{Moment, Nanos, WallTime};
use crate::routing::health::{Health, HealthTuning};
use crate::routing::learned::{Learned, LearnedTuning};

use shape::Shape;

/// The version of the text.
pub const VERSION: u32 = 1;

/// Why what was kept cannot be used; then routing begins anew.
#[derive(Debug, thiserror::Error)]
pub enum KeptFault {
    /// Not the text of any version.
    #[error("what was kept of routing cannot be read: {0}")]
    Unreadable(#[from] Error),
    /// The text of another version.
    #[error("what was kept of routing is of version {0}, this program reads version {VERSION}")]
    Version(u32),
}

/// What was kept.
#[derive(Debug)]
pub struct Kept {
    /// When it was written.
    pub at: WallTime,
    shape: Shape,
}

/// The text of what is known as of `now`, which is the date `at`.
pub fn write(
    health: &Health,
    learned: &Learned,
    now: Moment,
    at: WallTime,
) -> Result<String, Error> {
    serde_json::to_string(&Shape::of(&health.keep(now), &learned.keep(now), at))
}

/// Reads such a text.
pub fn read(text: &str) -> Result<Kept, KeptFault> {
    let version: shape::Version = serde_json::from_str(text)?;
    if version.version != VERSION {
        return Err(KeptFault::Version(version.version));
    }
    let shape: Shape = serde_json::from_str(text)?;
    Ok(Kept {
        at: WallTime(shape.at),
        shape,
    })
}

impl Kept {
    /// How old it is at the date `at`; zero where the date ran back.
    #[must_use]
    pub fn age(&self, at: WallTime) -> Nanos {
        Nanos((at.0.saturating_sub(self.at.0)).max(0) as u64 * 1_000)
    }

    /// Health and what was learned, as old as they are at `now`, which is the date `at`.
    #[must_use]
    pub fn restore(
        &self,
        tunings: (HealthTuning, LearnedTuning),
        now: Moment,
        at: WallTime,
    ) -> (Health, Learned) {
        let age = self.age(at);
        let health = Health::restore(tunings.0, &self.shape.health(), age, now);
        let learned = Learned::restore(tunings.1, &self.shape.learned(), age, now);
        (health, learned)
    }
}

#[cfg(test)]
mod tests;
