//! Plays a provider that speaks HTTP/2, and a client that does.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tollgate::clock::Clock;
use tollgate::record::Moment;

use super::tls::Certificates;

/// What the provider did, by the tag of the request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    /// The request's `x-sim-id`.
    pub(crate) tag: String,
    /// Just before each piece was handed to HTTP/2.
    pub(crate) pieces: Vec<Moment>,
    /// When the stream was let go before its end.
    pub(crate) left: Option<Moment>,
}

/// A provider that speaks HTTP/2 over TLS.
pub(crate) struct H2Provider {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    done: Arc<Mutex<Vec<Done>>>,
    connections: Arc<AtomicUsize>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl H2Provider {
    /// Starts one that answers every request with these pieces, `gap` apart.
    pub(crate) fn start(certificates: &Certificates, pieces: &[&str], gap: Duration) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(certificates.server(&["h2"]));
        let (done, connections) = (Arc::default(), Arc::default());
        let stage = Stage {
            pieces: pieces
                .iter()
                .map(|piece| Bytes::copy_from_slice(piece.as_bytes()))
                .collect(),
            gap,
            done: Arc::clone(&done),
        };
        let counted = Arc::clone(&connections);
        let (stop, stopped) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                tokio::select! {
                    () = serve(listener, acceptor, stage, counted) => {}
                    // The sender is dropped with the provider.
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            done,
            connections,
            _stop: stop,
        }
    }

    /// What it did about a request.
    pub(crate) fn done(&self, tag: &str) -> Option<Done> {
        self.done
            .lock()
            .unwrap()
            .iter()
            .find(|done| done.tag == tag)
            .cloned()
    }

    /// Connections that it accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// What every connection answers with.
#[derive(Clone)]
struct Stage {
    pieces: VecDeque<Bytes>,
    gap: Duration,
    done: Arc<Mutex<Vec<Done>>>,
}

async fn serve(
    listener: std::net::TcpListener,
    acceptor: TlsAcceptor,
    stage: Stage,
    counted: Arc<AtomicUsize>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        counted.fetch_add(1, Ordering::Relaxed);
        let (acceptor, stage) = (acceptor.clone(), stage.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(move |request| answer(request, stage.clone()));
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // How the peer ends the connection is the peer's matter.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, stage: Stage) -> Result<Response<Paced>, Infallible> {
    let tag = request
        .headers()
        .get("x-sim-id")
        .map(|tag| tag.to_str().unwrap().to_owned());
    // A request that breaks off gets its answer all the same.
    let _ = request.into_body().collect().await;
    let Stage { pieces, gap, done } = stage;
    let place = {
        let mut done = done.lock().unwrap();
        done.push(Done {
            tag: tag.unwrap_or_default(),
            ..Done::default()
        });
        done.len() - 1
    };
    let body = Paced {
        left: pieces,
        gap,
        timer: None,
        done,
        place,
    };
    Ok(Response::builder()
        .header("content-type", "text/event-stream")
        .body(body)
        .unwrap())
}

/// A body whose pieces come `gap` apart, each with its stamp.
struct Paced {
    left: VecDeque<Bytes>,
    gap: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    done: Arc<Mutex<Vec<Done>>>,
    place: usize,
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let gap = self.gap;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(gap)));
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.timer = None;
        let Some(piece) = self.left.pop_front() else {
            return Poll::Ready(None);
        };
        let now = Clock::system().now();
        self.done.lock().unwrap()[self.place].pieces.push(now);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        if !self.left.is_empty()
            && let Ok(mut done) = self.done.lock()
        {
            done[self.place].left = Some(Clock::system().now());
        }
    }
}

/// A client's HTTP/2 connection to a node.
pub(crate) async fn connect(
    address: SocketAddr,
    certificates: &Certificates,
) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(certificates.client(&["h2"]));
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(async move {
        // Ends with its sender, or with the node.
        let _ = connection.await;
    });
    sender
}
