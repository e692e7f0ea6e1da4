//! Folds records into sums, counts and sketches that merge in any order.

use crate::record::{AttemptRecord, ErrorClass, ExchangeRecord, Mark, Name, Nanos, Outcome, Usage};

use super::metric::{
    self, Figures, is_callers_fault, is_credential_fault, is_rate_limit, is_time_out, is_timed,
    telling_cost,
};
use super::sketch::Sketch;

/// Sums over the exchanges of one route in one span of time: integers only, so that no result
/// depends on the order of folding and merging.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rollup {
    /// Exchanges by outcome, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Attempts, lost ones included.
    pub attempts: u64,
    /// Attempts after which the exchange moved on to another one.
    pub lost: u64,
    /// Attempts by error class, in the order of [`ErrorClass::ALL`].
    pub errors: [u64; ErrorClass::ALL.len()],
    /// Tokens used.
    pub tokens: TokenSums,
    /// Pico-dollars, of the exchanges whose cost is known, without that of their lost attempts.
    pub cost: u64,
    /// Exchanges whose cost is known.
    pub priced: u64,
    /// Pico-dollars that providers said they billed.
    pub billed: u64,
    /// Bytes of request bodies.
    pub request_bytes: u64,
    /// Bytes of answers written to clients.
    pub response_bytes: u64,
    /// Nanoseconds to first token.
    pub first_token: Sketch,
    /// Nanoseconds to first answer.
    pub first_answer: Sketch,
    /// Nanoseconds of whole answers, or to the last token.
    pub total: Sketch,
    /// Output rates in thousandths of a token per second.
    pub output_rate: Sketch,
    /// Nanoseconds that Tollgate added.
    pub own_delay: Sketch,
    /// Nanoseconds for which a first token of a stream was waited, and not waited out: the client
    /// left, or a hedge was sooner.
    pub waited: Sketch,
    /// The same of a first answer.
    pub waited_answer: Sketch,
    /// What roll-ups of old did not count.
    pub further: Further,
}

/// Sums that roll-ups count since version 2 of their coding: [`Rollup::untold`] says how much is
/// in none of them. The last three, and which waits were not waited out, are of version 3:
/// [`Rollup::untold_waits`] says how much was rolled up without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Further {
    /// Exchanges and lost attempts that are in these sums.
    pub told: u64,
    /// Lost attempts that failed by the route's fault.
    pub lost_failures: u64,
    /// Lost attempts that met a rate limit or quota.
    pub lost_limited: u64,
    /// Lost attempts whose credential was refused.
    pub lost_refused: u64,
    /// Lost attempts whose request was refused.
    pub lost_callers: u64,
    /// Exchanges that ended by the caller's own mistake: no rate limit, no refused key.
    pub callers: u64,
    /// Attempts that a deadline ended.
    pub timed_out: u64,
    /// Attempts that failed and may be billed all the same.
    pub maybe_billed: u64,
    /// Exchanges on a connection that was there already.
    pub reused: u64,
    /// Streams that the provider held back and sent in one burst.
    pub pseudo_streams: u64,
    /// Streams that stalled.
    pub stalled: u64,
    /// Background calls.
    pub background: u64,
    /// Answers out of a cache.
    pub cached_answers: u64,
    /// Exchanges in latency that are neither a success nor the route's failure.
    pub untimed: u64,
    /// Failures by the route's fault of exchanges in latency, which it counts as infinite.
    pub infinite: u64,
    /// Exchanges whose cost is known and says something of what requests cost.
    pub costed: u64,
    /// Exchanges of which the provider said what it billed.
    pub billed: u64,
    /// Pico-dollars billed, or else computed, of the exchanges where either is known.
    pub spent: u64,
    /// Those exchanges.
    pub spent_count: u64,
    /// The part of `spent` of exchanges that ended well.
    pub spent_well: u64,
    /// Those exchanges.
    pub spent_well_count: u64,
    /// Exchanges whose cost is both computed and billed.
    pub both: u64,
    /// Pico-dollars computed of those.
    pub both_computed: u64,
    /// Pico-dollars billed of those.
    pub both_billed: u64,
    /// Exchanges and lost attempts that are in the sums from here on.
    pub told_waits: u64,
    /// Answers that began to stream.
    pub streamed: u64,
    /// Pico-dollars of lost attempts that reported usage.
    pub lost_spent: u64,
}

