//! Says beforehand what a benchmark will cost at most.

use std::collections::BTreeSet;

use super::ask::Conversation;
use super::plan::Plan;
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
        let target = &plan.targets[task.target];
        let variant = plan.variants[task.variant];
        let prompt = Conversation::bytes_at_most(plan, task) / BYTES_PER_TOKEN;
        for turn in 0..u64::from(plan.turns) {
            sum.requests += 1;
            let tokens = prompt.saturating_add(turn.saturating_mul(variant.max_tokens));
            match target.quote(settings, tokens, now) {
                Some(quote) => dollars += quote.expected(tokens, 0, variant.max_tokens as f64),
                None => {
                    sum.unpriced.insert(Name::from(target.route.to_string()));
                }
            }
        }
    }
    sum.cost = PicoDollars((dollars * 1e12) as u64);
    sum
}
