//! Draws the moments of an answer.

use fastrand::Rng;

use crate::record::Nanos;

use super::behaviour::{Behaviour, Delay};

/// The draws that pace an answer.
pub(super) struct Timing {
    pub(super) rng: Rng,
    gap: Delay,
    factor: f64,
    /// Head and role.
    pub(super) head: Nanos,
    /// First token.
    pub(super) first: Nanos,
}

impl Timing {
    /// Draws head and first token.
    pub(super) fn new(behaviour: &Behaviour, factor: f64, mut rng: Rng) -> Self {
        let scaled = |span: Nanos| Nanos((span.0 as f64 * factor) as u64);
        let first = scaled(behaviour.first_token.draw(&mut rng));
        let head = scaled(behaviour.head.draw(&mut rng)).min(first);
        Self {
            rng,
            gap: behaviour.gap,
            factor,
            head,
            first,
        }
    }

    /// Draws the next gap.
    pub(super) fn gap(&mut self) -> Nanos {
        Nanos((self.gap.draw(&mut self.rng).0 as f64 * self.factor) as u64)
    }
}
