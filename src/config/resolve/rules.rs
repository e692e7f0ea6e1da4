//! Resolves rules, what happens when a route fails, and what is done about idle ones.

use std::time::Duration;

use crate::config::choices::GoneWord;
use crate::config::raw_routing::{RawFailover, RawP95, RawRule};
use crate::config::read::At;
use crate::config::routes::{ClientGone, FailoverSettings, RuleSettings, Slo};
use crate::record::{Name, Nanos};
use crate::routing::pricing::Share;
use crate::routing::route::RouteKey;
use crate::routing::rules::{Hours, Range, RouteP95, Rule};

use super::models::known;
use super::numbers::{count, span};
use super::policies::{Keys, policy};
use super::work::{Work, texts};

/// `[[rules]]`, in their order.
pub(in crate::config) fn rules(
    given: Option<At<Vec<At<RawRule>>>>,
    names: &[String],
    work: &mut Work<'_>,
) -> Vec<RuleSettings> {
    let list = given.map_or_else(Vec::new, |at| at.value);
    let mut rules: Vec<RuleSettings> = Vec::new();
    for (index, at) in list.into_iter().enumerate() {
        let path = format!("rules[{index}]");
        let span = at.span.clone();
        if let Some(before) = rules.iter().position(|rule| rule.rule == Rule::default()) {
            let found = format!("a rule behind [{before}], which matches everything");
            let expected = "the rule that asks nothing as the last one";
            work.refuse(path.as_str(), Some(span.clone()), found, expected, None);
        }
        // Routes with problems are some all the same.
        let has_routes = at.value.routes.is_some();
        let rule = rule(&path, at.value, names, work);
        let does_nothing = rule.policy.is_none()
            && !has_routes
            && rule.regions.is_empty()
            && rule.cost_max.is_none();
        if does_nothing {
            work.warn(
                path,
                Some(span),
                "a rule that changes nothing",
                "policy, routes, regions or max_cost",
                "it only keeps the rules behind it from its requests",
            );
        }
        rules.push(rule);
    }
    rules
}

fn rule(path: &str, raw: RawRule, names: &[String], work: &mut Work<'_>) -> RuleSettings {
    let slo = Slo {
        first_token_p95: raw.first_token_p95.map(|at| at.value),
        error_rate: None,
    };
    let keys = Keys {
        policy: raw.policy.as_ref(),
        by: raw.by.as_ref(),
        dollars_per_second: raw.dollars_per_second.as_ref(),
        anchor: raw.anchor.as_ref(),
        then: raw.then.as_ref(),
    };
    let policy = policy(path, &keys, slo, work);
    let mut routes = Vec::new();
    for (index, at) in raw
        .routes
        .map_or_else(Vec::new, |at| at.value)
        .into_iter()
        .enumerate()
    {
        let text = At {
            value: at.value.0.to_string(),
            span: at.span,
        };
        if known(&format!("{path}.routes[{index}]"), &text, names, work) {
            routes.push(at.value.0);
        }
    }
    let days = raw.days.map_or([true; 7], |at| {
        let mut days = [false; 7];
        for day in at.value {
            days[day.value.0] = true;
        }
        days
    });
    let hours = raw.hours.map_or_else(Vec::new, |at| at.value);
    let whole_days = (hours.is_empty() && days != [true; 7]).then_some(Hours {
        from: 0,
        until: 24 * 60,
        days,
    });
    let bounds = raw.p95.map_or_else(Vec::new, |at| at.value);
    let bounds = bounds.into_iter().enumerate();
    let p95 = bounds
        .filter_map(|(index, at)| p95(&format!("{path}.p95[{index}]"), at, names, work))
        .collect();
    RuleSettings {
        rule: Rule {
            models: texts(raw.models, |pattern| Name::from(pattern.0)),
            tags: texts(raw.tags, |tag| tag.0),
            client_keys: texts(raw.client_keys, |key| key.0),
            endpoints: texts(raw.endpoints, |pattern| Name::from(pattern.0)),
            prompt_tokens: Range {
                min: raw.prompt_tokens_min.map(|at| at.value),
                max: raw.prompt_tokens_max.map(|at| at.value),
            },
            stream: raw.stream.map(|at| at.value),
            json: raw.json.map(|at| at.value),
            tools: raw.tools.map(|at| at.value),
            regions: texts(raw.for_regions, |region| region.0),
            hours: hours
                .into_iter()
                .map(|at| Hours {
                    from: at.value.0,
                    until: at.value.1,
                    days,
                })
                .chain(whole_days)
                .collect(),
            spent: Range {
                min: raw.spent_min.map(|at| at.value.0),
                max: raw.spent_max.map(|at| at.value.0),
            },
            p95,
        },
        policy,
        routes,
        regions: texts(raw.regions, |region| region.0),
        cost_max: raw.max_cost.map(|at| at.value.0),
    }
}

