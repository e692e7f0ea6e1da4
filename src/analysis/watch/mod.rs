//! Judges routes by their probes: whether one is there, has drifted from its baseline, starts cold.

pub mod point;

pub mod drift;

pub mod availability;

pub mod cold;

pub mod alert;

pub mod states;

pub use alert::{Alert, Change, Condition};
pub use availability::Availability;
pub use drift::Drift;
pub use point::Point;
pub use states::States;
