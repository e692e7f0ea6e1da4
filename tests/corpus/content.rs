//! Content types and codings: browsers send some of them without asking first.

use super::case::{Case, PASS, Want, case};
use super::judge::family;
use super::world::Setup;

const TYPE: Want = Want::Own(415, "content_type");
const CODED: Want = Want::Own(415, "content_encoding");

/// A chat request without a content type.
macro_rules! chat {
    ($headers:literal) => {
        concat!(
            "POST /raw/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n",
            $headers,
            "Content-Length: {LEN}\r\n\r\n{CHAT}"
        )
    };
}

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("type-missing", chat!(""), TYPE, "CSRF").says("content-type: application/json"),
        case("type-empty", chat!("Content-Type: \r\n"), TYPE, "CSRF"),
        case("type-form", chat!("Content-Type: application/x-www-form-urlencoded\r\n"), TYPE, "what curl -d sends, and a form").says("content-type: application/json"),
        case("type-text", chat!("Content-Type: text/plain\r\n"), TYPE, "a form may send it"),
        case("type-text-with-json-inside", chat!("Content-Type: text/plain; a=application/json\r\n"), TYPE, "only the first word counts"),
        case("type-multipart", chat!("Content-Type: multipart/form-data; boundary=x\r\n"), TYPE, "a form may send it"),
        case("type-list", chat!("Content-Type: application/json, text/plain\r\n"), TYPE, "RFC 9110 8.3: one"),
        case("type-two-headers", chat!("Content-Type: application/json\r\nContent-Type: text/plain\r\n"), TYPE, "RFC 9110 8.3: one"),
        case("type-jsonp", chat!("Content-Type: application/jsonp\r\n"), TYPE, "not JSON"),
        case("type-plain-word", chat!("Content-Type: json\r\n"), TYPE, "not a type"),
        case("type-suffix-only", chat!("Content-Type: +json\r\n"), TYPE, "not a type"),
        case("type-json-upper-case", chat!("Content-Type: APPLICATION/JSON\r\n"), PASS, "RFC 9110 8.3.1"),
        case("type-charset", chat!("Content-Type: application/json; charset=utf-8\r\n"), PASS, "RFC 9110 8.3.2").sees("content-type", "application/json; charset=utf-8"),
        case("type-spaced", chat!("Content-Type: application/json ;charset=\"UTF-8\"\r\n"), PASS, "RFC 9110 8.3"),
        case("type-suffix", chat!("Content-Type: application/vnd.api+json\r\n"), PASS, "RFC 6839: JSON, and never sent by a form"),
        case("type-suffix-of-a-form", chat!("Content-Type: text/plain+json\r\n"), PASS, "not text/plain: asks first"),
        case("coding-gzip", chat!("Content-Type: application/json\r\nContent-Encoding: gzip\r\n"), CODED, "reliability 4.1: no bombs").says("without content-encoding"),
        case("coding-deflate", chat!("Content-Type: application/json\r\nContent-Encoding: deflate\r\n"), CODED, "reliability 4.1"),
        case("coding-identity", chat!("Content-Type: application/json\r\nContent-Encoding: identity\r\n"), PASS, "says nothing"),
        case("coding-identity-gzip", chat!("Content-Type: application/json\r\nContent-Encoding: identity, gzip\r\n"), CODED, "the second counts too"),
        case("coding-two-headers", chat!("Content-Type: application/json\r\nContent-Encoding: identity\r\nContent-Encoding: gzip\r\n"), CODED, "the second counts too"),
        case("multipart-passed-through", "POST /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 12\r\n\r\n--x\r\n\r\n--x--", PASS, "design 3: other paths take anything").sees("content-type", "multipart/form-data; boundary=x").endpoint("/v1/files"),
        case("gzip-passed-through", "POST /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n{x1f}{x8b}x", PASS, "design 3: other paths take anything").sees("content-encoding", "gzip"),
        case("audio-passed-through", "POST /raw/v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 5\r\n\r\n--x--", PASS, "design 3").endpoint("/v1/audio"),
    ]
}

#[test]
fn inference_takes_plain_json_only() {
    family(Setup::default(), &cases());
}
