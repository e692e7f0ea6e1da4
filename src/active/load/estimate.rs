//! Says beforehand what a load will cost, as far as that can be said.

use super::plan::{Plan, Step};
use crate::active::targets::Target;
use crate::config::settings::Settings;
use crate::record::{PicoDollars, WallTime};
use crate::routing::pricing::Quote;
use crate::workload::agenda::{Agenda, Due};
use crate::workload::sizes::Size;
use crate::workload::spec::Demand;
use crate::workload::sweep::{Next, next};

/// What a run will cost.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Estimate {
    /// Requests of the first step of every route.
    pub requests: u64,
    /// What they cost if every answer is as long as it may be.
    pub cost: PicoDollars,
    /// Whether more may be sent: a search has further steps, and users ask again the sooner the
    /// faster they are answered. The cap holds all the same.
    pub open: bool,
    /// Routes whose price nobody knows: they are in neither this nor the cap.
    pub unpriced: Vec<String>,
}

/// Requests of a step whose lengths are looked at, at most; the rest costs as they do.
const LOOKED_AT: u64 = 10_000;

/// What `plan` will cost by the prices of `now`.
#[must_use]
pub fn estimate(plan: &Plan, settings: &Settings, now: WallTime) -> Estimate {
    let first = plan.search.as_ref().map(|rule| match next(rule, &[]) {
        Next::Try(load) => load,
        Next::Over(_) => rule.start,
    });
    let step = plan.step(0, first);
    let requests = u64::from(plan.workload.warm_ups) + requests(plan, &step);
    let looked_at = requests.clamp(1, LOOKED_AT);
    let mut estimate = Estimate {
        open: plan.search.is_some() || matches!(step.demand, Demand::Users { .. }),
        ..Estimate::default()
    };
    for target in &plan.targets {
        estimate.requests += requests;
        let Some(quote) = quote_of(plan, target, settings, now) else {
            estimate.unpriced.push(target.route.to_string());
            continue;
        };
        let sizes = (0..looked_at).map(|index| plan.sizing().of(index as u32));
        let sum: u64 = sizes.map(|size| most(Some(&quote), size).0).sum();
        let all = u128::from(sum) * u128::from(requests) / u128::from(looked_at);
        estimate.cost.0 += u64::try_from(all).unwrap_or(u64::MAX);
    }
    estimate
}

/// How many requests a step sends; of users, if each answer takes as long as it may.
fn requests(plan: &Plan, step: &Step) -> u64 {
    if let Demand::Users { count, think } = step.demand {
        let each = (plan.workload.sla.latency.0 + think.0).max(1);
        return u64::from(count) * step.phases.total().0.div_ceil(each);
    }
    let mut count = 0;
    let Agenda::Open(schedule) = plan.agenda(step) else {
        return count;
    };
    let mut agenda = Agenda::Open(schedule);
    while let Due::At(_) = agenda.due() {
        agenda.sent();
        count += 1;
    }
    count
}

/// What a target charges, where that is known.
pub(super) fn quote_of(
    plan: &Plan,
    target: &Target,
    settings: &Settings,
    now: WallTime,
) -> Option<Quote> {
    let sizes = plan.workload.sizes.percentiles();
    let longest = sizes.last().map_or(0, |last| last.input_tokens);
    target.quote(settings, longest, now)
}

/// What a request of a size costs at most; nothing where no price is known.
pub(super) fn most(quote: Option<&Quote>, size: Size) -> PicoDollars {
    let dollars = quote.map_or(0.0, |quote| {
        quote.expected(size.input_tokens, 0, size.output_tokens as f64)
    });
    PicoDollars((dollars * 1e12) as u64)
}
