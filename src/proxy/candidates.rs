//! Finds the routes that a request may take, and whose credential goes with it on each.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use secrecy::ExposeSecret as _;

use super::address::Address;
use super::names::ROUTE;
use super::reject::Reject;
use super::secret::{self, Hasher};
use super::speech::{Request, Speech, Unsayable};
use super::unknown;
use crate::config::credentials::{CredentialFrom, CredentialSource};
use crate::config::settings::{AuthScheme, ModelRoutes, Provider, RouteSettings, Settings};
use crate::record::{Dialect, KeyedHash, Name};
use crate::routing::catalogue::{self, owner_of};
use crate::routing::route::RouteKey;
use crate::wire::dialect::identify::{House, endpoint};

/// One way for this request: a provider, the model's name there, and a credential.
#[derive(Debug, Clone)]
pub struct Way {
    /// The provider.
    pub provider: Arc<Provider>,
    /// The model's name there, where the request has a model.
    pub model: Option<Name>,
    /// What the config says of the route, where it has one.
    pub configured: Option<Configured>,
    /// The model of the config whose hard limits hold there, by whichever name it was asked for.
    pub limits: Option<Arc<ModelRoutes>>,
    /// Whether it serves another model than the one asked for.
    pub other_model: bool,
    /// The credential to send.
    pub credential: Credential,
    /// Whether it is the way before it with another of the provider's credentials.
    pub is_spare: bool,
    /// Whether the client itself addressed the provider, so that its own credentials may go there.
    pub addressed: bool,
    /// How the request is said there.
    pub speech: Speech,
}

/// A route of a model in the config.
#[derive(Debug, Clone)]
pub struct Configured {
    model: Arc<ModelRoutes>,
    place: usize,
}

impl Configured {
    /// The model whose route it is.
    #[must_use]
    pub fn model(&self) -> &Name {
        &self.model.name
    }

    /// That model.
    #[must_use]
    pub fn routes(&self) -> &ModelRoutes {
        &self.model
    }

    /// What the config says of the route.
    #[must_use]
    pub fn route(&self) -> &RouteSettings {
        &self.model.routes[self.place]
    }
}

impl Way {
    /// Tokens of prompt and answer that it is known to take.
    #[must_use]
    pub fn context(&self) -> Option<u64> {
        self.configured.as_ref()?.route().context
    }

    /// Where it answers from, as far as the config says.
    #[must_use]
    pub fn region(&self) -> Option<&Name> {
        let said = self.configured.as_ref();
        said.and_then(|configured| configured.route().region.as_ref())
            .or(self.provider.region.as_ref())
    }

    /// The key of its route.
    #[must_use]
    pub fn key(&self) -> RouteKey {
        RouteKey {
            provider: self.provider.name.clone(),
            model: self.model.clone(),
        }
    }

    /// The name of its route: `provider/model`, or the provider's for requests without a model.
    #[must_use]
    pub fn route(&self) -> String {
        match &self.model {
            Some(model) => [&*self.provider.name, "/", model].concat(),
            None => self.provider.name.to_string(),
        }
    }
}

