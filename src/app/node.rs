//! Puts one running Tollgate together: workers, street, recorder; and takes it apart again.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use dashmap::DashSet;
use http::{HeaderValue, Request, Response};
use hyper::service::{Service, service_fn};
use tokio::runtime::Builder;

use super::fault::AppFault;
use crate::active::Traffic;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::edge::credentials::Keyring;
use crate::edge::server::{
    self, AcceptLimits, Certificates, ConnectionLimits, Counters, Descriptors, Door, Drain, Inlet,
    Peer, RequestBody, Stop,
};
use crate::edge::upstream::pool::TlsConfigs;
use crate::edge::upstream::{Network, Pool, ProxyRules};
use crate::proxy::accounts::Accounts;
use crate::proxy::models::ModelLists;
use crate::proxy::quotes::Quotes;
use crate::proxy::settle::{Offer, Settler};
use crate::proxy::tap::ProxyBody;
use crate::proxy::{Hasher, Proxy, Shared};
use crate::record::Origin;
use crate::recorder::Standing;

/// What a node is built from.
pub struct Parts {
    /// The settings.
    pub settings: Settings,
    /// Where records go.
    pub offer: Offer,
    /// What is known of the routes already.
    pub standing: Standing,
    /// The secret of the installation.
    pub secret: Vec<u8>,
    /// Where records are said to come from.
    pub origin: Origin,
    /// Forward proxies.
    pub proxies: ProxyRules,
    /// Who is asked for credentials instead of the clouds' own servers: nobody but in tests.
    pub logins: Option<SocketAddr>,
    /// The clock.
    pub clock: Clock,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

/// A running data plane.
#[derive(Debug)]
pub struct Node {
    /// What its workers share.
    pub shared: Arc<Shared>,
    /// Open and refused connections.
    pub counters: Arc<Counters>,
    /// Its address.
    pub address: SocketAddr,
    /// What it shows its clients, where it listens by TLS.
    pub certificates: Option<Certificates>,
    workers: Vec<JoinHandle<()>>,
    stop: Stop,
    drain: Drain,
    inlets: Vec<Inlet>,
    ways: Ways,
}

/// How its workers reach providers.
#[derive(Debug, Clone)]
struct Ways {
    network: Network,
    configs: TlsConfigs,
}

impl Node {
    /// Starts the workers.
    pub fn start(parts: Parts) -> Result<Self, AppFault> {
        let settings = &parts.settings;
        let workers = settings.server.workers.max(1);
        let tls = settings
            .server
            .tls
            .as_ref()
            .map(Certificates::read)
            .transpose()
            .map_err(|fault| AppFault::Usage(format!("server.tls: {fault}")))?;
        let descriptors = Descriptors::raise();
        let listeners = server::listen(settings.server.listen, workers, "server.listen")?;
        descriptors.warn(settings.limits.connections);
        let address = listeners
            .first()
            .and_then(|listener| listener.local_addr().ok())
            .unwrap_or(settings.server.listen);
        let network = Network::from(parts.proxies.clone());
        let mut node = Self::assemble(parts, address, network);
        node.certificates.clone_from(&tls);
        for (number, listener) in listeners.into_iter().enumerate() {
            let worker = node.worker();
            let front = Front {
                listener,
                tls: tls.clone(),
                descriptors,
            };
            let spawned = std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || worker.run(front))
                .map_err(|error| AppFault::Runtime(format!("cannot start a thread: {error}")))?;
            node.workers.push(spawned);
        }
        Ok(node)
    }

    /// A node of one worker that listens at no address and reaches providers by `network` alone.
    /// No thread carries it: it is at work while the future that comes with it is polled, and
    /// requests come in by [`Self::traffic`]. With a clock of its runtime it lives on that
    /// runtime's time.
    pub fn within(parts: Parts, network: Network) -> (Self, impl Future<Output = ()>) {
        let address = parts.settings.server.listen;
        let mut node = Self::assemble(parts, address, network);
        let worker = node.worker();
        (node, worker.serve_inside())
    }

    fn assemble(parts: Parts, address: SocketAddr, network: Network) -> Self {
        let settler = Settler {
            offer: parts.offer,
            standing: Arc::new(parts.standing),
            clock: parts.clock.clone(),
            accounts: Accounts::default(),
            accepted: AtomicU64::new(0),
            settled: AtomicU64::new(0),
        };
        let configs = TlsConfigs::default();
        let (proxies, clock) = (parts.proxies, parts.clock.clone());
        let keyring = Keyring::new(proxies, configs.clone(), clock, parts.logins);
        let instance = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let shared = Arc::new(Shared {
            settings: ArcSwap::from_pointee(parts.settings),
            settler: Arc::new(settler),
            clock: parts.clock,
            hasher: Hasher::new(&parts.secret),
            instance: HeaderValue::from_str(&instance)
                .unwrap_or_else(|_| HeaderValue::from_static("tollgate")),
            origin: parts.origin,
            quotes: Quotes::default(),
            keyring: Arc::new(keyring),
            models: ModelLists::default(),
            announced: Arc::default(),
            refuses_injection: DashSet::default(),
        });
        let (drain, stop) = Drain::new();
        Self {
            shared,
            counters: Arc::default(),
            address,
            certificates: None,
            workers: Vec::new(),
            stop,
            drain,
            inlets: Vec::new(),
            ways: Ways { network, configs },
        }
    }

