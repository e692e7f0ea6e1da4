//! Holds settings that need no further checking: what every service is built from.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use secrecy::SecretString;

use super::credentials::{CredentialFrom, CredentialSource};
pub use super::probes::ProbeSettings;
use super::profiles::profile_id;
pub use super::routes::{
    ClientGone, FailoverSettings, HedgeSettings, ModelRoutes, RampStop, RouteSettings,
    RuleSettings, ShadowSettings, Slo,
};
pub use super::runs::RunSettings;
use crate::record::{Dialect, Language, Name, PicoDollars, ProviderKind};
use crate::routing::catalogue::ModelFacts;
use crate::routing::experiment::Experiment;
use crate::routing::pricing::{PriceTable, Share};
use crate::workload::cron::Cron;

/// Everything the program runs by. Swapped as a whole on reload; an exchange keeps the one it
/// started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data plane.
    pub server: ServerSettings,
    /// Page, JSON API, metrics, health.
    pub admin: AdminSettings,
    /// The store.
    pub store: StoreSettings,
    /// Deadlines of upstream work.
    pub timeouts: Timeouts,
    /// Sizes and counts.
    pub limits: Limits,
    /// Providers in the order of the config.
    pub providers: Vec<Arc<Provider>>,
    /// Models with routes of their own.
    pub models: Vec<Arc<ModelRoutes>>,
    /// What is to be done with some requests; the first that matches counts.
    pub rules: Vec<RuleSettings>,
    /// What happens when a route fails.
    pub failover: FailoverSettings,
    /// Cheap requests of our own to the routes.
    pub probes: ProbeSettings,
    /// Who is told what of them.
    pub alerts: AlertSettings,
    /// Runs that the page begins.
    pub runs: RunSettings,
    /// Live experiments; no two run on one model at a time.
    pub experiments: Arc<[Experiment]>,
    /// What models cost: the shipped table, and before it the config's own rows.
    pub prices: Arc<PriceTable>,
    /// What is known of models: the config's own entries, and behind them the shipped ones.
    pub catalogue: Arc<[ModelFacts]>,
    /// Fingerprint of the whole, secrets left out.
    pub hash: u64,
}

impl Settings {
    /// The provider of that name.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers
            .iter()
            .find(|provider| provider.name.as_str() == name)
    }

    /// Whether `model` is a name of the config: one that applications ask for, or one of its routes.
    #[must_use]
    pub fn names_model(&self, model: &str) -> bool {
        let is = |name: &Name| name.as_str() == model;
        self.models.iter().any(|served| {
            let mut routes = served
                .routes
                .iter()
                .filter_map(|route| route.model.as_ref());
            is(&served.name) || routes.any(is)
        })
    }

    /// Why the page begins no runs, where it does not. An admin plane that everybody in a network
    /// reaches without a token begins none, whatever the config says: whoever came by could spend.
    #[must_use]
    pub fn why_no_runs(&self) -> Option<&'static str> {
        if !self.runs.enabled {
            return Some("the config says `runs.enabled = false`: the page begins no runs");
        }
        let loopback = self.admin.listen.ip().to_canonical().is_loopback();
        (!loopback && self.admin.token.is_none()).then_some(
            "this page stands open to a network without a token, so it begins no runs: set \
             `admin.token`",
        )
    }
}

/// The data plane's listener.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Further Host names accepted, lower case, without port.
    pub hosts: BTreeSet<String>,
    /// Origins of browser and desktop apps that may call, lower case (`https://app.example`).
    pub origins: BTreeSet<String>,
    /// Provider of requests whose model nobody claims.
    pub default_provider: Option<Name>,
    /// Certificate chain and key; absent means plain HTTP/1.1.
    pub tls: Option<TlsFiles>,
    /// Bearer token that clients must send in `x-tollgate-token`, where set.
    pub token: Option<SecretString>,
    /// Serve outside loopback without a token, by the user's explicit word.
    pub allow_unauthenticated: bool,
    /// Worker threads, each with its own listener and pool.
    pub workers: usize,
}

