//! Resolves models with routes of their own, and the provider of requests that nobody claims.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::config::kinds::is_model;
use crate::config::problem::{nearest, quoted};
use crate::config::profiles::{fits, geography, geography_of, profiles_of, wants_profile};
use crate::config::raw_routing::{RawHedge, RawMinScore, RawModel, RawRamp, RawRoute, RawShadow};
use crate::config::read::{At, Entries, key_step};
use crate::config::routes::TranslatingHere;
use crate::config::settings::{
    HedgeSettings, ModelRoutes, Provider, RampStop, RouteSettings, ShadowSettings,
};
use crate::record::{Dialect, Name, Nanos, PicoDollars, WallTime};
use crate::routing::canary::Stages;
use crate::routing::catalogue::{self, ModelFacts, facts_of, owner_of};
use crate::routing::plan::Constraints;
use crate::routing::policy::{Policy, Ramp};
use crate::routing::pricing::Share;
use crate::routing::score::MinScore;

use super::numbers::count;
use super::policies::{Keys, policy, slo};
use super::work::{Span, Work, texts};

/// What the rest of the config says, as far as models are concerned.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Known<'a> {
    /// The providers that are listed, also those with problems of their own.
    pub(in crate::config) names: &'a [String],
    /// Those without.
    pub(in crate::config) providers: &'a [Arc<Provider>],
    /// What is known of models.
    pub(in crate::config) catalogue: &'a [ModelFacts],
}

impl<'a> Known<'a> {
    /// The provider of that name, where it has no problems.
    pub(super) fn provider(&self, name: &str) -> Option<&'a Provider> {
        let mut all = self.providers.iter();
        all.find(|of| of.name.as_str() == name).map(AsRef::as_ref)
    }

    /// The provider that claims a bare model, to which the client's own credential may go.
    pub(super) fn home(&self, model: &str) -> Option<&'a Name> {
        let claimed = self.providers.iter();
        owner_of(model, claimed.map(|of| (&of.name, of.models.as_slice())))
    }

    /// Whether a provider claims a model by its patterns, or has it by the catalogue.
    pub(super) fn is_of(&self, model: &str, provider: &str) -> bool {
        let claimed = self.provider(provider).is_some_and(|of| {
            let mut patterns = of.models.iter();
            patterns.any(|pattern| catalogue::claims(pattern, model))
        });
        claimed || self.called(model, provider).is_some()
    }

    /// Whether a request for the model would find a provider without being sent to a default one.
    pub(super) fn is_claimed(&self, model: &str) -> bool {
        let prefix = model.split_once('/').map(|(name, _)| name);
        self.providers.len() == 1
            || self.providers.iter().any(|provider| {
                Some(provider.name.as_str()) == prefix
                    || self.called(model, &provider.name).is_some()
            })
            || self.home(model).is_some()
    }

    /// What a model of the catalogue is called at a provider.
    fn called(&self, model: &str, provider: &str) -> Option<Name> {
        let provider = self.provider(provider)?;
        let facts = catalogue::named(model, self.catalogue)?;
        facts.name_at(provider.preset.as_deref()?).cloned()
    }
}