    /// A further worker, with a pool and a way in of its own.
    fn worker(&mut self) -> Worker {
        let Ways { network, configs } = self.ways.clone();
        let pool = Arc::new(Pool::new(network, configs, self.shared.clock.clone()));
        let (inlet, door) = Inlet::new();
        self.inlets.push(inlet);
        let (shared, drain) = (Arc::clone(&self.shared), self.drain.clone());
        Worker {
            door,
            proxy: Proxy::new(Arc::clone(&shared), Arc::clone(&pool), drain.clone()),
            pool,
            shared,
            counters: Arc::clone(&self.counters),
            drain,
        }
    }

    /// The way in for requests of our own.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        Traffic::new(
            self.inlets.clone().into(),
            Arc::clone(&self.shared.announced),
        )
    }

    /// Hears when the node stops.
    #[must_use]
    pub fn drain_signal(&self) -> Drain {
        self.drain.clone()
    }

    /// Takes no new connections; exchanges at work may finish.
    pub fn drain(&self) {
        self.stop.drain();
    }

    /// Whether every worker is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.workers.iter().all(JoinHandle::is_finished)
    }

    /// Drops what is still at work, and waits for the workers.
    pub fn stop(mut self) {
        self.stop.abort();
        for worker in self.workers.drain(..) {
            // A worker that panicked has nothing left to wait for.
            let _ = worker.join();
        }
    }
}

/// How often a worker looks for idle connections that are over.
const SWEEP: Duration = Duration::from_secs(2);

/// Where a worker's clients come in.
struct Front {
    listener: TcpListener,
    tls: Option<Certificates>,
    descriptors: Descriptors,
}

struct Worker {
    door: Door,
    proxy: Proxy,
    pool: Arc<Pool>,
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    drain: Drain,
}

impl Worker {
    fn run(self, front: Front) {
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "a worker cannot start");
                return;
            }
        };
        if let Err(error) = runtime.block_on(self.serve(front)) {
            tracing::error!(%error, "a worker cannot listen");
        }
    }

    /// Serves who comes to `front`, and requests of our own.
    async fn serve(self, front: Front) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(front.listener)?;
        let (shared, proxy) = (Arc::clone(&self.shared), self.proxy.clone());
        let clients = server::serve(
            listener,
            front.tls,
            move || front.descriptors.limit(limits(&shared.settings.load())),
            move |peer| street(&proxy, peer),
            Arc::clone(&self.counters),
            self.shared.clock.clone(),
            self.drain.clone(),
        );
        tokio::join!(clients, self.serve_inside());
        Ok(())
    }

    /// Serves requests of our own alone.
    async fn serve_inside(self) {
        let Self {
            door,
            proxy,
            pool,
            shared,
            drain,
            ..
        } = self;
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                pool.sweep();
            }
        });
        let clock = shared.clock.clone();
        let limits = move || limits(&shared.settings.load());
        let service = move |peer| street(&proxy, peer);
        server::serve_inlet(door, limits, service, clock, drain).await;
    }
}

/// The street, as one client meets it.
fn street(
    proxy: &Proxy,
    peer: Arc<Peer>,
) -> impl Service<Request<RequestBody>, Response = Response<ProxyBody>, Error = io::Error, Future: Send>
+ Send
+ use<> {
    let proxy = proxy.clone();
    service_fn(move |request| handle(proxy.clone(), request, Arc::clone(&peer)))
}

async fn handle(
    proxy: Proxy,
    request: Request<RequestBody>,
    peer: Arc<Peer>,
) -> Result<Response<ProxyBody>, io::Error> {
    Ok(proxy.handle_caught(request, peer).await)
}

fn limits(settings: &Settings) -> AcceptLimits {
    AcceptLimits {
        connections: settings.limits.connections,
        full: "tollgate has reached limits.connections open client connections; raise the limit or \
               close idle connections",
        connection: ConnectionLimits {
            request_headers: settings.timeouts.request_headers,
            idle: settings.timeouts.client_idle,
            write: settings.timeouts.client_write,
            header_bytes: settings.limits.header_bytes,
            headers: settings.limits.headers,
        },
    }
}
