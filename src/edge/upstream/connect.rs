//! Opens one connection to a provider, stamping DNS, TCP and TLS apart.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustix::net::RecvFlags;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::body::UpstreamBody;
use super::fault::{Phase, SendFault, root_cause};
use super::tunnel::{self, ForwardProxy};
use crate::clock::Clock;
use crate::config::settings::BaseUrl;
use crate::edge::stamp::{IoLog, Stamped};
use crate::record::{ErrorClass, Moment};

/// How long one address is tried before the next one is tried beside it (RFC 8305, 5).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);
/// Largest response head, and largest single read of a body, on an HTTP/1 connection.
const H1_BUFFER_MAX: usize = 64 * 1024;
/// Windows of an HTTP/2 connection: what a provider may send ahead of a slow client.
const H2_STREAM_WINDOW: u32 = 256 * 1024;
const H2_CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// The moments at which the phases of connecting ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConnectTimes {
    /// Host name resolved.
    pub dns: Option<Moment>,
    /// TCP connected, and the tunnel open where there is a forward proxy.
    pub connect: Option<Moment>,
    /// TLS and HTTP/2 hands shaken.
    pub tls: Option<Moment>,
}

/// Sends requests on a connection.
#[derive(Debug)]
pub enum Sender {
    /// One at a time.
    Http1(http1::SendRequest<UpstreamBody>),
    /// Many at a time.
    Http2(http2::SendRequest<UpstreamBody>),
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    /// Its sending half.
    pub sender: Sender,
    /// What crosses its socket.
    pub log: IoLog,
    /// Its socket, to be asked whether the peer has closed.
    pub socket: Socket,
    /// The task that drives it.
    pub driver: AbortHandle,
}

/// What a connection is opened to, and how.
#[derive(Debug)]
pub struct Target<'a> {
    /// Where to.
    pub base: &'a BaseUrl,
    /// TLS settings, where TLS is spoken.
    pub tls: Option<Arc<ClientConfig>>,
    /// The forward proxy in between.
    pub proxy: Option<&'a ForwardProxy>,
}

/// Opens a connection to `target`.
pub async fn open(
    target: &Target<'_>,
    clock: &Clock,
    times: &mut ConnectTimes,
) -> Result<Connection, SendFault> {
    let (host, port) = match target.proxy {
        Some(proxy) => (proxy.host.as_str(), proxy.port),
        None => (target.base.host.as_str(), target.base.port),
    };
    let addresses = resolve(host, port).await?;
    times.dns = Some(clock.now());
    let mut stream = connect(&addresses, host).await?;
    // Small writes leave at once: a request is one write, and nothing follows that could join it.
    let _ = stream.set_nodelay(true);
    if let Some(proxy) = target.proxy {
        tunnel::open(&mut stream, proxy, &target.base.host, target.base.port)
            .await
            .map_err(|error| SendFault::before(Phase::Connect, ErrorClass::Connect, error))?;
    }
    times.connect = Some(clock.now());
    let socket = Socket(Arc::new(Mutex::new(stream)));
    let Some(config) = &target.tls else {
        return handshake_h1(Stream::Plain(socket.clone()), socket, clock).await;
    };
    let name = ServerName::try_from(target.base.host.clone())
        .map_err(|error| SendFault::before(Phase::Tls, ErrorClass::Tls, error))?;
    let tls = TlsConnector::from(Arc::clone(config))
        .connect(name, socket.clone())
        .await
        .map_err(|error| SendFault::before(Phase::Tls, ErrorClass::Tls, root_cause(&error)))?;
    let is_h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
    let stream = Stream::Tls(Box::new(tls));
    let connection = if is_h2 {
        handshake_h2(stream, socket, clock).await
    } else {
        handshake_h1(stream, socket, clock).await
    };
    times.tls = Some(clock.now());
    connection
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, SendFault> {
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let fault = |detail: String| SendFault::before(Phase::Dns, ErrorClass::Dns, detail);
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| fault(format!("cannot resolve {host}: {error}")))?;
    let addresses: Vec<_> = found.collect();
    if addresses.is_empty() {
        return Err(fault(format!("cannot resolve {host}: no address")));
    }
    Ok(addresses)
}

/// Tries the addresses in turn, the next one beside the last after [`NEXT_ADDRESS_AFTER`].
async fn connect(addresses: &[SocketAddr], host: &str) -> Result<TcpStream, SendFault> {
    let mut attempts = tokio::task::JoinSet::new();
    let mut left = addresses.iter().copied();
    let mut last_error = None;
    loop {
        if let Some(address) = left.next() {
            if addresses.len() == 1 {
                return TcpStream::connect(address)
                    .await
                    .map_err(|error| connect_fault(host, address, &error));
            }
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        } else if attempts.is_empty() {
            break;
        }
        let patience = if left.len() == 0 {
            Duration::from_hours(1)
        } else {
            NEXT_ADDRESS_AFTER
        };
        match tokio::time::timeout(patience, attempts.join_next()).await {
            Ok(Some(Ok((_, Ok(stream))))) => return Ok(stream),
            Ok(Some(Ok((address, Err(error))))) => {
                last_error = Some(connect_fault(host, address, &error));
            }
            _ => {}
        }
    }
    Err(last_error.unwrap_or_else(|| {
        SendFault::before(
            Phase::Connect,
            ErrorClass::Connect,
            format!("no address of {host}"),
        )
    }))
}

fn connect_fault(host: &str, address: SocketAddr, error: &io::Error) -> SendFault {
    let detail = format!("cannot connect to {host} ({address}): {error}");
    SendFault::before(Phase::Connect, ErrorClass::Connect, detail)
}

async fn handshake_h1(
    stream: Stream,
    socket: Socket,
    clock: &Clock,
) -> Result<Connection, SendFault> {
    let log = IoLog::new(false);
    let io = TokioIo::new(Stamped::new(stream, log.clone(), clock.clone()));
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(H1_BUFFER_MAX)
        .handshake(io)
        .await
        .map_err(|error| SendFault::before(Phase::Connect, ErrorClass::Connect, error))?;
    let driver = tokio::spawn(async move {
        // Its errors reach the request that is on it; an idle one has nobody to tell.
        let _ = connection.await;
    });
    Ok(Connection {
        sender: Sender::Http1(sender),
        log,
        socket,
        driver: driver.abort_handle(),
    })
}

async fn handshake_h2(
    stream: Stream,
    socket: Socket,
    clock: &Clock,
) -> Result<Connection, SendFault> {
    let log = IoLog::new(true);
    let io = TokioIo::new(Stamped::new(stream, log.clone(), clock.clone()));
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .handshake(io)
        .await
        .map_err(|error| SendFault::before(Phase::Tls, ErrorClass::Tls, root_cause(&error)))?;
    let driver = tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(Connection {
        sender: Sender::Http2(sender),
        log,
        socket,
        driver: driver.abort_handle(),
    })
}

/// A TCP socket that can be asked whether its peer has closed while hyper owns its bytes.
#[derive(Debug, Clone)]
pub struct Socket(Arc<Mutex<TcpStream>>);

impl Socket {
    fn stream(&self) -> MutexGuard<'_, TcpStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the socket is open and silent, asked of the kernel itself: the runtime may not
    /// have been told yet of a close that has already arrived.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let mut byte = [0_u8; 1];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let stream = self.stream();
        matches!(
            rustix::net::recv(&*stream, &mut byte, flags),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR)
        )
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream()).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream()).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream()).poll_shutdown(cx)
    }
}

/// Plain or encrypted bytes.
enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
