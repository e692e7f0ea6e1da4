//! Says beforehand what an evaluation will cost at most: answers and judges.

use super::plan::{Plan, Task};
use super::scorers::How;
use crate::active::bench::estimate::Estimate;
use crate::active::targets::Target;
use crate::config::settings::Settings;
use crate::record::{Name, PicoDollars, WallTime};

/// Bytes of a prompt per token, where nothing better is known.
const BYTES_PER_TOKEN: u64 = 4;

/// What a plan may cost.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Costs {
    /// All of it.
    pub whole: Estimate,
    /// What each task may cost, by its number: the answer and its judges.
    pub of_tasks: Vec<PicoDollars>,
}

/// What `plan` may cost by the prices of `now`, if every answer is as long as it may be.
#[must_use]
pub fn costs(plan: &Plan, settings: &Settings, now: WallTime) -> Costs {
    let mut costs = Costs::default();
    let mut sum = 0_u64;
    for number in 0..plan.len() {
        let Some(task) = plan.numbered(number) else {
            continue;
        };
        let of_task = of_task(plan, task, settings, now, &mut costs.whole);
        sum = sum.saturating_add(of_task.0);
        costs.of_tasks.push(of_task);
    }
    costs.whole.cost = PicoDollars(sum);
    costs
}

fn of_task(
    plan: &Plan,
    task: Task,
    settings: &Settings,
    now: WallTime,
    whole: &mut Estimate,
) -> PicoDollars {
    let mut dollars = 0.0;
    let mut add = |target: &Target, bytes: usize, output: u64| {
        whole.requests += 1;
        let tokens = bytes as u64 / BYTES_PER_TOKEN;
        match target.quote(settings, tokens, now) {
            Some(quote) => dollars += quote.expected(tokens, 0, output as f64),
            None => {
                whole.unpriced.insert(Name::from(target.route.to_string()));
            }
        }
    };
    let asked = plan.body(task).map_or(0, |body| body.len());
    add(&plan.targets[task.target], asked, plan.max_tokens);
    for scorer in &plan.scorers {
        if let How::Judge(judge) = &scorer.how {
            let longest = plan.max_tokens.saturating_mul(BYTES_PER_TOKEN);
            let bare = judge
                .body(&plan.items[task.item], "")
                .map_or(0, |body| body.len());
            let asked = bare.saturating_add(longest as usize);
            add(&judge.target, asked, judge.max_tokens);
        }
    }
    PicoDollars((dollars * 1e12) as u64)
}
