//! Looks at an answer's status, headers and beginning: relay it, or try elsewhere.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, header};

use super::loss::Loss;
use super::slot::Slot;
use super::tried::{Failure, Patience, Tried, Try, is_of_credential};
use super::watch::is_coded;
use super::{Reached, Unreached, hold, retell};
use crate::edge::credentials::Material;
use crate::edge::upstream::send::keep_alive_of;
use crate::edge::upstream::{Answer, AnswerBody, Chunk};
use crate::proxy::candidates::Way;
use crate::proxy::reject::Reject;
use crate::proxy::shared::Shared;
use crate::proxy::speech::stamp_of;
use crate::proxy::tap::Source;
use crate::record::{AttemptRecord, End, ErrorClass, Mark, Moment, Outcome};
use crate::wire::dialect::errors::{self, Classified, Verdict};
use crate::wire::dialect::headers::read_headers;
use crate::wire::framing::inflate::decode;

/// Body of a failing response that is read before the next route is tried.
const ERROR_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Time for that.
const ERROR_BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Takes an answer whose headers have come.
/// `material` is the credential that had to be got for the request.
pub(super) async fn read_answer(
    this: Try<'_>,
    answer: Answer,
    material: Option<&Arc<Material>>,
    slot: Slot<'_, '_>,
) -> Tried {
    let way = this.way;
    let shared = this.means.shared;
    let (parts, mut body) = answer.response.into_parts();
    let reading = read_headers(&parts.headers);
    let redirect = is_redirect(parts.status) || parts.status == StatusCode::SWITCHING_PROTOCOLS;
    let (send_start, failed) = slot
        .note(|record| {
            record.status = Some(parts.status.as_u16());
            record.rate_limits = reading.rate_limits;
            record.server_timings = reading.server_timings;
            record.upstream_request_id = reading.request_id;
            record.served_by = reading.served_by;
            record.region = record.region.take().or(reading.region);
            let failed = redirect.then(|| redirected(record, way, parts.status, shared));
            (record.timeline.get(Mark::SendStart), failed)
        })
        .unwrap_or_default();
    if let Some(failed) = failed {
        return Tried::Failed(failed);
    }
    let keep_alive = keep_alive_of(&parts.headers);
    let mut reached = Reached {
        way: this.index,
        status: parts.status,
        headers: parts.headers,
        source: Source::Read(VecDeque::new()),
        begun: None,
        released: Moment::default(),
        keep_alive,
        send_start,
        usage_injected: this.inject,
        retold: None,
    };
    if this.inject && way.speech.said().is_none() && is_coded(&reached.headers) {
        // Out of a compressed stream nothing is taken: its client would get what we asked for.
        shared.never_inject(way, "it compresses streams");
    }
    // What is beyond 599 is as a server's error (RFC 9110, 15).
    let failing = parts.status.as_u16() >= 400;
    let is_last = this.patience.is_none();
    let may_reject_injection = this.inject && matches!(parts.status.as_u16(), 400 | 422);
    let old = material.filter(|_| this.may_renew && matches!(parts.status.as_u16(), 401 | 403));
    let translated = way.speech.said().is_some();
    if !failing || (is_last && !may_reject_injection && !translated && old.is_none()) {
        let held = this.patience.filter(|patience| patience.held.is_some());
        // A whole answer must be read before it can be said in another language.
        let held = held.or((translated && !this.job.stream).then_some(Patience::ENDLESS));
        if let Some(patience) = held.filter(|_| parts.status.is_success()) {
            // Only where there is a choice: it has no place in the futures of all other requests.
            return Box::pin(hold::hold(this, patience, reached, body, slot)).await;
        }
        reached.source = Source::Incoming(body);
        return Tried::Answered(Box::new(reached));
    }
    let Some(chunks) = read_error_body(&mut body).await else {
        // Too large or too slow to look at: it is what it is.
        let failed = slot.note(|record| unreadable(record, way, shared));
        return failed.map_or(Tried::Answered(Box::new(reached)), Tried::Failed);
    };
    body.finish(keep_alive);
    failing_status(this, reached, chunks, slot, (may_reject_injection, old))
}

