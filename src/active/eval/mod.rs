//! Evaluates routes: asks each the items of a data set, scores the answers, and forgets them.

pub mod dataset;

pub mod template;

pub mod judge;

pub mod command;

pub mod scorers;

pub mod plan;

pub mod wish;

mod reply;

pub mod estimate;

pub mod run;

pub mod result;

pub mod charts;

pub use plan::{Plan, Task};
pub use run::{Eval, EvalFault, Measured, Outside, Spoken};
pub use scorers::Scorer;
pub use wish::{ReadFile, Wish};
