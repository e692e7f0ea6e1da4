//! Writes what an evaluation measured: one line per answer as it comes, and one file that says it
//! all. Neither holds a prompt or an answer.
//!
//! A line is of the schema `tollgate.eval.answer/1`:
//!
//! | field | meaning |
//! |---|---|
//! | `task`, `item`, `trial`, `model`, `route` | the task's number in the plan, and what it asked whom |
//! | `groups` | the item's value of each field of `--group-by` |
//! | `scores` | per scorer: `score`, 0 to 1 or null; `nothing`, why an answer has none; `error`, how the scorer failed. Empty where there was no answer |
//! | `exchange` | the record, as `tollgate export` has it |
//! | `judges` | the records of those who judged it |
//!
//! The file is of `tollgate.eval/1`: `run`, `began`, `ended`, `end` (complete, interrupted,
//! `cost_cap`, unwritten), `environment`, `plan` (what tells two runs apart: seed, routes, digests of data set and
//! prompts, scorers), `estimate`, `spent_usd`, `judges_usd`, `scores` (model, route, scorer, score
//! with both ends of its interval, items) and `report` (the report as JSON).

use serde_json::{Map, Value, json};

use super::plan::Plan;
use super::run::Measured;
use crate::active::bench::result::{Head, environment_value};
use crate::analysis::render::exchange;
use crate::analysis::reports::call::calls;
use crate::analysis::reports::scores::{Asked, Scores, Standing};
use crate::analysis::scoring::Scored;
use crate::record::{ExchangeRecord, ItemMeans, Name, PicoDollars, RouteScore, WallTime};

/// Schema of a line.
pub const LINE_SCHEMA: &str = "tollgate.eval.answer/1";
/// Schema of the file.
pub const SCHEMA: &str = "tollgate.eval/1";

/// A line for one answer.
#[must_use]
pub fn line(plan: &Plan, measured: &Measured) -> Value {
    let task = plan.numbered(measured.task);
    let target = task.map(|task| &plan.targets[task.target]);
    let item = task.map(|task| &plan.items[task.item]);
    let groups: Map<String, Value> = plan
        .groups
        .iter()
        .filter_map(|field| Some((field.clone(), item?.group(field).into())))
        .collect();
    json!({
        "schema": LINE_SCHEMA,
        "task": measured.task,
        "item": item.map(|item| item.id.as_str()),
        "trial": task.map(|task| task.trial),
        "model": target.map(|target| target.model.as_str()),
        "route": target.map(|target| target.route.to_string()),
        "groups": groups,
        "scores": plan.scorers.iter().zip(&measured.scores)
            .map(|(scorer, scored)| score_value(&scorer.name, scored)).collect::<Vec<_>>(),
        "exchange": exchange_value(&measured.record),
        "judges": measured.judges.iter().map(exchange_value).collect::<Vec<_>>(),
    })
}

fn exchange_value(record: &ExchangeRecord) -> Value {
    serde_json::to_value(exchange::Json(record)).unwrap_or_default()
}

fn score_value(scorer: &str, scored: &Scored) -> Value {
    let (score, nothing, error) = match scored {
        Scored::Score(score) => (Some(*score), None, None),
        Scored::Nothing(why) => (None, Some(why), None),
        Scored::Failed(how) => (None, None, Some(how)),
    };
    json!({ "scorer": scorer, "score": score, "nothing": nothing, "error": error })
}

/// An answer out of its line, or what is wrong with it.
pub fn read_line(line: &str) -> Result<Measured, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if value["schema"] != LINE_SCHEMA {
        return Err(format!("no line of {LINE_SCHEMA}"));
    }
    let list = |key: &str| {
        value[key]
            .as_array()
            .cloned()
            .ok_or_else(|| format!("no list `{key}`"))
    };
    let judges = list("judges")?;
    let judges = judges
        .iter()
        .map(|judge| exchange::read(&judge.to_string()));
    Ok(Measured {
        task: value["task"].as_u64().ok_or("no number `task`")? as usize,
        record: exchange::read(&value["exchange"].to_string())?,
        judges: judges.collect::<Result<_, _>>()?,
        scores: list("scores")?
            .iter()
            .map(read_score)
            .collect::<Result<_, _>>()?,
    })
}

fn read_score(value: &Value) -> Result<Scored, String> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let score = value["score"].as_f64().map(Scored::Score);
    let nothing = || text("nothing").map(Scored::Nothing);
    let failed = || text("error").map(Scored::Failed);
    score
        .or_else(nothing)
        .or_else(failed)
        .ok_or_else(|| "a score that is none".to_owned())
}

