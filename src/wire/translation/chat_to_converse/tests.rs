//! Requests, answers and streams of Converse's, by tables.

use serde_json::{Value, json};

use super::super::shape::{Ended, Kept, Stamp, Terms};
use super::super::trial::{STRICT, chunks, deltas, said, sent};
use super::PAIR;
use crate::record::ErrorClass;
use crate::wire::framing::event_stream::encode_event;

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const LLAMA: &str = "meta.llama3-3-70b-instruct-v1:0";

fn hi_said() -> Value {
    json!([{"role": "user", "content": [{"text": "Hi"}]}])
}

/// A request with `members` beside one message.
fn with(members: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    body
}

fn said_to(model: &str, terms: &Terms, body: &Value) -> (Value, Vec<String>) {
    let sent = sent(&PAIR, body, model, terms).unwrap_or_else(|error| panic!("{body}: {error:?}"));
    (serde_json::from_slice(&sent.body).unwrap(), sent.dropped)
}

fn refused(body: &Value, model: &str) -> String {
    let refusal = sent(&PAIR, body, model, &STRICT).unwrap_err();
    assert!(!refusal.message.is_empty(), "{body}");
    refusal.field
}

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name}})
}

fn call(id: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}})
}

#[test]
fn settings_find_their_places() {
    let schema = json!({"type": "object", "properties": {"b": {}, "a": {}}});
    for (asked, expected) in [
        (json!({}), json!({})),
        (
            json!({"max_tokens": 5, "temperature": 0.1, "stop": ["a"]}),
            json!({"inferenceConfig": {
                "maxTokens": 5, "temperature": 0.1, "stopSequences": ["a"]}}),
        ),
        (
            json!({"top_p": 0.5}),
            json!({"inferenceConfig": {"topP": 0.5}}),
        ),
        (
            json!({"top_k": 5}),
            json!({"additionalModelRequestFields": {"top_k": 5}}),
        ),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {
                "name": "n", "description": "d", "strict": true, "schema": schema}}}),
            json!({"outputConfig": {"textFormat": {"type": "json_schema", "structure": {
                "jsonSchema": {
                    "schema": "{\"type\":\"object\",\"properties\":{\"b\":{},\"a\":{}}}",
                    "name": "n", "description": "d"}}}}}),
        ),
        (
            json!({"user": "u 1", "metadata": {"team": "a/b"}}),
            json!({"requestMetadata": {"user": "u 1", "team": "a/b"}}),
        ),
        (
            json!({"service_tier": "flex"}),
            json!({"serviceTier": {"type": "flex"}}),
        ),
        (
            json!({
                "store": false, "logprobs": false, "logit_bias": {}, "n": 1, "tools": [],
                "modalities": ["text"], "parallel_tool_calls": true, "service_tier": "auto",
                "presence_penalty": 0, "frequency_penalty": 0.0, "stream": true, "top_logprobs": 0,
                "stream_options": {"include_usage": true},
            }),
            json!({}),
        ),
    ] {
        let (mut body, dropped) = said_to(CLAUDE, &STRICT, &with(asked.clone()));
        let messages = body
            .as_object_mut()
            .unwrap()
            .shift_remove("messages")
            .unwrap();
        assert_eq!(messages, hi_said(), "{asked}");
        assert_eq!(body, expected, "{asked}");
        assert_eq!(dropped, [""; 0], "{asked}");
    }
    let labels: serde_json::Map<String, Value> =
        (0..20).map(|n| (format!("k{n:02}"), "v".into())).collect();
    let (body, dropped) = said_to(
        CLAUDE,
        &STRICT,
        &with(json!({
        "metadata": labels, "user": "é"})),
    );
    assert_eq!(body["requestMetadata"].as_object().unwrap().len(), 16);
    assert_eq!(
        dropped,
        [
            "metadata.k16",
            "metadata.k17",
            "metadata.k18",
            "metadata.k19",
            "user"
        ],
    );
}

