//! Signs in and out, where the config sets a token for the page.

use axum::body::Bytes;
use axum::extract::{Query, State as Extract};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use maud::html;
use serde::Deserialize;

use crate::ui::api::Shared;
use crate::ui::guard;
use crate::ui::sessions::{COOKIE, LIFETIME, Verdict};
use crate::ui::state::State;

use super::layout::{self, Place};

/// What the form sends.
#[derive(Deserialize)]
struct Form {
    token: String,
}

/// `GET /login`.
pub(in crate::ui) async fn page(Extract(state): Shared) -> Response {
    shown(&state, StatusCode::OK, None)
}

/// `POST /login`.
pub(in crate::ui) async fn sign_in(Extract(state): Shared, body: Bytes) -> Response {
    let settings = (state.handles.settings)();
    let Some(wanted) = &settings.admin.token else {
        return Redirect::to("/").into_response();
    };
    let Some(form) = read(&body) else {
        return shown(
            &state,
            StatusCode::BAD_REQUEST,
            Some("The form could not be read."),
        );
    };
    let now = state.handles.clock.now();
    match state.sessions.check(form.token.trim(), wanted, now) {
        Verdict::Wrong => shown(
            &state,
            StatusCode::UNAUTHORIZED,
            Some("That is not the token of admin.token."),
        ),
        Verdict::TooMany => {
            let message = "Too many wrong tokens: try again in a minute.";
            shown(&state, StatusCode::TOO_MANY_REQUESTS, Some(message))
        }
        Verdict::Right => match state.sessions.open(now) {
            Some(value) => with_cookie(&value, LIFETIME.0 / 1_000_000_000),
            None => shown(
                &state,
                StatusCode::SERVICE_UNAVAILABLE,
                Some("No session can be opened now."),
            ),
        },
    }
}

/// `POST /logout`.
pub(in crate::ui) async fn sign_out(Extract(state): Shared, headers: HeaderMap) -> Response {
    if let Some(value) = guard::session(&headers) {
        state.sessions.close(value);
    }
    with_cookie("", 0)
}

/// A form is read as the query that it is in all but place.
fn read(body: &[u8]) -> Option<Form> {
    let text = std::str::from_utf8(body).ok()?;
    let uri: Uri = format!("/?{text}").parse().ok()?;
    Query::<Form>::try_from_uri(&uri)
        .ok()
        .map(|Query(form)| form)
}

fn with_cookie(value: &str, seconds: u64) -> Response {
    let cookie = format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict");
    let mut response = Redirect::to("/").into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn shown(state: &State, status: StatusCode, problem: Option<&str>) -> Response {
    let body = html! {
        @if let Some(problem) = problem { div.notice.bad role="alert" { p { (problem) } } }
        form.login method="post" action="/login" {
            label for="token" { "Token of " code { "admin.token" } }
            input #token name="token" type="password" required autofocus autocomplete="current-password";
            button { "Sign in" }
        }
    };
    let mut response = layout::page(state, Place::Login, "Sign in", &body);
    *response.status_mut() = status;
    response
}
