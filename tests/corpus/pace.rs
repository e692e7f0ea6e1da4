//! Clients that are slow, silent, or half gone.

use tollgate::record::Outcome;

use super::case::{Case, PASS, Step, Want, case, steps};
use super::judge::family;
use super::world::Setup;

/// Short time-outs, so that nobody has to wait for long, and so long that whoever is in time is so on
/// a busy machine too.
const HASTE: Setup = Setup {
    server: "",
    timeouts: "request_headers = \"750ms\"\nrequest_body = \"1500ms\"\nclient_idle = \"2700ms\"",
    limits: "",
};

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    vec![
        steps("nothing-said", vec![], vec![], "timeouts.request_headers").silent(),
        steps("line-ends-only", vec![Step::Write("\r\n")], vec![], "timeouts.request_headers").silent(),
        steps("half-a-line", vec![Step::Write("GET /raw/v1/fi")], vec![], "slowloris").silent(),
        steps("half-a-head", vec![Step::Write("GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n")], vec![], "slowloris").silent(),
        steps("head-dripping", vec![Step::Drip("GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 30)], vec![], "slowloris: a byte now and then is not enough").silent(),
        steps("head-dripping-after-a-request", vec![Step::Write("GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n"), Step::Pause(50), Step::Write("GET /raw/v1/fi")], vec![PASS], "slowloris on a warm connection").closes(),
        steps("head-slow-but-in-time", vec![Step::Drip("GET /raw", 5), Step::Write("/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n")], vec![PASS], "slow is no fault"),
        steps("idle-after-a-request", vec![Step::Write("GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n")], vec![PASS], "timeouts.client_idle").closes(),
        steps("idle-less-than-the-limit", vec![Step::Write("{GOOD}"), Step::Pause(1050), Step::Write("{GOOD}")], vec![PASS; 2], "idle is not slow: timeouts.client_idle"),
        steps("idle-after-an-upload", vec![Step::Write("POST /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc"), Step::Pause(40), Step::Write("def"), Step::Pause(1050), Step::Write("{GOOD}")], vec![PASS; 2], "the body of the last request is not the head of the next"),
        steps("idle-after-a-preflight", vec![Step::Write("OPTIONS /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.test\r\nAccess-Control-Request-Method: GET\r\n\r\n"), Step::Pause(1050), Step::Write("{GOOD}")], vec![Want::Made(204), PASS], "a preflight is a whole request").records(&[(Outcome::Ok, "base_url")]),
        steps("body-never-comes", vec![Step::Write("{POST}Content-Length: {LEN}\r\n\r\n")], vec![Want::Own(408, "request_timeout")], "timeouts.request_body").records(&[(Outcome::ClientGone, "request_timeout")]).says("timeouts.request_body").closes(),
        steps("body-stops", vec![Step::Write("{POST}Content-Length: {LEN}\r\n\r\n{\"model\"")], vec![Want::Own(408, "request_timeout")], "timeouts.request_body").records(&[(Outcome::ClientGone, "request_timeout")]).closes(),
        steps("body-dripping", vec![Step::Write("{POST}Content-Length: {LEN}\r\n\r\n"), Step::Drip("{CHAT}", 30)], vec![Want::Own(408, "request_timeout")], "timeouts.request_body: a byte now and then is not enough").records(&[(Outcome::ClientGone, "request_timeout")]).closes(),
        steps("body-dripping-chunked", vec![Step::Write("{POST}Transfer-Encoding: chunked\r\n\r\n"), Step::Drip("{repeat 15 1\r\n \r\n}", 25)], vec![Want::Own(408, "request_timeout")], "timeouts.request_body").records(&[(Outcome::ClientGone, "request_timeout")]).closes(),
        steps("body-slow-but-in-time", vec![Step::Write("{POST}Transfer-Encoding: chunked\r\n\r\n"), Step::Drip("1\r\n \r\n", 5), Step::Write("{HEX}\r\n{CHAT}\r\n0\r\n\r\n")], vec![PASS], "slow is no fault").body(" {CHAT}"),
        steps("upload-slow", vec![Step::Write("POST /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60\r\n\r\n"), Step::Drip("{repeat 60 a}", 30)], vec![PASS], "files may take longer than timeouts.request_body"),
        steps("gone-while-waiting", vec![Step::Write("POST /sim/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{\"model\":\"sim:ft-9s:hd-9s\"}"), Step::Pause(50), Step::Finish], vec![], "design 6: a client that goes cancels its request; half a close is taken for a whole one, as nginx does")
            .closes().may_reach().gone(),
        steps("gone-at-once", vec![Step::Finish], vec![], "a port scan").silent(),
        steps("gone-in-the-head", vec![Step::Write("GET /raw/v1/fi"), Step::Finish], vec![], "RFC 9112 8: incomplete").silent(),
        steps("reset-at-once", vec![Step::Reset], vec![], "a port scan").gone(),
        steps("reset-in-the-body", vec![Step::Write("{POST}Content-Length: {LEN}\r\n\r\n{\"model\""), Step::Pause(30), Step::Reset], vec![], "RFC 9112 8: incomplete").gone(),
        steps("reset-in-an-upload", vec![Step::Write("POST /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nhalf"), Step::Pause(30), Step::Reset], vec![], "RFC 9112 8: incomplete").gone().may_reach(),
        steps("reset-while-waiting", vec![Step::Write("POST /sim/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{\"model\":\"sim:ft-9s:hd-9s\"}"), Step::Pause(50), Step::Reset], vec![], "design 6: a client that goes cancels its request").gone().may_reach(),
        steps("reset-in-a-stream", vec![Step::Sized("POST /sim/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n", "{\"model\":\"sim:gap-20ms:n-500\",\"stream\":true,\"messages\":[]}"), Step::Pause(100), Step::Reset], vec![], "design 6: a client that goes cancels its request").gone().may_reach(),
        steps("half-close-at-once", vec![Step::Write("{GOOD}"), Step::Finish], vec![PASS], "the same: answered where the answer was quicker, else closed in order").closes().may_reach().gone(),
        case("quick", "{GOOD}", PASS, "and all the others are served meanwhile"),
    ]
}

#[test]
fn slow_clients_are_cut_off_in_time() {
    family(HASTE, &cases());
}
