//! Lets in who may come in, and puts the security headers on every answer.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State as Extract};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::config::settings::AdminSettings;
use crate::edge::server::host_name;

use super::fault::Fault;
use super::sessions::{COOKIE, Verdict};
use super::state::State;

/// What browsers may do with what they get: nothing that does not come from here.
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Checks where a request comes from and who sends it; answers are marked, also refusals.
pub(super) async fn guard(
    Extract(state): Extract<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let settings = (state.handles.settings)();
    let checked = host(&parts, &settings.admin)
        .and_then(|()| origin(&parts))
        .map_err(Refusal::Fault)
        .and_then(|()| authorise(&parts, &settings.admin, &state));
    let mut response = match checked {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The name asked for must be ours: else a web page whose name was pointed at this machine could
/// read along (DNS rebinding).
fn host(parts: &Parts, admin: &AdminSettings) -> Result<(), Fault> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(Fault::bad(
            "host",
            "the request must have exactly one Host header",
        ));
    };
    let name = host.to_str().ok().and_then(host_name);
    let Some(name) = name else {
        let message = "the Host header is not a host name with an optional port";
        return Err(Fault::bad("host", message));
    };
    if is_our_name(&name, admin) {
        return Ok(());
    }
    Err(Fault::new(
        StatusCode::MISDIRECTED_REQUEST,
        "host_not_allowed",
        format!(
            "this page does not answer to the host name `{name}`; add it to `admin.hosts` in the \
             config if it should"
        ),
    ))
}

fn is_our_name(name: &str, admin: &AdminSettings) -> bool {
    let listen = admin.listen.ip();
    matches!(name, "localhost" | "127.0.0.1" | "::1")
        || admin.hosts.contains(name)
        || (!listen.is_unspecified() && name.parse::<IpAddr>() == Ok(listen))
}

/// Other sites may link here, and nothing more.
fn origin(parts: &Parts) -> Result<(), Fault> {
    let headers = &parts.headers;
    let own_origin = || {
        let host = headers.get(header::HOST)?.to_str().ok()?;
        let origin = headers.get(header::ORIGIN)?.to_str().ok()?;
        let name = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))?;
        Some(name.eq_ignore_ascii_case(host))
    };
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let same_site = matches!(site, None | Some(b"same-origin" | b"none"));
    let from_elsewhere = match headers.get(header::ORIGIN).map(HeaderValue::as_bytes) {
        None => false,
        // What browsers say of our own forms, since no referrer is to be sent.
        Some(b"null") => site != Some(b"same-origin"),
        Some(_) => own_origin() != Some(true),
    };
    if from_elsewhere || !(same_site || is_link(parts)) {
        return Err(Fault::new(
            StatusCode::FORBIDDEN,
            "origin_not_allowed",
            "this request comes from another web page; open tollgate's own page instead",
        ));
    }
    Ok(())
}

/// Whether a browser follows a link to a page: what it finds, only its user sees.
fn is_link(parts: &Parts) -> bool {
    let says = |name: &str, value: &[u8]| {
        parts
            .headers
            .get(name)
            .is_some_and(|found| found.as_bytes() == value)
    };
    parts.method == Method::GET
        && !parts.uri.path().starts_with("/api/")
        && says("sec-fetch-mode", b"navigate")
        && says("sec-fetch-dest", b"document")
}

/// Why a request is not let in.
enum Refusal {
    /// It is told so.
    Fault(Fault),
    /// A person is asked for the token.
    SignIn,
}

impl Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Fault(fault) => fault.into_response(),
            Self::SignIn => Redirect::to("/login").into_response(),
        }
    }
}

/// Where the config sets a token, it comes as a bearer token, or opened a session.
fn authorise(parts: &Parts, admin: &AdminSettings, state: &State) -> Result<(), Refusal> {
    let path = parts.uri.path();
    let open = matches!(
        path,
        "/healthz"
            | "/readyz"
            | "/login"
            | "/favicon.svg"
            | "/llms.txt"
            | "/.well-known/ai-plugin.json"
    ) || path.starts_with("/assets/");
    let Some(token) = admin.token.as_ref().filter(|_| !open) else {
        return Ok(());
    };
    let now = state.handles.clock.now();
    let refused = |status, code, message: &str| Refusal::Fault(Fault::new(status, code, message));
    match bearer(&parts.headers).map(|sent| state.sessions.check(sent, token, now)) {
        Some(Verdict::Right) => return Ok(()),
        Some(Verdict::Wrong) => {
            let message = "the token is not the one of `admin.token`";
            return Err(refused(StatusCode::UNAUTHORIZED, "wrong_token", message));
        }
        Some(Verdict::TooMany) => {
            let message = "too many wrong tokens: try again in a minute";
            return Err(refused(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_wrong_tokens",
                message,
            ));
        }
        None => {}
    }
    if session(&parts.headers).is_some_and(|value| state.sessions.knows(value, now)) {
        return Ok(());
    }
    let for_people =
        parts.method == Method::GET && !path.starts_with("/api/") && path != "/metrics";
    if for_people {
        return Err(Refusal::SignIn);
    }
    let message =
        "send the token of `admin.token` as `Authorization: Bearer …`, or sign in at /login";
    Err(refused(StatusCode::UNAUTHORIZED, "token_required", message))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The value of our cookie.
pub(super) fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}
