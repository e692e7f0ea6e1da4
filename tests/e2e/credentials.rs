//! Takes requests to providers with several keys, and by the clouds' logins, to a desk that answers
//! by what credential it is shown.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use tollgate::clock::Clock;
use tollgate::config::settings::Settings;
use tollgate::config::{self, Sources};
use tollgate::edge::credentials::{Signed, SigningKeys, sign};
use tollgate::proxy::outlook;
use tollgate::record::{ErrorClass, Moment, Nanos, Outcome, WallTime};
use tollgate::routing::health::State;
use tollgate::simulator::{Config, Simulator};

use crate::support::{Ask, Rig};

/// A request as it came.
#[derive(Debug, Clone, Default)]
struct Heard {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }
}

type Answer = Box<dyn Fn(&Heard) -> (u16, &'static str, String) + Send>;

/// A server that answers by what it is shown, one connection at a time.
struct Desk {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    over: Arc<AtomicBool>,
}

impl Desk {
    /// `answer` gives status, a header line or nothing, and body.
    fn open(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, over) = (
            Arc::<Mutex<Vec<Heard>>>::default(),
            Arc::<AtomicBool>::default(),
        );
        let (notes, stop) = (Arc::clone(&heard), Arc::clone(&over));
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let Some(request) = read(&mut BufReader::new(stream.try_clone().unwrap())) else {
                    continue;
                };
                let (status, header, body) = answer(&request);
                notes.lock().unwrap().push(request);
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\n{header}\
                     content-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all((head + &body).as_bytes());
            }
        });
        Self {
            address,
            heard,
            over,
        }
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Heard> {
    let mut heard = Heard::default();
    reader.read_line(&mut heard.line).ok()?;
    heard.line.truncate(heard.line.trim_end().len());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        heard.headers.push((name.to_owned(), value.to_owned()));
    }
    let mut body = vec![0; heard.header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    heard.body = String::from_utf8(body).ok()?;
    Some(heard)
}

fn settings(text: &str, variables: &[(&str, &str)]) -> Settings {
    let get = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let sources = Sources {
        text: Some(text),
        file: "credentials.toml",
        env: &get,
        read_file: &|_| Err(io::Error::other("these tests read no files")),
        read_text: &|_| Err(io::Error::other("these tests read no files")),
        data_dir: std::env::temp_dir(),
        cores: 1,
    };
    match config::load(&sources) {
        Ok(loaded) => loaded.settings,
        Err(problems) => panic!("{problems}\n{text}"),
    }
}

fn rig(settings: Settings) -> Rig {
    Rig::of(Simulator::start(Config::default()).unwrap(), settings)
}

fn chat() -> String {
    json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    })
    .to_string()
}

fn refusal(code: &str) -> String {
    json!({"error": {"message": "no", "type": code, "code": code}}).to_string()
}

/// A provider with three keys at `desk`.
fn three_keys(desk: &Desk) -> Rig {
    let text = format!(
        "[providers.three]\nbase_url = \"http://{}/v1\"\napi_keys = [\"sk-one\", \"sk-two\", \
         \"sk-three\"]\n",
        desk.address
    );
    rig(settings(&text, &[]))
}

fn shown(desk: &Desk) -> Vec<String> {
    let of = |heard: &Heard| heard.header("authorization").replace("Bearer sk-", "");
    desk.heard().iter().map(of).collect()
}

