//! `tollgate healthcheck`: asks a running Tollgate whether it is well, for container runtimes.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use super::admin::{Admin, reachable};
use super::output;
use crate::app::sources;

/// Ask a running tollgate whether it is well (exit code 0) or not (1)
#[derive(Debug, clap::Args)]
#[command(after_help = "Example (Dockerfile):\n  HEALTHCHECK CMD [\"/tollgate\", \"healthcheck\"]")]
pub(super) struct Args {
    /// Its admin address; the config's otherwise
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<SocketAddr>,
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    let address = args.address.or_else(|| {
        let path = sources::config_path(config);
        let loaded = sources::load(path.as_deref()).ok()?;
        Some(reachable(loaded.settings.admin.listen))
    });
    let Some(address) = address else {
        output::note("tollgate: the config does not load; `tollgate check` says why");
        return ExitCode::from(2);
    };
    match ask(address) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            output::note(&format!("tollgate: {address} answers that it is not well"));
            ExitCode::from(1)
        }
        Err(error) => {
            output::note(&format!("tollgate: {address} does not answer: {error}"));
            ExitCode::from(1)
        }
    }
}

fn ask(address: SocketAddr) -> std::io::Result<bool> {
    let token = None;
    let answer = Admin { address, token }.ask("GET", "/healthz", "")?;
    Ok(answer.status == 200)
}