#[test]
fn an_effort_is_said_as_the_family_has_it() {
    let thinking = |budget: u64| json!({"thinking": {"type": "enabled", "budget_tokens": budget}});
    let adaptive = json!({"thinking": {"type": "adaptive", "display": "summarized"}});
    for (model, by_budget, asked, additional, effort) in [
        (
            CLAUDE,
            true,
            json!({"reasoning_effort": "low"}),
            thinking(2048),
            Value::Null,
        ),
        (
            CLAUDE,
            true,
            json!({"reasoning_effort": "high", "max_tokens": 4000}),
            thinking(2000),
            Value::Null,
        ),
        (
            CLAUDE,
            true,
            json!({"reasoning_effort": "none"}),
            json!({"thinking": {"type": "disabled"}}),
            Value::Null,
        ),
        (
            CLAUDE,
            false,
            json!({"reasoning_effort": "minimal"}),
            adaptive.clone(),
            json!("low"),
        ),
        (
            CLAUDE,
            false,
            json!({"reasoning_effort": "max"}),
            adaptive,
            json!("max"),
        ),
        (
            "openai.gpt-oss-120b-1:0",
            false,
            json!({"reasoning_effort": "xhigh"}),
            json!({"reasoning_effort": "high"}),
            Value::Null,
        ),
        (
            "us.amazon.nova-2-lite-v1:0",
            false,
            json!({"reasoning_effort": "medium"}),
            json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}),
            Value::Null,
        ),
        (
            LLAMA,
            false,
            json!({"reasoning_effort": "high"}),
            Value::Null,
            json!("high"),
        ),
        (
            LLAMA,
            false,
            json!({"reasoning_effort": "none"}),
            Value::Null,
            Value::Null,
        ),
    ] {
        let terms = Terms {
            thinks_by_budget: by_budget,
            ..STRICT
        };
        let (body, _) = said_to(model, &terms, &with(asked.clone()));
        assert_eq!(
            body["additionalModelRequestFields"], additional,
            "{model} {asked}"
        );
        assert_eq!(body["outputConfig"]["effort"], effort, "{model} {asked}");
    }
    let terms = Terms {
        thinks_by_budget: true,
        drop_params: true,
        ..STRICT
    };
    // What thinking by a budget does not go together with.
    let turns = |details: Value| {
        json!([
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [call("c", "{}")],
             "reasoning_content": "Hm", "reasoning_details": details},
            {"role": "tool", "tool_call_id": "c", "content": "r"},
        ])
    };
    let own = json!([{"type": "reasoning.text", "signature": "c2ln",
        "format": "anthropic-claude-v1", "index": 0}]);
    let lost = "messages[1].reasoning_content";
    for (more, thinks, dropped) in [
        (
            json!({"tool_choice": "required"}),
            false,
            &["reasoning_effort"][..],
        ),
        (
            json!({"tool_choice": function("f"), "parallel_tool_calls": false}),
            false,
            &["reasoning_effort"],
        ),
        (json!({"parallel_tool_calls": false}), true, &[]),
        (
            json!({"messages": turns(json!([]))}),
            false,
            &[lost, "reasoning_effort"],
        ),
        (json!({"messages": turns(own)}), true, &[]),
        (
            json!({"temperature": 0.5, "top_k": 9}),
            true,
            &["temperature", "top_k"],
        ),
        (json!({"temperature": 1}), true, &[]),
    ] {
        let mut asked = with(json!({"reasoning_effort": "low", "tools": [function("f")]}));
        let members = asked.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        let (body, lost) = said_to(CLAUDE, &terms, &asked);
        let additional = &body["additionalModelRequestFields"];
        let found = additional.get("thinking");
        assert_eq!(
            found,
            thinks.then(|| thinking(2048)["thinking"].clone()).as_ref(),
            "{more}"
        );
        assert_eq!(lost, dropped, "{more}");
        assert!(additional.get("top_k").is_none(), "{more}");
    }
    let terms = Terms {
        drop_params: false,
        ..terms
    };
    let small = with(json!({"reasoning_effort": "low", "max_tokens": 1000}));
    assert_eq!(
        sent(&PAIR, &small, CLAUDE, &terms).unwrap_err().field,
        "reasoning_effort"
    );
}

