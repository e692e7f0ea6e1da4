//! `tollgate man`: prints the manual page.

use std::process::ExitCode;

use clap::CommandFactory as _;

use super::{Cli, output};

/// Print the manual page
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate man | man -l -")]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> ExitCode {
    let mut text = Vec::new();
    match clap_mangen::Man::new(Cli::command()).render(&mut text) {
        Ok(()) => {
            output::print(&String::from_utf8_lossy(&text));
            ExitCode::SUCCESS
        }
        Err(error) => {
            output::note(&format!("tollgate: {error}"));
            ExitCode::from(3)
        }
    }
}
