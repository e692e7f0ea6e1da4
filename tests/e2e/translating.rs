//! A client that speaks OpenAI chat is answered by providers that do not, and told what was lost.

use serde_json::{Value, json};
use tollgate::record::{
    CancelledBy, End, ErrorClass, ExchangeRecord, FinishReason, Language, Mark, Outcome,
    TokenSource,
};

use crate::support::{Ask, Rig};

const PAIR: &str = "openai-chat to anthropic-messages";

/// A chat request to the provider that speaks Anthropic's messages, with a tool where the words
/// want it called.
fn ask(words: &str, stream: bool) -> Ask {
    let ask = Ask::chat(&format!("sim:{words}"), stream).to("/an");
    if !words.contains("tools-") {
        return ask;
    }
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let function = json!({"name": "weather", "parameters": schema});
    ask.with(&json!({
        "tools": [{"type": "function", "function": function}], "tool_choice": "required",
    }))
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

/// What the deltas of a stream say under `key`, joined.
fn joined(chunks: &[Value], key: &str) -> String {
    let deltas = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"][key]);
    deltas.filter_map(Value::as_str).collect()
}

fn finish(chunks: &[Value]) -> Vec<&str> {
    let reasons = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["finish_reason"]);
    reasons.filter_map(Value::as_str).collect()
}

/// What every record of a translated exchange says.
fn check_record(record: &ExchangeRecord, name: &str) {
    assert_eq!(record.language, Language::OpenAiChat, "{name}");
    let last = record.attempts.last().unwrap();
    assert_eq!(last.language, Some(Language::AnthropicMessages), "{name}");
}

