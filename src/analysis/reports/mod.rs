//! Answers questions from exchanges: one file or room per report, each making a [`Paper`].

pub mod limit;

pub mod call;

pub mod same;

pub mod choice;

pub mod gather;

mod figures;

pub mod experiments;

pub mod canary;

mod ecdf;

pub mod tax;

mod sums;

mod within;

mod models;

mod regions;

mod backends;

mod consistency;

mod errors;

mod length;

mod cache;

mod json_tax;

mod trend;

pub mod rolled;

mod spend;

mod cost;

pub mod throughput;

pub mod scores;

pub mod probed;

pub mod bench;
pub mod probes;

pub mod runs;

pub mod baseline;

pub mod production;

pub mod listed;

pub mod compare;

pub mod worse;

pub use choice::Choice;
pub use gather::{Gathered, Report};
pub use listed::Listed;
pub use rolled::Rolled;
pub use same::{Routed, SameModel};

use super::paper::Paper;

#[cfg(test)]
mod tests;
