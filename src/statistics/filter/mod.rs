//! Follows quantities that drift: spans on a logarithmic scale, and chances of success.

mod belief;

mod chance;

mod side;

mod log;

pub use belief::{Belief, phi};
pub use chance::{Chance, ChanceTuning};
pub use log::{LogFilter, LogTuning};
