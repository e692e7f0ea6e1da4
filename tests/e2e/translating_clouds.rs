//! A client that speaks OpenAI chat is answered by Gemini and by Bedrock in their own languages.

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate::record::{ErrorClass, Language, Nanos, Outcome, TokenSource};
use tollgate::simulator::{Framing, Script, Then};

use crate::support::{Ask, Rig};

/// Both clouds, at the simulator's root: it knows them by their paths.
const CLOUDS: &str = r#"
[providers.ge]
dialect = "gemini"
base_url = "http://{sim}"
api_key = "{key}"

[providers.br]
dialect = "bedrock"
base_url = "http://{sim}"
api_key = "{key}"
"#;

/// A provider: its name, its language, what its paths say of a whole answer and of a stream.
type Cloud = (&'static str, Language, [&'static str; 2]);

const BOTH: [Cloud; 2] = [
    (
        "/ge",
        Language::GeminiGenerate,
        [":generateContent", ":streamGenerateContent?alt=sse"],
    ),
    (
        "/br",
        Language::BedrockConverse,
        ["/converse", "/converse-stream"],
    ),
];

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    json!([{"type": "function", "function": {"name": "weather", "parameters": schema}}])
}

/// A chat request in these words, with a tool where they want it called.
fn ask(words: &str, stream: bool, provider: &str) -> Ask {
    let ask = Ask::chat(&format!("sim:{words}"), stream).to(provider);
    let ask = if stream {
        ask.with(&json!({"stream_options": {"include_usage": true}}))
    } else {
        ask
    };
    if words.contains("tools-") {
        ask.with(&json!({"tools": tools(), "tool_choice": "required"}))
    } else {
        ask
    }
}

/// The chunks of a stream, and whether its terminator came.
fn chunks(text: &str) -> (Vec<Value>, bool) {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let (mut chunks, mut done) = (Vec::new(), false);
    for data in data {
        assert!(!done, "something follows [DONE]: {text}");
        match serde_json::from_str(data) {
            Ok(chunk) => chunks.push(chunk),
            Err(_) => done = data == "[DONE]",
        }
    }
    (chunks, done)
}

/// What a client makes of a stream: a message as in a whole answer, and the reason of its end.
fn gathered(chunks: &[Value]) -> (Value, String) {
    let (mut content, mut reasoning, mut finish) = (String::new(), String::new(), String::new());
    let (mut calls, mut details): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        content += delta["content"].as_str().unwrap_or_default();
        reasoning += delta["reasoning_content"].as_str().unwrap_or_default();
        finish += choice["finish_reason"].as_str().unwrap_or_default();
        details.extend(
            delta["reasoning_details"]
                .as_array()
                .into_iter()
                .flatten()
                .cloned(),
        );
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = call["index"].as_u64().unwrap() as usize;
            if call["id"].is_string() {
                assert_eq!(index, calls.len());
                calls.push(call.clone());
            } else {
                let more = call["function"]["arguments"].as_str().unwrap();
                let all = calls[index]["function"]["arguments"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                calls[index]["function"]["arguments"] = (all + more).into();
            }
        }
    }
    let mut message = json!({"role": "assistant", "content": content});
    if !reasoning.is_empty() {
        message["reasoning_content"] = reasoning.into();
    }
    if !details.is_empty() {
        message["reasoning_details"] = details.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    (message, finish)
}

/// Message, reason of the end and usage of an answer, however it came.
fn read(text: &str, stream: bool) -> (Value, String, Value) {
    if stream {
        let (chunks, done) = chunks(text);
        assert!(done, "{text}");
        let (message, finish) = gathered(&chunks);
        (message, finish, chunks.last().unwrap()["usage"].clone())
    } else {
        let answer: Value = serde_json::from_str(text).unwrap();
        let choice = &answer["choices"][0];
        let finish = choice["finish_reason"].as_str().unwrap().to_owned();
        (choice["message"].clone(), finish, answer["usage"].clone())
    }
}

