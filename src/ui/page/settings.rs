//! The settings in force, without their secrets, and where each comes from.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use axum::extract::State as Extract;
use axum::response::Response;
use maud::{Markup, html};

use crate::analysis::render::units::{NOTHING, length, plain, thousands};
use crate::config::settings::{Provider, Settings};
use crate::config::{self, Sources};
use crate::edge::store::SCHEMA;
use crate::statistics::DEFINITIONS;
use crate::ui::api::Shared;

use super::health::waiting;
use super::layout::{self, Place};

pub(in crate::ui) async fn page(Extract(state): Shared) -> Response {
    let settings = (state.handles.settings)();
    let usual = defaults(settings.server.workers);
    let body = html! {
        p.lead { "What this program runs by. Secrets are not shown. Write it in the config file and it is taken within a second; "
            code { "tollgate check" } " says what is wrong with one." }
        (waiting(&(state.handles.reloads)()))
        h2 { "Versions" }
        dl.facts {
            (fact("Program", env!("CARGO_PKG_VERSION")))
            (fact("Definitions", &DEFINITIONS.to_string()))
            (fact("Store schema", &SCHEMA.to_string()))
            (fact("Price table", settings.prices.version()))
            (fact("Config", &format!("{:016x}", settings.hash)))
            (fact("Reloads", &thousands((state.handles.reloads)().taken)))
        }
        @for (group, list) in values(&settings) {
            @let known = usual.as_ref().map(values).and_then(|all| all.into_iter().find(|(name, _)| *name == group));
            h2 { (group) }
            div.scroll tabindex="0" role="region" aria-label=(group) {
                table {
                    thead { tr { th scope="col" { "Key" } th scope="col" { "Value" } th scope="col" { "From" } } }
                    tbody {
                        @for (key, value) in &list {
                            tr {
                                td { code { (key) } }
                                td.name { (value) }
                                td { (source(key, value, known.as_ref().map(|(_, list)| list.as_slice()))) }
                            }
                        }
                    }
                }
            }
        }
        h2 { "Providers" }
        (providers(&settings))
        h2 { "Models" }
        (models(&settings))
    };
    layout::page(&state, Place::Settings, "Settings", &body)
}

fn fact(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// The settings of an empty config on a machine like this one.
fn defaults(cores: usize) -> Option<Settings> {
    let sources = Sources {
        text: None,
        file: "defaults",
        env: &|_| None,
        read_file: &|_| Err(io::ErrorKind::NotFound.into()),
        read_text: &|_| Err(io::ErrorKind::NotFound.into()),
        data_dir: PathBuf::new(),
        cores,
    };
    config::load(&sources).ok().map(|loaded| loaded.settings)
}

/// Where a value comes from: what is as in an empty config needs none.
fn source(key: &str, value: &str, usual: Option<&[(&str, String)]>) -> &'static str {
    // The file's place comes of the user's own directory where none is given.
    if key == "store.path" {
        return "config or data directory";
    }
    let same = |(other, usual): &(&str, String)| *other == key && usual == value;
    if usual.is_some_and(|usual| usual.iter().any(same)) {
        "default"
    } else {
        "config"
    }
}