/// How many further sums there are.
pub const FURTHER: usize = 27;

impl Further {
    /// The sums in the order in which the store keeps them.
    #[must_use]
    pub const fn sums(&self) -> [u64; FURTHER] {
        [
            self.told,
            self.lost_failures,
            self.lost_limited,
            self.lost_refused,
            self.lost_callers,
            self.callers,
            self.timed_out,
            self.maybe_billed,
            self.reused,
            self.pseudo_streams,
            self.stalled,
            self.background,
            self.cached_answers,
            self.untimed,
            self.infinite,
            self.costed,
            self.billed,
            self.spent,
            self.spent_count,
            self.spent_well,
            self.spent_well_count,
            self.both,
            self.both_computed,
            self.both_billed,
            self.told_waits,
            self.streamed,
            self.lost_spent,
        ]
    }

    /// The same for setting.
    pub const fn sums_mut(&mut self) -> [&mut u64; FURTHER] {
        [
            &mut self.told,
            &mut self.lost_failures,
            &mut self.lost_limited,
            &mut self.lost_refused,
            &mut self.lost_callers,
            &mut self.callers,
            &mut self.timed_out,
            &mut self.maybe_billed,
            &mut self.reused,
            &mut self.pseudo_streams,
            &mut self.stalled,
            &mut self.background,
            &mut self.cached_answers,
            &mut self.untimed,
            &mut self.infinite,
            &mut self.costed,
            &mut self.billed,
            &mut self.spent,
            &mut self.spent_count,
            &mut self.spent_well,
            &mut self.spent_well_count,
            &mut self.both,
            &mut self.both_computed,
            &mut self.both_billed,
            &mut self.told_waits,
            &mut self.streamed,
            &mut self.lost_spent,
        ]
    }

    fn fold_exchange(&mut self, record: &ExchangeRecord) {
        let last = record.attempts.last();
        let gaps = last.and_then(|attempt| attempt.gaps.as_ref());
        let well = record.outcome == Outcome::Ok;
        let in_latency = metric::in_latency(record);
        let failed = record.outcome.is_route_failure();
        let timed = is_timed(record.outcome);
        let class = last.and_then(|attempt| attempt.error_class);
        let ours = class.is_some_and(|class| is_rate_limit(class) || is_credential_fault(class));
        for (sum, holds) in [
            (&mut self.told, true),
            (&mut self.told_waits, true),
            (&mut self.streamed, gaps.is_some()),
            (
                &mut self.callers,
                record.outcome == Outcome::ClientError && !ours,
            ),
            (
                &mut self.timed_out,
                record.outcome == Outcome::TimedOut || last.is_some_and(is_timed_out),
            ),
            (
                &mut self.maybe_billed,
                !well && last.is_some_and(|attempt| attempt.maybe_billed),
            ),
            (&mut self.reused, last.is_some_and(|attempt| attempt.reused)),
            (
                &mut self.pseudo_streams,
                gaps.is_some_and(|gaps| gaps.pseudo_stream),
            ),
            (&mut self.stalled, gaps.is_some_and(|gaps| gaps.stalls > 0)),
            (&mut self.background, record.request.background),
            (&mut self.cached_answers, record.cached_answer),
            (&mut self.untimed, in_latency && !failed && !timed),
            (&mut self.infinite, in_latency && failed),
        ] {
            add(sum, u64::from(holds));
        }
        self.fold_cost(record, well);
    }

