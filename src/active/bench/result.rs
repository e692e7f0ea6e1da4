//! Writes what a run measured: one line per exchange as it comes, and one file that says it all.
//!
//! The lines are of the schema `tollgate.bench.exchange/1`: the task's number, the turn and
//! whether the task is done with it, what the answer was, and the record as `tollgate export` has it. The file is of `tollgate.bench/1`.

use serde_json::{Map, Value, json};

use super::answer::Quality;
use super::estimate::Estimate;
use super::plan::{Design, Plan};
use super::run::Measured;
use crate::analysis::render::exchange;
use crate::record::{ExchangeRecord, Name, Outcome, PicoDollars, WallTime};

/// Schema of a line.
pub const LINE_SCHEMA: &str = "tollgate.bench.exchange/1";
/// Schema of the file.
pub const SCHEMA: &str = "tollgate.bench/1";

/// What a run was made with.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// Version of the program.
    pub version: &'static str,
    /// SHA-256 of the program's file, in hex; absent where it cannot be read.
    pub binary: Option<String>,
    /// Operating system and processor.
    pub machine: String,
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
        "turn": measured.turn,
        "last": measured.last,
        "quality": measured.quality.map(quality),
        "exchange": serde_json::to_value(exchange::Json(&measured.record)).unwrap_or_default(),
    })
}

/// An exchange out of its line, or what is wrong with it.
pub fn read_line(line: &str) -> Result<Measured, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if value["schema"] != LINE_SCHEMA {
        return Err(format!("no line of {LINE_SCHEMA}"));
    }
    let number = |key: &str| {
        let found = value[key].as_u64();
        found.ok_or_else(|| format!("no number `{key}`"))
    };
    Ok(Measured {
        task: number("task")? as usize,
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

/// The file that says it all.
#[must_use]
pub fn file(plan: &Plan, head: &Head, all: &[Measured]) -> Value {
    let environment = &head.environment;
    json!({
        "schema": SCHEMA,
        "run": plan.run.as_str(),
        "began": head.began.rfc3339(),
        "ended": head.ended.rfc3339(),
        "end": head.end,
        "environment": environment_value(environment),
        "plan": plan_value(plan),
        "estimate": {
            "requests": head.estimate.requests,
            "cost_usd": head.estimate.cost.as_dollars(),
            "unpriced": head.estimate.unpriced.iter().map(Name::as_str).collect::<Vec<_>>(),
        },
        "spent_usd": spent(all),
        "routes": routes(plan, all),
        "exchanges": all.iter().map(line).collect::<Vec<_>>(),
    })
}

/// What a run was made with, as results have it.
#[must_use]
pub fn environment_value(environment: &Environment) -> Value {
    json!({
        "version": environment.version,
        "binary_sha256": environment.binary,
        "machine": environment.machine,
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
    json!({
        "seed": plan.seed,
        "design": design,
        "count": count,
        "warm_ups": plan.warm_ups,
        "turns": plan.turns,
        "temperature": plan.temperature,
        "reference": plan.reference.as_ref().map(Name::as_str),
        "routes": plan.targets.iter().map(|target| json!({
            "model": target.model.as_str(),
            "route": target.route.to_string(),
            "is_router": target.is_router,
        })).collect::<Vec<_>>(),
        "variants": plan.variants.iter().map(|variant| json!({
            "max_tokens": variant.max_tokens,
            "json": variant.json,
            "prompt_tokens": variant.prompt_tokens,
        })).collect::<Vec<_>>(),
        "prompts": plan.pool.topics().iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>(),
    })
}

fn spent(all: &[Measured]) -> f64 {
    let costs = all.iter().filter_map(|of| of.record.cost);
    costs.map(PicoDollars::as_dollars).sum()
}

/// Per route: how many were measured and failed, and what the answers were. The numbers of speed
/// and cost are those of the reports.
fn routes(plan: &Plan, all: &[Measured]) -> Vec<Value> {
    let measured = |of: &&Measured| !is_warm_up(&of.record);
    let routes = plan.targets.iter().map(|target| {
        let of_route = |of: &&Measured| {
            let attempt = of.record.attempts.first();
            of.record.model.as_ref() == Some(&target.model)
                && attempt.is_some_and(|attempt| attempt.provider == target.route.provider)
        };
        let own: Vec<&Measured> = all.iter().filter(measured).filter(of_route).collect();
        let count = |is: &dyn Fn(Quality) -> bool| {
            own.iter()
                .filter_map(|of| of.quality)
                .filter(|of| is(*of))
                .count()
        };
        json!({
            "model": target.model.as_str(),
            "route": target.route.to_string(),
            "n": own.len(),
            "failed": own.iter().filter(|of| of.record.outcome != Outcome::Ok).count(),
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
