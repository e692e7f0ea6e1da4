//! `tollgate serve`: runs the proxy and the page.

use std::path::Path;
use std::process::ExitCode;

use super::output;
use crate::app;

/// Run the proxy and the report page (the default command)
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tollgate serve\n  tollgate serve --config tollgate.toml")]
pub(super) struct Args {}

pub(super) fn run(config: Option<&Path>) -> ExitCode {
    app::telemetry::init();
    match app::run::serve(config, &|text| output::note(text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => output::fail(&fault),
    }
}
