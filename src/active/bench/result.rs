//! Writes what a run measured: one line per exchange as it comes, and one file that says it all.
//!
//! The lines are of the schema `tollgate.bench.exchange/1`: the task's number, the route and the
//! variant by their places in the plan, the turn and whether the task is done with it, what the
//! answer was, and the record as `tollgate export` has it. The file is of `tollgate.bench/1`, which
//! `docs/bench-result.schema.json` describes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::estimate::Estimate;
use super::plan::{Design, Plan};
use super::run::Measured;
use crate::active::digest::sha256;
use crate::analysis::render::exchange;
use crate::analysis::reports::bench::Quality;
use crate::record::{
    AttemptRecord, ExchangeRecord, Mark, Name, Nanos, Outcome, PicoDollars, WallTime,
};

/// Schema of a line.
pub const LINE_SCHEMA: &str = "tollgate.bench.exchange/1";
/// Schema of the file.
pub const SCHEMA: &str = "tollgate.bench/1";
/// What the file looks like, as a JSON schema.
pub const JSON_SCHEMA: &str = include_str!("../../../docs/bench-result.schema.json");

/// What a run was made with.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// Version of the program.
    pub version: &'static str,
    /// The commit that it was built of, where the build was told (`TOLLGATE_COMMIT`).
    pub commit: Option<&'static str>,
    /// SHA-256 of the program's file, in hex; absent where it cannot be read.
    pub binary: Option<String>,
    /// Name of the machine.
    pub host: Option<String>,
    /// Operating system and processor.
    pub machine: String,
    /// Release of the operating system's kernel.
    pub kernel: Option<String>,
    /// Processor cores.
    pub cores: usize,
    /// Where the machine is, as its user says.
    pub location: Option<String>,
    /// Fingerprint of the config.
    pub config: String,
    /// Version of the price table.
    pub prices: String,
    /// Version of the definitions of the numbers.
    pub definitions: u16,
}

/// What is said of a run as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// When it began.
    pub began: WallTime,
    /// When it ended.
    pub ended: WallTime,
    /// Why it ended.
    pub end: &'static str,
    /// What it was to cost at most.
    pub estimate: Estimate,
    /// What it was made with.
    pub environment: Environment,
}

/// A line for one exchange.
#[must_use]
pub fn line(measured: &Measured) -> Value {
    json!({
        "schema": LINE_SCHEMA,
        "task": measured.task,
        "route": measured.target,
        "variant": measured.variant,
        "turn": measured.turn,
        "last": measured.last,
        "quality": measured.quality.map(quality),
        "exchange": serde_json::to_value(exchange::Json(&measured.record)).unwrap_or_default(),
    })
}

/// An exchange out of its line, or what is wrong with it.
pub fn read_line(line: &str) -> Result<Measured, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    read_value(&value)
}

/// The same of JSON that was read.
pub(super) fn read_value(value: &Value) -> Result<Measured, String> {
    if value["schema"] != LINE_SCHEMA {
        return Err(format!("no line of {LINE_SCHEMA}"));
    }
    let number = |key: &str| {
        let found = value[key].as_u64();
        found.ok_or_else(|| format!("no number `{key}`"))
    };
    Ok(Measured {
        task: number("task")? as usize,
        target: number("route")? as usize,
        variant: number("variant")? as usize,
        turn: number("turn")? as u32,
        last: value["last"].as_bool().ok_or("no `last`")?,
        record: exchange::read(&value["exchange"].to_string())?,
        quality: value["quality"].as_object().map(read_quality),
    })
}

fn quality(quality: Quality) -> Value {
    json!({
        "long_enough": quality.long_enough,
        "on_topic": quality.on_topic,
        "well_formed": quality.well_formed,
    })
}

fn read_quality(of: &Map<String, Value>) -> Quality {
    let is = |key: &str| of.get(key).and_then(Value::as_bool);
    Quality {
        long_enough: is("long_enough").unwrap_or_default(),
        on_topic: is("on_topic"),
        well_formed: is("well_formed").unwrap_or_default(),
    }
}

/// The file that says it all; `patience` is how long a request was let take.
#[must_use]
pub fn file(plan: &Plan, head: &Head, patience: Nanos, all: &[Measured]) -> Value {
    let environment = &head.environment;
    json!({
        "schema": SCHEMA,
        "run": plan.run.as_str(),
        "began": head.began.rfc3339(),
        "ended": head.ended.rfc3339(),
        "end": head.end,
        "environment": environment_value(environment),
        "timeout_ms": patience.0 as f64 / 1e6,
        "plan": plan_value(plan),
        "estimate": {
            "requests": head.estimate.requests,
            "cost_usd": head.estimate.cost.as_dollars(),
            "unpriced": head.estimate.unpriced.iter().map(Name::as_str).collect::<Vec<_>>(),
        },
        "spent_usd": spent(all),
        "round_trips": round_trips(all),
        "routes": routes(plan, all),
        "exchanges": all.iter().map(line).collect::<Vec<_>>(),
    })
}

/// What a run was made with, as results have it.
#[must_use]
pub fn environment_value(environment: &Environment) -> Value {
    json!({
        "version": environment.version,
        "commit": environment.commit,
        "binary_sha256": environment.binary,
        "host": environment.host,
        "machine": environment.machine,
        "kernel": environment.kernel,
        "cores": environment.cores,
        "location": environment.location,
        "config": environment.config,
        "prices": environment.prices,
        "definitions": environment.definitions,
    })
}