#[test]
fn tools_and_the_choice_among_them() {
    let spec = |name: &str| {
        json!({"toolSpec": {
            "name": name, "inputSchema": {"json": {"type": "object", "properties": {}}}}})
    };
    let both = json!([spec("f"), spec("g")]);
    let one_at_a_time = |choice: Value| json!({"tool_choice": choice});
    for (asked, tools, choice, additional) in [
        (json!({}), both.clone(), Value::Null, Value::Null),
        (
            json!({"tool_choice": "auto"}),
            both.clone(),
            Value::Null,
            Value::Null,
        ),
        (
            json!({"tool_choice": "required"}),
            both.clone(),
            json!({"any": {}}),
            Value::Null,
        ),
        (
            json!({"tool_choice": function("g")}),
            both.clone(),
            json!({"tool": {"name": "g"}}),
            Value::Null,
        ),
        (
            json!({"tool_choice": "none"}),
            Value::Null,
            Value::Null,
            Value::Null,
        ),
        (
            json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {
                "mode": "required", "tools": [function("g")]}}}),
            json!([spec("g")]),
            json!({"any": {}}),
            Value::Null,
        ),
        (
            json!({"parallel_tool_calls": false}),
            both.clone(),
            Value::Null,
            one_at_a_time(json!({"type": "auto", "disable_parallel_tool_use": true})),
        ),
        (
            json!({"parallel_tool_calls": false, "tool_choice": function("f")}),
            both,
            Value::Null,
            one_at_a_time(json!({"type": "tool", "name": "f", "disable_parallel_tool_use": true})),
        ),
    ] {
        let mut body = with(asked.clone());
        body["tools"] = json!([function("f"), function("g")]);
        let (body, dropped) = said_to(CLAUDE, &STRICT, &body);
        assert_eq!(body["toolConfig"]["tools"], tools, "{asked}");
        assert_eq!(body["toolConfig"]["toolChoice"], choice, "{asked}");
        assert_eq!(body["additionalModelRequestFields"], additional, "{asked}");
        assert_eq!(dropped, [""; 0], "{asked}");
    }
    let tool = json!([{"type": "function", "function": {
        "name": "f", "description": "d", "strict": true,
        "parameters": {"type": "object", "properties": {"z": {}, "a": {}}}}}]);
    let (body, _) = said_to(CLAUDE, &STRICT, &with(json!({"tools": tool})));
    assert_eq!(
        body["toolConfig"]["tools"][0].to_string(),
        concat!(
            r#"{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","#,
            r#""properties":{"z":{},"a":{}}}},"description":"d","strict":true}}"#,
        ),
    );
}

#[test]
fn messages_become_alternating_content_blocks() {
    let asked = json!({
        "tools": [function("f")],
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "developer", "content": "d"},
            {"role": "user", "content": [
                {"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,aGk="}},
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
                {"type": "file", "file": {
                    "filename": "q3_report!.pdf", "file_data": "data:application/pdf;base64,aGk="}},
                {"type": "file", "file": {"filename": "q3_report!.txt", "file_data": "aGk="}},
            ]},
            {"role": "user", "content": "b"},
            {"role": "assistant", "content": "\n", "tool_calls": [
                call("c1", "{\"x\": 1e400}"), call("c2", "")]},
            {"role": "tool", "tool_call_id": "c2", "content": ""},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "r"}]},
            {"role": "user", "content": "c\u{0}"},
            {"role": "assistant", "content": null},
            {"role": "user", "content": "d"},
        ],
    });
    let sent = sent(&PAIR, &asked, CLAUDE, &STRICT).unwrap();
    assert_eq!(sent.dropped, ["messages[8]"]);
    let text = String::from_utf8(sent.body).unwrap();
    let (start, _) = text.split_once(",\"toolConfig\"").unwrap();
    assert_eq!(
        start,
        concat!(
            r#"{"messages":[{"role":"user","content":[{"text":"a"},"#,
            r#"{"image":{"format":"jpeg","source":{"bytes":"aGk="}}},"#,
            r#"{"audio":{"format":"mp3","source":{"bytes":"aGk="}}},"#,
            r#"{"document":{"format":"pdf","name":"q3 report-","source":{"bytes":"aGk="}}},"#,
            r#"{"document":{"format":"txt","name":"q3 report- (2)","source":{"bytes":"aGk="}}},"#,
            r#"{"text":"b"}]},{"role":"assistant","content":["#,
            r#"{"toolUse":{"toolUseId":"c1","name":"f","input":{"x": 1e400}}},"#,
            r#"{"toolUse":{"toolUseId":"c2","name":"f","input":{}}}]},{"role":"user","content":["#,
            r#"{"toolResult":{"toolUseId":"c1","content":[{"text":"r"}]}},"#,
            r#"{"toolResult":{"toolUseId":"c2","content":[]}},{"text":"c\u0000"},{"text":"d"}]}],"#,
            r#""system":[{"text":"s"},{"text":"d"}]"#,
        )
    );
}

