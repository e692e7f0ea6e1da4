//! Watches a canary beside the other routes of its model, and takes it through its stages.

pub mod watch;

pub mod stages;

pub use stages::{Progress, Stages, Waits};
pub use watch::{Judged, Scored, Seen, Watch, Worse};
