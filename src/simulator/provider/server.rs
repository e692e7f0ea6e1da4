//! Starts and stops a simulator on threads of its own, and gives out its truths.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::simulator::truth::Truth;

use super::behaviour::Behaviour;
use super::connection::converse;
use super::quirks::Quirks;
use super::script::Script;
use super::socket::Io;
use super::stage::{OpenCount, Pacing, Persona, Scene, Stage};

/// Bytes that a connection without a socket holds either way.
const PIPE: usize = 64 << 10;

/// What a simulator is started with.
#[derive(Clone)]
pub struct Config {
    /// Address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whom it plays; the first whose prefix fits answers, and `OpenAI` where none does.
    pub personas: Vec<Persona>,
    /// TLS, where spoken.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// How exactly the schedule is kept.
    pub pacing: Pacing,
    /// Threads, each with its own listener.
    pub threads: usize,
    /// Seed of all draws.
    pub seed: u64,
    /// The clock that stamps.
    pub clock: Clock,
    /// Largest request body, bytes.
    pub body_bytes_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            personas: vec![Persona::new(Quirks::openai(), Behaviour::default())],
            tls: None,
            pacing: Pacing::Relaxed,
            threads: 1,
            seed: 1,
            clock: Clock::system(),
            body_bytes_max: 256 << 20,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("personas", &self.personas.len())
            .field("pacing", &self.pacing)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// A simulator at work. Dropping it stops it.
pub struct Simulator {
    address: SocketAddr,
    stage: Arc<Stage>,
    stop: watch::Sender<bool>,
    grace: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Simulator {
    /// Binds, and serves on threads of its own.
    pub fn start(config: Config) -> io::Result<Self> {
        let shared = config.threads > 1;
        let first = bind(config.listen, shared)?;
        let address = first.local_addr()?;
        let mut listeners = vec![first];
        for _ in 1..config.threads.max(1) {
            listeners.push(bind(address, shared)?);
        }
        let acceptor = config.tls.clone().map(TlsAcceptor::from);
        let mut simulator = Self::unheard(config, address);
        let stopped = simulator.stop.subscribe();
        for (number, listener) in listeners.into_iter().enumerate() {
            let worker = Worker {
                stage: Arc::clone(&simulator.stage),
                acceptor: acceptor.clone(),
                stop: stopped.clone(),
                grace: Arc::clone(&simulator.grace),
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let thread = std::thread::Builder::new()
                .name(format!("simulator-{number}"))
                .spawn(move || runtime.block_on(worker.accept(listener)))?;
            simulator.threads.push(thread);
        }
        Ok(simulator)
    }

    /// One that has neither threads nor an address: connections are asked of it with
    /// [`Self::connect`], and the runtime of whoever asks carries them. TLS is not spoken.
    #[must_use]
    pub fn within(config: Config) -> Self {
        let address = config.listen;
        Self::unheard(config, address)
    }

    /// A connection that no socket carries. To be called in a runtime, which serves it until it is
    /// dropped or the simulator stops.
    #[must_use]
    pub fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let (stage, stop) = (Arc::clone(&self.stage), self.stop.subscribe());
        tokio::spawn(async move {
            let _open = OpenCount::new(&stage);
            converse(Arc::clone(&stage), Io::Pipe(theirs), stop).await;
        });
        ours
    }

    fn unheard(config: Config, address: SocketAddr) -> Self {
        let stage = Stage::new(Scene {
            personas: config.personas,
            clock: config.clock,
            pacing: config.pacing,
            seed: config.seed,
            port: address.port(),
            body_bytes_max: config.body_bytes_max,
        });
        Self {
            address,
            stage: Arc::new(stage),
            stop: watch::Sender::new(false),
            grace: Arc::default(),
            threads: Vec::new(),
        }
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL with a path such as `/v1`, for plain HTTP.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Plays a script for a model's name, a whole path, or a segment of a path.
    pub fn play(&self, key: &str, script: Script) {
        self.stage.set_script(key, Some(script));
    }

    /// Forgets a script.
    pub fn forget(&self, key: &str) {
        self.stage.set_script(key, None);
    }

    /// What is known about the exchange of that id: its `x-sim-id`, or any id in its answer.
    pub fn truth(&self, id: &str) -> Option<Truth> {
        self.stage.ledger.find(id)
    }

    /// What is known about the last exchanges, oldest first.
    pub fn requests(&self) -> Vec<Truth> {
        self.stage.ledger.all()
    }

    /// Exchanges ever received.
    pub fn request_count(&self) -> u64 {
        self.stage.ledger.requests()
    }

    /// Connections open now.
    pub fn open_connections(&self) -> usize {
        self.stage.connection_counts().0
    }

    /// Connections ever accepted.
    pub fn connection_count(&self) -> u64 {
        self.stage.connection_counts().1
    }

    /// Stops: no more connections, idle ones close, exchanges at work get a second.
    pub fn stop(self) {
        self.stop_within(Duration::from_secs(1));
    }

    /// Stops; exchanges at work get that long.
    pub fn stop_within(mut self, grace: Duration) {
        self.grace
            .store(grace.as_millis() as u64, Ordering::Relaxed);
        self.join();
    }

    /// Waits until all threads have ended, which they do when told to stop.
    pub fn wait(mut self) {
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so on stderr.
            let _ = thread.join();
        }
    }

    fn join(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.join();
    }
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<StdListener> {
    let socket = RawSocket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    // Several threads have a listener each at the same address; otherwise a second simulator at
    // the same port is a mistake.
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// One thread's share.
struct Worker {
    stage: Arc<Stage>,
    acceptor: Option<TlsAcceptor>,
    stop: watch::Receiver<bool>,
    grace: Arc<AtomicU64>,
}

impl Worker {
    async fn accept(mut self, listener: StdListener) {
        let Ok(listener) = TcpListener::from_std(listener) else {
            return;
        };
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => break,
                _ = connections.join_next(), if !connections.is_empty() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    connections.spawn(self.welcome(stream));
                }
                // Out of descriptors, most likely: some will be given back.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        drop(listener);
        let grace = Duration::from_millis(self.grace.load(Ordering::Relaxed));
        let ended = async { while connections.join_next().await.is_some() {} };
        // Who is not done by then is cut off: dropping the set aborts its tasks.
        let _ = tokio::time::timeout(grace, ended).await;
    }

    fn welcome(&self, stream: TcpStream) -> impl Future<Output = ()> + Send + 'static {
        let stage = Arc::clone(&self.stage);
        let acceptor = self.acceptor.clone();
        let stop = self.stop.clone();
        async move {
            let _open = OpenCount::new(&stage);
            // A socket on which this fails is about to fail altogether.
            let _ = stream.set_nodelay(true);
            let io = match acceptor {
                None => Io::Plain(stream),
                Some(acceptor) => {
                    let limit = Duration::from_secs(10);
                    match tokio::time::timeout(limit, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => Io::Tls(Box::new(stream)),
                        Ok(Err(_)) | Err(_) => return,
                    }
                }
            };
            converse(Arc::clone(&stage), io, stop).await;
        }
    }
}