#[test]
fn one_call_at_a_time_is_a_wish_that_only_claude_grants() {
    let asked = with(json!({"tools": [function("f")], "parallel_tool_calls": false}));
    for (model, dropped) in [(LLAMA, &["parallel_tool_calls"][..]), (CLAUDE, &[])] {
        assert_eq!(said_to(model, &STRICT, &asked).1, dropped, "{model}");
    }
}

#[test]
fn results_stand_first_and_may_be_images() {
    let png = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}});
    let asked = json!({
        "tools": [function("f")],
        "messages": [
            {"role": "user", "content": "a", "name": "Ada"},
            {"role": "assistant", "tool_calls": [call("c", "{}"), call("d", "")]},
            {"role": "tool", "tool_call_id": "d", "content": [{"type": "text", "text": "x"}, png]},
            {"role": "user", "content": "b"},
            {"role": "tool", "tool_call_id": "c", "content": "y"},
        ],
    });
    let sent = sent(&PAIR, &asked, LLAMA, &STRICT).unwrap();
    assert_eq!(sent.dropped, ["messages[0].name"]);
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    let image = json!({"image": {"format": "png", "source": {"bytes": "aGk="}}});
    assert_eq!(
        body["messages"][2]["content"],
        json!([
            {"toolResult": {"toolUseId": "c", "content": [{"text": "y"}]}},
            {"toolResult": {"toolUseId": "d", "content": [{"text": "x"}, image]}},
            {"text": "b"},
        ])
    );
}

#[test]
fn what_cannot_be_said_is_refused_by_its_path_or_dropped_by_the_terms() {
    let user = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    let called = |members: Value| {
        let mut body = json!({"messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "tool_calls": [call("c", "{}")]},
            {"role": "tool", "tool_call_id": "c", "content": "b"},
        ]});
        body.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        body
    };
    let tools = json!([function("f")]);
    for (asked, field, may_drop) in [
        (with(json!({"temperature": 1.5})), "temperature", true),
        (with(json!({"n": 2})), "n", true),
        (with(json!({"seed": 1})), "seed", true),
        (with(json!({"top_k": 1})), "top_k", true),
        (with(json!({"logprobs": true})), "logprobs", true),
        (
            with(json!({"presence_penalty": 1})),
            "presence_penalty",
            true,
        ),
        (
            with(json!({"response_format": {"type": "json_object"}})),
            "response_format",
            true,
        ),
        (
            called(json!({"tools": tools, "tool_choice": "none"})),
            "tool_choice",
            true,
        ),
        (called(json!({})), "tools", false),
        (
            with(json!({"tool_choice": "required"})),
            "tool_choice",
            false,
        ),
        (
            user(json!({"type": "image_url", "image_url": {"url": "https://a.example/b.png"}})),
            "messages[0].content[0].image_url.url",
            false,
        ),
        (
            user(json!({"type": "image_url",
                "image_url": {"url": "data:image/tiff;base64,aGk="}})),
            "messages[0].content[0].image_url.url",
            false,
        ),
        (
            user(json!({"type": "file", "file": {
                "file_data": "data:application/zip;base64,aGk="}})),
            "messages[0].content[0].file.file_data",
            false,
        ),
        (
            user(json!({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mid"}})),
            "messages[0].content[0].input_audio.format",
            false,
        ),
    ] {
        assert_eq!(refused(&asked, LLAMA), field, "{asked}");
        let terms = Terms {
            drop_params: true,
            ..STRICT
        };
        match sent(&PAIR, &asked, LLAMA, &terms) {
            Ok(sent) => {
                assert!(may_drop, "{asked}");
                assert_eq!(sent.dropped, [field], "{asked}");
            }
            Err(refusal) => {
                assert!(!may_drop, "{asked}: {refusal:?}");
                assert_eq!(refusal.field, field);
            }
        }
    }
    let fixed = Terms {
        takes_sampling: false,
        ..STRICT
    };
    let refusal = sent(&PAIR, &with(json!({"top_p": 0.5})), CLAUDE, &fixed).unwrap_err();
    assert_eq!(refusal.field, "top_p");
    assert!(sent(&PAIR, &with(json!({"temperature": 1})), CLAUDE, &fixed).is_ok());
    let passing = Terms {
        pass_urls: true,
        ..STRICT
    };
    let asked = user(json!({"type": "image_url", "image_url": {"url": "s3://a/b.jpg"}}));
    let (body, _) = said_to(CLAUDE, &passing, &asked);
    assert_eq!(
        body["messages"][0]["content"][0],
        json!({"image": {
        "format": "jpeg", "source": {"s3Location": {"uri": "s3://a/b.jpg"}}}})
    );
}

#[test]
fn reasoning_comes_back_with_its_own_proof_and_no_other() {
    let asked = |format: &str| {
        json!({"messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "42", "reasoning_content": "Hm, so",
             "reasoning_details": [
                {"type": "reasoning.encrypted", "format": format, "index": 1, "data": "ZW5j"},
                {"type": "reasoning.text", "format": format, "index": 0,
                 "characters": 3, "signature": "c2ln"},
             ]},
            {"role": "user", "content": "b"},
        ]})
    };
    let restored = json!([
        {"reasoningContent": {"reasoningText": {"text": "Hm,", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "ZW5j"}},
        {"text": "42"},
    ]);
    let left = [
        "messages[1].reasoning_content",
        "messages[1].reasoning_details[0]",
        "messages[1].reasoning_details[1]",
    ];
    for (model, format, own) in [
        (CLAUDE, "anthropic-claude-v1", true),
        (CLAUDE, "google-gemini-v1", false),
        (CLAUDE, "amazon-bedrock-v1", false),
        (LLAMA, "anthropic-claude-v1", false),
        (LLAMA, "amazon-bedrock-v1", true),
    ] {
        let (body, dropped) = said_to(model, &STRICT, &asked(format));
        if own {
            assert_eq!(body["messages"][1]["content"], restored, "{model} {format}");
            assert_eq!(dropped, [""; 0]);
        } else {
            assert_eq!(body["messages"][1]["content"], json!([{"text": "42"}]));
            assert_eq!(dropped, left, "{model} {format}");
        }
    }
}

fn kept() -> Kept {
    Kept {
        stream: true,
        include_usage: true,
        model: "asked".to_owned(),
        model_there: CLAUDE.to_owned(),
        ..Kept::default()
    }
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/wire/bedrock/", $name))
    };
}

