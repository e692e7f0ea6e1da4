//! Which web page calls: pages of others may not, whatever they send.

use super::case::{Case, PASS, Step, Want, case, steps};
use super::judge::family;
use super::world::Setup;

const REFUSED: Want = Want::Own(403, "origin_not_allowed");
const PREFLIGHT: Want = Want::Made(204);

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("origin-evil", "{POST}Origin: https://evil.test\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", REFUSED, "reliability E2").says("server.origins").hides("access-control"),
        case("origin-null", "{POST}Origin: null\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", REFUSED, "a sandboxed frame").hides("access-control"),
        case("origin-empty", "{POST}Origin: \r\nContent-Length: {LEN}\r\n\r\n{CHAT}", REFUSED, "RFC 6454 7.1"),
        case("origin-of-our-port", "{POST}Origin: http://localhost:{port}\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", REFUSED, "no page of ours is at this port"),
        case("origin-allowed", "{POST}Origin: https://app.test\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "server.origins").says("access-control-allow-origin: https://app.test").says("vary: origin").never_sees("origin"),
        case("origin-allowed-upper-case", "{POST}Origin: HTTPS://APP.test\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "RFC 6454 4: lower-cased"),
        case("origin-allowed-desktop", "{POST}Origin: tauri://localhost\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "server.origins"),
        case("origin-allowed-other-port", "{POST}Origin: https://app.test:444\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", REFUSED, "RFC 6454 5"),
        case("origin-allowed-other-scheme", "{POST}Origin: http://app.test\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", REFUSED, "RFC 6454 5"),
        case("origin-allowed-as-prefix", "{POST}Origin: https://app.test.evil.test\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", REFUSED, "a common mistake"),
        case("origin-allowed-and-evil", "{POST}Origin: https://app.test\r\nOrigin: https://evil.test\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", REFUSED, "RFC 6454 7.3: one"),
        case("origin-allowed-twice", "{POST}Origin: https://app.test\r\nOrigin: https://app.test\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", REFUSED, "RFC 6454 7.3: one"),
        case("origin-list", "{POST}Origin: https://app.test https://evil.test\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", REFUSED, "RFC 6454 7.1"),
        case("origin-evil-on-get", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.test\r\n\r\n", REFUSED, "every request, not only posts"),
        case("origin-allowed-on-an-error", "{POST}Origin: https://app.test\r\nContent-Length: 1\r\n\r\nx", Want::Own(400, "invalid_request"), "a page must be able to read why").says("access-control-allow-origin: https://app.test"),
        case("origin-allowed-cross-site", "{POST}Origin: https://app.test\r\nSec-Fetch-Site: cross-site\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "allowed by name").never_sees("sec-fetch-site"),
        case("site-cross-without-origin", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n\r\n", REFUSED, "an image of an evil page"),
        case("site-same-site", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-site\r\n\r\n", REFUSED, "another port of localhost is another page"),
        case("site-none", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: none\r\n\r\n", PASS, "typed by the user"),
        case("site-same-origin", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\n\r\n", PASS, "Fetch metadata"),
        case("site-unknown-word", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: elsewhere\r\n\r\n", REFUSED, "unknown is not allowed"),
        case("site-none-then-cross", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n\r\n", REFUSED, "every one of them counts"),
        case("form-post", "POST /raw/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.test\r\nSec-Fetch-Site: cross-site\r\nContent-Type: text/plain\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", REFUSED, "CVE-2025-49596: needs no preflight"),
        case("preflight-allowed", "OPTIONS /raw/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.test\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization, content-type\r\n\r\n", PREFLIGHT, "Fetch 4.8")
            .says("access-control-allow-origin: https://app.test").says("access-control-allow-headers: authorization, content-type").records(&[]),
        case("preflight-evil", "OPTIONS /raw/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.test\r\nAccess-Control-Request-Method: POST\r\n\r\n", REFUSED, "Fetch 4.8").hides("access-control"),
        case("preflight-evil-host", "OPTIONS /raw/v1/chat/completions HTTP/1.1\r\nHost: evil.test\r\nOrigin: https://app.test\r\nAccess-Control-Request-Method: POST\r\n\r\n", Want::Own(421, "host_not_allowed"), "Host comes first").hides("access-control"),
        case("options-without-origin", "OPTIONS /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "no preflight: the provider's to answer").endpoint("/v1/files"),
        steps("preflight-then-post", vec![Step::Write("OPTIONS /raw/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.test\r\nAccess-Control-Request-Method: POST\r\n\r\n"), Step::Pause(20), Step::Write("{POST}Origin: https://app.test\r\nContent-Length: {LEN}\r\n\r\n{CHAT}")],
            vec![PREFLIGHT, PASS], "as every browser does").records(&[(tollgate::record::Outcome::Ok, "base_url")]),
    ]
}

#[test]
fn pages_of_others_may_not_call() {
    family(Setup::default(), &cases());
}
