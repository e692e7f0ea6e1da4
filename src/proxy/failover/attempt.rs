//! Makes one try at one route, and says what may follow where it fails.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};

use super::answer::read_answer;
use super::leave::{Late, RACE_LOOK};
use super::slot::Slot;
use super::tried::{Failure, Tried, Try};
use super::{Job, Means};
use crate::config::credentials::CredentialFrom;
use crate::edge::credentials::{CredentialFault, Material};
use crate::edge::upstream::body::Upload;
use crate::edge::upstream::pool::PoolLimits;
use crate::edge::upstream::{Outgoing, OutgoingBody, Phases, SendFault};
use crate::proxy::authorise::authorise;
use crate::proxy::candidates::{Credential, Way};
use crate::proxy::intake;
use crate::proxy::reject::Reject;
use crate::proxy::settle::inbound_delay;
use crate::proxy::shared::Shared;
use crate::record::{
    AttemptRecord, CancelledBy, End, ErrorClass, Mark, Moment, Name, Outcome, Timeline,
};
use crate::wire::dialect::errors::{self, Classified, Verdict};

/// The record of an attempt that begins.
pub(super) fn record(way: &Way, job: &Job<'_>, first: Moment, shared: &Shared) -> AttemptRecord {
    let mut timeline = Timeline::default();
    timeline.set(Mark::RequestFirstByte, first);
    timeline.set(Mark::RequestComplete, job.complete);
    timeline.set(Mark::RouteChosen, shared.clock.now());
    begun(way, timeline, shared)
}

/// Sends the request and waits for an answer.
pub(super) async fn attempt(
    this: Try<'_>,
    mut outgoing: Outgoing,
    upload: Option<&Upload>,
    slot: Slot<'_, '_>,
) -> Tried {
    let material = match credentialled(this, &mut outgoing).await {
        Ok(material) => material,
        Err(no) => {
            let clock = &this.means.shared.clock;
            slot.note(|record| {
                record.timeline.set(Mark::Closed, clock.now());
                record.end = Some(End::None);
                record.error_class = no.class;
            });
            return Tried::Failed(no.failure);
        }
    };
    let Try {
        way,
        means: Means {
            shared,
            pool,
            settings,
        },
        job,
        ..
    } = this;
    let limits = PoolLimits {
        idle: settings.timeouts.pool_idle,
        connect: settings.timeouts.connect,
        connections: settings.limits.connections_per_provider,
        fresh: job.fresh,
    };
    let (patience, _) = this.for_headers();
    let mut noting = Noting {
        slot,
        phases: Phases::default(),
    };
    let body_patience = settings.timeouts.request_body.min(patience);
    let (sent, overdue) = {
        let sending = pin!(pool.send(
            &way.provider,
            outgoing,
            &limits,
            &shared.clock,
            &mut noting.phases,
        ));
        let upload = upload.zip(Some(body_patience));
        wait_late(this, slot, sending, upload).await
    };
    let phases = noting.phases;
    drop(noting);
    // What earlier tries took is not our delay.
    let from = if slot.place() == 0 {
        Mark::RequestComplete
    } else {
        Mark::RouteChosen
    };
    let inbound = slot
        .note(|record| inbound_delay(&record.timeline, from))
        .flatten();
    slot.note_exchange(|draft| {
        draft.own.inbound = inbound;
        if let Some(upload) = upload {
            let sent = upload.bytes.load(Ordering::Relaxed);
            draft.request.bytes = draft.request.bytes.max(sent);
        }
    });
    match sent {
        Ok(Ok(answer)) => read_answer(this, answer, material.as_ref(), slot).await,
        failed => {
            let late = matches!(failed, Err(Waited::Client));
            let broke = upload.is_some_and(|upload| upload.client_failed.load(Ordering::Relaxed));
            let client = match (late, broke) {
                (true, _) => Some(intake::late(body_patience)),
                (_, true) => Some(Reject::new(
                    http::StatusCode::BAD_REQUEST,
                    "request_body",
                    "the request body broke off before its end",
                )),
                _ => None,
            };
            let fault = match failed {
                Ok(Err(fault)) => fault,
                _ => Try::overdue(&phases, overdue),
            };
            let failure = slot.note(|record| unreached(record, way, &fault, client, shared));
            Tried::Failed(failure.unwrap_or_else(|| {
                let message = "the exchange is over";
                let status = http::StatusCode::INTERNAL_SERVER_ERROR;
                let reject = Reject::new(status, "proxy_fault", message);
                Failure::closed(Verdict::No, true, reject, Outcome::ProxyFault)
            }))
        }
    }
}