/// What was asked, as far as it tells two runs apart.
#[must_use]
pub fn plan_value(plan: &Plan) -> Value {
    json!({
        "run": plan.run.as_str(),
        "seed": plan.seed,
        "set": plan.set,
        "set_sha256": plan.digests[0],
        "prompts_sha256": plan.digests[1],
        "items": plan.items.len(),
        "trials": plan.trials,
        "concurrency": plan.concurrency,
        "max_tokens": plan.max_tokens,
        "temperature": plan.temperature,
        "groups": plan.groups,
        "routes": plan.targets.iter().map(|target| json!({
            "model": target.model.as_str(),
            "route": target.route.to_string(),
            "is_router": target.is_router,
        })).collect::<Vec<_>>(),
        "scorers": plan.scorers.iter().map(super::Scorer::described).collect::<Vec<_>>(),
    })
}

/// The file that says it all.
#[must_use]
pub fn file(
    plan: &Plan,
    head: &Head,
    all: &[Measured],
    standings: &[Standing],
    report: &Value,
) -> Value {
    json!({
        "schema": SCHEMA,
        "run": plan.run.as_str(),
        "began": head.began.rfc3339(),
        "ended": head.ended.rfc3339(),
        "end": head.end,
        "environment": environment_value(&head.environment),
        "plan": plan_value(plan),
        "estimate": {
            "requests": head.estimate.requests,
            "cost_usd": head.estimate.cost.as_dollars(),
            "unpriced": head.estimate.unpriced.iter().map(Name::as_str).collect::<Vec<_>>(),
        },
        "spent_usd": spent(all.iter().map(|of| &of.record)),
        "judges_usd": spent(all.iter().flat_map(|of| &of.judges)),
        "scores": standings.iter().map(|standing| json!({
            "model": standing.model,
            "provider": standing.provider,
            "scorer": standing.scorer,
            "score": standing.score.value,
            "low": standing.score.interval.low,
            "high": standing.score.interval.high,
            "items": standing.items,
        })).collect::<Vec<_>>(),
        "report": report,
    })
}

fn spent<'a>(records: impl Iterator<Item = &'a ExchangeRecord>) -> f64 {
    let costs = records.filter_map(|record| record.cost);
    costs.map(PicoDollars::as_dollars).sum()
}

/// What the report is made of.
#[must_use]
pub fn scores(plan: &Plan, all: &[Measured]) -> Scores {
    let asked = all.iter().filter_map(|measured| {
        let task = plan.numbered(measured.task)?;
        let target = &plan.targets[task.target];
        let item = &plan.items[task.item];
        let call = calls(&measured.record, |_| true)
            .ok()
            .and_then(|mut calls| calls.pop());
        Some(Asked {
            model: target.model.to_string(),
            provider: plan.label(task.target),
            item: task.item,
            groups: plan.groups.iter().map(|field| item.group(field)).collect(),
            scores: measured.scores.clone(),
            duration: call.as_ref().and_then(|call| call.whole),
            cost: call.as_ref().and_then(|call| call.billed.or(call.cost)),
        })
    });
    let judges = all.iter().flat_map(|of| &of.judges);
    Scores {
        scorers: plan
            .scorers
            .iter()
            .map(|scorer| scorer.name.clone())
            .collect(),
        groups: plan.groups.clone(),
        asked: asked.collect(),
        judges: (judges.clone().count() as u64, spent(judges)),
    }
}

/// What routing is told: each route's scores, of a run that ended at `at`.
#[must_use]
pub fn route_scores(plan: &Plan, standings: &[Standing], at: WallTime) -> Vec<RouteScore> {
    let each = standings.iter().filter_map(|standing| {
        let of = |place: &usize| {
            plan.targets[*place].model.as_str() == standing.model
                && plan.label(*place) == standing.provider
        };
        let target = &plan.targets[(0..plan.targets.len()).find(of)?];
        let there = target.route.model.clone();
        Some(RouteScore {
            run: plan.run.clone(),
            at,
            model: target.model.clone(),
            provider: target.route.provider.clone(),
            there: there.unwrap_or_else(|| target.model.clone()),
            scorer: Name::from(standing.scorer.as_str()),
            value: standing.score.value,
            low: standing.score.interval.low,
            high: standing.score.interval.high,
            items: standing.items as u32,
            each: Some(ItemMeans {
                set: Name::from(plan.digests[0].get(..16).unwrap_or_default()),
                means: standing.means.clone(),
            }),
        })
    });
    each.collect()
}
