//! Takes from the machine what every start needs: a runtime, and the environment's forward proxies.

use rustix::process::Signal;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::fault::AppFault;
use super::sources::Environment;
use crate::edge::upstream::ProxyRules;

/// Forward proxies from the environment; curl's lower-case names count too.
pub fn proxies() -> Result<ProxyRules, AppFault> {
    let environment = Environment::read();
    let get = |names: &[&'static str]| {
        names.iter().find_map(|name| {
            let value = environment.get(name).filter(|value| !value.is_empty());
            value.map(|value| (*name, value))
        })
    };
    let https = get(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]);
    // Upper-case HTTP_PROXY is not read, as in curl: under CGI a client could set it.
    let http = get(&["http_proxy", "ALL_PROXY", "all_proxy"]);
    let without = get(&["NO_PROXY", "no_proxy"]);
    ProxyRules::new(
        https.as_ref().map(|(name, value)| (*name, value.as_str())),
        http.as_ref().map(|(name, value)| (*name, value.as_str())),
        without.as_ref().map(|(_, value)| value.as_str()),
    )
    .map_err(|fault| AppFault::Usage(fault.to_string()))
}

/// Has a write beyond the limit of a file's size (`ulimit -f`, `LimitFSIZE`) fail like one on a
/// full disk. Unless somebody hears it, SIGXFSZ ends the program without a word.
///
/// Who once listened keeps it from doing so for good, and programs that are started have their own
/// again.
pub fn outlive_large_files() {
    let Ok(runtime) = runtime() else { return };
    let _within = runtime.enter();
    // Where it cannot be heard, all is as it was.
    drop(signal(SignalKind::from_raw(Signal::XFSZ.as_raw())));
}

/// A runtime on the thread that asks for it.
pub(super) fn runtime() -> Result<Runtime, AppFault> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| AppFault::Runtime(format!("cannot start the runtime: {error}")))
}
