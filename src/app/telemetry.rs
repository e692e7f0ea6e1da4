//! Sends the logs to stderr: quiet unless `TOLLGATE_LOG` asks for more.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts logging. A second call does nothing.
pub fn init() {
    let filter = EnvFilter::try_from_env("TOLLGATE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,tollgate=info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
}
