//! Asks the simulator in the languages of Google, Amazon, Azure and Ollama, and judges answers, refusals, faults
//! and truths.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use serde_json::{Value, json};
use tollgate::simulator::bare::{self, ReadEnd, Reading};
use tollgate::simulator::{Carried, Config, Fault, Simulator};
use tollgate::wire::framing::event_stream::{Message, Splitter};

const BEARER: &str = "authorization: Bearer of-the-test\r\n";
const GOOGLE: &str = "x-goog-api-key: of-the-test\r\n";

/// A language: how it is asked, and how its stream is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Voice {
    Gemini,
    GeminiArray,
    Converse,
    Invoke,
    Ollama,
}

const VOICES: [Voice; 5] = [
    Voice::Gemini,
    Voice::GeminiArray,
    Voice::Converse,
    Voice::Invoke,
    Voice::Ollama,
];

impl Voice {
    fn target(self, model: &str, stream: bool) -> String {
        let model = model.replace(':', "%3A");
        match (self, stream) {
            (Self::Gemini | Self::GeminiArray, false) => {
                format!("/v1beta/models/{model}:generateContent")
            }
            (Self::Gemini, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            (Self::GeminiArray, true) => format!("/v1beta/models/{model}:streamGenerateContent"),
            (Self::Converse, false) => format!("/model/{model}/converse"),
            (Self::Converse, true) => format!("/model/{model}/converse-stream"),
            (Self::Invoke, false) => format!("/model/{model}/invoke"),
            (Self::Invoke, true) => format!("/model/{model}/invoke-with-response-stream"),
            (Self::Ollama, _) => "/api/chat".to_owned(),
        }
    }

    fn body(self) -> Value {
        match self {
            Self::Gemini | Self::GeminiArray => {
                json!({"contents": [{"role": "user", "parts": [{"text": "hi there"}]}]})
            }
            Self::Converse => {
                json!({"messages": [{"role": "user", "content": [{"text": "hi there"}]}]})
            }
            Self::Invoke => json!({
                "anthropic_version": "bedrock-2023-05-31", "max_tokens": 100,
                "messages": [{"role": "user", "content": "hi there"}],
            }),
            Self::Ollama => json!({"messages": [{"role": "user", "content": "hi there"}]}),
        }
    }

    const fn credential(self) -> &'static str {
        match self {
            Self::Gemini | Self::GeminiArray => GOOGLE,
            Self::Converse | Self::Invoke | Self::Ollama => BEARER,
        }
    }

    /// The events of a stream, as far as they can be read.
    fn events(self, body: &[u8]) -> Vec<Value> {
        match self {
            Self::Gemini => {
                let text = String::from_utf8_lossy(body).into_owned();
                let data = text
                    .split("\r\n\r\n")
                    .filter_map(|event| event.strip_prefix("data: "));
                data.map(|data| serde_json::from_str(data).unwrap())
                    .collect()
            }
            Self::GeminiArray => serde_json::from_slice(body).unwrap(),
            Self::Ollama => {
                let text = String::from_utf8_lossy(body).into_owned();
                text.lines()
                    .map(|line| serde_json::from_str(line).unwrap())
                    .collect()
            }
            Self::Converse | Self::Invoke => frames(body)
                .into_iter()
                .map(|(kind, payload)| {
                    let bytes = payload.get("bytes").and_then(Value::as_str);
                    match bytes {
                        Some(text) => serde_json::from_slice(&base64(text)).unwrap(),
                        None => json!({kind: payload}),
                    }
                })
                .collect(),
        }
    }

    /// The text of an event's answer.
    fn text(self, event: &Value) -> Option<&str> {
        let pointer = match self {
            Self::Gemini | Self::GeminiArray => "/candidates/0/content/parts/0/text",
            Self::Converse => "/contentBlockDelta/delta/text",
            Self::Invoke => "/delta/text",
            Self::Ollama => "/message/content",
        };
        event.pointer(pointer).and_then(Value::as_str)
    }

    /// Prompt and answer tokens of an event or a whole answer.
    fn usage(self, answer: &Value) -> (u64, u64) {
        let (input, output) = match self {
            Self::Gemini | Self::GeminiArray => (
                "/usageMetadata/promptTokenCount",
                "/usageMetadata/candidatesTokenCount",
            ),
            Self::Converse => ("/usage/inputTokens", "/usage/outputTokens"),
            Self::Invoke => ("/usage/input_tokens", "/usage/output_tokens"),
            Self::Ollama => ("/prompt_eval_count", "/eval_count"),
        };
        let number = |pointer| answer.pointer(pointer).and_then(Value::as_u64).unwrap();
        (number(input), number(output))
    }
}