#[test]
fn whole_answers_are_chat_completions_with_the_figures_of_the_truth() {
    let rig = Rig::start();
    for (words, content, calls, finish) in [
        ("n-6:in-11:out-6", true, 0, "stop"),
        ("n-6:in-11:out-9:cached-4", true, 0, "stop"),
        ("n-4:think-8", true, 0, "stop"),
        ("n-4:tools-1", false, 1, "tool_calls"),
        ("n-4:tools-3", false, 3, "tool_calls"),
        ("n-4:fr-max_tokens", true, 0, "length"),
    ] {
        let ask = ask(words, false);
        let (reading, record, truth) = rig.exchange(&ask);
        let text = reading.text();
        assert_eq!(reading.status, 200, "{words}: {text}");
        assert_eq!(
            reading.header("content-type"),
            Some("application/json"),
            "{words}"
        );
        assert_eq!(
            reading.header("x-tollgate-translated"),
            Some(PAIR),
            "{words}"
        );
        assert_eq!(reading.header("x-tollgate-dropped"), None, "{words}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["object"], "chat.completion", "{words}");
        let choice = &answer["choices"][0];
        assert_eq!(choice["finish_reason"], finish, "{words}: {text}");
        let message = &choice["message"];
        assert_eq!(message["content"].is_string(), content, "{words}: {text}");
        let called = message["tool_calls"].as_array().map_or(0, Vec::len);
        assert_eq!(called, calls, "{words}: {text}");
        assert_eq!(
            message["reasoning_content"].is_string(),
            words.contains("think"),
            "{text}"
        );
        check_record(&record, words);
        assert_eq!(record.outcome, Outcome::Ok, "{words}");
        assert_eq!(record.tokens.source, Some(TokenSource::Usage), "{words}");
        let usage = &record.tokens.usage;
        assert_eq!(
            answer["usage"]["prompt_tokens"].as_u64(),
            usage.input,
            "{words}"
        );
        assert_eq!(
            answer["usage"]["completion_tokens"].as_u64(),
            usage.output,
            "{words}"
        );
        assert_eq!(truth.target, "/an/v1/messages", "{words}");
        assert!(
            truth.headers.contains(&"anthropic-version".to_owned()),
            "{:?}",
            truth.headers
        );
        assert_eq!(record.response_bytes, text.len() as u64, "{words}");
        assert_eq!(
            record.attempts[0].response_bytes, truth.body_bytes,
            "{words}"
        );
        assert!(
            record.attempts[0].timeline.get(Mark::Held).is_some(),
            "{words}"
        );
    }
}

#[test]
fn streams_are_chat_chunks_timed_at_the_provider_s_wire() {
    let rig = Rig::start();
    for (words, reason) in [
        ("n-6:gap-3ms:out-6", "stop"),
        ("n-6:gap-3ms:split-7", "stop"),
        ("n-6:think-8:gap-2ms", "stop"),
        ("n-1:tools-1:gap-2ms", "tool_calls"),
        ("n-2:tools-3", "tool_calls"),
        ("n-6:ka-10ms:ft-60ms", "stop"),
    ] {
        let ask = ask(words, true).with(&json!({"stream_options": {"include_usage": true}}));
        let (reading, record, truth) = rig.exchange(&ask);
        let text = reading.text();
        assert_eq!(reading.status, 200, "{words}: {text}");
        assert_eq!(
            reading.header("content-type"),
            Some("text/event-stream"),
            "{words}"
        );
        assert_eq!(reading.header("content-length"), None, "{words}");
        let (chunks, done) = chunks(&text);
        assert!(done, "{words}: {text}");
        assert_eq!(
            chunks[0]["choices"][0]["delta"]["role"], "assistant",
            "{words}"
        );
        assert_eq!(finish(&chunks), [reason], "{words}: {text}");
        if words.contains("think") {
            assert!(!joined(&chunks, "reasoning_content").is_empty(), "{text}");
        }
        let ids: Vec<_> = chunks.iter().map(|chunk| &chunk["id"]).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{words}");
        check_calls(&chunks, words);
        // Usage stands last, and is what was recorded.
        let usage = &chunks.last().unwrap()["usage"];
        let recorded = &record.tokens.usage;
        assert_eq!(usage["prompt_tokens"].as_u64(), recorded.input, "{words}");
        assert_eq!(
            usage["completion_tokens"].as_u64(),
            recorded.output,
            "{words}"
        );
        check_record(&record, words);
        assert_eq!(record.outcome, Outcome::Ok, "{words}");
        let attempt = &record.attempts[0];
        assert_eq!(attempt.end, Some(End::Complete), "{words}");
        assert_eq!(attempt.response_bytes, truth.body_bytes, "{words}");
        assert!(record.own.first_token.is_some(), "{words}");
        for mark in [
            Mark::FirstToken,
            Mark::LastToken,
            Mark::ClientFirstToken,
            Mark::ClientLastToken,
        ] {
            assert!(
                attempt.timeline.get(mark).is_some(),
                "{words}: {}",
                mark.name()
            );
        }
    }
}

/// Calls are counted from zero, each with an id, a name and arguments that are JSON.
fn check_calls(chunks: &[Value], words: &str) {
    let mut calls: Vec<(String, String)> = Vec::new();
    let lists = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array());
    for call in lists.flatten() {
        let index = call["index"].as_u64().unwrap() as usize;
        if let Some(id) = call["id"].as_str() {
            assert_eq!(index, calls.len(), "{words}");
            assert!(call["function"]["name"].is_string(), "{words}");
            calls.push((id.to_owned(), String::new()));
        }
        calls[index].1 += call["function"]["arguments"].as_str().unwrap();
    }
    let expected = words
        .split(':')
        .find_map(|word| word.strip_prefix("tools-"));
    let expected = expected.map_or(0, |count| count.parse().unwrap());
    assert_eq!(calls.len(), expected, "{words}");
    for (id, arguments) in calls {
        assert!(!id.is_empty(), "{words}");
        let read: Value = serde_json::from_str(&arguments).unwrap();
        assert!(read.is_object(), "{words}: {arguments}");
    }
}

#[test]
fn usage_is_left_out_where_nobody_asked_and_recorded_all_the_same() {
    let rig = Rig::start();
    let ask = ask("n-4", true);
    let (reading, record, _) = rig.exchange(&ask);
    assert!(!reading.text().contains("\"usage\""), "{}", reading.text());
    assert_eq!(record.tokens.source, Some(TokenSource::Usage));
    assert!(!record.request.usage_injected);
    assert_eq!(record.attempts[0].finish, [FinishReason::Stop]);
}

