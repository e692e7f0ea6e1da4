//! Answers questions from exchanges: one file or room per report, each making a [`Paper`].

pub mod call;

pub mod choice;

pub mod gather;

pub mod tax;

pub use choice::Choice;
pub use gather::{Gathered, Report};

use super::paper::Paper;
