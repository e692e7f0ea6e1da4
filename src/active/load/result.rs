//! Writes what a load came to as one file of the schema `tollgate.load/1`.
//!
//! At the top: `schema`, `run`, `began`, `ended`, `end` (`complete`, `interrupted`, `cost_cap`,
//! `unwritten`), `void` (whether any step's generator was too late), `environment` as in
//! `tollgate.bench/1`, `workload` (as its file says it), `settings` (seed, search and its rule,
//! limits), `estimate`, `spent_usd`, and `routes`: one object a route with its `capacity` (the
//! highest load that held, and why the search was over), its `knees`, and `steps`.
//!
//! Of a step: `load` (`requests_per_s` or `users`), `seconds` measured, `n` requests that were due
//! in them, `outcomes`, rates per second, spans in milliseconds as quantiles with 95 % intervals
//! (`latency_ms` and `first_token_ms` from the intended start, `…_from_send_ms` from the request's
//! first byte), `served` and `errors` (shares with intervals), `verdict` (`held`, `missed`,
//! `rising`, `not_shown`, `void`), `rising_ms` (from what to what latency rose, where it did so all
//! the time), `over_time` (slices of the time that was measured, with their latency), `lag`,
//! `own_delay_ms` (what Tollgate added), cost (of `answered` good answers of the
//! whole step as far as `priced`) and use of limits. The exchanges themselves are in `exchanges.jsonl`: lines of the schema `tollgate.load.exchange/1`, `step` and `exchange`, the
//! record as `tollgate export` has it.

use serde::Serialize;
use serde_json::{Value, json};

use super::estimate::Estimate;
use super::figures::Figures;
use super::over_time::Slice;
use super::plan::{Plan, Step};
use super::run::{StepResult, TargetResult};
use crate::active::bench::result::{Environment, environment_value};
use crate::active::digest::sha256;
use crate::analysis::render::exchange;
use crate::record::{ExchangeRecord, Nanos, WallTime};
use crate::routing::limits::Limit;
use crate::statistics::interval::Estimate as Shown;
use crate::workload::schedule::Lag;
use crate::workload::spec::Demand;
use crate::workload::sweep::Over;

/// Schema of the file.
pub const SCHEMA: &str = "tollgate.load/1";
/// What the file looks like, as a JSON schema.
pub const JSON_SCHEMA: &str = include_str!("../../../docs/load-result.schema.json");
/// Schema of a line.
pub const LINE_SCHEMA: &str = "tollgate.load.exchange/1";

/// How a search goes and ends, for the file and for people.
pub const STOP_RULE: &str = "The load doubles from the first one while the level holds. A load holds \
when the 95 % interval of the share served within the SLA, failures counted as not served, lies \
wholly at or over the share asked for, and the interval of the error share not wholly over what may \
fail, and the latency of an open loop does not rise all through the step, which it does while a queue \
grows. A load that does not hold is tried again; found so twice (of three where the findings differ) \
it is missed. Then the middle between the highest that held and the lowest that missed is tried, \
until the two are within the resolution. What would be the answer must hold twice: the highest of \
many findings is the luckiest too. A load that was not refuted is tried twice as long the next time. \
Twice too late a generator ends the search.";

/// A line of the exchanges' file.
#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    step: u32,
    exchange: exchange::Json<'a>,
}

/// Writes a line for an exchange of a load into `to`, its end included.
pub fn line(record: &ExchangeRecord, to: &mut Vec<u8>) -> std::io::Result<()> {
    let line = Line {
        schema: LINE_SCHEMA,
        step: record.active.as_ref().map_or(0, |active| active.round),
        exchange: exchange::Json(record),
    };
    serde_json::to_writer(&mut *to, &line)?;
    to.push(b'\n');
    Ok(())
}

/// What is said of a run as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// When it began.
    pub began: WallTime,
    /// When it ended.
    pub ended: WallTime,
    /// Why it ended, by name.
    pub end: &'static str,
    /// What it was to cost.
    pub estimate: Estimate,
    /// What it cost, in US dollars.
    pub spent: f64,
    /// What it was made with.
    pub environment: Environment,
}

