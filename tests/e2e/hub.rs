//! Clients of Anthropic's messages and of OpenAI's responses are answered by a provider of chat.

use serde_json::{Value, json};
use tollgate::record::{CancelledBy, End, ErrorClass, Language, Mark, Nanos, Outcome, TokenSource};
use tollgate::simulator::Script;

use crate::support::{Ask, Rig};

/// A provider that speaks chat and nothing else.
const CHAT: &str = r#"
[providers.ch]
base_url = "http://{sim}/v1"
api_key = "{key}"
speaks = ["openai-chat"]
"#;

const SCHEMA: &str = r#"{"type":"object","properties":{"city":{"type":"string"}}}"#;

/// A request of each client, with a tool where the words want it called.
fn asks(words: &str, stream: bool) -> [(Language, Ask); 2] {
    let (model, tools) = (format!("sim:{words}"), words.contains("tools-"));
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut messages = Ask::messages(&model, stream).to("/ch");
    let mut responses = Ask::responses(&model, stream).to("/ch");
    if tools {
        messages = messages.with(&json!({
            "tools": [{"name": "weather", "input_schema": schema}], "tool_choice": {"type": "any"},
        }));
        responses = responses.with(&json!({
            "tools": [{"type": "function", "name": "weather", "parameters": schema}],
            "tool_choice": "required",
        }));
    }
    [
        (Language::AnthropicMessages, messages),
        (Language::OpenAiResponses, responses),
    ]
}

/// The events of a stream: their names and data.
fn events(text: &str) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("event: ") {
            rest.clone_into(&mut name);
        } else if let Some(data) = line.strip_prefix("data: ") {
            events.push((name.clone(), serde_json::from_str(data).unwrap()));
        }
    }
    events
}

/// What of an answer both clients are told: whether there is text, the calls' arguments, the
/// reasoning, why it ended, and the tokens in and out.
#[derive(Debug, PartialEq)]
struct Told {
    text: bool,
    calls: Vec<Value>,
    reasoning: bool,
    finish: String,
    tokens: (Option<u64>, Option<u64>),
}

/// What a whole answer tells.
fn told(language: Language, answer: &Value) -> Told {
    let messages = language == Language::AnthropicMessages;
    let items = answer[if messages { "content" } else { "output" }].as_array();
    let items: Vec<&Value> = items.unwrap().iter().collect();
    let any = |kind: &str| items.iter().any(|item| item["type"] == kind);
    let usage = &answer["usage"];
    let cached = usage["cache_read_input_tokens"].as_u64().unwrap_or(0);
    let calls = items
        .iter()
        .filter_map(|item| match item["type"].as_str()? {
            "tool_use" => Some(item["input"].clone()),
            "function_call" => Some(serde_json::from_str(item["arguments"].as_str()?).unwrap()),
            _ => None,
        });
    let finish = if messages {
        &answer["stop_reason"]
    } else if answer["incomplete_details"].is_null() {
        &answer["status"]
    } else {
        &answer["incomplete_details"]["reason"]
    };
    Told {
        text: any("text") || any("message"),
        calls: calls.collect(),
        reasoning: any("thinking") || any("reasoning"),
        finish: finish.as_str().unwrap().to_owned(),
        tokens: (
            usage["input_tokens"].as_u64().map(|input| input + cached),
            usage["output_tokens"].as_u64(),
        ),
    }
}

/// The whole answer that a stream adds up to, as the SDKs of each language add it up.
fn added_up(language: Language, text: &str) -> Value {
    let events = events(text);
    if language == Language::OpenAiResponses {
        let (name, last) = events.last().unwrap();
        assert!(
            name == "response.completed" || name == "response.incomplete",
            "{text}"
        );
        return last["response"].clone();
    }
    assert_eq!(events.last().unwrap().0, "message_stop", "{text}");
    let mut message = events[0].1["message"].clone();
    let mut inputs: Vec<String> = Vec::new();
    for (name, data) in &events[1..] {
        let index = data["index"].as_u64().unwrap_or(0) as usize;
        match name.as_str() {
            "content_block_start" => {
                let blocks = message["content"].as_array_mut().unwrap();
                assert_eq!(blocks.len(), index, "{text}");
                blocks.push(data["content_block"].clone());
                inputs.push(String::new());
            }
            "content_block_delta" => {
                let piece = data["delta"]["partial_json"].as_str();
                inputs[index].push_str(piece.unwrap_or_default());
            }
            "content_block_stop" if message["content"][index]["type"] == "tool_use" => {
                message["content"][index]["input"] = serde_json::from_str(&inputs[index]).unwrap();
            }
            "message_delta" => {
                message["stop_reason"] = data["delta"]["stop_reason"].clone();
                message["usage"] = data["usage"].clone();
            }
            _ => {}
        }
    }
    message
}

