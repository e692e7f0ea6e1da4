//! Opens one connection to a provider, stamping DNS, TCP and TLS apart.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::body::UpstreamBody;
use super::fault::{Phase, SendFault, root_cause, tls_cause};
use super::forward::ForwardProxy;
use super::http1::Http1;
use super::network::{Dialled, Network};
use super::socket::Stream;
use super::tunnel;
use crate::clock::Clock;
use crate::config::settings::BaseUrl;
use crate::edge::stamp::{IoLog, Stamped};
use crate::record::{ErrorClass, Moment};

/// How long one address is tried before the next one is tried beside it (RFC 8305, 5).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);
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

/// An open connection.
#[derive(Debug)]
pub(super) enum Connection {
    /// One exchange at a time.
    Http1(Box<Http1>),
    /// Many at a time.
    Http2(Http2),
}

/// An HTTP/2 connection, on a task of its own. It closes after its last sender is dropped.
#[derive(Debug)]
pub(super) struct Http2 {
    /// Its sending half.
    pub(super) sender: http2::SendRequest<UpstreamBody>,
    /// What crosses its socket.
    pub(super) log: IoLog,
}

/// What a connection is opened to, and how.
#[derive(Debug)]
pub(super) struct Target<'a> {
    /// Where to.
    pub(super) base: &'a BaseUrl,
    /// TLS settings, where TLS is spoken.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// By which way.
    pub(super) network: &'a Network,
}

/// Opens a connection to `target`.
pub(super) async fn open(
    target: &Target<'_>,
    clock: &Clock,
    times: &mut ConnectTimes,
) -> Result<Connection, SendFault> {
    let base = target.base;
    if let Some(dialled) = target.network.dial(&base.host, base.port) {
        return open_pipe(dialled, base, clock, times).await;
    }
    let stream = match target.network.proxy(base.https, &base.host, base.port) {
        Some(proxy) => {
            let opened = through(proxy, base, clock, times).await;
            opened.map_err(|fault| fault.through(proxy))?
        }
        None => reach(&base.host, base.port, clock, times).await?,
    };
    times.connect = Some(clock.now());
    let Some(config) = &target.tls else {
        return Ok(handshake_h1(Stream::Plain(stream), clock));
    };
    let name = ServerName::try_from(base.host.clone())
        .map_err(|error| SendFault::before(Phase::Tls, ErrorClass::Tls, error))?;
    let tls = TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
        .map_err(|error| SendFault::before(Phase::Tls, ErrorClass::Tls, tls_cause(&error)))?;
    let is_h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
    let stream = Stream::Tls(Box::new(tls));
    let connection = if is_h2 {
        handshake_h2(stream, clock).await
    } else {
        Ok(handshake_h1(stream, clock))
    };
    times.tls = Some(clock.now());
    connection
}

async fn reach(
    host: &str,
    port: u16,
    clock: &Clock,
    times: &mut ConnectTimes,
) -> Result<TcpStream, SendFault> {
    let addresses = resolve(host, port).await?;
    times.dns = Some(clock.now());
    let stream = connect(&addresses, host).await?;
    // Small writes leave at once: a request is one write, and nothing follows that could join it.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn through(
    proxy: &ForwardProxy,
    base: &BaseUrl,
    clock: &Clock,
    times: &mut ConnectTimes,
) -> Result<TcpStream, SendFault> {
    let mut stream = reach(&proxy.host, proxy.port, clock, times).await?;
    tunnel::open(&mut stream, proxy, &base.host, base.port)
        .await
        .map_err(|error| SendFault::before(Phase::Connect, ErrorClass::Connect, error))?;
    Ok(stream)
}

/// Waits for a connection within this process: it has no name to resolve and speaks no TLS.
async fn open_pipe(
    dialled: Dialled,
    base: &BaseUrl,
    clock: &Clock,
    times: &mut ConnectTimes,
) -> Result<Connection, SendFault> {
    times.dns = Some(clock.now());
    let pipe = dialled.await.map_err(|error| {
        let detail = format!("cannot connect to {}:{}: {error}", base.host, base.port);
        SendFault::before(Phase::Connect, ErrorClass::Connect, detail)
    })?;
    times.connect = Some(clock.now());
    Ok(handshake_h1(Stream::Pipe(pipe), clock))
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, SendFault> {
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let what = format!("cannot resolve {host}");
    let found = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| SendFault::of_system(Phase::Dns, ErrorClass::Dns, &what, &error))?;
    let addresses: Vec<_> = found.collect();
    if addresses.is_empty() {
        let detail = format!("{what}: no address");
        return Err(SendFault::before(Phase::Dns, ErrorClass::Dns, detail));
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
    let what = format!("cannot connect to {host} ({address})");
    SendFault::of_system(Phase::Connect, ErrorClass::Connect, &what, error)
}

fn handshake_h1(stream: Stream, clock: &Clock) -> Connection {
    Connection::Http1(Box::new(Http1::new(stream, clock.clone())))
}

async fn handshake_h2(stream: Stream, clock: &Clock) -> Result<Connection, SendFault> {
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
    tokio::spawn(async move {
        // Its errors reach the requests that are on it.
        let _ = connection.await;
    });
    Ok(Connection::Http2(Http2 { sender, log }))
}