/// Whether anything in the results says nothing because the generator was late: a search whose
/// last step was is none, it says so as its end.
#[must_use]
pub fn is_void(results: &[TargetResult]) -> bool {
    let void = |of: &TargetResult| {
        let any = of.steps.iter().any(|step| step.figures.void.is_some());
        let all = of.steps.iter().all(|step| step.figures.void.is_some());
        if of.over.is_some() { all } else { any }
    };
    results.iter().any(|of| !of.steps.is_empty() && void(of))
}

/// The routes of which nothing was measured, because every request failed.
#[must_use]
pub fn unanswered(results: &[TargetResult]) -> Vec<String> {
    let failed = |of: &&TargetResult| {
        let asked: u64 = of.steps.iter().map(|step| step.figures.n).sum();
        let failed: u64 = of.steps.iter().map(|step| step.figures.failed).sum();
        asked > 0 && asked == failed
    };
    let named = |of: &TargetResult| format!("{} at {}", of.target.model, of.target.route);
    results.iter().filter(failed).map(named).collect()
}

/// The file.
#[must_use]
pub fn file(plan: &Plan, head: &Head, results: &[TargetResult]) -> Value {
    json!({
        "schema": SCHEMA,
        "run": plan.run.as_str(),
        "began": head.began.rfc3339(),
        "ended": head.ended.rfc3339(),
        "end": head.end,
        "void": is_void(results),
        "environment": environment_value(&head.environment),
        "workload": workload(plan),
        "settings": settings(plan),
        "estimate": {
            "requests": head.estimate.requests,
            "cost_usd": head.estimate.cost.as_dollars(),
            "may_be_more": head.estimate.open,
            "unpriced": head.estimate.unpriced,
        },
        "spent_usd": head.spent,
        "routes": results.iter().map(|of| route(plan, of)).collect::<Vec<_>>(),
    })
}

fn seconds(span: Nanos) -> f64 {
    span.as_secs()
}

/// The load in the words of a workload file.
#[must_use]
pub fn workload(plan: &Plan) -> Value {
    let load = &plan.workload;
    let sizes = load.sizes.percentiles().iter();
    let mut value = json!({
        "name": load.name,
        "version": load.version,
        "description": load.description,
        "request_distribution": sizes.map(|of| json!({
            "percentile": of.percentile,
            "input_tokens": of.input_tokens,
            "output_tokens": of.output_tokens,
        })).collect::<Vec<_>>(),
        "latency_sla_ms": load.sla.latency.as_millis(),
        "first_token_sla_ms": load.sla.first_token.map(Nanos::as_millis),
        "served_within_sla": load.sla.within,
        "error_rate_max": load.sla.error_share,
        "warm_up_requests": load.warm_ups,
        "ramp_up_seconds": seconds(load.phases.ramp),
        "test_duration_seconds": seconds(load.phases.sustain),
        "cool_down_seconds": seconds(load.phases.cool),
    });
    match load.demand {
        Demand::Users { count, think } => {
            value["concurrent_users"] = count.into();
            value["think_time_ms"] = think.as_millis().into();
        }
        Demand::Rate { rate, constant } => {
            value["requests_per_second"] = rate.into();
            value["arrivals"] = if constant { "constant" } else { "poisson" }.into();
        }
    }
    value
}

fn settings(plan: &Plan) -> Value {
    json!({
        "seed": plan.seed,
        "timeout_seconds": plan.patience.as_secs_f64(),
        "in_flight_max": plan.in_flight_max,
        "temperature": plan.temperature,
        "prompts": plan.pool.topics().iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>(),
        "trace": plan.trace.as_ref().map(|trace| json!({
            "requests": trace.offsets.len(),
            "seconds": seconds(trace.length()),
            "sha256": sha256(trace.json_lines().as_bytes()),
        })),
        "search": plan.search.as_ref().map(|rule| json!({
            "unit": unit(&plan.step(0, Some(rule.start))),
            "start": rule.start,
            "max": rule.max,
            "resolution": rule.resolution,
            "stop_rule": STOP_RULE,
        })),
    })
}

