//! Several requests in one write, and what becomes of those behind a bad one.

use super::case::{Case, LIBRARY_400, PASS, Step, Want, steps};
use super::judge::family;
use super::world::Setup;

const FILES: &str = "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    vec![
        steps("two", vec![Step::Write("{GOOD}{GOOD}")], vec![PASS; 2], "RFC 9112 9.3.2"),
        steps("ten-mixed", vec![Step::Write("{GOOD}GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n{GOOD}GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n{GOOD}{GOOD}{GOOD}{GOOD}{GOOD}{GOOD}")], vec![PASS; 10], "RFC 9112 9.3.2"),
        steps("fifty", vec![Step::Write("{repeat 50 GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n}")], vec![PASS; 50], "RFC 9112 9.3.2: answers in order"),
        steps("two-chunked", vec![Step::Write("{POST}Transfer-Encoding: chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n{POST}Transfer-Encoding: chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n")], vec![PASS; 2], "RFC 9112 9.3.2"),
        steps("refused-in-the-middle", vec![Step::Write("{GOOD}{POST}Content-Length: 1\r\n\r\nx{GOOD}")], vec![PASS, Want::Own(400, "invalid_request"), PASS], "a refusal is an answer like any other"),
        steps("wrong-host-in-the-middle", vec![Step::Write("{GOOD}GET /raw/v1/files HTTP/1.1\r\nHost: evil.test\r\n\r\n{GOOD}")], vec![PASS, Want::Own(421, "host_not_allowed"), PASS], "each is judged by itself"),
        steps("refused-with-its-body-unread", vec![Step::Write("POST /raw/v1/files HTTP/1.1\r\nHost: evil.test\r\nContent-Length: {LEN}\r\n\r\n{CHAT}{GOOD}")], vec![Want::Own(421, "host_not_allowed"), PASS], "the body is read past, or nothing behind it counts"),
        steps("unreadable-in-the-middle", vec![Step::Write("{GOOD}GARBAGE\r\n\r\n{GOOD}")], vec![PASS, LIBRARY_400], "RFC 9112 9.3.2: nothing counts behind it").closes(),
        steps("smuggled-by-length-and-chunks", vec![Step::Write("{GOOD}{POST}Content-Length: {LEN}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{GOOD}")], vec![PASS, Want::Own(400, "invalid_request")], "RFC 9112 6.1: closed behind it").closes(),
        steps("close-then-more", vec![Step::Write("GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n{GOOD}{GOOD}")], vec![PASS], "RFC 9112 9.6: nothing counts behind close").closes(),
        steps("half-a-head-behind", vec![Step::Write("{GOOD}GET /raw/v1/fi"), Step::Pause(50), Step::Write("les HTTP/1.1\r\nHost: localhost\r\n\r\n")], vec![PASS; 2], "RFC 9112 9.3.2"),
        steps("in-pieces", vec![Step::Write("POST /raw/v1/chat/comple"), Step::Pause(20), Step::Write("tions HTTP/1.1\r\nHost: local"), Step::Pause(20), Step::Write("host\r\nContent-Type: application/json\r\nContent-Length: {LEN}\r\n"), Step::Pause(20), Step::Write("\r\n{CHAT}")], vec![PASS], "TCP knows no messages").body("{CHAT}"),
        steps("one-after-the-other", vec![Step::Write(FILES), Step::Pause(30), Step::Write(FILES), Step::Pause(30), Step::Write("{GOOD}")], vec![PASS; 3], "keep-alive"),
        steps("streamed-answer", vec![Step::Sized("POST /sim/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n", "{\"model\":\"sim:n-4\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"CANARY\"}]}"), Step::Write("{GOOD}")], vec![PASS; 2], "a stream, whole, and the next behind it"),
    ]
}

#[test]
fn requests_behind_each_other_are_answered_in_order_or_not_at_all() {
    family(Setup::default(), &cases());
}