#[test]
fn samples_are_said_in_every_cut() {
    let details = json!({"type": "reasoning.text", "signature": "c2ln", "characters": 2,
        "format": "anthropic-claude-v1", "index": 0});
    let samples: [(&[u8], Vec<Value>, &str, Option<[u64; 3]>); 6] = [
        (
            fixture!("converse_basic.bin"),
            vec![json!({"content": "Hel"}), json!({"content": "lo"})],
            "stop",
            Some([11, 0, 2]),
        ),
        (
            fixture!("converse_reasoning.bin"),
            vec![
                json!({"reasoning_content": "Hm"}),
                json!({"reasoning_details": [details]}),
                json!({"content": "42"}),
            ],
            "stop",
            Some([11, 0, 40]),
        ),
        (
            fixture!("converse_tool.bin"),
            vec![
                json!({"tool_calls": [{"index": 0, "id": "tooluse_1", "type": "function",
                    "function": {"name": "get_weather", "arguments": ""}}]}),
                json!({"tool_calls": [{"index": 0, "function": {
                    "arguments": "{\"city\":\"Oslo\"}"}}]}),
            ],
            "tool_calls",
            Some([40, 0, 20]),
        ),
        (
            fixture!("converse_cache.bin"),
            vec![json!({"content": "Ok"})],
            "stop",
            Some([4320, 4000, 3]),
        ),
        (
            fixture!("converse_guardrail.bin"),
            vec![json!({"content": "Sorry."})],
            "content_filter",
            Some([11, 0, 0]),
        ),
        (
            fixture!("converse_no_metadata.bin"),
            vec![json!({"content": "Hi"})],
            "stop",
            None,
        ),
    ];
    for (bytes, expected, finish, usage) in samples {
        let (out, ended) = said(&PAIR, &kept(), bytes);
        assert_eq!(ended, Ended::Whole, "{out}");
        let (chunks, done) = chunks(&out);
        assert!(done, "{out}");
        let deltas = deltas(&out);
        assert_eq!(deltas[0], json!({"role": "assistant", "content": ""}));
        assert_eq!(deltas[1..], expected);
        assert!(chunks.iter().all(|chunk| chunk["id"] == "chatcmpl-s1"));
        assert!(chunks.iter().all(|chunk| chunk["model"] == "asked"));
        let last = chunks.len() - 1 - usize::from(usage.is_some());
        assert_eq!(chunks[last]["choices"][0]["finish_reason"], finish);
        let Some(usage) = usage else { continue };
        let read = &chunks[last + 1]["usage"];
        let cached = read["prompt_tokens_details"]["cached_tokens"].as_u64();
        let read = [
            read["prompt_tokens"].as_u64(),
            cached.or(Some(0)),
            read["completion_tokens"].as_u64(),
        ];
        assert_eq!(read, usage.map(Some), "{out}");
    }
    let (out, ended) = said(
        &PAIR,
        &Kept::default(),
        fixture!("converse_odd_headers.bin"),
    );
    assert_eq!(ended, Ended::Whole, "{out}");
    assert!(!out.contains("usage"), "nobody asked for it: {out}");
}

