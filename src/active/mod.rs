//! Sends requests of our own along the same street, pinned and marked with their origin.

pub mod traffic;

pub mod named;

pub mod digest;

pub mod targets;

pub mod spending;

pub mod probing;

pub mod bench;

pub mod load;

pub mod eval;

pub mod asked;

pub use spending::as_dear;
pub use traffic::{Asked, Line, Reply, Traffic, TrafficFault};
