//! Finds the routes that a request may take, and whose credential goes with it on each.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};

use super::address::Address;
use super::names::{POLICY, ROUTE};
use super::reject::Reject;
use super::secret;
use crate::config::settings::{AuthScheme, ModelRoutes, Provider, Settings};
use crate::record::{Dialect, Language, Name};
use crate::routing::catalogue;
use crate::routing::plan::Candidate;

/// One way for this request: a provider, the model's name there, and a credential.
#[derive(Debug, Clone)]
pub struct Way {
    /// The provider.
    pub provider: Arc<Provider>,
    /// The model's name there, where the request has a model.
    pub model: Option<Name>,
    /// The longest prompt it is known to take, tokens.
    pub context: Option<u64>,
    /// The credential to send.
    pub credential: Credential,
    /// Whether the client itself addressed the provider, so that its own credentials may go there.
    pub addressed: bool,
}

impl Way {
    /// The name of its route: `provider/model`, or the provider's for requests without a model.
    #[must_use]
    pub fn route(&self) -> String {
        match &self.model {
            Some(model) => format!("{}/{model}", self.provider.name),
            None => self.provider.name.to_string(),
        }
    }
}

/// The credential that goes with a request.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The provider's configured one.
    Configured(SecretString),
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
    /// The same as routing sees them.
    pub candidates: Vec<Candidate>,
    /// How they were found: `base_url`, `model`, `provider_prefix`, `pattern`, …
    pub how: &'static str,
}

/// Finds the ways for a request.
pub fn find(
    settings: &Settings,
    address: &Address<'_>,
    model: Option<&str>,
    headers: &HeaderMap,
) -> Result<Ways, Reject> {
    let pinned = pin(headers)?;
    let (targets, how, addressed) = match pinned {
        Some(pin) => pinned_target(settings, &pin, model)?,
        None => targets(settings, address, model)?,
    };
    let home = model.and_then(|model| home_of(settings, model));
    let ways: Vec<_> = targets
        .into_iter()
        .map(|(provider, model)| {
            let addressed = addressed || home == Some(&provider.name);
            let credential = credential(settings, &provider, headers, addressed);
            Way {
                provider,
                model,
                context: None,
                credential,
                addressed,
            }
        })
        .collect();
    let candidates = ways
        .iter()
        .map(|way| {
            let usable = way.addressed || is_usable(way);
            Candidate::new(way.provider.name.clone(), way.model.clone(), usable)
        })
        .collect();
    Ok(Ways {
        ways,
        candidates,
        how,
    })
}

