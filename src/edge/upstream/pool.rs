//! Keeps connections to providers for reuse, and lends each to one exchange (HTTP/2: to many).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use rustls::ClientConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect::{self, ConnectTimes, Connection, Http2, Target};
use super::fault::{Phase, SendFault};
use super::http1::Http1;
use super::network::Network;
use super::tls::{self, FileState, TlsFault};
use crate::clock::Clock;
use crate::config::settings::{BaseUrl, Provider};
use crate::record::{ErrorClass, Moment, Name, Nanos};

/// Limits of a pool.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// Age at which an idle connection is not used again.
    pub idle: Duration,
    /// Time for DNS, TCP and TLS together.
    pub connect: Duration,
    /// Open connections per provider.
    pub connections: usize,
    /// A new one, whatever the pool holds.
    pub fresh: bool,
}

/// TLS settings made so far, shared by all pools: one copy of the system's roots.
#[derive(Debug, Default, Clone)]
pub struct TlsConfigs(Arc<Mutex<MadeConfigs>>);

/// TLS settings by file of further roots, and by whether HTTP/2 is offered.
type MadeConfigs = HashMap<(Option<PathBuf>, bool), MadeConfig>;

#[derive(Debug)]
struct MadeConfig {
    config: Arc<ClientConfig>,
    /// The file as it was when this was made of it.
    file: Option<FileState>,
}

impl TlsConfigs {
    /// Roots are renewed while the program runs: a file that was replaced is read again for the next
    /// connection. Where nothing can be made of it, the roots before it go on.
    fn get(&self, ca_file: Option<&PathBuf>, http2: bool) -> Result<Arc<ClientConfig>, TlsFault> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (ca_file.cloned(), http2);
        let file = ca_file.and_then(|path| FileState::of(path));
        let before = made.get(&key);
        if let Some(before) = before.filter(|before| before.file == file) {
            return Ok(Arc::clone(&before.config));
        }
        let config = match tls::client_config(ca_file.map(PathBuf::as_path), http2) {
            Ok(config) => config,
            Err(fault) => {
                let before = before.ok_or(fault.clone())?;
                tracing::error!(%fault, "the roots before it stay in force");
                Arc::clone(&before.config)
            }
        };
        let kept = Arc::clone(&config);
        made.insert(key, MadeConfig { config: kept, file });
        Ok(config)
    }
}

/// Connections of one worker to all providers.
#[derive(Debug)]
pub struct Pool {
    shelves: Mutex<HashMap<Name, Shelf, RandomState>>,
    network: Network,
    tls: TlsConfigs,
    clock: Clock,
}

#[derive(Debug)]
struct Shelf {
    base: BaseUrl,
    ca_file: Option<PathBuf>,
    idle: Vec<Idle>,
    shared: Option<Arc<Http2>>,
    permits: Arc<Semaphore>,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Http1>,
    permit: OwnedSemaphorePermit,
    until: Moment,
}

/// A connection lent to one exchange. Dropped unfinished, it is closed, and an HTTP/1 provider
/// sees that at once.
#[derive(Debug)]
pub struct Lease {
    held: Option<Held>,
    pool: Arc<Pool>,
    provider: Name,
    /// Whether it has carried an exchange before.
    pub reused: bool,
    idle: Nanos,
}

#[derive(Debug)]
enum Held {
    Own(Box<Http1>, OwnedSemaphorePermit),
    Shared(Arc<Http2>),
}

