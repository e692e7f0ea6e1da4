//! Resolves models with routes of their own, and the provider of requests that nobody claims.

use std::sync::Arc;

use crate::config::kinds::is_model;
use crate::config::problem::{nearest, quoted};
use crate::config::raw::{RawModel, RawRoute, RawSlo};
use crate::config::read::{At, Entries, key_step};
use crate::config::settings::{ModelRoutes, Provider, RouteSettings};
use crate::record::Name;

use super::work::{Hint, Span, Work};

/// `[models]`.
pub(in crate::config) fn models(
    entries: Entries<RawModel>,
    names: &[String],
    work: &mut Work<'_>,
) -> Vec<Arc<ModelRoutes>> {
    let mut models = Vec::new();
    for (key, raw) in entries.0 {
        let path = format!("models.{}", key_step(&key.value));
        if !is_model(&key.value) {
            let expected = "a model's name: letters, digits and . _ : / @ + -";
            let span = Some(key.span.clone());
            work.refuse(path.as_str(), span, quoted(&key.value), expected, None);
        }
        policy(&path, raw.value.policy.as_ref(), work);
        let judged = |slo: &RawSlo| slo.first_token_p95.is_some() || slo.error_rate.is_some();
        if let Some(slo) = raw.value.slo.as_ref().filter(|slo| judged(&slo.value)) {
            work.warn(
                format!("{path}.slo"),
                Some(slo.span.clone()),
                "a target that nothing is judged by yet",
                "no `slo`: this version reads it and does nothing with it",
                None,
            );
        }
        let routes = routes(&path, &key, raw.value.routes, names, work);
        models.push(Arc::new(ModelRoutes {
            name: Name::from(key.value),
            routes,
        }));
    }
    models
}

fn policy(path: &str, given: Option<&At<String>>, work: &mut Work<'_>) {
    let Some(at) = given.filter(|at| at.value != "ordered") else {
        return;
    };
    let meant = nearest(&at.value, ["ordered"]);
    work.refuse(
        format!("{path}.policy"),
        Some(at.span.clone()),
        work.show(at),
        "\"ordered\": other routing policies are not in this version",
        match meant {
            Some(_) => Hint::from("did you mean \"ordered\"?"),
            None => Hint::from("leave it out: the routes are tried in the order given"),
        },
    );
}

fn routes(
    path: &str,
    key: &At<String>,
    given: Option<At<Vec<At<RawRoute>>>>,
    names: &[String],
    work: &mut Work<'_>,
) -> Vec<RouteSettings> {
    let path = format!("{path}.routes");
    let hint = "routes = [ { provider = \"openai\" } ]";
    let Some(given) = given else {
        let expected = "at least one route";
        work.refuse(path, Some(key.span.clone()), "nothing", expected, hint);
        return Vec::new();
    };
    if given.value.is_empty() {
        work.refuse(
            path.as_str(),
            Some(given.span),
            "an empty list",
            "at least one route",
            hint,
        );
    }
    let mut routes: Vec<RouteSettings> = Vec::new();
    for (index, at) in given.value.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        let span = at.span;
        let Some(provider) = at.value.provider else {
            let expected = "the name of a provider";
            work.refuse(
                format!("{path}.provider"),
                Some(span),
                "nothing",
                expected,
                None,
            );
            continue;
        };
        let known = known(&format!("{path}.provider"), &provider, names, work);
        let route = RouteSettings {
            provider: Name::from(provider.value),
            model: at.value.model.map(|model| Name::from(model.value.0)),
        };
        let place = |route: &RouteSettings| {
            let model = route
                .model
                .clone()
                .unwrap_or_else(|| Name::from(key.value.as_str()));
            (route.provider.clone(), model)
        };
        if let Some(twin) = routes
            .iter()
            .position(|other| place(other) == place(&route))
        {
            let found = format!("the same route as [{twin}]");
            work.refuse(path, Some(span), found, "each route once", None);
        } else if known {
            routes.push(route);
        }
    }
    routes
}

/// `server.default_provider`, or without a word in the config the only provider that a key was
/// found for.
pub(in crate::config) fn default_provider(
    given: Option<&At<String>>,
    names: &[String],
    found: Option<&[Arc<Provider>]>,
    work: &mut Work<'_>,
) -> Option<Name> {
    if let Some(at) = given {
        let name = Name::from(at.value.as_str());
        return known("server.default_provider", at, names, work).then_some(name);
    }
    let mut keyed = found?.iter().filter(|provider| provider.key.is_some());
    match (keyed.next(), keyed.next()) {
        (Some(only), None) => Some(only.name.clone()),
        _ => None,
    }
}

/// Whether a provider of that name is configured; a problem where not.
fn known(path: &str, at: &At<String>, names: &[String], work: &mut Work<'_>) -> bool {
    if names.contains(&at.value) {
        return true;
    }
    let span: Span = Some(at.span.clone());
    let expected = if names.is_empty() {
        "a provider, of which there is none".to_owned()
    } else {
        format!("one of {}", names.join(", "))
    };
    let meant = nearest(&at.value, names.iter().map(String::as_str));
    let hint = if let Some(meant) = meant {
        format!("did you mean \"{meant}\"?")
    } else {
        let name = work.nearest_preset(&at.value).unwrap_or(&at.value);
        format!("add [providers.{}]", key_step(name))
    };
    work.refuse(path, span, work.show(at), expected, hint);
    false
}
