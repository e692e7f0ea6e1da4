//! Asks each provider one GET with each of its credentials, and says what is wrong: `check --live`.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::ExposeSecret as _;

use super::fault::AppFault;
use super::machine::{proxies, runtime};
use crate::clock::Clock;
use crate::config::credentials::{CredentialFrom, CredentialSource};
use crate::config::settings::{AuthScheme, Provider, Settings};
use crate::edge::credentials::Keyring;
use crate::edge::upstream::Pool;
use crate::edge::upstream::pool::{PoolLimits, TlsConfigs};
use crate::proxy::candidates::Credential;
use crate::proxy::inquiry::{self, Desk, Told, Unanswered, inquire};
use crate::proxy::models::listed;
use crate::proxy::paths;
use crate::proxy::reject::Reject;
use crate::record::{Dialect, ErrorClass, Nanos};
use crate::wire::dialect::errors;

/// How long one provider may take, its login included.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of asking one provider with one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The provider.
    pub provider: String,
    /// Where the credential is from; never the credential.
    pub credential: Option<String>,
    /// How it went.
    pub went: Went,
}

/// How asking went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Went {
    /// It answered.
    Well {
        /// From the first step of connecting to the headers.
        took: Nanos,
        /// How many models it lists, where it was asked for a list.
        models: Option<usize>,
        /// What else is to be said.
        note: Option<&'static str>,
    },
    /// It has no credential here, and was not asked: the clients bring their own.
    Unasked,
    /// Something is wrong.
    Badly {
        /// The status, where one came.
        status: Option<StatusCode>,
        /// What is wrong, in a word.
        what: &'static str,
        /// What it is, and what to do.
        message: String,
    },
}

/// Asks every provider of `settings` at once, each with each of its credentials, and gives what
/// came of it to `tell`, in the order of the config.
pub fn ask(settings: &Settings, tell: &mut dyn FnMut(Asked)) -> Result<(), AppFault> {
    let (clock, configs) = (Clock::system(), TlsConfigs::default());
    let proxies = proxies()?;
    let asker = Arc::new(Asker {
        limits: PoolLimits {
            idle: Duration::ZERO,
            connect: settings.timeouts.connect,
            connections: settings.limits.connections_per_provider,
            fresh: false,
        },
        pool: Arc::new(Pool::new(proxies.clone(), configs.clone(), clock.clone())),
        keyring: Arc::new(Keyring::new(proxies, configs, clock.clone(), None)),
        clock,
    });
    runtime()?.block_on(async {
        let mut asking = tokio::task::JoinSet::new();
        let mut waiting = Vec::new();
        for provider in &settings.providers {
            let own = provider.credentials.iter().cloned().map(Some);
            let own: Vec<_> = own.collect();
            for source in if own.is_empty() { vec![None] } else { own } {
                let (asker, provider) = (Arc::clone(&asker), Arc::clone(provider));
                let place = waiting.len();
                waiting.push(None);
                asking.spawn(async move { (place, asker.ask(&provider, source).await) });
            }
        }
        let mut told = 0;
        while let Some(done) = asking.join_next().await {
            let (place, asked) = done.map_err(|error| AppFault::Runtime(error.to_string()))?;
            if let Some(slot) = waiting.get_mut(place) {
                *slot = Some(asked);
            }
            while let Some(asked) = waiting.get_mut(told).and_then(Option::take) {
                tell(asked);
                told += 1;
            }
        }
        Ok(())
    })
}

/// What asking works with.
struct Asker {
    pool: Arc<Pool>,
    keyring: Arc<Keyring>,
    limits: PoolLimits,
    clock: Clock,
}

impl Asker {
    async fn ask(&self, provider: &Arc<Provider>, source: Option<Arc<CredentialSource>>) -> Asked {
        let credential = source.as_ref().map(|source| source.label.clone());
        let get = tokio::time::timeout(PATIENCE, self.get(provider, source));
        let went = get.await.unwrap_or_else(|_| {
            let message = format!(
                "no answer within {} s; check the network and base_url",
                PATIENCE.as_secs()
            );
            badly(None, "timeout", message)
        });
        Asked {
            provider: provider.name.to_string(),
            credential,
            went,
        }
    }

    async fn get(&self, provider: &Arc<Provider>, source: Option<Arc<CredentialSource>>) -> Went {
        let key = source.as_ref().and_then(|source| match &source.from {
            CredentialFrom::Key(key) => Some(key.clone()),
            _ => None,
        });
        let credential = match source {
            Some(source) => Credential::Own(source),
            None if provider.auth == AuthScheme::None || provider.preset.is_none() => {
                Credential::None
            }
            None => return Went::Unasked,
        };
        if key.is_some_and(|key| provider.auth.carry(key.expose_secret()).is_none()) {
            let message = "the key cannot stand in a header: it has a line break or the like in it";
            return badly(None, "credential", message.to_owned());
        }
        let (target, lists) = target(provider);
        let (marks, instance) = (HeaderMap::new(), HeaderValue::from_static("check"));
        let desk = Desk {
            pool: &self.pool,
            keyring: &self.keyring,
            limits: self.limits,
            marks: &marks,
            instance: &instance,
            clock: &self.clock,
        };
        match inquire(provider, credential, target, desk).await {
            Ok(told) => judge(provider, &told, lists),
            Err(unanswered) => unheard(provider, unanswered),
        }
    }
}