fn frames(body: &[u8]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut splitter = Splitter::new(1 << 24);
    let read = splitter.feed(body, |frame| {
        let kind = match frame.message() {
            Message::Event(kind) | Message::Exception(kind) => kind.to_owned(),
            error @ Message::Error { .. } => panic!("{error:?}"),
        };
        found.push((kind, serde_json::from_slice(frame.payload).unwrap()));
        std::ops::ControlFlow::Continue(())
    });
    assert!(read.is_ok(), "{read:?}");
    found
}

fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let place = |letter: u8| LETTERS.iter().position(|known| *known == letter);
    let bits: Vec<u32> = text
        .bytes()
        .filter_map(place)
        .map(|bits| bits as u32)
        .collect();
    let group = |group: &[u32]| {
        let bits = group.iter().fold(0, |all, bits| all << 6 | bits) << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..group.len()].to_vec()
    };
    bits.chunks(4).flat_map(group).collect()
}

fn start() -> Simulator {
    Simulator::start(Config::default()).unwrap()
}

fn ask(simulator: &Simulator, voice: Voice, model: &str, stream: bool, body: &Value) -> Reading {
    let target = voice.target(model, stream);
    let mut body = body.clone();
    if voice == Voice::Ollama {
        body["model"] = json!(model);
        body["stream"] = json!(stream);
    }
    let request = bare::post(&target, voice.credential(), &body.to_string());
    bare::stream(simulator.addr(), &request).unwrap()
}

fn json_of(reading: &Reading) -> Value {
    serde_json::from_slice(&reading.body).unwrap_or_else(|_| panic!("{}", reading.text()))
}

#[test]
fn every_voice_answers_whole_and_streamed_with_the_same_usage() {
    let simulator = start();
    for voice in VOICES {
        let whole = ask(&simulator, voice, "sim:n-5:seed-1", false, &voice.body());
        assert_eq!(
            (whole.status, whole.end),
            (200, ReadEnd::Complete),
            "{voice:?}"
        );
        assert_eq!(voice.usage(&json_of(&whole)), (2, 5), "{voice:?}");
        let model = "sim:n-5:seed-1:gap-1ms";
        let streamed = ask(&simulator, voice, model, true, &voice.body());
        let events = voice.events(&streamed.body);
        let texts: Vec<&str> = events
            .iter()
            .filter_map(|event| voice.text(event))
            .filter(|text| !text.is_empty())
            .collect();
        assert_eq!(texts.len(), 5, "{voice:?}: {events:?}");
        assert!(whole.text().contains(&texts.concat()), "{voice:?}");
        let last = simulator.requests().pop().unwrap();
        let tokens: Vec<u32> = last
            .writes
            .iter()
            .filter(|write| write.carried.tokens > 0)
            .map(|write| write.carried.token)
            .collect();
        assert_eq!(tokens, [0, 1, 2, 3, 4], "{voice:?}");
        assert_eq!((last.model.as_deref(), last.stream), (Some(model), true));
        let done = last
            .writes
            .iter()
            .filter(|write| write.carried.has(Carried::DONE));
        assert_eq!(done.count(), 1, "{voice:?}");
    }
}

#[test]
fn every_fault_is_played_in_every_voice_and_only_its_own() {
    // Bodies of these are endless, huge or slow by nature: their own tests look at them.
    let apart = [
        // These need a connection that has answered before.
        Fault::ResetReused,
        Fault::CloseReused,
        Fault::Endless,
        Fault::GzipBomb,
        Fault::HttpLarge,
        Fault::Drip,
        Fault::SseHugeLine,
    ];
    let simulator = start();
    for voice in VOICES {
        for fault in Fault::ALL.iter().filter(|fault| !apart.contains(fault)) {
            for stream in [false, true] {
                let model = format!("sim:n-4:at-2:for-1ms:fault-{}", fault.name());
                let reading = ask(&simulator, voice, &model, stream, &voice.body());
                let truth = simulator.requests().pop().unwrap();
                assert_eq!(truth.fault, Some(fault.name()), "{voice:?}");
                let said = reading.status != 0 || !reading.body.is_empty();
                assert!(
                    said || reading.end != ReadEnd::Complete,
                    "{voice:?} {fault:?}"
                );
            }
        }
    }
}

