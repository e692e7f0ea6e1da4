//! Says how the routes stand now: as JSON for programs, as words for the page.

use axum::Json;
use axum::extract::State as Extract;
use serde::Serialize;
use serde_json::{Value, json};

use crate::analysis::render::units::{
    NOTHING, dollars_beside, length, percent_of, plain, span, thousands,
};
use crate::record::{Nanos, WallTime};
use crate::recorder::StandingNow;
use crate::recorder::canaries::Stopped;
use crate::recorder::shown::{
    CanaryNow, Expected, KeyNow, ModelNow, PlanNow, RouteNow, Standpoint,
};
use crate::routing::canary::{Waits, Worse};
use crate::routing::health::{MeterUse, State};
use crate::statistics::interval::{Estimate, Interval};

use super::api::Shared;
use super::probes;

/// `GET /api/standing`.
pub(super) async fn standing(Extract(state): Shared) -> Json<Value> {
    let mut answer = all((state.handles.standing)());
    answer["alerts"] = probes::holding(&(state.handles.watched)());
    Json(answer)
}

/// Everything as JSON.
fn all(now: StandingNow) -> Value {
    let StandingNow {
        at,
        models,
        others,
        spent,
    } = now;
    let models: Vec<Value> = models.iter().map(|model| of_model(model, at)).collect();
    let others: Vec<Value> = others.iter().map(|route| of_route(route, at)).collect();
    let (year, month) = at.month();
    json!({
        "schema": "tollgate.standing/1",
        "time": at.rfc3339(),
        "models": models,
        "others": others,
        "spending": { "month": format!("{year:04}-{month:02}"), "usd": spent.known.as_dollars(),
            "unpriced": spent.unpriced },
    })
}

fn of_model(model: &ModelNow, at: WallTime) -> Value {
    let point = |point: &Standpoint| {
        let mut route = of_route(&point.route, at);
        route["other_model"] = json!(point.other_model);
        route["place"] = json!(point.place);
        route["score"] = json!(point.score);
        route["propensity"] = json!(point.propensity);
        route["left_out"] = json!(point.left_out);
        route
    };
    json!({
        "model": model.name.as_str(),
        "policy": model.policy.as_str(),
        "reason": model.reason.as_str(),
        "rule": model.rule,
        "typical": {
            "prompt_tokens": model.prompt_tokens,
            "output_tokens": model.output_tokens.round(),
        },
        "first": model.first().map(|point| point.route.key().to_string()),
        "canaries": model.canaries.iter().map(of_canary).collect::<Vec<Value>>(),
        "routes": model.routes.iter().map(point).collect::<Vec<Value>>(),
    })
}

fn of_canary(canary: &CanaryNow) -> Value {
    let judged = &canary.judged;
    let estimate = |of: &Estimate| {
        let Interval { low, high } = of.interval;
        json!({ "value": of.value, "low": low, "high": high })
    };
    let stopped = |of: &Stopped| json!({ "at": of.at().rfc3339(), "weight": of.weight, "for": of.worse.words() });
    json!({
        "provider": canary.route.provider.as_str(),
        "model": canary.route.model.as_deref(),
        "requests": judged.requests[0],
        "others": judged.requests[1],
        "failure_rates": judged.failure_rates,
        "failures_more": judged.failures.as_ref().map(estimate),
        "first_token_ratio": judged.first_token.as_ref().map(estimate),
        "first_tokens": judged.first_tokens,
        "first_tokens_not_awaited": judged.cut,
        "worse": judged.worse.map(Worse::words),
        "score_more": judged.score.as_ref().map(estimate),
        "stopped": canary.stopped.as_ref().map(stopped),
        "plan": canary.plan.as_ref().map(of_plan),
        "words": canary_words(canary),
    })
}

fn of_plan(plan: &PlanNow) -> Value {
    let progress = &plan.progress;
    json!({
        "start": plan.stages.start.rfc3339(),
        "stages": plan.stages.shares,
        "stage": progress.stage + 1,
        "since": progress.since().map(WallTime::rfc3339),
        "exchanges": progress.exchanges,
        "exchanges_needed": plan.stages.exchanges,
        "share": plan.share,
        "done": progress.done,
        "waits_for": plan.waits.map(Waits::words),
    })
}