    fn fold_cost(&mut self, record: &ExchangeRecord, well: bool) {
        let own = metric::own_cost(record);
        let computed = telling_cost(record.outcome, own).map(|cost| cost.0);
        let billed = telling_cost(record.outcome, record.cost_billed).map(|cost| cost.0);
        add(&mut self.costed, u64::from(computed.is_some()));
        add(&mut self.billed, u64::from(billed.is_some()));
        if let Some(spent) = billed.or(computed) {
            add(&mut self.spent, spent);
            add(&mut self.spent_count, 1);
            if well {
                add(&mut self.spent_well, spent);
                add(&mut self.spent_well_count, 1);
            }
        }
        if let Some((computed, billed)) = computed.zip(billed) {
            add(&mut self.both, 1);
            add(&mut self.both_computed, computed);
            add(&mut self.both_billed, billed);
        }
    }

    /// An attempt after which another followed: one that was called off says nothing but that it
    /// was waited for.
    fn fold_lost(&mut self, attempt: &AttemptRecord) {
        add(&mut self.told, 1);
        add(&mut self.told_waits, 1);
        add(
            &mut self.lost_spent,
            metric::lost_cost(attempt).map_or(0, |cost| cost.0),
        );
        add(&mut self.maybe_billed, u64::from(attempt.maybe_billed));
        add(&mut self.timed_out, u64::from(is_timed_out(attempt)));
        let sum = match attempt.error_class {
            Some(class) if is_rate_limit(class) => &mut self.lost_limited,
            Some(class) if is_credential_fault(class) => &mut self.lost_refused,
            Some(class) if is_callers_fault(class) => &mut self.lost_callers,
            _ if metric::is_called_off(attempt) => return,
            _ => &mut self.lost_failures,
        };
        add(sum, 1);
    }
}

/// Sums of token counts; `unknown` says how many exchanges told none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenSums {
    /// Prompt tokens.
    pub input: u64,
    /// Of those, read from the provider's cache.
    pub cached_read: u64,
    /// Of those, written to it.
    pub cache_write: u64,
    /// Generated tokens.
    pub output: u64,
    /// Of those, reasoning.
    pub reasoning: u64,
    /// Audio tokens.
    pub audio: u64,
    /// Exchanges without any count.
    pub unknown: u64,
}

impl TokenSums {
    /// Adds everything that `other` holds.
    pub fn merge(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.input, other.input),
            (&mut self.cached_read, other.cached_read),
            (&mut self.cache_write, other.cache_write),
            (&mut self.output, other.output),
            (&mut self.reasoning, other.reasoning),
            (&mut self.audio, other.audio),
            (&mut self.unknown, other.unknown),
        ] {
            add(sum, more);
        }
    }
}

