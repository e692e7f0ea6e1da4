//! Any report of whole records as a page, with a download of each format.

use std::sync::Arc;

use axum::extract::{Path, State as Extract};
use axum::response::Response;
use maud::{Markup, PreEscaped, html};

use crate::analysis::render;
use crate::edge::store::StoreReader;
use crate::routing::experiment::Experiment;
use crate::ui::api::{Asking, Shared, query};
use crate::ui::ask::PaperQuery;
use crate::ui::downloads;
use crate::ui::fault::Fault;
use crate::ui::notes::section;
use crate::ui::papers::REPORTS;
use crate::ui::state::State;

use super::layout::{self, Place};
use super::routes::{ORIGINS, WINDOWS};

/// `/reports`: the list of them.
pub(in crate::ui) async fn index(Extract(state): Shared) -> Response {
    let body = html! {
        ul.reports {
            li { a href="/routes" { "routes" } " Each way to a model: failures, latency, speed, tokens, cost, own delay" }
            @for (name, what) in REPORTS {
                li { a href=(format!("/reports/{name}")) { (name) } " " (what) }
            }
        }
        p.note { "The same on the command line: " code { "tollgate report tax --since 7d --format html -o tax.html" } }
    };
    layout::page(&state, Place::Reports, "Reports", &body)
}

/// `/reports/{name}`.
pub(in crate::ui) async fn page(
    Extract(state): Shared,
    Path(name): Path<String>,
    asking: Asking<PaperQuery>,
) -> Response {
    answer(&state, &name, asking).await
}

/// `/experiments`: the report of that name at a place of its own.
pub(in crate::ui) async fn experiments(
    Extract(state): Shared,
    asking: Asking<PaperQuery>,
) -> Response {
    answer(&state, EXPERIMENTS, asking).await
}

/// The report that has a place of its own.
const EXPERIMENTS: &str = "experiments";

async fn answer(state: &Arc<State>, name: &str, asking: Asking<PaperQuery>) -> Response {
    let asked = query(asking).and_then(|query| Ok((query.question(state, name)?, query)));
    let (question, query) = match asked {
        Ok(asked) => asked,
        Err(fault) => return layout::fault(state, &fault),
    };
    let (origin, age) = (question.origins.name(), question.which.usual_age());
    let defined = (state.handles.settings)().experiments.clone();
    let paper = state.paper(question).await;
    let notes = if name == "trend" {
        state.read(StoreReader::notes).await.ok()
    } else {
        None
    };
    let title = paper
        .as_ref()
        .map_or("Report", |paper| paper.title.as_str());
    let body = html! {
        (form(name, &query, origin, age, &defined))
        @match &paper {
            Err(fault) => (layout::instead(fault)),
            Ok(paper) => {
                (PreEscaped(render::paper::fragment(paper)))
                (downloads::links(|format| format!("/api/reports/{name}?{}", query.text(format))))
                @if let Some(notes) = &notes { (section(notes)) }
            },
        }
    };
    layout::page(state, Place::of_report(name), title, &body)
}

/// `GET /api/reports/{name}`: in the format asked for, JSON otherwise.
pub(in crate::ui) async fn download(
    Extract(state): Shared,
    Path(name): Path<String>,
    asking: Asking<PaperQuery>,
) -> Result<Response, Fault> {
    let query = query(asking)?;
    let offered = downloads::find(query.format.as_deref())?;
    let paper = state.paper(query.question(&state, &name)?).await?;
    let text = render::paper::write(&paper, offered.format);
    Ok(offered.file(paper.name, text))
}

fn form(name: &str, query: &PaperQuery, origin: &str, age: &str, defined: &[Experiment]) -> Markup {
    let since = query.since.as_deref().unwrap_or(age);
    let offered = WINDOWS.iter().any(|(value, _)| *value == since);
    let of_lots = name == EXPERIMENTS;
    let action = if of_lots {
        "/experiments".to_owned()
    } else {
        format!("/reports/{name}")
    };
    html! {
        form.filter method="get" action=(action) {
            @if of_lots {
                label { "Experiment "
                    select name="experiment" {
                        option value="" { "all" }
                        @for one in defined {
                            option selected[query.experiment.as_deref() == Some(&*one.name)] { (one.name) }
                        }
                    }
                }
            }
            label { "Window "
                select name="since" {
                    @if !offered { option value=(since) selected { @if since == age { "all kept" } @else { (since) } } }
                    @for (value, name) in WINDOWS {
                        option value=(value) selected[value == since] { (name) }
                    }
                }
            }
            @if name != "probes" {
                label { "Traffic "
                    select name="origin" {
                        @for name in ORIGINS { option selected[name == origin] { (name) } }
                    }
                }
            }
            label { "Models " input name="models" value=[query.models.as_deref()] autocomplete="off" placeholder="all"; }
            @if !of_lots {
                label { "Providers " input name="providers" value=[query.providers.as_deref()] autocomplete="off" placeholder="all"; }
            }
            label { "Tags " input name="tags" value=[query.tags.as_deref()] autocomplete="off" placeholder="any"; }
            @if !of_lots && name != "probes" {
                label { "Runs " input name="runs" value=[query.runs.as_deref()] autocomplete="off" placeholder="any" title="Names of runs of bench, eval and probe: report runs lists them"; }
            }
            @if !of_lots {
                label { "Compare " input name="compare" value=[query.compare.as_deref()] autocomplete="off" placeholder="14d..7d" title="Two windows side by side: 14d..7d, 2026-11-01..2026-11-08, FROM/UNTIL..FROM/UNTIL"; }
            }
            @if name == "tax" {
                label { "Against " input name="reference" value=[query.reference.as_deref()] autocomplete="off" placeholder="the direct provider"; }
            }
            button { "Show" }
        }
    }
}
