//! Health and settings: how services do, and what they run by.

use std::time::Duration;

use axum::extract::State as Extract;
use axum::response::Response;
use maud::{Markup, html};

use crate::analysis::render::units::{NOTHING, length, plain, thousands};
use crate::config::settings::Settings;
use crate::ui::Reloads;
use crate::ui::api::{Shared, unauthenticated};
use crate::ui::state::State;
use crate::ui::view::Store;

use super::layout::{self, Place};

pub(in crate::ui) async fn page(Extract(state): Shared) -> Response {
    let settings = (state.handles.settings)();
    let body = html! {
        (warnings(&state, &settings))
        h2 { "Services" }
        (services(&state))
        h2 { "Providers" }
        (providers(&settings))
        h2 { "Settings" }
        (limits(&state, &settings))
    };
    layout::page(&state, Place::Health, "Health", &body)
}

fn warnings(state: &State, settings: &Settings) -> Markup {
    let store = Store::of(&(state.handles.store)());
    let reloads = (state.handles.reloads)();
    html! {
        @for name in unauthenticated(settings) {
            div.notice.bad role="alert" { p {
                "Unauthenticated: anybody who reaches the " (name) " listener can use it (" code { (name) ".allow_unauthenticated" } ")."
            } }
        }
        @if let Some(reason) = &store.reason {
            div.notice.bad role="alert" { p { "Records do not reach the disk since " (store.since.as_deref().unwrap_or_default()) ": " (reason) } }
        }
        @if let Some(aside) = &store.moved_aside {
            div.notice.fair role="status" { p { "The store was damaged; it was moved to " code { (aside) } ", and a new one begun." } }
        }
        @if let Some(refused) = &reloads.refused {
            div.notice.bad role="alert" { p { "The changed config was refused; the old one stays in force:" } pre { (refused) } }
        }
        (waiting(&reloads))
    }
}

/// Changed values that are shown but not in force.
pub(super) fn waiting(reloads: &Reloads) -> Markup {
    html! {
        @if !reloads.waiting.is_empty() {
            div.notice.fair role="status" { p {
                "Changed, and in force from the next start on: "
                @for (at, key) in reloads.waiting.iter().enumerate() {
                    @if at > 0 { ", " }
                    code { (key) }
                }
                "."
            } }
        }
    }
}

fn services(state: &State) -> Markup {
    let store = Store::of(&(state.handles.store)());
    let counts = (state.handles.counts)();
    let addresses = state.handles.addresses;
    let up = state.handles.clock.wall().as_secs() - state.started.as_secs();
    html! {
        dl.facts {
            (fact("Data plane", &addresses.data.to_string()))
            (fact("Admin plane", &addresses.admin.to_string()))
            (fact("Up", &length(up)))
            (fact("In flight", &thousands(counts.in_flight)))
            (fact("Exchanges begun", &thousands(counts.accepted)))
            (fact("Connections", &format!("{} open, {} refused", thousands(counts.connections), thousands(counts.refused))))
            (fact("Store", store.state))
            (fact("Records written", &thousands(store.written)))
            (fact("Records waiting", &thousands(store.queue as u64)))
            (fact("Dropped, queue full", &thousands(store.dropped_queue_full)))
            (fact("Dropped, store failed", &thousands(store.dropped_store_failed)))
            (fact("Store reopened", &thousands(store.reopened)))
            (fact("Removed by age or size", &thousands(store.trimmed)))
            (fact("Config reloads", &thousands((state.handles.reloads)().taken)))
        }
    }
}

fn providers(settings: &Settings) -> Markup {
    html! {
        @if settings.providers.is_empty() {
            div.notice { p { "No provider: set one of their keys in the environment, or write a config (" code { "tollgate config init" } ")." } }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Providers" {
                table {
                    thead { tr {
                        @for name in ["Name", "Kind", "Dialect", "Base URL", "Region", "Key"] { th scope="col" { (name) } }
                    } }
                    tbody {
                        @for provider in &settings.providers {
                            tr {
                                td { (plain(&provider.name)) }
                                td { (provider.kind.name()) }
                                td { (provider.dialect.name()) }
                                td.name { code { (provider.base) } }
                                td { (provider.region.as_deref().map_or_else(|| NOTHING.to_owned(), plain)) }
                                td {
                                    @match provider.credential_from() {
                                        Some(source) => { "from " (plain(&source)) }
                                        None => { span.detail { "clients' own" } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn limits(state: &State, settings: &Settings) -> Markup {
    let (timeouts, store) = (&settings.timeouts, &settings.store);
    let span = |span: Duration| length(span.as_secs() as i64);
    let megabytes = |bytes: u64| format!("{} MB", thousands(bytes / 1_000_000));
    html! {
        dl.facts {
            (fact("Config", &format!("{:016x}", settings.hash)))
            (fact("Workers", &settings.server.workers.to_string()))
            (fact("Data plane token", if settings.server.token.is_some() { "required" } else { "none" }))
            (fact("Admin token", if settings.admin.token.is_some() { "required" } else { "none" }))
            (fact("Store file", &plain(&store.path.display().to_string())))
            (fact("Records kept", &format!("{}, {}", span(store.keep_records), megabytes(store.keep_bytes))))
            (fact("Connect", &format!("{} s", timeouts.connect.as_secs_f64())))
            (fact("Silence", &span(timeouts.silence)))
            (fact("Exchanges at once", &thousands(settings.limits.in_flight as u64)))
            (fact("Connections at once", &thousands(settings.limits.connections as u64)))
            (fact("Live views", &state.watchers.load(std::sync::atomic::Ordering::Relaxed).to_string()))
        }
    }
}

fn fact(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}
