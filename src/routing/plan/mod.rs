//! Orders the candidates of one exchange: a pure function of them, of the request's facts, of what
//! is remembered, and of two draws.

use crate::record::Moment;
use crate::routing::health::Barred;
use crate::routing::learned::Prompt;
use crate::routing::policy::{Outlook, Policy, Ranking};

pub use crate::routing::candidate::{Ask, Candidate, Constraints, ModelMemory};

/// The share of requests that go to a route drawn evenly, in every policy that learns: without it
/// nothing more would be learned of a route that once was slow, and no policy could be judged from
/// the records of another.
pub const EXPLORED: f64 = 0.02;
/// The largest share of a model's routes that breakers may take out.
pub const EJECTED_MAX: f64 = 0.9;

/// Why a candidate is not among the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// No credential may be sent there.
    NoCredential,
    /// It answers from another region than those allowed, or nobody knows from where.
    Region,
    /// Its data stays elsewhere than allowed, or nobody knows where.
    Residency,
    /// Its window is too small.
    Context,
    /// It is not shown to reach the score that it must.
    Score,
    /// Nobody has scored it, and it must reach a score.
    ScoreUnknown,
    /// It would cost more than the request may.
    Cost,
    /// Its price is above the cap.
    PriceCap,
    /// Nobody knows its price, and there is a limit on it.
    PriceUnknown,
    /// Its health bars it, until the given moment where that is known.
    Barred(Barred, Option<Moment>),
}

impl LeftOut {
    /// The name used in explanations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoCredential => "no_credential",
            Self::Region => "region",
            Self::Residency => "residency",
            Self::Context => "context_too_small",
            Self::Score => "min_score",
            Self::ScoreUnknown => "score_unknown",
            Self::Cost => "max_cost",
            Self::PriceCap => "price_cap",
            Self::PriceUnknown => "price_unknown",
            Self::Barred(barred, _) => barred.name(),
        }
    }
}

/// Numbers of `[0, 1)` that decide what is left to chance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Draws {
    /// Whether to explore.
    pub explore: f64,
    /// Which one is drawn.
    pub pick: f64,
}

/// What to try, in order, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Indexes of candidates, best first.
    pub steps: Vec<usize>,
    /// Name of the policy that ordered them.
    pub policy: &'static str,
    /// Why the first is first.
    pub reason: &'static str,
    /// The policy's score of each candidate, the lowest best; absent for those it did not judge.
    pub scores: Vec<Option<f64>>,
    /// Each candidate's chance of being first.
    pub propensities: Vec<f64>,
    /// Candidates that are not among the steps, and why.
    pub left_out: Vec<(usize, LeftOut)>,
    /// Whether the first was drawn to learn of it.
    pub explored: bool,
}

/// Orders `candidates` for `ask` by `policy`.
///
/// First what no route may break is held against each. Of the rest those that health lets through
/// are ranked; who is not expected to be done in time comes behind who is: late is better than
/// never. Other models than the one asked for come after all of it. Where health lets nobody
/// through at all, the least bad is tried: a provider's own answer says more than none.
#[must_use]
pub fn plan(
    policy: &Policy,
    ask: &Ask,
    candidates: &[Candidate],
    memory: &ModelMemory,
    draws: Draws,
) -> Plan {
    let mut plan = Plan {
        steps: Vec::with_capacity(candidates.len()),
        policy: policy.name(),
        reason: "no_route",
        scores: vec![None; candidates.len()],
        propensities: vec![0.0; candidates.len()],
        left_out: Vec::new(),
        explored: false,
    };
    // In the order in which they are tried: the model's own in time, and late; then others'.
    let mut groups: [Vec<usize>; 4] = Default::default();
    for (at, candidate) in candidates.iter().enumerate() {
        match forbidden(ask, candidate) {
            Some(why) => plan.left_out.push((at, why)),
            None => {
                let late = usize::from(is_late(ask, candidate));
                groups[2 * usize::from(candidate.other_model) + late].push(at);
            }
        }
    }
    let mut barred = Vec::new();
    for group in groups.iter().filter(|group| !group.is_empty()) {
        barred.extend(add(
            &mut plan, policy, ask, candidates, memory, draws, group,
        ));
    }
    if plan.steps.is_empty() {
        barred = least_bad(&mut plan, candidates, barred);
    }
    plan.left_out.extend(barred);
    plan
}

