//! Tries the steps of a plan until one answers, and records every try.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use secrecy::ExposeSecret as _;

use super::candidates::{self, Credential, Way};
use super::headers;
use super::intake::Body;
use super::reject::Reject;
use super::secret;
use super::settle::{Exchange, inbound_delay};
use super::shared::Shared;
use super::tap::Source;
use crate::config::settings::Settings;
use crate::edge::stamp::IoLog;
use crate::edge::upstream::body::Upload;
use crate::edge::upstream::pool::PoolLimits;
use crate::edge::upstream::send::{OutgoingBody, keep_alive_of};
use crate::edge::upstream::{Answer, AnswerBody, Outgoing, Phases, Pool, SendFault};
use crate::record::{
    AttemptRecord, CancelledBy, End, ErrorClass, Language, Mark, Moment, Name, Outcome, Timeline,
};
use crate::wire::dialect::errors::{self, Verdict};
use crate::wire::dialect::headers::read_headers;
use crate::wire::dialect::request::{self, Edits};

/// Body of a failing response that is read before the next route is tried.
const ERROR_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Query parameters that carry credentials at some provider.
const KEY_PARAMETERS: [&str; 5] = ["key", "api_key", "api-key", "apikey", "access_token"];
/// Time for that.
const ERROR_BODY_PATIENCE: Duration = Duration::from_secs(10);

/// A request as it is sent to each route.
#[derive(Debug)]
pub struct Job<'a> {
    /// Method.
    pub method: Method,
    /// Path behind the provider's name.
    pub path: &'a str,
    /// Query, without `?`.
    pub query: Option<&'a str>,
    /// The client's headers.
    pub headers: &'a HeaderMap,
    /// The endpoint's language.
    pub language: Language,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// When the request was complete.
    pub complete: Moment,
    /// When the whole exchange must be over.
    pub total: Option<Moment>,
}

/// An answer that will be relayed.
#[derive(Debug)]
pub struct Reached {
    /// Index of the way that answered.
    pub way: usize,
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub source: Source,
    /// The reads of its connection.
    pub log: Option<IoLog>,
    /// The server's word on how long it keeps the connection.
    pub keep_alive: Option<Duration>,
    /// First byte of the upstream request, for the observer.
    pub send_start: Option<Moment>,
    /// Whether the usage event was asked for by us.
    pub usage_injected: bool,
}

/// No route answered.
#[derive(Debug)]
pub struct Unreached {
    /// What the client is told.
    pub reject: Reject,
    /// How the exchange ended.
    pub outcome: Outcome,
}

/// What trying works with.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// What all workers share.
    pub shared: &'a Shared,
    /// This worker's connections.
    pub pool: &'a Arc<Pool>,
    /// The settings that the exchange started with.
    pub settings: &'a Settings,
}

/// Tries `steps` (indexes of `ways`) in order.
pub async fn first_answer(
    job: &Job<'_>,
    mut body: Body,
    ways: &[Way],
    steps: &[usize],
    exchange: &mut Exchange,
    means: Means<'_>,
) -> Result<Reached, Unreached> {
    let shared = means.shared;
    let mut injection = true;
    let mut left = steps.iter().copied().peekable();
    let mut current = left.next();
    loop {
        let Some(index) = current else {
            return Err(nothing_to_try());
        };
        let way = &ways[index];
        let is_last = left.peek().is_none() || matches!(body, Body::Streamed(..));
        let inject = injection && shared.may_inject(way, job.language, &body);
        let tried = attempt(job, &mut body, way, inject, is_last, exchange, means);
        let tried = tried.await;
        log_attempt(exchange);
        match tried {
            Tried::Answered(mut reached) => {
                reached.way = index;
                return Ok(*reached);
            }
            Tried::WithoutInjection => {
                shared.forget_injection(way);
                injection = false;
            }
            Tried::Failed(unreached) if is_last => return Err(*unreached),
            Tried::Failed(_) => {
                injection = true;
                current = left.next();
            }
        }
    }
}

