//! Takes from the machine what every start needs: a runtime, and the environment's forward proxies.

use tokio::runtime::Runtime;

use super::fault::AppFault;
use super::sources::Environment;
use crate::edge::upstream::ProxyRules;

/// Forward proxies from the environment; curl's lower-case names count too.
pub(super) fn proxies() -> ProxyRules {
    let environment = Environment::read();
    let get = |names: [&str; 3]| {
        names
            .iter()
            .find_map(|name| environment.get(name).filter(|value| !value.is_empty()))
    };
    ProxyRules::new(
        get(["HTTPS_PROXY", "https_proxy", "ALL_PROXY"]).as_deref(),
        // Upper-case HTTP_PROXY is not read, as in curl: under CGI a client could set it.
        get(["http_proxy", "ALL_PROXY", "all_proxy"]).as_deref(),
        get(["NO_PROXY", "no_proxy", "no_proxy"]).as_deref(),
    )
}

/// A runtime on the thread that asks for it.
pub(super) fn runtime() -> Result<Runtime, AppFault> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| AppFault::Runtime(format!("cannot start the runtime: {error}")))
}
