//! The overview: what is going on now, and the last hour.

use axum::extract::State as Extract;
use axum::response::Response;
use maud::{Markup, html};

use crate::analysis::render::units::{NOTHING, length, percent_of, span, thousands};
use crate::ui::api::{Shared, list};
use crate::ui::ask::{ListQuery, ReportQuery};
use crate::ui::charts;
use crate::ui::fault::Fault;
use crate::ui::state::State;
use crate::ui::svg::{Chart, chart};
use crate::ui::view::{Item, Number, Overview};

use super::layout::{self, Place};
use super::table;

/// What the charts show.
const WINDOW: &str = "1h";
/// Exchanges shown.
const RECENT: &str = "15";

pub(in crate::ui) async fn page(Extract(state): Shared) -> Response {
    let overview = Overview::of(&state);
    let newest = ListQuery {
        limit: Some(RECENT.to_owned()),
        ..ListQuery::default()
    };
    let recent = list(&state, &newest).await;
    let asked = ReportQuery::default().or_since(WINDOW).asked(&state);
    let drawn = match asked {
        Ok(asked) => state.read(move |reader| charts::both(reader, &asked)).await,
        Err(fault) => Err(fault),
    };
    let body = html! {
        (tiles(&overview))
        (store_notice(&overview))
        (charts_of(drawn.as_ref()))
        h2 { "Recent exchanges " span.live data-live-state {} }
        @match &recent {
            Err(fault) => (layout::instead(fault)),
            Ok(page) => {
                @let items: Vec<Item> = page.list.iter().map(Item::of_row).collect();
                @if items.is_empty() { (welcome(&state)) }
                (table::exchanges(&items, true))
                p { a href="/exchanges" { "All exchanges" } }
            }
        }
    };
    layout::page(
        &state,
        Place::Overview,
        "Overview",
        &html! { div data-live { (body) } },
    )
}

fn tiles(overview: &Overview) -> Markup {
    let share = overview
        .failure_rate
        .value
        .map_or_else(|| NOTHING.to_owned(), percent_of);
    let failed = format!(
        "{} of {}",
        overview.failure_rate.part, overview.failure_rate.whole
    );
    html! {
        dl.tiles {
            (tile("In flight", "in_flight", &thousands(overview.in_flight), "exchanges now"))
            (tile("Requests", "requests_per_minute", &thousands(overview.requests_per_minute), "in the last minute"))
            (tile("Route failures", "failure_rate", &share, &failed))
            (tile("First token", "first_token", &number(overview.first_token_ms.p50, 1e6), "median, 5 minutes"))
            (tile("Own delay", "own_delay", &number(overview.own_delay_us.p50, 1e3), "median, 5 minutes"))
            (tile("Store", "store", overview.store.state, &format!("{} waiting", overview.store.queue)))
            (tile("Up", "uptime", &length(overview.uptime_seconds), "since the start"))
        }
    }
}

fn tile(name: &str, field: &str, value: &str, detail: &str) -> Markup {
    html! {
        div.tile {
            dt { (name) }
            dd.value data-field=(field) { (value) }
            dd.detail data-detail=(field) { (detail) }
        }
    }
}

/// A number in nanoseconds per unit, or how many it still needs.
fn number(number: Number, unit: f64) -> String {
    match (number.value, number.needs, number.has) {
        (Some(value), ..) => span(value * unit),
        (None, Some(_), Some(0)) => NOTHING.to_owned(),
        (None, Some(needs), Some(has)) => format!("{has} of {needs}"),
        _ => "∞".to_owned(),
    }
}

fn store_notice(overview: &Overview) -> Markup {
    let dropped = overview.store.dropped_queue_full + overview.store.dropped_store_failed;
    html! {
        @if let Some(reason) = &overview.store.reason {
            div.notice.bad role="alert" { p { "Records do not reach the disk: " (reason) } }
        }
        @if dropped > 0 {
            div.notice.fair role="status" {
                p { (thousands(dropped)) " records were dropped since the start. " a href="/health" { "Why" } }
            }
        }
    }
}

fn charts_of(drawn: Result<&[Chart; 2], &Fault>) -> Markup {
    html! {
        @match drawn {
            Err(fault) => (layout::instead(fault)),
            Ok(drawn) => {
                div.charts {
                    @for one in drawn { (chart(one)) }
                }
            }
        }
    }
}

/// What to do when there is nothing to see yet.
fn welcome(state: &State) -> Markup {
    let data = state.handles.addresses.data;
    let settings = (state.handles.settings)();
    let scheme = if settings.server.tls.is_some() {
        "https"
    } else {
        "http"
    };
    html! {
        div.notice data-empty {
            p { "No exchange yet. Point a client at tollgate:" }
            pre { code { "export OPENAI_BASE_URL=" (scheme) "://" (data) "/v1\nexport ANTHROPIC_BASE_URL=" (scheme) "://" (data) } }
        }
    }
}
