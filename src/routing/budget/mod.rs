//! Keeps extra attempts within bounds: retries, the pauses before them, hedges.

mod backoff;

mod hedge;

pub mod keep;

mod minute;

mod retry;

pub use backoff::backoff;
pub use hedge::{Booked, HedgeBudget, HedgeTerms};
pub use retry::{RetryBudget, RetryTerms};
