//! `tollgate demo`: the whole thing without a key or a network.

use std::process::ExitCode;

use super::output;
use crate::app;

/// Run everything without a key or a network: simulated providers, traffic, page
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate demo")]
pub(super) struct Args {
    /// Seed of the simulated past and traffic
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(args: &Args) -> ExitCode {
    app::telemetry::init();
    match app::run::demo(args.seed, &|text| output::note(text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => output::fail(&fault),
    }
}
