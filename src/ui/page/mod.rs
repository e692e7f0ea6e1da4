//! Writes the page for people.

pub(super) mod exchange;

pub(super) mod exchanges;

pub(super) mod health;

pub(super) mod login;

pub(super) mod overview;

pub(super) mod report;

pub(super) mod routes;

pub(super) mod runs;

pub(super) mod settings;

mod standing;

mod weighed;

mod layout;

mod table;

use axum::extract::State as Extract;
use axum::response::Response;
use http::Uri;

use super::api::Shared;
use super::fault::Fault;

/// Any path that there is not.
pub(super) async fn nowhere(Extract(state): Shared, uri: Uri) -> Response {
    let message = format!("there is no page {}", uri.path());
    layout::fault(&state, &Fault::not_found(message))
}
