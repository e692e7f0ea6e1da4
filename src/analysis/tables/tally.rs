//! Gathers what one route did.

use std::array;

use crate::record::{
    AttemptRecord, ErrorClass, ExchangeRecord, Mark, Nanos, NullReason, Outcome, PicoDollars,
    TokenSource, Usage, WallTime,
};
use crate::statistics::Rollup;
use crate::statistics::interval::{Nearby, Pool as _};
use crate::statistics::metric::{
    in_latency, is_called_off, is_callers_fault, is_credential_fault, is_rate_limit, is_timed,
    lost_cost, lost_wait, lost_wait_whole, own_cost, telling_cost, total, wait, wait_whole,
};
use crate::statistics::rollup::TokenSums;
use crate::statistics::sketch::Sketch;

use super::route::{Costs, Lost, OutcomeCounts, RouteName, RouteReport, Share};
use super::row::Row;
use super::spread::Gathered;

/// What one route did so far.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    outcomes: OutcomeCounts,
    streams: u64,
    reused: u64,
    pseudo_streams: u64,
    stalled: u64,
    background: u64,
    cached_answers: u64,
    untimed: u64,
    lost: Lost,
    first_token: Gathered,
    first_answer: Gathered,
    total: Gathered,
    output_rate: Gathered,
    own_delay: Gathered,
    tokens: TokenSums,
    sources: [u64; TokenSource::ALL.len()],
    costs: Costs,
    /// Failures and those judged, of those that came near each other.
    failed: Nearby<(u64, u64)>,
    /// The same with lost tries.
    failed_tries: Nearby<(u64, u64)>,
    /// Limited tries, of all.
    limited: Nearby<(u64, u64)>,
    /// Refused keys, of all tries.
    refused: Nearby<(u64, u64)>,
    /// Exchanges that came in roll-ups.
    rolled: u64,
}

/// Exchanges or lost tries that came at one moment, as far as shares of them are told.
#[derive(Default)]
struct Ends {
    failed: u64,
    judged: u64,
    lost_failures: u64,
    tries: u64,
    limited: u64,
    refused: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            outcomes: OutcomeCounts::default(),
            streams: 0,
            reused: 0,
            pseudo_streams: 0,
            stalled: 0,
            background: 0,
            cached_answers: 0,
            untimed: 0,
            lost: Lost::default(),
            failed: Nearby::default(),
            failed_tries: Nearby::default(),
            limited: Nearby::default(),
            refused: Nearby::default(),
            first_token: Gathered::default(),
            first_answer: Gathered::default(),
            total: Gathered::default(),
            output_rate: Gathered::default(),
            own_delay: Gathered::default(),
            tokens: TokenSums::default(),
            sources: array::from_fn(|_| 0),
            costs: Costs::default(),
            rolled: 0,
        }
    }
}

impl Tally {
    /// Exchanges so far.
    pub(super) fn exchanges(&self) -> u64 {
        self.outcomes.all()
    }

    /// Adds an exchange that came `at` that date.
    pub(super) fn add(&mut self, at: WallTime, row: &Row) {
        self.outcomes.add(row.outcome);
        for (count, holds) in [
            (&mut self.streams, row.stream),
            (&mut self.reused, row.reused),
            (&mut self.pseudo_streams, row.pseudo_stream),
            (&mut self.stalled, row.stalls > 0),
            (&mut self.background, row.background),
            (&mut self.cached_answers, row.cached_answer),
        ] {
            *count += u64::from(holds);
        }
        let met = |fault: fn(ErrorClass) -> bool| u64::from(row.error_class.is_some_and(fault));
        self.ended(
            at,
            &Ends {
                failed: u64::from(row.outcome.is_route_failure()),
                judged: u64::from(row.outcome.in_failure_rate()),
                lost_failures: 0,
                tries: 1,
                limited: met(is_rate_limit),
                refused: met(is_credential_fault),
            },
        );
        self.add_times(at, row);
        self.add_usage(&row.usage, row.token_source);
        let cost = telling_cost(row.outcome, row.cost);
        self.costs.add(cost, row.cost_billed);
        if let Some(reason) = row.no_cost {
            self.costs.without[reason as usize] += 1;
        }
    }