/// Which provider was tried, and how that went.
fn log_attempt(exchange: &mut Exchange) {
    let Some(draft) = exchange.draft() else {
        return;
    };
    let Some(attempt) = draft.attempts.last() else {
        return;
    };
    tracing::debug!(
        exchange = %draft.id,
        attempt = draft.attempts.len(),
        provider = %attempt.provider,
        status = attempt.status,
        error = attempt.error_class.map(ErrorClass::name),
        reused = attempt.reused,
        resends = attempt.resends,
        "tried"
    );
}

fn nothing_to_try() -> Unreached {
    let message = "no route to this model has a credential: set the provider's api_key (or its \
                   variable), or address it by `/{provider}/v1` with a key of your own";
    Unreached {
        reject: Reject::new(StatusCode::UNAUTHORIZED, "no_credential", message),
        outcome: Outcome::Rejected,
    }
}

enum Tried {
    Answered(Box<Reached>),
    /// The provider does not take `stream_options`: once more without.
    WithoutInjection,
    Failed(Box<Unreached>),
}

/// One try at one route. Its record stands in the draft from the first moment on, so that it is
/// there whatever happens.
async fn attempt(
    job: &Job<'_>,
    body: &mut Body,
    way: &Way,
    inject: bool,
    is_last: bool,
    exchange: &mut Exchange,
    means: Means<'_>,
) -> Tried {
    let Means {
        shared,
        pool,
        settings,
    } = means;
    let (outgoing, upload) = match outgoing(job, body, way, inject, shared) {
        Ok(outgoing) => outgoing,
        Err(reject) => {
            return Tried::Failed(Box::new(Unreached {
                reject,
                outcome: Outcome::Rejected,
            }));
        }
    };
    let mut timeline = Timeline::default();
    timeline.set(Mark::RequestComplete, job.complete);
    timeline.set(Mark::RouteChosen, shared.clock.now());
    if let Some(draft) = exchange.draft() {
        timeline.set(Mark::RequestFirstByte, draft.started_at);
        draft.request.usage_injected = inject;
        draft.request.model_replaced = is_renamed(way, draft.model.as_ref());
        draft.attempts.push(begun(way, timeline, shared));
    }
    let limits = PoolLimits {
        idle: settings.timeouts.pool_idle,
        connect: settings.timeouts.connect,
        connections: settings.limits.connections_per_provider,
    };
    let patience = patience(job, is_last, shared, settings);
    let mut noting = Noting {
        exchange: &mut *exchange,
        phases: Phases::default(),
    };
    let body_patience = settings.timeouts.request_body.min(patience);
    let sent = {
        let sending = pin!(pool.send(
            &way.provider,
            outgoing,
            &limits,
            &shared.clock,
            &mut noting.phases,
        ));
        wait(sending, patience, upload.as_deref(), body_patience).await
    };
    let phases = noting.phases;
    drop(noting);
    let Some(draft) = exchange.draft() else {
        return Tried::Failed(Box::new(nothing_to_try()));
    };
    let Some(record) = draft.attempts.last_mut() else {
        return Tried::Failed(Box::new(nothing_to_try()));
    };
    draft.own.inbound = inbound_delay(&record.timeline);
    let answer = match sent {
        Ok(Ok(answer)) => answer,
        failed => {
            let client_failed = matches!(failed, Err(Waited::Client))
                || upload.is_some_and(|upload| upload.client_failed.load(Ordering::Relaxed));
            let fault = match failed {
                Ok(Err(fault)) => fault,
                _ => overdue(job, is_last, &phases, patience, shared.clock.now()),
            };
            return Tried::Failed(Box::new(unreached(
                record,
                way,
                &fault,
                client_failed,
                shared,
            )));
        }
    };
    if let Some(upload) = upload {
        draft.request.bytes = draft
            .request
            .bytes
            .max(upload.bytes.load(Ordering::Relaxed));
    }
    read_answer(answer, way, job, inject, is_last, record, shared).await
}

