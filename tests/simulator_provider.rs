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
    Behaviour, Carried, Config, Framing, Pacing, Persona, Quirks, Script, Simulator, Then, Truth,
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
    // The machine may be busy with other things, but not always.
    let near = |truth: &Truth| truth.pacing_error().unwrap().p50 < Nanos::from_millis(3);
    let asked = String::from_utf8(request).unwrap();
    let again = |number: u32| {
        let id = format!("again-{number}");
        bare::stream(simulator.addr(), asked.replace("mine", &id).as_bytes()).unwrap();
        near(&simulator.truth(&id).unwrap())
    };
    assert!(
        near(&truth) || (0..200).any(again),
        "never near its schedule"
    );
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

#[test]
fn every_generating_endpoint_streams_whole_events() {
    let simulator = start();
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let paths = [
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/responses",
        "/v1/messages",
    ];
    for path in paths {
        for (extra, tools, think) in [(json!({}), false, 0), (json!({"tools": []}), true, 3)] {
            let claude = path == "/v1/messages";
            let mut body = chat("sim:n-4:think-0", true);
            if claude {
                body["max_tokens"] = json!(100);
            } else {
                body["input"] = json!("hello");
            }
            body["model"] = json!(format!("sim:n-4:think-{think}"));
            if tools && path != "/v1/completions" {
                let function = json!({"name": "weather", "parameters": schema});
                let tool = if claude {
                    json!({"name": "weather", "input_schema": schema})
                } else {
                    json!({"type": "function", "name": "weather", "function": function,
                        "parameters": schema})
                };
                body["tools"] = json!([tool]);
                body["tool_choice"] = json!({"type": "any"});
            }
            let streamed = ask(&simulator, path, &body);
            assert_eq!(
                (streamed.status, streamed.end),
                (200, ReadEnd::Complete),
                "{path} {extra}"
            );
            let datas = datas(&streamed);
            assert!(datas.len() >= 4, "{path}: {}", streamed.text());
            body["stream"] = json!(false);
            let whole = ask(&simulator, path, &body);
            assert!(
                json_of(&whole)["id"].as_str().unwrap().contains("sim-"),
                "{path}"
            );
            let truths = simulator.requests();
            let tokens = truths[truths.len() - 2].token_moments().len();
            assert_eq!(tokens as u32, truths[truths.len() - 1].tokens, "{path}");
        }
    }
}

#[test]
fn chat_speaks_tools_reasoning_choices_and_schemas() {
    let simulator = start();
    let schema = json!({"type": "object", "properties": {"x": {"type": "integer"}}});
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": schema}}]);
    let format = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": schema}});
    for (extra, pointer, wanted) in [
        (
            json!({"tools": tools, "tool_choice": "required"}),
            "/choices/0/message/tool_calls/0/function/arguments",
            json!("{\"x\":7}"),
        ),
        (
            json!({"tools": tools}),
            "/choices/0/finish_reason",
            json!("stop"),
        ),
        (json!({"n": 3}), "/choices/2/finish_reason", json!("stop")),
        (json!({"n": 3}), "/usage/completion_tokens", json!(12)),
        (
            json!({"max_tokens": 2}),
            "/choices/0/finish_reason",
            json!("length"),
        ),
        (
            json!({"max_tokens": 2}),
            "/usage/completion_tokens",
            json!(2),
        ),
        (
            json!({"response_format": format}),
            "/choices/0/message/content",
            json!("{\"x\":7}"),
        ),
        (
            json!({"reasoning_effort": "low"}),
            "/usage/completion_tokens_details/reasoning_tokens",
            json!(1),
        ),
    ] {
        let mut body = chat("sim:n-4", false);
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        let whole = json_of(&ask(&simulator, "/v1/chat/completions", &body));
        assert_eq!(whole.pointer(pointer), Some(&wanted), "{extra}: {whole}");
        // The pieces of the stream join to the same text, choice by choice.
        body["stream"] = json!(true);
        let events = datas(&ask(&simulator, "/v1/chat/completions", &body));
        let join = |field: &str| -> String {
            let choices = events
                .iter()
                .filter_map(|event| event.pointer("/choices/0"));
            let first = choices.filter(|choice| choice["index"] == 0);
            let texts = first.filter_map(|choice| choice.pointer(field)?.as_str());
            texts.collect()
        };
        let message = &whole["choices"][0]["message"];
        let arguments = message.pointer("/tool_calls/0/function/arguments");
        if let Some(arguments) = arguments {
            assert_eq!(
                join("/delta/tool_calls/0/function/arguments"),
                arguments.as_str().unwrap()
            );
        } else if extra.get("response_format").is_some() {
            assert_eq!(join("/delta/content"), message["content"].as_str().unwrap());
        }
        assert_eq!(
            join("/finish_reason"),
            whole["choices"][0]["finish_reason"].as_str().unwrap()
        );
    }
}

