//! Weighs the ways of a request against each other, by the policy and by what is known of each.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, StatusCode};

use super::canaries;
use super::candidates::{Way, Ways, is_usable};
use super::names::{DEADLINE, MAX_COST, OURS, POLICY, REGION};
use super::quotes::Quotes;
use super::reject::Reject;
use super::secret::Hasher;
use super::speech::Unsayable;
use crate::config::settings::{ModelRoutes, RuleSettings, Settings};
use crate::record::{
    Considered, Decision, ExchangeRecord, Moment, Name, Nanos, PicoDollars, WallTime,
};
use crate::recorder::standing::{Board, Standing};
use crate::routing::candidate::Prefix;
use crate::routing::plan::{self, Ask, Candidate, Constraints, Draws, LeftOut, ModelMemory, Plan};
use crate::routing::policy::{By, Policy};
use crate::routing::pricing;
use crate::routing::rules::{self, Facts};
use crate::routing::score::MinScore;

/// What weighing looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scales<'a> {
    /// The settings.
    pub(super) settings: &'a Settings,
    /// What is known of every route.
    pub(super) standing: &'a Standing,
    /// What routes cost.
    pub(super) quotes: &'a Quotes,
    /// Hashes credentials.
    pub(super) hasher: &'a Hasher,
    /// Whether a provider's credentials go in their order, and do not take turns.
    pub(super) in_order: bool,
    /// Now, and its date.
    pub(super) now: (Moment, WallTime),
    /// What the prompt has in common with others, where a policy asks.
    pub(super) prefix: Option<Prefix>,
}

/// What the request itself asks of its routing.
#[derive(Debug, Default, PartialEq)]
struct Wishes {
    policy: Option<Policy>,
    cost_max: Option<PicoDollars>,
    deadline: Option<Nanos>,
    region: Option<Name>,
}

/// Whether a policy that may come to weigh the ways of `found` recognises prompts by their beginning.
pub(super) fn asks_for_prefix(found: &Ways, settings: &Settings) -> bool {
    let own = found.routes.as_ref().map(|routes| &routes.policy);
    let rules = settings
        .rules
        .iter()
        .filter_map(|rule| rule.policy.as_ref());
    own.into_iter().chain(rules).any(Policy::is_by_prefix)
}

/// The order in which the ways of `found` are to be tried for `draft`, and what was weighed.
pub(super) fn weigh(
    scales: Scales<'_>,
    found: &Ways,
    draft: &ExchangeRecord,
    headers: &HeaderMap,
) -> Result<(Plan, Option<Decision>), Reject> {
    let wishes = wishes(headers)?;
    let nothing_to_weigh = found.ways.len() == 1
        && found.routes.is_none()
        && limits(found).is_none_or(|of| !of.constraints.are_any())
        && scales.settings.rules.is_empty()
        && wishes == Wishes::default();
    if nothing_to_weigh {
        let bare: Vec<_> = found.ways.iter().map(bare).collect();
        return Ok((plan::ordered(&bare, found.how), None));
    }
    let draws = Draws {
        explore: fastrand::f64(),
        pick: fastrand::f64(),
    };
    let weighed = scales
        .standing
        .with(|board| weigh_by(board, scales, found, draft, &wishes, draws));
    if weighed.0.steps.is_empty() {
        return Err(no_route(&weighed.0, found));
    }
    Ok(weighed)
}

/// The model whose hard limits hold for the request: those that may stand in for it come last.
fn limits(found: &Ways) -> Option<&ModelRoutes> {
    found.ways.first()?.limits.as_deref()
}

/// A way of which nothing further needs to be known.
fn bare(way: &Way) -> Candidate {
    Candidate::new(way.provider.name.clone(), way.model.clone(), is_usable(way))
}

fn weigh_by(
    board: &mut Board,
    scales: Scales<'_>,
    found: &Ways,
    draft: &ExchangeRecord,
    wishes: &Wishes,
    draws: Draws,
) -> (Plan, Option<Decision>) {
    let weighed = join(board, scales, found, draft, wishes, draws);
    let Weighed {
        mut plan,
        candidates,
        admitted,
        spares,
        rule,
        policy,
        ..
    } = weighed;
    if let (Some(first), false) = (plan.steps.first(), plan.explored) {
        let route = candidates[*first].route();
        if let Some(memory) = board.memory(&draft.model.clone().unwrap_or_default()) {
            memory.chosen(&route, scales.now.0);
            if let Policy::CheapestWithinSlo {
                first_token,
                probability,
            } = policy
            {
                memory.aims(first_token, probability);
            }
        }
    }
    spread(&mut plan, &admitted, found.ways.len());
    let heads = heads(&found.ways, &admitted);
    let decision = (heads.len() > 1).then(|| decision(&plan, found, (&heads, &admitted), rule));
    follow(&mut plan, &admitted, &spares);
    (plan, decision)
}