#[test]
fn answers_and_streams_are_chat_with_the_figures_of_the_truth() {
    let rig = Rig::configured(CLOUDS);
    for (provider, language, targets) in BOTH {
        for (words, calls, finish) in [
            ("n-6:in-11:out-6", 0, "stop"),
            ("n-6:in-11:out-9:cached-4", 0, "stop"),
            ("n-6:think-8:gap-2ms", 0, "stop"),
            ("n-6:gap-3ms:split-7", 0, "stop"),
            ("n-4:tools-1", 1, "tool_calls"),
            ("n-4:tools-3", 3, "tool_calls"),
        ] {
            for stream in [false, true] {
                let name = format!("{provider} {words} {stream}");
                let ask = ask(words, stream, provider);
                let (reading, record, truth) = rig.exchange(&ask);
                let text = reading.text();
                assert_eq!(reading.status, 200, "{name}: {text}");
                assert_eq!(reading.header("x-tollgate-dropped"), None, "{name}");
                let (message, reason, usage) = read(&text, stream);
                assert_eq!(reason, finish, "{name}: {text}");
                let called = message["tool_calls"].as_array();
                assert_eq!(called.map_or(0, Vec::len), calls, "{name}: {text}");
                for call in called.into_iter().flatten() {
                    let arguments = call["function"]["arguments"].as_str().unwrap();
                    let arguments: Value = serde_json::from_str(arguments).unwrap();
                    assert!(arguments.is_object(), "{name}: {text}");
                }
                let said = message["content"].as_str().unwrap_or_default();
                assert_eq!(said.is_empty(), calls > 0, "{name}: {text}");
                let path = targets[usize::from(stream)];
                assert!(truth.target.ends_with(path), "{name}: {}", truth.target);
                assert_eq!(record.outcome, Outcome::Ok, "{name}");
                assert_eq!(record.language, Language::OpenAiChat, "{name}");
                assert_eq!(record.attempts[0].language, Some(language), "{name}");
                assert_eq!(record.tokens.source, Some(TokenSource::Usage), "{name}");
                let recorded = &record.tokens.usage;
                assert_eq!(usage["prompt_tokens"].as_u64(), recorded.input, "{name}");
                assert_eq!(
                    usage["completion_tokens"].as_u64(),
                    recorded.output,
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn a_call_its_result_and_an_image_go_there_and_are_answered() {
    let rig = Rig::configured(CLOUDS);
    // One pixel.
    let png = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=";
    for (provider, _, _) in BOTH {
        for stream in [false, true] {
            let first = ask("n-4:think-4:tools-2", stream, provider);
            let reading = rig.send(&first);
            let (message, finish, _) = read(&reading.text(), stream);
            assert_eq!(finish, "tool_calls", "{provider}: {}", reading.text());
            rig.record(&first);
            let calls = message["tool_calls"].as_array().unwrap().clone();
            let mut messages = vec![
                json!({"role": "system", "content": "Be brief."}),
                json!({"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": png}},
                ]}),
                message,
            ];
            // In another order than the calls.
            messages.extend(calls.iter().rev().map(|call| {
                json!({"role": "tool", "tool_call_id": call["id"], "content": "{\"deg\": 7}"})
            }));
            let next = ask("n-4", stream, provider);
            let next = next.with(&json!({"messages": messages, "tools": tools()}));
            let reading = rig.send(&next);
            let text = reading.text();
            assert_eq!(reading.status, 200, "{provider}: {text}");
            let (_, finish, _) = read(&text, stream);
            assert_eq!(finish, "stop", "{provider}: {text}");
            assert_eq!(rig.record(&next).outcome, Outcome::Ok, "{provider}");
        }
    }
}

#[test]
fn errors_are_told_in_the_client_s_shape() {
    let rig = Rig::configured(CLOUDS);
    for (provider, _, _) in BOTH {
        for (fault, status, class) in [
            ("rate_limit", 429, ErrorClass::RateLimited),
            ("context_length", 400, ErrorClass::ContextLength),
            ("http_500", 500, ErrorClass::ServerError),
        ] {
            let ask = ask(&format!("n-4:fault-{fault}"), true, provider);
            let reading = rig.send(&ask);
            let text = reading.text();
            rig.forget();
            assert_eq!(reading.status, status, "{provider} {fault}: {text}");
            // Google says it in the body, where OpenAI's clients do not look.
            let wait = reading.header("retry-after").map(str::to_owned);
            let tells = provider == "/ge" && status == 429;
            assert!(wait.is_some() || !tells, "{provider} {fault}: {text}");
            let body: Value = serde_json::from_str(&text).unwrap();
            let message = body["error"]["message"].as_str();
            assert!(message.is_some_and(|message| !message.is_empty()), "{text}");
            let record = rig.record(&ask);
            assert_eq!(
                record.attempts[0].error_class,
                Some(class),
                "{provider} {fault}"
            );
        }
        for (fault, outcome) in [
            ("error_mid:at-2", Outcome::InBandError),
            ("end_mid:at-2", Outcome::Truncated),
        ] {
            let ask = ask(&format!("n-6:gap-3ms:fault-{fault}"), true, provider);
            let reading = rig.send(&ask);
            let text = reading.text();
            rig.forget();
            let (chunks, done) = chunks(&text);
            assert!(!done, "{provider} {fault}: {text}");
            assert!(
                chunks.last().unwrap().get("error").is_some(),
                "{provider} {fault}: {text}"
            );
            let (message, finish) = gathered(&chunks);
            assert!(!message["content"].as_str().unwrap().is_empty(), "{text}");
            assert_eq!(finish, "", "{provider} {fault}: {text}");
            assert_eq!(rig.record(&ask).outcome, outcome, "{provider} {fault}");
        }
    }
}

#[test]
fn what_cannot_be_carried_is_refused_by_its_path() {
    let rig = Rig::configured(CLOUDS);
    for (provider, field) in [("/ge", "logit_bias"), ("/br", "n")] {
        let ask = ask("n-4", false, provider);
        let ask = ask.with(&json!({field: if field == "n" { json!(2) } else { json!({"1": 1}) }}));
        let reading = rig.send(&ask);
        assert_eq!(reading.status, 400, "{}", reading.text());
        let body: Value = serde_json::from_str(&reading.text()).unwrap();
        assert_eq!(body["error"]["code"], "field_not_carried", "{body}");
        assert_eq!(body["error"]["param"], field, "{body}");
        rig.record(&ask);
    }
}

/// Claude in Vertex's own path is passed on by the provider that has Gemini there.
#[test]
fn claude_in_vertex_s_path_is_passed_on_by_the_vertex_of_gemini() {
    let rig = Rig::configured(
        r#"
[providers.vx]
dialect = "gemini"
base_url = "http://{sim}/v1/projects/p/locations/global"
api_key = "{key}"
"#,
    );
    let models = "/v1/projects/p/locations/global/publishers/anthropic/models";
    let said = json!({
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "hi there"}],
    });
    for base in ["/vx", ""] {
        for (verb, stream) in [("rawPredict", false), ("streamRawPredict", true)] {
            let path = format!("{models}/sim:n-4:{verb}");
            let ask = Ask::post(&path, &said).to(base);
            let (reading, record, truth) = rig.exchange(&ask);
            assert_eq!(reading.status, 200, "{base}{path}: {}", reading.text());
            assert_eq!(truth.target, path, "{base}");
            assert_eq!(reading.text().contains("event: message_stop"), stream);
            assert_eq!(record.outcome, Outcome::Ok, "{base}{path}");
            assert_eq!(record.language, Language::AnthropicMessages, "{verb}");
            assert_eq!(record.tokens.source, Some(TokenSource::Usage), "{verb}");
            assert_eq!(record.tokens.usage.output, Some(4), "{verb}");
        }
    }
}

