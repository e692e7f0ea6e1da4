//! Takes whole exchanges through a node and simulated providers, and holds the proxy to its promises.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![expect(
    clippy::print_stdout,
    reason = "figures are printed for whoever reads them"
)]

#[expect(dead_code, reason = "each test needs another part of it")]
mod support;

mod e2e {
    mod bounds;
    mod canaries;
    mod catalogue;
    mod clients;
    mod costs;
    mod credentials;
    mod experiments;
    mod failover;
    mod faults;
    mod hub;
    mod identity;
    mod marks;
    mod mixed;
    mod ours;
    mod outage;
    mod passing;
    mod probes;
    mod protocols;
    mod reaching;
    mod routes;
    mod storm;
    mod translating;
    mod translating_clouds;
}
