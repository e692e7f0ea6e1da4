//! Frames every page: head, navigation, and what is said when there is nothing to show.

use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::record::Origin;
use crate::ui::fault::Fault;
use crate::ui::state::State;

/// The places of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Routes,
    Tax,
    Experiments,
    Reports,
    Runs,
    Exchanges,
    Settings,
    Health,
    Elsewhere,
    Login,
}

impl Place {
    /// Where the report of that name stands.
    pub(super) fn of_report(name: &str) -> Self {
        match name {
            "tax" => Self::Tax,
            "experiments" => Self::Experiments,
            _ => Self::Reports,
        }
    }
}

const PLACES: [(Place, &str, &str); 9] = [
    (Place::Overview, "/", "Overview"),
    (Place::Routes, "/routes", "Routes"),
    (Place::Tax, "/reports/tax", "Tax"),
    (Place::Experiments, "/experiments", "Experiments"),
    (Place::Reports, "/reports", "Reports"),
    (Place::Runs, "/runs", "Runs"),
    (Place::Exchanges, "/exchanges", "Exchanges"),
    (Place::Settings, "/settings", "Settings"),
    (Place::Health, "/health", "Health"),
];

/// A whole page.
pub(super) fn page(state: &State, place: Place, title: &str, body: &Markup) -> Response {
    let signed_in = (state.handles.settings)().admin.token.is_some() && place != Place::Login;
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · tollgate" }
                link rel="icon" href="/favicon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/style.css";
                script src="/assets/app.js" defer {}
            }
            body {
                a.skip href="#main" { "Skip to content" }
                header {
                    a.brand href="/" { "tollgate" }
                    @if place != Place::Login {
                        nav aria-label="Pages" {
                            @for (at, href, name) in PLACES {
                                a href=(href) aria-current=[(at == place).then_some("page")] { (name) }
                            }
                        }
                    }
                    @if state.is_simulated() { span.badge.simulated { "simulated" } }
                    @if signed_in {
                        form.logout method="post" action="/logout" { button { "Sign out" } }
                    }
                }
                main #main tabindex="-1" {
                    h1 { (title) }
                    (body)
                }
                footer {
                    "tollgate " (env!("CARGO_PKG_VERSION")) " · definitions "
                    (crate::statistics::DEFINITIONS) " · times in UTC · "
                    a href="/api/openapi.json" { "API" } " · " a href="/metrics" { "metrics" }
                }
            }
        }
    };
    Html(markup.into_string()).into_response()
}

/// The page that says why there is none.
pub(super) fn fault(state: &State, fault: &Fault) -> Response {
    let title = fault.status.canonical_reason().unwrap_or("Not possible");
    let body = html! {
        div.notice.bad role="alert" { p { (fault.message) } }
        p { a href="/" { "Back to the overview" } }
    };
    let mut response = page(state, Place::Elsewhere, title, &body);
    *response.status_mut() = fault.status;
    response
}

/// A note in the place of something that cannot be shown.
pub(super) fn instead(fault: &Fault) -> Markup {
    html! { div.notice.bad role="alert" { p { (fault.message) } } }
}

/// A label for exchanges that are not clients' own.
pub(super) fn origin_badge(origin: Origin) -> Markup {
    match origin {
        Origin::Live => html! {},
        Origin::Demo => html! { span.badge.simulated { "simulated" } },
        other => html! { span.badge { (other.name()) } },
    }
}