    /// A roll-up of the hour or minute `at` of exchanges of the route, of streams or of whole
    /// answers.
    pub(super) fn add_rollup(&mut self, at: WallTime, rollup: &Rollup, stream: bool) {
        let (exchanges, further) = (rollup.exchanges(), &rollup.further);
        self.rolled += exchanges;
        for (count, more) in self.outcomes.0.iter_mut().zip(rollup.outcomes) {
            *count += more;
        }
        self.streams += if stream { exchanges } else { 0 };
        self.reused += further.reused;
        self.pseudo_streams += further.pseudo_streams;
        self.stalled += further.stalled;
        self.background += further.background;
        self.cached_answers += further.cached_answers;
        self.untimed += further.untimed;
        self.ended(
            at,
            &Ends {
                failed: rollup.failures(),
                judged: rollup.judged(),
                lost_failures: further.lost_failures,
                tries: exchanges + rollup.lost,
                limited: rollup.rate_limits(),
                refused: rollup.credential_faults(),
            },
        );
        self.lost.attempts += rollup.lost;
        self.lost.failures += further.lost_failures;
        self.lost.rate_limited += further.lost_limited;
        self.lost.credential_faults += further.lost_refused;
        self.lost.client_errors += further.lost_callers;
        // Roll-ups of old did not say which failures were in latency: nearly all are.
        let failed = if rollup.untold() == 0 {
            further.infinite
        } else {
            rollup.failures()
        };
        let infinite = failed + further.lost_failures;
        let first = if stream { infinite } else { 0 };
        let none = Sketch::default();
        let [waited, waited_answer] = if stream {
            [&rollup.waited, &rollup.waited_answer]
        } else {
            [&none; 2]
        };
        for (into, sketch, larger, waits) in [
            (&mut self.first_token, &rollup.first_token, first, waited),
            (
                &mut self.first_answer,
                &rollup.first_answer,
                first,
                waited_answer,
            ),
            // Whoever waited in vain for a token waited as long for the whole.
            (&mut self.total, &rollup.total, infinite, waited),
            (&mut self.output_rate, &rollup.output_rate, 0, &none),
            (&mut self.own_delay, &rollup.own_delay, 0, &none),
        ] {
            into.add_sketch(at, sketch, larger, waits);
        }
        self.tokens.merge(&rollup.tokens);
        self.costs.cost = self.costs.cost.saturating_add(rollup.cost);
        self.costs.lost = self.costs.lost.saturating_add(further.lost_spent);
        self.costs.priced += further.costed;
        self.costs.billed = self.costs.billed.saturating_add(rollup.billed);
        self.costs.billed_count += further.billed;
        self.costs.without_reason += exchanges.saturating_sub(further.costed);
    }

    /// An attempt of the hour or minute `at` after which the exchange went elsewhere, of a stream or
    /// of a whole answer. One that failed is as slow for this route as if none had come to its help.
    pub(super) fn add_lost(&mut self, at: WallTime, attempt: &AttemptRecord, stream: bool) {
        self.lost.attempts += 1;
        let cost = lost_cost(attempt).map_or(0, |cost| cost.0);
        self.costs.lost = self.costs.lost.saturating_add(cost);
        let mut ends = Ends {
            tries: 1,
            ..Ends::default()
        };
        match attempt.error_class {
            Some(class) if is_rate_limit(class) => {
                self.lost.rate_limited += 1;
                ends.limited = 1;
            }
            Some(class) if is_credential_fault(class) => {
                self.lost.credential_faults += 1;
                ends.refused = 1;
            }
            Some(class) if is_callers_fault(class) => self.lost.client_errors += 1,
            // What was called off is no failure: its first token was only not waited out.
            None if is_called_off(attempt) => {
                if stream {
                    self.add_waits(at, |mark| lost_wait(attempt, mark), false);
                }
                if let Some(wait) = lost_wait_whole(attempt) {
                    self.total.wait(at, wait.0, None);
                }
            }
            _ => {
                self.lost.failures += 1;
                ends.lost_failures = 1;
                self.total.fail_late(at);
                if stream {
                    self.first_token.fail_late(at);
                    self.first_answer.fail_late(at);
                }
            }
        }
        self.ended(at, &ends);
    }

    /// An exchange whose row was added, with what its row does not say: what its lost attempts cost,
    /// and how long it was waited for what was not waited out.
    pub(super) fn amend(&mut self, record: &ExchangeRecord) {
        let [told, own] =
            [record.cost, own_cost(record)].map(|cost| telling_cost(record.outcome, cost));
        let [told_cost, cost] = [told, own].map(|cost| cost.map_or(0, |cost| cost.0));
        self.costs.cost = self
            .costs
            .cost
            .saturating_sub(told_cost)
            .saturating_add(cost);
        self.costs.priced -= u64::from(told.is_some() && own.is_none() && self.costs.priced > 0);
        if in_latency(record) {
            self.add_waits(record.started, |mark| wait(record, mark), true);
            if let Some(wait) = wait_whole(record) {
                let told = record.attempts.last().map(total);
                self.total
                    .wait(record.started, wait.0, told.and_then(Result::err));
            }
        }
    }

