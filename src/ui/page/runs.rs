//! The runs: what goes on, what there was, and the forms that begin one once its cost was seen.

use axum::body::Bytes;
use axum::extract::{Path, State as Extract};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, PreEscaped, html};

use crate::active::asked::AskedRun;
use crate::analysis::render;
use crate::analysis::render::units::{dollars, minute, plain};
use crate::ui::api::{Asking, Shared, query};
use crate::ui::desk::{Announced, RunShown};
use crate::ui::fault::Fault;
use crate::ui::runs::{With, desk, of_form};

use super::layout::{self, Place};

/// `/runs`.
pub(in crate::ui) async fn index(Extract(state): Shared) -> Response {
    let off = state.handles.runs.refusal();
    let found = desk(&state, |runs| Ok((runs.list()?, runs.sets()))).await;
    let (all, sets) = match found {
        Ok(found) => found,
        Err(fault) => return layout::fault(&state, &fault),
    };
    let going = all.iter().find(|run| run.is_going());
    let body = html! {
        p.lead { "Benchmarks, loads, probes and evaluations, one at a time, by the commands' own code." }
        @if let Some(why) = off { div.notice { p { (why) } } }
        @if let Some(run) = going { (progress(run)) }
        @else if off.is_none() {
            h2 { "Begin" }
            p.note { "What it asks and may cost is shown before anything is sent." }
            div.begin {
                (bench_form()) (load_form()) (probe_form()) (eval_form(&sets))
            }
        }
        h2 { "Runs" }
        @if all.is_empty() {
            p.note { "None yet. " code { "tollgate bench --out" } " into the same folder shows here too." }
        } @else { (table(&all)) }
        p.note { "What runs asked, out of the store: " a href="/reports/runs?origin=all" { "report runs" } "." }
    };
    layout::page(&state, Place::Runs, "Runs", &body)
}

/// `POST /runs`: shows what would be asked, and where that was seen begins it.
pub(in crate::ui) async fn begin(Extract(state): Shared, body: Bytes) -> Response {
    let confirmed = form_urlencoded::parse(&body).any(|(name, _)| name == "confirmed");
    let asked = AskedRun::read(of_form(&body)).map_err(|why| Fault::bad("run", why));
    let asked = match asked {
        Ok(asked) => asked,
        Err(fault) => return layout::fault(&state, &fault),
    };
    if confirmed {
        return match desk(&state, move |runs| runs.start(&asked)).await {
            Ok(begun) => Redirect::to(&format!("/runs/{}", begun.run)).into_response(),
            Err(fault) => layout::fault(&state, &fault),
        };
    }
    match desk(&state, move |runs| runs.announce(&asked)).await {
        Ok(announced) => layout::page(
            &state,
            Place::Runs,
            "Begin this run?",
            &question(&announced, &body, None),
        ),
        Err(fault) => layout::fault(&state, &fault),
    }
}

/// `POST /runs/{run}/go-on`: shows what all of it asks, and where that was seen has it go on.
pub(in crate::ui) async fn go_on(
    Extract(state): Shared,
    Path(run): Path<String>,
    body: Bytes,
) -> Response {
    let said = of_form(&body);
    let confirmed = form_urlencoded::parse(&body).any(|(name, _)| name == "confirmed");
    let cost = said.get("max_cost");
    let max_cost = cost.and_then(serde_json::Value::as_f64);
    if cost.is_some() && max_cost.is_none() {
        let fault = Fault::bad("run", "`max_cost` is a number of US dollars");
        return layout::fault(&state, &fault);
    }
    let place = format!("/runs/{run}");
    let found = desk(&state, move |runs| {
        let asked = runs.again(&run, max_cost)?;
        if confirmed {
            runs.start(&asked)
        } else {
            runs.announce(&asked)
        }
    });
    match found.await {
        Ok(_) if confirmed => Redirect::to(&place).into_response(),
        Ok(announced) => layout::page(
            &state,
            Place::Runs,
            "Go on with this run?",
            &question(&announced, &body, Some(&place)),
        ),
        Err(fault) => layout::fault(&state, &fault),
    }
}

