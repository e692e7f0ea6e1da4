//! Summarises many numbers honestly.

pub mod quantile;

pub mod sketch;

pub mod metric;

pub mod interval;

pub mod filter;

pub mod compare;

pub mod sequence;

pub mod drift;

pub mod rollup;

pub use metric::{DEFINITIONS, Figures, Metric, Rate};
pub use rollup::{Part, Rollup};
pub use sketch::Sketch;