/// A failing status whose body has been read: its class decides what may follow.
fn failing_status(
    this: Try<'_>,
    mut reached: Reached,
    chunks: VecDeque<Chunk>,
    slot: Slot<'_, '_>,
    (may_reject_injection, old): (bool, Option<&Arc<Material>>),
) -> Tried {
    let whole: Vec<u8> = chunks
        .iter()
        .flat_map(|chunk| chunk.bytes.iter().copied())
        .collect();
    let provider = &this.way.provider;
    let coding = reached.headers.get(header::CONTENT_ENCODING);
    let coding = coding.and_then(|coding| coding.to_str().ok());
    // It may come compressed unasked; what cannot be decoded says nothing.
    let told = decode(coding.unwrap_or_default(), &whole, ERROR_BODY_BYTES_MAX);
    let told = told.unwrap_or_default();
    let classified = errors::classify(
        provider.dialect,
        provider.preset.as_deref().unwrap_or_default(),
        reached.status.as_u16(),
        &reached.headers,
        &told,
    );
    slot.note(|record| record.rate_limits.extend(errors::limits_in_body(&told)));
    let stamp = slot.note_exchange(|draft| stamp_of(draft));
    let stamp = stamp.unwrap_or_default();
    retell::error(this, &mut reached, &classified, &told, &stamp);
    let loss = Loss::Status(classified.clone(), whole.len());
    if may_reject_injection && memchr::memmem::find(&told, b"stream_options").is_some() {
        loss.write(slot, None, this.means.shared);
        return Tried::WithoutInjection;
    }
    if let (ErrorClass::Auth, Some(old), Some(from)) =
        (classified.class, old, this.way.credential.to_get())
        && this.means.shared.keyring.refused(from, old)
    {
        loss.write(slot, None, this.means.shared);
        return Tried::WithFreshCredential;
    }
    let verdict = errors::failover_of_status(&classified, reached.status.as_u16());
    reached.released = chunks.back().map_or(reached.released, |last| last.at);
    reached.source = Source::Read(chunks);
    let detail = format!("answered with status {}", reached.status.as_u16());
    let reject = Reject::upstream(classified.class, &provider.name, &detail, false);
    Tried::Failed(Box::new(Failure {
        verdict,
        of_credential: is_of_credential(classified.class),
        reached: true,
        leave: false,
        unreached: Unreached {
            reject,
            outcome: Outcome::UpstreamError,
        },
        answer: Some(Box::new(reached)),
        loss,
    }))
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn redirected(
    record: &mut AttemptRecord,
    way: &Way,
    status: StatusCode,
    shared: &Shared,
) -> Box<Failure> {
    let class = if is_redirect(status) {
        ErrorClass::Redirect
    } else {
        ErrorClass::ProtocolError
    };
    record.timeline.set(Mark::Closed, shared.clock.now());
    record.end = Some(End::None);
    record.error_class = Some(class);
    let detail = format!("answered with status {status}");
    let reject = Reject::upstream(class, &way.provider.name, &detail, false);
    let verdict = errors::failover(&Classified::bare(class), false);
    Failure::closed(verdict, true, reject, Outcome::UpstreamError)
}

fn unreadable(record: &mut AttemptRecord, way: &Way, shared: &Shared) -> Box<Failure> {
    record.timeline.set(Mark::Closed, shared.clock.now());
    record.end = Some(End::CutByLimit);
    record.error_class = Some(ErrorClass::ServerError);
    let detail = "its error answer was too large or too slow to read";
    let reject = Reject::upstream(ErrorClass::Reset, &way.provider.name, detail, false);
    Failure::closed(Verdict::Yes, true, reject, Outcome::UpstreamError)
}

async fn read_error_body(body: &mut AnswerBody) -> Option<VecDeque<Chunk>> {
    let reading = async {
        let mut chunks = VecDeque::new();
        let mut total = 0;
        while let Some(chunk) = body.chunk().await {
            let chunk = chunk.ok()?;
            total += chunk.bytes.len();
            if total > ERROR_BODY_BYTES_MAX {
                return None;
            }
            chunks.push_back(chunk);
        }
        Some(chunks)
    };
    tokio::time::timeout(ERROR_BODY_PATIENCE, reading)
        .await
        .ok()
        .flatten()
}
