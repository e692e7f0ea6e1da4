//! Refuses requests that no honest client sends, before anything of them is believed.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};

use super::names::{INSTANCE, SEC_FETCH_SITE};
use super::reject::{METHODS, Reject};
use crate::config::settings::{ServerSettings, Settings};
use crate::edge::server::host_name;

/// Longest path and query that is taken.
const TARGET_BYTES_MAX: usize = 16 * 1024;

/// Checks framing, target, Host, Origin and method of a request: everything but its body.
pub fn check(request: &Parts, settings: &Settings, instance: &str) -> Result<(), Reject> {
    framing(request)?;
    target(request)?;
    host(request, &settings.server)?;
    origin(&request.headers, &settings.server)?;
    loop_back(&request.headers, instance)?;
    upgrade(&request.headers)?;
    method(&request.method)
}

fn bad(code: &'static str, message: impl Into<String>) -> Reject {
    Reject::new(StatusCode::BAD_REQUEST, code, message)
}

/// Transfer codings but one `chunked` are framings that somebody behind us may read otherwise.
fn framing(request: &Parts) -> Result<(), Reject> {
    let mut codings = request.headers.get_all(header::TRANSFER_ENCODING).iter();
    let (first, second) = (codings.next(), codings.next());
    let plain = match (first, second) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    if plain && !(first.is_some() && request.version == Version::HTTP_10) {
        return Ok(());
    }
    Err(Reject::new(
        StatusCode::NOT_IMPLEMENTED,
        "transfer_coding",
        "the only transfer coding taken is one `chunked`, over HTTP/1.1; send the body plain",
    ))
}

fn target(request: &Parts) -> Result<(), Reject> {
    let uri = &request.uri;
    let origin_form = request.version == Version::HTTP_2 || uri.authority().is_none();
    if !origin_form || !uri.path().starts_with('/') {
        return Err(bad(
            "request_target",
            "the request target must be a path (`/v1/…`); tollgate is no forward proxy: set the \
             client's base URL to it, not its HTTP proxy",
        ));
    }
    if uri
        .path_and_query()
        .is_some_and(|target| target.as_str().len() > TARGET_BYTES_MAX)
    {
        return Err(Reject::new(
            StatusCode::URI_TOO_LONG,
            "request_target",
            format!("the path and query are longer than {TARGET_BYTES_MAX} bytes"),
        ));
    }
    // Most paths have none of these, and are not looked at any closer.
    let is_odd = uri.path().contains(['.', '%', '\\']);
    if is_odd && (has_dot_segment(uri.path()) || has_forbidden_byte(uri.path())) {
        return Err(bad(
            "request_target",
            "the path has a `.` or `..` segment, a backslash, or an encoded NUL or line end; send \
             it in its plain form",
        ));
    }
    Ok(())
}

