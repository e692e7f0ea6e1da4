//! `tollgate healthcheck`: asks a running Tollgate whether it is well, for container runtimes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::output;
use crate::app::sources;

/// Longest wait for each step.
const PATIENCE: Duration = Duration::from_secs(3);

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

/// An unspecified address is listened on everywhere, and asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        SocketAddr::from(([127, 0, 0, 1], listen.port()))
    } else {
        listen
    }
}

fn ask(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}
