//! From where on a change of a way is worth telling somebody.

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// How far a median first token may be off its baseline, as a share of it: a fifth unless one
    /// says otherwise.
    pub drift: f64,
    /// The share of answered probes that a route is to keep to.
    pub availability: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            drift: 0.2,
            availability: 0.95,
        }
    }
}