/// Certificate files of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// The admin plane's listener.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Further Host names accepted.
    pub hosts: BTreeSet<String>,
    /// Bearer token, where one is required.
    pub token: Option<SecretString>,
    /// Serve outside loopback without a token, by the user's explicit word.
    pub allow_unauthenticated: bool,
}

/// Where records are kept and how long.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The redb file.
    pub path: PathBuf,
    /// Memory that redb may use as page cache, bytes.
    pub cache_bytes: usize,
    /// Age after which records go.
    pub keep_records: Duration,
    /// Size of records after which the oldest go, bytes.
    pub keep_bytes: u64,
    /// Age after which minute roll-ups go.
    pub keep_minutes: Duration,
    /// Age after which hour roll-ups go.
    pub keep_hours: Duration,
    /// Records that may wait for the writer.
    pub queue_max: usize,
}

/// Deadlines of upstream work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// DNS, TCP and TLS together.
    pub connect: Duration,
    /// To the first token, while another route is left.
    pub first_token: Duration,
    /// Longest silence of a provider; comments and pings are life.
    pub silence: Duration,
    /// Whole exchange; none by default.
    pub total: Option<Duration>,
    /// A client that sends no complete header.
    pub request_headers: Duration,
    /// A client that sends no complete body.
    pub request_body: Duration,
    /// A client that does not read its answer.
    pub client_write: Duration,
    /// An idle client connection.
    pub client_idle: Duration,
    /// An idle pooled provider connection.
    pub pool_idle: Duration,
    /// In-flight exchanges at SIGTERM.
    pub drain: Duration,
}

/// Sizes and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Body of an inference request, bytes.
    pub request_body_bytes: u64,
    /// Nesting of an inference request's JSON.
    pub json_depth: usize,
    /// Headers of a request, bytes altogether.
    pub header_bytes: usize,
    /// Number of headers of a request.
    pub headers: usize,
    /// Open client connections.
    pub connections: usize,
    /// Exchanges at work.
    pub in_flight: usize,
    /// One event of a stream that the observer still reads, bytes.
    pub event_bytes: usize,
    /// Decoded copy of a compressed body, bytes.
    pub decoded_bytes: usize,
    /// Connections per provider and worker.
    pub connections_per_provider: usize,
}

/// Who is told what, and from where on.
#[derive(Debug, Clone)]
pub struct AlertSettings {
    /// Where alerts are sent.
    pub webhook: Option<WebhookSettings>,
    /// How far a route's median first token may be off its baseline, as a share of it.
    pub drift: f64,
    /// The least share of answered probes.
    pub availability: f64,
    /// When the providers' lists of models are looked at; never where absent.
    pub new_models: Option<Cron>,
}

/// Where alerts are sent. The path may be as good as a password: it is shown nowhere.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Scheme, host and port.
    pub base: BaseUrl,
    /// Path and query.
    pub target: SecretString,
}

/// How a credential is put on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthScheme {
    /// `Authorization: Bearer …`.
    Bearer,
    /// `x-api-key: …` (Anthropic).
    XApiKey,
    /// `api-key: …` (Azure).
    ApiKey,
    /// `x-goog-api-key: …` (Gemini).
    GoogleApiKey,
    /// None at all.
    None,
}

impl AuthScheme {
    /// Lower-case name of the header that carries the credential.
    #[must_use]
    pub const fn header(self) -> Option<&'static str> {
        match self {
            Self::Bearer => Some("authorization"),
            Self::XApiKey => Some("x-api-key"),
            Self::ApiKey => Some("api-key"),
            Self::GoogleApiKey => Some("x-goog-api-key"),
            Self::None => None,
        }
    }

    /// The header with a key in it, marked so that no log shows it.
    #[must_use]
    pub fn carry(self, key: &str) -> Option<(&'static str, HeaderValue)> {
        let text = match self {
            Self::Bearer => ["Bearer ", key].concat(),
            _ => key.to_owned(),
        };
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some((self.header()?, value))
    }
}

