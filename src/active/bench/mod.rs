//! Benchmarks routes: plans what is asked from a seed, asks it, and says what it found and how.

pub mod plan;

pub mod wish;

mod ask;

pub mod answer;

pub mod estimate;

pub mod run;

pub mod result;

pub mod finished;

pub use finished::Finished;
pub use plan::{Design, Plan, Task, Variant};
pub use run::{Bench, Ended, Measured, Outside};
pub use wish::{Cold, Wish};
