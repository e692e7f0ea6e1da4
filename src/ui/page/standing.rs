//! How the routes stand now: state, expectation, load, and what would be chosen.

use maud::{Markup, html};

use crate::analysis::render::units::thousands;
use crate::recorder::StandingNow;
use crate::recorder::shown::TYPICAL_PROMPT;
use crate::ui::standing::{Said, SaidOfKey, SaidOfModel, SaidOfRoute};

/// The section. `ui/app.js` writes the same texts into the same fields as they change.
pub(super) fn section(now: &StandingNow) -> Markup {
    let said = Said::of(now);
    html! {
        section.standing data-standing aria-label="Standing now" {
            h2 { "Standing now " span.live data-live-state {} }
            @if said.models.is_empty() && said.others.is_empty() {
                p.empty { "No model has routes in the config, and no provider was asked yet." }
            }
            @for model in &said.models { (of_model(model)) }
            @if !said.others.is_empty() {
                h3 { "Used without being a model's route" }
                (table(&said.others, "Other routes", "others", false))
            }
            p.detail {
                "This month: " span data-said="spent" { (said.spent) }
                " · times for prompts as large as each route lately had, " (thousands(TYPICAL_PROMPT))
                " tokens where it had none; eight of ten first tokens are within the spread"
            }
        }
    }
}

fn of_model(model: &SaidOfModel) -> Markup {
    html! {
        h3 { (model.name) " " span.badge data-said=(format!("{} policy", model.name)) { (model.policy) } }
        p.lead data-said=(format!("{} choice", model.name)) { (model.choice) }
        (table(&model.routes, &model.name, &model.name, true))
    }
}

fn table(routes: &[SaidOfRoute], label: &str, group: &str, weighed: bool) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            table {
                thead { tr {
                    th scope="col" { "Route" }
                    th scope="col" { "State" }
                    th.number scope="col" { "First token" }
                    th.number.wide scope="col" { "Success" }
                    th.number.wide scope="col" { "At work" }
                    th.number.wide scope="col" { "Limits used" }
                    @if weighed { th.number.wide scope="col" { "Goes first" } }
                } }
                tbody data-said-rows=(group) {
                    @for route in routes { (row(route, group, weighed)) }
                }
            }
        }
    }
}

fn row(route: &SaidOfRoute, group: &str, weighed: bool) -> Markup {
    let at = |field: &str| format!("{group} {}/{} {field}", route.provider, route.model);
    html! {
        tr.chosen[route.first] data-said-row=(at("row")) {
            th.name scope="row" {
                (route.provider)
                @if !route.model.is_empty() { br; span.model { (route.model) } }
            }
            td.state {
                span class=(format!("outcome {}", route.look)) data-said=(at("state")) { (route.state) }
                br; span.detail data-said=(at("detail")) { (route.detail) }
                @if !route.keys.is_empty() {
                    ul.keys { @for of in &route.keys { (key(of, &at)) } }
                }
            }
            td.number {
                span data-said=(at("first_token")) { (route.first_token) }
                br; span.detail data-said=(at("spread")) { (route.spread) }
            }
            td.number.wide {
                span data-said=(at("success")) { (route.success) }
                br; span.detail data-said=(at("samples")) { (route.samples) }
            }
            td.number.wide data-said=(at("at_work")) { (route.at_work) }
            td.number.wide {
                span data-said=(at("used")) { (route.used) }
                br; span.detail data-said=(at("meters")) { (route.meters) }
            }
            @if weighed {
                td.number.wide.chance {
                    span data-said=(at("chance")) { (route.chance) }
                    br; span.detail data-said=(at("place")) { (route.place) }
                }
            }
        }
    }
}

fn key(key: &SaidOfKey, at: &dyn Fn(&str) -> String) -> Markup {
    let at = |field: &str| at(&format!("{} {field}", key.name));
    html! {
        li {
            span class=(format!("outcome {}", key.look)) data-said=(at("state")) { (key.state) }
            " " span.detail data-said=(at("detail")) { (key.detail) }
        }
    }
}