/// A base URL, split once and for all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    /// Whether TLS is spoken.
    pub https: bool,
    /// Host name or address, lower case, IPv6 without brackets.
    pub host: String,
    /// Port, the scheme's own where none was given.
    pub port: u16,
    /// Path without trailing slash; empty for the root.
    pub path: String,
    /// Query that every request carries (`api-version=…`), without `?`.
    pub query: Option<String>,
}

impl BaseUrl {
    /// The value of the `Host` header: no port where it is the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let mut authority = String::with_capacity(self.host.len() + 8);
        if self.host.contains(':') {
            authority.push('[');
            authority.push_str(&self.host);
            authority.push(']');
        } else {
            authority.push_str(&self.host);
        }
        if self.port != if self.https { 443 } else { 80 } {
            authority.push(':');
            authority.push_str(&self.port.to_string());
        }
        authority
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)?;
        self.query
            .as_ref()
            .map_or(Ok(()), |query| write!(f, "?{query}"))
    }
}

/// How a provider keeps a waiting stream alive; known so that the simulator can play it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keepalive {
    /// Nothing is sent.
    None,
    /// `: text` comments, as `OpenRouter` and `DeepSeek`.
    Comment,
    /// Bare `:` lines, as llama.cpp and TGI.
    BareComment,
    /// `event: ping`, as Anthropic.
    PingEvent,
}

/// Where a provider puts usage into a stream; known so that the simulator can play it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsagePlace {
    /// A chunk of its own with empty choices, only when asked.
    OwnChunkOnRequest,
    /// A chunk of its own, always.
    OwnChunk,
    /// On the chunk that has the finish reason, always.
    FinishChunk,
    /// `x_groq.usage` on the last chunk, and a chunk of its own when asked.
    GroqAndOwnChunk,
    /// Anthropic's `message_start` and `message_delta`.
    AnthropicEvents,
}

/// The shape of a provider's error bodies; known so that the simulator can play it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorShape {
    /// `{"error":{"message","type","param","code"}}`.
    OpenAi,
    /// `{"type":"error","error":{"type","message"},"request_id"}`.
    Anthropic,
    /// `{"error":{"code":int,"message","metadata"}}`.
    OpenRouter,
    /// One-element array of `{"error":{"code","message","status"}}`.
    GoogleArray,
    /// Flat `{"message","type","param","code"}`.
    Flat,
    /// Flat `{"object":"error","message","type","code"}`.
    FlatObject,
    /// `{"error":"text"}`.
    Text,
    /// `{"code":"prose","error":"text"}`.
    XAi,
    /// `{"message"}` with `x-amzn-errortype`.
    Aws,
}

/// How requests are said in a provider's language that are not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translating {
    /// Leave out, and list, the fields that the provider's language has no place for.
    pub drop_params: bool,
    /// Join later system messages to the first ones.
    pub merge_system: bool,
    /// Hand addresses of images on, for the provider to fetch.
    pub pass_urls: bool,
    /// The limit of output tokens where one is needed and the request has none; what is known of
    /// the model where absent.
    pub max_tokens: Option<u64>,
    /// The version of Anthropic's API.
    pub anthropic_version: Name,
    /// Which models there take an effort of reasoning.
    pub efforts: Efforts,
    /// Fields of a chat request that it refuses, hints all of them: left out of what is said to
    /// it, and listed.
    pub refused: Vec<String>,
}

/// Which models of a provider take an effort of reasoning, by patterns of their names there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Efforts {
    /// These, by what is known of the provider; of others the catalogue or the name tells.
    Also(Vec<String>),
    /// These and no others, by the config.
    Only(Vec<String>),
}

/// The version of Anthropic's API that takes sampling settings, as clients of OpenAI's send them.
pub const ANTHROPIC_VERSION: &str = "2023-06-01";

impl Default for Translating {
    fn default() -> Self {
        Self {
            drop_params: false,
            merge_system: false,
            pass_urls: false,
            max_tokens: None,
            anthropic_version: Name::from(ANTHROPIC_VERSION),
            efforts: Efforts::Also(Vec::new()),
            refused: Vec::new(),
        }
    }
}

