//! The package `tollgate-core`: what every exchange goes through, built to be fast.
//!
//! The modules stand in the order of the table in `ARCHITECTURE.md`; the rest of the house is in
//! `lib.rs`. None of them knows of the rest, so that nothing of the street is built small.

pub mod record;

pub mod clock;

pub mod statistics;

pub mod wire;

pub mod routing;

pub mod workload;

pub mod config;

pub mod edge;

pub mod recorder;

pub mod proxy;

#[cfg(test)]
mod sample;