/// What was weighed, by the places of the admitted ways.
struct Weighed {
    policy: Policy,
    plan: Plan,
    candidates: Vec<Candidate>,
    /// The places of the candidates among all ways.
    admitted: Vec<usize>,
    /// The ways that are the same route by another of its provider's credentials, the least limited
    /// first, for each of the candidates.
    spares: Vec<Vec<usize>>,
    /// Place of the rule that matched.
    rule: Option<usize>,
    /// Tokens expected of the answer.
    output_tokens: f64,
}

/// Joins what is known of the ways, and plans.
fn join(
    board: &Board,
    scales: Scales<'_>,
    found: &Ways,
    draft: &ExchangeRecord,
    wishes: &Wishes,
    draws: Draws,
) -> Weighed {
    let Scales { settings, now, .. } = scales;
    let spent = board.spending.of_month(now.1).known;
    let rules = settings.rules.iter().map(|rule| &rule.rule);
    let facts = facts(board, draft, wishes, settings, now, spent);
    let place = rules::first(rules, &facts).filter(|_| !is_chosen(found.how));
    let rule = place.and_then(|place| settings.rules.get(place));
    let routes = found.routes.as_deref();
    let policy = wishes
        .policy
        .as_ref()
        .or_else(|| rule?.policy.as_ref())
        .or_else(|| Some(&routes?.policy))
        .cloned()
        .unwrap_or_default();
    let mut constraints =
        limits(found).map_or_else(Constraints::default, |of| of.constraints.clone());
    tighten(&mut constraints, rule, wishes);
    if draft.active.is_some() {
        // Who measures a route asks it whatever its score: else none could be scored again.
        constraints.min_score = None;
    }
    let needs_prices = policy.needs_prices() || constraints.are_of_price();
    let prompt_tokens = draft.request.prompt_tokens_estimated.unwrap_or(0);
    let model = draft.model.clone().unwrap_or_default();
    let max_tokens = draft.request.max_tokens;
    let lengths = &board.learned.lengths;
    let ask = Ask {
        now: now.0,
        prompt_tokens,
        reasons: draft.request.reasons(),
        output_tokens: lengths.expected(&model, draft.client_key, max_tokens),
        max_tokens,
        choices: draft.request.choices,
        session: draft.session.map(|session| session.hash),
        prefix: scales.prefix.map(|prefix| prefix.hash),
        constraints,
    };
    let (admitted, spares) = least_limited(
        board,
        scales,
        &found.ways,
        admitted(&found.ways, rule),
        prompt_tokens,
    );
    let candidates: Vec<Candidate> = admitted
        .iter()
        .map(|index| {
            candidate(
                board,
                &found.ways[*index],
                scales,
                prompt_tokens,
                needs_prices,
                ask.constraints.min_score.as_ref(),
            )
        })
        .collect();
    let nothing = ModelMemory::default();
    let memory = board.memories.get(&model).unwrap_or(&nothing);
    let mut plan = plan::plan(&policy, &ask, &candidates, memory, draws);
    if policy == Policy::Ordered && plan.steps.first() == Some(&0) {
        plan.reason = found.how;
    }
    Weighed {
        policy,
        plan,
        candidates,
        admitted,
        spares,
        rule: place,
        output_tokens: ask.output_tokens,
    }
}

