//! The report `experiments`: what two routes taken by lot did, and whether one may stop.
//!
//! Method: `measurement.md` section 4.B. By intention to treat: an exchange counts for the arm
//! that was drawn, whoever served it in the end.

mod entry;

mod trial;

mod effect;

mod verdict;

mod taxed;

mod paper;

mod tables;

mod others;

mod over_time;

mod plan;

#[cfg(test)]
mod tests;

pub(super) use verdict::{more, own};

pub(super) use taxed::Taxed;

pub(super) use trial::Trials;

pub use paper::{Asked, Experiments};
pub use plan::Plans;