#[test]
fn errors_are_told_and_nothing_follows_them() {
    let throttled: &[u8] = fixture!("converse_throttled_midstream.bin");
    for (bytes, class, words) in [
        (
            throttled,
            ErrorClass::RateLimited,
            "Too many tokens, please wait",
        ),
        (
            fixture!("converse_model_stream_error.bin"),
            ErrorClass::ServerError,
            "model error",
        ),
        (
            fixture!("converse_error_frame.bin"),
            ErrorClass::ServerError,
            "internal",
        ),
        (
            fixture!("converse_bad_prelude_crc.bin"),
            ErrorClass::ProtocolError,
            "checksum",
        ),
    ] {
        let (out, ended) = said(&PAIR, &kept(), bytes);
        let Ended::Failed(error) = ended else {
            panic!("{ended:?}: {out}");
        };
        assert_eq!(error.class, class, "{out}");
        let (chunks, done) = chunks(&out);
        assert!(!done, "{out}");
        let told = chunks.last().unwrap()["error"]["message"].as_str().unwrap();
        assert!(told.contains(words), "{out}");
    }
    for broken in [&b""[..], fixture!("converse_truncated_frame.bin")] {
        let (out, ended) = said(&PAIR, &kept(), broken);
        assert_eq!(ended, Ended::Broken, "{out}");
        assert!(!out.contains("[DONE]"), "{out}");
    }
}

/// A stream of these events.
fn stream(events: &[(&str, Value)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, payload) in events {
        encode_event(kind, payload.to_string().as_bytes(), &mut bytes).unwrap();
    }
    bytes
}