/// Writes the phases of a call into its record, also where the call is dropped half-way.
struct Noting<'a> {
    exchange: &'a mut Exchange,
    phases: Phases,
}

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        let draft = self.exchange.draft();
        if let Some(record) = draft.and_then(|draft| draft.attempts.last_mut()) {
            note_phases(record, &self.phases);
        }
    }
}

/// Who let a wait grow too long.
enum Waited {
    /// The client, in the middle of its upload.
    Client,
    /// The provider.
    Provider,
}

/// Waits for the response headers. While an upload moves, nobody is silent; one that the client
/// lets rest is the client's fault, one that the provider does not take is the provider's.
async fn wait<T>(
    mut sending: Pin<&mut impl Future<Output = T>>,
    patience: Duration,
    upload: Option<&Upload>,
    body_patience: Duration,
) -> Result<T, Waited> {
    let mut silent = Duration::ZERO;
    loop {
        let awaits_client = upload.is_some_and(Upload::awaits_client);
        let span = if awaits_client {
            body_patience
        } else {
            patience
        };
        let before = upload.map(Upload::bytes);
        if let Ok(sent) = tokio::time::timeout(span, sending.as_mut()).await {
            return Ok(sent);
        }
        silent = if upload.map(Upload::bytes) == before {
            silent + span
        } else {
            Duration::ZERO
        };
        let still_client = upload.is_some_and(Upload::awaits_client);
        if awaits_client && still_client && !silent.is_zero() {
            return Err(Waited::Client);
        }
        if silent >= patience {
            return Err(Waited::Provider);
        }
    }
}

/// What to send: the client's bytes, with the declared splices and the provider's headers.
fn outgoing(
    job: &Job<'_>,
    body: &mut Body,
    way: &Way,
    inject: bool,
    shared: &Shared,
) -> Result<(Outgoing, Option<Arc<Upload>>), Reject> {
    let path = candidates::upstream_path(&way.provider, job.path, job.language);
    let queries: Vec<&str> = way
        .provider
        .base
        .query
        .iter()
        .map(String::as_str)
        .chain(query_for(way, job.query))
        .collect();
    let target = if queries.is_empty() {
        path
    } else {
        format!("{path}?{}", queries.join("&"))
    };
    let target = Uri::try_from(target).map_err(|_| {
        let message = "the path or query has characters that a URL cannot have";
        Reject::new(StatusCode::BAD_REQUEST, "request_target", message)
    })?;
    let identity = job.stream && job.language.is_inference();
    let mut headers = headers::to_provider(job.headers, way, identity, &shared.instance);
    let mut upload = None;
    let body = match body {
        Body::Read(bytes, reading) => {
            let model = way
                .model
                .as_deref()
                .filter(|model| reading.model.as_deref() != Some(model));
            let edits = Edits {
                model,
                include_usage: inject,
            };
            OutgoingBody::Whole(request::edit(bytes, reading, &edits))
        }
        Body::Whole(bytes) => OutgoingBody::Whole(bytes.clone()),
        Body::Streamed(..) => match std::mem::replace(body, Body::Whole(Bytes::new())) {
            Body::Streamed(incoming, sent) => {
                if let Some(length) = http_body::Body::size_hint(&incoming).exact() {
                    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
                }
                upload = Some(Arc::clone(&sent));
                OutgoingBody::Streamed(incoming, sent)
            }
            other => {
                *body = other;
                OutgoingBody::Whole(Bytes::new())
            }
        },
    };
    if let OutgoingBody::Whole(bytes) = &body
        && (!bytes.is_empty() || job.method == Method::POST)
    {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    Ok((
        Outgoing {
            method: job.method.clone(),
            target,
            headers,
            body,
        },
        upload,
    ))
}

/// The parameters of the client's query that may go this way: keys in it are credentials.
fn query_for<'a>(way: &Way, query: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    let keeps_keys = way.addressed && way.provider.key.is_none();
    query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter(move |parameter| {
            let name = parameter.split('=').next().unwrap_or_default();
            keeps_keys
                || !KEY_PARAMETERS
                    .iter()
                    .any(|key| name.eq_ignore_ascii_case(key))
        })
}

