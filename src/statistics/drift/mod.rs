//! Tells when a way has changed.

pub mod cusum;

pub mod divisive;

pub mod thresholds;

pub mod trend;

pub use cusum::{Alarm, Cusum, Direction, Reference, steps_to_false_alarm, threshold_for};
pub use divisive::{Change, Divisive, changes};
pub use thresholds::Thresholds;
pub use trend::{MannKendall, mann_kendall, slow_trend, theil_sen};