/// The credential that goes with a request.
#[derive(Debug, Clone)]
pub enum Credential {
    /// One of the provider's own.
    Own(Arc<CredentialSource>),
    /// The client's own, as header name and value.
    Client(&'static str, HeaderValue),
    /// None is needed, or there is none.
    None,
}

/// The ways found, and how.
#[derive(Debug)]
pub struct Ways {
    /// In the order of the config.
    pub ways: Vec<Way>,
    /// The model that the config gives routes, where the request asks for one.
    pub routes: Option<Arc<ModelRoutes>>,
    /// How they were found: `base_url`, `model`, `provider_prefix`, `pattern`, …
    pub how: &'static str,
}

/// Finds the ways for a request.
pub fn find(
    settings: &Settings,
    address: &Address<'_>,
    model: Option<&Name>,
    headers: &HeaderMap,
) -> Result<Ways, Reject> {
    let pinned = pin(headers)?;
    let found = match pinned {
        Some(pin) => pinned_target(settings, &pin, model)?,
        None => targets(settings, address, model)?,
    };
    let home = model.and_then(|model| home_of(settings, model));
    let mut ways = Vec::with_capacity(found.list.len());
    for target in found.list {
        let addressed = found.addressed || home == Some(&target.provider.name);
        let credential = credential(settings, &target.provider, headers, addressed);
        if matches!(credential, Credential::None) && addressed {
            refuse_signature(&target.provider, headers)?;
        }
        let first = Way {
            provider: target.provider,
            model: target.model,
            configured: target.configured,
            limits: target.limits,
            other_model: target.other_model,
            credential,
            is_spare: false,
            addressed,
            speech: Speech::Own,
        };
        let spare = |source: &Arc<CredentialSource>| Way {
            credential: Credential::Own(Arc::clone(source)),
            is_spare: true,
            ..first.clone()
        };
        let spares: Vec<Way> = first
            .provider
            .credentials
            .iter()
            .skip(1)
            .map(spare)
            .collect();
        ways.push(first);
        ways.extend(spares);
    }
    Ok(Ways {
        ways,
        routes: found.routes,
        how: found.how,
    })
}

/// The way to a model at a provider by its configured credential; absent where one is needed and
/// there is none.
#[must_use]
pub fn configured(settings: &Settings, provider: &str, model: &Name) -> Option<Way> {
    let provider = settings.provider(provider)?;
    let credential = match provider.credentials.first() {
        Some(source) => Credential::Own(Arc::clone(source)),
        None if provider.is_keyless() => Credential::None,
        None => return None,
    };
    Some(Way {
        provider: Arc::clone(provider),
        model: Some(model.clone()),
        configured: None,
        limits: None,
        other_model: false,
        credential,
        is_spare: false,
        addressed: false,
        speech: Speech::Own,
    })
}

impl Way {
    /// Says `request`, if it has to be said otherwise there.
    pub fn say(&mut self, request: Request<'_>) {
        let route = self.configured.as_ref().map(Configured::route);
        let model = self.model.as_deref().unwrap_or_default();
        self.speech = Speech::of(request, &self.provider, route, model);
    }
}

impl Ways {
    /// Says `request` to every provider that does not speak the client's language. An error where
    /// it can be said to none of them.
    pub fn say(
        &mut self,
        request: Request<'_>,
        headers: &HeaderMap,
        settings: &Settings,
    ) -> Result<(), Reject> {
        for index in 0..self.ways.len() {
            let (before, rest) = self.ways.split_at_mut(index);
            let Some(way) = rest.first_mut() else { break };
            match before.last() {
                // The same route by another credential is asked the same.
                Some(head) if way.is_spare => way.speech = head.speech.clone(),
                _ => way.say(request),
            }
            let own = way.addressed && !matches!(way.credential, Credential::Own(_));
            if own && way.speech.said().is_some() {
                way.credential = in_scheme(way.provider.auth, headers, settings);
            }
        }
        let mut unsayable = self.ways.iter().map(|way| {
            let why = way.speech.unsayable()?;
            Some((why, way.provider.name.as_str()))
        });
        let Some(Some(first)) = unsayable.next() else {
            return Ok(());
        };
        // A field that can be named is more use than a language that cannot.
        let mut told = first;
        for next in unsayable {
            let Some(next) = next else { return Ok(()) };
            if matches!(next.0, Unsayable::Refused(..)) && !matches!(told.0, Unsayable::Refused(..))
            {
                told = next;
            }
        }
        Err(told.0.reject(told.1))
    }
}

/// A provider and the model's name there.
struct Target {
    provider: Arc<Provider>,
    model: Option<Name>,
    configured: Option<Configured>,
    limits: Option<Arc<ModelRoutes>>,
    other_model: bool,
}

impl Target {
    fn new(provider: &Arc<Provider>, model: Option<Name>) -> Self {
        Self {
            provider: Arc::clone(provider),
            model: model.map(|model| provider.model_there(model)),
            configured: None,
            limits: None,
            other_model: false,
        }
    }
}

/// The targets of a request.
struct Targets {
    list: Vec<Target>,
    how: &'static str,
    /// Whether the client itself addressed the provider, which is what lets its own credential go
    /// there.
    addressed: bool,
    routes: Option<Arc<ModelRoutes>>,
}

impl Targets {
    fn one(provider: &Arc<Provider>, model: Option<Name>, how: &'static str, own: bool) -> Self {
        Self {
            list: vec![Target::new(provider, model)],
            how,
            addressed: own,
            routes: None,
        }
    }

