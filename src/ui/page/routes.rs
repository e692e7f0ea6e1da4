//! The report of routes: each way to a model, with how sure its numbers are.

use axum::extract::State as Extract;
use axum::response::Response;
use maud::{Markup, html};

use crate::analysis::render::units::{
    NOTHING, between, dollars, figure, minute, percent, percent_of, plain, rate, short, span,
    thousands, three_digits, why,
};
use crate::analysis::tables::{Exclusion, Figure, RouteReport, RoutesReport, Share, Spread};
use crate::record::TokenSource;
use crate::statistics::DEFINITIONS;
use crate::ui::api::{Asking, Shared, query};
use crate::ui::ask::ReportQuery;
use crate::ui::charts::{self, Which};
use crate::ui::downloads;
use crate::ui::svg::chart;

use super::layout::{self, Place};
use super::standing;

/// Windows offered.
pub(super) const WINDOWS: [(&str, &str); 5] = [
    ("1h", "1 hour"),
    ("6h", "6 hours"),
    ("24h", "24 hours"),
    ("7d", "7 days"),
    ("30d", "30 days"),
];
pub(super) const ORIGINS: [&str; 8] = [
    "live", "real", "all", "probe", "bench", "eval", "shadow", "demo",
];

/// Routes shown, the busiest first: clients make up model names without end, a page has one.
const ROUTES_MAX: usize = 200;

/// What is said of the routes that are not shown.
fn left_out(report: &RoutesReport) -> Option<String> {
    let rest = report.routes.get(ROUTES_MAX..).unwrap_or_default();
    let routes = rest.len() as u64 + report.further.routes;
    let known: u64 = rest.iter().map(|route| route.exchanges).sum();
    let exchanges = known + report.further.exchanges;
    let where_else = if report.further.routes == 0 {
        "the files below and in "
    } else {
        ""
    };
    (routes > 0).then(|| {
        format!(
            "{} further routes, of {} exchanges together, are in {where_else}`tollgate report \
             routes`: or choose a provider or a model.",
            thousands(routes),
            thousands(exchanges)
        )
    })
}

pub(in crate::ui) async fn page(Extract(state): Shared, asking: Asking<ReportQuery>) -> Response {
    let asked = query(asking).map(|query| query.or_since("24h"));
    let asked = asked.and_then(|query| Ok((query.asked(&state)?, query)));
    let (asked, query) = match asked {
        Ok(asked) => asked,
        Err(fault) => return layout::fault(&state, &fault),
    };
    let origin = asked.origins.name();
    let report = state.routes(query.question(), asked.clone()).await;
    let drawn = state.read(move |reader| {
        let latency = charts::draw(reader, Which::Latency, &asked)?;
        Ok([charts::draw(reader, Which::FirstToken, &asked)?, latency])
    });
    let drawn = drawn.await;
    let body = html! {
        (standing::section(&(state.handles.standing)()))
        h2 { "Measured" }
        (form(&query, origin))
        @match &report {
            Err(fault) => (layout::instead(fault)),
            Ok(report) => (shown(report)),
        }
        @match &drawn {
            // The same fault as above.
            Err(_) if report.is_err() => {}
            Err(fault) => (layout::instead(fault)),
            Ok(drawn) => { div.charts { @for one in drawn { (chart(one)) } } }
        }
        @if report.is_ok() { (further(&query)) }
    };
    layout::page(&state, Place::Routes, "Routes", &body)
}

fn form(query: &ReportQuery, origin: &str) -> Markup {
    let since = query.since.as_deref().unwrap_or_default();
    let offered = WINDOWS.iter().any(|(value, _)| *value == since);
    html! {
        form.filter method="get" action="/routes" {
            label { "Window "
                select name="since" {
                    @if !offered { option value=(since) selected { (plain(since)) } }
                    @for (value, name) in WINDOWS {
                        option value=(value) selected[value == since] { (name) }
                    }
                }
            }
            label { "Traffic "
                select name="origin" {
                    @for name in ORIGINS { option selected[name == origin] { (name) } }
                }
            }
            label { "Provider " input name="provider" value=[query.provider.as_deref()] autocomplete="off"; }
            label { "Model " input name="model" value=[query.model.as_deref()] autocomplete="off"; }
            button { "Show" }
        }
    }
}

/// Files of the same, and where its distributions and differences are told.
fn further(query: &ReportQuery) -> Markup {
    let models = format!("/reports/models?{}", query.of_reports());
    html! {
        (downloads::links(|format| format!("/api/routes?{}", query.text(format))))
        p.note {
            a href=(models) { "Whole distributions with their bands" }
            ", and two windows side by side: report models."
        }
    }
}