#[test]
fn a_stream_that_breaks_says_so_in_its_language() {
    let simulator = start();
    let model = "sim:n-6:fault-error_mid:at-2";
    for (voice, pointer, wanted) in [
        (Voice::Gemini, "/error/status", "INTERNAL"),
        (Voice::GeminiArray, "/error/status", "INTERNAL"),
        (
            Voice::Converse,
            "/modelStreamErrorException/message",
            "The system encountered an unexpected error during processing.",
        ),
        (
            Voice::Invoke,
            "/modelStreamErrorException/message",
            "The system encountered an unexpected error during processing.",
        ),
    ] {
        let reading = ask(&simulator, voice, model, true, &voice.body());
        let events = voice.events(&reading.body);
        let last = events.last().unwrap();
        assert_eq!(
            last.pointer(pointer),
            Some(&json!(wanted)),
            "{voice:?}: {last}"
        );
        let texts = events.iter().filter(|event| voice.text(event).is_some());
        assert_eq!(texts.count(), 2, "{voice:?}");
    }
}

#[test]
fn refusals_are_worded_as_their_providers_do() {
    let simulator = start();
    let converse = |status: u16, name: &'static str| (Voice::Converse, status, name);
    let gemini = |status: u16, name: &'static str| (Voice::Gemini, status, name);
    for (fault, (voice, status, name)) in [
        ("rate_limit", gemini(429, "RESOURCE_EXHAUSTED")),
        ("unauthorized", gemini(400, "API_KEY_INVALID")),
        (
            "context_length",
            gemini(400, "exceeds the maximum number of tokens"),
        ),
        ("quota", gemini(429, "PerDay")),
        ("http_503", gemini(503, "UNAVAILABLE")),
        ("http_504", gemini(504, "DEADLINE_EXCEEDED")),
        ("rate_limit", converse(429, "ThrottlingException")),
        ("unauthorized", converse(403, "UnrecognizedClientException")),
        ("context_length", converse(400, "ValidationException")),
        ("quota", converse(400, "ServiceQuotaExceededException")),
        ("http_503", converse(503, "ServiceUnavailableException")),
        ("http_504", converse(408, "ModelTimeoutException")),
    ] {
        let model = format!("sim:fault-{fault}:ra-3s");
        let reading = ask(&simulator, voice, &model, false, &voice.body());
        assert_eq!(reading.status, status, "{fault}: {}", reading.text());
        let told = match voice {
            Voice::Converse => reading
                .header("x-amzn-errortype")
                .unwrap_or_default()
                .to_owned(),
            _ => reading.text(),
        };
        assert!(told.contains(name), "{fault}: {told}");
        let waits = fault == "rate_limit" && voice == Voice::Gemini;
        assert_eq!(
            reading.text().contains("\"retryDelay\":\"3s\""),
            waits,
            "{fault}"
        );
    }
}

