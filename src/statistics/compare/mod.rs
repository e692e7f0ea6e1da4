//! Compares two ways: how far apart, how surely, and whether that matters.

pub mod random;

pub mod bootstrap;

pub mod verdict;

pub use bootstrap::{
    Resampling, Stratum, bootstrap_difference, bootstrap_ratio, overlap_weight,
    stratified_difference, stratified_ratio,
};
pub use random::Random;
pub use verdict::{Margin, Verdict, decide};
