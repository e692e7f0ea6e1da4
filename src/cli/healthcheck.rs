//! `tollgate healthcheck`: asks a running Tollgate whether it is well, for container runtimes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use super::admin::{Admin, reachable};
use super::output;
use crate::app::sources;

/// Ask a running tollgate whether it is well (exit code 0) or not (1)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate healthcheck\n  tollgate healthcheck --address 127.0.0.1:4101\n\n\
    In a Dockerfile: HEALTHCHECK CMD [\"/tollgate\", \"healthcheck\"]"
)]
pub(super) struct Args {
    /// Its admin address; the config's otherwise, or 127.0.0.1:4101 where that does not load
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<SocketAddr>,
}

/// Where a server listens whose config says nothing of it.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4101);

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    let address = args.address.unwrap_or_else(|| {
        let path = sources::config_path(config);
        // A config that does not load says nothing of the server, which goes on by its old one.
        let loaded = sources::load_to_read(path.as_deref());
        loaded.map_or(USUAL, |loaded| reachable(loaded.settings.admin.listen))
    });
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
    let admin = Admin {
        address,
        token: None,
        lacks_token: false,
    };
    let answer = admin.ask("GET", "/healthz", "")?;
    Ok(answer.status == 200)
}