#[test]
fn usage_is_told_where_the_persona_tells_it() {
    use tollgate::config::settings::UsagePlace::{
        FinishChunk, GroqAndOwnChunk, OwnChunk, OwnChunkOnRequest,
    };
    for (place, asked, own, on_finish, groq) in [
        (OwnChunkOnRequest, false, 0, 0, 0),
        (OwnChunkOnRequest, true, 1, 0, 0),
        (OwnChunk, false, 1, 0, 0),
        (FinishChunk, false, 0, 1, 0),
        (FinishChunk, true, 0, 1, 0),
        (GroqAndOwnChunk, false, 0, 0, 1),
        (GroqAndOwnChunk, true, 1, 0, 1),
    ] {
        let mut quirks = Quirks::openai();
        quirks.usage_place = place;
        let simulator = Simulator::start(Config {
            personas: vec![Persona::new(quirks, Behaviour::default())],
            ..Config::default()
        })
        .unwrap();
        let mut body = chat("gpt", true);
        body["stream_options"] = json!({"include_usage": asked});
        let events = datas(&ask(&simulator, "/v1/chat/completions", &body));
        let count = |wanted: &dyn Fn(&Value) -> bool| events.iter().filter(|e| wanted(e)).count();
        let empty = |event: &Value| event["choices"].as_array().unwrap().is_empty();
        assert_eq!(
            count(&|e| e["usage"].is_object() && empty(e)),
            own,
            "{place:?} {asked}"
        );
        assert_eq!(
            count(&|e| e["usage"].is_object() && !empty(e)),
            on_finish,
            "{place:?} {asked}"
        );
        assert_eq!(
            count(&|e| e["x_groq"]["usage"].is_object()),
            groq,
            "{place:?} {asked}"
        );
    }
}

#[test]
fn wrong_credentials_unknown_models_and_paths_are_refused_in_the_personas_shape() {
    let personas = vec![
        Persona::new(Quirks::anthropic().with_key("right"), Behaviour::default()).at("/anthropic"),
        Persona::new(Quirks::openai().with_key("right"), Behaviour::default()),
    ];
    let config = Config {
        personas,
        ..Config::default()
    };
    let simulator = Simulator::start(config).unwrap();
    for (path, header, model, status, pointer, wanted) in [
        (
            "/v1/chat/completions",
            "authorization: Bearer right",
            "m",
            200,
            "/object",
            "chat.completion",
        ),
        (
            "/v1/chat/completions",
            "authorization: Bearer wrong",
            "m",
            401,
            "/error/code",
            "invalid_api_key",
        ),
        (
            "/v1/chat/completions",
            "x-other: right",
            "m",
            401,
            "/error/code",
            "invalid_api_key",
        ),
        (
            "/v1/chat/completions",
            "authorization: Bearer right",
            "a-missing-model",
            404,
            "/error/code",
            "model_not_found",
        ),
        (
            "/v1/chat/completions",
            "authorization: Bearer right",
            "sim:zz-1",
            400,
            "/error/code",
            "bad_simulator_word",
        ),
        (
            "/v1/nothing",
            "authorization: Bearer right",
            "m",
            404,
            "/error/code",
            "unknown_url",
        ),
        (
            "/anthropic/v1/messages",
            "x-api-key: right",
            "m",
            200,
            "/type",
            "message",
        ),
        (
            "/anthropic/v1/messages",
            "authorization: Bearer right",
            "m",
            200,
            "/type",
            "message",
        ),
        (
            "/anthropic/v1/messages",
            "x-api-key: wrong",
            "m",
            401,
            "/error/type",
            "authentication_error",
        ),
    ] {
        let mut body = chat(model, false);
        if path.ends_with("/messages") {
            body["max_tokens"] = json!(100);
        }
        let request = bare::post(path, &format!("{header}\r\n"), &body.to_string());
        let reading = bare::stream(simulator.addr(), &request).unwrap();
        let json = json_of(&reading);
        assert_eq!(reading.status, status, "{path} {header} {model}");
        assert_eq!(
            json.pointer(pointer),
            Some(&json!(wanted)),
            "{path} {header} {model}: {json}"
        );
        let truth = simulator.requests().pop().unwrap();
        assert_eq!(
            truth.credential.matched,
            Some(header.ends_with(" right") && header != "x-other: right")
        );
        assert!(!truth.json().to_string().contains("right\""));
    }
}

