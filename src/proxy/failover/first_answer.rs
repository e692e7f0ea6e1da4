//! Goes from one try to the next until there is an answer, or nothing left to try.

use std::sync::Mutex;

use super::chain::{Chain, Ran};
use super::race::race;
use super::slot::{Draft, Slot, with};
use super::tried::{Failure, Manner, Tried};
use super::{Job, Means, Reached, Unreached};
use crate::config::settings::HedgeSettings;
use crate::proxy::candidates::Way;
use crate::proxy::intake::Body;
use crate::proxy::reject::Reject;
use crate::proxy::settle::Exchange;
use crate::record::{ErrorClass, Outcome};

/// Tries `steps` (indexes of `ways`) in order. `hedge` says how slow ones may be helped.
pub async fn first_answer(
    job: &Job<'_>,
    body: Body,
    (ways, steps): (&[Way], &[usize]),
    hedge: Option<&HedgeSettings>,
    exchange: &mut Exchange,
    means: Means<'_>,
) -> Result<Reached, Unreached> {
    let draft = Mutex::new(exchange);
    let mut chain = Chain::new(job, body, (ways, steps), &draft, means);
    let mut manner = Manner::FIRST;
    let mut current = chain.first();
    loop {
        let Some(index) = current else {
            return Err(nothing_to_try());
        };
        let begun = chain.begin(index, manner)?;
        let terms = hedge.filter(|_| begun.this.patience.is_some());
        let Ran { tried, this, slot } = match terms {
            // Rare and large: it has no place in the futures of all other requests.
            Some(hedge) => Box::pin(race(begun, &mut chain, hedge)).await,
            None => begun.run().await,
        };
        log_attempt(&draft);
        let failure = match tried {
            Tried::Answered(reached) => return Ok(commit(*reached, slot)),
            Tried::WithoutInjection => {
                means.shared.forget_injection(this.way);
                manner.injection = false;
                current = Some(this.index);
                continue;
            }
            Tried::WithFreshCredential => {
                manner.renewal = false;
                current = Some(this.index);
                continue;
            }
            Tried::Failed(failure) => failure,
        };
        manner = Manner::FIRST;
        current = this.patience.and_then(|_| chain.next(this.way, &failure));
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

/// The answer that the client gets; its attempt is the last of the exchange.
fn commit(reached: Reached, slot: Slot<'_, '_>) -> Reached {
    let begun = reached.begun.as_ref();
    slot.come_last(begun.is_some_and(|begun| begun.seen.first_token));
    slot.note_exchange(|record| record.request.usage_injected = reached.usage_injected);
    reached
}

/// Which provider was tried, and how that went.
fn log_attempt(draft: &Draft<'_>) {
    with(draft, |draft| {
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
