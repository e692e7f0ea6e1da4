//! Knows which tries of a request are left, as far as the class of each failure allows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::attempt::{self, attempt};
use super::leave::may_retry;
use super::outgoing::outgoing;
use super::slot::{Draft, Slot, has_left};
use super::tried::{Failure, Manner, Patience, Tried, Try};
use super::{Job, Means, Unreached};
use crate::edge::upstream::Outgoing;
use crate::edge::upstream::body::Upload;
use crate::proxy::authorise::same_credential;
use crate::proxy::candidates::Way;
use crate::proxy::intake::Body;
use crate::record::{Moment, Name, Nanos, Outcome};
use crate::wire::dialect::errors::Verdict;

/// The first-token deadline that stands in the config unless another one is given there.
const DEADLINE_USUAL: Duration = Duration::from_mins(1);

/// The tries of one request.
#[derive(Debug)]
pub(super) struct Chain<'a, 'd, 'e> {
    pub(super) job: &'a Job<'a>,
    body: Body,
    ways: &'a [Way],
    /// Indexes of the ways that may still be tried, best first.
    left: VecDeque<usize>,
    tries: usize,
    /// The way that was begun last.
    current: Option<usize>,
    /// Until when answers may be held; absent where none is.
    held_max: Option<Moment>,
    draft: &'d Draft<'e>,
    pub(super) means: Means<'a>,
}

/// An attempt whose record stands and that waits to be run.
#[derive(Debug)]
pub(super) struct Begun<'a, 'd, 'e> {
    pub(super) this: Try<'a>,
    pub(super) slot: Slot<'d, 'e>,
    outgoing: Outgoing,
    upload: Option<Arc<Upload>>,
}

/// An attempt that was run.
#[derive(Debug)]
pub(super) struct Ran<'a, 'd, 'e> {
    pub(super) tried: Tried,
    pub(super) this: Try<'a>,
    pub(super) slot: Slot<'d, 'e>,
}

impl<'a, 'd, 'e> Begun<'a, 'd, 'e> {
    pub(super) async fn run(self) -> Ran<'a, 'd, 'e> {
        let (this, slot) = (self.this, self.slot);
        let tried = attempt(this, self.outgoing, self.upload.as_deref(), slot).await;
        Ran { tried, this, slot }
    }
}

impl<'a, 'd, 'e> Chain<'a, 'd, 'e> {
    /// The tries of `steps`, none of which is made yet.
    pub(super) fn new(
        job: &'a Job<'a>,
        body: Body,
        (ways, steps): (&'a [Way], &[usize]),
        draft: &'d Draft<'e>,
        means: Means<'a>,
    ) -> Self {
        Self {
            job,
            body,
            ways,
            left: steps.iter().copied().collect(),
            tries: 0,
            current: None,
            held_max: Some(means.settings.failover.held)
                .filter(|held| !held.is_zero())
                .map(|held| job.complete.plus(nanos(held))),
            draft,
            means,
        }
    }

    /// The way that is tried first.
    pub(super) fn first(&mut self) -> Option<usize> {
        self.left.pop_front()
    }

    /// Begins the record of an attempt at a way.
    pub(super) fn begin(
        &mut self,
        index: usize,
        manner: Manner,
    ) -> Result<Begun<'a, 'd, 'e>, Unreached> {
        self.tries += 1;
        self.current = Some(index);
        let way = &self.ways[index];
        let may_go_on = self.may_go_on();
        let patience = may_go_on
            .then(|| patience(self.job, way, self.held_max, self.means))
            .flatten();
        // Another credential of the same route heals no slowness: only a failing status is looked at.
        let patience = patience.filter(|_| self.elsewhere().is_some()).or_else(|| {
            may_go_on.then_some(Patience {
                first_token: None,
                held: None,
            })
        });
        self.begin_with(index, manner, patience)
    }