/// A request that was not sent, for want of a credential or of its own body.
struct Unsent {
    class: Option<ErrorClass>,
    failure: Box<Failure>,
}

/// Gets the way's credential where it has to be got, and puts it on the request. What is signed is
/// signed whole: a body that would be streamed is read first.
async fn credentialled(
    this: Try<'_>,
    outgoing: &mut Outgoing,
) -> Result<Option<Arc<Material>>, Unsent> {
    let Try { way, means, .. } = this;
    let Some(from) = way.credential.to_get() else {
        return Ok(None);
    };
    if matches!(from, CredentialFrom::Aws(_)) {
        let limits = (
            means.settings.limits.request_body_bytes,
            means.settings.timeouts.request_body,
        );
        gather(outgoing, limits).await.map_err(|reject| Unsent {
            class: None,
            failure: Failure::closed(Verdict::No, false, reject, Outcome::ClientGone),
        })?;
    }
    let shared = means.shared;
    let getting = Box::pin(authorise(way, outgoing, &shared.keyring, &shared.clock));
    // What is being got goes on without us; this request has its own time.
    let got = tokio::time::timeout(this.for_headers().0, getting).await;
    let got = got.unwrap_or_else(|_| {
        Err(CredentialFault {
            message: "it was not there in time".to_owned(),
            is_passing: true,
        })
    });
    got.map_err(|fault| {
        tracing::debug!(provider = %way.provider.name, "not sent: {fault}");
        let (class, outcome) = if fault.is_passing {
            (ErrorClass::Connect, Outcome::UpstreamError)
        } else {
            (ErrorClass::Auth, Outcome::Rejected)
        };
        let reject = Reject::credential(&way.provider.name, fault.is_passing);
        let verdict = errors::failover(&Classified::bare(class), false);
        let mut failure = Failure::closed(verdict, false, reject, outcome);
        failure.of_credential = true;
        Unsent {
            class: Some(class),
            failure,
        }
    })
}

/// Reads a body that would be streamed: at most so many bytes of it, for at most so long.
async fn gather(outgoing: &mut Outgoing, (limit, patience): (u64, Duration)) -> Result<(), Reject> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let nothing = OutgoingBody::Whole(Bytes::new());
    outgoing.body = match std::mem::replace(&mut outgoing.body, nothing) {
        OutgoingBody::Streamed(incoming, _) => {
            let reading = Limited::new(incoming, limit).collect();
            let Ok(read) = tokio::time::timeout(patience, reading).await else {
                let message = "the request body did not come within timeouts.request_body";
                let status = http::StatusCode::REQUEST_TIMEOUT;
                return Err(Reject::new(status, "request_body", message));
            };
            let read = read.map_err(|_| {
                let message = "the request body broke off, or is larger than limits.request_body, \
                               and it must be whole to be signed";
                Reject::new(http::StatusCode::BAD_REQUEST, "request_body", message)
            })?;
            OutgoingBody::Whole(read.to_bytes())
        }
        other @ (OutgoingBody::Whole(_) | OutgoingBody::Taken) => other,
    };
    if let OutgoingBody::Whole(bytes) = &outgoing.body
        && !bytes.is_empty()
    {
        let length = http::HeaderValue::from(bytes.len());
        outgoing
            .headers
            .insert(http::header::CONTENT_LENGTH, length);
    }
    Ok(())
}

