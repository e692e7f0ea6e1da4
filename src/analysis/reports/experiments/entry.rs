//! One exchange of an experiment, as its arm is judged by it.

use crate::record::{
    Arm, AssignedUnit, AttemptRecord, ExchangeRecord, Mark, Name, Nanos, Outcome, WallTime,
};
use crate::routing::experiment::Metric;
use crate::statistics::metric;

/// A number that may be known by bounds only: of an answer that the client gave up, it is known
/// that it would have taken longer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::analysis::reports) struct Known {
    /// The least that it can be.
    pub(super) low: f64,
    /// The most.
    pub(super) high: f64,
}

impl Known {
    const fn exactly(value: f64) -> Self {
        Self {
            low: value,
            high: value,
        }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.low < self.high
    }
}

/// How an exchange ended for its arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With an answer.
    Answered,
    /// By the route's fault.
    Failed,
    /// At a rate limit, which is no failure and no answer either.
    Limited,
    /// The client left.
    GivenUp,
    /// By the client's own fault, or ours: it says nothing of the arm.
    Other,
}

/// One exchange of an experiment. Spans are in nanoseconds, from the moment its route was chosen:
/// connecting and failed tries are part of what the arm costs.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) at: WallTime,
    /// Which unit it is of, by the order in which units came.
    pub(super) unit: usize,
    pub(super) arm: Arm,
    /// Whether it is its unit's first.
    pub(super) first: bool,
    pub(super) ending: Ending,
    /// Whether another route than the arm's served it.
    pub(super) moved: bool,
    /// Estimated prompt tokens.
    pub(super) size: Option<u64>,
    pub(super) stream: bool,
    values: [Option<Known>; Metric::ALL.len()],
}

impl Entry {
    /// The entry of `record`, which is of `unit`; its arm is that of the unit's first exchange.
    pub(super) fn of(record: &ExchangeRecord, unit: usize, arm: Arm, first: bool) -> Self {
        let ending = ending(record);
        let values = Metric::ALL.map(|metric| value(record, metric, ending));
        Self {
            at: record.started,
            unit,
            arm,
            first,
            ending,
            moved: moved(record),
            size: record
                .request
                .prompt_tokens_estimated
                .or(record.tokens.usage.input),
            stream: record.request.stream,
            values,
        }
    }

    pub(super) fn value(&self, metric: Metric) -> Option<Known> {
        self.values[metric as usize]
    }
}

/// What names the unit of an exchange: its conversation, or itself.
pub(super) fn unit_key(record: &ExchangeRecord, unit: AssignedUnit) -> Option<u128> {
    match unit {
        AssignedUnit::Session => record.session.map(|session| u128::from(session.hash.0)),
        AssignedUnit::Request => Some(u128::from_be_bytes(record.id.0)),
    }
}

/// The route that was tried first, and thus is the arm's.
pub(super) fn first_route(record: &ExchangeRecord) -> Option<(Name, Option<Name>)> {
    let first = record.first_begun()?;
    Some((first.provider.clone(), first.model.clone()))
}

fn moved(record: &ExchangeRecord) -> bool {
    let place = |attempt: &AttemptRecord| (attempt.provider.clone(), attempt.model.clone());
    let (first, last) = (record.first_begun(), record.attempts.last());
    first.map(place) != last.map(place)
}

fn ending(record: &ExchangeRecord) -> Ending {
    let outcome = record.outcome;
    if outcome.is_route_failure() {
        Ending::Failed
    } else {
        match outcome {
            Outcome::Ok => Ending::Answered,
            Outcome::RateLimited => Ending::Limited,
            Outcome::ClientGone => Ending::GivenUp,
            _ => Ending::Other,
        }
    }
}

fn value(record: &ExchangeRecord, metric: Metric, ending: Ending) -> Option<Known> {
    match metric {
        Metric::Failure => match ending {
            Ending::Failed => Some(Known::exactly(1.0)),
            Ending::Answered => Some(Known::exactly(0.0)),
            _ => None,
        },
        // What was billed goes before what the table says, as in every report of costs.
        Metric::Cost => [record.cost_billed, record.cost]
            .into_iter()
            .find_map(|cost| metric::telling_cost(record.outcome, cost))
            .map(|cost| Known::exactly(cost.as_dollars())),
        Metric::OutputRate => match ending {
            Ending::Failed => Some(Known::exactly(0.0)),
            Ending::Answered | Ending::GivenUp => metric::output_rate(record)
                .ok()
                .map(|rate| Known::exactly(rate.as_tokens_per_second())),
            _ => None,
        },
        Metric::FirstToken | Metric::FirstAnswer | Metric::Total => span(record, metric, ending),
    }
}

/// A span from the choice of the route: infinite where no answer came, bounded from below where
/// the client did not wait for it.
fn span(record: &ExchangeRecord, metric: Metric, ending: Ending) -> Option<Known> {
    // Of a whole answer nobody sees a first token, however it ends.
    if metric != Metric::Total && !record.request.stream {
        return None;
    }
    let zero = record.first_begun()?.timeline.get(Mark::RouteChosen);
    let zero = zero.unwrap_or(record.started_at);
    match ending {
        Ending::Failed | Ending::Limited => return Some(Known::exactly(f64::INFINITY)),
        Ending::Other => return None,
        Ending::Answered | Ending::GivenUp => {}
    }
    let attempt = record.attempts.last()?;
    let found = match metric {
        Metric::FirstToken => metric::ttft_up(attempt),
        Metric::FirstAnswer => metric::ttfa(attempt),
        // What the client left is not over.
        _ if ending == Ending::GivenUp => Err(crate::record::NullReason::NoToken),
        _ => metric::total(attempt),
    };
    let sent = attempt.timeline.get(Mark::SendStart);
    match found.ok().zip(sent) {
        Some((Nanos(span), sent)) => Some(Known::exactly((sent.since(zero).0 + span) as f64)),
        None if ending == Ending::GivenUp => Some(Known {
            low: record.closed_at.since(zero).0 as f64,
            high: f64::INFINITY,
        }),
        None => None,
    }
}
