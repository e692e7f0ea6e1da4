//! Writes exchanges as rows of a table. `ui/app.js` writes the same rows for what comes live.

use maud::{Markup, html};

use crate::analysis::render::units::{NOTHING, dollars, plain, span, thousands, three_digits};
use crate::record::Origin;
use crate::ui::view::Item;

use super::layout::origin_badge;

/// The table of `items`; where it is `live`, new rows come in at its top.
pub(super) fn exchanges(items: &[Item], live: bool) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Exchanges" {
            table.exchanges {
                thead {
                    tr {
                        th scope="col" { "Time" }
                        th scope="col" { "Model" }
                        th.wide scope="col" { "Route" }
                        th scope="col" { "Outcome" }
                        th.number scope="col" { "First token" }
                        th.number scope="col" { "Total" }
                        th.number.wide scope="col" { "Tokens/s" }
                        th.number.wide scope="col" { "In" }
                        th.number.wide scope="col" { "Out" }
                        th.number.wide scope="col" { "Cost" }
                    }
                }
                tbody data-live-rows[live] {
                    @for item in items { (row(item, live)) }
                }
            }
        }
    }
}

fn row(item: &Item, live: bool) -> Markup {
    let millis = |ms: Option<f64>| ms.map_or_else(|| NOTHING.to_owned(), |ms| span(ms * 1e6));
    let count = |count: Option<u64>| count.map_or_else(|| NOTHING.to_owned(), thousands);
    html! {
        tr {
            td { a href=(format!("/exchanges/{}", item.id)) { time datetime=(item.started) { @if !live { (day(&item.started)) " " } (clock(&item.started)) } } }
            td.name {
                (name(item.model.as_deref())) (badge(item.origin))
                @if let Some(provider) = &item.provider { " " span.detail.narrow { "via " (plain(provider)) } }
            }
            td.name.wide { (route(item)) }
            td { (outcome(item)) }
            td.number title=[item.first_token_reason] { (millis(item.first_token_ms)) }
            td.number { (millis(item.total_ms)) }
            td.number.wide { (item.output_rate.map_or_else(|| NOTHING.to_owned(), three_digits)) }
            td.number.wide { (count(item.tokens_input)) }
            td.number.wide { (count(item.tokens_output)) }
            td.number.wide { (item.cost_usd.map_or_else(|| NOTHING.to_owned(), dollars)) }
        }
    }
}

fn badge(origin: &str) -> Markup {
    Origin::from_name(origin)
        .map(origin_badge)
        .unwrap_or_default()
}

/// How it ended, in words and not by colour alone.
pub(super) fn outcome(item: &Item) -> Markup {
    let look = match item.outcome {
        "ok" => "good",
        _ if item.failed => "bad",
        _ => "fair",
    };
    html! {
        span class=(format!("outcome {look}")) { (item.outcome) }
        @if let Some(class) = item.error_class { " " span.detail { (class) } }
        @if item.attempts > 1 { " " span.detail { (item.attempts) " attempts" } }
    }
}

fn route(item: &Item) -> Markup {
    html! {
        @match &item.provider {
            None => { (NOTHING) }
            Some(provider) => {
                (plain(provider))
                @if item.route_model.is_some() && item.route_model != item.model {
                    " " span.detail { (name(item.route_model.as_deref())) }
                }
            }
        }
    }
}

/// A name that came from outside, as it may be shown.
pub(super) fn name(text: Option<&str>) -> String {
    text.map_or_else(|| NOTHING.to_owned(), plain)
}

/// The month and the day.
fn day(rfc3339: &str) -> &str {
    rfc3339.get(5..10).unwrap_or_default()
}

/// The time of the day, to the second.
fn clock(rfc3339: &str) -> &str {
    rfc3339.get(11..19).unwrap_or(rfc3339)
}