/// How far a plan has come, in words.
fn plan_words(plan: &PlanNow) -> String {
    let progress = &plan.progress;
    let shares: Vec<String> = plan
        .stages
        .shares
        .iter()
        .enumerate()
        .map(|(place, share)| {
            let share = percent_of(*share);
            if place == progress.stage {
                format!("[{share}]")
            } else {
                share
            }
        })
        .collect();
    let waits = plan
        .waits
        .map_or_else(String::new, |waits| format!("; {}", waits.words()));
    format!(
        " Plan {}: {} exchanges in this stage, {} needed{waits}.",
        shares.join(" → "),
        thousands(progress.exchanges),
        thousands(plan.stages.exchanges),
    )
}

/// A canary in a sentence.
fn canary_words(canary: &CanaryNow) -> String {
    let judged = &canary.judged;
    let [own, others] = judged.requests;
    let mut parts = vec![format!(
        "{} and {} requests",
        thousands(own),
        thousands(others)
    )];
    if let Some(Estimate { value, interval }) = judged.failures {
        let points = |share: f64| format!("{:+.2}", share * 100.0);
        let (low, high) = (points(interval.low), points(interval.high));
        parts.push(format!("failures {} points [{low}, {high}]", points(value)));
    }
    if let Some(Estimate { value, interval }) = judged.first_token {
        let Interval { low, high } = interval;
        parts.push(format!("first token {value:.3} × [{low:.3}, {high:.3}]"));
    }
    if judged.cut != [0, 0] {
        let [own, others] = judged.cut.map(thousands);
        parts.push(format!(
            "of which {own} and {others} were not waited for and count as the least that they can be"
        ));
    }
    if let Some(Estimate { value, interval }) = judged.score {
        let Interval { low, high } = interval;
        parts.push(format!("score {value:+.3} [{low:+.3}, {high:+.3}]"));
    }
    let verdict = match (judged.worse, judged.failures) {
        (Some(worse), _) => format!("is worse: {}", worse.words()),
        (None, Some(_)) => "is not seen to be worse".to_owned(),
        (None, None) => "has too few requests yet".to_owned(),
    };
    let stopped = canary.stopped.as_ref().map_or_else(String::new, |of| {
        let at = of.at().rfc3339();
        let at = at.get(..16).unwrap_or_default().replace('T', " ");
        let what = if canary.plan.is_some() {
            format!("a share of {}", percent_of(of.weight))
        } else {
            format!("weight {}", of.weight)
        };
        format!("; stopped {at} at {what}")
    });
    let plan = canary.plan.as_ref().map_or_else(String::new, plan_words);
    format!(
        "Canary {} {verdict} ({}){stopped}.{plan}",
        plain(&canary.route.to_string()),
        parts.join(", ")
    )
}

fn of_meter(of: MeterUse) -> Value {
    json!({ "minute": of.minute, "limit": of.limit, "left": of.left, "utilisation": of.share })
}

fn of_key(key: &KeyNow, at: WallTime) -> Value {
    json!({
        "number": key.number,
        "next": key.next,
        "state": key.state.name(),
        "since": key.since.map(WallTime::rfc3339),
        "until": key.until.map(WallTime::rfc3339),
        "seconds_left": key.seconds_left(at),
        "why": key.why,
        "at_work": key.at_work,
        "at_work_limit": key.limit,
        "requests": of_meter(key.requests),
        "tokens": of_meter(key.tokens),
        "utilisation": key.utilisation(),
    })
}

fn of_route(route: &RouteNow, at: WallTime) -> Value {
    let date = |date: Option<WallTime>| date.map(WallTime::rfc3339);
    let millis = |span: Option<Nanos>| span.map(Nanos::as_millis);
    let expected = |of: &Expected| {
        json!({
            "first_token_ms": of.first_token_ms,
            "first_token_low_ms": of.between_ms.0,
            "first_token_high_ms": of.between_ms.1,
            "prompt_tokens": route.prompt_tokens,
            "per_token_ms": of.per_token_ms,
            "success": of.success,
            "success_lower": of.success_lower,
            "samples": of.samples,
        })
    };
    json!({
        "provider": route.provider.as_str(),
        "model": route.model.as_deref(),
        "region": route.region.as_deref(),
        "state": route.state.name(),
        "since": date(route.since),
        "until": date(route.until),
        "seconds_left": route.seconds_left(at),
        "why": route.why,
        "consecutive_failures": route.consecutive,
        "opened": route.opened,
        "last_minute": { "failed": route.last_minute.0, "ended": route.last_minute.1 },
        "at_work": route.at_work,
        "at_work_limit": route.limit,
        "requests": of_meter(route.requests),
        "tokens": of_meter(route.tokens),
        "utilisation": route.utilisation(),
        "keys": route.keys.iter().map(|key| of_key(key, at)).collect::<Vec<Value>>(),
        "expected": route.expected.as_ref().map(expected),
        "first_token_p95_ms": millis(route.p95),
        "first_token_deadline_ms": millis(route.deadline),
    })
}

