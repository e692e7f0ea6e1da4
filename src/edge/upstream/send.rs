//! Sends one request to a provider and waits for its response headers.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, Request, Response, Uri};

use super::answer::AnswerBody;
use super::body::UpstreamBody;
use super::connect::Http2;
use super::fault::{Phase, SendFault, root_cause};
use super::outgoing::Outgoing;
use super::pool::{Lease, LeaseTimes, Pool, PoolLimits};
use crate::clock::Clock;
use crate::config::settings::Provider;
use crate::record::{ErrorClass, Moment, Protocol};

/// Writes of one request, at most: one that was never written, or that the provider's HTTP/2 end
/// refused unseen, is written again.
const RESENDS_MAX: u8 = 3;

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
}

impl Pool {
    /// Sends `outgoing` to `provider`. A request that was never written is written again on
    /// another connection, and one that the provider said it has not looked at (RFC 9113, 8.7);
    /// any other of which a byte was written never is.
    pub async fn send(
        self: &Arc<Self>,
        provider: &Provider,
        mut outgoing: Outgoing,
        limits: &PoolLimits,
        clock: &Clock,
        phases: &mut Phases,
    ) -> Result<Answer, SendFault> {
        outgoing.leave_out_meaningless();
        loop {
            // The last try is on a fresh connection, whatever the pool holds.
            let fresh = limits.fresh || phases.resends + 1 >= RESENDS_MAX;
            let lease = self
                .lease(provider, limits, fresh, &mut phases.lease)
                .await?;
            phases.reused = lease.reused;
            let sent = match lease.shared().map(Arc::clone) {
                None => on_own(lease, &mut outgoing, phases).await,
                // Rare, and large.
                Some(shared) => {
                    Box::pin(on_shared(lease, &shared, &mut outgoing, clock, phases)).await
                }
            };
            let failed = match sent {
                Ok(response) => return Ok(Answer { response }),
                Err(failed) => failed,
            };
            let may_again = !failed.fault.written && outgoing.is_there();
            let was_old = phases.reused || failed.refused;
            if !may_again || !was_old || phases.resends + 1 >= RESENDS_MAX {
                return Err(failed.fault);
            }
            phases.resends += 1;
        }
    }
}

struct Failed {
    fault: SendFault,
    /// The provider has not looked at the request, and says so.
    refused: bool,
}

impl Failed {
    fn vanished() -> Self {
        let what = "the connection vanished";
        Self {
            fault: SendFault::before(Phase::Send, ErrorClass::Reset, what),
            refused: false,
        }
    }
}

/// One exchange on a connection of its own.
async fn on_own(
    mut lease: Lease,
    outgoing: &mut Outgoing,
    phases: &mut Phases,
) -> Result<Response<AnswerBody>, Failed> {
    phases.protocol = Protocol::Http1;
    let connection = lease.own().ok_or_else(Failed::vanished)?;
    connection.begin(outgoing);
    let answered = poll_fn(|cx| {
        let polled = connection.poll_head(outgoing, cx);
        // Also where nobody waits for its answer any more.
        (phases.send_start, phases.request_sent) = connection.written();
        polled
    })
    .await;
    match answered {
        Ok(response) => {
            phases.headers = Some(connection.last_read());
            Ok(response.map(|()| AnswerBody::own(lease)))
        }
        Err(broke) => {
            let written = connection.is_begun();
            Err(Failed {
                fault: SendFault {
                    phase: if written { Phase::Headers } else { Phase::Send },
                    class: broke.class(),
                    detail: broke.detail(),
                    written,
                    ours: false,
                },
                refused: false,
            })
        }
    }
}

/// One exchange beside others. What may have been written counts as written, and the writes of
/// one exchange cannot be told from those of another.
async fn on_shared(
    lease: Lease,
    connection: &Http2,
    outgoing: &mut Outgoing,
    clock: &Clock,
    phases: &mut Phases,
) -> Result<Response<AnswerBody>, Failed> {
    phases.protocol = Protocol::Http2;
    let began = clock.now();
    phases.send_start = Some(began);
    phases.request_sent = None;
    let request = absolute(outgoing.take_message());
    let sent = connection.sender.clone().try_send_request(request).await;
    match sent {
        Ok(response) => {
            phases.headers = Some(connection.log.last_read().max(began));
            let log = connection.log.clone();
            Ok(response.map(|incoming| AnswerBody::shared(lease, incoming, log)))
        }
        Err(mut error) => {
            let unsent = error.take_message();
            let error = error.into_error();
            let refused = is_refused(&error);
            let written = unsent.is_none() && !refused;
            if let Some(unsent) = unsent {
                outgoing.body.put_back(unsent.into_body());
            }
            let class = if error.is_parse() {
                ErrorClass::ProtocolError
            } else {
                ErrorClass::Reset
            };
            Err(Failed {
                fault: SendFault {
                    phase: if written { Phase::Headers } else { Phase::Send },
                    class,
                    detail: root_cause(&error),
                    written,
                    ours: false,
                },
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

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// The server's word on how long it keeps an idle connection (`Keep-Alive: timeout=5`).
#[must_use]
pub fn keep_alive_of(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(&KEEP_ALIVE)?.to_str().ok()?;
    let seconds = value
        .split(',')
        .find_map(|part| part.trim().strip_prefix("timeout="))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}
