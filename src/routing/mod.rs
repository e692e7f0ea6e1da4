//! Knows what models there are and cost, which route goes first, and why, and who is in an experiment.

pub mod catalogue;

pub mod pricing;

pub mod plan;

pub mod experiment;
