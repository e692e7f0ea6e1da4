//! Says beforehand what a load will cost, as far as that can be said.

use super::plan::{Plan, Step};
use crate::active::targets::Target;
use crate::config::settings::Settings;
use crate::record::{Nanos, PicoDollars, WallTime};
use crate::routing::pricing::Quote;
use crate::workload::agenda::Due;
use crate::workload::sizes::Size;
use crate::workload::spec::Demand;
use crate::workload::sweep::{Rule, soonest};

/// What a run will cost.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Estimate {
    /// Requests of the first step of every route.
    pub requests: u64,
    /// What they cost if every answer is as long as it may be.
    pub cost: PicoDollars,
    /// Whether more may be sent: a search has further steps, and users ask again the sooner the
    /// faster they are answered, and of very many that come by chance the mean alone is told. The
    /// cap holds all the same.
    pub open: bool,
    /// Routes whose price nobody knows: they are in neither this nor the cap.
    pub unpriced: Vec<String>,
}

/// Requests of a step whose lengths are looked at, at most; the rest costs as they do.
const LOOKED_AT: u64 = 10_000;

/// What `plan` will cost by the prices of `now`.
#[must_use]
pub fn estimate(plan: &Plan, settings: &Settings, now: WallTime) -> Estimate {
    let step = plan.step(0, plan.search.as_ref().map(Rule::first));
    let (due, counted) = requests(plan, &step);
    let requests = due.saturating_add(u64::from(plan.workload.warm_ups));
    let looked_at = requests.clamp(1, LOOKED_AT);
    let mut estimate = Estimate {
        open: plan.search.is_some() || !counted,
        ..Estimate::default()
    };
    for target in &plan.targets {
        estimate.requests = estimate.requests.saturating_add(requests);
        let Some(quote) = quote_of(plan, target, settings, now) else {
            estimate.unpriced.push(target.route.to_string());
            continue;
        };
        let sizes = (0..looked_at).map(|index| plan.sizing().of(index as u32));
        let each = sizes.map(|size| u128::from(most(Some(&quote), size).0));
        let all = each.sum::<u128>().saturating_mul(u128::from(requests)) / u128::from(looked_at);
        let all = u64::try_from(all).unwrap_or(u64::MAX);
        estimate.cost.0 = estimate.cost.0.saturating_add(all);
    }
    estimate
}

/// How long a search takes at least, of all routes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Searching {
    /// Steps of each route, at least.
    pub steps: usize,
    /// The shortest and the longest time of the first of them.
    pub first: (Nanos, Nanos),
    /// The shortest time of all.
    pub least: Nanos,
}

/// How long the search of `plan` takes; absent where nothing is searched for.
#[must_use]
pub fn searching(plan: &Plan) -> Option<Searching> {
    let rule = plan.search.as_ref()?;
    let ways = soonest(rule);
    let length = |loads: &Vec<f64>| {
        let spans = loads
            .iter()
            .map(|load| plan.step(0, Some(*load)).shortest());
        spans.fold(0_u64, |sum, span| sum.saturating_add(span.0))
    };
    let each = ways.iter().map(length).min().unwrap_or_default();
    let first = plan.step(0, Some(rule.first()));
    Some(Searching {
        steps: ways.iter().map(Vec::len).min().unwrap_or_default(),
        first: (first.shortest(), first.phases.total()),
        least: Nanos(each.saturating_mul(plan.targets.len() as u64)),
    })
}

/// Requests that are drawn to be counted, at most.
const COUNTED: f64 = 100_000.0;

/// How many requests a step sends, and whether that is their number: of users it is so many if
/// each answer takes as long as it may, of very many that come by chance it is the mean.
pub(super) fn requests(plan: &Plan, step: &Step) -> (u64, bool) {
    let rate = match (&plan.trace, step.demand) {
        (Some(trace), _) => {
            let end = step.phases.total();
            let due = trace.offsets.partition_point(|at| *at < end);
            return (due as u64, true);
        }
        (None, Demand::Users { count, think }) => {
            let each = plan.workload.sla.latency.0.saturating_add(think.0).max(1);
            let turns = step.phases.total().0.div_ceil(each);
            return (u64::from(count).saturating_mul(turns), false);
        }
        (None, Demand::Rate { rate, .. }) => rate,
    };
    let mean = rate * step.phases.full_load();
    if mean > COUNTED {
        return (mean.round() as u64, false);
    }
    let mut agenda = plan.agenda(step);
    let mut count = 0;
    while let Due::At(_) = agenda.due() {
        agenda.sent();
        count += 1;
    }
    (count, true)
}

/// What a target charges, where that is known.
pub(super) fn quote_of(
    plan: &Plan,
    target: &Target,
    settings: &Settings,
    now: WallTime,
) -> Option<Quote> {
    target.quote(settings, plan.longest_prompt(), now)
}

/// What a request of a size costs at most; nothing where no price is known.
pub(super) fn most(quote: Option<&Quote>, size: Size) -> PicoDollars {
    let dollars = quote.map_or(0.0, |quote| {
        quote.expected(size.input_tokens, 0, size.output_tokens as f64)
    });
    PicoDollars((dollars * 1e12) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::active::load::plan::tests::plan;

    #[test]
    fn a_search_says_how_long_it_takes_at_least() {
        let mut plan = plan(Demand::Users {
            count: 2,
            think: Nanos(0),
        });
        assert_eq!(searching(&plan), None);
        plan.search = Some(Rule {
            start: 2.0,
            max: 4.0,
            resolution: 0.5,
            whole: true,
        });
        plan.targets.push(plan.targets[0].clone());
        let found = searching(&plan).unwrap();
        // A ramp of 1 s and 10 s; 2, 4 and 4 users, each route for itself.
        let seconds = |seconds: u64| Nanos::from_millis(seconds * 1_000);
        assert_eq!((found.steps, found.least), (3, seconds(2 * 3 * 11)));
        let (shortest, longest) = found.first;
        assert!(
            shortest == seconds(11) && longest > seconds(100),
            "{found:?}"
        );
    }
}