fn shown(report: &RoutesReport) -> Markup {
    html! {
        @if report.routes.is_empty() {
            div.notice { p {
                "No exchange of this kind reached a provider in this window. "
                @if report.scanned > 0 { (thousands(report.scanned)) " others are there: try all traffic, or fewer conditions." }
                @else { "A wider window may have some." }
            } }
        } @else {
            p.lead {
                (thousands(report.taken)) " exchanges, " (minute(report.head.window.from)) " to " (minute(report.head.window.until))
                " · " span.badge { "observational" } " routes saw different requests at different times"
            }
            div.scroll tabindex="0" role="region" aria-label="Routes" {
                table.routes {
                    thead { tr {
                        @for (class, name) in [
                            ("", "Route"), ("number", "Exchanges"), ("number", "Failed"), ("", ""),
                            ("number", "First token"), ("number", "First answer"), ("number", "Total"),
                            ("number", "Tokens/s"), ("number", "Own delay"), ("number", "Tokens"), ("number", "Cost"),
                        ] { th scope="col" class=[(!class.is_empty()).then_some(class)] { (name) } }
                    } }
                    @for route in report.routes.iter().take(ROUTES_MAX) { (route_rows(route)) }
                }
            }
            @if let Some(more) = left_out(report) { p.note { (more) } }
        }
        (notes(report))
    }
}

/// Writes a number.
type Write = fn(f64) -> String;

/// A body of three rows, one for each quantile.
fn route_rows(route: &RouteReport) -> Markup {
    let name = &route.route;
    let known: Vec<String> = name
        .kind
        .map(|kind| kind.name().to_owned())
        .into_iter()
        .chain(name.region.as_deref().map(plain))
        .collect();
    html! {
        tbody {
            tr {
                th.name scope="rowgroup" rowspan="3" {
                    (plain(&name.provider))
                    @if let Some(model) = &name.model { br; span.model { (plain(model)) } }
                    @if !known.is_empty() { br; span.detail { (known.join(", ")) } }
                    @if route.pseudo_streams > 0 {
                        br; span.badge.fair title="held back and sent in one burst" { "bursts " (thousands(route.pseudo_streams)) }
                    }
                }
                td.number rowspan="3" {
                    (thousands(route.exchanges)) br;
                    span.detail { (short(route.streams)) " streams" br; (short(route.exchanges - route.streams)) " whole" }
                }
                td.number rowspan="3" {
                    (percent(route.failure_rate)) br;
                    span.detail {
                        (between(route.failure_rate.ends(), percent_of)) br;
                        "of " (thousands(route.failure_rate.whole)) br;
                        @if route.lost.failures > 0 { "tries " (percent(route.attempt_failure_rate)) br; }
                        "limited " (percent(route.rate_limited)) br;
                        "key refused " (percent(route.credential_faults))
                        @if route.lost.attempts > 0 { br; "lost attempts " (short(route.lost.attempts)) }
                    }
                }
                (quantiles(route, "p50", |spread| (spread.p50, spread.p50_ends)))
                td.number rowspan="3" { (tokens(route)) }
                td.number rowspan="3" { (cost(route)) }
            }
            tr { (quantiles(route, "p95", |spread| (spread.p95, spread.p95_ends))) }
            tr { (quantiles(route, "p99", |spread| (spread.p99, spread.p99_ends))) }
        }
    }
}

/// A quantile with its interval.
type Told = (Figure, Option<(f64, f64)>);

fn quantiles(route: &RouteReport, name: &str, of: fn(&Spread) -> Told) -> Markup {
    // What Tollgate added is told without ends: there is room for no more.
    let cells: [(&Spread, Write, bool); 5] = [
        (&route.first_token, span, true),
        (&route.first_answer, span, true),
        (&route.total, span, true),
        (&route.output_rate, rate, true),
        (&route.own_delay, span, false),
    ];
    html! {
        th.quantile scope="row" { (name) }
        @for (spread, write, ended) in cells {
            @let (one, ends) = of(spread);
            td.number.withheld[one.value().is_none()] title=[why(one)] {
                (figure(one, write))
                @if ended && ends.is_some() { br; span.detail { (between(ends, write)) } }
            }
        }
    }
}

