//! Says by which way a provider's host is reached: the network, forward proxies in it, or pipes
//! within this process.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::DuplexStream;

use super::forward::{ForwardProxy, ProxyRules};

/// A connection that is being opened within this process.
pub type Dialled = Pin<Box<dyn Future<Output = io::Result<DuplexStream>> + Send>>;

type Dial = dyn Fn(&str, u16) -> Dialled + Send + Sync;

/// The way to all hosts.
#[derive(Clone)]
pub struct Network(Way);

#[derive(Clone)]
enum Way {
    Sockets(ProxyRules),
    Pipes(Arc<Dial>),
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Way::Sockets(rules) => f.debug_tuple("Sockets").field(rules).finish(),
            Way::Pipes(_) => f.write_str("Pipes"),
        }
    }
}

impl From<ProxyRules> for Network {
    /// The machine's network, by these rules.
    fn from(rules: ProxyRules) -> Self {
        Self(Way::Sockets(rules))
    }
}

impl Network {
    /// No network at all: `dial` opens every connection, by host and port, within this process.
    /// Plain HTTP/1.1 is spoken over it, whatever the scheme.
    #[must_use]
    pub fn of_pipes(dial: impl Fn(&str, u16) -> Dialled + Send + Sync + 'static) -> Self {
        Self(Way::Pipes(Arc::new(dial)))
    }

    /// Begins to open a connection, where no socket is to carry it.
    pub(super) fn dial(&self, host: &str, port: u16) -> Option<Dialled> {
        match &self.0 {
            Way::Sockets(_) => None,
            Way::Pipes(dial) => Some(dial(host, port)),
        }
    }

    /// The forward proxy for a host and port, if any.
    pub(super) fn proxy(&self, https: bool, host: &str, port: u16) -> Option<&ForwardProxy> {
        match &self.0 {
            Way::Sockets(rules) => rules.for_host(https, host, port),
            Way::Pipes(_) => None,
        }
    }
}