/// Adds the steps of one group of candidates behind those that stand; returns those of the group
/// that health bars.
fn add(
    plan: &mut Plan,
    policy: &Policy,
    ask: &Ask,
    candidates: &[Candidate],
    memory: &ModelMemory,
    draws: Draws,
    group: &[usize],
) -> Vec<(usize, LeftOut)> {
    let first = plan.steps.is_empty();
    let (open, near, barred) = sorted_by_health(ask, candidates, group);
    let served = if open.is_empty() { &near } else { &open };
    if served.is_empty() {
        return barred;
    }
    let standing: Vec<&Candidate> = served.iter().map(|at| &candidates[*at]).collect();
    let ranking = policy.rank(ask, &Outlook::all(&standing), memory);
    for (place, at) in served.iter().enumerate() {
        plan.scores[*at] = Some(ranking.scores[place]);
    }
    let (chances, floor) = chances(policy, &ranking);
    let mut order: Vec<usize> = (0..served.len()).collect();
    order.sort_by(|a, b| ranking.scores[*a].total_cmp(&ranking.scores[*b]));
    if first {
        let explored = draws.explore < floor;
        let chosen = if explored {
            (draws.pick * served.len() as f64) as usize
        } else {
            drawn(&ranking, draws.pick)
        };
        let chosen = chosen.min(served.len() - 1);
        for (place, at) in served.iter().enumerate() {
            plan.propensities[*at] = chances[place];
        }
        order.retain(|place| *place != chosen);
        order.insert(0, chosen);
        plan.explored = explored;
        plan.reason = match (explored, served.len(), open.is_empty()) {
            (_, 1, false) if !near.is_empty() => "others_near_limit",
            (_, 1, _) => "only_route",
            (true, ..) => "explored",
            (false, _, true) => "near_limit",
            _ => ranking.reason,
        };
    }
    plan.steps
        .extend(order.into_iter().map(|place| served[place]));
    if !open.is_empty() {
        plan.steps.extend(near);
    }
    barred
}

/// The chance of each to go first, and the share of it that exploration has.
fn chances(policy: &Policy, ranking: &Ranking) -> (Vec<f64>, f64) {
    let count = ranking.scores.len();
    let floor = if policy.is_adaptive() && count > 1 && !ranking.stays {
        EXPLORED
    } else {
        0.0
    };
    let best = ranking.best();
    let own = |at: usize| match &ranking.shares {
        Some(shares) => shares[at],
        None if at == best => 1.0,
        None => 0.0,
    };
    let mixed = |at| (1.0 - floor) * own(at) + floor / count as f64;
    ((0..count).map(mixed).collect(), floor)
}

/// The place that the policy itself puts first.
fn drawn(ranking: &Ranking, pick: f64) -> usize {
    let Some(shares) = &ranking.shares else {
        return ranking.best();
    };
    let mut sum = 0.0;
    for (at, share) in shares.iter().enumerate() {
        sum += share;
        if pick < sum {
            return at;
        }
    }
    // Rounding: the last one with a share.
    shares.iter().rposition(|share| *share > 0.0).unwrap_or(0)
}

type ByHealth = (Vec<usize>, Vec<usize>, Vec<(usize, LeftOut)>);

/// The candidates that may be tried, those about to be limited, and those that health bars.
fn sorted_by_health(ask: &Ask, candidates: &[Candidate], group: &[usize]) -> ByHealth {
    let tokens = ask.prompt_tokens + ask.all_output_tokens() as u64;
    let (mut open, mut near, mut barred) = (Vec::new(), Vec::new(), Vec::new());
    for at in group.iter().copied() {
        let health = &candidates[at].health;
        match health.barred {
            Some((why, until)) => barred.push((at, LeftOut::Barred(why, until))),
            None if health.is_near_limit(tokens) => near.push(at),
            None => open.push(at),
        }
    }
    // Breakers may not take out more than their share: when all fail at once, the fault is
    // likelier here than there.
    let may = (EJECTED_MAX * group.len() as f64).floor() as usize;
    let mut ejected: Vec<usize> = (0..barred.len())
        .filter(|place| matches!(barred[*place].1, LeftOut::Barred(Barred::Open, _)))
        .collect();
    if ejected.len() > may && ejected.len() < group.len() {
        ejected.sort_by_key(|place| std::cmp::Reverse(badness(&barred[*place].1)));
        let mut back: Vec<usize> = ejected.split_off(may);
        back.sort_unstable_by(|a, b| b.cmp(a));
        for place in back {
            open.push(barred.remove(place).0);
        }
    }
    (open, near, barred)
}

