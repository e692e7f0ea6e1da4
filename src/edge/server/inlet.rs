//! Lets the program be a client of its own street: over connections that no socket carries.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::service::Service;
use tokio::io::DuplexStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::accept::AcceptLimits;
use super::connection::{self, Peer};
use super::drain::Drain;
use super::request_body::RequestBody;
use crate::clock::Clock;

/// Bytes that a connection holds either way.
const PIPE: usize = 64 * 1024;

/// The outer end: whoever has it may ask a worker for a connection.
#[derive(Debug, Clone)]
pub struct Inlet(UnboundedSender<Visit>);

/// The inner end: the worker's.
#[derive(Debug)]
pub struct Door(UnboundedReceiver<Visit>);

/// What comes in by a door.
enum Visit {
    /// The other end of a connection.
    Connection(DuplexStream),
    /// Work of a client's that is to be done where the worker's own is.
    Work(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection(_) => "Connection",
            Self::Work(_) => "Work",
        })
    }
}

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
        let sent = self.0.send(Visit::Connection(theirs));
        sent.map(|()| ours).map_err(|_| stopped())
    }

    /// Has the worker do a client's part on its own runtime, so that no chunk of an answer has to
    /// wake another thread. Dropped unfinished when the worker stops.
    pub fn run(&self, work: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let sent = self.0.send(Visit::Work(Box::pin(work)));
        sent.map_err(|_| stopped())
    }
}

fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, "the worker has stopped")
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
    S: Service<Request<RequestBody>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connections = JoinSet::new();
    loop {
        let visit = tokio::select! {
            biased;
            () = drain.stopping() => break,
            visit = door.0.recv() => visit,
        };
        while connections.try_join_next().is_some() {}
        let stream = match visit {
            Some(Visit::Connection(stream)) => stream,
            Some(Visit::Work(work)) => {
                connections.spawn(work);
                continue;
            }
            None => break,
        };
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
