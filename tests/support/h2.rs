//! Plays a provider that speaks HTTP/2, and a client that does.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{Read as _, Write as _};
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
use tokio_rustls::client::TlsStream;
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

/// A client's TLS connection to a node over which HTTP/2 was agreed.
async fn agreed(address: SocketAddr, certificates: &Certificates) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(certificates.client(&["h2"]));
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    stream
}

/// The same, of which every frame is one's own.
pub(crate) async fn connect_bare(
    address: SocketAddr,
    certificates: &Certificates,
) -> ::h2::client::SendRequest<Bytes> {
    let stream = agreed(address, certificates).await;
    let (sender, connection) = ::h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    sender
}

/// A client's HTTP/2 connection to a node.
pub(crate) async fn connect(
    address: SocketAddr,
    certificates: &Certificates,
) -> SendRequest<Full<Bytes>> {
    let stream = agreed(address, certificates).await;
    let client = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(async move {
        // Ends with its sender, or with the node.
        let _ = connection.await;
    });
    sender
}

/// What a [`RawH2`] does once a request is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Answers it.
    Answer,
    /// `RST_STREAM` with this code.
    Reset(u32),
    /// GOAWAY with this code that names the stream before it as the last, and nothing more.
    GoAwayBefore(u32),
    /// GOAWAY without an error that names it as the last, then its answer.
    GoAwayThenAnswer,
    /// The same, and the connection is closed in the place of an answer.
    GoAwayThenClose,
    /// The connection is closed.
    Close,
}

/// `RST_STREAM` and GOAWAY codes (RFC 9113, 7).
pub(crate) mod code {
    pub(crate) const NO_ERROR: u32 = 0;
    pub(crate) const INTERNAL_ERROR: u32 = 2;
    pub(crate) const REFUSED_STREAM: u32 = 7;
    pub(crate) const CANCEL: u32 = 8;
    pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;
}

/// A provider that writes HTTP/2 frames by hand, and does as it is told with each request.
pub(crate) struct RawH2 {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    acts: Arc<Mutex<VecDeque<Act>>>,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

/// The answer of a [`RawH2`].
pub(crate) const RAW_ANSWER: &str = "{\"id\":\"raw\",\"object\":\"chat.completion\",\"model\":\"m\",\
    \"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"hi\"},\
    \"finish_reason\":\"stop\"}]}";

impl RawH2 {
    /// Starts one that answers everything.
    pub(crate) fn start(certificates: &Certificates) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let raw = Self {
            address: listener.local_addr().unwrap(),
            acts: Arc::default(),
            requests: Arc::default(),
            connections: Arc::default(),
        };
        let config = certificates.server(&["h2"]);
        let (acts, requests) = (Arc::clone(&raw.acts), Arc::clone(&raw.requests));
        let connections = Arc::clone(&raw.connections);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, Ordering::Relaxed);
                let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                let stream = rustls::StreamOwned::new(session, stream);
                let (acts, requests) = (Arc::clone(&acts), Arc::clone(&requests));
                // A connection that ends ends its thread.
                std::thread::spawn(move || speak(stream, &acts, &requests).err());
            }
        });
        raw
    }

    /// What it is to do with the next requests, one each; after them it answers.
    pub(crate) fn next(&self, acts: &[Act]) {
        *self.acts.lock().unwrap() = acts.iter().copied().collect();
    }

    /// Requests that it has had whole.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Connections that it accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

type RawStream = rustls::StreamOwned<rustls::ServerConnection, std::net::TcpStream>;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

fn speak(
    mut stream: RawStream,
    acts: &Mutex<VecDeque<Act>>,
    requests: &AtomicUsize,
) -> std::io::Result<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface)?;
    frame(&mut stream, SETTINGS, 0, 0, &[])?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload)?;
        let id = u32::from_be_bytes(id);
        match kind {
            SETTINGS if flags & ACK == 0 => frame(&mut stream, SETTINGS, ACK, 0, &[])?,
            PING if flags & ACK == 0 => frame(&mut stream, PING, ACK, 0, &payload)?,
            HEADERS | DATA if flags & END_STREAM != 0 => {
                requests.fetch_add(1, Ordering::Relaxed);
                let act = acts.lock().unwrap().pop_front().unwrap_or(Act::Answer);
                let last = |id: u32, code: u32| [id.to_be_bytes(), code.to_be_bytes()].concat();
                match act {
                    Act::Answer => answer_raw(&mut stream, id)?,
                    Act::Reset(code) => {
                        frame(&mut stream, RST_STREAM, 0, id, &code.to_be_bytes())?;
                    }
                    Act::GoAwayBefore(code) => {
                        let before = id.saturating_sub(2);
                        frame(&mut stream, GOAWAY, 0, 0, &last(before, code))?;
                    }
                    Act::GoAwayThenAnswer => {
                        frame(&mut stream, GOAWAY, 0, 0, &last(id, code::NO_ERROR))?;
                        std::thread::sleep(Duration::from_millis(30));
                        answer_raw(&mut stream, id)?;
                    }
                    Act::GoAwayThenClose => {
                        frame(&mut stream, GOAWAY, 0, 0, &last(id, code::NO_ERROR))?;
                        std::thread::sleep(Duration::from_millis(30));
                        return Ok(());
                    }
                    Act::Close => return Ok(()),
                }
            }
            _ => {}
        }
    }
}

fn answer_raw(stream: &mut RawStream, id: u32) -> std::io::Result<()> {
    // `:status: 200`, and `content-type` by its place in the static table (RFC 7541, A).
    let mut head = vec![0x88, 0x0f, 0x10, 16];
    head.extend_from_slice(b"application/json");
    frame(stream, HEADERS, END_HEADERS, id, &head)?;
    frame(stream, DATA, END_STREAM, id, RAW_ANSWER.as_bytes())
}

fn frame(
    stream: &mut RawStream,
    kind: u8,
    flags: u8,
    id: u32,
    payload: &[u8],
) -> std::io::Result<()> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![a, b, c, kind, flags];
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(payload);
    stream.write_all(&bytes)?;
    stream.flush()
}