/// What was asked, as far as it tells two runs apart.
#[must_use]
pub fn plan_value(plan: &Plan) -> Value {
    let (design, count) = match plan.design {
        Design::Rounds { iterations } => ("rounds", iterations),
        Design::Pairs { count } => ("pairs", count),
    };
    let mut value = json!({
        "seed": plan.seed,
        "design": design,
        "count": count,
        "warm_ups": plan.warm_ups,
        "turns": plan.turns,
        "temperature": plan.temperature,
        "tokens_min": plan.tokens_min,
        "reference": plan.reference.as_ref().map(Name::as_str),
        "routes": plan.targets.iter().map(|target| json!({
            "model": target.model.as_str(),
            "route": target.route.to_string(),
            "provider": target.route.provider.as_str(),
            "there": target.route.model.as_deref(),
            "region": target.region.as_deref(),
            "is_router": target.is_router,
        })).collect::<Vec<_>>(),
        "variants": plan.variants.iter().map(|variant| json!({
            "max_tokens": variant.max_tokens,
            "json": variant.json,
            "prompt_tokens": variant.prompt_tokens,
            "cold": variant.cold,
        })).collect::<Vec<_>>(),
        "prompts": plan.pool.topics().iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>(),
    });
    if !plan.lengths.is_empty() {
        value["lengths"] = lengths(&plan.lengths);
    }
    value
}

/// What recorded lengths of prompts tell apart.
fn lengths(lengths: &[u64]) -> Value {
    let text: Vec<String> = lengths.iter().map(u64::to_string).collect();
    json!({ "requests": lengths.len(), "sha256": sha256(text.join(" ").as_bytes()) })
}

fn spent(all: &[Measured]) -> f64 {
    let costs = all.iter().filter_map(|of| of.record.cost);
    costs.map(PicoDollars::as_dollars).sum()
}

/// How long it took to open connections to each provider: of all requests that opened one, also
/// of those that only warmed.
fn round_trips(all: &[Measured]) -> Vec<Value> {
    let mut by: BTreeMap<&Name, Vec<[Option<f64>; 3]>> = BTreeMap::new();
    let attempts = all.iter().flat_map(|of| &of.record.attempts);
    for attempt in attempts.filter(|attempt| !attempt.reused) {
        by.entry(&attempt.provider)
            .or_default()
            .push(phases(attempt));
    }
    let each = by.into_iter().map(|(provider, opened)| {
        let of = |phase: usize| {
            let mut values: Vec<f64> = opened.iter().filter_map(|of| of[phase]).collect();
            values.sort_unstable_by(f64::total_cmp);
            json!({
                "n": values.len(),
                "least_ms": values.first(),
                "median_ms": values.get(values.len() / 2),
            })
        };
        json!({
            "provider": provider.as_str(),
            "dns": of(0),
            "tcp_connect": of(1),
            "tls": of(2),
        })
    });
    each.collect()
}

/// Milliseconds of resolving the name, of connecting (one round trip, more behind a forward
/// proxy), and of TLS.
fn phases(attempt: &AttemptRecord) -> [Option<f64>; 3] {
    let span = |from: Mark, to: Mark| {
        let span = attempt.timeline.span(from, to)?;
        Some(span.0 as f64 / 1e6)
    };
    let resolved = attempt.timeline.get(Mark::Dns).map(|_| Mark::Dns);
    [
        span(Mark::PoolWait, Mark::Dns),
        span(resolved.unwrap_or(Mark::PoolWait), Mark::Connect),
        span(Mark::Connect, Mark::Tls),
    ]
}

/// Per route: how many were measured, failed, and were sent to no provider, and what the answers
/// were. The numbers of speed and cost are those of the reports.
fn routes(plan: &Plan, all: &[Measured]) -> Vec<Value> {
    let measured = |of: &&Measured| !is_warm_up(&of.record);
    let routes = plan.targets.iter().enumerate().map(|(place, target)| {
        let own: Vec<&Measured> = all
            .iter()
            .filter(measured)
            .filter(|of| of.target == place)
            .collect();
        let many = |is: &dyn Fn(&Measured) -> bool| own.iter().filter(|of| is(of)).count();
        let count = |is: &dyn Fn(Quality) -> bool| many(&|of| of.quality.is_some_and(is));
        json!({
            "model": target.model.as_str(),
            "route": target.route.to_string(),
            "n": own.len(),
            "failed": many(&|of| of.record.outcome != Outcome::Ok),
            "timed_out": many(&|of| of.record.outcome == Outcome::TimedOut),
            "unsent": many(&|of| of.record.attempts.is_empty()),
            "cold": many(&|of| of.record.attempts.last().is_some_and(|attempt| !attempt.reused)),
            "quality": {
                "judged": count(&|_| true),
                "long_enough": count(&|of| of.long_enough),
                "on_topic": count(&|of| of.on_topic != Some(false)),
                "well_formed": count(&|of| of.well_formed),
            },
        })
    });
    routes.collect()
}

/// Whether an exchange only warmed connections.
#[must_use]
pub fn is_warm_up(record: &ExchangeRecord) -> bool {
    record.active.as_ref().is_some_and(|active| active.warm_up)
}
