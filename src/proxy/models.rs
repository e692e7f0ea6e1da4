//! Answers `/v1/models`: what the config names and what the providers offer, in one list.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::Value;

use super::candidates::Credential;
use super::described::{describe, describe_routes};
use super::inquiry::{Desk, inquire, list};
use super::paths;
use super::reject::Reject;
use super::tap::ProxyBody;
use super::unknown;
use crate::clock::Clock;
use crate::config::settings::{AuthScheme, Provider, Settings};
use crate::edge::credentials::Keyring;
use crate::edge::upstream::Pool;
use crate::edge::upstream::pool::PoolLimits;
use crate::record::{Dialect, Moment, Name, Nanos, WallTime};
use crate::wire::dialect::identify::decoded;

/// How long a provider's list is taken for current.
const CURRENT_FOR: Nanos = Nanos::from_millis(300_000);
/// How long a provider that did not answer is left alone.
const RETRY_AFTER: Nanos = Nanos::from_millis(10_000);
/// How long one provider may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// One provider's models, as it lists them.
#[derive(Debug, Clone)]
struct List {
    models: Option<Vec<Value>>,
    fetched: Moment,
}

/// The providers' model lists, fetched when asked for and kept for a while.
#[derive(Debug, Default)]
pub struct ModelLists(Mutex<BTreeMap<Name, List>>);

impl ModelLists {
    /// The list (`/v1/models`), or one entry of it (`/v1/models/{id}`).
    pub async fn answer(
        &self,
        asked: Asked<'_>,
        settings: &Settings,
        pool: &Arc<Pool>,
        clock: &Clock,
    ) -> Result<Response<ProxyBody>, Reject> {
        let wall = clock.wall();
        let mut models = configured(settings, wall);
        let mut missing = Vec::new();
        for provider in &settings.providers {
            let listed = if !has_list(provider) {
                Some(catalogued(settings, provider))
            } else if can_list(provider) {
                self.of(provider, asked, settings, pool, clock).await
            } else {
                continue;
            };
            let Some(listed) = listed else {
                missing.push(provider.name.to_string());
                continue;
            };
            let entries = listed.into_iter();
            models.extend(entries.filter_map(|model| offered(model, settings, provider, wall)));
        }
        let wanted = asked
            .path
            .split_once("models/")
            // The official SDKs send the slash of an id as `%2F`.
            .map(|(_, id)| decoded(id).unwrap_or_else(|| id.to_owned()))
            .filter(|id| !id.is_empty());
        if asked.googles {
            models.iter_mut().for_each(name_as_google);
        }
        let body = match wanted {
            None if asked.googles => {
                serde_json::json!({"object": "list", "data": models, "models": models})
            }
            None => serde_json::json!({"object": "list", "data": models}),
            Some(id) => models
                .into_iter()
                .find(|model| model["id"] == id.as_str())
                .ok_or_else(|| {
                    let known = unknown::hint(settings, &id)
                        .map_or_else(String::new, |hint| format!(" ({hint})"));
                    let message =
                        format!("no provider here lists the model `{id}`{known}; GET /v1/models");
                    Reject::new(StatusCode::NOT_FOUND, "model_not_found", message).param("model")
                })?,
        };
        let mut response = Response::new(ProxyBody::full(body.to_string()));
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if let Ok(names) = HeaderValue::from_str(&missing.join(", "))
            && !missing.is_empty()
        {
            headers.insert("x-tollgate-models-missing", names);
        }
        Ok(response)
    }

    /// A provider's models as it lists them.
    async fn of(
        &self,
        provider: &Arc<Provider>,
        asked: Asked<'_>,
        settings: &Settings,
        pool: &Arc<Pool>,
        clock: &Clock,
    ) -> Option<Vec<Value>> {
        let now = clock.now();
        let known = self.lists().get(provider.name.as_str()).cloned();
        let current = known.filter(|list| {
            let for_long = if list.models.is_some() {
                CURRENT_FOR
            } else {
                RETRY_AFTER
            };
            now.since(list.fetched) < for_long
        });
        if let Some(list) = current {
            return list.models;
        }
        let fetched =
            tokio::time::timeout(PATIENCE, fetch(provider, asked, settings, pool, clock)).await;
        let models = fetched.ok().flatten();
        let list = List {
            models: models.clone(),
            fetched: now,
        };
        self.lists().insert(provider.name.clone(), list);
        models
    }