type Targets = (Vec<(Arc<Provider>, Option<Name>)>, &'static str, bool);

/// `x-tollgate-route: provider` or `provider/model`.
fn pin(headers: &HeaderMap) -> Result<Option<String>, Reject> {
    if let Some(policy) = headers.get(&POLICY)
        && policy.as_bytes() != b"ordered"
    {
        return Err(Reject::new(
            StatusCode::BAD_REQUEST,
            "unknown_policy",
            "x-tollgate-policy: the only policy of this version is `ordered`",
        ));
    }
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

fn pinned_target(settings: &Settings, pin: &str, model: Option<&str>) -> Result<Targets, Reject> {
    let (name, there) = match pin.split_once('/') {
        Some((name, there)) => (name, Some(there)),
        None => (pin, None),
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
    let configured = model
        .and_then(|model| routes_of(settings, model))
        .and_then(|routes| {
            routes
                .routes
                .iter()
                .find(|route| route.provider == provider.name)
        });
    let called = there
        .map(Name::from)
        .or_else(|| configured.and_then(|route| route.model.clone()))
        .or_else(|| model.map(Name::from));
    Ok((
        vec![(Arc::clone(provider), called.filter(|_| model.is_some()))],
        "pinned",
        false,
    ))
}

fn routes_of<'a>(settings: &'a Settings, model: &str) -> Option<&'a Arc<ModelRoutes>> {
    settings
        .models
        .iter()
        .find(|routes| routes.name.as_str() == model)
}

/// The order of the design, section 2: base URL, `[models]`, `provider/rest`, patterns, the only
/// provider, the default. The flag says whether the client itself addressed the provider, which
/// is what lets its own credential go there.
fn targets(
    settings: &Settings,
    address: &Address<'_>,
    model: Option<&str>,
) -> Result<Targets, Reject> {
    let asked = || model.map(Name::from);
    if let Some(provider) = address.provider.and_then(|name| settings.provider(name)) {
        return Ok((vec![(Arc::clone(provider), asked())], "base_url", true));
    }
    let default = settings
        .server
        .default_provider
        .as_ref()
        .and_then(|name| settings.provider(name))
        .map(|provider| {
            (
                vec![(Arc::clone(provider), asked())],
                "default_provider",
                false,
            )
        });
    let only = match settings.providers.as_slice() {
        [only] => Some((vec![(Arc::clone(only), asked())], "only_provider", true)),
        _ => None,
    };
    let Some(model) = model else {
        return default.or(only).ok_or_else(|| {
            Reject::new(
                StatusCode::NOT_FOUND,
                "no_provider",
                format!(
                    "this request names no model, so the provider must come from the base URL \
                     (`/{{provider}}/v1`) or from `server.default_provider`; {}",
                    have(settings)
                ),
            )
        });
    };
    if let Some(routes) = routes_of(settings, model) {
        let targets = routes.routes.iter().filter_map(|route| {
            let provider = settings.provider(&route.provider)?;
            let there = route.model.clone().unwrap_or_else(|| Name::from(model));
            Some((Arc::clone(provider), Some(there)))
        });
        return Ok((targets.collect(), "model", false));
    }
    if let Some((name, rest)) = model.split_once('/')
        && let Some(provider) = settings.provider(name)
        && !rest.is_empty()
    {
        return Ok((
            vec![(Arc::clone(provider), Some(Name::from(rest)))],
            "provider_prefix",
            true,
        ));
    }
    let owners = settings
        .providers
        .iter()
        .map(|provider| (provider, provider.models.as_slice()));
    if let Some(provider) = catalogue::owner_of(model, owners) {
        return Ok((vec![(Arc::clone(provider), asked())], "pattern", true));
    }
    only.or(default).ok_or_else(|| {
        let mut message = format!(
            "no provider here claims the model `{model}`; {}",
            have(settings)
        );
        message.push_str(
            ". Ask for `provider/model`, use the base URL `/{provider}/v1`, or set \
             `server.default_provider`",
        );
        Reject::new(StatusCode::NOT_FOUND, "model_not_found", message).param("model")
    })
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

fn is_usable(way: &Way) -> bool {
    way.provider.auth == AuthScheme::None || !matches!(way.credential, Credential::None)
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
    catalogue::owner_of(model, settings.providers.iter().map(claims))
}

/// The configured credential, else the client's own where the client addressed this provider.
fn credential(
    settings: &Settings,
    provider: &Provider,
    headers: &HeaderMap,
    addressed: bool,
) -> Credential {
    if let Some(key) = &provider.key {
        return Credential::Configured(key.clone());
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
        .find(|(_, value)| !is_token(value, settings))
        .map_or(Credential::None, |(name, value)| {
            Credential::Client(name, value.clone())
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
    /// The header that carries the credential, marked so that no log shows it.
    #[must_use]
    pub fn header(&self, auth: AuthScheme) -> Option<(&'static str, HeaderValue)> {
        let (name, mut value) = match self {
            Self::Configured(key) => {
                let name = auth.header()?;
                let text = match auth {
                    AuthScheme::Bearer => ["Bearer ", key.expose_secret()].concat(),
                    _ => key.expose_secret().to_owned(),
                };
                (name, HeaderValue::from_str(&text).ok()?)
            }
            Self::Client(name, value) => (*name, value.clone()),
            Self::None => return None,
        };
        value.set_sensitive(true);
        Some((name, value))
    }
}

/// The path at the provider for a request path of ours.
///
/// A base URL is what the family's SDK would be given: OpenAI's ends in `/v1` and takes
/// `/chat/completions`; Anthropic's does not and takes `/v1/messages`.
#[must_use]
pub fn upstream_path(provider: &Provider, path: &str, language: Language) -> String {
    let without = path
        .strip_prefix("/v1")
        .filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let base = provider.base.path.as_str();
    match (provider.dialect, without) {
        (Dialect::Anthropic, Some(_)) => [base, path].concat(),
        // An SDK pointed at us without `/v1` still means its endpoint.
        (Dialect::Anthropic, None) if language != Language::Plain => [base, "/v1", path].concat(),
        (_, Some(rest)) => [base, rest].concat(),
        (_, None) => [base, path].concat(),
    }
}