/// `POST /runs/{run}/stop`.
pub(in crate::ui) async fn stop(Extract(state): Shared, Path(run): Path<String>) -> Response {
    let place = format!("/runs/{run}");
    match desk(&state, move |runs| runs.stop(&run)).await {
        Ok(()) => Redirect::to(&place).into_response(),
        Err(fault) => layout::fault(&state, &fault),
    }
}

/// `/runs/{run}`.
pub(in crate::ui) async fn one(Extract(state): Shared, Path(run): Path<String>) -> Response {
    let found = desk(&state, move |runs| {
        let shown = runs.shown(&run)?;
        let papers = if shown.is_going() {
            Vec::new()
        } else {
            runs.papers(&run)?
        };
        Ok((shown, papers, runs.list()?))
    });
    let (shown, papers, all) = match found.await {
        Ok(found) => found,
        Err(fault) => return layout::fault(&state, &fault),
    };
    let body = html! {
        @if shown.is_going() { (progress(&shown)) } @else { (ended(&shown)) }
        @for note in &shown.notes { div.notice { p { (plain(note)) } } }
        @if shown.can_go_on() { (go_on_form(&shown)) }
        @if !shown.is_going() { (compare_form(&shown, &all)) }
        @for paper in &papers { (PreEscaped(render::paper::fragment(paper))) }
        @if papers.is_empty() && shown.files.iter().any(|(name, _)| name == "report.html") {
            p.note { "Its report is among the files." }
        }
        @if !shown.files.is_empty() { (files(&shown)) }
        p { a href="/runs" { "All runs" } " · "
            a href=(format!("/reports/runs?origin=all&runs={}", shown.run)) { "out of the store" } }
    };
    layout::page(&state, Place::Runs, &format!("Run {}", shown.run), &body)
}

/// `/runs/{run}/compared?with=`.
pub(in crate::ui) async fn compared(
    Extract(state): Shared,
    Path(run): Path<String>,
    asking: Asking<With>,
) -> Response {
    let with = match query(asking) {
        Ok(asked) => asked.with,
        Err(fault) => return layout::fault(&state, &fault),
    };
    let place = format!("/api/runs/{run}/compared?with={with}&format=");
    let found = desk(&state, move |runs| runs.compare([&with, &run])).await;
    match found {
        Err(fault) => layout::fault(&state, &fault),
        Ok(paper) => {
            let body = html! {
                (PreEscaped(render::paper::fragment(&paper)))
                (crate::ui::downloads::links(|format| format!("{place}{format}")))
                p { a href="/runs" { "All runs" } }
            };
            layout::page(&state, Place::Runs, &paper.title, &body)
        }
    }
}

fn state_of(run: &RunShown) -> Markup {
    let look = match run.state.as_str() {
        "complete" => "outcome good",
        "going" | "stopping" | "unknown" => "outcome",
        "interrupted" | "cost_cap" => "outcome fair",
        _ => "outcome bad",
    };
    html! { span class=(look) { (run.state) } }
}

/// A run that goes on. The script keeps it up to date.
fn progress(run: &RunShown) -> Markup {
    html! {
        section.run data-run=(run.run) {
            h2 { a href=(format!("/runs/{}", run.run)) { (run.run) } " " (state_of(run)) }
            p { (run.kind) @if let Some(began) = run.began { ", since " (minute(began)) } }
            progress aria-label="How much of it is done" max=(run.of.max(1)) value=(run.done) {}
            p.note role="status" data-run-says { (plain(&run.says)) }
            form method="post" action=(format!("/runs/{}/stop", run.run)) {
                button { "Stop it" } " " span.note { "What was measured is kept." }
            }
        }
    }
}

fn ended(run: &RunShown) -> Markup {
    html! {
        p { (run.kind) " " (state_of(run))
            @if let Some(began) = run.began { " · " (minute(began)) }
            @if let Some(ended) = run.ended { " – " (minute(ended)) }
            @if let Some(seed) = run.seed { " · seed " (seed) }
        }
    }
}

