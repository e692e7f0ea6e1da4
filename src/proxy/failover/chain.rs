//! Goes from one try to the next, as far as the class of each failure allows.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use super::attempt::{self, attempt};
use super::outgoing::outgoing;
use super::slot::{Draft, Slot};
use super::tried::{Failure, Patience, Tried, Try};
use super::{Job, Means, Reached, Unreached};
use crate::proxy::candidates::Way;
use crate::proxy::intake::Body;
use crate::proxy::reject::Reject;
use crate::proxy::settle::Exchange;
use crate::record::{ErrorClass, Moment, Name, Nanos, Outcome};
use crate::routing::budget::RetryTerms;
use crate::wire::dialect::errors::Verdict;

/// The first-token deadline that stands in the config unless another one is given there.
const DEADLINE_USUAL: Duration = Duration::from_mins(1);

/// Tries `steps` (indexes of `ways`) in order.
pub async fn first_answer(
    job: &Job<'_>,
    mut body: Body,
    ways: &[Way],
    steps: &[usize],
    exchange: &mut Exchange,
    means: Means<'_>,
) -> Result<Reached, Unreached> {
    let draft = Mutex::new(exchange);
    let mut left: VecDeque<usize> = steps.iter().copied().collect();
    let mut injection = true;
    let mut current = left.pop_front();
    let failover = &means.settings.failover;
    let held_max = job.complete.plus(nanos(failover.held));
    let mut tries = 0;
    loop {
        let Some(index) = current else {
            return Err(nothing_to_try());
        };
        let way = &ways[index];
        tries += 1;
        let may_go_on =
            !left.is_empty() && tries < failover.attempts && !matches!(body, Body::Streamed(..));
        let patience = may_go_on
            .then(|| patience(job, way, held_max, means))
            .flatten();
        let this = Try {
            job,
            way,
            index,
            inject: injection && means.shared.may_inject(way, job.language, &body),
            patience,
            means,
        };
        let (tried, slot) = try_way(this, &mut body, &draft).await?;
        log_attempt(&draft);
        let failure = match tried {
            Tried::Answered(reached) => return Ok(commit(*reached, slot)),
            Tried::WithoutInjection => {
                means.shared.forget_injection(way);
                injection = false;
                continue;
            }
            Tried::Failed(failure) => failure,
        };
        injection = true;
        current = patience.and_then(|_| next(&mut left, ways, way, &failure, means));
        let Failure {
            unreached,
            answer,
            loss,
            ..
        } = *failure;
        if current.is_some() {
            loss.write(slot, answer.map(|answer| *answer), means.shared);
        } else if let Some(answer) = answer {
            return Ok(commit(*answer, slot));
        } else {
            loss.write(slot, None, means.shared);
            return Err(unreached);
        }
    }
}

/// Begins an attempt's record, and tries.
async fn try_way<'a, 'e>(
    this: Try<'_>,
    body: &mut Body,
    draft: &'a Draft<'e>,
) -> Result<(Tried, Slot<'a, 'e>), Unreached> {
    let (job, way, shared) = (this.job, this.way, this.means.shared);
    let (outgoing, upload) =
        outgoing(job, body, way, this.inject, shared).map_err(|reject| Unreached {
            reject,
            outcome: Outcome::Rejected,
        })?;
    let slot = Slot::begin(draft, |record| {
        record.request.usage_injected = this.inject;
        record.request.model_replaced = is_renamed(way, record.model.as_ref());
        attempt::record(way, job, record.started_at, shared)
    });
    let upload = upload.as_deref();
    Ok((attempt(this, outgoing, upload, slot).await, slot))
}

/// How long an answer may be held; absent once nothing may be held any more.
fn patience(job: &Job<'_>, way: &Way, held_max: Moment, means: Means<'_>) -> Option<Patience> {
    let now = means.shared.clock.now();
    // A whole answer takes as long as it is long: it has no first token to wait for.
    let deadline = job.stream.then(|| deadline(job, way, now, means)).flatten();
    let first_token = deadline.map(|span| now.plus(span));
    (now < held_max).then_some(Patience {
        first_token: first_token.filter(|at| *at < held_max),
        held: held_max,
    })
}

/// The first-token deadline of a route: by what was measured of it, and never longer than one that
/// the config shortens; none for models that are asked to think before they speak.
fn deadline(job: &Job<'_>, way: &Way, now: Moment, means: Means<'_>) -> Option<Nanos> {
    if job.reasons {
        return None;
    }
    let configured = means.settings.timeouts.first_token;
    let (route, prompt) = (way.key(), job.prompt_tokens);
    let measured = means.shared.settler.standing.with(|board| {
        board.learned.p95(&route, prompt, now)?;
        board.learned.deadline(&route, prompt, false, now)
    });
    Some(match measured {
        Some(measured) if configured < DEADLINE_USUAL => measured.min(nanos(configured)),
        Some(measured) => measured,
        None => nanos(configured),
    })
}

/// The next route that may follow `failure` of `failed`; those that may not are left out for good.
fn next(
    left: &mut VecDeque<usize>,
    ways: &[Way],
    failed: &Way,
    failure: &Failure,
    means: Means<'_>,
) -> Option<usize> {
    match failure.verdict {
        Verdict::Yes => {}
        Verdict::Policy if means.settings.failover.content_filter => {}
        // The same credential, or the same account's model, will be refused again.
        Verdict::Alert => left.retain(|index| !same_account(&ways[*index], failed)),
        Verdict::Larger => left.retain(|index| takes_more(&ways[*index], failed)),
        Verdict::Policy | Verdict::No => left.clear(),
    }
    // Where nothing was reached nothing was asked for twice.
    if !left.is_empty() && failure.reached && !may_retry(means) {
        left.clear();
    }
    left.pop_front()
}

fn may_retry(means: Means<'_>) -> bool {
    let failover = &means.settings.failover;
    let terms = RetryTerms {
        share: failover.budget.as_fraction(),
        always: failover.budget_min,
    };
    let now = means.shared.clock.now();
    let standing = &means.shared.settler.standing;
    standing.with(|board| board.retries.take(&terms, now))
}

fn same_account(one: &Way, other: &Way) -> bool {
    one.provider.name == other.provider.name
}

/// Whether a route is known to take longer prompts than another.
fn takes_more(way: &Way, than: &Way) -> bool {
    matches!((way.context(), than.context()), (Some(way), Some(than)) if way > than)
}

/// The answer that the client gets; its attempt is the last of the exchange.
fn commit(reached: Reached, slot: Slot<'_, '_>) -> Reached {
    slot.come_last();
    slot.note_exchange(|record| record.request.usage_injected = reached.usage_injected);
    reached
}

/// Which provider was tried, and how that went.
fn log_attempt(draft: &Draft<'_>) {
    super::slot::with(draft, |draft| {
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
    });
}

fn nothing_to_try() -> Unreached {
    Unreached {
        reject: Reject::no_credential(),
        outcome: Outcome::Rejected,
    }
}

fn is_renamed(way: &Way, asked: Option<&Name>) -> bool {
    way.model.is_some() && way.model.as_ref() != asked
}

fn nanos(span: Duration) -> Nanos {
    Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}