impl Try<'_> {
    /// How long the response headers may take, and what it is called where they take longer. A
    /// deadline of ours under the silence limit exists only while another route is left.
    fn for_headers(&self) -> (Duration, ErrorClass) {
        let first_token = self.patience.and_then(|patience| patience.first_token);
        self.within(first_token, Duration::ZERO)
    }

    /// The same with this deadline, after the provider was silent for `silent`.
    fn within(&self, first_token: Option<Moment>, silent: Duration) -> (Duration, ErrorClass) {
        let now = self.means.shared.clock.now();
        let until = |moment: Moment| Duration::from_nanos(moment.since(now).0);
        let limits = [
            (self.job.total.map(until), ErrorClass::TotalTimeout),
            (first_token.map(until), ErrorClass::FirstTokenTimeout),
        ];
        let nearest = limits
            .into_iter()
            .filter_map(|(span, class)| Some((span?, class)))
            .min_by_key(|(span, _)| *span);
        let silence = self.means.settings.timeouts.silence.saturating_sub(silent);
        nearest
            .filter(|(span, _)| *span <= silence)
            .unwrap_or((silence, ErrorClass::SilenceTimeout))
    }

    fn overdue(phases: &Phases, (patience, class): (Duration, ErrorClass)) -> SendFault {
        SendFault {
            phase: crate::edge::upstream::Phase::Headers,
            class,
            detail: format!("no response within {patience:?}"),
            written: phases.lease.pool_wait != Moment::default(),
            ours: false,
        }
    }
}

/// Writes the phases of a call into its record, also where the call is dropped half-way.
struct Noting<'a, 'e> {
    slot: Slot<'a, 'e>,
    phases: Phases,
}

impl Drop for Noting<'_, '_> {
    fn drop(&mut self) {
        let phases = &self.phases;
        self.slot.note(|record| note_phases(record, phases));
    }
}

/// Who let a wait grow too long.
enum Waited {
    /// The client, in the middle of its upload.
    Client,
    /// The provider.
    Provider,
}

/// Waits for the response headers, past the deadline of the first token while there is no leave to
/// go elsewhere; says also how long that was, and what it is called where they did not come.
async fn wait_late<T>(
    this: Try<'_>,
    slot: Slot<'_, '_>,
    mut sending: Pin<&mut impl Future<Output = T>>,
    upload: Option<(&Upload, Duration)>,
) -> (Result<T, Waited>, (Duration, ErrorClass)) {
    let (mut patience, mut class) = this.for_headers();
    let mut waited = wait(sending.as_mut(), patience, upload).await;
    while class == ErrorClass::FirstTokenTimeout && matches!(waited, Err(Waited::Provider)) {
        let (rest, beyond) = this.within(None, patience);
        let span = match this.late(slot) {
            Late::Leaves => break,
            Late::Stays => rest,
            Late::Raced => rest.min(RACE_LOOK),
        };
        if span == rest {
            class = beyond;
        }
        patience = patience.saturating_add(span);
        waited = wait(sending.as_mut(), span, upload).await;
    }
    (waited, (patience, class))
}

/// Waits for the response headers. While an upload moves, nobody is silent; one that the client
/// lets rest is the client's fault, one that the provider does not take is the provider's.
async fn wait<T>(
    mut sending: Pin<&mut impl Future<Output = T>>,
    patience: Duration,
    upload: Option<(&Upload, Duration)>,
) -> Result<T, Waited> {
    // Whom an upload waits for changes on the way: it is looked at several times.
    let look = upload.map_or(patience, |(_, patience)| patience / LOOKS);
    let (mut silent, mut without_client) = (Duration::ZERO, Duration::ZERO);
    loop {
        let before = upload.map(|(upload, _)| (upload.bytes(), upload.awaits_client()));
        let span = look.min(patience.saturating_sub(silent));
        if let Ok(sent) = tokio::time::timeout(span, sending.as_mut()).await {
            return Ok(sent);
        }
        let after = upload.map(|(upload, _)| (upload.bytes(), upload.awaits_client()));
        if before.map(|(bytes, _)| bytes) != after.map(|(bytes, _)| bytes) {
            (silent, without_client) = (Duration::ZERO, Duration::ZERO);
            continue;
        }
        silent += span;
        let awaits_client = matches!((before, after), (Some((_, true)), Some((_, true))));
        without_client = if awaits_client {
            without_client + span
        } else {
            Duration::ZERO
        };
        if upload.is_some_and(|(_, patience)| without_client >= patience) {
            return Err(Waited::Client);
        }
        if silent >= patience {
            return Err(Waited::Provider);
        }
    }
}

