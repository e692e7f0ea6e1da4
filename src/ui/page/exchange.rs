//! One exchange: what it was, what it used, and every attempt on one clock.

use axum::extract::{Path, State as Extract};
use axum::response::Response;
use maud::{Markup, html};

use crate::analysis::render::units::{NOTHING, dollars, plain, rate, span, thousands};
use crate::record::{AttemptRecord, ExchangeRecord};
use crate::statistics::{Figures, Metric, Rate};
use crate::ui::api::{Shared, detail};
use crate::ui::svg::{gaps, phases};
use crate::ui::view::Item;

use super::layout::{self, Place, origin_badge};
use super::table::{name, outcome};
use super::weighed::weighed;

pub(in crate::ui) async fn page(Extract(state): Shared, Path(id): Path<String>) -> Response {
    let record = match detail(&state, &id).await {
        Ok(record) => record,
        Err(fault) => return layout::fault(&state, &fault),
    };
    let item = Item::of_record(&record);
    let body = html! {
        p.lead {
            (outcome(&item)) " " (origin_badge(record.origin)) " "
            time datetime=(item.started) { (item.started.get(..19).unwrap_or_default().replace('T', " ")) " UTC" }
        }
        p.id { code { (item.id) } " · " a href=(format!("/api/exchanges/{}", item.id)) { "JSON" } }
        (facts(&record))
        (weighed(&record))
        @if record.attempts.is_empty() {
            div.notice { p { "No provider saw this request: " (plain(&record.reason)) "." } }
        }
        @for (index, one) in record.attempts.iter().enumerate() {
            (attempt(&record, one, index))
        }
    };
    layout::page(&state, Place::Exchanges, "Exchange", &body)
}

fn facts(record: &ExchangeRecord) -> Markup {
    let figures = Figures::of(record);
    let usage = &record.tokens.usage;
    let count = |count: Option<u64>| count.map_or_else(|| NOTHING.to_owned(), thousands);
    let own = figures
        .own_delay
        .map_or_else(|| NOTHING.to_owned(), |own| span(own.0 as f64));
    let tokens = format!("{} in, {} out", count(usage.input), count(usage.output));
    let more = format!(
        "{} cached, {} reasoning",
        count(usage.cached_read),
        count(usage.reasoning)
    );
    let source = record
        .tokens
        .source
        .map_or("unknown", |source| source.name());
    let cost = record
        .cost
        .map_or_else(|| "no price".to_owned(), |cost| dollars(cost.as_dollars()));
    html! {
        dl.facts {
            (fact("Model", &name(record.model.as_deref())))
            (fact("Endpoint", &plain(&record.endpoint)))
            (fact("First token", &time(figures.first_token)))
            (fact("First answer", &time(figures.first_answer)))
            (fact("Total", &time(figures.total)))
            (fact("Output rate", &speed(figures.output_rate)))
            (fact("Own delay", &own))
            (fact("Tokens", &tokens))
            (fact("Of those", &more))
            (fact("Counted by", source))
            (fact("Cost", &cost))
            (fact("Policy", &format!("{} ({})", plain(&record.policy), plain(&record.reason))))
            (fact("Request", &format!("{} bytes", thousands(record.request.bytes))))
            (fact("Answer", &format!("{} bytes", thousands(record.response_bytes))))
            @if let Some(session) = record.session {
                div { dt { "Conversation" } dd {
                    a href=(linked("session", &session.hash.to_string())) { (session.hash) } " turn " (session.turn)
                } }
            }
            @if !record.tags.is_empty() {
                div { dt { "Tags" } dd {
                    @for tag in &record.tags { a href=(linked("tag", tag)) { (plain(tag)) } " " }
                } }
            }
        }
    }
}

/// The list of exchanges narrowed to what has that.
fn linked(name: &str, value: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::from("/exchanges?"));
    query.append_pair(name, value);
    query.finish()
}

fn fact(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn time(metric: Metric) -> String {
    match metric {
        Ok(nanos) => span(nanos.0 as f64),
        Err(reason) => format!("{NOTHING} {}", reason.name().replace('_', " ")),
    }
}

fn speed(metric: Metric<Rate>) -> String {
    match metric {
        Ok(found) => format!("{} tokens/s", rate(found.0 as f64)),
        Err(reason) => format!("{NOTHING} {}", reason.name().replace('_', " ")),
    }
}

fn attempt(record: &ExchangeRecord, attempt: &AttemptRecord, index: usize) -> Markup {
    let count = record.attempts.len();
    html! {
        section.attempt {
            h2 {
                @if count > 1 { "Attempt " (index + 1) " of " (count) ": " }
                (plain(&attempt.provider)) " " span.model { (name(attempt.model.as_deref())) }
            }
            p.detail {
                (attempt.status.map_or_else(|| "no status".to_owned(), |status| format!("status {status}")))
                @if let Some(class) = attempt.error_class { " · " span.bad { (class.name()) } }
                @if let Some(code) = &attempt.error_code { " (" (plain(code)) ")" }
                @if let Some(end) = attempt.end { " · body " (end.name().replace('_', " ")) }
                " · " (attempt.protocol.name()) " · "
                @if attempt.reused { "reused connection" } @else { "new connection" }
                @if let Some(served) = &attempt.served_by { " · served by " (plain(served)) }
                @if let Some(region) = &attempt.region { " · " (plain(region)) }
                @if let Some(language) = attempt.language { " · translated into " (language.name()) }
            }
            @if !attempt.dropped.is_empty() {
                p.note { "Left out of the request: " (attempt.dropped.iter().map(|field| plain(field)).collect::<Vec<_>>().join(", ")) }
            }
            (phases(record, attempt))
            @if let Some(found) = &attempt.gaps { (gaps(found)) }
            (marks(record, attempt))
        }
    }
}

/// The moments as numbers, for who cannot or will not read bars.
fn marks(record: &ExchangeRecord, attempt: &AttemptRecord) -> Markup {
    let mut marks: Vec<_> = attempt.timeline.iter().collect();
    marks.sort_by_key(|(_, at)| *at);
    html! {
        details {
            summary { "Moments, headers and oddities" }
            div.columns {
                table.marks {
                    caption { "Since the request's first byte" }
                    tbody {
                        @for (mark, at) in marks {
                            tr {
                                th scope="row" { (mark.name().replace('_', " ")) }
                                td.number { (span(at.since(record.started_at).0 as f64)) }
                            }
                        }
                    }
                }
                @if !attempt.rate_limits.is_empty() {
                    table.marks {
                        caption { "Rate-limit headers" }
                        tbody {
                            @for one in &attempt.rate_limits {
                                tr { th scope="row" { (plain(&one.name)) } td.number { (plain(&one.value)) } }
                            }
                        }
                    }
                }
                @if !attempt.server_timings.is_empty() {
                    table.marks {
                        caption { "The provider's own timings" }
                        tbody {
                            @for one in &attempt.server_timings {
                                tr { th scope="row" { (plain(&one.source)) } td.number { (span(one.span.0 as f64)) } }
                            }
                        }
                    }
                }
            }
            @if !attempt.oddities.is_empty() {
                p { "Odd: " (attempt.oddities.iter().map(|odd| odd.name()).collect::<Vec<_>>().join(", ")) }
            }
            @if let Some(id) = &attempt.upstream_request_id { p { "Request id there: " code { (plain(id)) } } }
        }
    }
}