fn is_renamed(way: &Way, asked: Option<&Name>) -> bool {
    way.model.is_some() && way.model.as_ref() != asked
}

fn begun(way: &Way, timeline: Timeline, shared: &Shared) -> AttemptRecord {
    let hash = |value: &[u8]| Some(shared.hasher.hash("credential", [secret::bare(value)]));
    let (credential, client_credential) = match &way.credential {
        Credential::Configured(key) => (hash(key.expose_secret().as_bytes()), false),
        Credential::Client(_, value) => (hash(value.as_bytes()), true),
        Credential::None => (None, false),
    };
    AttemptRecord {
        provider: way.provider.name.clone(),
        kind: way.provider.kind,
        region: way.provider.region.clone(),
        model: way.model.clone(),
        credential,
        client_credential,
        timeline,
        ..AttemptRecord::default()
    }
}

/// How long the response headers may take. A deadline of ours under the silence limit exists
/// only while another route is left.
fn patience(job: &Job<'_>, is_last: bool, shared: &Shared, settings: &Settings) -> Duration {
    let timeouts = &settings.timeouts;
    let own = if is_last {
        timeouts.silence
    } else {
        timeouts.first_token.min(timeouts.silence)
    };
    let left = job
        .total
        .map(|total| Duration::from_nanos(total.since(shared.clock.now()).0));
    left.map_or(own, |left| left.min(own))
}

fn overdue(
    job: &Job<'_>,
    is_last: bool,
    phases: &Phases,
    patience: Duration,
    now: Moment,
) -> SendFault {
    let class = if job.total.is_some_and(|total| now >= total) {
        ErrorClass::TotalTimeout
    } else if is_last {
        ErrorClass::SilenceTimeout
    } else {
        ErrorClass::FirstTokenTimeout
    };
    SendFault {
        phase: crate::edge::upstream::Phase::Headers,
        class,
        detail: format!("no response within {patience:?}"),
        written: phases.lease.pool_wait != Moment::default(),
    }
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
    client_failed: bool,
    shared: &Shared,
) -> Unreached {
    record.timeline.set(Mark::Closed, shared.clock.now());
    record.end = Some(End::None);
    if client_failed {
        record.cancelled_by = Some(CancelledBy::Client);
        let message = "the request body broke off before its end";
        return Unreached {
            reject: Reject::new(StatusCode::BAD_REQUEST, "request_body", message),
            outcome: Outcome::ClientGone,
        };
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
    let reject = Reject::upstream(
        fault.class,
        &way.provider.name,
        &fault.detail,
        fault.written,
    );
    Unreached { reject, outcome }
}

/// Looks at status and headers: relay them, or try elsewhere.
async fn read_answer(
    answer: Answer,
    way: &Way,
    job: &Job<'_>,
    inject: bool,
    is_last: bool,
    record: &mut AttemptRecord,
    shared: &Shared,
) -> Tried {
    let Answer { response, log } = answer;
    let (parts, mut body) = response.into_parts();
    let reading = read_headers(&parts.headers);
    record.status = Some(parts.status.as_u16());
    record.rate_limits = reading.rate_limits;
    record.server_timings = reading.server_timings;
    record.upstream_request_id = reading.request_id;
    record.served_by = reading.served_by;
    record.region = record.region.take().or(reading.region);
    if is_redirect(parts.status) || parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Tried::Failed(Box::new(redirected(record, way, parts.status, shared)));
    }
    let keep_alive = keep_alive_of(&parts.headers);
    let mut reached = Reached {
        way: 0,
        status: parts.status,
        headers: parts.headers,
        source: Source::Read(VecDeque::new()),
        log: None,
        keep_alive,
        send_start: record.timeline.get(Mark::SendStart),
        usage_injected: inject,
    };
    let failing = parts.status.is_client_error() || parts.status.is_server_error();
    let may_reject_injection = inject && matches!(parts.status.as_u16(), 400 | 422);
    if !failing || (is_last && !may_reject_injection) {
        if announces_what_it_has_not(&reached) {
            body.close();
        }
        reached.source = Source::Incoming(body);
        reached.log = Some(log);
        return Tried::Answered(Box::new(reached));
    }
    let Some(chunks) = read_error_body(&mut body, &log).await else {
        // Too large or too slow to look at: it is what it is.
        return Tried::Failed(Box::new(unreadable(record, way, shared)));
    };
    body.finish(keep_alive);
    let whole: Vec<u8> = chunks
        .iter()
        .flat_map(|(bytes, _)| bytes.iter().copied())
        .collect();
    let preset = way.provider.preset.as_deref().unwrap_or_default();
    let status = parts.status.as_u16();
    let classified = errors::classify(
        way.provider.dialect,
        preset,
        status,
        &reached.headers,
        &whole,
    );
    if may_reject_injection && memchr::memmem::find(&whole, b"stream_options").is_some() {
        close_attempt(record, classified, whole.len(), shared);
        return Tried::WithoutInjection;
    }
    let verdict = errors::failover(&classified, false);
    if !is_last && matches!(verdict, Verdict::Yes | Verdict::Alert) {
        close_attempt(record, classified, whole.len(), shared);
        return Tried::Failed(Box::new(nothing_to_try()));
    }
    let _ = job;
    reached.source = Source::Read(chunks);
    Tried::Answered(Box::new(reached))
}