/// The moments of getting a connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct LeaseTimes {
    /// A connection was had, or the leave to open one.
    pub pool_wait: Moment,
    /// Phases of opening one.
    pub connect: ConnectTimes,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(network: impl Into<Network>, tls: TlsConfigs, clock: Clock) -> Self {
        Self {
            shelves: Mutex::default(),
            network: network.into(),
            tls,
            clock,
        }
    }

    /// Lends a connection to `provider`: a pooled one unless `fresh`, else a new one.
    pub async fn lease(
        self: &Arc<Self>,
        provider: &Provider,
        limits: &PoolLimits,
        fresh: bool,
        times: &mut LeaseTimes,
    ) -> Result<Lease, SendFault> {
        if !fresh && let Some(held) = self.take(provider) {
            times.pool_wait = self.clock.now();
            return Ok(self.lend(provider, held, true, limits));
        }
        // Boxed, since most calls find a connection: they need not carry the room for this.
        Box::pin(self.lease_fresh(provider, limits, times)).await
    }

    async fn lease_fresh(
        self: &Arc<Self>,
        provider: &Provider,
        limits: &PoolLimits,
        times: &mut LeaseTimes,
    ) -> Result<Lease, SendFault> {
        let permit = self.permit(provider, limits).await?;
        times.pool_wait = self.clock.now();
        let opening = self.open(provider, &mut times.connect);
        let connection = match tokio::time::timeout(limits.connect, opening).await {
            Ok(opened) => opened?,
            Err(_) => return Err(self.too_slow(provider, limits, &times.connect)),
        };
        let held = match connection {
            Connection::Http1(connection) => Held::Own(connection, permit),
            Connection::Http2(connection) => {
                let shared = Arc::new(connection);
                self.shelf(provider, limits, |shelf| {
                    shelf.shared = Some(Arc::clone(&shared));
                });
                Held::Shared(shared)
            }
        };
        Ok(self.lend(provider, held, false, limits))
    }

    fn lend(
        self: &Arc<Self>,
        provider: &Provider,
        held: Held,
        reused: bool,
        limits: &PoolLimits,
    ) -> Lease {
        Lease {
            held: Some(held),
            pool: Arc::clone(self),
            provider: provider.name.clone(),
            reused,
            idle: Nanos(limits.idle.as_nanos() as u64),
        }
    }

    fn too_slow(
        &self,
        provider: &Provider,
        limits: &PoolLimits,
        times: &ConnectTimes,
    ) -> SendFault {
        let base = &provider.base;
        let proxy = self.network.proxy(base.https, &base.host, base.port);
        let (phase, doing) = match times {
            ConnectTimes { dns: None, .. } => (Phase::Dns, "resolving the name of"),
            ConnectTimes { connect: None, .. } => (Phase::Connect, "connecting to"),
            ConnectTimes { .. } => (Phase::Tls, "shaking TLS hands with"),
        };
        let detail = format!(
            "{doing} {} took longer than timeouts.connect ({:?})",
            base.host, limits.connect
        );
        let fault = SendFault::before(phase, ErrorClass::ConnectTimeout, detail);
        match proxy {
            Some(proxy) => fault.through(proxy),
            None => fault,
        }
    }

    async fn open(
        &self,
        provider: &Provider,
        times: &mut ConnectTimes,
    ) -> Result<Connection, SendFault> {
        let tls = if provider.base.https {
            let made = self.tls.get(provider.ca_file.as_ref(), provider.http2);
            Some(made.map_err(|error| SendFault::before(Phase::Tls, ErrorClass::Tls, error))?)
        } else {
            None
        };
        connect::open(
            &Target {
                base: &provider.base,
                tls,
                network: &self.network,
            },
            &self.clock,
            times,
        )
        .await
    }

    async fn permit(
        &self,
        provider: &Provider,
        limits: &PoolLimits,
    ) -> Result<OwnedSemaphorePermit, SendFault> {
        let permits = self.shelf(provider, limits, |shelf| Arc::clone(&shelf.permits));
        let waited = tokio::time::timeout(limits.connect, permits.acquire_owned()).await;
        waited.ok().and_then(Result::ok).ok_or_else(|| {
            let detail = format!(
                "all {} connections to {} are in use (limits.connections_per_provider)",
                limits.connections, provider.name
            );
            SendFault::before(Phase::Pool, ErrorClass::ConnectTimeout, detail)
        })
    }

    /// The provider's shelf, made anew where its address has changed.
    fn shelf<T>(
        &self,
        provider: &Provider,
        limits: &PoolLimits,
        act: impl FnOnce(&mut Shelf) -> T,
    ) -> T {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Shelf {
            base: provider.base.clone(),
            ca_file: provider.ca_file.clone(),
            idle: Vec::new(),
            shared: None,
            permits: Arc::new(Semaphore::new(limits.connections)),
        };
        let shelf = shelves.entry(provider.name.clone()).or_insert_with(new);
        if !shelf.fits(provider) {
            *shelf = new();
        }
        act(shelf)
    }

    /// A pooled connection that is open as far as the kernel knows at this moment.
    fn take(&self, provider: &Provider) -> Option<Held> {
        loop {
            match self.pop(provider)? {
                Held::Own(mut connection, permit) => {
                    if connection.is_reusable() {
                        return Some(Held::Own(connection, permit));
                    }
                }
                shared @ Held::Shared(_) => return Some(shared),
            }
        }
    }

    fn pop(&self, provider: &Provider) -> Option<Held> {
        let now = self.clock.now();
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let shelf = shelves
            .get_mut(provider.name.as_str())
            .filter(|shelf| shelf.fits(provider))?;
        if let Some(shared) = &shelf.shared {
            if !shared.sender.is_closed() && shared.sender.is_ready() {
                return Some(Held::Shared(Arc::clone(shared)));
            }
            shelf.shared = None;
        }
        // The latest first: it is the likeliest to be open, and the others may grow old.
        while let Some(idle) = shelf.idle.pop() {
            if idle.until > now {
                return Some(Held::Own(idle.connection, idle.permit));
            }
        }
        None
    }

    fn give_back(
        &self,
        provider: &Name,
        connection: Box<Http1>,
        permit: OwnedSemaphorePermit,
        until: Moment,
    ) {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shelf) = shelves.get_mut(provider.as_str()) {
            shelf.idle.push(Idle {
                connection,
                permit,
                until,
            });
        }
    }

    /// Closes idle connections that are too old, or that their providers have closed. Nothing
    /// else looks at them: idle connections are on no task.
    pub fn sweep(&self) {
        let now = self.clock.now();
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        for shelf in shelves.values_mut() {
            let stays = |idle: &mut Idle| idle.until > now && idle.connection.is_reusable();
            shelf.idle.retain_mut(stays);
        }
    }
}