fn has_dot_segment(path: &str) -> bool {
    // Some servers decode before they look for segments.
    let plain = path
        .to_ascii_lowercase()
        .replace("%2e", ".")
        .replace("%2f", "/");
    // A parameter (`..;x`) hides a dot segment from some servers.
    plain
        .split('/')
        .any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

fn has_forbidden_byte(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    path.contains('\\')
        || ["%5c", "%00", "%0a", "%0d"]
            .iter()
            .any(|coded| lower.contains(coded))
}

/// The name asked for must be ours: else a web page whose name was pointed at this machine could
/// use it (DNS rebinding).
fn host(request: &Parts, server: &ServerSettings) -> Result<(), Reject> {
    let mut hosts = request.headers.get_all(header::HOST).iter();
    let named = match (hosts.next(), hosts.next(), request.uri.authority()) {
        (Some(host), None, None) => host.to_str().ok().map(str::to_owned),
        (None, None, Some(authority)) => Some(authority.as_str().to_owned()),
        (Some(host), None, Some(authority)) if host.as_bytes() == authority.as_str().as_bytes() => {
            Some(authority.as_str().to_owned())
        }
        _ => None,
    };
    let Some(named) = named else {
        return Err(bad("host", "the request must have exactly one Host header"));
    };
    let Some(name) = host_name(&named) else {
        return Err(bad(
            "host",
            "the Host header is not a host name with an optional port",
        ));
    };
    if is_our_name(&name, server) {
        return Ok(());
    }
    Err(Reject::new(
        StatusCode::MISDIRECTED_REQUEST,
        "host_not_allowed",
        format!(
            "this tollgate does not answer to the host name `{name}`; add it to `server.hosts` in \
             the config if it should"
        ),
    ))
}

fn is_our_name(name: &str, server: &ServerSettings) -> bool {
    let listen = server.listen.ip();
    matches!(name, "localhost" | "127.0.0.1" | "::1")
        || server.hosts.contains(name)
        || (!listen.is_unspecified() && name.parse::<IpAddr>() == Ok(listen))
}

/// What a browser says of the page that calls.
fn origin(headers: &HeaderMap, server: &ServerSettings) -> Result<(), Reject> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let allowed = match (origins.next(), origins.next()) {
        (None, _) => None,
        (Some(origin), None) => Some(is_allowed_origin(origin, server)),
        _ => Some(false),
    };
    let refused = || {
        Err(Reject::new(
            StatusCode::FORBIDDEN,
            "origin_not_allowed",
            "this request comes from a web page or desktop app whose origin is not allowed; add \
             the origin to `server.origins` in the config if it should be",
        ))
    };
    match allowed {
        Some(false) => return refused(),
        Some(true) => return Ok(()),
        None => {}
    }
    let is_foreign = |site: &HeaderValue| !matches!(site.as_bytes(), b"same-origin" | b"none");
    if headers.get_all(&SEC_FETCH_SITE).iter().any(is_foreign) {
        return refused();
    }
    Ok(())
}

/// Whether the config lets pages of `origin` call.
#[must_use]
pub fn is_allowed_origin(origin: &HeaderValue, server: &ServerSettings) -> bool {
    origin
        .to_str()
        .is_ok_and(|origin| server.origins.contains(&origin.to_ascii_lowercase()))
}

/// Our own mark on a request means that it has come round in a circle.
fn loop_back(headers: &HeaderMap, instance: &str) -> Result<(), Reject> {
    // Somebody on the way may have joined several marks into one list.
    let ours = |value: &HeaderValue| {
        let mut marks = value.as_bytes().split(|byte| *byte == b',');
        marks.any(|mark| mark.trim_ascii() == instance.as_bytes())
    };
    if !headers.get_all(&INSTANCE).iter().any(ours) {
        return Ok(());
    }
    Err(Reject::new(
        StatusCode::LOOP_DETECTED,
        "loop_detected",
        "this request has already passed through this tollgate: a provider's base_url leads back \
         here; point it at the provider itself",
    ))
}

fn upgrade(headers: &HeaderMap) -> Result<(), Reject> {
    let wants = |value: &HeaderValue| {
        value
            .to_str()
            .is_ok_and(|text| text.to_ascii_lowercase().contains("websocket"))
    };
    if !headers.get_all(header::UPGRADE).iter().any(wants) {
        return Ok(());
    }
    Err(Reject::new(
        StatusCode::UPGRADE_REQUIRED,
        "websocket_unsupported",
        "websockets are not supported yet; use the HTTP endpoints (streaming works over them)",
    ))
}

fn method(method: &Method) -> Result<(), Reject> {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    if known.contains(method) {
        return Ok(());
    }
    Err(Reject::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("the method is none of {METHODS}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_segments_are_found_however_they_are_written() {
        for path in [
            "/v1/../x",
            "/v1/%2e%2E/x",
            "/.",
            "/v1/..;a/x",
            "/v1/.%2e",
            "/v1/..%2Fx",
        ] {
            assert!(has_dot_segment(path), "{path}");
        }
        for path in [
            "/v1/chat/completions",
            "/v1/files/a..b",
            "/v1/...",
            "/v1/.well-known/x",
        ] {
            assert!(!has_dot_segment(path), "{path}");
        }
    }
}
