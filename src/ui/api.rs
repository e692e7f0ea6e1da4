//! Answers programs in JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State as Extract};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::analysis::render::{self, exchange};
use crate::analysis::reports::Choice;
use crate::config::settings::Settings;
use crate::record::ExchangeRecord;
use crate::ui::reading::Most;

use super::ask::{self, ListQuery, ReportQuery};
use super::charts::{self, Which};
use super::downloads;
use super::fault::Fault;
use super::listing::{self, ListPage};
use super::metrics;
use super::openapi;
use super::papers;
use super::state::State;
use super::view::{Item, Overview, Store};

pub(super) type Shared = Extract<Arc<State>>;
pub(super) type Asking<T> = Result<Query<T>, QueryRejection>;

/// What is asked, or why that cannot be read.
pub(super) fn query<T>(asking: Asking<T>) -> Result<T, Fault> {
    let Query(query) = asking.map_err(|error| Fault::bad("query", error.body_text()))?;
    Ok(query)
}

/// `GET /api/overview`.
pub(super) async fn overview(Extract(state): Shared) -> Json<Overview> {
    Json(Overview::of(&state))
}

/// `GET /api/routes`: in the format asked for, JSON otherwise.
pub(super) async fn routes(
    Extract(state): Shared,
    asking: Asking<ReportQuery>,
) -> Result<Response, Fault> {
    let query = query(asking)?;
    let offered = downloads::find(query.format.as_deref())?;
    let asked = query.asked(&state)?;
    let report = state.routes(query.question(), asked).await?;
    Ok(offered.file("routes", render::routes(&report, offered.format)))
}

/// `GET /api/throughput`.
pub(super) async fn throughput(
    Extract(state): Shared,
    asking: Asking<ReportQuery>,
) -> Result<Json<Value>, Fault> {
    let asked = query(asking)?.or_probes(&state).asked(&state)?;
    let asked = papers::Asked {
        window: asked.window,
        origins: asked.origins,
        choice: Choice {
            models: asked.model.into_iter().collect(),
            providers: asked.provider.into_iter().collect(),
            ..Choice::default()
        },
        known: papers::Known::of(Some(&(state.handles.settings)())),
    };
    let made = state.handles.clock.wall();
    let read =
        state.read(move |reader| papers::throughput(reader, &asked, Most::PAGE, made, true, || {}));
    Ok(Json(read.await?))
}

/// `GET /llms.txt`: what agents find here.
pub(super) async fn for_agents() -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    let text = include_str!("../../ui/llms.txt");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// `GET /.well-known/ai-plugin.json`: the same as a manifest.
pub(super) async fn manifest(Extract(state): Shared) -> Json<Value> {
    let settings = (state.handles.settings)();
    let auth = if settings.admin.token.is_some() {
        json!({ "type": "service_http", "authorization_type": "bearer" })
    } else {
        json!({ "type": "none" })
    };
    Json(json!({
        "schema_version": "v1",
        "name_for_human": "Tollgate",
        "name_for_model": "tollgate",
        "description_for_human": "What ways to models cost in time, money and failures.",
        "description_for_model": "Measured latency, throughput, health and cost of each model at \
            each provider behind this proxy. Begin with GET /api/throughput: rankings, guidance \
            and a summary. What has no source is null.",
        "auth": auth,
        "api": { "type": "openapi", "url": "/api/openapi.json" },
        "logo_url": "/favicon.svg",
        "contact_email": null,
        "legal_info_url": null,
    }))
}

/// `GET /api/exchanges`.
pub(super) async fn exchanges(
    Extract(state): Shared,
    asking: Asking<ListQuery>,
) -> Result<Json<Value>, Fault> {
    let page = list(&state, &query(asking)?).await?;
    let items: Vec<Item> = page.list.iter().map(Item::of_row).collect();
    Ok(Json(json!({
        "schema": "tollgate.exchanges/1",
        "exchanges": items,
        "next_before": page.more.map(|id| id.to_string()),
    })))
}

/// The page of the list that `query` asks for.
pub(super) async fn list(state: &Arc<State>, query: &ListQuery) -> Result<ListPage, Fault> {
    let (limit, filter) = (query.limit()?, query.list_filter()?);
    state
        .read(move |reader| listing::list(reader, &filter, limit))
        .await
}

