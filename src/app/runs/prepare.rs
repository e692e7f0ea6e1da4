//! Makes a plan of what was asked for, and says what it may cost: what is too much does not begin.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::sets;
use crate::active::asked::{AskedRun, Kind};
use crate::active::eval::scorers::How;
use crate::active::load::paper::level;
use crate::active::named::run_name;
use crate::active::probing;
use crate::active::targets::Target;
use crate::active::{bench, eval, load};
use crate::config::settings::Settings;
use crate::config::workload;
use crate::record::{Name, PicoDollars, WallTime};
use crate::ui::desk::{Announced, Refused};

/// A run that may begin.
pub(super) struct Prepared {
    /// What it asks and may cost.
    pub(super) announced: Announced,
    /// The plan.
    pub(super) plan: Planned,
    /// What it may cost.
    pub(super) cost_max: PicoDollars,
    /// Where the machine is, as its user says.
    pub(super) location: Option<String>,
}

/// The plan of a run.
pub(super) enum Planned {
    Bench(bench::Plan),
    Load(Box<load::Plan>),
    Probe(probing::Wish, Vec<Target>),
    Eval(Arc<eval::Plan>),
}

impl Planned {
    /// What tells it from other plans, of a kind that goes on where it was stopped.
    pub(super) fn told_apart(&self) -> Option<Value> {
        match self {
            Self::Bench(plan) => Some(bench::result::plan_value(plan)),
            Self::Eval(plan) => Some(eval::result::plan_value(plan)),
            Self::Load(_) | Self::Probe(..) => None,
        }
    }
}

/// What a plan may take.
struct Takes {
    requests: u64,
    cost: PicoDollars,
    open: bool,
    unpriced: Vec<String>,
    says: String,
}

/// Prompt tokens of all requests that are written out for an estimate, at most.
const WRITTEN_MAX: u64 = 50_000_000;

/// What was asked for, under `settings` and the prices of `now`; `seed` where none is given.
pub(super) fn prepare(
    asked: &AskedRun,
    settings: &Settings,
    now: WallTime,
    seed: u64,
) -> Result<Prepared, Refused> {
    let seed = asked.seed.unwrap_or(seed);
    let run = run_name(asked.run.as_deref(), seed, now).map_err(Refused::Wrong)?;
    let plan = planned(&asked.kind, settings, &run, seed).map_err(Refused::Wrong)?;
    let most = settings.runs.requests_max;
    let takes = takes(&plan, settings, most, now)?;
    if takes.requests > most {
        return Err(too_many(takes.requests, most));
    }
    let allowed = settings.runs.cost_max;
    let cost_max = asked.max_cost.map_or(allowed, of_dollars);
    if cost_max > allowed {
        return Err(Refused::Wrong(format!(
            "a run of the page may be given ${} at most: `runs.max_cost`",
            allowed.as_dollars()
        )));
    }
    if takes.cost > cost_max {
        return Err(Refused::Wrong(format!(
            "it may cost ${:.4}, which is over ${:.2}: allow more (`max_cost`), or ask less",
            takes.cost.as_dollars(),
            cost_max.as_dollars()
        )));
    }
    let routes = targets(&plan).iter().map(|of| of.route.to_string());
    Ok(Prepared {
        announced: Announced {
            run: run.to_string(),
            kind: asked.kind.name(),
            seed,
            routes: routes.collect(),
            says: takes.says,
            requests: takes.requests,
            cost: takes.cost.as_dollars(),
            open: takes.open,
            unpriced: takes.unpriced,
            cost_max: cost_max.as_dollars(),
            requests_max: most,
        },
        plan,
        cost_max,
        location: asked.location.clone(),
    })
}

fn of_dollars(dollars: f64) -> PicoDollars {
    PicoDollars((dollars.max(0.0) * 1e12) as u64)
}

fn too_many(requests: u64, most: u64) -> Refused {
    Refused::Wrong(format!(
        "{requests} requests are over the {most} of `runs.max_requests`: ask less"
    ))
}

fn targets(plan: &Planned) -> &[Target] {
    match plan {
        Planned::Bench(plan) => &plan.targets,
        Planned::Load(plan) => &plan.targets,
        Planned::Probe(_, targets) => targets,
        Planned::Eval(plan) => &plan.targets,
    }
}