/// `[models]`.
pub(in crate::config) fn models(
    entries: Entries<RawModel>,
    of: Known<'_>,
    work: &mut Work<'_>,
) -> Vec<Arc<ModelRoutes>> {
    let names = of.names;
    let own: Vec<String> = entries.0.iter().map(|(key, _)| key.value.clone()).collect();
    let mut models = Vec::new();
    for (key, raw) in entries.0 {
        let path = format!("models.{}", key_step(&key.value));
        if !is_model(&key.value) {
            let expected = "a model's name: letters, digits and . _ : / @ + -";
            let span = Some(key.span.clone());
            work.refuse(path.as_str(), span, quoted(&key.value), expected, None);
        }
        let raw = raw.value;
        let slo = slo(raw.slo);
        let keys = Keys {
            policy: raw.policy.as_ref(),
            by: raw.by.as_ref(),
            dollars_per_second: raw.dollars_per_second.as_ref(),
            anchor: raw.anchor.as_ref(),
            then: raw.then.as_ref(),
        };
        let policy = policy(&path, &keys, slo, work).unwrap_or_default();
        let routes = routes(&path, &key, raw.routes, of, work);
        check_plans(&path, &key, &policy, &routes, work);
        for (index, at) in raw
            .fallback_models
            .iter()
            .flat_map(|at| &at.value)
            .enumerate()
        {
            if !own.contains(&at.value.0) && !of.is_claimed(&at.value.0) {
                work.warn(
                    format!("{path}.fallback_models[{index}]"),
                    Some(at.span.clone()),
                    format!("{}, which nobody here claims", quoted(&at.value.0)),
                    "a model of [models], `provider/model`, or a name that a provider claims",
                    "as it is, it is never asked",
                );
            }
        }
        let fallback_models = texts(raw.fallback_models, |model| Name::from(model.0));
        let nanos = |span: Duration| Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
        let constraints = Constraints {
            regions: texts(raw.regions, |region| region.0),
            residency: texts(raw.residency, |place| place.0),
            cost_max: raw.max_cost.map(|at| at.value.0),
            input_max: raw.max_input.map(|at| at.value.0),
            output_max: raw.max_output.map(|at| at.value.0),
            min_score: raw
                .min_score
                .and_then(|at| min_score(&format!("{path}.min_score"), at, work)),
            deadline: raw.deadline.map(|at| nanos(at.value)),
            context_min: None,
        };
        models.push(Arc::new(ModelRoutes {
            name: Name::from(key.value),
            routes,
            policy,
            slo,
            constraints,
            fallback_models,
            hedge: raw.hedge.map(|at| hedge(at.value)),
            shadow: raw
                .shadow
                .and_then(|at| shadow(&format!("{path}.shadow"), at, names, work)),
        }));
    }
    models
}

/// A plan needs weights to draw by, and something to be compared with.
fn check_plans(
    path: &str,
    key: &At<String>,
    policy: &Policy,
    routes: &[RouteSettings],
    work: &mut Work<'_>,
) {
    let planned = routes.iter().filter(|of| of.stages.is_some()).count();
    let span = || Some(key.span.clone());
    if planned > 0 && *policy != Policy::Weighted {
        let found = format!("stages under policy = \"{}\"", policy.name());
        let hint = "policy = \"weighted\"";
        work.warn(
            format!("{path}.policy"),
            span(),
            found,
            "weights to draw by",
            hint,
        );
    }
    if planned > 1 || (planned == 1 && routes.len() < 2) {
        let found = format!("{planned} of {} routes with stages", routes.len());
        let expected = "one canary at a time, beside one other route at least";
        work.refuse(format!("{path}.routes"), span(), found, expected, None);
    }
}

/// The score that routes must reach; a problem where it names no scorer or no score.
fn min_score(path: &str, at: At<RawMinScore>, work: &mut Work<'_>) -> Option<MinScore> {
    let raw = at.value;
    let (Some(scorer), Some(at_least)) = (raw.scorer, raw.at_least) else {
        let hint = "min_score = { scorer = \"factuality\", at_least = 0.8 }";
        let expected = "a scorer of `tollgate eval`, and a score";
        let found = "not both a `scorer` and an `at_least` that can be read";
        work.refuse(path, Some(at.span), found, expected, hint);
        return None;
    };
    Some(MinScore {
        scorer: scorer.value.0,
        data_set: raw.data_set.map(|at| at.value.0),
        at_least: at_least.value.0,
        unknown_passes: raw.unknown_passes.is_some_and(|at| at.value),
    })
}

/// 2 % of the requests, a dollar a day.
fn hedge(raw: RawHedge) -> HedgeSettings {
    HedgeSettings {
        share: raw
            .share
            .map_or(Share::of_millionths(20_000), |at| at.value.0),
        after: raw.after.map(|at| at.value),
        cost_per_day: raw.max_cost_per_day.map_or(A_DOLLAR, |at| at.value.0),
    }
}

/// What hedges and shadows may cost in a day unless the config says otherwise.
const A_DOLLAR: PicoDollars = PicoDollars(1_000_000_000_000);

fn shadow(
    path: &str,
    at: At<RawShadow>,
    names: &[String],
    work: &mut Work<'_>,
) -> Option<ShadowSettings> {
    let raw = at.value;
    let Some(provider) = raw.provider else {
        let expected = "the name of a provider";
        work.refuse(
            format!("{path}.provider"),
            Some(at.span),
            "nothing",
            expected,
            None,
        );
        return None;
    };
    known(&format!("{path}.provider"), &provider, names, work).then(|| ShadowSettings {
        provider: Name::from(provider.value),
        model: raw.model.map(|model| Name::from(model.value.0)),
        share: raw
            .share
            .map_or(Share::of_millionths(50_000), |at| at.value.0),
        cost_per_day: raw.max_cost_per_day.map_or(A_DOLLAR, |at| at.value.0),
    })
}