    fn lists(&self) -> std::sync::MutexGuard<'_, BTreeMap<Name, List>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Models that the config gives routes.
fn configured(settings: &Settings, now: WallTime) -> Vec<Value> {
    let entry = |name: &Name| {
        serde_json::json!({
            "id": name.as_str(), "object": "model", "created": 0, "owned_by": "tollgate",
            "tollgate": describe_routes(settings, name, now),
        })
    };
    settings
        .models
        .iter()
        .map(|routes| entry(&routes.name))
        .collect()
}

/// Whether a provider's API has a list of models beside the models: AWS and Vertex keep theirs at
/// other hosts.
fn has_list(provider: &Provider) -> bool {
    provider.dialect != Dialect::Bedrock && !paths::is_vertex(provider)
}

/// The models that the catalogue has a name for at a provider, as a list would have them.
fn catalogued(settings: &Settings, provider: &Provider) -> Vec<Value> {
    let Some(preset) = provider.preset.as_deref() else {
        return Vec::new();
    };
    let all = settings.catalogue.iter();
    all.filter_map(|facts| facts.name_at(preset))
        .map(|there| serde_json::json!({ "id": there.as_str(), "object": "model" }))
        .collect()
}

/// A provider is asked with a key of its own; without one, where it may need none: on this
/// machine, or described by the user rather than by a preset.
fn can_list(provider: &Provider) -> bool {
    provider.has_credential() || provider.auth == AuthScheme::None || provider.preset.is_none()
}

/// The request that asks for the list: the marks of those it came through, and our own.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its path.
    pub path: &'a str,
    /// The marks of the instances that it came through.
    pub marks: &'a HeaderMap,
    /// Our own mark, against circles.
    pub instance: &'a HeaderValue,
    /// Whether it came from a client of Google's, whose lists have other names.
    pub googles: bool,
    /// Credentials that have to be got.
    pub keyring: &'a Arc<Keyring>,
}

async fn fetch(
    provider: &Arc<Provider>,
    asked: Asked<'_>,
    settings: &Settings,
    pool: &Arc<Pool>,
    clock: &Clock,
) -> Option<Vec<Value>> {
    let own = provider.credentials.first();
    let credential = own.map_or(Credential::None, |own| Credential::Own(Arc::clone(own)));
    let desk = Desk {
        pool,
        keyring: asked.keyring,
        limits: PoolLimits {
            idle: settings.timeouts.pool_idle,
            connect: settings.timeouts.connect,
            connections: settings.limits.connections_per_provider,
            fresh: false,
        },
        marks: asked.marks,
        instance: asked.instance,
        clock,
    };
    let told = match inquire(provider, credential, list(provider), desk).await {
        Ok(told) => told,
        Err(unanswered) => {
            tracing::debug!(provider = %provider.name, ?unanswered, "no list of models");
            return None;
        }
    };
    if !told.status.is_success() {
        return None;
    }
    listed(serde_json::from_slice(&told.body).ok()?)
}

/// The entries of a list: OpenAI's and Anthropic's `data`, Gemini's `models`, whose ids are names
/// (`models/gemini-2.5-pro`).
#[must_use]
pub fn listed(mut list: Value) -> Option<Vec<Value>> {
    let mut taken = |key: &str| match list.get_mut(key).map(Value::take) {
        Some(Value::Array(models)) => Some(models),
        _ => None,
    };
    if let Some(models) = taken("data") {
        return Some(models);
    }
    let mut models = taken("models")?;
    models.retain(Value::is_object);
    for model in &mut models {
        let name = model["name"].as_str().unwrap_or_default();
        let id = name.strip_prefix("models/").unwrap_or(name).to_owned();
        model["id"] = id.into();
        model["object"] = "model".into();
    }
    Some(models)
}

/// Gives an entry the names by which Google's clients know it, beside the others:
/// <https://ai.google.dev/api/models#Model>.
fn name_as_google(model: &mut Value) {
    let id = model["id"].as_str().unwrap_or_default().to_owned();
    model["name"] = format!("models/{id}").into();
    if model["displayName"].is_null() {
        model["displayName"] = id.into();
    }
}

/// An entry of a provider's list with its name in front of the id, which is how it is asked for,
/// and what else is known of the model.
fn offered(
    mut model: Value,
    settings: &Settings,
    provider: &Provider,
    now: WallTime,
) -> Option<Value> {
    let id = model.get("id")?.as_str()?;
    let known = describe(settings, provider, id, now);
    model["id"] = format!("{}/{id}", provider.name).into();
    model["tollgate"] = known;
    Some(model)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::listed;

    #[test]
    fn lists_of_every_provider_are_read() {
        for (list, ids) in [
            (
                json!({"object": "list", "data": [{"id": "gpt-4.1"}]}),
                Some(vec!["gpt-4.1"]),
            ),
            (
                json!({"models": [{"name": "models/gemini-2.5-pro", "inputTokenLimit": 1}]}),
                Some(vec!["gemini-2.5-pro"]),
            ),
            (json!({"data": []}), Some(Vec::new())),
            (json!({"error": {}}), None),
            (json!([]), None),
        ] {
            let read = listed(list.clone());
            let read = read.as_ref().map(|all| {
                let ids = all.iter().filter_map(|model| model["id"].as_str());
                ids.collect::<Vec<_>>()
            });
            assert_eq!(read, ids, "{list}");
        }
    }
}
