//! Tollgate: a measuring reverse proxy and router for LLM APIs.
//!
//! The modules stand in the order of the table in `ARCHITECTURE.md`: a module imports only what
//! stands above it, and only what its row names. `tests/architecture.rs` holds that as a law.
//! The first ten are a package of their own (`core.rs`), for the sake of how they are optimised.

pub use tollgate_core::{
    clock, config, edge, proxy, record, recorder, routing, statistics, wire, workload,
};

pub mod analysis;

pub mod active;

pub mod simulator;

pub mod ui;

pub mod app;

pub mod cli;

#[cfg(test)]
mod sample;