/// A share that grows by stages, and when it begins to.
fn stages(path: &str, at: At<RawRamp>, work: &mut Work<'_>) -> Option<Stages> {
    let raw = at.value;
    let hint = "ramp = { start = \"2026-12-01\", stages = [0.05, 0.10, 0.50] }";
    let Some(start) = raw.start else {
        let expected = "when the first stage begins";
        work.refuse(path, Some(at.span), "no `start`", expected, hint);
        return None;
    };
    let of_weight = [
        ("from", raw.from.map(|at| at.span)),
        ("to", raw.to.map(|at| at.span)),
        ("over", raw.over.map(|at| at.span)),
    ];
    for (key, span) in of_weight {
        if let Some(span) = span {
            let expected = "stages, or a weight that grows by the clock: not both";
            let found = format!("`{key}` beside `stages`");
            work.refuse(format!("{path}.{key}"), Some(span), found, expected, None);
        }
    }
    let path = format!("{path}.stages");
    let given = raw.stages?;
    let shares: Vec<f64> = given.value.iter().map(|at| at.value.0).collect();
    let inside = shares.iter().all(|share| *share > 0.0 && *share < 1.0);
    let ascending = shares.windows(2).all(|pair| pair[0] < pair[1]);
    if shares.is_empty() || !inside || !ascending {
        let found = format!("{shares:?}");
        let expected = "growing shares between 0 and 1: what follows the last one is for a human";
        work.refuse(path, Some(given.span), found, expected, hint);
        return None;
    }
    let exchanges = format!("{}.exchanges", path.trim_end_matches(".stages"));
    Some(Stages {
        start: start.value.0,
        shares,
        exchanges: count(
            work,
            &exchanges,
            raw.exchanges,
            STAGE_EXCHANGES,
            (30, 1_000_000),
        ),
    })
}

/// Exchanges of a canary in a stage unless the config says otherwise.
const STAGE_EXCHANGES: u64 = 200;

/// A weight that grows, and when it begins to.
fn ramp(path: &str, at: At<RawRamp>, weight: f64, work: &mut Work<'_>) -> Option<(WallTime, Ramp)> {
    let raw = at.value;
    let span = Some(at.span);
    let (Some(start), Some(over)) = (raw.start, raw.over) else {
        let hint = "ramp = { start = \"2026-12-01\", from = 0.05, over = \"7d\" }";
        let expected = "when it begins, and how long it takes";
        work.refuse(path, span, "no `start`, or no `over`", expected, hint);
        return None;
    };
    let ramp = Ramp {
        from: raw.from.map_or(0.0, |at| at.value.0),
        to: raw.to.map_or(weight, |at| at.value.0),
        over: Nanos(u64::try_from(over.value.as_nanos()).unwrap_or(u64::MAX)),
    };
    Some((start.value.0, ramp))
}