#[test]
fn a_connection_serves_one_request_after_another() {
    let simulator = start();
    let body = chat("sim:n-3", true).to_string();
    let plain = bare::post("/v1/chat/completions", "", &body);
    let chunked = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\
         5\r\n{}\r\n{:x};ext=1\r\n{}\r\n0\r\ntrailer: x\r\n\r\n",
        &body[..5],
        body.len() - 5,
        &body[5..]
    );
    let waiting = String::from_utf8(plain.clone()).unwrap();
    let waiting = waiting.replacen("host:", "expect: 100-continue\r\nhost:", 1);
    let mut connection = Connection::open(simulator.addr()).unwrap();
    for request in [&plain[..], chunked.as_bytes(), waiting.as_bytes()] {
        let reading = connection.exchange(request).unwrap();
        assert_eq!((reading.status, reading.events().len()), (200, 6));
    }
    // Pipelined: both answers come, in order.
    let first = connection.exchange(&plain.repeat(2)).unwrap();
    let second = connection.read(first.sent_at, false, usize::MAX);
    assert_eq!((first.status, second.status), (200, 200));
    let truths = simulator.requests();
    let places: Vec<_> = truths
        .iter()
        .map(|truth| (truth.connection, truth.place))
        .collect();
    assert_eq!(places, [(1, 0), (1, 1), (1, 2), (1, 3), (1, 4)]);
    assert!(truths[1].reused());
    let lengths: Vec<_> = truths.iter().map(|truth| truth.request_bytes).collect();
    assert!(
        lengths.iter().all(|length| *length == body.len() as u64),
        "{lengths:?}"
    );
}

#[test]
fn other_endpoints_answer_plausibly() {
    let simulator = start();
    let body = json!({"model": "m", "input": ["a", "b"], "encoding_format": "base64"}).to_string();
    let count = chat("m", false);
    let count = json!({"model": count["model"], "messages": count["messages"]}).to_string();
    for (request, pointer) in [
        (bare::post("/v1/embeddings", "", &body), "/data/1/embedding"),
        (
            bare::post("/v1/messages/count_tokens", "", &count),
            "/input_tokens",
        ),
        (
            bare::post("/v1/images/generations", "", &body),
            "/data/0/b64_json",
        ),
        (
            bare::post("/v1/moderations", "", &body),
            "/results/0/flagged",
        ),
        (bare::post("/v1/rerank", "", &body), "/results/0/index"),
        (bare::post("/v1/files", "", &body), "/bytes"),
        (bare::post("/v1/batches", "", "{}"), "/status"),
        (bare::get("/v1/models"), "/data/0/id"),
        (bare::get("/openai/v1/models/x/y"), "/id"),
        (bare::get("/health"), "/status"),
        (bare::get("/truth"), "/ids/0"),
    ] {
        let reading = bare::stream(simulator.addr(), &request).unwrap();
        let head = String::from_utf8_lossy(&request)
            .lines()
            .next()
            .unwrap()
            .to_owned();
        assert_eq!(reading.status, 200, "{head}");
        assert!(
            json_of(&reading).pointer(pointer).is_some(),
            "{head}: {}",
            reading.text()
        );
    }
    let speech = bare::post("/v1/audio/speech", "", "{\"model\":\"sim:n-5:cb-100\"}");
    let reading = bare::stream(simulator.addr(), &speech).unwrap();
    assert_eq!((reading.body.len(), reading.chunks), (500, 5));
    let truth = bare::stream(simulator.addr(), &bare::get("/truth/nobody")).unwrap();
    assert_eq!(truth.status, 404);
}

#[test]
fn events_are_split_merged_and_kept_alive_as_told() {
    let quirks = Quirks {
        keepalive: tollgate::config::settings::Keepalive::BareComment,
        ..Quirks::openai()
    };
    let simulator = Simulator::start(Config {
        personas: vec![Persona::new(quirks, Behaviour::default())],
        ..Config::default()
    })
    .unwrap();
    // Role, tokens, finish, terminator; a head and an end of the framing besides.
    for (words, writes, comments) in [
        ("n-4", 9, 0),
        ("n-4:split-3", 2 + 7 * 3, 0),
        ("n-4:merge-100", 3, 0),
        ("n-4:tpe-2", 7, 0),
        ("n-1:ft-70ms:ka-20ms", 9, 3),
    ] {
        let reading = ask(
            &simulator,
            "/v1/chat/completions",
            &chat(&format!("sim:{words}"), true),
        );
        let truth = simulator.requests().pop().unwrap();
        assert_eq!(truth.writes.len(), writes, "{words}");
        assert_eq!(
            truth.writes.iter().map(|w| w.carried.tokens).sum::<u32>(),
            truth.tokens
        );
        assert_eq!(reading.text().matches(":\n\n").count(), comments, "{words}");
    }
}