fn p95(path: &str, at: At<RawP95>, names: &[String], work: &mut Work<'_>) -> Option<RouteP95> {
    let raw = at.value;
    let Some(provider) = raw.provider else {
        let hint = "p95 = [ { provider = \"openai\", under = \"1s\" } ]";
        let expected = "the name of a provider";
        work.refuse(
            format!("{path}.provider"),
            Some(at.span),
            "nothing",
            expected,
            hint,
        );
        return None;
    };
    let is_known = known(&format!("{path}.provider"), &provider, names, work);
    let nanos = |at: Option<At<Duration>>| {
        at.map(|at| Nanos(u64::try_from(at.value.as_nanos()).unwrap_or(u64::MAX)))
    };
    is_known.then(|| RouteP95 {
        route: RouteKey::new(
            provider.value.as_str(),
            raw.model.map(|at| Name::from(at.value.0)),
        ),
        within: Range {
            min: nanos(raw.over),
            max: nanos(raw.under),
        },
    })
}

/// `[failover]`.
pub(in crate::config) fn failover(raw: RawFailover, work: &mut Work<'_>) -> FailoverSettings {
    let gone = client_gone(&raw, work);
    let held = raw.held.as_ref().map(|at| At {
        value: at.value.0.unwrap_or(Duration::ZERO),
        span: at.span.clone(),
    });
    let bounds = (Duration::ZERO, Duration::from_hours(1));
    FailoverSettings {
        attempts: count(work, "failover.attempts", raw.attempts, 8, (1, 64)) as usize,
        held: span(
            work,
            "failover.held",
            held.as_ref(),
            Duration::from_mins(4),
            bounds,
        ),
        content_filter: raw.content_filter.is_some_and(|at| at.value),
        budget: raw.budget.map_or(FIFTH, |at| at.value.0),
        budget_min: count(
            work,
            "failover.budget_min",
            raw.budget_min,
            600,
            (0, 1_000_000),
        ) as u32,
        region: raw.region.map(|at| at.value.0),
        client_gone: gone,
    }
}

/// What becomes of a provider's work once its client has left.
fn client_gone(raw: &RawFailover, work: &mut Work<'_>) -> ClientGone {
    let drains = raw
        .client_gone
        .as_ref()
        .is_some_and(|at| at.value == GoneWord::Drain);
    let given = [
        ("drain_time", raw.drain_time.as_ref().map(|at| &at.span)),
        ("drain_bytes", raw.drain_bytes.as_ref().map(|at| &at.span)),
    ];
    for (key, span) in given {
        if let Some(span) = span.filter(|_| !drains) {
            work.warn(
                format!("failover.{key}"),
                Some(span.clone()),
                "a limit for what is not done",
                "it beside client_gone = \"drain\" only",
                "set client_gone = \"drain\", or leave it out",
            );
        }
    }
    let usual = Duration::from_mins(2);
    let bounds = (Duration::from_millis(1), Duration::from_hours(1));
    let time = span(
        work,
        "failover.drain_time",
        raw.drain_time.as_ref(),
        usual,
        bounds,
    );
    let bytes = raw.drain_bytes.as_ref().map(|at| At {
        value: at.value.0,
        span: at.span.clone(),
    });
    let bytes = count(work, "failover.drain_bytes", bytes, 8 << 20, (1, 1 << 32));
    if drains {
        ClientGone::Drain { time, bytes }
    } else {
        ClientGone::Cancel
    }
}

/// 20 %: Finagle's and Envoy's retry budget.
const FIFTH: Share = Share::of_millionths(200_000);