fn routes(
    path: &str,
    key: &At<String>,
    given: Option<At<Vec<At<RawRoute>>>>,
    of: Known<'_>,
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
        let (span, mut raw) = (at.span, at.value);
        let Some(provider) = raw.provider.take() else {
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
        let known = known(&format!("{path}.provider"), &provider, of.names, work);
        let called = of.called(&key.value, &provider.value);
        let weight = raw.weight.map_or(1.0, |at| at.value.0);
        let there = of
            .providers
            .iter()
            .find(|at| at.name.as_str() == provider.value);
        let model_span = raw
            .model
            .as_ref()
            .map_or(span.clone(), |at| at.span.clone());
        let model = raw.model.map(|model| Name::from(model.value.0)).or(called);
        let model = match there.filter(|at| at.dialect == Dialect::Bedrock) {
            Some(at) => {
                let asked = model.unwrap_or_else(|| Name::from(key.value.as_str()));
                let there = at.model_there(asked);
                check_bedrock_id(&path, model_span, &there, (at, of.catalogue), work);
                Some(there)
            }
            None => model,
        };
        let stop = raw.ramp.as_ref().and_then(|at| at.value.stop.as_ref());
        let planned = raw
            .ramp
            .as_ref()
            .is_some_and(|at| at.value.stages.is_some());
        // Whoever lets a canary grow by itself wants it to stop by itself.
        let usual = if planned {
            RampStop::Back
        } else {
            RampStop::None
        };
        let ramp_stop = stop.map_or(usual, |at| at.value);
        let ramp_path = format!("{path}.ramp");
        let (stages, ramp) = match raw.ramp {
            Some(at) if planned => (stages(&ramp_path, at, work), None),
            Some(at) => (None, ramp(&ramp_path, at, weight, work)),
            None => (None, None),
        };
        let route = RouteSettings {
            ramp_stop,
            provider: Name::from(provider.value),
            model,
            weight,
            ramp,
            stages,
            region: raw.region.map(|at| at.value.0),
            residency: raw.residency.map(|at| at.value.0),
            context: raw.context.map(|at| at.value),
            translating: TranslatingHere {
                drop_params: raw.drop_params.map(|at| at.value),
                merge_system: raw.merge_system.map(|at| at.value),
                max_tokens: raw.max_tokens_default.map(|at| at.value),
            },
        };
        let there = route.model.as_deref().unwrap_or(&key.value);
        let catalogued = || facts_of(there, of.catalogue)?.context_length;
        let route = RouteSettings {
            context: route.context.or_else(catalogued),
            ..route
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

/// Says where a Bedrock id cannot be answered where the provider is.
fn check_bedrock_id(
    path: &str,
    span: Range<usize>,
    model: &str,
    (provider, catalogue): (&Provider, &[ModelFacts]),
    work: &mut Work<'_>,
) {
    let Some(region) = provider.region.as_deref() else {
        return;
    };
    let own = geography(region).unwrap_or("global");
    let (path, span) = (format!("{path}.model"), Some(span));
    if let Some(asked) = geography_of(model).filter(|asked| !fits(asked, region)) {
        let rest = &model[asked.len() + 1..];
        let hint = format!("{own}.{rest}, or global.{rest} where there is one");
        let found = format!(
            "a profile of {}, which {region} does not have",
            quoted(asked)
        );
        work.warn(
            path,
            span,
            found,
            "a profile of the provider's region",
            hint,
        );
    } else if let Some((asked, there)) = missing_profile(model, catalogue) {
        let rest = &model[asked.len() + 1..];
        let nearest = there.iter().filter(|geography| fits(geography, region));
        let ids: Vec<String> = nearest.map(|near| format!("\"{near}.{rest}\"")).collect();
        let found = format!("{}, and no such profile of it is known", quoted(model));
        let expected = format!("one of its profiles: {}", there.join(", "));
        let hint = if ids.is_empty() {
            "take a provider in a region that one of them is of".to_owned()
        } else {
            let ids = ids.join(" or ");
            format!("write {ids}, if your data may go that far")
        };
        work.warn(path, span, found, expected, hint);
    } else if provider.profile.is_none() && wants_profile(model) {
        let bare = model.strip_prefix("anthropic.").unwrap_or(model);
        let hint = format!(
            "write \"{own}.anthropic.{bare}\", or inference_profile = \"geo\" with the provider"
        );
        let found = format!("{}, which Bedrock answers by a profile only", quoted(model));
        work.warn(path, span, found, "the id of an inference profile", hint);
    }
}

/// The profile that an id asks by, and those that the catalogue knows of that model, where they are
/// others. A wider one is never taken in its place: where a request may go is the user's to say.
fn missing_profile(
    model: &str,
    catalogue: &[ModelFacts],
) -> Option<(&'static str, Vec<&'static str>)> {
    let asked = geography_of(model)?;
    let bare = &model[asked.len() + 1..];
    let there = profiles_of(bare, facts_of(bare, catalogue)?);
    (!there.is_empty() && !there.contains(&asked)).then_some((asked, there))
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
    let mut keyed = found?.iter().filter(|provider| provider.has_credential());
    match (keyed.next(), keyed.next()) {
        (Some(only), None) => Some(only.name.clone()),
        _ => None,
    }
}

/// Whether a provider of that name is configured; a problem where not.
pub(super) fn known(path: &str, at: &At<String>, names: &[String], work: &mut Work<'_>) -> bool {
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