/// All are barred: those that may be well again without anybody knowing it, the least bad first, of
/// the model asked for before another. Who wants to be left alone is, so long as there is one of
/// them: a request within its wait only makes that longer. Returns those.
fn least_bad(
    plan: &mut Plan,
    candidates: &[Candidate],
    mut barred: Vec<(usize, LeftOut)>,
) -> Vec<(usize, LeftOut)> {
    let may_be_well = |why: &LeftOut| {
        matches!(
            why,
            LeftOut::Barred(Barred::Open | Barred::Full | Barred::Trial, _)
        )
    };
    barred.sort_by_key(|(at, why)| {
        let candidate = &candidates[*at];
        let last = (!may_be_well(why), candidate.other_model);
        (last, badness(why), candidate.health.consecutive, *at)
    });
    let Some((best, _)) = barred.first() else {
        return barred;
    };
    plan.reason = "least_bad";
    plan.propensities[*best] = 1.0;
    plan.steps.push(*best);
    let (tried, left): (Vec<_>, Vec<_>) = barred
        .into_iter()
        .skip(1)
        .partition(|(_, why)| may_be_well(why));
    plan.steps.extend(tried.into_iter().map(|(at, _)| at));
    left
}

/// How bad a bar is: what is over soonest is least so.
const fn badness(why: &LeftOut) -> (u8, u64) {
    match why {
        LeftOut::Barred(barred, until) => barred.badness(*until),
        _ => (u8::MAX, u64::MAX),
    }
}

/// What no route may break.
fn forbidden(ask: &Ask, candidate: &Candidate) -> Option<LeftOut> {
    if !candidate.usable {
        return Some(LeftOut::NoCredential);
    }
    let terms = candidate.terms.as_deref();
    broken(&ask.constraints, ask, candidate)
        .or_else(|| terms.and_then(|terms| broken(terms, ask, candidate)))
}

/// Which of `limits` a candidate breaks.
fn broken(limits: &Constraints, ask: &Ask, candidate: &Candidate) -> Option<LeftOut> {
    let allowed = |of: &Option<_>, all: &[_]| {
        all.is_empty() || of.as_ref().is_some_and(|name| all.contains(name))
    };
    if !allowed(&candidate.region, &limits.regions) {
        return Some(LeftOut::Region);
    }
    if !allowed(&candidate.residency, &limits.residency) {
        return Some(LeftOut::Residency);
    }
    if candidate.context.is_some_and(|has| has < ask.context()) {
        return Some(LeftOut::Context);
    }
    if let Some(min) = &limits.min_score {
        match candidate.score_low {
            Some(low) if low < min.at_least => return Some(LeftOut::Score),
            None if !min.unknown_passes => return Some(LeftOut::ScoreUnknown),
            _ => {}
        }
    }
    if !limits.are_of_price() {
        return None;
    }
    let Some(quote) = candidate.quote else {
        return Some(LeftOut::PriceUnknown);
    };
    let above = |price: f64, cap: Option<crate::routing::pricing::Rate>| {
        cap.is_some_and(|cap| price > cap.0 as f64 / 1e12 * (1.0 + 1e-12))
    };
    if above(quote.input, limits.input_max) || above(quote.output, limits.output_max) {
        return Some(LeftOut::PriceCap);
    }
    let cost = quote.expected(ask.prompt_tokens, 0, ask.all_output_tokens());
    let over = limits.cost_max.is_some_and(|max| cost > max.as_dollars());
    over.then_some(LeftOut::Cost)
}

/// Whether a route that is known would hardly answer in time.
fn is_late(ask: &Ask, candidate: &Candidate) -> bool {
    /// Samples from which on a route is known.
    const KNOWN: u64 = 5;
    let Some(deadline) = ask.constraints.deadline else {
        return false;
    };
    let total = candidate.expected.total_ms(
        Prompt {
            tokens: ask.prompt_tokens,
            reasons: ask.reasons,
        },
        ask.output_tokens,
        1.0,
    );
    candidate.expected.samples >= KNOWN && total > deadline.as_millis()
}

/// The policy `ordered` without any knowledge: candidates in the order of the config, unusable
/// ones left out.
#[must_use]
pub fn ordered(candidates: &[Candidate], how_found: &'static str) -> Plan {
    let steps: Vec<_> = (0..candidates.len())
        .filter(|index| candidates[*index].usable)
        .collect();
    let reason = match steps.first() {
        None => "no_credential",
        Some(0) => how_found,
        Some(_) => "first_with_credential",
    };
    let mut propensities = vec![0.0; candidates.len()];
    if let Some(first) = steps.first() {
        propensities[*first] = 1.0;
    }
    let unusable = (0..candidates.len()).filter(|index| !candidates[*index].usable);
    Plan {
        policy: "ordered",
        reason,
        scores: vec![None; candidates.len()],
        propensities,
        left_out: unusable.map(|at| (at, LeftOut::NoCredential)).collect(),
        explored: false,
        steps,
    }
}

#[cfg(test)]
mod tests;