#[test]
fn answers_are_in_the_client_s_language_with_the_figures_of_the_truth() {
    let rig = Rig::configured(CHAT);
    for (words, text, calls, reasoning, finish) in [
        ("n-6:in-11:out-6", true, 0, false, ["end_turn", "completed"]),
        (
            "n-6:in-11:out-9:cached-4",
            true,
            0,
            false,
            ["end_turn", "completed"],
        ),
        (
            "n-4:think-8:gap-2ms",
            true,
            0,
            true,
            ["end_turn", "completed"],
        ),
        ("n-4:tools-1", false, 1, false, ["tool_use", "completed"]),
        (
            "n-4:tools-3:split-7",
            false,
            3,
            false,
            ["tool_use", "completed"],
        ),
        (
            "n-4:fr-length",
            true,
            0,
            false,
            ["max_tokens", "max_output_tokens"],
        ),
    ] {
        for stream in [false, true] {
            for ((language, ask), finish) in asks(words, stream).into_iter().zip(finish) {
                let name = format!("{} {words} {stream}", language.name());
                let (reading, record, truth) = rig.exchange(&ask);
                let body = reading.text();
                assert_eq!(reading.status, 200, "{name}: {body}");
                let pair = format!("{} to openai-chat", language.name());
                let said = reading.header("x-tollgate-translated");
                assert_eq!(said, Some(pair.as_str()), "{name}");
                let answer = if stream {
                    added_up(language, &body)
                } else {
                    serde_json::from_str(&body).unwrap()
                };
                let told = told(language, &answer);
                assert_eq!(told.text, text, "{name}: {body}");
                assert_eq!(told.calls.len(), calls, "{name}: {body}");
                assert!(
                    told.calls.iter().all(|call| call["city"].is_string()),
                    "{name}: {body}"
                );
                assert_eq!(told.reasoning, reasoning, "{name}: {body}");
                assert_eq!(told.finish, finish, "{name}: {body}");
                let usage = &record.tokens.usage;
                assert_eq!(told.tokens, (usage.input, usage.output), "{name}: {body}");
                // Of streams it is Tollgate that asks for it.
                let source = if stream {
                    TokenSource::UsageInjected
                } else {
                    TokenSource::Usage
                };
                assert_eq!(record.tokens.source, Some(source), "{name}");
                assert_eq!(
                    (record.language, record.outcome),
                    (language, Outcome::Ok),
                    "{name}"
                );
                let attempt = &record.attempts[0];
                assert_eq!(attempt.language, Some(Language::OpenAiChat), "{name}");
                assert_eq!(attempt.response_bytes, truth.body_bytes, "{name}");
                assert_eq!(truth.target, "/v1/chat/completions", "{name}");
                let timed = attempt.timeline.get(Mark::FirstToken).is_some();
                assert_eq!(timed, stream, "{name}");
            }
        }
    }
}

#[test]
fn errors_are_told_in_each_client_s_language() {
    let rig = Rig::configured(CHAT);
    for (fault, status, kind, class) in [
        (
            "rate_limit",
            429,
            "rate_limit_error",
            ErrorClass::RateLimited,
        ),
        (
            "unauthorized",
            401,
            "authentication_error",
            ErrorClass::Auth,
        ),
        (
            "context_length",
            400,
            "invalid_request_error",
            ErrorClass::ContextLength,
        ),
    ] {
        for (language, ask) in asks(&format!("n-4:fault-{fault}"), true) {
            let (reading, record, _) = rig.exchange(&ask);
            rig.forget();
            let text = reading.text();
            assert_eq!(reading.status, status, "{fault}: {text}");
            let body: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(body["error"]["type"], kind, "{fault}: {text}");
            let anthropic = language == Language::AnthropicMessages;
            assert_eq!(body["type"] == "error", anthropic, "{fault}: {text}");
            // The provider's id of the request, where the client's SDK looks for it.
            let id = record.attempts[0].upstream_request_id.as_deref().unwrap();
            if anthropic {
                assert_eq!(reading.header("request-id"), Some(id), "{fault}");
                assert_eq!(body["request_id"], id, "{fault}: {text}");
            } else {
                assert_eq!(reading.header("x-request-id"), Some(id), "{fault}");
            }
            assert_eq!(record.attempts[0].error_class, Some(class), "{fault}");
        }
    }
}