/// How many times within its time-out it is looked whether an upload goes on.
const LOOKS: u32 = 8;

fn begun(way: &Way, timeline: Timeline, shared: &Shared) -> AttemptRecord {
    let credential = way.credential.hash(&shared.hasher);
    let client_credential = matches!(way.credential, Credential::Client(..));
    AttemptRecord {
        provider: way.provider.name.clone(),
        kind: way.provider.kind,
        region: way.provider.region.clone(),
        model: way.model.clone(),
        credential,
        client_credential,
        language: way.speech.said().map(|said| said.translation.provider),
        dropped: dropped(way),
        timeline,
        ..AttemptRecord::default()
    }
}

/// The fields that were left out, as the record keeps them.
fn dropped(way: &Way) -> Vec<Name> {
    let Some(said) = way.speech.said() else {
        return Vec::new();
    };
    let fields = said.dropped.iter().take(AttemptRecord::DROPPED_MAX);
    let clipped = fields.map(|field| {
        let end = field.floor_char_boundary(field.len().min(AttemptRecord::DROPPED_BYTES_MAX));
        Name::from(&field[..end])
    });
    clipped.collect()
}

fn note_phases(record: &mut AttemptRecord, phases: &Phases) {
    let marks = [
        (
            Mark::PoolWait,
            Some(phases.lease.pool_wait).filter(|at| *at != Moment::default()),
        ),
        (Mark::Dns, phases.lease.connect.dns),
        (Mark::Connect, phases.lease.connect.connect),
        (Mark::Tls, phases.lease.connect.tls),
        (Mark::SendStart, phases.send_start),
        (Mark::RequestSent, phases.request_sent),
        (Mark::Headers, phases.headers),
    ];
    for (mark, at) in marks {
        if let Some(at) = at {
            record.timeline.set(mark, at);
        }
    }
    record.reused = phases.reused;
    record.resends = phases.resends;
    record.protocol = phases.protocol;
}

fn unreached(
    record: &mut AttemptRecord,
    way: &Way,
    fault: &SendFault,
    client: Option<Reject>,
    shared: &Shared,
) -> Box<Failure> {
    record.timeline.set(Mark::Closed, shared.clock.now());
    record.end = Some(End::None);
    if let Some(reject) = client {
        record.cancelled_by = Some(CancelledBy::Client);
        return Failure::closed(Verdict::No, true, reject, Outcome::ClientGone);
    }
    if fault.ours {
        // Nothing is learned of the provider, and nothing is held against it.
        record.cancelled_by = Some(CancelledBy::Limit);
        let reject = Reject::exhausted(&way.provider.name, &fault.detail);
        return Failure::closed(Verdict::Yes, false, reject, Outcome::ProxyFault);
    }
    record.error_class = Some(fault.class);
    record.maybe_billed = fault.written;
    let outcome = match fault.class {
        ErrorClass::ConnectTimeout
        | ErrorClass::FirstTokenTimeout
        | ErrorClass::SilenceTimeout
        | ErrorClass::TotalTimeout => {
            record.cancelled_by = Some(CancelledBy::Deadline);
            Outcome::TimedOut
        }
        _ => Outcome::UpstreamError,
    };
    let mut reject = Reject::upstream(
        fault.class,
        &way.provider.name,
        &fault.detail,
        fault.written,
    );
    if fault.class == ErrorClass::Reset && record.reused {
        // Most likely the provider closed the idle connection in the moment of the request: whether
        // to ask again is the client's to say, as it is without a proxy.
        reject.retry = None;
    }
    let verdict = errors::failover(&Classified::bare(fault.class), false);
    let mut failure = Failure::closed(verdict, fault.written, reject, outcome);
    failure.leave = fault.class == ErrorClass::FirstTokenTimeout;
    failure
}
