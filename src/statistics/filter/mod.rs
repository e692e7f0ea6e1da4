//! Follows quantities that drift: spans on a logarithmic scale, and chances of success.

mod chance;

mod log;

pub use chance::{Chance, ChanceTuning};
pub use log::{Belief, LogFilter, LogTuning, phi};