    /// A base URL and a prefix choose the provider; where an answer may come from, and what it may
    /// cost, is the config's to say, and stands at `model` there.
    fn within(mut self, settings: &Settings, model: Option<&str>) -> Self {
        let Some(routes) = model.and_then(|model| routes_of(settings, model)) else {
            return self;
        };
        for target in &mut self.list {
            target.configured = configured_at(routes, &target.provider, model);
            target.limits = Some(Arc::clone(routes));
        }
        self
    }
}

/// What the config says of the route of `routes` at a provider, by the name `there` if one is given.
fn configured_at(
    routes: &Arc<ModelRoutes>,
    provider: &Provider,
    there: Option<&str>,
) -> Option<Configured> {
    let mut all = routes.routes.iter();
    let place = all.position(|route| {
        let called = route.model.as_ref().unwrap_or(&routes.name);
        route.provider == provider.name && there.is_none_or(|there| there == called.as_str())
    })?;
    Some(Configured {
        model: Arc::clone(routes),
        place,
    })
}

/// `x-tollgate-route: provider` or `provider/model`.
fn pin(headers: &HeaderMap) -> Result<Option<String>, Reject> {
    let Some(value) = headers.get(&ROUTE) else {
        return Ok(None);
    };
    value
        .to_str()
        .map(|text| Some(text.trim().to_owned()))
        .map_err(|_| {
            let message = "x-tollgate-route must be `provider` or `provider/model`";
            Reject::new(StatusCode::BAD_REQUEST, "unknown_route", message)
        })
}

fn pinned_target(settings: &Settings, pin: &str, model: Option<&Name>) -> Result<Targets, Reject> {
    let (name, there) = match pin.split_once('/') {
        Some((name, there)) if !there.is_empty() => (name, Some(there)),
        _ => (pin, None),
    };
    let Some(provider) = settings.provider(name) else {
        return Err(Reject::new(
            StatusCode::BAD_REQUEST,
            "unknown_route",
            format!(
                "x-tollgate-route names `{name}`, which is no provider here; {}",
                have(settings)
            ),
        ));
    };
    // A model with routes says what it is called at the pinned provider.
    let routes = model.and_then(|model| routes_of(settings, model));
    let configured = routes.and_then(|routes| configured_at(routes, provider, there));
    let called = there
        .map(Name::from)
        .or_else(|| configured.as_ref()?.route().model.clone())
        .or_else(|| model.cloned());
    let called = called.filter(|_| model.is_some());
    let mut found = Targets::one(provider, called, "pinned", false);
    found.list[0].configured = configured;
    // A pin chooses a route; where the answer may come from is not the request's to say.
    found.list[0].limits = routes.cloned();
    found.routes = routes.cloned();
    Ok(found)
}

fn routes_of<'a>(settings: &'a Settings, model: &str) -> Option<&'a Arc<ModelRoutes>> {
    settings
        .models
        .iter()
        .find(|routes| routes.name.as_str() == model)
}

/// The order of the design, section 2: base URL, `[models]`, `provider/rest`, patterns, the only
/// provider, the default.
fn targets(
    settings: &Settings,
    address: &Address<'_>,
    model: Option<&Name>,
) -> Result<Targets, Reject> {
    let asked = || model.cloned();
    if let Some(provider) = address.provider.and_then(|name| settings.provider(name)) {
        let found = Targets::one(provider, asked(), "base_url", true);
        return Ok(found.within(settings, model.map(Name::as_str)));
    }
    let default = || {
        let name = settings.server.default_provider.as_ref()?;
        let provider = settings.provider(name)?;
        Some(Targets::one(provider, asked(), "default_provider", false))
    };
    let only = || match settings.providers.as_slice() {
        [only] => Some(Targets::one(only, asked(), "only_provider", true)),
        _ => None,
    };
    let Some(model) = model else {
        return default().or_else(only).ok_or_else(|| {
            Reject::new(
                StatusCode::NOT_FOUND,
                "no_provider",
                format!(
                    "no model is read at this path, so the provider must come from the base URL \
                     (`/{{provider}}/v1`) or from `server.default_provider`; {}",
                    have(settings)
                ),
            )
        });
    };
    if let Some(routes) = routes_of(settings, model) {
        return Ok(of_model(settings, routes));
    }
    if let Some((name, rest)) = model.split_once('/')
        && let Some(provider) = settings.provider(name)
        && !rest.is_empty()
    {
        let found = Targets::one(provider, Some(Name::from(rest)), "provider_prefix", true);
        return Ok(found.within(settings, Some(rest)));
    }
    let owners = settings
        .providers
        .iter()
        .map(|provider| (provider, provider.models.as_slice()));
    if let Some(provider) = owner_of(model, owners) {
        return Ok(Targets::one(provider, asked(), "pattern", true));
    }
    if let Some(provider) = of_path(settings, address.path) {
        return Ok(Targets::one(provider, asked(), "path", true));
    }
    if let Some((provider, there)) = catalogued(settings, model) {
        let own = settings.providers.len() == 1;
        return Ok(Targets::one(provider, Some(there), "catalogue", own));
    }
    only().or_else(default).ok_or_else(|| {
        let known = unknown::hint(settings, model);
        let mut message = format!(
            "no provider here claims the model `{model}`{}; {}",
            known.map_or_else(String::new, |hint| format!(" ({hint})")),
            have(settings)
        );
        message.push_str(
            ". Ask for `provider/model`, use the base URL `/{provider}/v1`, or set \
             `server.default_provider`",
        );
        Reject::new(StatusCode::NOT_FOUND, "model_not_found", message).param("model")
    })
}

