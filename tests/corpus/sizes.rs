//! Bodies that are too large, or claim to be, and clients that ask before they send.

use super::case::{Case, PASS, Step, Want, case, steps};
use super::judge::family;
use super::world::Setup;

const LARGE: Want = Want::Own(413, "request_too_large");

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("declared-1-tb", "{POST}Content-Length: 1099511627776\r\n\r\n{CHAT}", LARGE, "refused before it is read").says("limits.request_body").closes(),
        case("declared-one-too-many", "{POST}Content-Length: 33554433\r\n\r\n", LARGE, "limits.request_body").closes(),
        case("declared-1-tb-asking", "{POST}Expect: 100-continue\r\nContent-Length: 1099511627776\r\n\r\n", LARGE, "RFC 9110 10.1.1: refused without 100").closes(),
        case("real-33-mib-length", "{POST}Content-Length: 34603008\r\n\r\n{repeat 34603008  }", LARGE, "refused before it is read").closes(),
        case("real-33-mib-chunked", "{POST}Transfer-Encoding: chunked\r\n\r\n2100000\r\n{repeat 34603008  }\r\n0\r\n\r\n", LARGE, "refused at the limit").closes(),
        steps("chunks-endless", vec![Step::Write("{POST}Transfer-Encoding: chunked\r\n\r\n"), Step::Repeat("100000\r\n{repeat 1048576  }\r\n", 40)], vec![LARGE], "refused at the limit").closes(),
        case("declared-chunk-1-tb", "{POST}Transfer-Encoding: chunked\r\n\r\n10000000000\r\n{repeat 34603008  }", LARGE, "a chunk's size is no promise").closes(),
        json_of_limit(),
        case("passed-through-33-mib", "POST /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 34603008\r\n\r\n{repeat 34603008 a}", PASS, "design 3: files stream through, whatever their size"),
        case("asking", "{POST}Expect: 100-continue\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "RFC 9110 10.1.1").goes_on().body("{CHAT}"),
        steps("asking-and-waiting", vec![Step::Write("{POST}Expect: 100-continue\r\nContent-Length: {LEN}\r\n\r\n"), Step::Pause(50), Step::Write("{CHAT}")], vec![PASS], "RFC 9110 10.1.1").goes_on().body("{CHAT}"),
        steps("asking-and-waiting-streamed", vec![Step::Write("POST /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"), Step::Pause(50), Step::Write("abc")], vec![PASS], "RFC 9110 10.1.1").goes_on().body("abc"),
        case("asking-refused", "POST /raw/v1/chat/completions HTTP/1.1\r\nHost: evil.test\r\nExpect: 100-continue\r\nContent-Length: {LEN}\r\n\r\n", Want::Own(421, "host_not_allowed"), "RFC 9110 10.1.1: refused without 100"),
        case("asking-http10", "POST /raw/v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "RFC 9110 10.1.1: ignored"),
    ]
}

/// A body of exactly the limit.
fn json_of_limit() -> Case {
    let text = "{POST}Content-Length: 33554432\r\n\r\n{\"model\":\"m\"}{repeat 33554419  }";
    case(
        "real-32-mib",
        text,
        PASS,
        "limits.request_body is 32 MiB, and that much is taken",
    )
}

#[test]
fn sizes_have_limits() {
    family(Setup::default(), &cases());
}