/// What a step's load is counted in.
#[must_use]
pub fn unit(step: &Step) -> &'static str {
    match step.demand {
        Demand::Users { .. } => "users",
        Demand::Rate { .. } => "requests_per_s",
    }
}

/// What the file has of a route.
#[must_use]
pub fn route(plan: &Plan, of: &TargetResult) -> Value {
    let capacity = of.capacity(plan);
    let at_capacity = of.at_capacity(plan);
    let knees = Knees::of(&of.steps);
    json!({
        "model": of.target.model.as_str(),
        "route": of.target.route.to_string(),
        "region": of.target.region.as_deref(),
        "is_router": of.target.is_router,
        "capacity": plan.search.is_some().then(|| json!({
            "load": capacity,
            "unit": of.steps.first().map(|of| unit(&of.step)),
            "requests_per_s": at_capacity.map(|of| of.figures.completed),
            "why": of.over.map(Over::name),
            "says": of.over.map(|over| over.says(capacity.is_some())),
        })),
        "knees": {
            "saturation": knees.saturation,
            "rate_limits": knees.rate_limits,
        },
        "steps": of.steps.iter().map(|of| step(plan, of)).collect::<Vec<_>>(),
    })
}

fn step(plan: &Plan, of: &StepResult) -> Value {
    let figures = &of.figures;
    json!({
        "step": of.step.number,
        "load": { unit(&of.step): of.step.load() },
        "whole": of.whole,
        "seconds": figures.seconds,
        "n": figures.n,
        "outcomes": figures.outcomes,
        "failed": figures.failed,
        "rate_limited": figures.rate_limited,
        "timed_out": figures.timed_out,
        "unrecorded": figures.unrecorded,
        "verdict": figures.verdict(&plan.workload.sla),
        "void": figures.void,
        "rising_ms": figures.rising.map(|rise| json!({
            "from": rise.from / 1e6,
            // Null where most failed by then: infinite is no number of JSON.
            "to": rise.to.is_finite().then_some(rise.to / 1e6),
        })),
        "served": figures.served.map(share),
        "errors": figures.errors.map(share),
        "offered_requests_per_s": figures.offered,
        "completed_requests_per_s": figures.completed,
        "goodput_requests_per_s": figures.goodput,
        "input_tokens_per_s": figures.input_tokens,
        "output_tokens_per_s": figures.output_tokens,
        "user_tokens_per_s": figures.user_rate.value(1.0),
        "in_flight": figures.in_flight,
        "latency_ms": figures.latency.value(1e6),
        "latency_from_send_ms": figures.latency_sent.value(1e6),
        "first_token_ms": figures.first_token.value(1e6),
        "first_token_from_send_ms": figures.first_token_sent.value(1e6),
        "own_delay_ms": figures.own.value(1e6),
        "over_time": figures.over_time.iter().map(Slice::value).collect::<Vec<_>>(),
        "lag": figures.lag.map(lag),
        "cost_usd": figures.bill.known(),
        "answered": figures.bill.answered,
        "priced": figures.bill.priced,
        "cost_per_1000_usd": figures.bill.per_thousand(),
        "limits": {
            "requests_per_minute": Use::requests(plan, of).value(),
            "tokens_per_minute": Use::tokens(plan, of).value(),
        },
    })
}

fn share(of: Shown) -> Value {
    json!({ "value": of.value, "low": of.interval.low, "high": of.interval.high })
}

fn lag(of: Lag) -> Value {
    json!({
        "p50_ms": of.p50.as_millis(),
        "p90_ms": of.p90.as_millis(),
        "p99_ms": of.p99.as_millis(),
        "max_ms": of.max.as_millis(),
    })
}

/// How much of a limit a step used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Use {
    /// What it used a minute.
    pub used: f64,
    /// What is allowed a minute, where anybody says so.
    pub limit: Option<f64>,
    /// Who says so: `user`, or `headers`.
    pub source: Option<&'static str>,
}

