//! Requests are read alike however they are cut, also where the library takes over in the middle.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Collected, Full};
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use crate::clock::Clock;
use crate::edge::server::connection::{Peer, serve};
use crate::edge::server::{ConnectionLimits, Drain, RequestBody};
use crate::record::Protocol;

const LIMITS: ConnectionLimits = ConnectionLimits {
    request_headers: Duration::from_secs(5),
    idle: Duration::from_secs(5),
    write: Duration::from_secs(5),
    header_bytes: 16 * 1024,
    headers: 100,
};

/// Says what it was asked.
async fn echo(request: Request<RequestBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(Collected::to_bytes);
    let body = body.unwrap_or_else(|broke| format!("{broke}").into());
    let mut said = format!("{} {} {:?} ", parts.method, parts.uri, parts.headers).into_bytes();
    said.extend_from_slice(&body);
    Ok(Response::builder()
        .header("date", "now")
        .body(Full::from(said))
        .unwrap_or_default())
}

fn connect(pipe: usize) -> DuplexStream {
    let (client, server) = duplex(pipe);
    let peer = Peer::new(SocketAddr::from(([127, 0, 0, 1], 1)), Protocol::Http1);
    tokio::spawn(async move {
        // The connection ends with its client.
        let (drain, _stop) = Drain::new();
        serve(
            server,
            peer,
            service_fn(echo),
            LIMITS,
            Clock::system(),
            drain,
        )
        .await;
    });
    client
}

/// All that comes back of these pieces; what was said has been read before the next is.
async fn answers(pieces: &[&[u8]]) -> String {
    let mut client = connect(64 * 1024);
    for piece in pieces {
        client.write_all(piece).await.unwrap();
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
    }
    client.shutdown().await.unwrap();
    let mut answers = Vec::new();
    client.read_to_end(&mut answers).await.unwrap();
    String::from_utf8(answers).unwrap()
}

const POST: &str = "POST /v1/x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nhello\r\n\r\nyou";
const GET: &str = "GET /v1/files HTTP/1.1\r\nhost: a\r\nX-A: 1\r\nx-a: 2\r\n\r\n";
const CHUNKED: &str =
    "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
const LAST: &str = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn requests_are_read_alike_at_any_cut() {
    let script = [POST, GET, POST, CHUNKED, GET, LAST].concat();
    let whole = answers(&[script.as_bytes()]).await;
    assert_eq!(whole.matches("HTTP/1.1 200 OK\r\n").count(), 6, "{whole}");
    assert_eq!(whole.matches("hello\r\n\r\nyou").count(), 2, "{whole}");
    for cut in 1..script.len() {
        let (first, second) = script.as_bytes().split_at(cut);
        assert_eq!(answers(&[first, second]).await, whole, "cut at {cut}");
    }
}

#[tokio::test]
async fn a_body_in_pieces_is_handed_on_as_it_comes() {
    let body = "0123456789".repeat(30_000);
    let head = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut client = connect(4096);
    let (mut reading, mut writing) = tokio::io::split(&mut client);
    let write = async {
        writing.write_all(head.as_bytes()).await.unwrap();
        for piece in body.as_bytes().chunks(1_733) {
            writing.write_all(piece).await.unwrap();
        }
        writing.write_all(LAST.as_bytes()).await.unwrap();
    };
    let mut answers = Vec::new();
    let ((), read) = tokio::join!(write, reading.read_to_end(&mut answers));
    read.unwrap();
    let answers = String::from_utf8(answers).unwrap();
    assert!(answers.contains(&body) && answers.contains("GET /last"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_told_and_ends_the_connection() {
    let answer = answers(&[b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"]).await;
    assert!(answer.contains("closed before the end"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

#[tokio::test]
async fn a_client_that_goes_takes_its_exchange_with_it() {
    struct Gone(Arc<AtomicUsize>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let gone = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&gone);
    let service = service_fn(move |_: Request<RequestBody>| {
        let gone = Gone(Arc::clone(&count));
        async move {
            std::future::pending::<()>().await;
            drop(gone);
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        }
    });
    let (mut client, server) = duplex(4096);
    let peer = Peer::new(SocketAddr::from(([127, 0, 0, 1], 1)), Protocol::Http1);
    let (drain, _stop) = Drain::new();
    let serving = serve(server, peer, service, LIMITS, Clock::system(), drain);
    let going = async {
        client.write_all(GET.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(gone.load(Ordering::SeqCst), 0);
        drop(client);
    };
    tokio::join!(serving, going);
    assert_eq!(gone.load(Ordering::SeqCst), 1);
}
