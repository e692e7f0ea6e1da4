//! Sends one request to a provider and waits for its response headers.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use hyper::body::Incoming;

use super::answer::AnswerBody;
use super::body::{Upload, UpstreamBody};
use super::fault::{Phase, SendFault, root_cause};
use super::pool::{Lease, LeaseTimes, Pool, PoolLimits};
use crate::clock::Clock;
use crate::config::settings::Provider;
use crate::edge::stamp::IoLog;
use crate::record::{ErrorClass, Moment, Protocol};

/// Writes of one request, at most: one that was never written, or that the provider's HTTP/2 end
/// refused unseen, is written again.
const RESENDS_MAX: u8 = 3;

/// Bytes read of an HTTP/1 connection before the response head is whole, at most. hyper bounds
/// one head and swallows interim answers (1xx) without end; this bounds all of them together.
/// Interim answers over HTTP/2 are bounded by h2. The read that ends the head, and one after it,
/// may bring body (64 KiB each), so that this is more than an honest head with its hints needs.
const HEADS_MAX: usize = 256 * 1024;

/// A request on its way to a provider.
#[derive(Debug)]
pub struct Outgoing {
    /// Method.
    pub method: Method,
    /// Path and query there.
    pub target: Uri,
    /// Headers, `Host` and credentials included.
    pub headers: HeaderMap,
    /// Body.
    pub body: OutgoingBody,
}

/// The body of a request on its way to a provider.
#[derive(Debug)]
pub enum OutgoingBody {
    /// In memory: can be written again.
    Whole(Bytes),
    /// Streamed once from the client.
    Streamed(Incoming, Arc<Upload>),
}

/// The moments of a call up to its response headers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Phases {
    /// Getting a connection.
    pub lease: LeaseTimes,
    /// First byte handed to the socket.
    pub send_start: Option<Moment>,
    /// Last byte written.
    pub request_sent: Option<Moment>,
    /// Response headers complete.
    pub headers: Option<Moment>,
    /// Whether a pooled connection carried it.
    pub reused: bool,
    /// Further writes after connections found dead.
    pub resends: u8,
    /// HTTP version spoken.
    pub protocol: Protocol,
}

/// A provider's response whose body is still to come.
#[derive(Debug)]
pub struct Answer {
    /// Status, headers, body.
    pub response: Response<AnswerBody>,
    /// The log of its connection, to pair body frames with reads.
    pub log: IoLog,
}

impl Pool {
    /// Sends `outgoing` to `provider`. A request that was never written is written again on
    /// another connection, and one that the provider said it has not looked at (RFC 9113, 8.7);
    /// any other of which a byte was written never is.
    pub async fn send(
        self: &Arc<Self>,
        provider: &Provider,
        outgoing: Outgoing,
        limits: &PoolLimits,
        clock: &Clock,
        phases: &mut Phases,
    ) -> Result<Answer, SendFault> {
        let Outgoing {
            method,
            target,
            headers,
            body,
        } = outgoing;
        let mut request = Request::new(UpstreamBody::whole(Bytes::new()));
        *request.method_mut() = method;
        *request.uri_mut() = target;
        *request.headers_mut() = headers;
        let again = match body {
            OutgoingBody::Whole(bytes) => {
                *request.body_mut() = UpstreamBody::whole(bytes.clone());
                Some(bytes)
            }
            OutgoingBody::Streamed(incoming, upload) => {
                *request.body_mut() = UpstreamBody::Streamed(incoming, upload);
                None
            }
        };
        loop {
            // The last try is on a fresh connection, whatever the pool holds.
            let fresh = phases.resends + 1 >= RESENDS_MAX;
            let mut lease = self
                .lease(provider, limits, fresh, &mut phases.lease)
                .await?;
            phases.reused = lease.reused;
            let may_return = lease.reused || lease.is_shared();
            let copy = (may_return && again.is_some()).then(|| head_of(&request));
            match exchange(&mut lease, request, clock, phases).await {
                Ok(response) => {
                    let Some(log) = lease.log().cloned() else {
                        let fault = "the connection vanished";
                        return Err(SendFault::before(Phase::Headers, ErrorClass::Reset, fault));
                    };
                    let response = response.map(|incoming| AnswerBody::new(incoming, lease));
                    return Ok(Answer { response, log });
                }
                Err(failed) => {
                    let unsent = match failed.unsent {
                        Some(request) => Some(request),
                        None if !failed.fault.written => copy.zip(again.clone()).map(rebuilt),
                        None => None,
                    };
                    match unsent {
                        Some(unsent)
                            if (phases.reused || failed.refused)
                                && phases.resends + 1 < RESENDS_MAX =>
                        {
                            phases.resends += 1;
                            request = unsent;
                        }
                        _ => return Err(failed.fault),
                    }
                }
            }
        }
    }
}