/// A state in a word, and the look of it.
#[must_use]
pub const fn word(state: State) -> (&'static str, &'static str) {
    match state {
        State::Closed => ("works", "good"),
        State::Full => ("full", "fair"),
        State::TrialDue => ("trial due", "fair"),
        State::Trial => ("on trial", "fair"),
        State::Cooling => ("cooling", "fair"),
        State::Open => ("left alone", "bad"),
        State::Held => ("held", "bad"),
        State::CredentialHeld => ("key refused", "bad"),
    }
}

/// A code in words: `consecutive_failures` reads as two.
#[must_use]
pub fn words(code: &str) -> String {
    match code {
        "only_route" => "the only route that may be tried".to_owned(),
        "others_near_limit" => "the others would run into a limit that is declared".to_owned(),
        "least_bad" => "none may be tried, and it is the least bad".to_owned(),
        "model" => "first in the config".to_owned(),
        "min_score" => "its score is not shown to reach min_score".to_owned(),
        "score_unknown" => "nobody has scored it, and min_score is asked".to_owned(),
        code => plain(code).replace('_', " "),
    }
}

/// What the page says of the routes: what changes, and where it stands.
#[derive(Debug, Serialize)]
pub(super) struct Said {
    /// Models: what would be chosen.
    pub(super) models: Vec<SaidOfModel>,
    /// Routes that no model of the config has.
    pub(super) others: Vec<SaidOfRoute>,
    /// What the month has cost.
    pub(super) spent: String,
}

/// What the page says of a model.
#[derive(Debug, Serialize)]
pub(super) struct SaidOfModel {
    /// Its name.
    pub(super) name: String,
    /// Its policy.
    pub(super) policy: String,
    /// What would be chosen, and why.
    pub(super) choice: String,
    /// Its routes.
    pub(super) routes: Vec<SaidOfRoute>,
}

/// What the page says of a route.
#[derive(Debug, Serialize)]
pub(super) struct SaidOfRoute {
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) look: &'static str,
    pub(super) state: &'static str,
    /// Why, since when, and for how long yet.
    pub(super) detail: String,
    pub(super) first_token: String,
    pub(super) spread: String,
    pub(super) success: String,
    pub(super) samples: String,
    pub(super) at_work: String,
    pub(super) used: String,
    pub(super) meters: String,
    /// Its chance of being first, or why it is not tried.
    pub(super) chance: String,
    /// Its place among those that would be tried.
    pub(super) place: String,
    /// Whether it would be first.
    pub(super) first: bool,
    /// The provider's own keys on it, where there are several.
    pub(super) keys: Vec<SaidOfKey>,
}

/// What the page says of a key.
#[derive(Debug, Serialize)]
pub(super) struct SaidOfKey {
    /// What it is called: its number.
    pub(super) name: String,
    pub(super) look: &'static str,
    pub(super) state: &'static str,
    /// Which it is, whether it goes first, why it is as it is, and what is in use of it.
    pub(super) detail: String,
}

impl Said {
    pub(super) fn of(now: &StandingNow) -> Self {
        let models = now.models.iter();
        let others = now.others.iter();
        Self {
            models: models.map(|model| SaidOfModel::of(model, now.at)).collect(),
            others: others.map(|route| SaidOfRoute::of(route, now.at)).collect(),
            spent: dollars_beside(now.spent.known.as_dollars(), now.spent.unpriced),
        }
    }
}

