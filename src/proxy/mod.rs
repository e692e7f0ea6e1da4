//! Takes one request through the street: intake, candidates, plan, failover, relay, tap, settle.

pub mod secret;

pub mod tap;

pub mod reject;

pub mod filter;

pub mod candidates;

pub mod headers;

pub mod settle;

pub mod intake;

pub mod failover;

pub mod models;

pub mod street;

pub use secret::Hasher;
pub use street::{Proxy, Shared};
