//! Headers that cannot be read, that must not travel, or that are too many.

use super::case::{Case, LIBRARY_400, LIBRARY_431, PASS, Want, case};
use super::judge::family;
use super::world::Setup;

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = unreadable();
    cases.extend(travelling());
    cases
}

#[rustfmt::skip]
fn unreadable() -> Vec<Case> {
    vec![
        case("value-nul", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-A: a{x00}b\r\n\r\n", LIBRARY_400, "RFC 9110 5.5"),
        case("value-control", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-A: a{x01}b\r\n\r\n", LIBRARY_400, "RFC 9110 5.5"),
        case("value-delete", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-A: a{x7f}b\r\n\r\n", LIBRARY_400, "RFC 9110 5.5"),
        case("value-high-bytes", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-A: a{xff}{xe9}b\r\n\r\n", PASS, "RFC 9110 5.5: obs-text"),
        case("value-tab", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-A: a\tb\r\n\r\n", PASS, "RFC 9110 5.5").sees("x-a", "a\tb"),
        case("value-empty", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-A:\r\n\r\n", PASS, "RFC 9110 5.5").sees("x-a", ""),
        case("name-nul", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX{x00}A: b\r\n\r\n", LIBRARY_400, "RFC 9110 5.1"),
        case("name-empty", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n: b\r\n\r\n", LIBRARY_400, "CVE-2023-25725"),
        case("name-space-before-colon", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-A : b\r\n\r\n", LIBRARY_400, "RFC 9112 5.1"),
        case("name-tab-before-colon", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-A\t: b\r\n\r\n", LIBRARY_400, "RFC 9112 5.1"),
        case("name-length-space-before-colon", "{POST}Content-Length : {LEN}\r\n\r\n{CHAT}", LIBRARY_400, "RFC 9112 5.1"),
        case("name-parentheses", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX(Y): b\r\n\r\n", LIBRARY_400, "RFC 9110 5.6.2; nginx takes it"),
        case("name-high-bytes", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX{xc3}{xa9}: b\r\n\r\n", LIBRARY_400, "RFC 9110 5.1"),
        case("line-without-colon", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n", LIBRARY_400, "nginx drops it"),
        case("count-99", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n{repeat 90 X-A: b\r\n}\r\n", PASS, "limits.headers is 100"),
        case("count-101", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n{repeat 100 X-A: b\r\n}\r\n", LIBRARY_431, "limits.headers is 100"),
        case("count-10000", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n{repeat 10000 X-A: b\r\n}\r\n", LIBRARY_431, "limits.headers is 100"),
        case("size-40-kb", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-A: {repeat 40000 a}\r\n\r\n", PASS, "limits.header_bytes is 64 KiB"),
        case("size-100-kb", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-A: {repeat 100000 a}\r\n\r\n", LIBRARY_431, "limits.header_bytes is 64 KiB"),
        case("size-100-kb-name", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n{repeat 100000 a}: b\r\n\r\n", LIBRARY_431, "limits.header_bytes is 64 KiB"),
        case("size-endless-line", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-A: {repeat 1000000 a}", LIBRARY_431, "limits.header_bytes is 64 KiB"),
    ]
}

#[rustfmt::skip]
fn travelling() -> Vec<Case> {
    vec![
        case("hop-by-hop", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, X-Hop, TE\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Connection: x\r\nProxy-Authorization: Basic Q0FOQVJZ\r\n\r\n", PASS, "RFC 9110 7.6.1").never_sees("x-hop"),
        case("connection-names-host", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: host, x-tollgate-instance\r\n\r\n", PASS, "RFC 9110 7.6.1: ours are put after"),
        case("connection-names-length", "{POST}Connection: content-length, content-type\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "a way to strip framing").body("{CHAT}"),
        case("connection-in-two-headers", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: X-One\r\nConnection: X-Two\r\nX-One: 1\r\nX-Two: 2\r\n\r\n", PASS, "RFC 9110 7.6.1").never_sees("x-one").never_sees("x-two"),
        case("connection-close", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", PASS, "RFC 9112 9.6").closes(),
        case("who-came-before", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 1.2.3.4\r\nVia: 1.1 x\r\nReferer: http://private.test/CANARY\r\nCookie: a=CANARY\r\n\r\n", PASS, "reliability, head"),
        case("who-came-before-underscores", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX_Forwarded_For: 1.2.3.4\r\nX_Forwarded_Host: evil.test\r\nX_Real_IP: 1.2.3.4\r\nContent_Length: 5\r\nX_Api_Key: sk-CANARY-CLIENT\r\n\r\n", PASS, "CGI and WSGI take `_` for `-`; Envoy refuses them").never_sees("content_length").never_sees("x_api_key"),
        case("underscore-harmless", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nsession_id: abc\r\n\r\n", PASS, "Codex sends one").sees("session_id", "abc"),
        case("expect-elsewhere", "{POST}Expect: 100-continue\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "RFC 9110 10.1.1").goes_on().never_sees("expect"),
        case("expect-unknown", "{POST}Expect: the-impossible\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "RFC 9110 10.1.1: may be ignored").never_sees("expect"),
        case("own-headers", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-Tollgate-Tags: a, b\r\nX-Tollgate-Session: s\r\nX-Tollgate-Policy: ordered\r\nX-Tollgate-Token: x\r\n\r\n", PASS, "design 3"),
        case("sdk-headers", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nUser-Agent: OpenAI/Python 3\r\nX-Stainless-Lang: python\r\nOpenAI-Beta: x\r\nIdempotency-Key: k\r\n\r\n", PASS, "reliability, head").sees("user-agent", "OpenAI/Python 3").sees("x-stainless-lang", "python").sees("openai-beta", "x").sees("idempotency-key", "k"),
        case("websocket-key-as-protocol", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nSec-WebSocket-Protocol: realtime, openai-insecure-api-key.CANARY\r\nSec-WebSocket-Key: x\r\n\r\n", PASS, "a credential in disguise, and no websocket").never_sees("sec-websocket-protocol").never_sees("sec-websocket-key"),
        case("loop", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-Tollgate-Instance: {instance}\r\n\r\n", Want::Own(508, "loop_detected"), "design 2").says("base_url"),
        case("loop-second-header", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-Tollgate-Instance: another\r\nX-Tollgate-Instance: {instance}\r\n\r\n", Want::Own(508, "loop_detected"), "design 2"),
        case("loop-in-a-list", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-Tollgate-Instance: another, {instance}\r\n\r\n", Want::Own(508, "loop_detected"), "RFC 9110 5.3: a proxy may join them"),
        case("loop-over-two", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-Tollgate-Instance: 0123456789abcdef0123456789abcdef\r\n\r\n", PASS, "the mark of one before us stays, or a circle of two is never seen").sees_both("x-tollgate-instance", "0123456789abcdef0123456789abcdef", "{instance}"),
        case("loop-other-header", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-A: {instance}\r\n\r\n", PASS, "only its own header means it"),
    ]
}

#[test]
fn headers_are_whole_and_travel_only_as_agreed() {
    family(Setup::default(), &cases());
}