/// How a request would be weighed that is asked for with nothing but `draft`, by nobody's draw.
/// Nothing is remembered of it.
pub(super) fn foreseen(
    board: &Board,
    scales: Scales<'_>,
    found: &Ways,
    draft: &ExchangeRecord,
) -> Foreseen {
    let draws = Draws {
        explore: 1.0,
        pick: 0.0,
    };
    let weighed = join(board, scales, found, draft, &Wishes::default(), draws);
    let Weighed {
        mut plan,
        admitted,
        rule,
        output_tokens,
        ..
    } = weighed;
    spread(&mut plan, &admitted, found.ways.len());
    // Of several chances the largest stands for all.
    let chances = &plan.propensities;
    let likeliest = (0..chances.len()).max_by(|a, b| {
        // Of equal ones the earlier.
        chances[*a].total_cmp(&chances[*b]).then(b.cmp(a))
    });
    if let Some(first) = likeliest.filter(|place| chances[*place] > 0.0) {
        plan.steps.retain(|place| *place != first);
        plan.steps.insert(0, first);
    }
    let heads = heads(&found.ways, &admitted);
    let left_out = |index: usize| {
        let why = plan.left_out.iter().find(|(place, _)| *place == index);
        let why = why.map(|(_, why)| why.name());
        why.or((!admitted.contains(&index)).then(|| not_admitted(&found.ways[index])))
    };
    Foreseen {
        left_out: (0..found.ways.len()).map(left_out).collect(),
        heads,
        plan,
        rule,
        output_tokens,
    }
}

/// What would be done with a request; places are those of all ways.
pub(super) struct Foreseen {
    /// The plan, the likeliest first.
    pub(super) plan: Plan,
    /// The places of the routes: of each the way with the credential that would be taken.
    pub(super) heads: Vec<usize>,
    /// Why each way would not be tried.
    pub(super) left_out: Vec<Option<&'static str>>,
    /// Place of the rule that matches.
    pub(super) rule: Option<usize>,
    /// Tokens expected of the answer.
    pub(super) output_tokens: f64,
}

fn facts<'a>(
    board: &'a Board,
    draft: &'a ExchangeRecord,
    wishes: &'a Wishes,
    settings: &'a Settings,
    (at, now): (Moment, WallTime),
    spent: PicoDollars,
) -> Facts<'a> {
    let request = &draft.request;
    let region = wishes.region.as_ref().or(settings.failover.region.as_ref());
    Facts {
        model: draft.model.as_deref(),
        tags: &draft.tags,
        client_key: draft.client_key,
        endpoint: &draft.endpoint,
        language: draft.language,
        prompt_tokens: request.prompt_tokens_estimated.unwrap_or(0),
        stream: request.stream,
        json: request
            .response_format
            .as_deref()
            .is_some_and(|format| format != "text"),
        tools: request.tools.is_some_and(|tools| tools > 0),
        region: region.map(Name::as_str),
        now,
        spent: Some(spent),
        learned: &board.learned,
        at,
    }
}

/// Whether the request itself names the provider: rules choose where it leaves the choice.
fn is_chosen(how: &str) -> bool {
    matches!(how, "pinned" | "base_url" | "provider_prefix")
}

/// What the rule and the request add to what no route may break; neither takes anything away.
fn tighten(constraints: &mut Constraints, rule: Option<&RuleSettings>, wishes: &Wishes) {
    let regions = rule.map_or(&[][..], |rule| &rule.regions);
    if !regions.is_empty() {
        if constraints.regions.is_empty() {
            constraints.regions = regions.to_vec();
        } else {
            constraints
                .regions
                .retain(|region| regions.contains(region));
            if constraints.regions.is_empty() {
                // No region is in both lists, and an empty list would allow them all.
                constraints.regions = vec![Name::default()];
            }
        }
    }
    let costs = [
        constraints.cost_max,
        rule.and_then(|rule| rule.cost_max),
        wishes.cost_max,
    ];
    constraints.cost_max = costs.into_iter().flatten().min();
    let deadlines = [constraints.deadline, wishes.deadline];
    constraints.deadline = deadlines.into_iter().flatten().min();
}

/// The ways that the request can be said to and the rule lets through, in its order.
fn admitted(ways: &[Way], rule: Option<&RuleSettings>) -> Vec<usize> {
    let sayable = |index: &usize| ways[*index].speech.unsayable().is_none();
    let providers = rule.map_or(&[][..], |rule| &rule.routes);
    if providers.is_empty() {
        return (0..ways.len()).filter(sayable).collect();
    }
    let of = |name: &Name| {
        let name = name.clone();
        (0..ways.len()).filter(move |index| ways[*index].provider.name == name)
    };
    providers.iter().flat_map(of).filter(sayable).collect()
}

/// Why a way was not even a candidate.
fn not_admitted(way: &Way) -> &'static str {
    way.speech.unsayable().map_or("rule", Unsayable::name)
}

