//! Methods, versions and upgrades that are not for a reverse proxy of this kind.

use super::case::{Case, LIBRARY_400, LIBRARY_431, PASS, Step, Want, case, steps};
use super::judge::family;
use super::world::Setup;

const METHOD: Want = Want::Own(405, "method_not_allowed");
const WEBSOCKET: Want = Want::Own(426, "websocket_unsupported");

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("connect", "CONNECT 127.0.0.1:{canary} HTTP/1.1\r\nHost: 127.0.0.1:{canary}\r\n\r\n", Want::Own(400, "request_target"), "no tunnel"),
        case("connect-path", "CONNECT /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", METHOD, "no tunnel").says("allow: get"),
        case("trace", "TRACE /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nCookie: CANARY\r\n\r\n", METHOD, "cross-site tracing").says("allow: get"),
        case("track", "TRACK /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", METHOD, "the same by another name"),
        case("propfind", "PROPFIND /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", METHOD, "none of ours"),
        case("lower-case", "post /raw/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", METHOD, "RFC 9110 9.1: methods mind case"),
        case("long", "{repeat 300 A} /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", METHOD, "RFC 9110 9.1"),
        case("endless", "{repeat 100000 A}", LIBRARY_431, "limits.header_bytes"),
        case("symbols", "!#$%&'*+-.^_`|~ /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", METHOD, "RFC 9110 5.6.2: a token"),
        case("no-token", "GE(T /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", LIBRARY_400, "RFC 9110 5.6.2"),
        case("nul", "GE{x00}T /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", LIBRARY_400, "RFC 9110 5.6.2"),
        case("head", "HEAD /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "RFC 9110 9.3.2"),
        case("head-refused", "HEAD /raw/v1/files HTTP/1.1\r\nHost: evil.test\r\n\r\n", Want::Own(421, "host_not_allowed"), "RFC 9110 9.3.2: no body"),
        case("delete", "DELETE /raw/v1/files/f HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "passed through"),
        case("put-body", "PUT /raw/v1/files/f HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", PASS, "passed through").body("abc"),
        case("patch-empty", "PATCH /raw/v1/files/f HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", PASS, "passed through"),
        case("get-chat", "GET /raw/v1/chat/completions?limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "stored completions: no inference").endpoint("/v1/chat"),
        case("override", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method-Override: DELETE\r\n\r\n", PASS, "the provider's to judge").endpoint("/v1/files"),
        case("http09", "GET /raw/v1/files\r\n", LIBRARY_400, "RFC 9112 3"),
        case("http09-whole", "GET /raw/v1/files\r\n\r\n", LIBRARY_400, "RFC 9112 3"),
        case("http12", "GET /raw/v1/files HTTP/1.2\r\nHost: localhost\r\n\r\n", LIBRARY_400, "a version that is none"),
        case("http132", "GET /raw/v1/files HTTP/1.32\r\nHost: localhost\r\n\r\n", LIBRARY_400, "nginx takes it"),
        case("http20-text", "GET /raw/v1/files HTTP/2.0\r\nHost: localhost\r\n\r\n", LIBRARY_400, "no version of this grammar"),
        case("http30-text", "GET /raw/v1/files HTTP/3.0\r\nHost: localhost\r\n\r\n", LIBRARY_400, "no version of this grammar"),
        case("http-lower-case", "GET /raw/v1/files http/1.1\r\nHost: localhost\r\n\r\n", LIBRARY_400, "RFC 9112 2.3"),
        case("http-spaced", "GET /raw/v1/files HTTP/ 1.1\r\nHost: localhost\r\n\r\n", LIBRARY_400, "RFC 9112 2.3"),
        case("http-other-protocol", "GET /raw/v1/files RTSP/1.0\r\nHost: localhost\r\n\r\n", LIBRARY_400, "RFC 9112 2.3"),
        case("http10-keep-alive", "GET /raw/v1/files HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n", PASS, "RFC 9112 9.3"),
        steps("h2c-preface", vec![Step::Write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{x00}{x00}{x00}{x04}{x00}{x00}{x00}{x00}{x00}")], vec![], "h2 by ALPN over TLS only").silent(),
        case("h2c-upgrade", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", PASS, "RFC 9110 7.8: an upgrade may be ignored").hides("101 "),
        steps("h2c-upgrade-then-more", vec![Step::Write("GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n{GOOD}")], vec![PASS; 2], "RFC 9110 7.8: still HTTP/1.1"),
        steps("websocket-then-more", vec![Step::Write("GET /raw/v1/realtime HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n{GOOD}")], vec![WEBSOCKET, PASS], "RFC 9110 15.5.22: still HTTP/1.1"),
        case("websocket-http10", "GET /raw/v1/realtime HTTP/1.0\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", WEBSOCKET, "RFC 9110 7.8: ignored in 1.0, or refused"),
        case("websocket", "GET /raw/v1/realtime?model=m HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", WEBSOCKET, "design 3").endpoint("/v1/realtime").says("upgrade: "),
        case("websocket-any-case", "GET /raw/v1/realtime HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n", WEBSOCKET, "RFC 6455 4.2.1"),
        case("websocket-in-a-list", "GET /raw/v1/realtime HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: h2c, websocket\r\n\r\n", WEBSOCKET, "RFC 9110 7.8"),
        case("websocket-then-bytes", "GET /raw/v1/realtime HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n{x81}{x85}{x00}{x00}{x00}{x00}hello", WEBSOCKET, "RUSTSEC-2026-0033: what follows goes nowhere").and(LIBRARY_400),
        case("upgrade-unknown", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: foo/2\r\n\r\n", PASS, "RFC 9110 7.8: ignored").never_sees("upgrade"),
    ]
}

#[test]
fn methods_and_versions_are_the_few_that_are_spoken() {
    family(Setup::default(), &cases());
}