/// Whether a status without a body comes with the announcement of one: its bytes may follow, and
/// would be read as the next answer on the connection.
fn announces_what_it_has_not(reached: &Reached) -> bool {
    let bodiless = matches!(reached.status.as_u16(), 204 | 304);
    bodiless && reached.headers.contains_key(header::TRANSFER_ENCODING)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn redirected(
    record: &mut AttemptRecord,
    way: &Way,
    status: StatusCode,
    shared: &Shared,
) -> Unreached {
    let class = if is_redirect(status) {
        ErrorClass::Redirect
    } else {
        ErrorClass::ProtocolError
    };
    record.timeline.set(Mark::Closed, shared.clock.now());
    record.end = Some(End::None);
    record.error_class = Some(class);
    let detail = format!("answered with status {status}");
    Unreached {
        reject: Reject::upstream(class, &way.provider.name, &detail, false),
        outcome: Outcome::UpstreamError,
    }
}

fn unreadable(record: &mut AttemptRecord, way: &Way, shared: &Shared) -> Unreached {
    record.timeline.set(Mark::Closed, shared.clock.now());
    record.end = Some(End::CutByLimit);
    record.error_class = Some(ErrorClass::ServerError);
    let detail = "its error answer was too large or too slow to read";
    Unreached {
        reject: Reject::upstream(ErrorClass::Reset, &way.provider.name, detail, false),
        outcome: Outcome::UpstreamError,
    }
}

fn close_attempt(
    record: &mut AttemptRecord,
    classified: errors::Classified,
    bytes: usize,
    shared: &Shared,
) {
    record.timeline.set(Mark::Closed, shared.clock.now());
    record.end = Some(End::Complete);
    record.error_class = Some(classified.class);
    record.error_code = classified.code;
    record.response_bytes = bytes as u64;
}

async fn read_error_body(body: &mut AnswerBody, log: &IoLog) -> Option<VecDeque<(Bytes, Moment)>> {
    let reading = async {
        let mut chunks = VecDeque::new();
        let mut total = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.ok()?.into_data() else {
                continue;
            };
            total += data.len();
            if total > ERROR_BODY_BYTES_MAX {
                return None;
            }
            let at = log
                .read_of(&data)
                .map_or_else(Moment::default, |read| read.at);
            chunks.push_back((data, at));
        }
        Some(chunks)
    };
    tokio::time::timeout(ERROR_BODY_PATIENCE, reading)
        .await
        .ok()
        .flatten()
}