#[test]
fn calls_are_counted_alone_and_a_call_without_arguments_has_some() {
    let start = |block: u64, id: &str| {
        let call = json!({"toolUse": {"toolUseId": id, "name": "f"}});
        (
            "contentBlockStart",
            json!({"contentBlockIndex": block, "start": call}),
        )
    };
    let delta = |block: u64, delta: Value| {
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": block, "delta": delta}),
        )
    };
    let stop = |block: u64| ("contentBlockStop", json!({"contentBlockIndex": block}));
    let bytes = stream(&[
        ("messageStart", json!({"role": "assistant"})),
        delta(0, json!({"reasoningContent": {"text": "é\"x"}})),
        stop(0),
        delta(1, json!({"reasoningContent": {"redactedContent": "ZW5j"}})),
        stop(1),
        delta(2, json!({"reasoningContent": {"text": "y"}})),
        delta(2, json!({"reasoningContent": {"signature": "c2ln"}})),
        stop(2),
        delta(3, json!({"text": "\u{1f600}\"\\"})),
        stop(3),
        start(4, "t1"),
        stop(4),
        start(5, "t2"),
        delta(5, json!({"toolUse": {"input": "{\"a\":"}})),
        delta(5, json!({"toolUse": {"input": "\"\\u00e9\"}"}})),
        stop(5),
        ("messageStop", json!({"stopReason": "tool_use"})),
        (
            "metadata",
            json!({"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
                            "serviceTier": {"type": "flex"}}),
        ),
    ]);
    let (out, ended) = said(&PAIR, &kept(), &bytes);
    assert_eq!(ended, Ended::Whole, "{out}");
    let call = |index: u64, id: &str| {
        json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": "f", "arguments": ""}}]})
    };
    let arguments = |index: u64, text: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]});
    assert_eq!(
        deltas(&out)[1..],
        [
            json!({"reasoning_content": "é\"x"}),
            json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "ZW5j",
            "format": "anthropic-claude-v1", "index": 0}]}),
            json!({"reasoning_content": "y"}),
            json!({"reasoning_details": [{"type": "reasoning.text", "signature": "c2ln",
            "characters": 4, "format": "anthropic-claude-v1", "index": 1}]}),
            json!({"content": "\u{1f600}\"\\"}),
            call(0, "t1"),
            arguments(0, "{}"),
            call(1, "t2"),
            arguments(1, "{\"a\":"),
            arguments(1, "\"\\u00e9\"}"),
        ]
    );
    let (chunks, _) = chunks(&out);
    assert_eq!(chunks.last().unwrap()["service_tier"], "flex");

    // A block that nobody closed is over when the next one begins, and what no call asked for is
    // no argument of one.
    let end = ("messageStop", json!({"stopReason": "tool_use"}));
    let bytes = stream(&[
        delta(0, json!({"toolUse": {"input": "{}"}})),
        start(1, "t1"),
        start(2, "t2"),
        delta(2, json!({"toolUse": {"input": "{\"a\":1}"}})),
        stop(2),
        delta(2, json!({"toolUse": {"input": "late"}})),
        end,
        ("metadata", json!({"usage": {}})),
    ]);
    let (out, ended) = said(&PAIR, &kept(), &bytes);
    assert_eq!(ended, Ended::Whole, "{out}");
    assert_eq!(
        deltas(&out)[1..],
        [
            call(0, "t1"),
            arguments(0, "{}"),
            call(1, "t2"),
            arguments(1, "{\"a\":1}"),
        ]
    );

    // An end without a reason is none.
    let bytes = stream(&[
        delta(0, json!({"text": "a"})),
        ("messageStop", json!({})),
        ("metadata", json!({"usage": {}})),
    ]);
    let (out, ended) = said(&PAIR, &kept(), &bytes);
    assert_eq!(ended, Ended::Broken, "{out}");
    assert!(
        !out.contains("[DONE]") && !out.contains("content_filter"),
        "{out}"
    );

    // A fault of the model's is no end, and what comes behind the end is nothing.
    let bytes = stream(&[
        ("messageStart", json!({"role": "assistant"})),
        ("messageStop", json!({"stopReason": "malformed_tool_use"})),
        ("metadata", json!({"usage": {}})),
    ]);
    let (out, ended) = said(&PAIR, &kept(), &bytes);
    assert!(
        matches!(ended, Ended::Failed(_)) && out.contains("malformed_tool_use"),
        "{out}"
    );
    let end = ("messageStop", json!({"stopReason": "end_turn"}));
    let metadata = ("metadata", json!({"usage": {}}));
    let bytes = stream(&[
        end,
        metadata.clone(),
        delta(0, json!({"text": "late"})),
        metadata,
    ]);
    let (out, ended) = said(&PAIR, &kept(), &bytes);
    assert_eq!(ended, Ended::Whole);
    assert!(
        out.ends_with("data: [DONE]\n\n") && !out.contains("late"),
        "{out}"
    );
}

