//! Keeps the oddities of one response, each kind once.

use crate::record::Oddity;

/// A set of oddities.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Oddities(u32);

// The set holds one bit for each.
const _: () = assert!(Oddity::ALL.len() <= 32);

impl Oddities {
    /// Adds `oddity`.
    pub(super) fn add(&mut self, oddity: Oddity) {
        self.0 |= 1 << (oddity as u32);
    }

    /// Whether any of `oddities` was met.
    pub(super) fn any(self, oddities: &[Oddity]) -> bool {
        oddities
            .iter()
            .any(|oddity| self.0 >> (*oddity as u32) & 1 == 1)
    }

    /// The oddities met, in their own order.
    pub(super) fn list(self) -> Vec<Oddity> {
        Oddity::ALL
            .into_iter()
            .filter(|oddity| self.any(&[*oddity]))
            .collect()
    }
}