#[test]
fn errors_are_told_in_the_client_s_shape_with_the_provider_s_message() {
    let rig = Rig::start();
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
        ("http_500", 500, "upstream_error", ErrorClass::ServerError),
        ("http_529", 503, "overloaded_error", ErrorClass::Overloaded),
        (
            "context_length",
            400,
            "invalid_request_error",
            ErrorClass::ContextLength,
        ),
        ("not_found", 404, "not_found_error", ErrorClass::NotFound),
        ("http_empty", 500, "upstream_error", ErrorClass::ServerError),
    ] {
        for stream in [false, true] {
            let ask = ask(&format!("n-4:fault-{fault}"), stream);
            let (reading, record, truth) = rig.exchange(&ask);
            rig.forget();
            let text = reading.text();
            assert_eq!(reading.status, status, "{fault}: {text}");
            assert_eq!(
                reading.header("content-type"),
                Some("application/json"),
                "{fault}"
            );
            assert_eq!(
                reading.header("x-tollgate-translated"),
                Some(PAIR),
                "{fault}"
            );
            let body: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(body["error"]["type"], kind, "{fault}: {text}");
            assert!(
                body["error"]["message"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty())
            );
            assert_eq!(body.get("type"), None, "{fault}: {text}");
            assert_eq!(record.status, Some(status), "{fault}");
            assert_eq!(record.attempts[0].status, truth.status, "{fault}");
            assert_eq!(record.attempts[0].error_class, Some(class), "{fault}");
            check_record(&record, fault);
        }
    }
}

#[test]
fn a_stream_that_breaks_is_told_in_band_and_has_no_terminator() {
    let rig = Rig::start();
    for (fault, outcome) in [
        ("error_mid:at-2", Outcome::InBandError),
        ("end_mid:at-2", Outcome::Truncated),
        ("close_mid:at-2", Outcome::Truncated),
        ("reset_mid:at-2", Outcome::Truncated),
    ] {
        let ask = ask(&format!("n-6:gap-3ms:fault-{fault}"), true);
        let (reading, record, _) = rig.exchange(&ask);
        rig.forget();
        let text = reading.text();
        let (chunks, done) = chunks(&text);
        assert!(!done, "{fault}: {text}");
        assert!(finish(&chunks).is_empty(), "{fault}: {text}");
        let errors = chunks.iter().filter(|chunk| chunk.get("error").is_some());
        assert_eq!(errors.count(), 1, "{fault}: {text}");
        assert!(
            chunks.last().unwrap().get("error").is_some(),
            "{fault}: {text}"
        );
        assert!(!joined(&chunks, "content").is_empty(), "{fault}: {text}");
        assert_eq!(record.outcome, outcome, "{fault}");
        check_record(&record, fault);
    }
}

#[test]
fn what_cannot_be_read_is_an_upstream_error() {
    let rig = Rig::start();
    for fault in ["html_in_200", "close_mid"] {
        let ask = ask(&format!("n-4:fault-{fault}"), false);
        let (reading, record, _) = rig.exchange(&ask);
        rig.forget();
        assert_eq!(reading.status, 502, "{fault}: {}", reading.text());
        let body: Value = serde_json::from_str(&reading.text()).unwrap();
        assert_eq!(body["error"]["type"], "upstream_error", "{fault}");
        assert_ne!(record.outcome, Outcome::Ok, "{fault}");
        assert!(record.attempts[0].error_class.is_some(), "{fault}");
    }
}

#[test]
fn a_client_that_goes_away_cancels_the_provider() {
    let rig = Rig::start();
    let ask = ask("n-200:gap-20ms", true);
    let mut connection = rig.connect();
    let reading = connection.exchange_until(&ask.bytes(), 400).unwrap();
    assert!(
        reading.text().contains("chat.completion.chunk"),
        "{}",
        reading.text()
    );
    drop(connection);
    let record = rig.record(&ask);
    assert_eq!(record.outcome, Outcome::ClientGone);
    assert_eq!(record.attempts[0].cancelled_by, Some(CancelledBy::Client));
    check_record(&record, "gone");
    assert!(rig.truth(&ask).peer_end.is_some());
}

