//! Makes the figures of a step out of what was kept of its exchanges.
//!
//! Measured is what was to be sent while the load was full. Throughput counts what ended in that
//! time, whenever it was sent: of a system that falls behind, what was sent and what came back
//! differ, and the second is what it does. Failures take infinitely long, and are never left out.

use std::collections::BTreeMap;

use super::bill::Bill;
use super::over_time::{Slice, slices};
use super::rising::Rise;
use super::sample::Sample;
use super::spread::Spread;
use crate::record::{Moment, Nanos, Outcome};
use crate::statistics::interval::design_effect;
use crate::statistics::interval::{ALPHA, Estimate, effective_count, wilson};
use crate::workload::schedule::{Lag, Phases};
use crate::workload::spec::Sla;
use crate::workload::sweep::Finding;

/// The span of a step in which was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first moment.
    pub from: Moment,
    /// The moment after its last.
    pub to: Moment,
}

impl Window {
    /// The time at full load of a step that began at `start`, and was cut off where that is said.
    #[must_use]
    pub fn of(start: Moment, phases: Phases, cut: Option<Moment>) -> Self {
        let from = start.plus(phases.ramp);
        let to = from.plus(phases.sustain);
        let to = cut.map_or(to, |cut| cut.min(to));
        Self {
            from,
            to: to.max(from),
        }
    }

    /// How long it is.
    #[must_use]
    pub fn length(&self) -> Nanos {
        self.to.since(self.from)
    }

    fn holds(&self, at: Moment) -> bool {
        self.from <= at && at < self.to
    }

    /// How much of the span from `from` to `to` lies in it.
    fn shares(&self, from: Moment, to: Moment) -> Nanos {
        to.min(self.to).since(from.max(self.from))
    }
}

/// What is known of a step beside its exchanges.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    /// When was measured.
    pub window: Window,
    /// How requests are to be served.
    pub sla: &'a Sla,
    /// How long a request waits for its answer.
    pub patience: Nanos,
    /// Requests that were due in the window and have no record: not sent, because too many were at
    /// work, or lost.
    pub unrecorded: u64,
    /// Whether requests come at one rate, whatever becomes of those before them: then what a route
    /// cannot bear waits, and latency rises.
    pub is_steady: bool,
}

/// The figures of a step. Rates are per second, spans in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Seconds that were measured.
    pub seconds: f64,
    /// Requests that were to be sent in them.
    pub n: u64,
    /// How those ended.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Those that failed.
    pub failed: u64,
    /// Those of them that met a limit of requests or tokens.
    pub rate_limited: u64,
    /// Those that were not answered in time.
    pub timed_out: u64,
    /// Those that have no record.
    pub unrecorded: u64,
    /// Requests per second that were to be sent.
    pub offered: f64,
    /// Answers per second that came to a good end.
    pub completed: f64,
    /// Those of them per second that were served within the level asked for.
    pub goodput: f64,
    /// Prompt tokens per second of what was answered.
    pub input_tokens: f64,
    /// Answer tokens per second.
    pub output_tokens: f64,
    /// Tokens per second that one user saw.
    pub user_rate: Spread,
    /// Requests at work, on average.
    pub in_flight: f64,
    /// Intended start to last token.
    pub latency: Spread,
    /// The same from the request's first byte: what a generator that waits would have said.
    pub latency_sent: Spread,
    /// Intended start to first token.
    pub first_token: Spread,
    /// The same from the request's first byte.
    pub first_token_sent: Spread,
    /// The share served within the level asked for, failures counted as not.
    pub served: Option<Estimate>,
    /// The share that failed.
    pub errors: Option<Estimate>,
    /// What Tollgate itself added to first tokens.
    pub own: Spread,
    /// Latency rose all through it: a queue grew.
    pub rising: Option<Rise>,
    /// How latency went on through the step.
    pub over_time: Vec<Slice>,
    /// How late requests were sent.
    pub lag: Option<Lag>,
    /// Why it says nothing, where it does not.
    pub void: Option<String>,
    /// What it cost, as far as known.
    pub bill: Bill,
}

