//! The list of exchanges, newest first, with a filter.

use axum::extract::State as Extract;
use axum::response::Response;
use maud::{Markup, html};

use crate::analysis::render::units::plain;
use crate::record::Outcome;
use crate::ui::api::{Asking, Shared, list, query};
use crate::ui::ask::ListQuery;
use crate::ui::view::Item;

use super::layout::{self, Place};
use super::table;

pub(in crate::ui) async fn page(Extract(state): Shared, asking: Asking<ListQuery>) -> Response {
    let query = match query(asking) {
        Ok(query) => query,
        Err(fault) => return layout::fault(&state, &fault),
    };
    let found = list(&state, &query).await;
    let body = html! {
        (form(&query))
        @match &found {
            Err(fault) => (layout::instead(fault)),
            Ok(page) => {
                @let items: Vec<Item> = page.list.iter().map(Item::of_row).collect();
                @if items.is_empty() { (nothing(&query, page.more.is_some())) }
                @else { (table::exchanges(&items, false, state.handles.origin)) }
                (pager(&query, page.more.map(|id| id.to_string())))
            }
        }
    };
    layout::page(&state, Place::Exchanges, "Exchanges", &body)
}

fn form(query: &ListQuery) -> Markup {
    let outcome = query.outcome.as_deref().unwrap_or_default();
    let field = |label: &str, name: &str, value: Option<&String>, hint: &str| {
        html! {
            label { (label) " "
                input name=(name) value=[value] maxlength="256" autocomplete="off" placeholder=(hint);
            }
        }
    };
    html! {
        form.filter method="get" action="/exchanges" {
            label { "Search "
                input type="search" name="filter" value=[query.filter.as_deref()] maxlength="256" autocomplete="off"
                    placeholder="id, model, outcome, error code";
            }
            (field("Model", "model", query.model.as_ref(), "all"))
            (field("Provider", "provider", query.provider.as_ref(), "all"))
            label { "Outcome "
                select name="outcome" {
                    option value="" { "all" }
                    @for one in Outcome::ALL {
                        option selected[one.name() == outcome] { (one.name()) }
                    }
                }
            }
            label { "Status " input name="status" value=[query.status.as_deref()] inputmode="numeric" pattern="[1-5][0-9][0-9]" title="100 to 599" autocomplete="off" placeholder="any"; }
            (field("Tag", "tag", query.tag.as_ref(), "any"))
            (field("Session", "session", query.session.as_ref(), "hash"))
            button { "Show" }
        }
    }
}

fn nothing(query: &ListQuery, more: bool) -> Markup {
    let parts: Vec<String> = query
        .parts()
        .into_iter()
        .map(|(name, text)| match name {
            "filter" => format!(
                "“{}” in its id, provider, models, outcome, error or origin",
                plain(text)
            ),
            name => format!("the {name} “{}”", plain(text)),
        })
        .collect();
    html! {
        div.notice { p {
            @if more { "None so far" @if !parts.is_empty() { " with " (parts.join(" and ")) } ": older ones were not looked at yet." }
            @else if !parts.is_empty() { "No exchange has " (parts.join(" and ")) "." }
            @else if query.before.is_some() { "There are no older exchanges." }
            @else { "No exchange yet." }
        } }
    }
}

fn pager(query: &ListQuery, more: Option<String>) -> Markup {
    let hidden = html! {
        @for (name, text) in query.parts() { input type="hidden" name=(name) value=(text); }
    };
    html! {
        div.pager {
            @if query.before.as_ref().is_some_and(|before| !before.is_empty()) {
                form method="get" action="/exchanges" { (hidden) button { "Newest" } }
            }
            @if let Some(before) = more {
                form method="get" action="/exchanges" {
                    (hidden)
                    input type="hidden" name="before" value=(before);
                    button { "Older" }
                }
            }
        }
    }
}