    fn begin_with(
        &mut self,
        index: usize,
        manner: Manner,
        patience: Option<Patience>,
    ) -> Result<Begun<'a, 'd, 'e>, Unreached> {
        let (job, means) = (self.job, self.means);
        let way = &self.ways[index];
        let shared = means.shared;
        let this = Try {
            job,
            way,
            index,
            elsewhere: self.elsewhere().and_then(|place| self.way_left(place)),
            further: self.further(),
            inject: manner.injection && shared.may_inject(way, job.language, &self.body),
            may_renew: manner.renewal && !matches!(self.body, Body::Streamed(..)),
            patience,
            means,
        };
        let built = outgoing(job, &mut self.body, way, this.inject, shared);
        let (outgoing, upload) = built.map_err(|reject| Unreached {
            reject,
            outcome: Outcome::Rejected,
        })?;
        let slot = Slot::begin(self.draft, |record| {
            record.request.usage_injected = this.inject;
            record.request.model_replaced = is_renamed(way, record.model.as_ref());
            attempt::record(way, job, record.started_at, shared)
        });
        Ok(Begun {
            this,
            slot,
            outgoing,
            upload,
        })
    }

    fn may_go_on(&self) -> bool {
        !self.left.is_empty()
            && self.tries < self.means.settings.failover.attempts
            && !matches!(self.body, Body::Streamed(..))
    }

    /// The place, among those left, of the first that is another route than the one at work.
    fn elsewhere(&self) -> Option<usize> {
        let ways = self.ways;
        let current = &ways[self.current?];
        self.left
            .iter()
            .position(|index| !same_route(&ways[*index], current))
    }

    /// The way behind that one, by another route again; absent where no try would be left for it.
    fn further(&self) -> Option<&'a Way> {
        let ways = self.ways;
        let onto = self.way_left(self.elsewhere()?)?;
        let current = &ways[self.current?];
        let mut left = self.left.iter().map(|index| &ways[*index]);
        let found = left.find(|way| !same_route(way, onto) && !same_route(way, current));
        found.filter(|_| self.tries + 1 < self.means.settings.failover.attempts)
    }

    fn way_left(&self, place: usize) -> Option<&'a Way> {
        self.left.get(place).map(|index| &self.ways[*index])
    }

    /// The way that would be tried beside a slow one: another model only stands in where every
    /// route of the one asked for has failed, and slow is none of that.
    pub(super) fn beside(&self) -> Option<&'a Way> {
        let way = self.way_left(self.elsewhere()?)?;
        (self.may_go_on() && !has_left(self.draft) && !way.other_model).then_some(way)
    }

    /// Begins an attempt at that way. It is held like the slow one, and has no deadline of its
    /// own: whoever is first wins.
    pub(super) fn begin_beside(&mut self) -> Option<Begun<'a, 'd, 'e>> {
        let index = self.left.remove(self.elsewhere()?)?;
        self.tries += 1;
        let patience = Patience {
            first_token: None,
            held: self.held_max,
        };
        let begun = self.begin_with(index, Manner::FIRST, Some(patience)).ok()?;
        let place = begun.slot.place();
        begun.slot.note_exchange(|record| {
            if let Some(decision) = &mut record.decision {
                decision.hedge = u32::try_from(place).ok();
            }
        });
        Some(begun)
    }

    /// The next way that may follow `failure` of `failed`; those that may not are left out for
    /// good.
    pub(super) fn next(&mut self, failed: &Way, failure: &Failure) -> Option<usize> {
        let (ways, left) = (self.ways, &mut self.left);
        let failover = &self.means.settings.failover;
        match failure.verdict {
            // The route fails, with whichever credential.
            Verdict::Yes if !failure.of_credential => {
                left.retain(|index| !same_route(&ways[*index], failed));
            }
            Verdict::Yes => {}
            Verdict::Policy if failover.content_filter => {}
            // The same credential will be refused again, another one of the provider may do.
            Verdict::Alert if failure.of_credential => left.retain(|index| {
                let way = &ways[*index];
                !same_account(way, failed) || !same_credential(way, failed)
            }),
            // The same account's model will be refused again.
            Verdict::Alert => left.retain(|index| !same_account(&ways[*index], failed)),
            Verdict::Larger => left.retain(|index| takes_more(&ways[*index], failed)),
            Verdict::Policy | Verdict::No => left.clear(),
        }
        // The last try is for another route: a provider's many keys do not use up all of them.
        let is_last = self.tries + 1 >= failover.attempts;
        if is_last && left.iter().any(|index| !same_route(&ways[*index], failed)) {
            left.retain(|index| !same_route(&ways[*index], failed));
        }
        // Nobody waits for another try's answer.
        if has_left(self.draft) {
            left.clear();
        }
        // Where nothing was reached nothing was asked for twice.
        let is_free = failure.leave || !failure.reached;
        if let Some(next) = left.front()
            && !is_free
            && !may_retry(self.means, &ways[*next])
        {
            left.clear();
        }
        left.pop_front()
    }
}

/// How long an attempt may go without a token; absent once the time for holding is over, from when
/// on whatever comes is the answer.
fn patience(
    job: &Job<'_>,
    way: &Way,
    held_max: Option<Moment>,
    means: Means<'_>,
) -> Option<Patience> {
    let now = means.shared.clock.now();
    let first_token = deadline(job, way, now, means).map(|span| now.plus(span));
    let over = |at: Moment| held_max.is_some_and(|held| at >= held);
    (!over(now)).then_some(Patience {
        first_token: first_token.filter(|at| !over(*at)),
        held: held_max,
    })
}

/// The first-token deadline of a route: by what was measured of it, and never longer than one that
/// the config shortens; none for models that are asked to think before they speak. A whole answer
/// comes with its last token, and has the time of those besides that are expected or allowed.
fn deadline(job: &Job<'_>, way: &Way, now: Moment, means: Means<'_>) -> Option<Nanos> {
    if job.reasons {
        return None;
    }
    let usual = means.settings.timeouts.first_token >= DEADLINE_USUAL;
    let configured = nanos(means.settings.timeouts.first_token);
    let (route, prompt) = (way.key(), job.prompt_tokens);
    let standing = &means.shared.settler.standing;
    let deadline = standing.with(|board| {
        let learned = &board.learned;
        let measured = learned.p95(&route, prompt, now);
        let measured = measured.and_then(|_| learned.deadline(&route, prompt, false, now));
        let measured = measured.unwrap_or(configured);
        if job.stream {
            return if usual {
                measured
            } else {
                measured.min(configured)
            };
        }
        // What is short for a first token is none for all tokens.
        let first = if usual {
            measured.max(configured)
        } else {
            configured
        };
        let expected = learned.lengths.expected(&job.model, None, job.max_tokens);
        learned.whole_deadline(&route, prompt, (expected, job.max_tokens), first, now)
    });
    Some(deadline)
}

fn same_route(one: &Way, other: &Way) -> bool {
    one.provider.name == other.provider.name && one.model == other.model
}

fn same_account(one: &Way, other: &Way) -> bool {
    one.provider.name == other.provider.name
}

/// Whether a route is known to take longer prompts than another.
fn takes_more(way: &Way, than: &Way) -> bool {
    matches!((way.context(), than.context()), (Some(way), Some(than)) if way > than)
}

fn is_renamed(way: &Way, asked: Option<&Name>) -> bool {
    way.model.is_some() && way.model.as_ref() != asked
}

fn nanos(span: Duration) -> Nanos {
    Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}