/// One upstream API with everything needed to call it.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name in config, URLs and records.
    pub name: Name,
    /// The preset it was made from.
    pub preset: Option<Name>,
    /// Its family.
    pub dialect: Dialect,
    /// Whether it resells.
    pub kind: ProviderKind,
    /// Where it is.
    pub base: BaseUrl,
    /// Its region, where known.
    pub region: Option<Name>,
    /// The geography of the inference profiles by which bare Claude ids are asked for (Bedrock);
    /// absent where they stay as they are.
    pub profile: Option<&'static str>,
    /// How a credential is put on a request.
    pub auth: AuthScheme,
    /// Its own credentials; with none the clients' own are forwarded.
    pub credentials: Vec<Arc<CredentialSource>>,
    /// Further headers put on every request, lower-case name and value.
    pub headers: Vec<(String, String)>,
    /// Whether the usage event is asked for where the client left it open.
    pub inject_usage: bool,
    /// Whether HTTP/2 is offered by ALPN.
    pub http2: bool,
    /// Further root certificates (PEM file).
    pub ca_file: Option<PathBuf>,
    /// Model name patterns that are this provider's own: exact, or a prefix with a trailing `*`.
    pub models: Vec<String>,
    /// How it keeps a waiting stream alive.
    pub keepalive: Keepalive,
    /// Where it puts usage.
    pub usage_place: UsagePlace,
    /// The shape of its errors.
    pub error_shape: ErrorShape,
    /// The languages that it speaks, the best first: a request in any other is said in the first of
    /// them that it can be said in.
    pub speaks: Vec<Language>,
    /// How such a request is said.
    pub translating: Translating,
    /// The share that it takes off its prices.
    pub discount: Option<Share>,
    /// What it costs per hour, where it is not paid by the token.
    pub per_hour: Option<PicoDollars>,
    /// What it runs its models on, as its preset or the config says; for reports.
    pub hardware: Option<Name>,
    /// Whether its preset is a model server of one's own, which takes no key unless it is told to.
    pub local: bool,
}

impl Provider {
    /// Whether requests go there without a credential: it takes none, or it is a model server of
    /// one's own that was given none, as they are by default.
    #[must_use]
    pub fn is_keyless(&self) -> bool {
        self.auth == AuthScheme::None || self.local && !self.has_credential()
    }

    /// A place of which nothing is known but where it is.
    #[must_use]
    pub fn at(name: &str, base: BaseUrl) -> Self {
        Self {
            name: Name::from(name),
            preset: None,
            dialect: Dialect::OpenAi,
            kind: ProviderKind::Direct,
            base,
            region: None,
            profile: None,
            auth: AuthScheme::None,
            credentials: Vec::new(),
            headers: Vec::new(),
            inject_usage: false,
            http2: false,
            ca_file: None,
            models: Vec::new(),
            keepalive: Keepalive::None,
            usage_place: UsagePlace::OwnChunkOnRequest,
            error_shape: ErrorShape::OpenAi,
            speaks: vec![Language::OpenAiChat],
            translating: Translating::default(),
            discount: None,
            per_hour: None,
            hardware: None,
            local: false,
        }
    }

    /// Whether it has a credential of its own.
    #[must_use]
    pub const fn has_credential(&self) -> bool {
        !self.credentials.is_empty()
    }

    /// Where its credentials come from, for people; absent without one.
    #[must_use]
    pub fn credential_from(&self) -> Option<String> {
        let labels: Vec<&str> = self
            .credentials
            .iter()
            .map(|of| of.label.as_str())
            .collect();
        self.has_credential().then(|| labels.join(", "))
    }

    /// Its first credential that is a known key.
    #[must_use]
    pub fn key(&self) -> Option<&SecretString> {
        self.credentials
            .iter()
            .find_map(|source| match &source.from {
                CredentialFrom::Key(key) => Some(key),
                _ => None,
            })
    }

    /// What a model is called there: a bare Claude id gets its inference profile's geography where
    /// the config says so, everything else stays as it is.
    #[must_use]
    pub fn model_there(&self, model: Name) -> Name {
        let formed = self
            .profile
            .and_then(|geography| profile_id(geography, &model));
        formed.map_or(model, Name::from)
    }
}
