//! Knows what models there are and which route goes first, and why.

pub mod catalogue;

pub mod plan;