/// A run that was stopped, and how it goes on.
fn go_on_form(run: &RunShown) -> Markup {
    html! {
        form.filter method="post" action=(format!("/runs/{}/go-on", run.run)) {
            (number("Up to $", "max_cost", "as before"))
            button { "Go on" } " " span.note { "What is measured already is not asked again." }
        }
    }
}

fn table(all: &[RunShown]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Runs" {
            table {
                thead { tr { th { "Run" } th { "What" } th { "State" } th { "Began" } th { "Ended" } } }
                tbody {
                    @for run in all {
                        tr {
                            td.name { a href=(format!("/runs/{}", run.run)) { (run.run) } }
                            td { (run.kind) }
                            td { (state_of(run)) }
                            td { @if let Some(at) = run.began { (minute(at)) } @else { "—" } }
                            td { @if let Some(at) = run.ended { (minute(at)) } @else { "—" } }
                        }
                    }
                }
            }
        }
    }
}

fn files(run: &RunShown) -> Markup {
    html! {
        h2 { "Files" }
        ul.reports {
            @for (name, bytes) in &run.files {
                li { a href=(format!("/api/runs/{}/files/{name}", run.run)) download { (name) }
                    " " span.detail { (bytes) " bytes" } }
            }
        }
    }
}

fn compare_form(run: &RunShown, all: &[RunShown]) -> Markup {
    let others = || {
        all.iter()
            .filter(|other| other.kind == run.kind && other.run != run.run && !other.is_going())
    };
    // Of evaluations the store has what each item was worth; what two others say is in their files.
    let by_store = run.kind == "eval";
    let place = match run.kind.as_str() {
        "bench" | "load" => format!("/runs/{}/compared", run.run),
        "eval" => "/reports/scores".to_owned(),
        _ => return html! {},
    };
    html! {
        @if others().next().is_some() {
            form.filter method="get" action=(place) {
                label { "Compare with " select name=(if by_store { "runs" } else { "with" }) {
                    @for other in others() {
                        @if by_store {
                            option value=(format!("{},{}", other.run, run.run)) { (other.run) }
                        } @else { option { (other.run) } }
                    }
                } }
                button { "Compare" }
            }
        }
    }
}

/// What would be asked, with a button that begins it, or has the run at that place go on.
fn question(of: &Announced, form: &[u8], again: Option<&str>) -> Markup {
    let action = again.map_or_else(|| "/runs".to_owned(), |place| format!("{place}/go-on"));
    let kept = || {
        let fields = form_urlencoded::parse(form);
        fields.filter(|(name, _)| name != "run" && name != "seed")
    };
    let about = if of.open { "about " } else { "at most " };
    let requests = if of.open {
        format!(
            "about {}; further ones may follow, to {}",
            of.requests, of.requests_max
        )
    } else {
        of.requests.to_string()
    };
    html! {
        dl.facts {
            (fact("Run", &format!("{}, seed {}", of.run, of.seed)))
            (fact("What", &format!("{}: {}", of.kind, of.says)))
            (fact("Routes", &named(&of.routes)))
            (fact("Requests", &requests))
            (fact("Cost", &format!("{about}{} by today's prices; cap {}", dollars(of.cost), dollars(of.cost_max))))
        }
        @if !of.unpriced.is_empty() {
            div.notice.bad { p { "No price is known for "
                (named(&of.unpriced))
                ": what they cost is neither in this nor under the cap." } }
        }
        @if again.is_some() {
            p.note { "This is all of it. What is measured already is not asked again, and its cost counts." }
        }
        form method="post" action=(action) {
            @for (name, value) in kept() { input type="hidden" name=(name) value=(value); }
            input type="hidden" name="run" value=(of.run);
            input type="hidden" name="seed" value=(of.seed);
            input type="hidden" name="confirmed" value="yes";
            button { @if again.is_some() { "Go on" } @else { "Begin" } } " "
            a href=(again.unwrap_or("/runs")) { "Not now" }
        }
    }
}

