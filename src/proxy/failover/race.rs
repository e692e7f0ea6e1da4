//! Lets a second attempt run beside a slow first one: the first token wins.

use std::task::Poll;
use std::time::Duration;

use super::chain::{Begun, Chain, Ran};
use super::slot::Slot;
use super::tried::{Failure, Tried};
use crate::config::settings::HedgeSettings;
use crate::proxy::booking::{Booking, Purse};
use crate::proxy::candidates::Way;
use crate::proxy::shared::Shared;
use crate::record::{CancelledBy, End, Mark};
use crate::routing::budget::HedgeTerms;
use crate::routing::learned::of_choices;

/// Runs `first`, and beside it an attempt at the next way once it is slower than is usual for it
/// and the budget of hedges allows one. The loser is cancelled, and what is known of it stays in
/// the record; where one fails, the other goes on alone.
pub(super) async fn race<'a, 'd, 'e>(
    first: Begun<'a, 'd, 'e>,
    chain: &mut Chain<'a, 'd, 'e>,
    hedge: &HedgeSettings,
) -> Ran<'a, 'd, 'e> {
    let shared = chain.means.shared;
    let (way, slot) = (first.this.way, first.slot);
    count(chain, hedge);
    let mut one = Box::pin(first.run());
    let Some(after) = patience(chain, way, hedge) else {
        return one.await;
    };
    if let Ok(ran) = tokio::time::timeout(after, one.as_mut()).await {
        return ran;
    }
    let booking = chain
        .beside()
        .and_then(|other| booked(chain, way, other, hedge));
    let second = booking.and_then(|booking| Some((chain.begin_beside()?, booking)));
    let Some((second, booking)) = second else {
        return one.await;
    };
    second.slot.book(booking);
    tracing::debug!(provider = %way.provider.name, "slow: another attempt begins beside it");
    let second_slot = second.slot;
    let mut two = Box::pin(second.run());
    let (done, is_first) = std::future::poll_fn(|cx| {
        if let Poll::Ready(ran) = one.as_mut().poll(cx) {
            return Poll::Ready((ran, true));
        }
        two.as_mut().poll(cx).map(|ran| (ran, false))
    })
    .await;
    if matches!(done.tried, Tried::Answered(_)) {
        // The loser writes down how far it came when it is dropped: then it can be judged.
        drop((one, two));
        cancel(if is_first { second_slot } else { slot }, shared);
        return done;
    }
    // It is over now: neither its record nor its route's health waits for the other.
    lose(done, shared);
    if is_first { two.await } else { one.await }
}

/// Writes down an attempt that failed while another one went on.
fn lose(ran: Ran<'_, '_, '_>, shared: &Shared) {
    match ran.tried {
        Tried::Failed(failure) => {
            let Failure { answer, loss, .. } = *failure;
            loss.write(ran.slot, answer.map(|answer| *answer), shared);
        }
        Tried::WithoutInjection => shared.forget_injection(ran.this.way),
        // What was refused is written down already.
        Tried::Answered(_) | Tried::WithFreshCredential => {}
    }
}

/// Closes the record of an attempt that lost. It may be billed for what it has done.
fn cancel(slot: Slot<'_, '_>, shared: &Shared) {
    let now = shared.clock.now();
    slot.note(|record| {
        record.end = Some(End::None);
        record.cancelled_by = Some(CancelledBy::Hedge);
        record.maybe_billed = record.timeline.get(Mark::SendStart).is_some();
        record.timeline.set(Mark::Closed, now);
    });
    slot.lose();
}

fn terms(hedge: &HedgeSettings) -> HedgeTerms {
    HedgeTerms {
        share: hedge.share.as_fraction(),
        cost_max: hedge.cost_per_day,
        ..HedgeTerms::default()
    }
}

fn count(chain: &Chain<'_, '_, '_>, hedge: &HedgeSettings) {
    let model = &chain.job.model;
    chain.means.shared.settler.standing.with(|board| {
        board
            .hedges
            .entry(model.clone())
            .or_default()
            .request(&terms(hedge));
    });
}

/// How long the first may be silent; absent while nothing is known of it, and where it is asked to
/// think, which is learned by nobody's spans.
fn patience(chain: &Chain<'_, '_, '_>, way: &Way, hedge: &HedgeSettings) -> Option<Duration> {
    let shared = chain.means.shared;
    let (route, now) = (way.key(), shared.clock.now());
    let prompt = chain.job.prompt_tokens;
    hedge.after.or_else(|| {
        if chain.job.reasons {
            return None;
        }
        let stream = chain.job.stream;
        let learned = shared
            .settler
            .standing
            .with(|board| board.learned.hedge_after(&route, prompt, stream, now));
        learned.map(|after| Duration::from_nanos(after.0))
    })
}

/// What the budget books for an attempt at `other` beside one at `way`; nothing where it has no leave.
fn booked(
    chain: &Chain<'_, '_, '_>,
    way: &Way,
    other: &Way,
    hedge: &HedgeSettings,
) -> Option<Booking> {
    let (shared, job) = (chain.means.shared, chain.job);
    let (now, wall) = (shared.clock.now(), shared.clock.wall());
    let standing = &shared.settler.standing;
    let tokens = standing.with(|board| {
        let lengths = &board.learned.lengths;
        lengths.expected(&job.model, None, job.max_tokens) * of_choices(job.choices)
    });
    let cost = |way: &Way| {
        let sizes = (job.prompt_tokens, tokens);
        shared
            .quotes
            .expected(way, sizes, wall, chain.means.settings)
    };
    let (first, second) = (cost(way), cost(other));
    let booked = standing.with(|board| {
        let budget = board.hedges.entry(job.model.clone()).or_default();
        budget.take(&terms(hedge), second, first, now)
    })?;
    Some(Booking {
        purse: Purse::Hedges,
        model: job.model.clone(),
        booked,
    })
}
