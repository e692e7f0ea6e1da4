//! Saves baselines, lists and removes them, for who works beside this program.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Extract;
use axum::extract::rejection::JsonRejection;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Asking, Shared, query};
use super::fault::Fault;
use super::handles::BaselineEdit;
use super::state::State;
use super::writer::by_writer;
use crate::analysis::reports::baseline::{Baseline, check_name};
use crate::edge::store::StoreReader;

/// Bytes of a baseline at most.
pub(super) const BYTES_MAX: usize = 4 << 20;

/// `GET /api/baselines`.
pub(super) async fn list(Extract(state): Shared) -> Result<Json<Value>, Fault> {
    let texts = state.read(StoreReader::baselines).await?;
    let read = texts
        .iter()
        .filter_map(|(_, text)| Baseline::read(text).ok());
    let list: Vec<Value> = read.map(|baseline| baseline.json()).collect();
    Ok(Json(
        json!({ "schema": "tollgate.baselines/1", "baselines": list }),
    ))
}

/// `POST /api/baselines`: one as `tollgate baseline` makes it.
pub(super) async fn add(
    Extract(state): Shared,
    sent: Result<Json<Value>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Fault> {
    let Json(sent) = sent.map_err(|error| Fault::bad("baseline", error.body_text()))?;
    let baseline =
        Baseline::read(&sent.to_string()).map_err(|what| Fault::bad("baseline", what))?;
    check_name(&baseline.name).map_err(|what| Fault::bad("baseline", what))?;
    let name = baseline.name.clone();
    let edit_of = BaselineEdit::Save(name.clone(), baseline.json().to_string());
    if !edit(&state, edit_of).await? {
        return Err(Fault::new(
            StatusCode::CONFLICT,
            "baseline_exists",
            format!("there is a baseline {name} already"),
        ));
    }
    Ok((StatusCode::CREATED, Json(json!({ "name": name }))))
}

/// Which baseline.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    name: String,
}

/// `DELETE /api/baselines?name=`.
pub(super) async fn remove(
    Extract(state): Shared,
    asking: Asking<Which>,
) -> Result<StatusCode, Fault> {
    let name = query(asking)?.name;
    if edit(&state, BaselineEdit::Remove(name.clone())).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let message = format!("there is no baseline {name}: /api/baselines lists them");
    Err(Fault::not_found(message))
}

async fn edit(state: &Arc<State>, edit: BaselineEdit) -> Result<bool, Fault> {
    let baselines = Arc::clone(&state.handles.baselines);
    by_writer(move || baselines(edit)).await
}
