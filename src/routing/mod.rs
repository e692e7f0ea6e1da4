//! Knows what models there are and cost, and which route goes first, and why.

pub mod catalogue;

pub mod pricing;

pub mod plan;