impl Figures {
    /// The figures of a step's samples, in any order.
    #[must_use]
    pub fn of(samples: &[Sample], of: Of<'_>) -> Self {
        let Of { window, sla, .. } = of;
        let mut own: Vec<&Sample> = samples.iter().filter(|sample| !sample.warm_up).collect();
        own.sort_by_key(|sample| sample.intended);
        let measured: Vec<&Sample> = own
            .iter()
            .copied()
            .filter(|sample| window.holds(sample.intended) && !sample.was_cut_off(of.patience))
            .collect();
        let seconds = window.length().as_secs();
        let per_second = |count: f64| if seconds > 0.0 { count / seconds } else { 0.0 };
        let is_served = |sample: &Sample| {
            let total = sample.total_intended();
            total.is_some_and(|total| sla.is_met(total, sample.first_token_intended()))
        };
        let ended = own
            .iter()
            .filter(|sample| sample.total.is_some() && window.holds(sample.ended));
        let (mut completed, mut goodput) = (0_u64, 0_u64);
        let (mut input, mut output) = (0_u64, 0_u64);
        for sample in ended {
            completed += 1;
            goodput += u64::from(is_served(sample));
            input += sample.input.unwrap_or_default();
            output += sample.output.unwrap_or_default();
        }
        let at_work: u128 = own
            .iter()
            .map(|sample| u128::from(window.shares(sample.sent, sample.ended).0))
            .sum();
        let n = measured.len() as u64 + of.unrecorded;
        let good: Vec<bool> = measured.iter().map(|sample| is_served(sample)).collect();
        let fine: Vec<bool> = measured.iter().map(|of| of.total.is_some()).collect();
        let failed = fine.iter().filter(|fine| !**fine).count() as u64 + of.unrecorded;
        let spread = |span: &dyn Fn(&Sample) -> Option<Nanos>| {
            let spans = measured.iter().map(|sample| {
                let span = span(sample).filter(|_| sample.total.is_some());
                span.map_or(f64::INFINITY, |span| span.0 as f64)
            });
            let lost = (0..of.unrecorded).map(|_| f64::INFINITY);
            Spread::in_time(&spans.chain(lost).collect::<Vec<_>>())
        };
        let in_time: Vec<f64> = measured
            .iter()
            .map(|sample| {
                let span = sample.total_intended();
                span.map_or(f64::INFINITY, |span| span.0 as f64)
            })
            .collect();
        let first_token_sent = spread(&|sample| sample.first_token);
        let lag = Lag::of(measured.iter().map(|sample| sample.lag()).collect());
        let own_delays: Vec<f64> = measured
            .iter()
            .filter_map(|sample| Some(sample.own?.0 as f64))
            .collect();
        let rates: Vec<f64> = measured
            .iter()
            .filter_map(|sample| Some(sample.rate? as f64 / 1e3))
            .collect();
        let of_outcome = |outcome: Outcome| {
            let same = measured.iter().filter(|sample| sample.outcome == outcome);
            same.count() as u64
        };
        let mut outcomes = BTreeMap::new();
        for sample in &measured {
            *outcomes.entry(sample.outcome.name()).or_insert(0) += 1;
        }
        Self {
            seconds,
            n,
            outcomes,
            failed,
            rate_limited: of_outcome(Outcome::RateLimited),
            timed_out: of_outcome(Outcome::TimedOut) + of_outcome(Outcome::ClientGone),
            unrecorded: of.unrecorded,
            offered: per_second(n as f64),
            completed: per_second(completed as f64),
            goodput: per_second(goodput as f64),
            input_tokens: per_second(input as f64),
            output_tokens: per_second(output as f64),
            user_rate: Spread::in_time(&rates),
            in_flight: per_second(at_work as f64 / 1e9),
            latency: spread(&Sample::total_intended),
            latency_sent: spread(&|sample| sample.total),
            first_token: spread(&Sample::first_token_intended),
            void: lag.and_then(|lag| void(lag, &first_token_sent)),
            first_token_sent,
            served: share(&good, of.unrecorded),
            errors: share(&fine, of.unrecorded).map(opposite),
            own: Spread::in_time(&own_delays),
            rising: Rise::of(&in_time).filter(|_| of.is_steady),
            over_time: slices(
                (window.from, window.length()),
                measured.iter().map(|sample| sample.intended).zip(in_time),
            ),
            lag,
            bill: Bill::of(own.iter().copied()),
        }
    }

    /// Whether the level was shown to hold: the whole interval of the share served lies at or over
    /// the share that must be, and not the whole one of the share of errors over what may be, and
    /// latency did not rise all the time.
    #[must_use]
    pub fn finding(&self, sla: &Sla) -> Finding {
        if self.void.is_some() {
            return Finding::Void;
        }
        let served = self
            .served
            .is_some_and(|served| served.interval.low >= sla.within);
        let failing = self
            .errors
            .is_some_and(|errors| errors.interval.low > sla.error_share);
        if served && !failing && self.rising.is_none() {
            Finding::Held
        } else {
            Finding::Missed
        }
    }

    /// The verdict as a word: what missed, what may have held so far only because its queue was
    /// not too long yet, and what could be neither shown nor refuted.
    #[must_use]
    pub fn verdict(&self, sla: &Sla) -> &'static str {
        let refuted = self
            .served
            .is_some_and(|served| served.interval.high < sla.within)
            || self
                .errors
                .is_some_and(|errors| errors.interval.low > sla.error_share);
        match self.finding(sla) {
            Finding::Void => "void",
            Finding::Held => "held",
            Finding::Missed if refuted => "missed",
            Finding::Missed if self.rising.is_some() => "rising",
            Finding::Missed => "not_shown",
        }
    }
}

/// Why a generator so late says nothing.
fn void(lag: Lag, first_token: &Spread) -> Option<String> {
    let middle = first_token.middle().filter(|middle| middle.is_finite());
    let middle = middle.map(|nanos| Nanos(nanos as u64));
    lag.is_void(middle).then(|| {
        format!(
            "requests were sent late: the 99th percentile of the lag is {:.2} ms, over the limit \
             of {:.2} ms (10 ms, or 2 % of the median first token)",
            lag.p99.as_millis(),
            Lag::limit(middle).as_millis()
        )
    })
}

/// The share that is so, with Wilson's interval of as many independent ones as they are worth.
fn share(of: &[bool], failures: u64) -> Option<Estimate> {
    let lost = (0..failures).map(|_| false);
    let marks: Vec<f64> = of
        .iter()
        .copied()
        .chain(lost)
        .map(|is| f64::from(u8::from(is)))
        .collect();
    let all = marks.len() as u64;
    let hits = marks.iter().sum::<f64>();
    let worth = effective_count(all, design_effect(&marks));
    let scaled = (hits / all.max(1) as f64 * worth as f64).round() as u64;
    let found = wilson(scaled.min(worth), worth, ALPHA)?;
    Some(Estimate {
        value: hits / all as f64,
        ..found
    })
}

fn opposite(of: Estimate) -> Estimate {
    let mut interval = of.interval;
    (interval.low, interval.high) = (1.0 - of.interval.high, 1.0 - of.interval.low);
    Estimate {
        value: 1.0 - of.value,
        interval,
    }
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;