#[test]
fn a_stream_that_breaks_says_so_and_does_not_end_well() {
    let rig = Rig::configured(CHAT);
    for (fault, outcome) in [
        ("error_mid:at-2", Outcome::InBandError),
        ("end_mid:at-2", Outcome::Truncated),
        ("reset_mid:at-2", Outcome::Truncated),
    ] {
        for (language, ask) in asks(&format!("n-6:gap-3ms:fault-{fault}"), true) {
            let (reading, record, _) = rig.exchange(&ask);
            rig.forget();
            let text = reading.text();
            let events = events(&text);
            let (last, data) = events.last().unwrap();
            let said = match last.as_str() {
                "error" => &data["error"]["message"],
                "response.failed" => &data["response"]["error"]["message"],
                other => panic!("{fault}: {} ends with {other}: {text}", language.name()),
            };
            assert!(
                said.as_str().is_some_and(|said| !said.is_empty()),
                "{fault}: {text}"
            );
            let ends = ["message_stop", "message_delta", "response.completed"];
            let ended = events.iter().any(|(name, _)| ends.contains(&name.as_str()));
            assert!(!ended, "{fault}: {text}");
            assert_eq!(record.outcome, outcome, "{fault}");
        }
    }
}

#[test]
fn what_has_no_place_is_refused_by_name_and_dropped_where_that_is_allowed() {
    let dropping = CHAT.replace("[providers.ch]", "[providers.dr]\ndrop_params = true");
    let rig = Rig::configured(&format!("{CHAT}{dropping}"));
    let losing = [
        (json!({"top_k": 5}), "top_k"),
        (json!({"tools": [{"type": "web_search"}]}), "tools[0]"),
    ];
    for ((_, ask), (field, name)) in asks("n-4", false).into_iter().zip(losing) {
        let reading = rig.send(&ask.with(&field));
        let body: Value = serde_json::from_str(&reading.text()).unwrap();
        assert_eq!(
            (reading.status, &body["error"]["param"]),
            (400, &json!(name)),
            "{body}"
        );
    }
    for ((_, ask), name) in asks("n-4", false).into_iter().zip(["top_k", "tools[0]"]) {
        let field = if name == "top_k" {
            json!({"top_k": 5})
        } else {
            json!({"tools": [{"type": "web_search"}]})
        };
        let (reading, record, _) = rig.exchange(&ask.to("/dr").with(&field));
        assert_eq!(reading.status, 200, "{}", reading.text());
        assert_eq!(reading.header("x-tollgate-dropped"), Some(name));
        assert_eq!(record.outcome, Outcome::Ok);
    }
    // What builds on a store is refused in any case.
    let ask = Ask::responses("sim:n-4", false).to("/dr");
    let reading = rig.send(&ask.with(&json!({"previous_response_id": "resp_1"})));
    assert_eq!(reading.status, 400, "{}", reading.text());
}

/// A stream that cannot be said to its end is no success, however well the provider ended it.
#[test]
fn a_stream_that_is_broken_off_here_is_a_failure() {
    let rig = Rig::configured(CHAT);
    let body = [
        r#"{"model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{}"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
        "[DONE]",
    ];
    let body: String = body
        .iter()
        .map(|data| format!("data: {data}\n\n"))
        .collect();
    for (_, ask) in asks("nameless", true) {
        let script = Script::cut("text/event-stream", &body.clone().into(), &[], Nanos(0));
        rig.simulator.play("sim:nameless", script);
        let reading = rig.send(&ask);
        assert!(
            reading.text().contains("without a name"),
            "{}",
            reading.text()
        );
        let record = rig.record(&ask);
        assert_eq!(record.outcome, Outcome::InBandError);
        let attempt = &record.attempts[0];
        assert_eq!(attempt.error_class, Some(ErrorClass::ProtocolError));
        assert_eq!(attempt.end, Some(End::Complete));
        rig.forget();
    }
}

#[test]
fn a_client_that_goes_away_cancels_the_provider() {
    let rig = Rig::configured(CHAT);
    for (_, ask) in asks("n-200:gap-20ms", true) {
        let mut connection = rig.connect();
        let reading = connection.exchange_until(&ask.bytes(), 600).unwrap();
        assert!(!reading.text().is_empty());
        drop(connection);
        let record = rig.record(&ask);
        assert_eq!(record.outcome, Outcome::ClientGone);
        assert_eq!(record.attempts[0].cancelled_by, Some(CancelledBy::Client));
        assert!(rig.truth(&ask).peer_end.is_some());
    }
}
