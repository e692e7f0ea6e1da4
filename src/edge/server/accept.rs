//! Accepts client connections and serves each on a task of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::service::Service;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::connection::{self, Peer};
use super::drain::{Drain, LAST_WORDS};
use super::limits::ConnectionLimits;
use super::request_body::RequestBody;
use super::tls::Certificates;
use crate::clock::Clock;
use crate::record::Protocol;

/// Rest after an accept that failed for want of descriptors.
const REST_AFTER_FAILURE: Duration = Duration::from_millis(100);
/// Sent to a connection over the limit, before it is closed. `full` says what is reached, and what
/// to do; it holds nothing that JSON escapes.
fn overloaded(full: &str) -> String {
    let body = format!(
        "{{\"error\":{{\"message\":\"{full}\",\"type\":\"overloaded_error\",\"param\":null,\
         \"code\":\"overloaded\"}}}}"
    );
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n\
         x-proxy-error: overloaded\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Open client connections, over all workers.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections open now.
    pub open: AtomicUsize,
    /// Connections refused at the limit.
    pub refused: AtomicUsize,
}

/// Limits of a listener.
#[derive(Debug, Clone, Copy)]
pub struct AcceptLimits {
    /// Open connections over all workers.
    pub connections: usize,
    /// What is said where that is reached, for people.
    pub full: &'static str,
    /// Limits of each.
    pub connection: ConnectionLimits,
}

struct Counted(Arc<Counters>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Accepts from `listener` until draining begins, then waits for the connections still open. `limits` is asked for each connection, so that
/// a reload counts from the next one on; `service` is made for each.
pub async fn serve<S, B>(
    listener: TcpListener,
    tls: Option<Certificates>,
    limits: impl Fn() -> AcceptLimits,
    service: impl Fn(Arc<Peer>) -> S,
    counters: Arc<Counters>,
    clock: Clock,
    drain: Drain,
) where
    S: Service<Request<RequestBody>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // Services are made here and moved into the task, so that `service` itself need not be Send.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = drain.stopping() => break,
            accepted = listener.accept() => accepted,
        };
        // Tasks that are over are let go of here: their number stays that of open connections.
        while connections.try_join_next().is_some() {}
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if !is_of_one_connection(&error) {
                    tracing::warn!(%error, "cannot accept connections");
                    tokio::time::sleep(REST_AFTER_FAILURE).await;
                }
                continue;
            }
        };
        let limits = limits();
        if counters.open.fetch_add(1, Ordering::Relaxed) >= limits.connections {
            counters.open.fetch_sub(1, Ordering::Relaxed);
            counters.refused.fetch_add(1, Ordering::Relaxed);
            // Without waiting: whoever does not take it at once sees only the close.
            let _ = stream.try_write(overloaded(limits.full).as_bytes());
            continue;
        }
        let counted = Counted(Arc::clone(&counters));
        let _ = stream.set_nodelay(true);
        let (clock, drain) = (clock.clone(), drain.clone());
        match &tls {
            None => {
                let peer = Peer::new(address, Protocol::Http1);
                let service = service(Arc::clone(&peer));
                connections.spawn(async move {
                    connection::serve(stream, peer, service, limits.connection, clock, drain).await;
                    drop(counted);
                });
            }
            Some(certificates) => {
                let acceptor = certificates.acceptor();
                // The version is known only after the handshake; both services are cheap.
                let peers = [Protocol::Http1, Protocol::Http2].map(|protocol| {
                    let peer = Peer::new(address, protocol);
                    (Arc::clone(&peer), service(peer))
                });
                connections.spawn(async move {
                    serve_tls(stream, &acceptor, peers, limits, clock, drain, address).await;
                    drop(counted);
                });
            }
        }
    }
    drop(listener);
    let patience = async {
        drain.aborting().await;
        // Event streams end with a word of their own; whoever does not take it is cut all the same.
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        () = patience => connections.abort_all(),
        () = async { while connections.join_next().await.is_some() {} } => {}
    }
    // Aborted tasks settle what they had in hand while they are dropped.
    while connections.join_next().await.is_some() {}
}

async fn serve_tls<S, B>(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    peers: [(Arc<Peer>, S); 2],
    limits: AcceptLimits,
    clock: Clock,
    drain: Drain,
    address: SocketAddr,
) where
    S: Service<Request<RequestBody>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let shaken = tokio::time::timeout(limits.connection.request_headers, acceptor.accept(stream));
    let stream = match shaken.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, %address, "TLS handshake with a client failed");
            return;
        }
        Err(_) => return,
    };
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let [http1, http2] = peers;
    let (peer, service) = if is_h2 { http2 } else { http1 };
    connection::serve(stream, peer, service, limits.connection, clock, drain).await;
}

/// Errors that concern only the connection that was about to be accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
