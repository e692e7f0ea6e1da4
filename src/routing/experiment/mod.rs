//! Knows live experiments: what each compares, and which arm an exchange is in.

mod definition;

mod assign;

pub use assign::{Applicant, coins, enrol};
pub use definition::{Bounds, Eligible, Experiment, Metric, Mode, Question, Route, Stop};
