//! Paths that mean another place than they seem to.

use super::case::{Case, LIBRARY_400, LIBRARY_431, PASS, Want, case};
use super::judge::family;
use super::world::Setup;

const BAD: Want = Want::Own(400, "request_target");
const NOWHERE: Want = Want::Own(404, "no_provider");

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("plain-query", "GET /raw/v1/files?limit=2&after=a%20b HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "verbatim").target("/raw/v1/files?limit=2&after=a%20b").endpoint("/v1/files"),
        case("long-path-in-record", "GET /raw/v1/files/file-CANARY/content HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "two segments are kept").endpoint("/v1/files"),
        case("dots", "GET /raw/v1/../admin HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "RFC 3986 5.2.4"),
        case("dots-to-another-provider", "GET /raw/../keyed/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "RFC 3986 5.2.4"),
        case("dots-at-the-end", "GET /raw/v1/files/.. HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "RFC 3986 5.2.4"),
        case("dot-single", "GET /raw/v1/./files HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "RFC 3986 5.2.4"),
        case("dots-encoded", "GET /raw/v1/%2e%2e/admin HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "RFC 3986 6.2.2.2"),
        case("dots-half-encoded", "GET /raw/v1/.%2E/admin HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "RFC 3986 6.2.2.2"),
        case("dots-encoded-slash", "GET /raw/v1/..%2fadmin HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "some servers decode before they resolve"),
        case("dots-all-encoded", "GET /raw/v1/a%2F%2e%2e%2F%2e%2e%2Fadmin HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "some servers decode before they resolve"),
        case("dots-parameter", "GET /raw/v1/..;a=b/admin HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "Tomcat"),
        case("dots-backslash", "GET /raw/v1/..\\admin HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "IIS"),
        case("dots-in-query", "GET /raw/v1/files?a=../.. HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "a query is no path").target("/raw/v1/files?a=../.."),
        case("dots-in-a-name", "GET /raw/v1/files/a..b HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "RFC 3986 3.3").target("/raw/v1/files/a..b"),
        case("encoded-slash", "GET /raw/v1/models/meta%2Fllama HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "SDKs encode model names").target("/raw/v1/models/meta%2Fllama"),
        case("backslash", "GET /raw/v1\\files HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "RFC 3986 2: no such character"),
        case("backslash-encoded", "GET /raw/v1/a%5cb HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "IIS"),
        case("nul-encoded", "GET /raw/v1/files%00.txt HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "C strings end there"),
        case("nul", "GET /raw/v1/fi{x00}les HTTP/1.1\r\nHost: localhost\r\n\r\n", LIBRARY_400, "RFC 9112 3.2"),
        case("line-end-encoded", "GET /raw/v1/a%0d%0aX:%20b HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "header injection behind us"),
        case("line-end-encoded-in-query", "GET /raw/v1/files?a=%0d%0a HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "queries may hold text of many lines").target("/raw/v1/files?a=%0d%0a"),
        case("high-bytes", "GET /raw/v1/fil{xc3}{xa9}s HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "RFC 3986 2 would have them encoded; verbatim harms nobody").lenient(),
        case("percent-broken", "GET /raw/v1/%zz%4 HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "the provider's to judge; verbatim").target("/raw/v1/%zz%4"),
        case("double-encoded-dots", "GET /raw/v1/%252e%252e/x HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "decoded once it is no dot; verbatim").target("/raw/v1/%252e%252e/x"),
        case("double-slash", "GET /raw/v1//files HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "RFC 3986 3.3: an empty segment; verbatim").target("/raw/v1//files"),
        case("double-slash-first", "GET //evil.test/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", NOWHERE, "not an authority: RFC 9112 3.2.1"),
        case("double-slash-canary", "GET //127.0.0.1:{canary}/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", NOWHERE, "not an authority"),
        case("fragment", "GET /raw/v1/files#CANARY HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "hyper cuts it off; a strict reader would refuse it").target("/raw/v1/files").lenient(),
        case("absolute", "GET http://localhost:{port}/raw/v1/files HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n", BAD, "RFC 9112 3.2.2: for proxies"),
        case("absolute-https", "GET https://localhost/raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "RFC 9112 3.2.2"),
        case("absolute-userinfo", "GET http://a:CANARY@localhost/raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "RFC 9110 4.2.4"),
        case("absolute-file", "GET file:///etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", LIBRARY_400, "not ours to open"),
        case("authority", "GET localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "RFC 9112 3.2.3: CONNECT only"),
        case("asterisk", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "RFC 9112 3.2.4: asks about us, and there is nothing to say"),
        case("asterisk-get", "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", BAD, "RFC 9112 3.2.4"),
        case("no-slash", "GET raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", LIBRARY_400, "RFC 9112 3.2"),
        case("query-only", "GET ?a=b HTTP/1.1\r\nHost: localhost\r\n\r\n", LIBRARY_400, "RFC 9112 3.2"),
        case("empty", "GET  HTTP/1.1\r\nHost: localhost\r\n\r\n", LIBRARY_400, "RFC 9112 3"),
        case("root", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", NOWHERE, "no provider is named").says("providers: sim, raw, claude, keyed, own; models: routed"),
        case("provider-only", "GET /raw HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "its base URL").target("/raw/v1/"),
        case("provider-unknown", "POST /evil/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", NOWHERE, "design 2: 404 lists what there is").says("providers: sim"),
        case("provider-upper-case", "GET /RAW/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", NOWHERE, "names are exact"),
        case("provider-as-prefix", "GET /raws/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", NOWHERE, "names are exact"),
        case("provider-is-a-url", "GET /http://127.0.0.1:{canary}/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", NOWHERE, "no open proxy"),
        case("provider-is-a-host", "GET /127.0.0.1:{canary}/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", NOWHERE, "no open proxy"),
        case("at-sign", "GET /raw@127.0.0.1:{canary}/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", NOWHERE, "no authority is built of it"),
        case("rest-is-a-url", "GET /raw/http://127.0.0.1:{canary}/ HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "stays a path of the provider's").target("/raw/v1/http://127.0.0.1:{canary}/"),
        case("rest-is-an-authority", "GET /raw/@127.0.0.1:{canary}/ HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "stays a path of the provider's"),
        case("size-15-kb", "GET /raw/v1/{repeat 15000 a} HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "the limit is 16 KiB"),
        case("size-20-kb", "GET /raw/v1/{repeat 20000 a} HTTP/1.1\r\nHost: localhost\r\n\r\n", Want::Own(414, "request_target"), "the limit is 16 KiB"),
        case("size-20-kb-query", "GET /raw/v1/files?{repeat 20000 a} HTTP/1.1\r\nHost: localhost\r\n\r\n", Want::Own(414, "request_target"), "the limit is 16 KiB"),
        case("size-70-kb", "GET /raw/v1/{repeat 70000 a} HTTP/1.1\r\nHost: localhost\r\n\r\n", LIBRARY_431, "hyper's buffer ends before"),
    ]
}

#[test]
fn paths_lead_where_they_seem_to() {
    family(Setup::default(), &cases());
}