#[test]
fn a_limited_or_refused_key_is_left_alone_and_the_next_one_is_a_step_of_its_own() {
    let desk = Desk::open(Box::new(|heard| match heard.header("authorization") {
        "Bearer sk-one" => (429, "retry-after: 60\r\n", refusal("rate_limit_exceeded")),
        "Bearer sk-two" => (401, "", refusal("invalid_api_key")),
        _ => (200, "", chat()),
    }));
    let rig = three_keys(&desk);
    let ask = Ask::chat("m", false).to("/three");
    let reading = rig.send(&ask);
    assert_eq!(reading.status, 200, "{}", reading.text());
    assert_eq!(shown(&desk), ["one", "two", "three"]);
    let record = rig.record(&ask);
    let classes: Vec<_> = record.attempts.iter().map(|of| of.error_class).collect();
    let expected = [Some(ErrorClass::RateLimited), Some(ErrorClass::Auth), None];
    assert_eq!(classes, expected);
    let mut credentials: Vec<_> = record.attempts.iter().map(|of| of.credential).collect();
    credentials.sort_unstable();
    credentials.dedup();
    assert_eq!(credentials.len(), 3, "each attempt says which key it was");
    assert!(
        record
            .attempts
            .iter()
            .all(|of| of.provider.as_str() == "three")
    );
    assert_eq!(record.decision, None, "one route is no choice");
    // The limited one cools and the refused one is held: neither is asked again.
    let ask = Ask::chat("m", false).to("/three");
    assert_eq!(rig.send(&ask).status, 200);
    assert_eq!(rig.record(&ask).attempts.len(), 1);
    assert_eq!(shown(&desk)[3..], ["three"]);
    // Each is shown by its number, and the third as the one that would be taken.
    let now = outlook::standing(&rig.node().shared);
    let route = &now.others[0];
    let keys = route.keys.iter();
    let keys: Vec<_> = keys
        .map(|key| (key.number, key.state, key.why, key.next))
        .collect();
    let expected = [
        (1, State::Cooling, Some("rate_limited"), false),
        (2, State::CredentialHeld, Some("auth"), false),
        (3, State::Closed, None, true),
    ];
    assert_eq!(keys, expected);
    assert_eq!(route.state, State::Closed);
    let left = route.keys[0].seconds_left(now.at).unwrap();
    assert!((55..=60).contains(&left), "{left}");
}

#[test]
fn many_keys_leave_the_last_try_to_another_route() {
    let desk = Desk::open(Box::new(|heard| match heard.header("authorization") {
        "Bearer sk-well" => (200, "", chat()),
        _ => (429, "retry-after: 60\r\n", refusal("rate_limit_exceeded")),
    }));
    let keys: Vec<String> = (0..12).map(|n| format!("\"sk-{n}\"")).collect();
    for attempts in [3, 8] {
        let text = format!(
            "[failover]\nattempts = {attempts}\n\
             [providers.many]\nbase_url = \"http://{at}/v1\"\napi_keys = [{}]\n\
             [providers.good]\nbase_url = \"http://{at}/v1\"\napi_key = \"sk-well\"\n\
             [models.m]\nroutes = [{{ provider = \"many\" }}, {{ provider = \"good\" }}]\n",
            keys.join(", "),
            at = desk.address,
        );
        let rig = rig(settings(&text, &[]));
        let ask = Ask::chat("m", false).to("");
        let reading = rig.send(&ask);
        assert_eq!(reading.status, 200, "{}", reading.text());
        let record = rig.record(&ask);
        assert_eq!(record.attempts.len(), attempts);
        assert_eq!(record.attempts[attempts - 1].provider.as_str(), "good");
    }
}

#[test]
fn keys_take_turns_and_the_one_nearest_its_limit_comes_last() {
    let desk = Desk::open(Box::new(|heard| {
        let left = match heard.header("authorization") {
            "Bearer sk-two" => {
                "x-ratelimit-limit-requests: 100\r\nx-ratelimit-remaining-requests: 10\r\nx-ratelimit-reset-requests: 60s\r\n"
            }
            _ => {
                "x-ratelimit-limit-requests: 100\r\nx-ratelimit-remaining-requests: 99\r\nx-ratelimit-reset-requests: 60s\r\n"
            }
        };
        (200, left, chat())
    }));
    let rig = three_keys(&desk);
    for _ in 0..7 {
        let ask = Ask::chat("m", false).to("/three");
        assert_eq!(rig.send(&ask).status, 200);
        rig.record(&ask);
    }
    let shown = shown(&desk);
    assert_eq!(shown[..3], ["one", "two", "three"]);
    let of = |name: &str| shown[3..].iter().filter(|key| *key == name).count();
    assert_eq!((of("one"), of("two"), of("three")), (2, 0, 2), "{shown:?}");
}

