//! Says beforehand what a benchmark will cost at most.

use std::collections::BTreeSet;

use super::ask::Conversation;
use super::plan::{Plan, Task};
use crate::config::settings::Settings;
use crate::record::{Name, PicoDollars, WallTime};

/// What a run will cost at most.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Estimate {
    /// Requests, warm-ups included.
    pub requests: u64,
    /// US dollars, if every answer is as long as it may be and no cache helps.
    pub cost: PicoDollars,
    /// Routes whose price nobody knows: they are not in it.
    pub unpriced: BTreeSet<Name>,
}

/// Bytes of a prompt per token, where nothing better is known.
const BYTES_PER_TOKEN: u64 = 4;

/// What `plan` will cost at most by the prices of `now`.
#[must_use]
pub fn estimate(plan: &Plan, settings: &Settings, now: WallTime) -> Estimate {
    let mut sum = Estimate::default();
    let mut dollars = 0.0;
    for task in plan.tasks() {
        sum.requests += u64::from(plan.turns);
        match of_task(plan, task, settings, now) {
            Some(cost) => dollars += cost,
            None => {
                let route = plan.targets[task.target].route.to_string();
                sum.unpriced.insert(Name::from(route));
            }
        }
    }
    sum.cost = PicoDollars((dollars * 1e12) as u64);
    sum
}

/// What each task of `plan` will cost at most, in their order; nothing where no price is known.
#[must_use]
pub fn of_tasks(plan: &Plan, settings: &Settings, now: WallTime) -> Vec<PicoDollars> {
    let tasks = plan.tasks().into_iter();
    let dollars = tasks.map(|task| of_task(plan, task, settings, now).unwrap_or_default());
    dollars
        .map(|dollars| PicoDollars((dollars * 1e12) as u64))
        .collect()
}

/// US dollars of all turns of a task at most; absent where the price of one is not known.
fn of_task(plan: &Plan, task: Task, settings: &Settings, now: WallTime) -> Option<f64> {
    let target = &plan.targets[task.target];
    let variant = plan.variants[task.variant];
    let prompt = Conversation::bytes_at_most(plan, task) / BYTES_PER_TOKEN;
    let each = (0..u64::from(plan.turns)).map(|turn| {
        let tokens = prompt.saturating_add(turn.saturating_mul(variant.max_tokens));
        let quote = target.quote(settings, tokens, now)?;
        Some(quote.expected(tokens, 0, variant.max_tokens as f64))
    });
    each.sum()
}
