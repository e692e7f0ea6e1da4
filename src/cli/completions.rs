//! `tollgate completions`: prints a shell's completions.

use std::process::ExitCode;

use clap::CommandFactory as _;

use super::{Cli, output};

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tollgate completions bash > /etc/bash_completion.d/tollgate")]
pub(super) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tollgate", &mut text);
    output::print(&String::from_utf8_lossy(&text));
    ExitCode::SUCCESS
}