#[test]
fn a_failing_provider_is_not_asked_again_with_another_key() {
    let desk = Desk::open(Box::new(|_| (500, "", refusal("server_error"))));
    let rig = three_keys(&desk);
    let ask = Ask::chat("m", false).to("/three");
    assert_eq!(rig.send(&ask).status, 500);
    assert_eq!(rig.record(&ask).attempts.len(), 1);
    assert_eq!(desk.heard().len(), 1);
}

#[test]
fn when_every_key_is_limited_the_client_gets_the_providers_own_word() {
    let desk = Desk::open(Box::new(|_| {
        (429, "retry-after: 7\r\n", refusal("rate_limit_exceeded"))
    }));
    let rig = three_keys(&desk);
    let ask = Ask::chat("m", true).to("/three");
    let reading = rig.send(&ask);
    assert_eq!(reading.status, 429);
    assert!(reading.text().contains("rate_limit_exceeded"));
    let record = rig.record(&ask);
    assert_eq!(
        (record.attempts.len(), record.outcome),
        (3, Outcome::RateLimited)
    );
}

#[test]
fn a_refused_key_is_left_alone_while_another_one_is_only_limited() {
    let desk = Desk::open(Box::new(|heard| match heard.header("authorization") {
        "Bearer sk-one" => (401, "", refusal("invalid_api_key")),
        _ => (429, "retry-after: 60\r\n", refusal("rate_limit_exceeded")),
    }));
    let rig = three_keys(&desk);
    // A client that is told 401 takes its own key for wrong and ends; told 429, it waits.
    for _ in 0..4 {
        let ask = Ask::chat("m", false).to("/three");
        assert_eq!(rig.send(&ask).status, 429);
        rig.record(&ask);
    }
    let shown = shown(&desk);
    assert_eq!(shown[..3], ["one", "two", "three"]);
    assert!(!shown[3..].contains(&"one".to_owned()), "{shown:?}");
}

const CLIENT: &str = "AWS4-HMAC-SHA256 Credential=AKCLIENT/20261122/eu-west-1/bedrock/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=0123";

/// A request as boto3 sends it to an endpoint of its own.
fn signed_by_the_client() -> Ask {
    let path = "/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse";
    Ask::post(
        path,
        &json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}),
    )
    .to("/bedrock-eu-west-1")
    .header("authorization", CLIENT)
    .header("x-amz-date", "20261122T100000Z")
    .header("x-amz-security-token", "CANARY-SESSION")
}

