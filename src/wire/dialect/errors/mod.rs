//! Tells what kind of error a provider reports, and what may follow it.

mod body;

mod classify;

mod failover;

pub use classify::{Classified, ERROR_TYPE, classify, outcome};
pub use failover::{Verdict, failover};

pub(crate) use body::{is_error, is_error_body};
pub(crate) use classify::{classify_typed, in_band};