impl SaidOfModel {
    fn of(model: &ModelNow, at: WallTime) -> Self {
        let rule = model
            .rule
            .map_or_else(String::new, |rule| format!(", by rules[{rule}]"));
        let choice = match model.first() {
            Some(first) => format!(
                "{} is tried first: {}{rule}",
                plain(&first.route.key().to_string()),
                words(&model.reason)
            ),
            None => format!("No route would be tried: {}{rule}", words(&model.reason)),
        };
        let canaries = model.canaries.iter();
        let canaries: String = canaries
            .map(|of| format!(". {}", canary_words(of).trim_end_matches('.')))
            .collect();
        let one = |point: &Standpoint| {
            let mut said = SaidOfRoute::of(&point.route, at);
            said.first = point.place == Some(0);
            said.place = match point.place {
                Some(place) => format!("place {}", place + 1),
                None => String::new(),
            };
            said.chance = match point.left_out {
                Some(why) => format!("not tried: {}", words(why)),
                None => percent_of(point.propensity),
            };
            if point.other_model {
                said.model.push_str(" (another model)");
            }
            said
        };
        Self {
            name: plain(&model.name),
            policy: words(&model.policy),
            choice: format!("{choice}{canaries}"),
            routes: model.routes.iter().map(one).collect(),
        }
    }
}

impl SaidOfRoute {
    fn of(route: &RouteNow, at: WallTime) -> Self {
        let (state, look) = word(route.state);
        let expected = route.expected.as_ref();
        let seen = expected.filter(|expected| expected.samples > 0);
        let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
        let millis = |ms: f64| span(ms * 1e6);
        let spread =
            |of: &Expected| format!("{} to {}", millis(of.between_ms.0), millis(of.between_ms.1));
        let limit = route
            .limit
            .map_or_else(String::new, |limit| format!(" of {limit}"));
        Self {
            provider: plain(&route.provider),
            model: route
                .model
                .as_ref()
                .map_or_else(String::new, |model| plain(model)),
            look,
            state,
            detail: detail(route, at),
            first_token: or_nothing(seen.map(|of| millis(of.first_token_ms))),
            spread: seen.map_or_else(String::new, spread),
            success: or_nothing(expected.map(|of| percent_of(of.success))),
            samples: expected.map_or_else(
                || "nothing seen".to_owned(),
                |of| format!("{} seen", thousands(of.samples)),
            ),
            at_work: format!("{}{limit}", route.at_work),
            used: or_nothing(route.utilisation().map(percent_of)),
            meters: meters(route),
            chance: String::new(),
            place: String::new(),
            first: false,
            keys: route
                .keys
                .iter()
                .map(|key| SaidOfKey::of(key, at))
                .collect(),
        }
    }
}

impl SaidOfKey {
    fn of(key: &KeyNow, at: WallTime) -> Self {
        let (state, look) = word(key.state);
        let name = format!("key {}", key.number);
        let mut parts = vec![name.clone()];
        parts.extend(key.next.then(|| "taken next".to_owned()));
        parts.extend(key.why.map(words));
        parts.extend(lasting(key.since, key.seconds_left(at), at));
        let limit = key.limit.map(|limit| format!(" of {limit}"));
        if key.at_work > 0 || limit.is_some() {
            parts.push(format!(
                "{}{} at work",
                key.at_work,
                limit.unwrap_or_default()
            ));
        }
        let used = key.utilisation().map(percent_of);
        parts.extend(used.map(|used| format!("{used} of its limits used")));
        Self {
            name,
            look,
            state,
            detail: parts.join(" · "),
        }
    }
}

/// Why it is in its state, since when, and for how long yet.
fn detail(route: &RouteNow, at: WallTime) -> String {
    let mut parts = Vec::new();
    parts.extend(route.why.map(words));
    if route.consecutive > 0 {
        parts.push(format!("{} failed in a row", route.consecutive));
    }
    parts.extend(lasting(route.since, route.seconds_left(at), at));
    parts.join(" · ")
}

/// Since when a state lasts, and for how long yet.
fn lasting(since: Option<WallTime>, seconds_left: Option<u64>, at: WallTime) -> Vec<String> {
    let since = since.map(|since| {
        let text = since.rfc3339();
        let today = text.get(..10) == at.rfc3339().get(..10);
        let from = if today { 11 } else { 5 };
        let text = text.get(from..19).unwrap_or_default();
        format!("since {}", text.replace('T', " "))
    });
    let left = seconds_left.map(|seconds| {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        format!("{} left", length(seconds))
    });
    since.into_iter().chain(left).collect()
}

/// Requests and tokens of the last minute against what the provider declares.
fn meters(route: &RouteNow) -> String {
    let one = |name: &str, of: MeterUse| {
        let limit = of.limit?;
        Some(format!(
            "{} of {} {name}",
            thousands(of.minute),
            thousands(limit)
        ))
    };
    let both = [one("requests", route.requests), one("tokens", route.tokens)];
    both.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