/// What of a record is folded where: the exchange belongs to the route that answered last, each
/// lost attempt to its own.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// The exchange with its last attempt.
    Exchange(&'a ExchangeRecord),
    /// An attempt after which another one was made.
    Lost(&'a AttemptRecord),
}

impl<'a> Part<'a> {
    /// The parts of `record`: one for the exchange, one for each lost attempt.
    pub fn of(record: &'a ExchangeRecord) -> impl Iterator<Item = Self> {
        let lost = record.attempts.len().saturating_sub(1);
        std::iter::once(Self::Exchange(record))
            .chain(record.attempts[..lost].iter().map(Self::Lost))
    }

    /// The route it belongs to: provider and the model's name there. A rejected exchange has no
    /// provider, and the model that was asked for.
    #[must_use]
    pub fn route(self, record: &'a ExchangeRecord) -> (Option<&'a Name>, Option<&'a Name>) {
        let attempt = match self {
            Self::Exchange(record) => record.attempts.last(),
            Self::Lost(attempt) => Some(attempt),
        };
        let model = attempt.and_then(|attempt| attempt.model.as_ref());
        (
            attempt.map(|attempt| &attempt.provider),
            model.or(record.model.as_ref()),
        )
    }
}

impl Rollup {
    /// Adds the exchange of `record` with its last attempt; [`Part::of`] says where its lost
    /// attempts go.
    pub fn fold(&mut self, record: &ExchangeRecord) {
        self.fold_part(Part::Exchange(record), &Figures::of(record));
    }

    /// Adds one part of a record whose numbers are `figures`.
    pub fn fold_part(&mut self, part: Part<'_>, figures: &Figures) {
        match part {
            Part::Exchange(record) => self.fold_exchange(record, figures),
            Part::Lost(attempt) => {
                add(&mut self.lost, 1);
                self.further.fold_lost(attempt);
                self.fold_waits(|mark| metric::lost_wait(attempt, mark));
                self.fold_attempt(attempt);
            }
        }
    }

    /// Adds everything that `other` holds.
    pub fn merge(&mut self, other: &Self) {
        for (sum, more) in self.outcomes.iter_mut().zip(other.outcomes) {
            add(sum, more);
        }
        for (sum, more) in self.errors.iter_mut().zip(other.errors) {
            add(sum, more);
        }
        for (sum, more) in self.sums_mut().into_iter().zip(other.sums()) {
            add(sum, more);
        }
        let further = other.further.sums();
        for (sum, more) in self.further.sums_mut().into_iter().zip(further) {
            add(sum, more);
        }
        self.first_token.merge(&other.first_token);
        self.first_answer.merge(&other.first_answer);
        self.total.merge(&other.total);
        self.output_rate.merge(&other.output_rate);
        self.own_delay.merge(&other.own_delay);
        self.waited.merge(&other.waited);
        self.waited_answer.merge(&other.waited_answer);
    }

    /// Exchanges of that outcome.
    #[must_use]
    pub const fn outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    /// Attempts of that error class.
    #[must_use]
    pub const fn error(&self, class: ErrorClass) -> u64 {
        self.errors[class as usize]
    }

    /// All exchanges.
    #[must_use]
    pub fn exchanges(&self) -> u64 {
        self.outcomes
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Exchanges and lost attempts that are not in the further sums.
    #[must_use]
    pub fn untold(&self) -> u64 {
        let all = self.exchanges().saturating_add(self.lost);
        all.saturating_sub(self.further.told)
    }

    /// The same of the sums that are younger, and of what was not waited out.
    #[must_use]
    pub fn untold_waits(&self) -> u64 {
        let all = self.exchanges().saturating_add(self.lost);
        all.saturating_sub(self.further.told_waits)
    }

    /// Exchanges that failed by the route's fault, which latency counts as infinite.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.count_outcomes(Outcome::is_route_failure)
    }

    /// The denominator of the failure rate.
    #[must_use]
    pub fn judged(&self) -> u64 {
        self.count_outcomes(Outcome::in_failure_rate)
    }

    /// Attempts that met a rate limit or a quota.
    #[must_use]
    pub fn rate_limits(&self) -> u64 {
        self.count_errors(is_rate_limit)
    }

    /// Attempts that met a credential fault.
    #[must_use]
    pub fn credential_faults(&self) -> u64 {
        self.count_errors(is_credential_fault)
    }

    /// The sums that are plain numbers, in the order in which the store keeps them.
    #[must_use]
    pub const fn sums(&self) -> [u64; SUMS] {
        let tokens = &self.tokens;
        [
            self.attempts,
            self.lost,
            tokens.input,
            tokens.cached_read,
            tokens.cache_write,
            tokens.output,
            tokens.reasoning,
            tokens.audio,
            tokens.unknown,
            self.cost,
            self.priced,
            self.billed,
            self.request_bytes,
            self.response_bytes,
        ]
    }

    /// The same for setting.
    pub const fn sums_mut(&mut self) -> [&mut u64; SUMS] {
        let tokens = &mut self.tokens;
        [
            &mut self.attempts,
            &mut self.lost,
            &mut tokens.input,
            &mut tokens.cached_read,
            &mut tokens.cache_write,
            &mut tokens.output,
            &mut tokens.reasoning,
            &mut tokens.audio,
            &mut tokens.unknown,
            &mut self.cost,
            &mut self.priced,
            &mut self.billed,
            &mut self.request_bytes,
            &mut self.response_bytes,
        ]
    }

    fn fold_exchange(&mut self, record: &ExchangeRecord, figures: &Figures) {
        add(&mut self.outcomes[record.outcome as usize], 1);
        self.further.fold_exchange(record);
        if let Some(attempt) = record.attempts.last() {
            self.fold_attempt(attempt);
        }
        self.fold_tokens(&record.tokens.usage);
        if let Some(cost) = metric::own_cost(record) {
            add(&mut self.cost, cost.0);
            add(&mut self.priced, 1);
        }
        add(
            &mut self.billed,
            record.cost_billed.map_or(0, |cost| cost.0),
        );
        add(&mut self.request_bytes, record.request.bytes);
        add(&mut self.response_bytes, record.response_bytes);
        if metric::in_latency(record) {
            self.fold_times(record.outcome, figures);
            self.fold_waits(|mark| metric::wait(record, mark));
        }
    }

    fn fold_times(&mut self, outcome: Outcome, figures: &Figures) {
        if let Some(own) = figures.own_delay {
            self.own_delay.insert(own.0);
        }
        if !is_timed(outcome) {
            return;
        }
        for (sketch, time) in [
            (&mut self.first_token, figures.first_token),
            (&mut self.first_answer, figures.first_answer),
            (&mut self.total, figures.total),
        ] {
            if let Ok(time) = time {
                sketch.insert(time.0);
            }
        }
        if let Ok(rate) = figures.output_rate {
            self.output_rate.insert(rate.0);
        }
    }

    fn fold_waits(&mut self, of: impl Fn(Mark) -> Option<Nanos>) {
        for (sketch, mark) in [
            (&mut self.waited, Mark::FirstToken),
            (&mut self.waited_answer, Mark::FirstAnswer),
        ] {
            if let Some(wait) = of(mark) {
                sketch.insert(wait.0);
            }
        }
    }

    fn fold_attempt(&mut self, attempt: &AttemptRecord) {
        add(&mut self.attempts, 1);
        if let Some(class) = attempt.error_class {
            add(&mut self.errors[class as usize], 1);
        }
    }

    fn fold_tokens(&mut self, usage: &Usage) {
        let tokens = &mut self.tokens;
        add(&mut tokens.unknown, u64::from(usage.is_unknown()));
        for (sum, count) in [
            (&mut tokens.input, usage.input),
            (&mut tokens.cached_read, usage.cached_read),
            (&mut tokens.cache_write, usage.cache_write),
            (&mut tokens.output, usage.output),
            (&mut tokens.reasoning, usage.reasoning),
            (&mut tokens.audio, usage.audio),
        ] {
            add(sum, count.unwrap_or(0));
        }
    }

    fn count_outcomes(&self, wanted: impl Fn(Outcome) -> bool) -> u64 {
        let counted = Outcome::ALL.into_iter().filter(|outcome| wanted(*outcome));
        counted.fold(0, |sum, outcome| sum.saturating_add(self.outcome(outcome)))
    }

    fn count_errors(&self, wanted: impl Fn(ErrorClass) -> bool) -> u64 {
        let counted = ErrorClass::ALL.into_iter().filter(|class| wanted(*class));
        counted.fold(0, |sum, class| sum.saturating_add(self.error(class)))
    }
}

fn is_timed_out(attempt: &AttemptRecord) -> bool {
    attempt.error_class.is_some_and(is_time_out)
}

/// How many plain sums a roll-up has.
pub const SUMS: usize = 14;

/// Sums stand still at their end: saturating keeps the order of folding without influence.
const fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

#[cfg(test)]
#[path = "rollup_tests.rs"]
mod tests;
