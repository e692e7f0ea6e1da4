//! The report `tax`: what going through a router costs against the provider directly.
//!
//! Method: `measurement.md` section 4.A. Requests are compared only with requests like them, and
//! only where both routes have enough of them; otherwise nothing is said. Beside that, and never
//! pooled with it: what live experiments' coins told, and what pairs of a bench told.

mod placed;

mod hours;

mod strata;

mod adjust;

mod randomised;

mod paired;

mod paired_paper;

mod paper;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod paired_tests;

pub use adjust::{Comparison, Effect, Metric, Refusal, compare};
pub use paper::{Asked, Tax, lacks_reference};
pub(super) use paper::{effect_cells, sentence};
