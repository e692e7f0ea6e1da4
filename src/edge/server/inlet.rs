//! Lets the program be a client of its own street: over connections that no socket carries.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use tokio::io::DuplexStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::accept::AcceptLimits;
use super::connection::{self, Peer};
use super::drain::Drain;
use crate::clock::Clock;

/// Bytes that a connection holds either way.
const PIPE: usize = 64 * 1024;

/// The outer end: whoever has it may ask a worker for a connection.
#[derive(Debug, Clone)]
pub struct Inlet(UnboundedSender<DuplexStream>);

/// The inner end: the worker's.
#[derive(Debug)]
pub struct Door(UnboundedReceiver<DuplexStream>);

impl Inlet {
    /// Both ends.
    #[must_use]
    pub fn new() -> (Self, Door) {
        let (outer, inner) = unbounded_channel();
        (Self(outer), Door(inner))
    }

    /// A connection to the worker; none once it has stopped.
    pub fn connect(&self) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let sent = self.0.send(theirs);
        sent.map(|()| ours)
            .map_err(|_| io::Error::new(io::ErrorKind::ConnectionRefused, "the worker has stopped"))
    }
}

/// Serves connections that come through `door` until draining has let their exchanges finish.
/// `service` is made for each.
pub async fn serve_inlet<S, B>(
    mut door: Door,
    limits: impl Fn() -> AcceptLimits,
    service: impl Fn(Arc<Peer>) -> S,
    clock: Clock,
    drain: Drain,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            biased;
            () = drain.stopping() => break,
            stream = door.0.recv() => stream,
        };
        while connections.try_join_next().is_some() {}
        let Some(stream) = stream else { break };
        let peer = Peer::ours();
        let service = service(Arc::clone(&peer));
        let (limits, clock, drain) = (limits().connection, clock.clone(), drain.clone());
        connections.spawn(async move {
            connection::serve(stream, peer, service, limits, clock, drain).await;
        });
    }
    tokio::select! {
        () = drain.aborting() => connections.abort_all(),
        () = async { while connections.join_next().await.is_some() {} } => {}
    }
    while connections.join_next().await.is_some() {}
}
