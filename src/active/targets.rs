//! Finds the routes that requests of our own are sent to, by names of models, providers, regions.

use crate::config::settings::{Provider, Settings};
use crate::record::{Dialect, Name, ProviderKind, WallTime};
use crate::routing::catalogue::{self, owner_of};
use crate::routing::pricing::{Asked, Quote, Tier};
use crate::routing::route::RouteKey;

/// A route that is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The model, as applications ask for it: what reports compare by.
    pub model: Name,
    /// The route: the provider, and the model's name there.
    pub route: RouteKey,
    /// Whether its provider resells.
    pub is_router: bool,
    /// Its provider's region, where that is known.
    pub region: Option<Name>,
    /// Which field of a request bounds the answer there: `max_completion_tokens` rather than
    /// `max_tokens`.
    pub completion_limit: bool,
    /// Whether usage is asked for: not where nobody knows that the provider takes the question.
    pub asks_usage: bool,
}

/// Which routes are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Models, as applications ask for them.
    pub models: Vec<String>,
    /// Only these providers; every one that serves the model where empty.
    pub providers: Vec<String>,
    /// Only providers of these regions; of all where empty.
    pub regions: Vec<String>,
}

/// Why there is nothing to ask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetFault {
    /// No provider has that name.
    #[error("no provider is called {name}; there is: {have}")]
    NoProvider {
        /// The name.
        name: String,
        /// The names that there are.
        have: String,
    },
    /// No provider is in that region.
    #[error("no provider here is of region {name}; there is: {have}")]
    NoRegion {
        /// The name.
        name: String,
        /// The regions that there are, with who is in each.
        have: String,
    },
    /// Who serves that model is none of those wanted.
    #[error("none of the providers and regions named serves {model}; it is at: {have}")]
    NoneLeft {
        /// The model.
        model: String,
        /// Who serves it, with regions.
        have: String,
    },
    /// Nobody serves that model.
    #[error(
        "no provider here serves {model}: give it routes in [models], name it `provider/model`, or \
         name the providers with --providers"
    )]
    NoRoute {
        /// The model.
        model: String,
    },
}

impl Wanted {
    /// The routes to each model, in the order of the models and of the config.
    pub fn targets(&self, settings: &Settings) -> Result<Vec<Target>, TargetFault> {
        self.are_there(settings)?;
        let mut all: Vec<Target> = Vec::new();
        for model in &self.models {
            let routes = self.routes(model, settings);
            let mut own = routes.iter().filter(|(of, _)| self.takes(of)).peekable();
            if own.peek().is_none() {
                return Err(none_left(model, &routes));
            }
            for (provider, there) in own {
                let target = Target::new(model, provider, there.clone());
                // A model that is named twice is asked once.
                if !all.contains(&target) {
                    all.push(target);
                }
            }
        }
        Ok(all)
    }

    /// Whether all that is named is there.
    pub fn are_there(&self, settings: &Settings) -> Result<(), TargetFault> {
        for name in &self.providers {
            is_there(settings, name)?;
        }
        let is_region = |name: &str| {
            let mut providers = settings.providers.iter();
            providers.any(|of| of.region.as_deref() == Some(name))
        };
        match self.regions.iter().find(|name| !is_region(name)) {
            None => Ok(()),
            Some(name) => Err(TargetFault::NoRegion {
                name: name.clone(),
                have: with_regions(settings.providers.iter().map(|of| &**of)),
            }),
        }
    }

    /// Whether the provider is one of those wanted.
    #[must_use]
    pub fn takes(&self, provider: &Provider) -> bool {
        let region = provider.region.as_deref().unwrap_or_default();
        (self.providers.is_empty() || self.names(provider))
            && (self.regions.is_empty() || self.regions.iter().any(|of| of == region))
    }

    fn names(&self, provider: &Provider) -> bool {
        let mut names = self.providers.iter();
        names.any(|name| *name == provider.name.as_str())
    }