#[test]
fn whole_answers() {
    let answer = |body: &[u8]| {
        let stamp = Stamp {
            id: "s1".to_owned(),
            created: 5,
        };
        let said = (PAIR.answer)(body, &kept(), &stamp);
        said.map(|said| serde_json::from_slice::<Value>(&said).unwrap())
    };
    assert_eq!(
        answer(fixture!("converse.json")).unwrap(),
        json!({
            "id": "chatcmpl-s1", "object": "chat.completion", "created": 5, "model": "asked",
            "choices": [{"index": 0, "logprobs": null, "finish_reason": "stop", "message": {
                "role": "assistant", "content": "Hi", "refusal": null}}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13,
                "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}},
        })
    );
    let body = json!({
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "Hmé", "signature": "c2ln"}}},
            {"reasoningContent": {"redactedContent": "ZW5j"}},
            {"text": "a"},
            {"citationsContent": {"content": [{"text": "b"}, {"text": "c"}], "citations": []}},
            {"image": {"format": "png", "source": {"bytes": "aGk="}}},
            {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"x": 1.50}}},
            {"somethingNew": {}},
        ]}},
        "stopReason": "tool_use", "serviceTier": {"type": "priority"},
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
    });
    let said = answer(body.to_string().as_bytes()).unwrap();
    assert_eq!(said["service_tier"], "priority");
    assert_eq!(said["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(
        said["choices"][0]["message"],
        json!({
            "role": "assistant", "content": "abc", "refusal": null, "reasoning_content": "Hmé",
            "reasoning_details": [
                {"type": "reasoning.text", "signature": "c2ln", "characters": 3,
                 "format": "anthropic-claude-v1", "index": 0},
                {"type": "reasoning.encrypted", "data": "ZW5j",
                 "format": "anthropic-claude-v1", "index": 1},
            ],
            "tool_calls": [{"id": "t1", "type": "function",
                "function": {"name": "f", "arguments": "{\"x\":1.5}"}}],
            "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}],
        })
    );
    for (body, words) in [
        ("<html>", "not JSON"),
        (r#"{"message":"Why"}"#, "Why"),
        (r#"{"output":{"message":{"content":[]}}}"#, "does not say"),
        (
            r#"{"output":{"message":{"content":[]}},"stopReason":"malformed_model_output"}"#,
            "malformed_model_output",
        ),
    ] {
        let message = answer(body.as_bytes()).unwrap_err().message;
        assert!(message.contains(words), "{body}: {message}");
    }
}

#[test]
fn what_is_kept_does_not_grow_with_the_stream() {
    let delta = |delta: Value| ("contentBlockDelta", json!({"delta": delta}));
    let piece = stream(&[
        delta(json!({"text": "word "})),
        delta(json!({"reasoningContent": {"text": "hm"}})),
    ]);
    let mut restream = (PAIR.stream)(&kept(), &Stamp::default());
    let mut out = Vec::new();
    let mut size = |rounds: u32| {
        for _ in 0..rounds {
            out.clear();
            restream.feed(&piece, &mut out);
        }
        // All that a stream keeps is in its debug form, numbers and texts alike.
        (format!("{restream:?}").len(), out.len())
    };
    let (early, said) = size(10);
    let (late, same) = size(100_000);
    assert!(late <= early + 8, "{early} grew to {late}");
    assert_eq!(said, same);
}

#[test]
fn a_schema_without_a_type_is_that_of_an_object() {
    for parameters in [json!({}), json!({"anyOf": [{"required": ["a"]}]})] {
        let asked = with(json!({"tools": [
            {"type": "function", "function": {"name": "f", "parameters": parameters}}]}));
        let (body, _) = said_to(CLAUDE, &STRICT, &asked);
        let schema = &body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"];
        assert_eq!(schema["type"], "object");
    }
}

/// OpenAI's `stop` is for the model's own end too: the word of Converse's stands beside it.
#[test]
fn a_stop_at_a_sequence_is_told_apart() {
    for (word, native) in [
        ("stop_sequence", json!("stop_sequence")),
        ("end_turn", Value::Null),
    ] {
        let body = json!({
            "output": {"message": {"role": "assistant", "content": [{"text": "a"}]}},
            "stopReason": word, "usage": {"inputTokens": 1, "outputTokens": 2},
        });
        let answer =
            (PAIR.answer)(body.to_string().as_bytes(), &kept(), &Stamp::default()).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let choice = &answer["choices"][0];
        assert_eq!(choice["finish_reason"], "stop");
        assert_eq!(choice["native_finish_reason"], native);
        for metadata in [true, false] {
            let mut events = vec![("messageStop", json!({"stopReason": word}))];
            if metadata {
                events.push(("metadata", json!({"usage": {}})));
            }
            let (out, ended) = said(&PAIR, &kept(), &stream(&events));
            assert_eq!(ended, Ended::Whole, "{out}");
            let (chunks, _) = chunks(&out);
            let last = &chunks.last().unwrap()["choices"][0];
            assert_eq!(last["finish_reason"], "stop");
            assert_eq!(last["native_finish_reason"], native, "{word} {metadata}");
        }
    }
}