impl Shelf {
    fn fits(&self, provider: &Provider) -> bool {
        self.base == provider.base && self.ca_file == provider.ca_file
    }
}

impl Lease {
    /// The connection, where it carries one exchange at a time.
    pub(super) fn own(&mut self) -> Option<&mut Http1> {
        match self.held.as_mut()? {
            Held::Own(connection, _) => Some(connection),
            Held::Shared(_) => None,
        }
    }

    /// The same, to be asked.
    pub(super) fn get_own(&self) -> Option<&Http1> {
        match self.held.as_ref()? {
            Held::Own(connection, _) => Some(connection),
            Held::Shared(_) => None,
        }
    }

    /// The connection, where several exchanges share it.
    pub(super) fn shared(&self) -> Option<&Arc<Http2>> {
        match self.held.as_ref()? {
            Held::Own(..) => None,
            Held::Shared(connection) => Some(connection),
        }
    }

    /// Gives the connection back after a whole answer. `keep_for` is the server's own word
    /// (`Keep-Alive: timeout=…`), where it gave one.
    pub fn finish(mut self, keep_for: Option<Duration>) {
        let Some(Held::Own(mut connection, permit)) = self.held.take() else {
            return;
        };
        // A second less than promised: the server's clock starts before ours.
        let promised = keep_for.map(|span| span.saturating_sub(Duration::from_secs(1)));
        let idle = promised.map_or(self.idle, |span| {
            self.idle.min(Nanos(span.as_nanos() as u64))
        });
        if !connection.is_free() || idle == Nanos(0) {
            return;
        }
        connection.rest();
        let until = self.pool.clock.now().plus(idle);
        self.pool
            .give_back(&self.provider, connection, permit, until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> String {
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .unwrap()
            .cert
            .pem()
    }

    #[test]
    fn renewed_roots_are_taken_and_broken_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.pem");
        let configs = TlsConfigs::default();
        let get = || configs.get(Some(&path), false);
        assert!(get().is_err(), "there is no file");
        let put = |text: &str| {
            let new = folder.path().join("new.pem");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(&new, &path).unwrap();
        };
        put(&root());
        let first = get().unwrap();
        assert!(Arc::ptr_eq(&first, &get().unwrap()), "it is made once");
        put(&root());
        let second = get().unwrap();
        assert!(!Arc::ptr_eq(&first, &second), "it is made of the new file");
        for broken in ["no certificate", ""] {
            put(broken);
            assert!(Arc::ptr_eq(&second, &get().unwrap()), "{broken}");
        }
        put(&root());
        assert!(!Arc::ptr_eq(&second, &get().unwrap()), "it is mended");
    }
}