#[test]
fn a_clients_signature_is_taken_off_and_the_request_signed_anew() {
    let answer = json!({
        "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
        "stopReason": "end_turn", "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    });
    let answer = answer.to_string();
    let desk = Desk::open(Box::new(move |_| (200, "", answer.clone())));
    let text = format!(
        "[providers.bedrock-eu-west-1]\nbase_url = \"http://{}\"\nlogin = \"aws\"\n",
        desk.address
    );
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKOURS"),
        ("AWS_SECRET_ACCESS_KEY", "CANARY-SECRET"),
    ];
    let rig = rig(settings(&text, &variables));
    let ask = signed_by_the_client();
    let reading = rig.send(&ask);
    assert_eq!(reading.status, 200, "{}", reading.text());
    let heard = &desk.heard()[0];
    assert_eq!(heard.header("x-amz-security-token"), "");
    assert_ne!(heard.header("x-amz-date"), "20261122T100000Z");
    assert!(!format!("{heard:?}").contains("CANARY"), "{heard:?}");
    // The signature is that of the bytes that came.
    let stamp = heard.header("x-amz-date");
    let number = |range: std::ops::Range<usize>| stamp[range].parse::<i64>().unwrap();
    let day = WallTime::of_day(number(0..4), number(4..6), number(6..8)).unwrap();
    let at = day.plus_secs(number(9..11) * 3_600 + number(11..13) * 60 + number(13..15));
    let mut headers = HeaderMap::new();
    let content = HeaderValue::from_str(heard.header("content-type")).unwrap();
    headers.insert(HeaderName::from_static("content-type"), content);
    let request = Signed {
        method: &Method::POST,
        authority: &desk.address.to_string(),
        target: heard.line.split(' ').nth(1).unwrap(),
        body: heard.body.as_bytes(),
        region: "eu-west-1",
        service: "bedrock",
    };
    let keys = SigningKeys {
        id: "AKOURS".to_owned(),
        secret: "CANARY-SECRET".to_owned().into(),
        token: None,
    };
    sign(&request, &keys, &mut headers, at).unwrap();
    assert_eq!(headers["authorization"], heard.header("authorization"));
    let record = rig.record(&ask);
    assert!(!record.attempts[0].client_credential);
    assert!(!format!("{record:?}").contains("CANARY"));
}

#[test]
fn without_a_credential_of_ours_a_clients_signature_is_refused_with_the_reason() {
    let desk = Desk::open(Box::new(|_| (200, "", "{}".to_owned())));
    let text = format!(
        "[providers.bedrock-eu-west-1]\nbase_url = \"http://{}\"\n",
        desk.address
    );
    let rig = rig(settings(&text, &[]));
    let reading = rig.send(&signed_by_the_client());
    assert_eq!(reading.status, 401);
    let text = reading.text();
    for part in ["holds for one host only", "AWS_PROFILE"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("CANARY"), "{text}");
    assert!(desk.heard().is_empty());
}

#[test]
fn a_token_that_is_refused_is_got_anew_once_and_the_client_sees_nothing_of_it() {
    let answer = json!({
        "candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
    });
    let answer = answer.to_string();
    let good = Arc::new(Mutex::new("CANARY-1"));
    let taken = Arc::clone(&good);
    let desk = Desk::open(Box::new(move |heard| {
        if heard.header("authorization") == format!("Bearer {}", taken.lock().unwrap()) {
            return (200, "", answer.clone());
        }
        let body = json!({"error": {"code": 401, "message": "no", "status": "UNAUTHENTICATED"}});
        (401, "", body.to_string())
    }));
    let tokens = Mutex::new(VecDeque::from(["CANARY-1", "CANARY-2", "CANARY-3"]));
    let logins = Desk::open(Box::new(move |_| {
        let token = tokens.lock().unwrap().pop_front().unwrap();
        let body = json!({"access_token": token, "expires_in": 3600, "token_type": "Bearer"});
        (200, "", body.to_string())
    }));
    let text = format!(
        "[providers.vertex]\nbase_url = \"http://{}/v1/projects/p/locations/global\"\nlogin = \"google\"\n",
        desk.address
    );
    let clock = Clock::manual(Moment(1_000_000_000), WallTime(1_795_341_600_000_000));
    let simulator = Simulator::start(Config::default()).unwrap();
    let rig = Rig::at(
        simulator,
        settings(&text, &[]),
        clock.clone(),
        Some(logins.address),
    );
    let path =
        "/v1/projects/x/locations/y/publishers/google/models/gemini-2.5-flash:generateContent";
    let ask = || {
        Ask::post(
            path,
            &json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
        )
        .to("/vertex")
    };
    let first = ask();
    assert_eq!(rig.send(&first).status, 200);
    assert_eq!(rig.record(&first).attempts.len(), 1);
    // The token is taken back before its time.
    *good.lock().unwrap() = "CANARY-2";
    clock.advance(Nanos::from_millis(60_000));
    let second = ask();
    let status = rig.send(&second).status;
    assert_eq!(
        status,
        200,
        "{:?} {:?}",
        rig.record(&second).attempts,
        logins.heard()
    );
    let record = rig.record(&second);
    let statuses: Vec<_> = record.attempts.iter().map(|of| of.status).collect();
    assert_eq!(statuses, [Some(401), Some(200)]);
    assert_eq!(record.attempts[0].credential, record.attempts[1].credential);
    assert!(!format!("{record:?}").contains("CANARY"));
    // A new one that is refused too is wrong, and the client sees the provider's own word.
    *good.lock().unwrap() = "CANARY-9";
    clock.advance(Nanos::from_millis(60_000));
    let third = ask();
    let reading = rig.send(&third);
    assert_eq!((reading.status, logins.heard().len()), (401, 3));
    assert!(reading.text().contains("UNAUTHENTICATED"));
    assert!(!reading.text().contains("CANARY"));
    let hosts: Vec<_> = desk
        .heard()
        .iter()
        .map(|of| of.header("host").to_owned())
        .collect();
    assert!(
        hosts.iter().all(|host| *host == desk.address.to_string()),
        "{hosts:?}"
    );
}

#[test]
fn a_login_that_fails_tells_the_client_no_files_and_the_next_route_answers() {
    let desk = Desk::open(Box::new(|_| (200, "", chat())));
    let logins = Desk::open(Box::new(|_| (404, "", String::new())));
    let text = format!(
        "[providers.closed]\nbase_url = \"http://{0}/closed\"\nlogin = \"google\"\n\
         [providers.open]\nbase_url = \"http://{0}/open\"\napi_key = \"sk-one\"\n\
         [models.m]\nroutes = [{{ provider = \"closed\" }}, {{ provider = \"open\" }}]\n",
        desk.address
    );
    let simulator = Simulator::start(Config::default()).unwrap();
    let (clock, settings) = (Clock::system(), settings(&text, &[]));
    let rig = Rig::at(simulator, settings, clock, Some(logins.address));
    let reading = rig.send(&Ask::chat("any", false).to("/closed"));
    assert_eq!(reading.status, 401);
    // What was tried names files, variables and hosts of this machine: that is the log's.
    let text = reading.text();
    assert!(text.contains("provider closed"), "{text}");
    assert!(text.contains("the log of tollgate says why"), "{text}");
    assert!(!text.contains("GOOGLE_APPLICATION_CREDENTIALS"), "{text}");
    let ask = Ask::chat("m", false).to("");
    assert_eq!(rig.send(&ask).status, 200);
    assert!(
        desk.heard()[0].line.starts_with("POST /open/"),
        "{:?}",
        desk.heard()[0]
    );
}

/// An answer of the responses' API, made by the key that asked for it.
fn response(heard: &Heard) -> String {
    let key = heard.header("authorization").replace("Bearer sk-", "");
    json!({
        "id": format!("resp_{key}"), "object": "response", "created_at": 1, "status": "completed",
        "model": "m", "output": [{"type": "message", "id": "msg_1", "role": "assistant",
            "status": "completed", "content": [{"type": "output_text", "text": "hi"}]}],
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
    })
    .to_string()
}

/// The same, of one that speaks the responses' API.
fn three_keys_of_responses(desk: &Desk) -> Rig {
    let text = format!(
        "[providers.three]\nbase_url = \"http://{}/v1\"\napi_keys = [\"sk-one\", \"sk-two\", \
         \"sk-three\"]\nspeaks = [\"openai-responses\"]\n",
        desk.address
    );
    rig(settings(&text, &[]))
}

#[test]
fn what_refers_to_an_answer_goes_with_the_key_that_made_it() {
    let desk = Desk::open(Box::new(|heard| (200, "", response(heard))));
    let rig = three_keys_of_responses(&desk);
    let send = |extra: Value| {
        let ask = Ask::responses("m", false).with(&extra).to("/three");
        assert_eq!(rig.send(&ask).status, 200);
        // An answer is known once its exchange is settled.
        rig.record(&ask);
    };
    // Keys take turns where nothing is referred to, and each is asked again for what it made.
    for _ in 0..3 {
        send(json!({}));
    }
    assert_eq!(shown(&desk), ["one", "two", "three"]);
    for key in ["three", "two", "two", "three", "one"] {
        send(json!({"previous_response_id": format!("resp_{key}")}));
        assert_eq!(shown(&desk).last().unwrap(), key);
    }
    for method in ["GET", "DELETE"] {
        let ask = Ask::new(method, "/v1/responses/resp_two").to("/three");
        assert_eq!(rig.send(&ask).status, 200);
        rig.record(&ask);
        assert_eq!(shown(&desk).last().unwrap(), "two", "{method}");
    }
    // What nobody here saw made goes with the first key, always the same.
    for _ in 0..2 {
        for extra in [
            json!({"previous_response_id": "resp_of_yesterday"}),
            json!({"conversation": "conv_1"}),
            json!({"background": true}),
            json!({"store": true}),
        ] {
            send(extra);
            assert_eq!(shown(&desk).last().unwrap(), "one");
        }
    }
}

#[test]
fn a_bound_request_gets_the_refusal_of_its_own_key() {
    let desk = Desk::open(Box::new(|heard| match heard.header("authorization") {
        "Bearer sk-one" => (429, "retry-after: 60\r\n", refusal("rate_limit_exceeded")),
        _ => (200, "", response(heard)),
    }));
    let rig = three_keys_of_responses(&desk);
    for _ in 0..2 {
        let bound = json!({"conversation": "conv_1"});
        let ask = Ask::responses("m", false).with(&bound).to("/three");
        assert_eq!(rig.send(&ask).status, 429);
        assert_eq!(rig.record(&ask).attempts.len(), 1);
    }
    // To keep an answer is no reason not to get one.
    let kept = json!({"store": true});
    let ask = Ask::responses("m", false).with(&kept).to("/three");
    assert_eq!(rig.send(&ask).status, 200);
    assert_eq!(shown(&desk), ["one", "one", "two"]);
}

#[test]
fn amazons_sdks_need_not_say_that_they_send_json() {
    let desk = Desk::open(Box::new(|_| {
        let answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1}});
        (200, "", answer.to_string())
    }));
    let text = format!(
        "[providers.bedrock-eu-west-1]\nbase_url = \"http://{}\"\napi_key = \"k\"\n",
        desk.address
    );
    let rig = rig(settings(&text, &[]));
    let body = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}]});
    let path = "/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke";
    for (credential, expected) in [(true, 200), (false, 415)] {
        let ask = Ask::new("POST", path)
            .to("/bedrock-eu-west-1")
            .body(body.to_string());
        let ask = if credential {
            ask.header("authorization", CLIENT)
        } else {
            ask
        };
        assert_eq!(rig.send(&ask).status, expected, "{credential}");
    }
}

