//! Writes notes down and takes them away, from the page and for who works beside this program.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State as Extract};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Asking, Shared, query};
use super::fault::Fault;
use super::handles::NoteEdit;
use super::state::State;
use super::writer::by_writer;
use crate::analysis::render::units::{minute, plain};
use crate::analysis::tables::window;
use crate::edge::store::StoreReader;
use crate::record::Note;

/// A note as it is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sent {
    text: String,
    /// An age or a date; now otherwise.
    at: Option<String>,
    route: Option<String>,
}

impl Sent {
    fn note(&self, state: &State) -> Result<Note, Fault> {
        let now = state.handles.clock.wall();
        let at = self
            .at
            .as_deref()
            .map(str::trim)
            .filter(|at| !at.is_empty());
        let at = at.map_or(Ok(now), |at| window::date(at, now));
        at.and_then(|at| Note::new(at, self.route.as_deref(), &self.text))
            .map_err(|message| Fault::bad("note", message))
    }
}

/// `GET /api/notes`.
pub(super) async fn list(Extract(state): Shared) -> Result<Json<Value>, Fault> {
    let notes = state.read(StoreReader::notes).await?;
    let notes: Vec<Value> = notes.iter().map(json).collect();
    Ok(Json(
        json!({ "schema": "tollgate.notes/1", "notes": notes }),
    ))
}

/// A note as JSON.
pub(super) fn json(note: &Note) -> Value {
    json!({
        "id": note.id,
        "at": note.at.rfc3339(),
        "route": note.route.as_deref(),
        "text": note.text,
    })
}

/// `POST /api/notes`.
pub(super) async fn add(
    Extract(state): Shared,
    sent: Result<Json<Sent>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Fault> {
    let Json(sent) = sent.map_err(|error| Fault::bad("note", error.body_text()))?;
    let mut note = sent.note(&state)?;
    note.id = edit(&state, NoteEdit::Add(note.clone()))
        .await?
        .unwrap_or(0);
    Ok((StatusCode::CREATED, Json(json(&note))))
}

/// Which note.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    id: String,
}

/// `DELETE /api/notes?id=`.
pub(super) async fn remove(
    Extract(state): Shared,
    asking: Asking<Which>,
) -> Result<StatusCode, Fault> {
    take_away(&state, &query(asking)?.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /notes`: the form of the page.
pub(super) async fn add_by_form(Extract(state): Shared, body: Bytes) -> Result<Response, Fault> {
    let mut sent = Sent::default();
    for (name, value) in form_urlencoded::parse(&body) {
        match &*name {
            "text" => sent.text = value.into_owned(),
            "at" => sent.at = Some(value.into_owned()),
            "route" => sent.route = Some(value.into_owned()),
            _ => {}
        }
    }
    let note = sent.note(&state)?;
    edit(&state, NoteEdit::Add(note)).await?;
    Ok(Redirect::to("/reports/trend#notes").into_response())
}

/// `POST /notes/{id}/remove`: the button beside a note.
pub(super) async fn remove_by_form(
    Extract(state): Shared,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    take_away(&state, &id).await?;
    Ok(Redirect::to("/reports/trend#notes").into_response())
}

/// The notes with a button to remove each, and a form to write one.
pub(super) fn section(notes: &[Note]) -> Markup {
    html! {
        section #notes {
            h2 { "Write a note" }
            p.note { "Why did it change? Notes stand on these charts and beside the changes found. "
                "On the command line: " code { "tollgate note add \"moved to eu-west\" --at 3h" } }
            form.filter method="post" action="/notes" {
                label { "Note " input name="text" required maxlength="500" autocomplete="off" size="40"; }
                label { "When " input name="at" autocomplete="off" placeholder="now, 3h, 2026-11-01T12:30" ; }
                label { "About " input name="route" autocomplete="off" placeholder="all, or provider/model"; }
                button { "Write down" }
            }
            @if !notes.is_empty() {
                ul.written {
                    @for note in notes {
                        li {
                            form method="post" action=(format!("/notes/{}/remove", note.id)) {
                                button.small title="Remove this note" aria-label=(format!("Remove note {}", note.id)) { "×" }
                            }
                            time datetime=(note.at.rfc3339()) { (minute(note.at)) } " "
                            @if let Some(route) = &note.route { span.badge { (plain(route)) } " " }
                            (plain(&note.text))
                        }
                    }
                }
            }
        }
    }
}

async fn take_away(state: &Arc<State>, id: &str) -> Result<(), Fault> {
    let none = || Fault::not_found(format!("there is no note {id}: /api/notes lists them"));
    let number = id.parse().map_err(|_| none())?;
    edit(state, NoteEdit::Remove(number))
        .await?
        .ok_or_else(none)?;
    Ok(())
}

async fn edit(state: &Arc<State>, edit: NoteEdit) -> Result<Option<u32>, Fault> {
    let notes = Arc::clone(&state.handles.notes);
    by_writer(move || notes(edit)).await
}
