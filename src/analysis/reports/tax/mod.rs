//! The report `tax`: what going through a router costs against the provider directly.
//!
//! Method: `measurement.md` section 4.A. Requests are compared only with requests like them, and
//! only where both routes have enough of them; otherwise nothing is said.

mod strata;

mod adjust;

mod randomised;

mod paper;

#[cfg(test)]
mod tests;

pub use adjust::{Comparison, Effect, Metric, Refusal, compare};
pub use paper::{Asked, Tax};
pub(super) use paper::{effect_cells, sentence};
