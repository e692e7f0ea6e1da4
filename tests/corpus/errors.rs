//! Errors of our own: their shape in each language, and that a provider's own pass untouched.

use std::io::Write as _;
use std::sync::atomic::Ordering;

use tollgate::record::Outcome;

use super::case::{Case, PASS, Step, Want, case, steps};
use super::judge::{family, unlike};
use super::world::{Setup, World, wait_for};

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    vec![
        steps("anthropic-shape", vec![Step::Sized("POST /claude/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n", "x")], vec![Want::Own(400, "invalid_request")], "Anthropic's SDK reads `type` beside `error`").says("\"type\":\"error\"").says("\"request_id\""),
        steps("anthropic-count", vec![Step::Sized("POST /claude/v1/messages/count_tokens HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n", "x")], vec![Want::Own(415, "content_type")], "the same").says("\"type\":\"error\""),
        steps("responses-shape", vec![Step::Sized("POST /raw/v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n", "[]")], vec![Want::Own(400, "invalid_request")], "reliability 3"),
        steps("embeddings-shape", vec![Step::Sized("POST /raw/v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n", "{\"model\":1}")], vec![Want::Own(400, "invalid_request")], "reliability 3").says("\"param\":\"model\""),
        steps("completions-shape", vec![Step::Sized("POST /raw/v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n", "{\"model\":\"m\",\"stream\":0}")], vec![Want::Own(400, "invalid_request")], "reliability 3").says("\"param\":\"stream\""),
        case("exchange-named", "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", Want::Own(404, "no_provider"), "`tollgate explain` finds it").says("x-tollgate-exchange: ").says("x-request-id: "),
        steps("provider-404", vec![Step::Sized("POST /sim/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n", "{\"model\":\"sim:fault-http_status:code-404\",\"messages\":[]}")], vec![Want::Provider(404)], "the provider's error is the provider's").hides("x-proxy-error"),
        steps("provider-400", vec![Step::Sized("POST /sim/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n", "{\"model\":\"sim:fault-http_status:code-400\",\"messages\":[]}")], vec![Want::Provider(400)], "the provider's error is the provider's"),
        case("fine", "{GOOD}", PASS, "no error where there is none").hides("x-proxy-error"),
    ]
}

#[test]
fn errors_say_what_to_do() {
    family(Setup::default(), &cases());
}

/// Room for one connection, and for no exchange beside one.
const NARROW: Setup = Setup {
    server: "",
    timeouts: "",
    limits: "connections = 2\nin_flight = 1",
};

#[test]
fn who_comes_over_a_limit_is_told_so() {
    let world = World::start(NARROW);
    let mut held = std::net::TcpStream::connect(world.node.address).unwrap();
    held.write_all(
        b"POST /sim/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
          Content-Length: 27\r\n\r\n{\"model\":\"sim:ft-9s:hd-9s\"}",
    )
    .unwrap();
    let open = || world.node.counters.open.load(Ordering::SeqCst);
    wait_for(|| world.node.shared.settler.in_flight() == 1);
    let ask = |closes| world.run(&[Step::Write("{GOOD}")], 1, closes);
    let busy = ask(false);
    assert_eq!(
        unlike(Want::Own(503, "overloaded"), &busy.answers[0]),
        None,
        "{busy:?}"
    );
    assert_eq!(busy.answers[0].header("retry-after"), Some("1"));
    wait_for(|| open() == 1);
    let second = std::net::TcpStream::connect(world.node.address).unwrap();
    wait_for(|| open() == 2);
    let full = ask(true);
    let answer = &full.answers[0];
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1")),
        "{full:?}"
    );
    let error: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (&error["error"]["code"], &error["error"]["type"]),
        (&"overloaded".into(), &"overloaded_error".into())
    );
    drop((held, second));
    let mut outcomes: Vec<_> = world
        .take_records()
        .iter()
        .map(|record| record.outcome)
        .collect();
    outcomes.sort();
    assert_eq!(outcomes, [Outcome::Rejected, Outcome::ClientGone]);
    assert_eq!(world.good(), None);
    world.node.stop();
}