#[test]
fn requests_are_refused_as_the_real_interfaces_refuse_them() {
    let simulator = start();
    let user = json!({"role": "user", "content": [{"text": "hi"}]});
    let call = json!({"role": "assistant", "content": [
        {"toolUse": {"toolUseId": "t1", "name": "f", "input": {}}},
    ]});
    let result = |id: &str| json!({"role": "user", "content": [{"toolResult": {"toolUseId": id, "content": [{"text": "x"}]}}]});
    let tools = json!({"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]});
    let hi = json!([{"role": "user", "parts": [{"text": "hi"}]}]);
    for (voice, body, wanted) in [
        (
            Voice::Gemini,
            json!({"contents": hi, "foo": 1}),
            "Unknown name \"foo\"",
        ),
        (
            Voice::Gemini,
            json!({"contents": hi, "generationConfig": {"max_tokens": 1}}),
            "Unknown name \"max_tokens\" at 'generation_config'",
        ),
        (
            Voice::Gemini,
            json!({"contents": [{"role": "assistant", "parts": [{"text": "hi"}]}]}),
            "Please use a valid role",
        ),
        (
            Voice::Gemini,
            json!({"contents": hi, "tools": [{"functionDeclarations": [
                {"name": "f", "parameters": {"type": "object", "additionalProperties": false}},
            ]}]}),
            "Unknown name \"additionalProperties\"",
        ),
        (
            Voice::Gemini,
            json!({"contents": [{"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}]}),
            "number of function response parts",
        ),
        (
            Voice::Gemini,
            json!({"contents": [{"role": "model", "parts": [{"text": "x", "thoughtSignature": "b3RoZXI="}]}]}),
            "Thought signature is not valid",
        ),
        (
            Voice::Converse,
            json!({"messages": [user, user]}),
            "must alternate",
        ),
        (
            Voice::Converse,
            json!({"messages": [user], "maxTokens": 1}),
            "extraneous key [maxTokens]",
        ),
        (
            Voice::Converse,
            json!({"messages": [user], "inferenceConfig": {"temperature": 1.5}}),
            "from 0 to 1",
        ),
        (
            Voice::Converse,
            json!({"messages": [user, call, result("other")], "toolConfig": tools}),
            "exceeds the number of toolUse blocks",
        ),
        (
            Voice::Converse,
            json!({"messages": [user, call, user], "toolConfig": tools}),
            "Expected toolResult blocks",
        ),
        (
            Voice::Converse,
            json!({"messages": [user, call, result("t1")]}),
            "toolConfig field must be defined",
        ),
        (
            Voice::Converse,
            json!({"messages": [{"role": "user", "content": [
                {"image": {"format": "png", "source": {"bytes": "AAAA"}}},
            ]}]}),
            "is not of the format image/png",
        ),
        (
            Voice::Invoke,
            json!({"anthropic_version": "bedrock-2023-05-31", "messages": [{"role": "user", "content": "hi"}]}),
            "max_tokens: Field required",
        ),
        (
            Voice::Invoke,
            json!({"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}),
            "anthropic_version: Field required",
        ),
    ] {
        let reading = ask(&simulator, voice, "sim", false, &body);
        let told = reading.text();
        let message = json_of(&reading);
        let message = message
            .pointer("/error/message")
            .unwrap_or(&message["message"]);
        assert_eq!(reading.status, 400, "{body}: {told}");
        assert!(message.as_str().unwrap().contains(wanted), "{body}: {told}");
    }
    let good = json!({"messages": [user, call, result("t1")], "toolConfig": tools});
    assert_eq!(
        ask(&simulator, Voice::Converse, "sim", false, &good).status,
        200
    );
}

#[test]
fn messages_are_refused_as_anthropic_refuses_them() {
    let simulator = start();
    let asked = |body: &Value, version: &str| {
        let head = format!("anthropic-version: {version}\r\n");
        let request = bare::post("/v1/messages", &head, &body.to_string());
        bare::stream(simulator.addr(), &request).unwrap()
    };
    let hi = json!([{"role": "user", "content": "hi"}]);
    for (body, wanted) in [
        (
            json!({"model": "sim", "messages": hi}),
            "max_tokens: Field required",
        ),
        (
            json!({"model": "sim", "max_tokens": 9, "messages": [{"role": "system", "content": "x"}]}),
            "messages.0.role: Input should be one of user, assistant",
        ),
        (
            json!({"model": "sim", "max_tokens": 9, "messages": hi, "seed": 1}),
            "seed: Extra inputs are not permitted",
        ),
        (
            json!({"model": "sim", "max_tokens": 9, "messages": [{"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": "x"},
            ]}]}),
            "unexpected `tool_use_id` found in `tool_result` blocks: t",
        ),
        (
            json!({"model": "sim", "max_tokens": 9, "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
                {"role": "user", "content": "and?"},
            ]}),
            "`tool_use` ids were found without `tool_result` blocks",
        ),
        (
            json!({"model": "sim", "max_tokens": 9, "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": "foreign"}]},
                {"role": "user", "content": "and?"},
            ]}),
            "Invalid `signature` in `thinking` block",
        ),
        (
            json!({"model": "sim", "max_tokens": 9, "messages": hi, "tool_choice": {"type": "any"}}),
            "tool_choice: may only be specified while providing tools",
        ),
        (
            json!({"model": "sim", "max_tokens": 1024, "messages": hi,
                "thinking": {"type": "enabled", "budget_tokens": 1024}}),
            "`max_tokens` must be greater than `thinking.budget_tokens`",
        ),
    ] {
        let reading = asked(&body, "2023-06-01");
        assert_eq!(reading.status, 400, "{body}: {}", reading.text());
        assert!(
            reading.text().contains(wanted),
            "{body}: {}",
            reading.text()
        );
    }
    let warm = json!({"model": "sim", "max_tokens": 9, "messages": hi, "temperature": 0.5});
    assert_eq!(asked(&warm, "2023-06-01").status, 200);
    assert_eq!(asked(&warm, "2026-10-21").status, 400);
    let instructed = json!({"model": "sim", "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"}, {"role": "system", "content": "be short"},
    ]});
    assert_eq!(asked(&instructed, "2023-06-01").status, 200);
}