#[test]
fn a_machines_metadata_are_asked_where_the_environment_says() {
    let desk = Desk::open(Box::new(|heard| {
        let text = json!({
            "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
        });
        let keys = json!({"AccessKeyId": "ASIAMACHINE", "SecretAccessKey": "CANARY-SECRET",
            "Token": "CANARY-TOKEN", "Expiration": "2126-11-22T12:00:00+01:00"});
        let google = json!({"access_token": "CANARY-GOOGLE", "expires_in": 3600});
        let path = heard.line.split(' ').nth(1).unwrap_or_default();
        let body = match path {
            "/latest/api/token" => "imds".to_owned(),
            "/latest/meta-data/iam/security-credentials/" => "my-role".to_owned(),
            "/latest/meta-data/iam/security-credentials/my-role" => keys.to_string(),
            _ if path.starts_with("/computeMetadata/v1/") => google.to_string(),
            _ if path.contains("/converse") => text.to_string(),
            _ => chat(),
        };
        (200, "", body)
    }));
    let at = desk.address;
    let text = format!(
        "[providers.bedrock-eu-west-1]\nbase_url = \"http://{at}\"\nlogin = \"aws\"\n\
         [providers.google]\nbase_url = \"http://{at}/v1\"\nlogin = \"google\"\n"
    );
    let endpoint = format!("http://{at}/");
    let host = at.to_string();
    let rig = rig(settings(
        &text,
        &[
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint),
            ("GCE_METADATA_HOST", &host),
        ],
    ));
    let asked = [
        Ask::post(
            "/model/m/converse",
            &json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}),
        )
        .to("/bedrock-eu-west-1"),
        Ask::chat("m", false).to("/google"),
    ];
    for ask in asked {
        let reading = rig.send(&ask);
        assert_eq!(reading.status, 200, "{}", reading.text());
    }
    let heard = desk.heard();
    let calls: Vec<&Heard> = heard
        .iter()
        .filter(|of| of.line.starts_with("POST"))
        .collect();
    assert!(
        calls[0]
            .header("authorization")
            .starts_with("AWS4-HMAC-SHA256 Credential=ASIAMACHINE/"),
        "{:?}",
        calls[0]
    );
    assert_eq!(calls[0].header("x-amz-security-token"), "CANARY-TOKEN");
    assert_eq!(calls[1].header("authorization"), "Bearer CANARY-GOOGLE");
}