fn tokens(route: &RouteReport) -> Markup {
    let tokens = &route.tokens;
    let known = route.exchanges > tokens.unknown;
    html! {
        @if known {
            (short(tokens.input)) " in" br;
            (short(tokens.output)) " out" br;
            span.detail { (short(tokens.cached_read)) " cached" }
        } @else { (NOTHING) }
    }
}

fn cost(route: &RouteReport) -> Markup {
    let costs = &route.costs;
    let unpriced = costs.why_none().unwrap_or_default().replace('_', " ");
    html! {
        @match costs.dollars() {
            None => {
                @match costs.billed_dollars() {
                    Some(billed) => { (dollars(billed)) br; span.detail { "billed; " (unpriced) } }
                    None => { (NOTHING) br; span.detail { (unpriced) } }
                }
            }
            Some(sum) => {
                (dollars(sum)) br;
                span.detail {
                    (costs.dollars_each().map_or_else(String::new, dollars)) " each"
                    @if costs.priced < route.exchanges {
                        br; "of " (percent(Share::of(costs.priced, route.exchanges))) " priced"
                    }
                }
            }
        }
    }
}

fn notes(report: &RoutesReport) -> Markup {
    let excluded: Vec<String> = Exclusion::ALL
        .into_iter()
        .zip(report.excluded)
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{} {}", reason.name(), thousands(count)))
        .collect();
    let unrouted: Vec<String> = report
        .unrouted
        .iter()
        .map(|(outcome, count)| format!("{} {}", outcome.name(), thousands(count)))
        .collect();
    let head = &report.head;
    html! {
        details.notes {
            summary { "How to read these numbers" }
            ul {
                li { "Failures count as infinitely long (∞). Failed is of exchanges that ended well or by the route's fault; tries is the same with those after which another route was asked, which the quantiles have too." }
                li { "“41 of 368” means that the quantile needs 368 numbers and has 41: p50 needs 6, p95 72, p99 368." }
                li { "In brackets: intervals of 95 % for one look at a window chosen before, of quantiles two order statistics, of rates Wilson's; requests that came near each other may be alike, and count for as many as they say (design effect). Routes saw different requests: these are no comparisons." }
                @if !excluded.is_empty() { li { "Not in this report, of " (thousands(report.scanned)) " looked at: " (excluded.join(", ")) "." } }
                @if !unrouted.is_empty() { li { "Reached no provider: " (unrouted.join(", ")) "." } }
                @if head.damaged > 0 { li { (head.damaged) " damaged rows are missing." } }
                @if head.rolled { li { "From roll-ups of minutes and hours: counts and sums are exact, quantiles within ±1 % of the number itself. Why numbers are missing and who counted tokens is not in roll-ups." } }
                @if head.lost_unread > 0 { li { "Lost attempts of " (thousands(head.lost_unread)) " exchanges are not counted." } }
                @for route in report.routes.iter().take(ROUTES_MAX) { (missing(route)) }
                li { "Config of the first and last exchange: "
                    (head.configs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
                    ". Definitions " (DEFINITIONS) ", tollgate " (env!("CARGO_PKG_VERSION")) "." }
            }
        }
    }
}

fn missing(route: &RouteReport) -> Markup {
    let list = |spread: &Spread| -> Vec<String> {
        spread
            .missing()
            .map(|(reason, count)| format!("{} {}", reason.name(), thousands(count)))
            .collect()
    };
    let (times, rates) = (list(&route.first_token), list(&route.output_rate));
    let sources: Vec<String> = TokenSource::ALL
        .into_iter()
        .zip(route.token_sources.unwrap_or_default())
        .filter(|(_, count)| *count > 0)
        .map(|(source, count)| format!("{} {}", source.name(), thousands(count)))
        .collect();
    let steady = if route.streams > 0 {
        &route.first_token
    } else {
        &route.total
    };
    html! {
        li {
            strong { (plain(&route.route.text())) }
            ": quartiles apart by " (figure(steady.iqr_over_median, three_digits)) " of the median, p95 "
            (figure(steady.p95_over_p50, three_digits)) " times it"
            @if route.first_token.cut > 0 { "; first token not waited out of " (thousands(route.first_token.cut)) ": at least as long as the wait, by Kaplan and Meier" }
            @if route.total.cut > 0 { "; total not waited out of " (thousands(route.total.cut)) ", likewise" }
            @if !times.is_empty() { "; no first token of " (times.join(", ")) }
            @if !rates.is_empty() { "; no output rate of " (rates.join(", ")) }
            @if !sources.is_empty() { "; tokens counted by " (sources.join(", ")) }
            "."
        }
    }
}