/// The only provider of the family whose own paths look like this one.
fn of_path<'a>(settings: &'a Settings, path: &str) -> Option<&'a Arc<Provider>> {
    let family = match endpoint(path).house {
        House::Gemini | House::Vertex(_) => Dialect::Gemini,
        House::Bedrock => Dialect::Bedrock,
        House::Azure => Dialect::Azure,
        House::Plain(_) | House::Ollama => return None,
    };
    let mut all = settings.providers.iter();
    let mut of_family = all.by_ref().filter(|provider| provider.dialect == family);
    let first = of_family.next()?;
    of_family.next().is_none().then_some(first)
}

/// The first provider, in the order of the config, at which a model of the catalogue has a name,
/// and that name; those first that have a key.
fn catalogued<'a>(settings: &'a Settings, model: &str) -> Option<(&'a Arc<Provider>, Name)> {
    let facts = catalogue::named(model, &settings.catalogue)?;
    let serving = || {
        settings.providers.iter().filter_map(|provider| {
            let there = facts.name_at(provider.preset.as_deref()?)?;
            Some((provider, there.clone()))
        })
    };
    serving()
        .find(|(provider, _)| provider.has_credential())
        .or_else(|| serving().next())
}

/// The routes of a model, and behind them those of the models that may stand in for it.
fn of_model(settings: &Settings, routes: &Arc<ModelRoutes>) -> Targets {
    let mut all: Vec<_> = of_routes(settings, routes).collect();
    for name in &routes.fallback_models {
        if let Some(other) = routes_of(settings, name) {
            all.extend(of_routes(settings, other).map(stand_in));
            continue;
        }
        let address = Address::root();
        let found = targets(settings, &address, Some(name));
        let found = found.map_or_else(|_| Vec::new(), |found| found.list);
        all.extend(found.into_iter().map(stand_in));
    }
    Targets {
        list: all,
        how: "model",
        addressed: false,
        routes: Some(Arc::clone(routes)),
    }
}

fn of_routes(settings: &Settings, routes: &Arc<ModelRoutes>) -> impl Iterator<Item = Target> {
    let list = routes.routes.iter().enumerate();
    list.filter_map(move |(place, route)| {
        let provider = settings.provider(&route.provider)?;
        let there = route.model.clone().unwrap_or_else(|| routes.name.clone());
        Some(Target {
            configured: Some(Configured {
                model: Arc::clone(routes),
                place,
            }),
            limits: Some(Arc::clone(routes)),
            ..Target::new(provider, Some(there))
        })
    })
}

fn stand_in(target: Target) -> Target {
    Target {
        other_model: true,
        ..target
    }
}

/// What there is, for messages.
fn have(settings: &Settings) -> String {
    let names = |names: Vec<&str>| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    let providers = settings
        .providers
        .iter()
        .map(|provider| provider.name.as_str())
        .collect();
    let models = settings
        .models
        .iter()
        .map(|routes| routes.name.as_str())
        .collect();
    format!("providers: {}; models: {}", names(providers), names(models))
}

/// Whether a credential goes with the way, or none is needed, or it is the client's to send one.
#[must_use]
pub fn is_usable(way: &Way) -> bool {
    way.addressed || way.provider.is_keyless() || !matches!(way.credential, Credential::None)
}

/// Whether a header's value is Tollgate's own token, which lets a client in and goes no further.
#[must_use]
pub fn is_token(value: &HeaderValue, settings: &Settings) -> bool {
    let token = settings.server.token.as_ref();
    token.is_some_and(|token| {
        same(
            secret::bare(value.as_bytes()),
            token.expose_secret().as_bytes(),
        )
    })
}

/// Whether a header's value is a signature of AWS's: made for one request to one host, and so of
/// no use to anybody else.
fn is_signature(value: &HeaderValue) -> bool {
    value.as_bytes().starts_with(b"AWS4-")
}

/// Says why a client's signature cannot be passed on, where it is all that there is.
fn refuse_signature(provider: &Provider, headers: &HeaderMap) -> Result<(), Reject> {
    if !headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .any(is_signature)
    {
        return Ok(());
    }
    let name = &provider.name;
    let message = format!(
        "the request is signed for this host, and an AWS signature holds for one host only: {name} \
         needs a credential of Tollgate's own to sign with. Set AWS_PROFILE, AWS_ACCESS_KEY_ID or \
         AWS_BEARER_TOKEN_BEDROCK where Tollgate runs, or `login = \"aws\"` with the provider"
    );
    let mut reject = Reject::no_credential();
    reject.message = message;
    Err(reject)
}

