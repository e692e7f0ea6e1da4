//! Serves one client connection: plain HTTP/1 by a codec of ours, the rest by hyper, with the
//! time-outs that both leave to their user.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::drain::Drain;
use super::http1::{Http1, Served};
use super::http2;
use super::library::{Ending, OfLibrary};
use super::limits::ConnectionLimits;
use super::request_body::RequestBody;
use super::resumed::Resumed;
use super::seldom::Seldom;
use crate::clock::Clock;
use crate::edge::stamp::{IoLog, Stamped};
use crate::record::{Moment, Nanos, Protocol};

/// What is known of the client at the other end of a connection.
#[derive(Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// What crosses its socket.
    pub log: IoLog,
    /// HTTP version spoken.
    pub protocol: Protocol,
    in_flight: AtomicU32,
    /// Whether the client is this program itself.
    pub is_ours: bool,
    /// Set where the handler of an exchange on this connection panicked.
    pub panicked: AtomicBool,
}

/// Marks an exchange as at work on its connection, so that the connection is not idle.
#[derive(Debug)]
pub struct AtWork(Arc<Peer>);

impl Peer {
    /// A client's end of a connection.
    #[must_use]
    pub fn new(address: SocketAddr, protocol: Protocol) -> Arc<Self> {
        let log = IoLog::new(protocol == Protocol::Http2);
        Arc::new(Self {
            address,
            log,
            protocol,
            in_flight: AtomicU32::new(0),
            is_ours: false,
            panicked: AtomicBool::new(false),
        })
    }

    /// This program itself, over a connection that no socket carries.
    #[must_use]
    pub fn ours() -> Arc<Self> {
        Arc::new(Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            log: IoLog::new(false),
            protocol: Protocol::Http1,
            in_flight: AtomicU32::new(0),
            is_ours: true,
            panicked: AtomicBool::new(false),
        })
    }

    /// When a request that was complete at `complete` could be begun: where a client sends several
    /// at once, not before the answers to those before it had left.
    #[must_use]
    pub fn begins_at(&self, complete: Moment) -> Moment {
        let answered = match self.protocol {
            Protocol::Http1 => self.log.last_write(),
            Protocol::Http2 => None,
        };
        answered.map_or(complete, |answered| answered.max(complete))
    }

    /// Begins an exchange.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> AtWork {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        AtWork(Arc::clone(self))
    }

    /// When the request at hand began: the first read since then that is later than all that was
    /// written. Earlier ones belong to a request that is answered. Where several requests share
    /// the connection, their reads cannot be told apart: then it is the latest.
    #[must_use]
    pub fn take_request_start(&self) -> Option<Moment> {
        let began = match self.protocol {
            Protocol::Http1 => self.request_start(),
            Protocol::Http2 => Some(self.log.last_read()),
        };
        let _ = self.log.take_first_read();
        began
    }

    fn request_start(&self) -> Option<Moment> {
        let last_write = self.log.last_write();
        self.log
            .first_read()
            .filter(|read| last_write.is_none_or(|write| *read > write))
    }

    fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        // Reads of this exchange's body must not pass for the beginning of the next request.
        let _ = self.0.log.take_first_read();
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The least that hyper takes for its read buffer.
const BUFFER_MIN: usize = 8 * 1024;

/// Serves `stream` until it ends, or until draining has let its exchange finish.
pub async fn serve<T, S, B>(
    stream: T,
    peer: Arc<Peer>,
    service: S,
    limits: ConnectionLimits,
    clock: Clock,
    drain: Drain,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    tracing::trace!(client = %peer.address, protocol = ?peer.protocol, "connected");
    let io = Stamped::new(stream, peer.log.clone(), clock.clone());
    if peer.protocol == Protocol::Http2 {
        let is_idle = || peer.is_idle();
        return http2::serve(io, service, limits, (&clock, &is_idle), drain).await;
    }
    let mut http1 = Http1::new(io, service, limits, clock.clone());
    let verdict = {
        let serving = poll_fn(|cx| http1.poll(cx));
        match watched(serving, &peer, limits, &clock, &drain).await {
            Ok(Served::Whole) | Err(Overdue::Cut) => return,
            Ok(Served::Beyond) => None,
            Err(verdict) => Some(verdict),
        }
    };
    if verdict.is_some() {
        http1.close();
        if poll_fn(|cx| http1.poll(cx)).await == Served::Whole {
            return;
        }
    }
    let (io, first, service) = http1.into_parts();
    let io = TokioIo::new(Resumed::new(first, io));
    let connection = http1::Builder::new()
        .half_close(false)
        .header_read_timeout(None)
        .max_buf_size(limits.header_bytes.max(BUFFER_MIN))
        // A read may bring more than the buffer is to hold, so its size is no limit.
        .max_header_size(limits.header_bytes)
        .max_headers(limits.headers)
        .serve_connection(io, OfLibrary(Ending(service)));
    let mut connection = pin!(connection);
    if verdict.is_none() {
        match watched(connection.as_mut(), &peer, limits, &clock, &drain).await {
            Ok(_) | Err(Overdue::Cut) => return,
            Err(Overdue::Idle | Overdue::Draining) => {}
        }
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Runs `serving` to its end, or until a deadline has passed or the program stops.
async fn watched<F: Future>(
    serving: F,
    peer: &Peer,
    limits: ConnectionLimits,
    clock: &Clock,
    drain: &Drain,
) -> Result<F::Output, Overdue> {
    let mut serving = pin!(serving);
    let verdict = pin!(async {
        tokio::select! {
            biased;
            verdict = watch_over(peer, limits, clock) => verdict,
            () = drain.stopping() => Overdue::Draining,
        }
    });
    let mut verdict = Seldom::new(verdict);
    poll_fn(|cx| match serving.as_mut().poll(cx) {
        Poll::Ready(served) => Poll::Ready(Ok(served)),
        Poll::Pending => verdict.poll(cx).map(Err),
    })
    .await
}

enum Overdue {
    /// Headers that do not end, or a client that does not read: closed at once.
    Cut,
    /// Nothing to do for long: closed in order.
    Idle,
    /// The program stops: closed in order once the exchange at work is over.
    Draining,
}

/// Returns when the client has let a deadline pass. One timer per connection, re-armed only when
/// it fires: nothing is paid per request.
async fn watch_over(peer: &Peer, limits: ConnectionLimits, clock: &Clock) -> Overdue {
    let nanos = |span: Duration| Nanos(span.as_nanos() as u64);
    let opened = clock.now();
    let mut idle_since = opened;
    let mut wait = limits.request_headers;
    loop {
        tokio::time::sleep(wait).await;
        let now = clock.now();
        let unread = peer.log.oldest_unwritten();
        if unread.is_some_and(|since| now >= since.plus(nanos(limits.write))) {
            return Overdue::Cut;
        }
        if !peer.is_idle() {
            idle_since = now;
            wait = limits.request_headers.min(limits.write);
            continue;
        }
        let ever_read = peer.log.last_read() != Moment::default();
        // Bytes of a request whose headers are not complete, or a client that never spoke.
        let began = peer.request_start().or((!ever_read).then_some(opened));
        if let Some(began) = began {
            let deadline = began.plus(nanos(limits.request_headers));
            if now >= deadline {
                return Overdue::Cut;
            }
            wait = Duration::from_nanos(deadline.since(now).0).max(Duration::from_millis(1));
            continue;
        }
        idle_since = idle_since.max(peer.log.last_read());
        if now >= idle_since.plus(nanos(limits.idle)) {
            return Overdue::Idle;
        }
        wait = limits.request_headers;
    }
}