fn planned(kind: &Kind, settings: &Settings, run: &Name, seed: u64) -> Result<Planned, String> {
    let run = run.clone();
    Ok(match kind {
        Kind::Bench(wish) => Planned::Bench(wish.plan(settings, run, seed)?),
        Kind::Load(wish) => {
            let chat = workload::read(workload::CHAT, "chat.yaml");
            let chat = chat.map_err(|problems| problems.to_string())?;
            Planned::Load(Box::new(wish.plan(chat, settings, run, seed)?))
        }
        Kind::Probe(wish) => Planned::Probe(wish.clone(), wish.targets(settings)?),
        Kind::Eval(wish) => {
            let folder = settings.runs.sets.as_deref();
            let read = |path: &Path| sets::read(folder, path);
            let plan = wish.plan(settings, &read, run, seed)?;
            let runs = |scorer: &&eval::Scorer| matches!(scorer.how, How::Command(_));
            if let Some(scorer) = plan.scorers.iter().find(runs) {
                return Err(format!(
                    "scorer {} runs a program, which the page does not: `tollgate eval` does",
                    scorer.name
                ));
            }
            Planned::Eval(Arc::new(plan))
        }
    })
}

fn takes(plan: &Planned, settings: &Settings, most: u64, now: WallTime) -> Result<Takes, Refused> {
    let names = |of: &std::collections::BTreeSet<Name>| of.iter().map(Name::to_string).collect();
    Ok(match plan {
        Planned::Bench(plan) => {
            // Before every prompt is written out to be priced.
            let requests = plan.requests();
            let longest = plan.variants.iter().filter_map(|of| of.prompt_tokens).max();
            if requests > most {
                return Err(too_many(requests, most));
            }
            if requests.saturating_mul(longest.unwrap_or(0)) > WRITTEN_MAX {
                let message = "so many prompts of that length are too much for the page: ask less";
                return Err(Refused::Wrong(message.to_owned()));
            }
            let found = bench::estimate::estimate(plan, settings, now);
            Takes {
                requests: found.requests,
                cost: found.cost,
                open: false,
                unpriced: names(&found.unpriced),
                says: match plan.design {
                    bench::Design::Rounds { iterations } => {
                        format!("{iterations} rounds, one request to each route in drawn order")
                    }
                    bench::Design::Pairs { count } => {
                        format!("{count} crossover pairs of each route and its reference")
                    }
                },
            }
        }
        Planned::Load(plan) => {
            let found = load::estimate::estimate(plan, settings, now);
            let step = plan.step(0, plan.search.as_ref().map(|rule| rule.start));
            let search = if plan.search.is_some() {
                "a search from "
            } else {
                ""
            };
            Takes {
                requests: found.requests,
                cost: found.cost,
                open: found.open,
                unpriced: found.unpriced,
                says: format!("{search}{}, {}", step.label(), level(plan)),
            }
        }
        Planned::Probe(wish, targets) => {
            let unknown = |target: &&Target| {
                probing::cost_of(target, wish.max_tokens, settings, now).is_none()
            };
            let unknown = targets.iter().filter(unknown);
            Takes {
                requests: targets.len() as u64 * u64::from(wish.round("").calls()),
                cost: wish.cost(targets, settings, now),
                open: false,
                unpriced: unknown.map(|of| of.route.to_string()).collect(),
                says: format!("{} tokens of each route", wish.max_tokens),
            }
        }
        Planned::Eval(plan) => {
            let judges = plan.scorers.iter();
            let judges = judges.filter(|of| matches!(of.how, How::Judge(_))).count();
            let requests = plan.len() as u64 * (1 + judges as u64);
            if requests > most {
                return Err(too_many(requests, most));
            }
            let found = eval::estimate::costs(plan, settings, now).whole;
            Takes {
                requests: found.requests,
                cost: found.cost,
                open: false,
                unpriced: names(&found.unpriced),
                says: format!(
                    "{} items of {}, {} times",
                    plan.items.len(),
                    plan.set,
                    plan.trials
                ),
            }
        }
    })
}