#[test]
fn scripts_are_played_byte_for_byte_at_every_cut() {
    let simulator = start();
    let body: bytes::Bytes = "data: {\"a\":\"ü\"}\n\ndata: [DONE]\n\n".into();
    for cut in 0..body.len() {
        let script = Script::cut("text/event-stream", &body, &[cut], Nanos(0));
        simulator.play("fixture", script);
        let reading = ask(&simulator, "/v1/chat/completions", &chat("fixture", true));
        assert_eq!(reading.body, body, "{cut}");
        assert_eq!(reading.chunks, if cut == 0 { 1 } else { 2 });
    }
    for (framing, then, end) in [
        (Framing::ContentLength, Then::KeepAlive, ReadEnd::Complete),
        (Framing::Close, Then::Fin, ReadEnd::Delimited),
        (Framing::Chunked, Then::Reset, ReadEnd::Reset),
        (Framing::AsGiven, Then::Fin, ReadEnd::Delimited),
    ] {
        let mut script = Script::cut("text/plain", &body, &[3, 9], Nanos::from_millis(2));
        script.framing = framing;
        script.then = then;
        if framing == Framing::AsGiven {
            script.head = "HTTP/1.1 200 Fine\r\nx-y: z\r\n\r\n".into();
        }
        simulator.play("/v1/whole/path", script);
        let reading = ask(&simulator, "/v1/whole/path", &chat("m", true));
        assert_eq!(
            (&reading.body[..], reading.end),
            (&body[..], end),
            "{framing:?}"
        );
    }
    simulator.forget("fixture");
    assert!(ask(&simulator, "/v1/chat/completions", &chat("fixture", true)).body != body);
}

#[test]
fn tls_is_spoken_where_it_is_configured() {
    use std::io::{Read as _, Write as _};
    use std::sync::Arc;

    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let certificate = made.cert.der().clone();
    let server = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let simulator = Simulator::start(Config {
        tls: Some(Arc::new(server)),
        ..Config::default()
    })
    .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let session = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
    let socket = std::net::TcpStream::connect(simulator.addr()).unwrap();
    let mut stream = rustls::StreamOwned::new(session, socket);
    let body = chat("sim:n-3", true).to_string();
    let request = bare::post("/v1/chat/completions", "connection: close\r\n", &body);
    stream.write_all(&request).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("[DONE]"), "{text}");
}

#[test]
fn stopping_lets_exchanges_at_work_end() {
    let simulator = start();
    let address = simulator.addr();
    let idle = Connection::open(address).unwrap();
    let reader = std::thread::spawn(move || {
        let body = chat("sim:n-3:ft-150ms", true).to_string();
        bare::stream(address, &bare::post("/v1/chat/completions", "", &body)).unwrap()
    });
    while simulator.request_count() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    simulator.stop();
    assert_eq!(reader.join().unwrap().end, ReadEnd::Complete);
    assert!(Connection::open(address).is_err());
    drop(idle);
}

#[test]
fn large_bodies_are_read_and_several_threads_serve() {
    let simulator = Simulator::start(Config {
        threads: 2,
        body_bytes_max: 40 << 20,
        ..Config::default()
    })
    .unwrap();
    let text = "x".repeat(32 << 20);
    let body = json!({"model": "sim:n-1", "messages": [{"role": "user", "content": text}]});
    let answer = json_of(&ask(&simulator, "/v1/chat/completions", &body));
    assert_eq!(answer["usage"]["prompt_tokens"], 8 << 20);
    for _ in 0..8 {
        assert_eq!(
            ask(&simulator, "/v1/chat/completions", &chat("m", false)).status,
            200
        );
    }
    let head = b"POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n";
    let refused = bare::stream(simulator.addr(), head).unwrap();
    assert_eq!(
        (refused.status, refused.header("connection")),
        (413, Some("close"))
    );
}

#[test]
fn the_same_seed_draws_the_same_answer() {
    let simulator = start();
    let text = |model: &str| {
        let answer = json_of(&ask(
            &simulator,
            "/v1/chat/completions",
            &chat(model, false),
        ));
        answer["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(text("sim:seed-7:n-9"), text("sim:n-9:seed-7"));
    assert_ne!(text("sim:seed-7:n-9"), text("sim:seed-8:n-9"));
}
