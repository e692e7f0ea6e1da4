//! The list of exchanges, newest first, with a filter.

use axum::extract::State as Extract;
use axum::response::Response;
use maud::{Markup, html};

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
    let filter = query.filter.clone().unwrap_or_default();
    let found = list(&state, &query).await;
    let body = html! {
        form.filter method="get" action="/exchanges" {
            label { "Filter "
                input type="search" name="filter" value=(filter) maxlength="256" autocomplete="off"
                    placeholder="provider, model, outcome, error";
            }
            button { "Show" }
        }
        @match &found {
            Err(fault) => (layout::instead(fault)),
            Ok(page) => {
                @let items: Vec<Item> = page.list.iter().map(Item::of_row).collect();
                @if items.is_empty() { (nothing(&query, &filter)) }
                @else { (table::exchanges(&items, false)) }
                (pager(&query, &filter, page.more.map(|id| id.to_string())))
            }
        }
    };
    layout::page(&state, Place::Exchanges, "Exchanges", &body)
}

fn nothing(query: &ListQuery, filter: &str) -> Markup {
    html! {
        div.notice { p {
            @if !filter.is_empty() { "No exchange has “" (filter) "” in its provider, models, outcome, error class or origin." }
            @else if query.before.is_some() { "There are no older exchanges." }
            @else { "No exchange yet." }
        } }
    }
}

fn pager(query: &ListQuery, filter: &str, more: Option<String>) -> Markup {
    html! {
        div.pager {
            @if query.before.as_ref().is_some_and(|before| !before.is_empty()) {
                form method="get" action="/exchanges" {
                    @if !filter.is_empty() { input type="hidden" name="filter" value=(filter); }
                    button { "Newest" }
                }
            }
            @if let Some(before) = more {
                form method="get" action="/exchanges" {
                    @if !filter.is_empty() { input type="hidden" name="filter" value=(filter); }
                    input type="hidden" name="before" value=(before);
                    button { "Older" }
                }
            }
        }
    }
}