#[test]
fn a_request_fails_over_from_one_language_to_another() {
    let routes = |first: &str| {
        format!(
            "routes = [{{ provider = \"oa\", model = \"sim:n-4:fault-{first}\" }}, \
             {{ provider = \"an\", model = \"sim:n-5:gap-2ms\" }}]\n"
        )
    };
    let faults = [
        "http_500",
        "error_first",
        "rate_limit",
        "reset_before_headers",
    ];
    let models = faults.map(|fault| format!("[models.m-{fault}]\n{}", routes(fault)));
    let back = "[models.back]\nroutes = [{ provider = \"an\", model = \"sim:n-4:fault-error_first\" }, \
                { provider = \"oa\", model = \"sim:n-5\" }]\n";
    let rig = Rig::configured(&format!("{}{back}", models.concat()));
    for fault in faults {
        for stream in [true, false] {
            if fault == "error_first" && !stream {
                continue;
            }
            rig.forget();
            let ask = Ask::chat(&format!("m-{fault}"), stream).to("");
            let reading = rig.send(&ask);
            let text = reading.text();
            assert_eq!(reading.status, 200, "{fault}: {text}");
            assert_eq!(
                reading.header("x-tollgate-translated"),
                Some(PAIR),
                "{fault}"
            );
            let record = rig.record(&ask);
            assert_eq!(record.outcome, Outcome::Ok, "{fault}");
            let languages: Vec<_> = record.attempts.iter().map(|of| of.language).collect();
            assert_eq!(
                languages,
                [None, Some(Language::AnthropicMessages)],
                "{fault}"
            );
            if stream {
                let (chunks, done) = chunks(&text);
                assert!(done && finish(&chunks) == ["stop"], "{fault}: {text}");
            } else {
                let answer: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(answer["object"], "chat.completion", "{fault}");
            }
        }
    }
    // And back: what was held of the one is not told by the other.
    rig.forget();
    let ask = Ask::chat("back", true).to("");
    let reading = rig.send(&ask);
    let (chunks, done) = chunks(&reading.text());
    assert!(done && finish(&chunks) == ["stop"], "{}", reading.text());
    assert_eq!(reading.header("x-tollgate-translated"), None);
    let record = rig.record(&ask);
    let languages: Vec<_> = record.attempts.iter().map(|of| of.language).collect();
    assert_eq!(languages, [Some(Language::AnthropicMessages), None]);
}

#[test]
fn a_route_that_cannot_carry_a_request_is_no_candidate() {
    let rig = Rig::configured(
        "[providers.lax]\ndialect = \"anthropic\"\nbase_url = \"http://{sim}/an\"\napi_key = \"{key}\"\n\
         drop_params = true\n\
         [models.both]\nroutes = [{ provider = \"an\", model = \"sim:n-4\" }, { provider = \"oa\", model = \"sim:n-4\" }]\n\
         [models.loose]\nroutes = [{ provider = \"an\", model = \"sim:n-4\", drop_params = true }]\n",
    );
    // Only this route: the field is named.
    let seeded = |ask: Ask| ask.with(&json!({"seed": 7}));
    let alone = seeded(ask("n-4", false));
    let reading = rig.send(&alone);
    assert_eq!(reading.status, 400);
    let body: Value = serde_json::from_str(&reading.text()).unwrap();
    assert_eq!(body["error"]["param"], "seed", "{body}");
    assert_eq!(body["error"]["code"], "field_not_carried");
    let record = rig.record(&alone);
    assert_eq!(
        (record.outcome, record.attempts.len()),
        (Outcome::Rejected, 0)
    );
    // Another one can: it is taken, and the decision says why.
    let both = seeded(Ask::chat("both", false).to(""));
    let reading = rig.send(&both);
    assert_eq!(
        reading.header("x-tollgate-route"),
        Some("oa/sim:n-4"),
        "{}",
        reading.text()
    );
    let record = rig.record(&both);
    let decision = record.decision.unwrap();
    assert_eq!(
        decision.routes[0].left_out.as_deref(),
        Some("field_not_carried")
    );
    // With leave to, it is left out, and said.
    for ask in [
        seeded(Ask::chat("sim:n-4", false).to("/lax")),
        seeded(Ask::chat("loose", false).to("")),
    ] {
        let reading = rig.send(&ask);
        assert_eq!(reading.status, 200, "{}", reading.text());
        assert_eq!(reading.header("x-tollgate-dropped"), Some("seed"));
        let record = rig.record(&ask);
        assert_eq!(record.attempts[0].dropped, ["seed".into()]);
    }
    // A language that nobody there speaks.
    let embeddings =
        Ask::post("/v1/embeddings", &json!({"model": "sim:n-4", "input": "x"})).to("/an");
    let reading = rig.send(&embeddings);
    assert_eq!(reading.status, 400, "{}", reading.text());
    let body: Value = serde_json::from_str(&reading.text()).unwrap();
    assert_eq!(body["error"]["code"], "language_not_spoken", "{body}");
    rig.record(&embeddings);
}