/// Of the ways that are one route by several credentials the least limited, and the others behind
/// it that may be tried.
fn least_limited(
    board: &Board,
    scales: Scales<'_>,
    ways: &[Way],
    admitted: Vec<usize>,
    tokens: u64,
) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut groups: Vec<Vec<usize>> = Vec::with_capacity(admitted.len());
    for index in admitted {
        match groups.last_mut() {
            Some(group) if ways[index].is_spare => group.push(index),
            _ => groups.push(vec![index]),
        }
    }
    let now = scales.now.0;
    let view = |index: usize| {
        let way = &ways[index];
        board
            .health
            .view(&way.key(), way.credential.hash(scales.hasher), now)
    };
    for group in groups.iter_mut().filter(|group| group.len() > 1) {
        let mut seen: Vec<_> = group.iter().map(|index| (view(*index), *index)).collect();
        if scales.in_order {
            seen.sort_by_key(|(view, _)| !view.is_open());
        } else {
            seen.sort_by(|(one, _), (other, _)| one.goes_before(other, tokens));
        }
        let tried = seen.iter().enumerate();
        let tried = tried.filter(|(place, (view, _))| *place == 0 || view.is_open());
        *group = tried.map(|(_, (_, index))| *index).collect();
    }
    let spares = groups.iter().map(|group| group[1..].to_vec()).collect();
    (groups.iter().map(|group| group[0]).collect(), spares)
}

/// One way of each route: that which was weighed, or its first where none was.
fn heads(ways: &[Way], admitted: &[usize]) -> Vec<usize> {
    let mut heads: Vec<usize> = Vec::with_capacity(ways.len());
    for (index, way) in ways.iter().enumerate() {
        match heads.last_mut() {
            Some(head) if way.is_spare => {
                if admitted.contains(&index) {
                    *head = index;
                }
            }
            _ => heads.push(index),
        }
    }
    heads
}

/// Puts behind each step the same route by its provider's other credentials.
fn follow(plan: &mut Plan, admitted: &[usize], spares: &[Vec<usize>]) {
    if spares.iter().all(Vec::is_empty) {
        return;
    }
    let behind = |step: &usize| {
        let place = admitted.iter().position(|index| index == step);
        let spares = place
            .and_then(|place| spares.get(place))
            .into_iter()
            .flatten();
        std::iter::once(*step)
            .chain(spares.copied())
            .collect::<Vec<_>>()
    };
    plan.steps = plan.steps.iter().flat_map(behind).collect();
}

fn candidate(
    board: &Board,
    way: &Way,
    scales: Scales<'_>,
    prompt_tokens: u64,
    needs_prices: bool,
    min_score: Option<&MinScore>,
) -> Candidate {
    let (now, wall) = scales.now;
    let route = way.key();
    let credential = way.credential.hash(scales.hasher);
    let named = way.configured.as_ref();
    let configured = named.map(super::candidates::Configured::route);
    let (weight, share) = named.map_or((1.0, None), |of| {
        canaries::weight(board, of.routes(), &route, of.route(), wall)
    });
    let limits = way.limits.as_ref().filter(|_| way.other_model);
    let terms = limits.map(|of| Arc::new(terms(&of.constraints)));
    let needs_price = needs_prices || terms.as_ref().is_some_and(|of| of.are_of_price());
    Candidate {
        credential,
        region: way.region().cloned(),
        residency: configured.and_then(|route| route.residency.clone()),
        weight,
        share,
        context: way.context(),
        other_model: way.other_model,
        terms,
        score_low: min_score.and_then(|min| Some(board.scores.of(&route, min)?.low)),
        quote: needs_price
            .then(|| scales.quotes.of(way, prompt_tokens, wall, scales.settings))
            .flatten(),
        health: board.health.view(&route, credential, now),
        expected: board.learned.expect(&route, now),
        ..bare(way)
    }
}

/// What of a model's own constraints holds where it stands in for another: its scores are not those
/// that are asked for, and its deadline is not the request's.
fn terms(own: &Constraints) -> Constraints {
    Constraints {
        min_score: None,
        deadline: None,
        ..own.clone()
    }
}

/// Turns the places of admitted ways into places of all ways.
fn spread(plan: &mut Plan, admitted: &[usize], ways: usize) {
    let mut scores = vec![None; ways];
    let mut propensities = vec![0.0; ways];
    for (place, index) in admitted.iter().enumerate() {
        scores[*index] = plan.scores[place];
        propensities[*index] = plan.propensities[place];
    }
    plan.scores = scores;
    plan.propensities = propensities;
    for step in &mut plan.steps {
        *step = admitted[*step];
    }
    for (place, _) in &mut plan.left_out {
        *place = admitted[*place];
    }
}