fn fact(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn named(routes: &[String]) -> String {
    let names: Vec<String> = routes.iter().map(|route| plain(route)).collect();
    names.join(", ")
}

fn text(label: &str, name: &str, hint: &str, required: bool) -> Markup {
    html! {
        label { (label) " " input name=(name) placeholder=(hint) autocomplete="off" required[required]; }
    }
}

fn number(label: &str, name: &str, hint: &str) -> Markup {
    html! {
        label { (label) " " input name=(name) placeholder=(hint) inputmode="decimal" autocomplete="off"; }
    }
}

fn tick(label: &str, name: &str) -> Markup {
    html! { label.tick { input type="checkbox" name=(name); " " (label) } }
}

/// A form of one kind: routes, what is its own, and what all have.
fn form(kind: &str, title: &str, says: &str, must: bool, own: &Markup) -> Markup {
    html! {
        details name="begin" {
            summary { (title) " " span.detail { (says) } }
            form.filter method="post" action="/runs" {
                input type="hidden" name="kind" value=(kind);
                (text("Models", "models", if must { "gpt-4.1-mini, …" } else { "all with routes" }, must))
                (text("Providers", "providers", "all", false))
                (own)
                (number("Up to $", "max_cost", "the config's"))
                (text("Name", "run", "date and seed", false))
                button { "What would it cost?" }
            }
        }
    }
}

fn bench_form() -> Markup {
    let own = html! {
        (number("Rounds", "iterations", "30"))
        (number("or pairs", "pairs", "none"))
        (text("against", "reference", "the direct provider", false))
        (number("Answer tokens", "max_tokens", "256"))
        (text("or steps", "sweep_tokens", "256, 512", false))
        (number("Turns", "cache_turns", "1"))
        (tick("with and without JSON", "json_mode"))
        label { "Connections " select name="cold_calls" {
            option value="" { "kept" } option value="all" { "fresh" } option value="both" { "both" }
        } }
    };
    form(
        "bench",
        "Benchmark",
        "routes are asked the same, in drawn order",
        true,
        &own,
    )
}

fn load_form() -> Markup {
    let own = html! {
        (number("Requests/s", "rate", "—"))
        (number("or users", "users", "10"))
        (text("Duration", "duration", "5m", false))
        (text("Ramp", "ramp", "30s", false))
        (text("Served within", "sla", "2s", false))
        (number("share", "within", "0.95"))
        (number("Prompt tokens", "prompt_tokens", "as in chats"))
        (number("Answer tokens", "max_tokens", "as in chats"))
        (tick("search the highest load", "sweep"))
        (number("to", "max", "64 × the first"))
    };
    form(
        "load",
        "Load",
        "what does a route bear at a level of service?",
        true,
        &own,
    )
}

fn probe_form() -> Markup {
    let own = html! {
        (number("Answer tokens", "max_tokens", "16"))
        (tick("on a fresh connection too", "cold"))
    };
    form(
        "probe",
        "Probe",
        "one cheap request a route: does it answer, how soon?",
        false,
        &own,
    )
}

fn eval_form(sets: &[String]) -> Markup {
    let choice = |label: &str, name: &str, required: bool| {
        html! {
            label { (label) " " select name=(name) required[required] {
                option value="" { "none" }
                @for set in sets { option { (plain(set)) } }
            } }
        }
    };
    if sets.is_empty() {
        return html! {
            details name="begin" {
                summary { "Evaluation " span.detail { "what are the answers worth?" } }
                p.note { "Data sets come from a folder that the config names: " code { "runs.sets" } "." }
            }
        };
    }
    let own = html! {
        (choice("Data set", "set", true))
        (text("Scorer", "scorer", "normalised", false))
        (choice("or scorers of", "scorers", false))
        (choice("Prompt", "prompt", false))
        (choice("System prompt", "system", false))
        (number("Trials", "trials", "1"))
        (number("Answer tokens", "max_tokens", "2048"))
        (text("Grouped by", "group_by", "—", false))
    };
    form(
        "eval",
        "Evaluation",
        "what are the answers worth?",
        true,
        &own,
    )
}
