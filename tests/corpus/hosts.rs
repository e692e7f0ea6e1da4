//! Whom a request takes us for: a name that is not ours may be a web page's (DNS rebinding).

use super::case::{Case, PASS, Want, case};
use super::judge::family;
use super::world::Setup;

const BAD: Want = Want::Own(400, "host");
const MISDIRECTED: Want = Want::Own(421, "host_not_allowed");
const TARGET: Want = Want::Own(400, "request_target");

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("host-localhost-port", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n", PASS, "design 2"),
        case("host-localhost-upper-case", "GET /raw/v1/files HTTP/1.1\r\nHost: LocalHost\r\n\r\n", PASS, "RFC 9110 4.2.3: names ignore case"),
        case("host-127", "GET /raw/v1/files HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", PASS, "design 2"),
        case("host-ipv6", "GET /raw/v1/files HTTP/1.1\r\nHost: [::1]:{port}\r\n\r\n", PASS, "RFC 3986 3.2.2"),
        case("host-ipv6-no-port", "GET /raw/v1/files HTTP/1.1\r\nHost: [::1]\r\n\r\n", PASS, "RFC 3986 3.2.2"),
        case("host-configured", "GET /raw/v1/files HTTP/1.1\r\nHost: Tollgate.Test:80\r\n\r\n", PASS, "server.hosts"),
        case("host-configured-another-port", "GET /raw/v1/files HTTP/1.1\r\nHost: tollgate.test:9\r\n\r\n", PASS, "a forwarded port is not ours to know"),
        case("host-missing", "GET /raw/v1/files HTTP/1.1\r\n\r\n", BAD, "RFC 9112 3.2"),
        case("host-missing-http10", "GET /raw/v1/files HTTP/1.0\r\n\r\n", BAD, "a browser of 1996 or an attack"),
        case("host-empty", "GET /raw/v1/files HTTP/1.1\r\nHost: \r\n\r\n", BAD, "RFC 9112 3.2"),
        case("host-two-same", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", BAD, "RFC 9112 3.2"),
        case("host-two-different", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n", BAD, "RFC 9112 3.2"),
        case("host-list", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost, evil.test\r\n\r\n", BAD, "RFC 9112 3.2"),
        case("host-evil", "GET /raw/v1/files HTTP/1.1\r\nHost: evil.test:{port}\r\n\r\n", MISDIRECTED, "GHSA-w48q-cv73-mx4w").says("server.hosts").says("evil.test"),
        case("host-evil-suffix", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost.evil.test\r\n\r\n", MISDIRECTED, "GHSA-w48q-cv73-mx4w"),
        case("host-evil-prefix", "GET /raw/v1/files HTTP/1.1\r\nHost: evil-localhost\r\n\r\n", MISDIRECTED, "GHSA-w48q-cv73-mx4w"),
        case("host-rebinding-name", "GET /raw/v1/files HTTP/1.1\r\nHost: 127.0.0.1.nip.io\r\n\r\n", MISDIRECTED, "CVE-2024-28224"),
        case("host-trailing-dot", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost.\r\n\r\n", MISDIRECTED, "no client writes it; a resolver may send it elsewhere"),
        case("host-unspecified", "GET /raw/v1/files HTTP/1.1\r\nHost: 0.0.0.0:{port}\r\n\r\n", MISDIRECTED, "Oligo: 0.0.0.0 day"),
        case("host-number", "GET /raw/v1/files HTTP/1.1\r\nHost: 2130706433\r\n\r\n", MISDIRECTED, "127.0.0.1 in other words"),
        case("host-short-ip", "GET /raw/v1/files HTTP/1.1\r\nHost: 127.1\r\n\r\n", MISDIRECTED, "127.0.0.1 in other words"),
        case("host-underscore", "GET /raw/v1/files HTTP/1.1\r\nHost: my_host\r\n\r\n", MISDIRECTED, "Docker's names have them; 421 says what to do").says("server.hosts"),
        case("host-mapped-ipv6", "GET /raw/v1/files HTTP/1.1\r\nHost: [::ffff:127.0.0.1]\r\n\r\n", MISDIRECTED, "not what we listen on"),
        case("host-other-ipv6", "GET /raw/v1/files HTTP/1.1\r\nHost: [::2]:80\r\n\r\n", MISDIRECTED, "not ours"),
        case("host-ipv6-open", "GET /raw/v1/files HTTP/1.1\r\nHost: [::1\r\n\r\n", BAD, "RFC 3986 3.2.2"),
        case("host-ipv6-bare", "GET /raw/v1/files HTTP/1.1\r\nHost: ::1\r\n\r\n", BAD, "RFC 3986 3.2.2"),
        case("host-ipv6-zone", "GET /raw/v1/files HTTP/1.1\r\nHost: [::1%25lo]\r\n\r\n", BAD, "RFC 6874: not in Host"),
        case("host-userinfo", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost@evil.test\r\n\r\n", BAD, "RFC 9110 4.2.4"),
        case("host-userinfo-port", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost:80@evil.test\r\n\r\n", BAD, "RFC 9110 4.2.4"),
        case("host-path", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost/x\r\n\r\n", BAD, "RFC 9110 7.2"),
        case("host-query", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost?x\r\n\r\n", BAD, "RFC 9110 7.2"),
        case("host-scheme", "GET /raw/v1/files HTTP/1.1\r\nHost: http://localhost\r\n\r\n", BAD, "RFC 9110 7.2"),
        case("host-port-empty", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost:\r\n\r\n", BAD, "RFC 3986 3.2.3 allows it, no client sends it"),
        case("host-port-word", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost:http\r\n\r\n", BAD, "RFC 3986 3.2.3"),
        case("host-port-too-large", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost:99999\r\n\r\n", BAD, "no such port"),
        case("host-port-negative", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost:-1\r\n\r\n", BAD, "RFC 3986 3.2.3"),
        case("host-two-ports", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost:80:80\r\n\r\n", BAD, "RFC 3986 3.2.3"),
        case("host-inner-space", "GET /raw/v1/files HTTP/1.1\r\nHost: local host\r\n\r\n", BAD, "RFC 9110 7.2"),
        case("host-high-bytes", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost{xe9}\r\n\r\n", BAD, "RFC 9110 5.5"),
        case("host-encoded", "GET /raw/v1/files HTTP/1.1\r\nHost: %6cocalhost\r\n\r\n", BAD, "RFC 3986 3.2.2: not for us to decode"),
        case("host-padded", "GET /raw/v1/files HTTP/1.1\r\nHost: \t localhost \r\n\r\n", PASS, "RFC 9112 5: white space around values is not part of them"),
        case("host-3-kb", "GET /raw/v1/files HTTP/1.1\r\nHost: {repeat 3000 a}\r\n\r\n", BAD, "RFC 1035: 253 characters at most"),
        case("absolute-own", "GET http://localhost/raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", TARGET, "design: no forward proxy").says("HTTP proxy"),
        case("absolute-evil-host-own", "GET http://evil.test/raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", TARGET, "RFC 9112 3.2.2: Host is overruled"),
        case("absolute-own-host-evil", "GET http://localhost/raw/v1/files HTTP/1.1\r\nHost: evil.test\r\n\r\n", TARGET, "RFC 9112 3.2.2"),
        case("absolute-canary", "GET http://127.0.0.1:{canary}/v1/files HTTP/1.1\r\nHost: 127.0.0.1:{canary}\r\n\r\n", TARGET, "no open proxy"),
        case("x-forwarded-host", "GET /raw/v1/files HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: localhost\r\nForwarded: host=localhost\r\n\r\n", MISDIRECTED, "GHSA-4xpc-pv4p-pm3w: one reading of the host"),
    ]
}

#[test]
fn only_our_own_names_are_answered_to() {
    family(Setup::default(), &cases());
}
