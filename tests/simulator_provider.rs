//! Asks the simulated providers by bare socket, and judges answers, schedules and truths.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use serde_json::{Value, json};
use tollgate::record::{Moment, Nanos};
use tollgate::simulator::bare::{self, Connection, ReadEnd, Reading};
use tollgate::simulator::{
    Behaviour, Carried, Config, Framing, Pacing, PeerEnd, Persona, Quirks, Script, Simulator, Then,
};

fn start() -> Simulator {
    Simulator::start(Config::default()).unwrap()
}

fn ask(simulator: &Simulator, path: &str, body: &Value) -> Reading {
    let request = bare::post(path, "", &body.to_string());
    bare::stream(simulator.addr(), &request).unwrap()
}

fn chat(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "hi there"}]})
}

/// The JSON of each event's data, `[DONE]` left out.
fn datas(reading: &Reading) -> Vec<Value> {
    let text = reading.text();
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    lines
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{data}: {error}")))
        .collect()
}

fn json_of(reading: &Reading) -> Value {
    serde_json::from_slice(&reading.body).unwrap_or_else(|_| panic!("{}", reading.text()))
}

#[test]
fn a_plain_chat_is_whole_and_its_usage_is_right() {
    let simulator = start();
    let reading = ask(&simulator, "/v1/chat/completions", &chat("sim:n-5", false));
    assert_eq!((reading.status, reading.end), (200, ReadEnd::Complete));
    let answer = json_of(&reading);
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["usage"]["prompt_tokens"], 2);
    assert_eq!(answer["usage"]["completion_tokens"], 5);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let id = answer["id"].as_str().unwrap();
    let truth = simulator.truth(id).unwrap();
    assert_eq!((truth.tokens, truth.place, truth.status), (5, 0, Some(200)));
}

#[test]
fn a_streamed_chat_keeps_its_schedule_and_tells_the_truth() {
    let config = Config {
        pacing: Pacing::Precise,
        ..Config::default()
    };
    let simulator = Simulator::start(config).unwrap();
    let model = "sim:ft-30ms:gap-4ms:n-20";
    let mut body = chat(model, true);
    body["stream_options"] = json!({"include_usage": true});
    let request = bare::post(
        "/v1/chat/completions",
        "x-sim-id: mine\r\n",
        &body.to_string(),
    );
    let reading = bare::stream(simulator.addr(), &request).unwrap();
    let events = reading.events();
    // Role, 20 tokens, finish, usage, [DONE].
    assert_eq!(events.len(), 24, "{}", reading.text());
    let truth = simulator.truth("mine").unwrap();
    let start = truth.received_at.unwrap();
    let moments = truth.token_moments();
    assert_eq!(moments.len(), 20);
    for (token, at) in moments.iter().enumerate() {
        let due = start.plus(Nanos::from_millis(30 + 4 * token as u64));
        assert!(*at >= due, "token {token} early");
        // The reader sees a token after its write, never before.
        assert!(events[token + 1].at > *at);
    }
    let error = truth.pacing_error().unwrap();
    assert!(error.p50 < Nanos(500_000), "{error:?}");
    let wire: u64 = truth
        .writes
        .iter()
        .map(|write| u64::from(write.wire_bytes))
        .sum();
    let read: usize = reading.reads.iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(
        (wire, truth.body_bytes),
        (read as u64, reading.body.len() as u64)
    );
    let mut last = Moment(0);
    for write in &truth.writes {
        assert!(write.at >= last);
        last = write.at;
    }
    assert!(truth.at(Carried::USAGE).is_some() && truth.at(Carried::DONE).is_some());
    assert_eq!(simulator.truth(&truth.id).unwrap().id, truth.id);
}