/// The Gemini API refuses labels, and Vertex AI takes them.
#[test]
fn labels_go_to_vertex_only() {
    let vertex = r#"
[providers.vx]
dialect = "gemini"
base_url = "http://{sim}/v1/projects/p/locations/global"
api_key = "{key}"
"#;
    let rig = Rig::configured(&[CLOUDS, vertex].concat());
    for (provider, dropped) in [("/ge", Some("metadata.team, user")), ("/vx", None)] {
        let ask = ask("n-4", false, provider);
        let ask = ask.with(&json!({"user": "u-1", "metadata": {"team": "a"}}));
        let reading = rig.send(&ask);
        assert_eq!(reading.status, 200, "{provider}: {}", reading.text());
        let found = reading.header("x-tollgate-dropped");
        assert_eq!(found, dropped, "{provider}");
        rig.record(&ask);
    }
}

/// Gemini's streams have no end but the body's: where that is cut off behind the reason to stop,
/// nobody knows what would have come.
#[test]
fn a_body_that_breaks_behind_its_reason_to_stop_is_not_whole() {
    let rig = Rig::configured(CLOUDS);
    let event = json!({"candidates": [{"index": 0, "finishReason": "STOP",
        "content": {"role": "model", "parts": [{"text": "Hello"}]}}]});
    let event = format!("data: {event}\r\n\r\n");
    let chunk = Bytes::from(format!("{:x}\r\n{event}\r\n", event.len()));
    // The provider closes either way: nobody may take its connection for one that goes on.
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let end = Bytes::from_static(b"0\r\n\r\n");
    for (whole, outcome) in [(true, Outcome::Ok), (false, Outcome::Truncated)] {
        let mut body = vec![(Nanos(0), chunk.clone())];
        body.extend(whole.then(|| (Nanos(5_000_000), end.clone())));
        let script = Script {
            head: head.into(),
            body,
            framing: Framing::AsGiven,
            then: Then::Fin,
        };
        rig.simulator.play("cut-off", script);
        let ask = Ask::chat("cut-off", true).to("/ge");
        let reading = rig.send(&ask);
        let text = reading.text();
        rig.forget();
        let (chunks, done) = chunks(&text);
        assert_eq!(done, whole, "{text}");
        let (message, _) = gathered(&chunks);
        assert_eq!(message["content"], "Hello", "{text}");
        let told = chunks.last().unwrap().get("error").is_some();
        assert_eq!(told, !whole, "{text}");
        assert_eq!(rig.record(&ask).outcome, outcome, "{text}");
    }
}

/// A model that broke off by a fault of its own ends in a whole answer without a message of the
/// provider's: the reason is told.
#[test]
fn a_malformed_answer_is_an_error_that_says_what_it_is() {
    let rig = Rig::configured(CLOUDS);
    let answer = json!({"candidates": [{"index": 0, "finishReason": "MALFORMED_FUNCTION_CALL",
        "finishMessage": "print(f())"}], "usageMetadata": {"promptTokenCount": 5, "totalTokenCount": 5}});
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    let script = Script {
        head: head.into(),
        body: vec![(Nanos(0), Bytes::from(answer))],
        framing: Framing::AsGiven,
        then: Then::Fin,
    };
    rig.simulator.play("malformed", script);
    let ask = Ask::chat("malformed", false).to("/ge");
    let reading = rig.send(&ask);
    rig.forget();
    assert_eq!(reading.status, 502, "{}", reading.text());
    let body: Value = serde_json::from_str(&reading.text()).unwrap();
    assert_eq!(
        body["error"]["message"],
        "the model's answer was malformed: MALFORMED_FUNCTION_CALL: print(f())"
    );
    assert_eq!(rig.record(&ask).outcome, Outcome::InBandError);
}