fn badly(status: Option<StatusCode>, what: &'static str, message: String) -> Went {
    Went::Badly {
        status,
        what,
        message,
    }
}

/// What an answer means. `lists`: a list of models was asked for.
fn judge(provider: &Provider, told: &Told, lists: bool) -> Went {
    let status = told.status;
    if status.is_success() {
        let json = serde_json::from_slice(&told.body).ok();
        let models = json.and_then(listed).map(|models| models.len());
        if lists && models.is_none() {
            let message = "it answers, and not with a list of models: look at base_url and dialect";
            return badly(Some(status), "no_list", message.to_owned());
        }
        return Went::Well {
            took: told.took,
            models: models.filter(|_| lists),
            note: None,
        };
    }
    let preset = provider.preset.as_deref().unwrap_or_default();
    let said = errors::classify(
        provider.dialect,
        preset,
        status.as_u16(),
        &told.headers,
        &told.body,
    );
    let class = match status {
        _ if status.is_redirection() => ErrorClass::Redirect,
        // Nothing but the address was asked for.
        StatusCode::NOT_FOUND => ErrorClass::NotFound,
        _ => said.class,
    };
    // Who may not list is known all the same: what is not known is told apart.
    if class == ErrorClass::Permission && provider.dialect == Dialect::Bedrock {
        return Went::Well {
            took: told.took,
            models: None,
            note: Some(
                "the credential is known; bedrock:ListAsyncInvokes, which was asked, is not allowed",
            ),
        };
    }
    // Codes only: what a provider says of a key may have the key in it.
    let code = said
        .code
        .map_or_else(String::new, |code| format!(" ({code})"));
    let message = format!(
        "status {}{code}: {}",
        status.as_u16(),
        advice(class, provider)
    );
    badly(Some(status), class.name(), message)
}

fn unheard(provider: &Provider, unanswered: Unanswered) -> Went {
    match unanswered {
        Unanswered::Address => badly(
            None,
            "address",
            "base_url makes no address: look at it".to_owned(),
        ),
        Unanswered::Credential(fault) => badly(None, "credential", fault.message),
        Unanswered::Unreached(fault) => {
            let told = Reject::upstream(fault.class, &provider.name, &fault.detail, false);
            let prefix = format!("provider {}: ", provider.name);
            let message = told.message.strip_prefix(&prefix).unwrap_or(&told.message);
            badly(None, fault.class.name(), message.to_owned())
        }
        Unanswered::Broken(_) => badly(
            None,
            "truncated",
            "its answer broke off; try again, and check the network".to_owned(),
        ),
        Unanswered::TooLong => badly(
            None,
            "no_list",
            "its answer is longer than any list of models: look at base_url".to_owned(),
        ),
    }
}

/// A GET that costs nothing and needs a credential, and whether a list of models comes of it.
fn target(provider: &Provider) -> (String, bool) {
    let base = provider.base.path.as_str();
    if provider.dialect == Dialect::Bedrock {
        // Bedrock's runtime lists no models; it lists what runs for this account.
        return (format!("{base}/async-invoke?maxResults=1"), false);
    }
    if base.contains("/projects/")
        && let Some(at) = base.find("/locations/")
    {
        // Google's location itself: what there is at it no list of its own says.
        let name = at + "/locations/".len();
        let end = base[name..].find('/').map_or(base.len(), |end| name + end);
        return (base[..end].to_owned(), false);
    }
    if paths::is_vertex(provider) {
        // Without a project (express mode) there are Google's own models, in a list of another kind.
        let root = base.strip_suffix("/v1").unwrap_or(base);
        return (
            format!("{root}/v1beta1/publishers/google/models?pageSize=1"),
            false,
        );
    }
    match base.split_once("/openai/deployments/") {
        // Of a deployment nothing is listed, but at the resource that it belongs to.
        Some((root, _)) if provider.dialect == Dialect::Azure => (
            inquiry::target(provider, &format!("{root}/openai/models")),
            true,
        ),
        _ => (inquiry::list(provider), true),
    }
}

/// What to do about an error.
fn advice(class: ErrorClass, provider: &Provider) -> String {
    match class {
        ErrorClass::Auth => match provider.credential_from() {
            Some(from) => format!("the credential (from {from}) is not known there: look at it"),
            None => "it wants a credential: set api_key".to_owned(),
        },
        ErrorClass::Permission => "the credential is known, and is not allowed this: look at its \
                                   rights, project and region"
            .to_owned(),
        ErrorClass::NotFound => {
            "nothing is there: look at base_url, region, project and resource".to_owned()
        }
        ErrorClass::RateLimited => {
            "the credential works, and is asked too often: wait, or see its limits".to_owned()
        }
        ErrorClass::Quota => "the account is spent: look at its billing".to_owned(),
        ErrorClass::Redirect => "it redirects: set base_url to where it does".to_owned(),
        ErrorClass::Overloaded | ErrorClass::ServerError | ErrorClass::Timeout => {
            "the provider has trouble: try again, and see its status page".to_owned()
        }
        _ => "it does not take a GET of its models: look at base_url and dialect".to_owned(),
    }
}