    fn ended(&mut self, at: WallTime, ends: &Ends) {
        let lost = ends.lost_failures;
        for (groups, part, whole) in [
            (&mut self.failed, ends.failed, ends.judged),
            (
                &mut self.failed_tries,
                ends.failed + lost,
                ends.judged + lost,
            ),
            (&mut self.limited, ends.limited, ends.tries),
            (&mut self.refused, ends.refused, ends.tries),
        ] {
            // What says nothing of a rate does not widen the spans of what does.
            if whole > 0 {
                groups.at(at).pool((part, whole));
            }
        }
    }

    fn add_waits(&mut self, at: WallTime, of: impl Fn(Mark) -> Option<Nanos>, counted: bool) {
        for (into, mark) in [
            (&mut self.first_token, Mark::FirstToken),
            (&mut self.first_answer, Mark::FirstAnswer),
        ] {
            if let Some(wait) = of(mark) {
                into.wait(at, wait.0, counted.then_some(NullReason::NoToken));
            }
        }
    }

    fn add_times(&mut self, at: WallTime, row: &Row) {
        if row.background || row.cached_answer {
            return;
        }
        let figures = &row.figures;
        if let Some(own) = figures.own_delay {
            self.own_delay.add(at, Ok(own.0));
        }
        if row.outcome.is_route_failure() {
            self.total.fail(at);
            if row.stream && row.language.generates() {
                self.first_token.fail(at);
                self.first_answer.fail(at);
            }
        } else if is_timed(row.outcome) {
            let nanos = |span: Nanos| span.0;
            self.first_token.add(at, figures.first_token.map(nanos));
            self.first_answer.add(at, figures.first_answer.map(nanos));
            self.total.add(at, figures.total.map(nanos));
            self.output_rate
                .add(at, figures.output_rate.map(|rate| rate.0));
        } else {
            self.untimed += 1;
        }
    }

    fn add_usage(&mut self, usage: &Usage, source: Option<TokenSource>) {
        let tokens = &mut self.tokens;
        if usage.is_unknown() {
            tokens.unknown += 1;
        }
        if let Some(source) = source {
            self.sources[source as usize] += 1;
        }
        for (sum, count) in [
            (&mut tokens.input, usage.input),
            (&mut tokens.cached_read, usage.cached_read),
            (&mut tokens.cache_write, usage.cache_write),
            (&mut tokens.output, usage.output),
            (&mut tokens.reasoning, usage.reasoning),
            (&mut tokens.audio, usage.audio),
        ] {
            *sum = sum.saturating_add(count.unwrap_or(0));
        }
    }

    pub(super) fn into_report(self, route: RouteName) -> RouteReport {
        let exchanges = self.exchanges();
        let attempts = exchanges + self.lost.attempts;
        RouteReport {
            route,
            exchanges,
            streams: self.streams,
            attempts,
            failure_rate: Share::nearby(&self.failed),
            attempt_failure_rate: Share::nearby(&self.failed_tries),
            rate_limited: Share::nearby(&self.limited),
            credential_faults: Share::nearby(&self.refused),
            lost: self.lost,
            outcomes: self.outcomes,
            reused: self.reused,
            pseudo_streams: self.pseudo_streams,
            stalled: self.stalled,
            background: self.background,
            cached_answers: self.cached_answers,
            untimed: self.untimed,
            first_token: self.first_token.into_spread(),
            first_answer: self.first_answer.into_spread(),
            total: self.total.into_spread(),
            output_rate: self.output_rate.into_spread(),
            own_delay: self.own_delay.into_spread(),
            tokens: self.tokens,
            token_sources: (self.rolled == 0).then_some(self.sources),
            costs: self.costs,
        }
    }
}

impl Costs {
    fn add(&mut self, cost: Option<PicoDollars>, billed: Option<PicoDollars>) {
        for (sum, count, amount) in [
            (&mut self.cost, &mut self.priced, cost),
            (&mut self.billed, &mut self.billed_count, billed),
        ] {
            if let Some(amount) = amount {
                *sum = sum.saturating_add(amount.0);
                *count += 1;
            }
        }
    }
}

impl OutcomeCounts {
    pub(super) fn add(&mut self, outcome: Outcome) {
        self.0[outcome as usize] += 1;
    }
}

/// The reasons are numbered as they are listed.
const _: () = assert!(NullReason::ALL[NullReason::ALL.len() - 1] as usize == 13);
