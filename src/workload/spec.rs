//! Says what a load is: how long its requests are, how many users, how fast they are to be served.

use super::schedule::Phases;
use super::sizes::Sizes;
use crate::record::Nanos;

/// A load, as a workload file describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// The version of its file.
    pub version: String,
    /// What it stands for.
    pub description: String,
    /// How long prompts and answers are.
    pub sizes: Sizes,
    /// The total time within which an answer counts as served.
    pub latency_sla: Nanos,
    /// Users at once, each with one request at a time.
    pub concurrent_users: u32,
    /// Requests before the ramp, that warm connections.
    pub warm_ups: u32,
    /// Ramp, measured time, and end.
    pub phases: Phases,
}

/// The share of requests that must be served within the time for a rate to hold.
pub const WITHIN: f64 = 0.95;