    /// The ways to a model: its configured routes, else the provider in its name, else every
    /// provider at which the catalogue has a name for it or which claims it, else the providers
    /// named.
    fn routes<'a>(&self, model: &str, settings: &'a Settings) -> Vec<(&'a Provider, Name)> {
        let there = || Name::from(model);
        if let Some(routes) = settings.models.iter().find(|of| of.name.as_str() == model) {
            let ways = routes.routes.iter().filter_map(|route| {
                let provider = settings.provider(&route.provider)?;
                Some((&**provider, route.model.clone().unwrap_or_else(there)))
            });
            return ways.collect();
        }
        if let Some((name, rest)) = model.split_once('/')
            && let Some(provider) = settings.provider(name)
        {
            return vec![(provider, Name::from(rest))];
        }
        let facts = catalogue::named(model, &settings.catalogue);
        let claims =
            |provider: &Provider| owner_of(model, [((), provider.models.as_slice())]).is_some();
        let ways = settings.providers.iter().filter_map(|provider| {
            let preset = provider.preset.as_deref();
            let catalogued = facts
                .zip(preset)
                .and_then(|(facts, preset)| facts.name_at(preset));
            let called = catalogued
                .cloned()
                .or_else(|| (claims(provider) || self.names(provider)).then(there))?;
            Some((&**provider, provider.model_there(called)))
        });
        ways.collect()
    }
}

/// Why nothing is left of the routes to a model.
fn none_left(model: &str, routes: &[(&Provider, Name)]) -> TargetFault {
    let model = model.to_owned();
    if routes.is_empty() {
        return TargetFault::NoRoute { model };
    }
    let have = with_regions(routes.iter().map(|(provider, _)| *provider));
    TargetFault::NoneLeft { model, have }
}

/// Providers with their regions, each once.
fn with_regions<'a>(providers: impl Iterator<Item = &'a Provider>) -> String {
    let mut said: Vec<String> = Vec::new();
    for provider in providers {
        let region = provider.region.as_deref().unwrap_or("no region");
        let one = format!("{} ({region})", provider.name);
        if !said.contains(&one) {
            said.push(one);
        }
    }
    said.join(", ")
}

/// Whether a provider of that name is configured.
pub fn is_there(settings: &Settings, name: &str) -> Result<(), TargetFault> {
    if settings.provider(name).is_some() {
        return Ok(());
    }
    let names = settings.providers.iter();
    let names: Vec<&str> = names.map(|provider| provider.name.as_str()).collect();
    Err(TargetFault::NoProvider {
        name: name.to_owned(),
        have: names.join(", "),
    })
}

impl Target {
    /// The route to `model` at `provider`, where it is called `there`.
    #[must_use]
    pub fn new(model: &str, provider: &Provider, there: Name) -> Self {
        Self {
            model: Name::from(model),
            route: RouteKey::new(provider.name.as_str(), Some(there)),
            is_router: provider.kind == ProviderKind::Router,
            region: provider.region.clone(),
            completion_limit: takes_completion_limit(provider),
            asks_usage: provider.inject_usage || provider.preset.is_none(),
        }
    }

    /// What a request of so many prompt tokens costs there; absent where nobody knows.
    #[must_use]
    pub fn quote(&self, settings: &Settings, tokens: u64, now: WallTime) -> Option<Quote> {
        let provider = settings.provider(&self.route.provider)?;
        if provider.per_hour.is_some() {
            return Some(Quote::default());
        }
        let row = settings.prices.find(&Asked {
            provider: &provider.name,
            preset: provider.preset.as_deref(),
            model: self.route.model.as_deref().unwrap_or(&self.model),
            at: now,
            tier: Tier::default(),
        });
        Quote::of(row.ok()?, tokens, now)
    }

    /// The field of a chat request that bounds the answer.
    #[must_use]
    pub const fn limit_field(&self) -> &'static str {
        if self.completion_limit {
            "max_completion_tokens"
        } else {
            "max_tokens"
        }
    }
}

/// OpenAI's newer models refuse `max_tokens`; other hosts know nothing else.
fn takes_completion_limit(provider: &Provider) -> bool {
    provider.preset.as_deref() == Some("openai") || provider.dialect == Dialect::Azure
}
