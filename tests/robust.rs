//! Runs the program itself and does to it what life does: kills, full disks, signals, bad configs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![expect(
    clippy::print_stdout,
    reason = "figures are printed for whoever reads them"
)]

#[expect(
    dead_code,
    unused_imports,
    reason = "the end-to-end tests use all of it"
)]
mod support;

mod robust {
    use crate::support::ports;

    mod canary;
    mod disk;
    mod figures;
    mod kills;
    mod logins;
    mod panics;
    mod program;
    mod reload;
    mod standing;
    mod starts;
    mod stopping;
}
