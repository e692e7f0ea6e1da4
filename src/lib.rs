//! Tollgate: a measuring reverse proxy and router for LLM APIs.
//!
//! The modules stand in the order of the table in `ARCHITECTURE.md`: a module imports only what
//! stands above it, and only what its row names. `tests/architecture.rs` holds that as a law.

pub mod record;

pub mod clock;

pub mod statistics;

pub mod wire;

pub mod routing;

pub mod workload;

pub mod analysis;

pub mod config;

pub mod edge;

pub mod recorder;

pub mod proxy;

pub mod active;

pub mod simulator;

pub mod ui;

pub mod app;

pub mod cli;
