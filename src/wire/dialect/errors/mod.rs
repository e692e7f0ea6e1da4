//! Tells what kind of error a provider reports, and what may follow it.

mod body;

mod classify;

mod failover;

mod report;

mod wait;

pub use classify::{Classified, ERROR_TYPE, classify, outcome};
pub use failover::{Verdict, failover, failover_of_status};
pub use report::{Report, message};
pub use wait::limits_in_body;

pub(crate) use body::{is_error, is_error_body, is_flat_error};
pub(crate) use classify::{classify_typed, in_band};

#[cfg(test)]
mod table_tests;
