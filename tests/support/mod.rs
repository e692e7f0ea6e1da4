//! Sets a node before simulated providers, asks by bare socket, and finds what was recorded.

pub(crate) mod ask;
pub(crate) mod h2;
pub(crate) mod h2_client;
pub(crate) mod ports;
pub(crate) mod program;
pub(crate) mod records;
pub(crate) mod rig;
pub(crate) mod samples;
pub(crate) mod tls;

pub(crate) use ask::Ask;
pub(crate) use rig::{Plan, Rig};
