//! Warns of what a config says of models and rules that can never come to anything: nobody would
//! hear of it but by a request that is refused, or by one that goes where it should not.

use std::ops::Range as Bytes;
use std::sync::Arc;

use crate::config::problem::quoted;
use crate::config::read::key_step;
use crate::config::settings::{ModelRoutes, RouteSettings, RuleSettings};
use crate::record::Name;
use crate::routing::catalogue::claims;
use crate::routing::plan::Constraints;
use crate::routing::rules::{Range, RouteP95};

use super::models::Known;
use super::work::Work;

/// What there is to look at, each with its place in the text.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Said<'a> {
    /// The models, in the order of `model_spans`.
    pub(in crate::config) models: &'a [Arc<ModelRoutes>],
    /// Where each model's name stands.
    pub(in crate::config) model_spans: &'a [Bytes<usize>],
    /// The rules, in the order of `rule_spans`.
    pub(in crate::config) rules: &'a [RuleSettings],
    /// Where each rule stands.
    pub(in crate::config) rule_spans: &'a [Bytes<usize>],
    /// What the rest of the config says.
    pub(in crate::config) of: Known<'a>,
    /// Whether any name at all leads to some provider.
    pub(in crate::config) any_name_goes: bool,
}

/// Warns of it.
pub(in crate::config) fn vain(said: Said<'_>, work: &mut Work<'_>) {
    for (model, span) in said.models.iter().zip(said.model_spans) {
        let path = format!("models.{}", key_step(&model.name));
        for vain in of_model(said, model) {
            vain.warn(&path, span, work);
        }
    }
    for (index, (rule, span)) in said.rules.iter().zip(said.rule_spans).enumerate() {
        for vain in of_rule(said, rule) {
            vain.warn(&format!("rules[{index}]"), span, work);
        }
    }
}

/// One thing that comes to nothing.
struct Vain {
    key: String,
    found: String,
    expected: &'static str,
    hint: &'static str,
}

impl Vain {
    fn new(
        key: impl Into<String>,
        found: impl Into<String>,
        expected: &'static str,
        hint: &'static str,
    ) -> Self {
        Self {
            key: key.into(),
            found: found.into(),
            expected,
            hint,
        }
    }

    fn warn(self, path: &str, span: &Bytes<usize>, work: &mut Work<'_>) {
        let span = Some(span.clone());
        let path = format!("{path}.{}", self.key);
        work.warn(path, span, self.found, self.expected, self.hint);
    }
}

const REFUSED: &str = "as it is, every request for it is refused";
const NEVER_ASKED: &str = "as it is, it is never asked";
const NEVER_MATCHES: &str = "as it is, the rule is for no request";

fn of_model(said: Said<'_>, model: &ModelRoutes) -> Vec<Vain> {
    let mut found = Vec::new();
    let own = &model.constraints;
    let routes = model.routes.as_slice();
    let keeps_own = |route: &RouteSettings| keeps(said, own, route);
    if !routes.is_empty() && !any_route(said, model, keeps_own) {
        let there = routes.iter().any(|route| is_there(said, own, route));
        let (key, list) = if there {
            ("residency", &own.residency)
        } else {
            ("regions", &own.regions)
        };
        let list: Vec<String> = list.iter().map(|name| quoted(name)).collect();
        let text = format!("{}, where no route of it is", list.join(", "));
        let expected = "a region, and a residency, that one of its routes has";
        found.push(Vain::new(key, text, expected, REFUSED));
    }
    found.extend(without_credential(said, model));
    for (index, name) in model.fallback_models.iter().enumerate() {
        let key = format!("fallback_models[{index}]");
        if *name == model.name {
            let expected = "another model";
            found.push(Vain::new(key, "the model itself", expected, NEVER_ASKED));
            continue;
        }
        let Some(other) = said.models.iter().find(|other| other.name == *name) else {
            continue;
        };
        let both = |route: &&RouteSettings| {
            keeps(said, own, route) && keeps(said, &other.constraints, route)
        };
        if !other.routes.is_empty() && other.routes.iter().find(both).is_none() {
            let text = format!("{}, no route of which may stand in", quoted(name));
            let expected = "a model with a route in the regions and residency of both";
            found.push(Vain::new(key, text, expected, NEVER_ASKED));
        }
    }
    if model.hedge.is_some() && routes.len() == 1 {
        let expected = "two routes at least";
        let hint = "as it is, nothing is ever hedged";
        found.push(Vain::new("hedge", "beside one route", expected, hint));
    }
    if let Some(shadow) = &model.shadow {
        let region = region_of(said, &shadow.provider);
        let elsewhere = !own.regions.is_empty() && !named(&own.regions, region);
        if elsewhere || !own.residency.is_empty() {
            let text = format!(
                "{}, not known to be where the data may go",
                quoted(&shadow.provider)
            );
            let expected = "a provider in the model's regions, and no residency";
            let hint = "as it is, nothing is ever copied";
            found.push(Vain::new("shadow", text, expected, hint));
        }
    }
    found
}