#[test]
fn nothing_of_the_client_s_language_goes_to_the_provider() {
    let rig = Rig::start();
    let ask = ask("n-4", true)
        .header("openai-organization", "org")
        .header("openai-beta", "x")
        .header("x-stainless-lang", "python")
        .header("accept-encoding", "gzip, br")
        .header("authorization", "Bearer sk-client")
        .header("idempotency-key", "k")
        .header("x-of-their-own", "kept");
    let (reading, _, truth) = rig.exchange(&ask);
    assert_eq!(reading.status, 200);
    for name in [
        "openai-organization",
        "openai-beta",
        "x-stainless-lang",
        "authorization",
        "idempotency-key",
    ] {
        assert!(
            !truth.headers.iter().any(|of| of == name),
            "{name}: {:?}",
            truth.headers
        );
    }
    assert!(
        truth.headers.iter().any(|of| of == "x-of-their-own"),
        "{:?}",
        truth.headers
    );
    assert_eq!(truth.credential.matched, Some(true));
}

/// A client's language: how it asks, and how its answers look.
struct Client {
    name: &'static str,
    language: Language,
    ask: fn(&str, bool) -> Ask,
    tools: fn() -> Value,
    /// The member that a whole answer has, and what stands there.
    whole: (&'static str, &'static str),
    /// What ends a stream that is whole.
    last: &'static str,
    /// What an error inside a stream looks like.
    error: &'static str,
}

const CLIENTS: [Client; 2] = [
    Client {
        name: "messages",
        language: Language::AnthropicMessages,
        ask: |model, stream| Ask::messages(model, stream),
        tools: || {
            let schema = json!({"type": "object", "properties": {}});
            json!({
                "tools": [{"name": "weather", "input_schema": schema}],
                "tool_choice": {"type": "any"},
            })
        },
        whole: ("type", "message"),
        last: "event: message_stop",
        error: "event: error",
    },
    Client {
        name: "responses",
        language: Language::OpenAiResponses,
        ask: |model, stream| Ask::responses(model, stream),
        tools: || {
            let schema = json!({"type": "object", "properties": {}});
            json!({
                "tools": [{"type": "function", "name": "weather", "parameters": schema}],
                "tool_choice": "required",
            })
        },
        whole: ("object", "response"),
        last: "event: response.completed",
        error: "event: error",
    },
];

/// Client and provider of every further way that the simulator can play: one leg, and two.
const FURTHER: [(usize, &str, Language); 3] = [
    (0, "/talk", Language::OpenAiChat),
    (1, "/talk", Language::OpenAiChat),
    (1, "/an", Language::AnthropicMessages),
];

