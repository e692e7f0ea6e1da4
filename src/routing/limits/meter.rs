//! Holds what is declared of one thing that a provider meters.

use crate::record::Nanos;

/// What is metered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meter {
    /// Requests.
    Requests,
    /// Tokens.
    Tokens,
}

/// What is declared of one meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit {
    /// How much there is in a window.
    pub limit: Option<u64>,
    /// How much is left of it.
    pub left: Option<u64>,
    /// The span until it is whole again.
    pub reset: Option<Nanos>,
    /// The window, where the header's name tells it.
    pub window: Option<Nanos>,
}

/// Whether a short word holds another.
pub(super) fn has(word: &[u8], other: &[u8]) -> bool {
    word.windows(other.len()).any(|window| window == other)
}