impl Use {
    /// Requests a minute.
    #[must_use]
    pub fn requests(plan: &Plan, of: &StepResult) -> Self {
        let used = of.figures.offered * 60.0;
        Self::of(used, plan.rpm_limit, of.declared.requests)
    }

    /// Tokens a minute, of prompts and answers.
    #[must_use]
    pub fn tokens(plan: &Plan, of: &StepResult) -> Self {
        let used = (of.figures.input_tokens + of.figures.output_tokens) * 60.0;
        Self::of(used, plan.tpm_limit, of.declared.tokens)
    }

    fn of(used: f64, said: Option<u64>, declared: Option<Limit>) -> Self {
        let per_minute = |limit: Limit| {
            let window = limit.window.map_or(60.0, Nanos::as_secs);
            (window > 0.0).then_some(limit.limit? as f64 * 60.0 / window)
        };
        let declared = declared.and_then(per_minute);
        let source = match (said, declared) {
            (Some(_), _) => Some("user"),
            (None, Some(_)) => Some("headers"),
            (None, None) => None,
        };
        Self {
            used,
            limit: said.map(|limit| limit as f64).or(declared),
            source,
        }
    }

    /// The share of the limit that was used.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        self.limit.map(|limit| self.used / limit)
    }

    fn value(&self) -> Value {
        json!({
            "used": self.used,
            "limit": self.limit,
            "share": self.share(),
            "source": self.source,
        })
    }
}

/// Where a route bends.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Knees {
    /// The lowest load from which on more load brings (nearly) no more answers: of a rate, where
    /// less than 95 % of what is offered and meets no limit is completed, and what is missing is
    /// more than what was at work on average, of 20 requests or more; of users, where the answers per second grow
    /// by less than half of what the users grow by.
    pub saturation: Option<f64>,
    /// The lowest load at which a limit of requests or tokens was met.
    pub rate_limits: Option<f64>,
}

/// The share of what is offered that a route completes as long as it is not saturated.
const KEEPS_UP: f64 = 0.95;
/// Requests of a step from which on it says whether a route keeps up.
const TOLD_FROM: u64 = 20;
/// The share of the growth of users by which answers grow as long as it is not.
const GROWS: f64 = 0.5;

impl Knees {
    /// The knees of steps in any order; what was void says nothing of saturation.
    #[must_use]
    pub fn of(steps: &[StepResult]) -> Self {
        let mut steps: Vec<(&Step, &Figures)> = steps
            .iter()
            .filter(|of| of.figures.n > 0)
            .map(|of| (&of.step, &of.figures))
            .collect();
        steps.sort_by(|a, b| a.0.load().total_cmp(&b.0.load()));
        // A limit was met however late the request was.
        let limited = steps.iter().find(|(_, figures)| figures.rate_limited > 0);
        let limited = limited.map(|(step, _)| step.load());
        steps.retain(|(_, figures)| figures.void.is_none());
        let behind = steps.iter().find(|(step, figures)| {
            let refused = figures.rate_limited as f64 / figures.seconds;
            let missing = (figures.offered - refused) * KEEPS_UP - figures.completed;
            // What is at work when the time is over is answered after it, of whoever keeps up.
            matches!(step.demand, Demand::Rate { .. })
                && figures.n >= TOLD_FROM
                && missing * figures.seconds > figures.in_flight
        });
        let flat = steps.windows(2).find(|pair| {
            let [(low, before), (high, after)] = pair else {
                return false;
            };
            let users = high.load() / low.load() - 1.0;
            let answers = after.completed / before.completed - 1.0;
            matches!(high.demand, Demand::Users { .. }) && users > 0.0 && answers < users * GROWS
        });
        let flat = flat.and_then(|pair| pair.last());
        Self {
            saturation: behind.or(flat).map(|(step, _)| step.load()),
            rate_limits: limited,
        }
    }
}

#[cfg(test)]
#[path = "result_tests.rs"]
mod tests;