#[test]
fn other_clients_are_answered_through_chat() {
    let rig = Rig::configured(
        "[providers.talk]\nbase_url = \"http://{sim}/v1\"\napi_key = \"{key}\"\n\
         speaks = [\"openai-chat\"]\n",
    );
    for (client, provider, spoken) in FURTHER {
        let client = &CLIENTS[client];
        let ask = |words: &str, stream| {
            let ask = (client.ask)(&format!("sim:{words}"), stream).to(provider);
            if words.contains("tools-") {
                ask.with(&(client.tools)())
            } else {
                ask
            }
        };
        let place = format!("{} at {provider}", client.name);
        for words in [
            "n-6:gap-2ms:in-11:out-6",
            "n-4:think-8",
            "n-1:tools-1",
            "n-1:tools-2",
        ] {
            for stream in [false, true] {
                let name = format!("{place}, {words}, stream {stream}");
                let ask = ask(words, stream);
                let (reading, record, truth) = rig.exchange(&ask);
                let text = reading.text();
                assert_eq!(reading.status, 200, "{name}: {text}");
                assert_eq!(record.language, client.language, "{name}");
                assert_eq!(record.attempts[0].language, Some(spoken), "{name}");
                assert_eq!(record.outcome, Outcome::Ok, "{name}: {text}");
                assert_eq!(
                    record.attempts[0].response_bytes, truth.body_bytes,
                    "{name}"
                );
                assert!(record.tokens.usage.output.is_some(), "{name}");
                assert_eq!(
                    text.contains("weather"),
                    words.contains("tools-"),
                    "{name}: {text}"
                );
                if stream {
                    let last = text.trim_end().rsplit("\n\n").next().unwrap();
                    assert!(last.starts_with(client.last), "{name}: {text}");
                } else {
                    let answer: Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(answer[client.whole.0], client.whole.1, "{name}: {text}");
                    let output = &answer["usage"]["output_tokens"];
                    assert_eq!(
                        output.as_u64(),
                        record.tokens.usage.output,
                        "{name}: {text}"
                    );
                }
            }
        }
        for fault in ["error_mid:at-2", "end_mid:at-2", "close_mid:at-2"] {
            let ask = ask(&format!("n-6:gap-2ms:fault-{fault}"), true);
            let (reading, record, _) = rig.exchange(&ask);
            rig.forget();
            let text = reading.text();
            let name = format!("{place}, {fault}: {text}");
            assert!(!text.contains(client.last), "{name}");
            let failed = text.contains("event: response.failed");
            assert!(text.contains(client.error) || failed, "{name}");
            assert_ne!(record.outcome, Outcome::Ok, "{name}");
        }
        for (fault, status) in [
            ("rate_limit", 429),
            ("http_529", 503),
            ("context_length", 400),
        ] {
            let ask = ask(&format!("n-4:fault-{fault}"), true);
            let (reading, record, _) = rig.exchange(&ask);
            rig.forget();
            assert_eq!(
                reading.status,
                status,
                "{place}, {fault}: {}",
                reading.text()
            );
            let body: Value = serde_json::from_str(&reading.text()).unwrap();
            assert!(body["error"]["message"].is_string(), "{body}");
            let anthropic = client.language == Language::AnthropicMessages;
            assert_eq!(body["type"] == "error", anthropic, "{body}");
            assert_eq!(record.status, Some(status));
        }
    }
}

#[test]
fn a_client_s_own_key_goes_where_it_addressed_it_in_the_provider_s_header() {
    let rig = Rig::configured(
        "[providers.own-an]\ndialect = \"anthropic\"\nbase_url = \"http://{sim}/an\"\n\
         [providers.own-oa]\nbase_url = \"http://{sim}/v1\"\n\
         [models.m]\nroutes = [{ provider = \"own-an\", model = \"sim:n-4\" }]\n",
    );
    let key = crate::support::rig::KEY;
    for (ask, header) in [
        (
            Ask::chat("sim:n-4", false)
                .to("/own-an")
                .header("authorization", &format!("Bearer {key}")),
            "x-api-key",
        ),
        (
            Ask::messages("sim:n-4", false)
                .to("/own-oa")
                .header("x-api-key", key),
            "authorization",
        ),
    ] {
        let (reading, record, truth) = rig.exchange(&ask);
        assert_eq!(reading.status, 200, "{}", reading.text());
        assert_eq!(truth.credential.header, Some(header));
        assert_eq!(truth.credential.matched, Some(true));
        assert!(record.attempts[0].client_credential);
    }
    // Through a model of the config nobody was addressed: the key stays here.
    let ask = Ask::chat("m", false)
        .to("")
        .header("authorization", &format!("Bearer {key}"));
    assert_eq!(rig.send(&ask).status, 401);
    assert!(rig.record(&ask).attempts.is_empty());
}