/// Comparison in constant time: the time taken says nothing of where two secrets differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .fold(0_u8, |differ, (a, b)| differ | (a ^ b))
            == 0
}

/// The provider whose own the model is, by the names that providers claim.
fn home_of<'a>(settings: &'a Settings, model: &str) -> Option<&'a Name> {
    let claims = |provider: &'a Arc<Provider>| (&provider.name, provider.models.as_slice());
    owner_of(model, settings.providers.iter().map(claims))
}

/// The configured credential, else the client's own where the client addressed this provider.
fn credential(
    settings: &Settings,
    provider: &Provider,
    headers: &HeaderMap,
    addressed: bool,
) -> Credential {
    if let Some(source) = provider.credentials.first() {
        return Credential::Own(Arc::clone(source));
    }
    if !addressed {
        return Credential::None;
    }
    client_headers(provider.auth)
        .iter()
        .flat_map(|name| {
            headers
                .get_all(*name)
                .iter()
                .map(move |value| (*name, value))
        })
        .find(|(_, value)| !is_token(value, settings) && !is_signature(value))
        .map_or(Credential::None, |(name, value)| {
            Credential::Client(name, value.clone())
        })
}

/// The client's own credential, from whatever header its SDK puts it in, as the provider's scheme
/// has it: where a request is said in another language, so is its credential.
fn in_scheme(auth: AuthScheme, headers: &HeaderMap, settings: &Settings) -> Credential {
    const HEADERS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
    let sent = HEADERS.iter().flat_map(|name| headers.get_all(*name));
    let own = sent
        .into_iter()
        .find(|value| !is_token(value, settings) && !is_signature(value));
    let said = own.and_then(|value| {
        let bare = secret::bare(value.as_bytes());
        let value = match auth {
            AuthScheme::Bearer | AuthScheme::None => {
                HeaderValue::from_bytes(&[b"Bearer ", bare].concat())
            }
            _ => HeaderValue::from_bytes(bare),
        };
        Some((auth.header().unwrap_or("authorization"), value.ok()?))
    });
    said.map_or(Credential::None, |(name, value)| {
        Credential::Client(name, value)
    })
}

/// Headers in which a client may carry the credential of a scheme, best first.
const fn client_headers(auth: AuthScheme) -> &'static [&'static str] {
    match auth {
        // Local servers need none, and some are started with one all the same.
        AuthScheme::Bearer | AuthScheme::None => &["authorization"],
        AuthScheme::XApiKey => &["x-api-key", "authorization"],
        AuthScheme::ApiKey => &["api-key", "authorization"],
        AuthScheme::GoogleApiKey => &["x-goog-api-key", "authorization"],
    }
}

impl Credential {
    /// What records show of it; absent where there is none.
    #[must_use]
    pub fn hash(&self, hasher: &Hasher) -> Option<KeyedHash> {
        let hash = |value: &[u8]| hasher.hash("credential", [secret::bare(value)]);
        match self {
            Self::Own(source) => Some(match &source.from {
                CredentialFrom::Key(key) => hash(key.expose_secret().as_bytes()),
                // Tokens change by the hour: what they are asked for with is what stays.
                other => hash(other.identity().unwrap_or_default().as_bytes()),
            }),
            Self::Client(_, value) => Some(hash(value.as_bytes())),
            Self::None => None,
        }
    }

    /// The header that carries the credential, marked so that no log shows it; absent where it has
    /// to be got first.
    #[must_use]
    pub fn header(&self, auth: AuthScheme) -> Option<(&'static str, HeaderValue)> {
        let (name, mut value) = match self {
            Self::Own(source) => match &source.from {
                CredentialFrom::Key(key) => return auth.carry(key.expose_secret()),
                _ => return None,
            },
            Self::Client(name, value) => (*name, value.clone()),
            Self::None => return None,
        };
        value.set_sensitive(true);
        Some((name, value))
    }

    /// The provider's own that it is.
    #[must_use]
    pub fn source(&self) -> Option<&CredentialSource> {
        match self {
            Self::Own(source) => Some(source),
            Self::Client(..) | Self::None => None,
        }
    }

    /// The way to it, where it has to be got first.
    #[must_use]
    pub fn to_get(&self) -> Option<&CredentialFrom> {
        let from = &self.source()?.from;
        (!matches!(from, CredentialFrom::Key(_))).then_some(from)
    }
}