/// `GET /api/exchanges/{id}`.
pub(super) async fn exchange(
    Extract(state): Shared,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let record = detail(&state, &id).await?;
    let body = serde_json::to_vec(&exchange::Json(&record)).unwrap_or_default();
    let kind = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )];
    Ok((kind, body).into_response())
}

/// The record of that id.
pub(super) async fn detail(state: &Arc<State>, text: &str) -> Result<ExchangeRecord, Fault> {
    let id = ask::id(text)?;
    let found = state.read(move |reader| reader.detail(id)).await?;
    found.ok_or_else(|| {
        Fault::not_found(format!(
            "no exchange {id}: it may be too old, or not on the disk yet"
        ))
    })
}

/// `GET /api/charts/{chart}`.
pub(super) async fn chart(
    Extract(state): Shared,
    Path(name): Path<String>,
    asking: Asking<ReportQuery>,
) -> Result<Json<Value>, Fault> {
    let names = Which::ALL.map(Which::name).join(", ");
    let which = Which::from_name(&name)
        .ok_or_else(|| Fault::not_found(format!("no chart of that name: there are {names}")))?;
    let asked = query(asking)?.asked(&state)?;
    let chart = state
        .read(move |reader| charts::draw(reader, which, &asked))
        .await?;
    Ok(Json(charts::json(which, &chart)))
}

/// `GET /api/health`.
pub(super) async fn health(Extract(state): Shared) -> Json<Value> {
    let settings = (state.handles.settings)();
    let (counts, reloads) = ((state.handles.counts)(), (state.handles.reloads)());
    Json(json!({
        "schema": "tollgate.health/1",
        "ready": (state.handles.store)().is_ok(),
        "program": env!("CARGO_PKG_VERSION"),
        "started": state.started.rfc3339(),
        "simulated": state.is_simulated(),
        "store": Store::of(&(state.handles.store)()),
        "in_flight": counts.in_flight,
        "connections": counts.connections,
        "connections_refused": counts.refused,
        "config": format!("{:016x}", settings.hash),
        "reloads": { "taken": reloads.taken, "refused": reloads.refused },
        "unauthenticated": unauthenticated(&settings),
        "providers": providers(&settings),
    }))
}

/// Listeners that anybody may use who reaches them, by the user's explicit word.
pub(super) fn unauthenticated(settings: &Settings) -> Vec<&'static str> {
    [
        ("server", settings.server.allow_unauthenticated),
        ("admin", settings.admin.allow_unauthenticated),
    ]
    .into_iter()
    .filter_map(|(name, open)| open.then_some(name))
    .collect()
}

/// The providers without their secrets.
fn providers(settings: &Settings) -> Vec<Value> {
    let one = |provider: &Arc<crate::config::settings::Provider>| {
        json!({
            "name": provider.name.as_str(),
            "kind": provider.kind.name(),
            "dialect": provider.dialect.name(),
            "base_url": provider.base.to_string(),
            "region": provider.region.as_deref(),
            "key_from": provider.credential_from(),
        })
    };
    settings.providers.iter().map(one).collect()
}

/// `GET /healthz`: the program runs.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: records reach the disk.
pub(super) async fn readyz(Extract(state): Shared) -> (StatusCode, Json<Value>) {
    let health = (state.handles.store)();
    let stopping = state.handles.drain.is_stopping();
    let ready = health.is_ok() && !stopping;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    // Asked without a token: no path and no reason here.
    let store = Store::of(&health).state;
    (
        status,
        Json(json!({ "ready": ready, "store": store, "stopping": stopping })),
    )
}

/// `GET /metrics`.
pub(super) async fn metrics(Extract(state): Shared) -> Response {
    let handles = &state.handles;
    let (store, counts, reloads) = ((handles.store)(), (handles.counts)(), (handles.reloads)());
    let (standing, watched) = ((handles.standing)(), (handles.watched)());
    let text = state
        .metrics
        .exposition(&store, counts, &reloads, &standing, &watched);
    (
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static(metrics::CONTENT_TYPE),
        )],
        text,
    )
        .into_response()
}

/// `GET /api/openapi.json`.
pub(super) async fn description() -> Json<Value> {
    Json(openapi::document())
}

/// Any other path below `/api/`.
pub(super) async fn unknown() -> Fault {
    Fault::not_found("no such path: /api/openapi.json lists what there is")
}