fn decision(
    plan: &Plan,
    found: &Ways,
    (heads, admitted): (&[usize], &[usize]),
    rule: Option<usize>,
) -> Decision {
    let considered = |index: &usize| {
        let index = *index;
        let way = &found.ways[index];
        let why = plan.left_out.iter().find(|(place, _)| *place == index);
        let why = why.map(|(_, why)| why.name());
        let by_rule = (!admitted.contains(&index)).then(|| not_admitted(way));
        let score = plan.scores[index].filter(|score| score.is_finite());
        Considered {
            provider: way.provider.name.clone(),
            model: way.model.clone(),
            other_model: way.other_model,
            score: score.map(|score| (score * 1e6).round() as i64),
            propensity: (plan.propensities[index] * 1e6).round() as u32,
            left_out: why.or(by_rule).map(Name::from),
        }
    };
    Decision {
        routes: heads
            .iter()
            .take(Decision::ROUTES_MAX)
            .map(considered)
            .collect(),
        rule: rule.and_then(|place| u32::try_from(place).ok()),
        explored: plan.explored,
        hedge: None,
    }
}

/// Every way is left out: says of each why.
fn no_route(plan: &Plan, found: &Ways) -> Reject {
    let credentials = |(_, why): &(usize, LeftOut)| *why == LeftOut::NoCredential;
    if plan.left_out.iter().all(credentials) && !plan.left_out.is_empty() {
        return Reject::no_credential();
    }
    let why = |index: usize| {
        // Of several keys one stands for the route, and need not be the first.
        let spares = found.ways[index + 1..].iter();
        let keys = index..=index + spares.take_while(|way| way.is_spare).count();
        let left_out = plan.left_out.iter().find(|(place, _)| keys.contains(place));
        left_out.map_or_else(|| not_admitted(&found.ways[index]), |(_, why)| why.name())
    };
    let list = found.ways.iter().enumerate();
    let list: Vec<String> = list
        .filter(|(_, way)| !way.is_spare)
        .map(|(index, way)| format!("{}: {}", way.route(), why(index)))
        .collect();
    let message = format!(
        "no route may answer this request ({}); these are limits of the config or of the request's \
         own x-tollgate headers, and are kept to",
        list.join("; ")
    );
    Reject::new(StatusCode::BAD_REQUEST, "no_eligible_route", message)
}

/// Reads `x-tollgate-policy`, `-max-cost`, `-deadline` and `-region`.
fn wishes(headers: &HeaderMap) -> Result<Wishes, Reject> {
    // Nearly no request says anything to us: to see that costs less than to look for each.
    if !headers.keys().any(|name| name.as_str().starts_with(OURS)) {
        return Ok(Wishes::default());
    }
    Ok(Wishes {
        policy: wish(headers, &POLICY, policy_of, POLICIES)?,
        cost_max: wish(
            headers,
            &MAX_COST,
            pricing::dollars,
            "US dollars, such as 0.05",
        )?,
        deadline: wish(
            headers,
            &DEADLINE,
            |text| {
                let span = crate::config::duration(text)?;
                u64::try_from(span.as_nanos()).ok().map(Nanos)
            },
            "a duration such as 1500ms or 20s",
        )?,
        region: wish(
            headers,
            &REGION,
            |text| (1..=64).contains(&text.len()).then(|| Name::from(text)),
            "a region's name",
        )?,
    })
}

/// The policies that need nothing beside their name.
const POLICIES: &str = "ordered, weighted, fastest, cheapest, least_busy or shared; policies that \
                        need more than a name stand in the config";

fn policy_of(text: &str) -> Option<Policy> {
    Some(match text {
        "ordered" => Policy::Ordered,
        "weighted" => Policy::Weighted,
        "fastest" => Policy::Fastest(By::FirstToken),
        "cheapest" => Policy::Cheapest,
        "least_busy" => Policy::LeastBusy,
        "shared" => Policy::Shared,
        _ => return None,
    })
}

fn wish<T>(
    headers: &HeaderMap,
    name: &'static HeaderName,
    read: impl FnOnce(&str) -> Option<T>,
    expected: &str,
) -> Result<Option<T>, Reject> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let text = value.to_str().ok().map(str::trim);
    text.and_then(read).map(Some).ok_or_else(|| {
        let code = if *name == POLICY {
            "unknown_policy"
        } else {
            "tollgate_header"
        };
        let message = format!("{name} must be {expected}");
        Reject::new(StatusCode::BAD_REQUEST, code, message)
    })
}