struct Failed {
    fault: SendFault,
    unsent: Option<Request<UpstreamBody>>,
    /// The provider has not looked at the request, and says so.
    refused: bool,
}

fn head_of(request: &Request<UpstreamBody>) -> Request<()> {
    let mut copy = Request::new(());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

fn rebuilt((head, body): (Request<()>, Bytes)) -> Request<UpstreamBody> {
    head.map(|()| UpstreamBody::whole(body))
}

async fn exchange(
    lease: &mut Lease,
    request: Request<UpstreamBody>,
    clock: &Clock,
    phases: &mut Phases,
) -> Result<Response<Incoming>, Failed> {
    let shared = lease.is_shared();
    let gone = || Failed {
        fault: SendFault::before(Phase::Send, ErrorClass::Reset, "the connection vanished"),
        unsent: None,
        refused: false,
    };
    let log = lease.log().ok_or_else(gone)?.clone();
    if !shared {
        log.begin_exchange(HEADS_MAX);
    }
    let began = clock.now();
    phases.protocol = if shared {
        Protocol::Http2
    } else {
        Protocol::Http1
    };
    let writing = Writing {
        log: &log,
        began,
        shared,
        phases,
    };
    let request = if shared { absolute(request) } else { request };
    let mut sending = lease.sending(request).ok_or_else(gone)?;
    let sent = poll_fn(|cx| lease.turn(cx, |cx| sending.as_mut().poll(cx))).await;
    drop(writing);
    // On a shared connection what may have been written counts as written.
    let began_to_write = shared || log.writes_so_far().2 > 0;
    match sent {
        Ok(response) => {
            phases.headers = Some(log.head_came().max(began));
            Ok(response)
        }
        Err(mut error) => {
            let unsent = error.take_message();
            let error = error.into_error();
            let refused = is_refused(&error);
            let written = unsent.is_none() && began_to_write && !refused;
            let class = if error.is_parse() || is_no_http(&error) {
                ErrorClass::ProtocolError
            } else {
                ErrorClass::Reset
            };
            let phase = if written { Phase::Headers } else { Phase::Send };
            let detail = root_cause(&error);
            Err(Failed {
                fault: SendFault {
                    phase,
                    class,
                    detail,
                    written,
                },
                unsent,
                refused,
            })
        }
    }
}

/// Whether the provider refused the request without having looked at it: a stream reset with
/// `REFUSED_STREAM`, or above the last one that a GOAWAY names. Streams that it does name get
/// another error when their connection ends.
fn is_refused(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    source
        .and_then(|source| source.downcast_ref::<h2::Error>())
        .is_some_and(|error| {
            let reset = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
            error.is_remote() && (reset || error.is_go_away())
        })
}

/// Whether the IO below hyper found that what comes is no HTTP.
fn is_no_http(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    source
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
}

/// Notes when the request was written, also where nobody waits for its answer any more.
struct Writing<'a> {
    log: &'a IoLog,
    began: Moment,
    shared: bool,
    phases: &'a mut Phases,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let (first, last, _) = self.log.writes_so_far();
        // The writes of a shared connection are of many exchanges and cannot be told apart.
        (self.phases.send_start, self.phases.request_sent) = if self.shared {
            (Some(self.began), None)
        } else {
            (first, last)
        };
    }
}

/// HTTP/2 wants scheme and authority in the request itself (RFC 9113, 8.3.1).
fn absolute(mut request: Request<UpstreamBody>) -> Request<UpstreamBody> {
    let host = request.headers_mut().remove(http::header::HOST);
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(http::uri::Scheme::HTTPS);
    parts.authority = host.and_then(|host| host.to_str().ok()?.parse().ok());
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

/// The server's word on how long it keeps an idle connection (`Keep-Alive: timeout=5`).
#[must_use]
pub fn keep_alive_of(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("keep-alive")?.to_str().ok()?;
    let seconds = value
        .split(',')
        .find_map(|part| part.trim().strip_prefix("timeout="))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}
