//! Sends a request of our own through a worker's street, and takes its answer.
//!
//! It goes where a client's goes, from the connection's first byte to the record; what it is part
//! of is announced beforehand. It costs what a client's costs.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;

use crate::edge::server::Inlet;
use crate::proxy::ours::{Announced, HEADER, Mark};
use crate::record::{ExchangeId, Name};
use crate::routing::route::RouteKey;

/// The way in: one inlet a worker.
#[derive(Debug, Clone)]
pub struct Traffic {
    inlets: Arc<[Inlet]>,
    announced: Arc<Announced>,
}

/// A request of our own.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What it is recorded as.
    pub mark: Mark,
    /// The route that it is pinned to; the street chooses where absent.
    pub route: Option<RouteKey>,
    /// Path of the endpoint.
    pub path: &'static str,
    /// Tags of its record.
    pub tags: Vec<Name>,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Its JSON.
    pub body: Bytes,
    /// Which worker takes it: one worker's requests share its pool of connections.
    pub worker: usize,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The exchange's id, by which its record is found.
    pub exchange: Option<ExchangeId>,
    /// The body, as far as it came.
    pub body: Bytes,
    /// Whether it came to its end.
    pub whole: bool,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum TrafficFault {
    /// There is no worker, or it has stopped.
    #[error("no worker takes requests any more: {0}")]
    Stopped(#[from] io::Error),
    /// The request cannot be written as one.
    #[error("the request is none: {0}")]
    Request(#[from] http::Error),
    /// The connection broke before an answer began.
    #[error("the answer broke off: {0}")]
    Broken(#[from] hyper::Error),
}

impl Traffic {
    /// The way in through these inlets.
    #[must_use]
    pub const fn new(inlets: Arc<[Inlet]>, announced: Arc<Announced>) -> Self {
        Self { inlets, announced }
    }

    /// How many workers there are.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.inlets.len()
    }

    /// Sends a request and reads its answer to the end. Dropped before, it is a client that went.
    pub async fn send(&self, asked: Asked) -> Result<Reply, TrafficFault> {
        let announcement = self.announced.announce(asked.mark.clone());
        let request = request(&asked, announcement.number())?;
        self.carry(request, asked.worker).await
    }

    /// Asks for what is at `path`, and reads it to the end.
    pub async fn get(
        &self,
        path: &'static str,
        mark: Mark,
        worker: usize,
    ) -> Result<Reply, TrafficFault> {
        let announcement = self.announced.announce(mark);
        let request = Request::get(path)
            .header(header::HOST, "localhost")
            .header(HEADER, announcement.number())
            .body(Full::default())?;
        self.carry(request, worker).await
    }

    async fn carry(
        &self,
        request: Request<Full<Bytes>>,
        worker: usize,
    ) -> Result<Reply, TrafficFault> {
        let mut line = self.open(worker).await?;
        let (head, body) = line.sender.send_request(request).await?.into_parts();
        let exchange = head.headers.get("x-tollgate-exchange");
        let (body, whole) = read(body).await;
        Ok(Reply {
            status: head.status.as_u16(),
            exchange: exchange.and_then(|id| id.to_str().ok()?.parse().ok()),
            body,
            whole,
        })
    }

    /// A connection to a worker as any client has one. What is sent over it is announced by nobody,
    /// and recorded as a client's.
    pub fn connect(&self, worker: usize) -> io::Result<DuplexStream> {
        self.inlet(worker)?.connect()
    }

    /// A connection to a worker that takes one request after the other.
    pub async fn open(&self, worker: usize) -> Result<Line, TrafficFault> {
        let stream = self.connect(worker)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Line {
            sender,
            _driven: Driven(tokio::spawn(connection)),
        })
    }

    /// Sends a request along `line` and lets its answer go by unread: who wants to know how it
    /// went has the record. Whether the line takes another one is told.
    pub async fn pass(&self, line: &mut Line, asked: Asked) -> Result<bool, TrafficFault> {
        line.sender.ready().await?;
        let announcement = self.announced.announce(asked.mark.clone());
        let request = request(&asked, announcement.number())?;
        let mut body = line.sender.send_request(request).await?.into_body();
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Has a worker's own runtime do what a client of its does.
    pub fn run(
        &self,
        worker: usize,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), TrafficFault> {
        Ok(self.inlet(worker)?.run(work)?)
    }

    fn inlet(&self, worker: usize) -> io::Result<&Inlet> {
        let inlet = self.inlets.get(worker % self.inlets.len().max(1));
        inlet.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
    }
}

/// A connection to a worker that takes one request after the other.
#[derive(Debug)]
pub struct Line {
    sender: http1::SendRequest<Full<Bytes>>,
    _driven: Driven,
}

impl Line {
    /// Whether the other end has hung up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.sender.is_closed()
    }
}

/// A body as far as it comes, and whether it came to its end: an answer that breaks off is an
/// answer all the same, and has its record.
async fn read(mut body: Incoming) -> (Bytes, bool) {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => read.extend_from_slice(&data),
            // Trailers.
            Ok(Err(_)) => {}
            Err(_) => return (read.freeze(), false),
        }
    }
    (read.freeze(), true)
}

/// Ends the connection with whoever waits for its answer.
#[derive(Debug)]
struct Driven(tokio::task::JoinHandle<hyper::Result<()>>);

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn request(asked: &Asked, number: u64) -> Result<Request<Full<Bytes>>, http::Error> {
    let mut builder = Request::post(asked.path)
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .header(HEADER, number);
    if let Some(RouteKey { provider, model }) = &asked.route {
        let route = model.as_ref().map_or_else(
            || provider.to_string(),
            |model| format!("{provider}/{model}"),
        );
        builder = builder.header("x-tollgate-route", route);
    }
    if !asked.tags.is_empty() {
        let tags: Vec<&str> = asked.tags.iter().map(Name::as_str).collect();
        builder = builder.header("x-tollgate-tags", tags.join(","));
    }
    for (name, value) in &asked.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(asked.body.clone()))
}
