//! Serves what the page is dressed in: files that are part of the program.

use std::fmt::Write as _;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ring::digest::{SHA256, digest};

/// A file of the program.
struct Asset {
    kind: &'static str,
    text: &'static str,
}

const STYLE: Asset = Asset {
    kind: "text/css; charset=utf-8",
    text: include_str!("../../ui/style.css"),
};
const SCRIPT: Asset = Asset {
    kind: "text/javascript; charset=utf-8",
    text: include_str!("../../ui/app.js"),
};
const ICON: Asset = Asset {
    kind: "image/svg+xml",
    text: include_str!("../../ui/favicon.svg"),
};

pub(super) async fn style(headers: HeaderMap) -> Response {
    serve(&STYLE, &headers)
}

pub(super) async fn script(headers: HeaderMap) -> Response {
    serve(&SCRIPT, &headers)
}

pub(super) async fn icon(headers: HeaderMap) -> Response {
    serve(&ICON, &headers)
}

/// The file, or word that the browser has it already. Always asked for: another version of the
/// program may have other files.
fn serve(asset: &Asset, headers: &HeaderMap) -> Response {
    let hash = digest(&SHA256, asset.text.as_bytes());
    let hex = hash.as_ref()[..8]
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
    let tag = format!("\"{hex}\"");
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|list| {
            list.split(',')
                .any(|one| one.trim().trim_start_matches("W/") == tag)
        });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (
            [(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind))],
            asset.text,
        )
            .into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}