/// The providers of its routes where nobody lets Tollgate in: a client's own key goes to the model's
/// home alone.
fn without_credential(said: Said<'_>, model: &ModelRoutes) -> Option<Vain> {
    let lacks = |route: &RouteSettings| {
        let provider = said.of.provider(&route.provider);
        let closed = provider.is_some_and(|of| !of.has_credential() && !of.is_keyless());
        closed && said.of.home(&model.name) != Some(&route.provider)
    };
    let lacking = model.routes.iter().filter(|route| lacks(route));
    let mut names: Vec<String> = lacking.map(|route| quoted(&route.provider)).collect();
    names.dedup();
    if names.is_empty() {
        return None;
    }
    let found = format!("{}, without a credential", names.join(", "));
    let expected = "api_key in a provider's table, or its variable in the environment";
    let hint = if any_route(said, model, |route| !lacks(route)) {
        NEVER_ASKED
    } else {
        REFUSED
    };
    Some(Vain::new("routes", found, expected, hint))
}

fn of_rule(said: Said<'_>, rule: &RuleSettings) -> Vec<Vain> {
    let mut found = Vec::new();
    let asked = &rule.rule;
    let ranges = [
        ("prompt_tokens_min", is_empty(&asked.prompt_tokens)),
        ("spent_min", is_empty(&asked.spent)),
    ];
    for (key, _) in ranges.into_iter().filter(|(_, empty)| *empty) {
        let expected = "no more than the upper end";
        found.push(Vain::new(
            key,
            "more than the upper end",
            expected,
            NEVER_MATCHES,
        ));
    }
    for (index, bound) in asked.p95.iter().enumerate() {
        if is_empty(&bound.within) {
            let key = format!("p95[{index}].over");
            let expected = "`over` below `under`";
            found.push(Vain::new(
                key,
                "`over` above `under`",
                expected,
                NEVER_MATCHES,
            ));
        }
        if !is_measured(said, bound) {
            let expected = "a route of [models], or a model that the provider claims";
            let key = format!("p95[{index}].model");
            found.push(Vain::new(
                key,
                "a route that nothing leads to",
                expected,
                NEVER_MATCHES,
            ));
        }
    }
    for (index, pattern) in asked.models.iter().enumerate() {
        let own = said.models.iter().any(|model| claims(pattern, &model.name));
        let others = said.any_name_goes || pattern.ends_with('*') || said.of.is_claimed(pattern);
        if !own && !others {
            let expected = "a model of [models], or one that a provider claims";
            let text = format!("{}, which nobody here claims", quoted(pattern));
            found.push(Vain::new(
                format!("models[{index}]"),
                text,
                expected,
                NEVER_ASKED,
            ));
        }
    }
    let leads =
        |model: &ModelRoutes| any_route(said, model, |route| rule.routes.contains(&route.provider));
    let mut meant = said.models.iter().filter(|model| {
        let mut patterns = asked.models.iter();
        patterns.any(|pattern| claims(pattern, &model.name))
    });
    if !rule.routes.is_empty()
        && let Some(model) = meant.find(|model| !leads(model) && !model.routes.is_empty())
    {
        let text = format!("no provider of a route of {}", quoted(&model.name));
        let expected = "a provider that each of the rule's models has a route at";
        let hint = "as it is, the rule refuses every request for that model";
        found.push(Vain::new("routes", text, expected, hint));
    }
    found
}

fn is_empty<T: PartialOrd>(range: &Range<T>) -> bool {
    matches!((&range.min, &range.max), (Some(min), Some(max)) if min > max)
}

/// Whether requests may take that route, so that it is ever measured.
fn is_measured(said: Said<'_>, bound: &RouteP95) -> bool {
    let route = &bound.route;
    let configured = said.models.iter().any(|model| {
        let mut routes = model.routes.iter();
        routes.any(|of| {
            let there = of.model.as_ref().unwrap_or(&model.name);
            of.provider == route.provider && route.model.as_ref().is_none_or(|model| model == there)
        })
    });
    configured
        || said.any_name_goes
        || route.model.is_none()
        || route
            .model
            .as_ref()
            .is_some_and(|model| said.of.is_of(model, &route.provider))
}

/// Whether one of the model's routes, or of those that may stand in for it, is such a one; routes
/// that do not stand in [models] may be.
fn any_route(said: Said<'_>, model: &ModelRoutes, is: impl Fn(&RouteSettings) -> bool) -> bool {
    model.routes.iter().any(&is)
        || model.fallback_models.iter().any(|name| {
            let other = said.models.iter().find(|other| other.name == *name);
            other.is_none_or(|other| other.routes.iter().any(&is))
        })
}

/// Whether a route is where `limits` allow.
fn keeps(said: Said<'_>, limits: &Constraints, route: &RouteSettings) -> bool {
    let stays = limits.residency.is_empty() || named(&limits.residency, route.residency.as_ref());
    stays && is_there(said, limits, route)
}

fn is_there(said: Said<'_>, limits: &Constraints, route: &RouteSettings) -> bool {
    let region = route
        .region
        .as_ref()
        .or_else(|| region_of(said, &route.provider));
    limits.regions.is_empty() || named(&limits.regions, region)
}

fn region_of<'a>(said: Said<'a>, provider: &str) -> Option<&'a Name> {
    said.of.provider(provider)?.region.as_ref()
}

fn named(list: &[Name], name: Option<&Name>) -> bool {
    name.is_some_and(|name| list.contains(name))
}
