//! Takes from the machine what every start needs: a runtime, and the environment's forward proxies.

use tokio::runtime::Runtime;

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

/// A runtime on the thread that asks for it.
pub(super) fn runtime() -> Result<Runtime, AppFault> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| AppFault::Runtime(format!("cannot start the runtime: {error}")))
}