type Values = Vec<(&'static str, String)>;

fn values(settings: &Settings) -> Vec<(&'static str, Values)> {
    let (server, admin, store) = (&settings.server, &settings.admin, &settings.store);
    let (timeouts, limits) = (&settings.timeouts, &settings.limits);
    let list = |names: &std::collections::BTreeSet<String>| {
        if names.is_empty() {
            NOTHING.to_owned()
        } else {
            names
                .iter()
                .map(|name| plain(name))
                .collect::<Vec<_>>()
                .join(", ")
        }
    };
    let secret = |is_set: bool| if is_set { "set, not shown" } else { "none" }.to_owned();
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let count = |count: usize| thousands(count as u64);
    vec![
        (
            "Listeners",
            vec![
                ("server.listen", server.listen.to_string()),
                ("server.hosts", list(&server.hosts)),
                ("server.origins", list(&server.origins)),
                (
                    "server.default_provider",
                    server
                        .default_provider
                        .as_deref()
                        .map_or_else(|| NOTHING.to_owned(), plain),
                ),
                (
                    "server.tls",
                    server.tls.as_ref().map_or_else(
                        || "off".to_owned(),
                        |tls| plain(&tls.certificate.display().to_string()),
                    ),
                ),
                ("server.token", secret(server.token.is_some())),
                (
                    "server.allow_unauthenticated",
                    yes(server.allow_unauthenticated),
                ),
                ("server.workers", count(server.workers)),
                ("admin.listen", admin.listen.to_string()),
                ("admin.hosts", list(&admin.hosts)),
                ("admin.token", secret(admin.token.is_some())),
                (
                    "admin.allow_unauthenticated",
                    yes(admin.allow_unauthenticated),
                ),
            ],
        ),
        (
            "Store and retention",
            vec![
                ("store.path", plain(&store.path.display().to_string())),
                ("store.keep_records", span(store.keep_records)),
                ("store.keep_bytes", bytes(store.keep_bytes)),
                ("store.keep_minutes", span(store.keep_minutes)),
                ("store.keep_hours", span(store.keep_hours)),
                ("store.cache", bytes(store.cache_bytes as u64)),
                ("store.queue_max", count(store.queue_max)),
            ],
        ),
        (
            "Timeouts",
            vec![
                ("timeouts.connect", span(timeouts.connect)),
                ("timeouts.first_token", span(timeouts.first_token)),
                ("timeouts.silence", span(timeouts.silence)),
                (
                    "timeouts.total",
                    timeouts.total.map_or_else(|| "none".to_owned(), span),
                ),
                ("timeouts.request_headers", span(timeouts.request_headers)),
                ("timeouts.request_body", span(timeouts.request_body)),
                ("timeouts.client_write", span(timeouts.client_write)),
                ("timeouts.client_idle", span(timeouts.client_idle)),
                ("timeouts.pool_idle", span(timeouts.pool_idle)),
                ("timeouts.drain", span(timeouts.drain)),
            ],
        ),
        (
            "Limits",
            vec![
                ("limits.request_body", bytes(limits.request_body_bytes)),
                ("limits.json_depth", count(limits.json_depth)),
                ("limits.header_bytes", bytes(limits.header_bytes as u64)),
                ("limits.headers", count(limits.headers)),
                ("limits.connections", count(limits.connections)),
                ("limits.in_flight", count(limits.in_flight)),
                ("limits.event", bytes(limits.event_bytes as u64)),
                ("limits.decoded", bytes(limits.decoded_bytes as u64)),
                (
                    "limits.connections_per_provider",
                    count(limits.connections_per_provider),
                ),
            ],
        ),
    ]
}

fn span(span: Duration) -> String {
    if span.as_secs() > 0 && span.subsec_nanos() == 0 {
        length(span.as_secs() as i64)
    } else {
        format!("{} ms", span.as_millis())
    }
}

fn bytes(bytes: u64) -> String {
    format!("{} bytes", thousands(bytes))
}

fn providers(settings: &Settings) -> Markup {
    let key = |provider: &Provider| match provider.credential_from() {
        Some(source) => format!("set, from {}", plain(&source)),
        None => "the clients' own".to_owned(),
    };
    let maybe = |text: Option<&str>| text.map_or_else(|| NOTHING.to_owned(), plain);
    let price = |provider: &Provider| match (&provider.discount, provider.per_hour) {
        (_, Some(hour)) => format!("{} USD an hour", hour.as_dollars()),
        (Some(share), None) => format!(
            "{} % off the price table",
            f64::from(share.millionths()) / 1e4
        ),
        (None, None) => "by the price table".to_owned(),
    };
    html! {
        @if settings.providers.is_empty() {
            div.notice { p { "No provider: set one of their keys in the environment, or write a config (" code { "tollgate config init" } ")." } }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Providers" {
                table {
                    thead { tr {
                        @for name in ["Name", "Preset", "Kind", "Base URL", "Region", "Key", "Usage asked for", "Price"] { th scope="col" { (name) } }
                    } }
                    tbody {
                        @for provider in &settings.providers {
                            tr {
                                td { (plain(&provider.name)) }
                                td { (maybe(provider.preset.as_deref())) }
                                td { (provider.kind.name()) }
                                td.name { code { (provider.base) } }
                                td { (maybe(provider.region.as_deref())) }
                                td { (key(provider)) }
                                td { @if provider.inject_usage { "yes" } @else { "no" } }
                                td { (price(provider)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn models(settings: &Settings) -> Markup {
    html! {
        @if settings.models.is_empty() {
            div.notice { p { "No model has routes of its own (" code { "[models]" } "): each goes to the provider that its name or its base URL says." } }
        } @else {
            dl.facts {
                @for model in &settings.models {
                    div { dt { (plain(&model.name)) } dd {
                        ol { @for route in &model.routes {
                            li { (plain(&route.provider)) @if let Some(model) = &route.model { " as " (plain(model)) } }
                        } }
                    } }
                }
            }
        }
    }
}
