//! Loads routes: sends by a schedule or for users at once, and says what they bear.

pub mod plan;

pub mod wish;

mod ask;

mod pace;

mod post;

pub mod sample;

pub mod spread;

pub mod rising;

mod bill;

pub mod figures;

mod collect;

pub mod estimate;

pub mod bounds;

pub mod run;

pub mod result;

mod told;

pub mod paper;

pub mod over_time;

mod numbers;

pub mod saved;

pub mod bears;

mod pictures;

pub mod charts;

pub mod finished;

pub use collect::Collected;
pub use finished::Finished;
pub use plan::{Plan, Sizing};
pub use run::{Ended, Load, LoadFault, Outside, Progress, StepResult, TargetResult};
pub use wish::Wish;
