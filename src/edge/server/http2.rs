//! Serves a client connection that speaks HTTP/2, with the time-outs that the library leaves to its
//! user: a preface that does not come, answers that are not read, a connection without requests.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::http2;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use super::drain::Drain;
use super::library::OfLibrary;
use super::limits::ConnectionLimits;
use super::request_body::RequestBody;
use super::resumed::Resumed;
use super::unread::Answers;
use crate::clock::Clock;
use crate::record::Nanos;

/// Windows of a connection: small, since requests are read at once.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const STREAMS_MAX: u32 = 100;
const HEADER_LIST_MAX: u32 = 16 * 1024;
/// RFC 9113, 3.4: what a client's side of a connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How often a connection is looked at, as a part of the shortest of its time-outs.
const LOOKS: u32 = 4;

/// Serves `io` until it ends, or until draining has let its exchanges finish. `is_idle` says whether
/// none is at work.
pub(super) async fn serve<T, S, B>(
    mut io: T,
    service: S,
    limits: ConnectionLimits,
    (clock, is_idle): (&Clock, &(dyn Fn() -> bool + Send + Sync)),
    drain: Drain,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let reading = tokio::time::timeout(limits.request_headers, preface(&mut io));
    let Ok(Some(first)) = reading.await else {
        return;
    };
    let answers = Arc::new(Answers::new(clock.clone()));
    let watched = Arc::clone(&answers);
    let service = OfLibrary(service);
    let service = service_fn(move |request| {
        let (answering, watched) = (service.call(request), Arc::clone(&watched));
        async move { answering.await.map(|response| watched.watch(response)) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_LIST_MAX)
        .keep_alive_interval(limits.idle / 2)
        .keep_alive_timeout(limits.request_headers)
        .serve_connection(TokioIo::new(Resumed::new(first, io)), service);
    let mut connection = pin!(connection);
    let is_stopping = tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = drain.stopping() => true,
        () = idle(is_idle, &answers, limits, (limits.idle, clock)) => false,
    };
    connection.as_mut().graceful_shutdown();
    if is_stopping {
        // Exchanges at work may finish, unless their clients do not read.
        tokio::select! {
            biased;
            _ = connection => {}
            () = never_unread(&answers, limits) => {}
        }
    } else {
        // There is nothing to finish but what was asked before the word was read; whoever does not
        // take it is cut.
        tokio::select! {
            biased;
            _ = connection => {}
            () = idle(is_idle, &answers, limits, (limits.request_headers, clock)) => {}
        }
    }
}

/// Reads what a connection begins with; nothing where it begins otherwise.
async fn preface(io: &mut (impl AsyncRead + Unpin)) -> Option<BytesMut> {
    let mut first = [0; PREFACE.len()];
    io.read_exact(&mut first).await.ok()?;
    (first == PREFACE).then(|| BytesMut::from(&first[..]))
}

/// Returns once no exchange was at work for so long, and no client was taking an answer. What is left
/// unread meanwhile is taken from its client.
async fn idle<B>(
    is_idle: &(dyn Fn() -> bool + Send + Sync),
    answers: &Answers<B>,
    limits: ConnectionLimits,
    (span, clock): (Duration, &Clock),
) {
    let patience = nanos(limits.write);
    let mut since = clock.now();
    loop {
        tokio::time::sleep(look(limits.write.min(span))).await;
        answers.take_unread(patience);
        let now = clock.now();
        if !is_idle() || answers.are_taken(patience) {
            since = now;
        } else if now >= since.plus(nanos(span)) {
            return;
        }
    }
}

async fn never_unread<B>(answers: &Answers<B>, limits: ConnectionLimits) {
    loop {
        tokio::time::sleep(look(limits.write)).await;
        answers.take_unread(nanos(limits.write));
    }
}

fn look(shortest: Duration) -> Duration {
    (shortest / LOOKS).max(Duration::from_millis(1))
}

fn nanos(span: Duration) -> Nanos {
    Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}