#[test]
fn credentials_are_wanted_where_the_real_interfaces_want_them() {
    let simulator = start();
    for (voice, head, status) in [
        (Voice::Gemini, "", 403),
        (Voice::Gemini, "authorization: Bearer a-key\r\n", 401),
        (Voice::Gemini, GOOGLE, 200),
        (Voice::Converse, "", 403),
        (Voice::Converse, BEARER, 200),
        (
            Voice::Converse,
            "authorization: AWS4-HMAC-SHA256 Credential=x\r\n",
            403,
        ),
    ] {
        let request = bare::post(&voice.target("sim", false), head, &voice.body().to_string());
        let reading = bare::stream(simulator.addr(), &request).unwrap();
        assert_eq!(
            reading.status,
            status,
            "{voice:?} {head}: {}",
            reading.text()
        );
    }
}

#[test]
fn what_came_beside_the_text_is_told() {
    let simulator = start();
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
    for (voice, part) in [
        (
            Voice::Gemini,
            json!({"inlineData": {"mimeType": "image/png", "data": png}}),
        ),
        (
            Voice::Converse,
            json!({"image": {"format": "png", "source": {"bytes": png}}}),
        ),
        (
            Voice::Invoke,
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png}}),
        ),
    ] {
        let mut body = voice.body();
        let (turns, parts) = match voice {
            Voice::Gemini => ("contents", "parts"),
            _ => ("messages", "content"),
        };
        body[turns][0][parts] = json!([part]);
        let reading = ask(&simulator, voice, "sim:n-2", false, &body);
        assert!(
            reading.text().contains("[image/png of 70 bytes]"),
            "{voice:?}: {}",
            reading.text()
        );
    }
}

#[test]
fn azure_gives_its_verdicts_and_wants_a_version() {
    let simulator = start();
    let body = json!({"stream": true, "messages": [{"role": "user", "content": "hi"}]}).to_string();
    let asked = |model: &str, query: &str| {
        let target = format!("/openai/deployments/{model}/chat/completions{query}");
        bare::stream(simulator.addr(), &bare::post(&target, "", &body)).unwrap()
    };
    assert_eq!(asked("sim:n-8", "").status, 404);
    for (model, late) in [("sim:n-8", 0), ("sim:n-8:filter-late", 2)] {
        let reading = asked(model, "?api-version=2024-10-21");
        let text = reading.text();
        let events: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
            .collect();
        assert!(events[0]["prompt_filter_results"].is_array(), "{text}");
        assert_eq!(
            events[1]["choices"][0]["delta"]["role"], "assistant",
            "{text}"
        );
        assert!(
            events[2]["choices"][0]["content_filter_results"].is_object(),
            "{text}"
        );
        let verdicts = events.iter().filter(|event| {
            let choice = &event["choices"][0];
            choice["content_filter_offsets"].is_object() && choice.get("delta").is_none()
        });
        assert_eq!(verdicts.count(), late, "{text}");
        assert_eq!(reading.header("x-ms-region"), Some("Sweden Central"));
    }
}

#[test]
fn ollama_calls_thinks_and_tells_how_long_it_took() {
    let simulator = start();
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}},
    }}});
    let mut body = Voice::Ollama.body();
    body["tools"] = json!([tool]);
    let model = "sim:n-4:tools-1:think-2:ft-20ms:gap-1ms";
    let whole = json_of(&ask(&simulator, Voice::Ollama, model, false, &body));
    let call = &whole["message"]["tool_calls"][0]["function"];
    assert_eq!(
        (&call["name"], &call["arguments"]["city"]),
        (&json!("f"), &json!("Oslo"))
    );
    assert!(whole["message"]["thinking"].is_string(), "{whole}");
    assert_eq!(whole["prompt_eval_duration"], 20_000_000, "{whole}");
    let generate = json!({"model": "sim:n-3", "prompt": "hi", "stream": false}).to_string();
    let reading = bare::stream(
        simulator.addr(),
        &bare::post("/api/generate", "", &generate),
    );
    let reading = reading.unwrap();
    assert!(
        json_of(&reading)["response"].is_string(),
        "{}",
        reading.text()
    );
    let missing = json!({"model": "missing", "prompt": "hi"}).to_string();
    let reading = bare::stream(simulator.addr(), &bare::post("/api/generate", "", &missing));
    let reading = reading.unwrap();
    assert_eq!(reading.status, 404);
    assert_eq!(json_of(&reading)["error"], "model 'missing' not found");
}
