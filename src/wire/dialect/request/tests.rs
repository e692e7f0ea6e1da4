//! Tests the reading and the editing of request bodies.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Edits, RequestFault, RequestReading, edit, read};
use crate::record::Language;

fn chat(body: &str) -> Result<RequestReading, RequestFault> {
    read(Language::OpenAiChat, body.as_bytes(), 64)
}

fn facts(language: Language, body: &Value) -> RequestReading {
    read(language, body.to_string().as_bytes(), 64).unwrap()
}

#[test]
fn faults_say_where_and_what() {
    for (body, param, message) in [
        ("", None, "the body is empty; send a JSON object"),
        (" \n", None, "the body is empty; send a JSON object"),
        ("[]", None, "the body is an array; send a JSON object"),
        ("\"x\"", None, "the body is a string; send a JSON object"),
        ("12", None, "the body is a number; send a JSON object"),
        ("true", None, "the body is a boolean; send a JSON object"),
        ("null", None, "the body is null; send a JSON object"),
        (
            "model=x",
            None,
            "the body is not valid JSON at byte 0: expected `{`",
        ),
        (
            "\u{feff}{}",
            None,
            "the body is not valid JSON at byte 0: expected `{`",
        ),
        (
            "{\"a\":1,}",
            None,
            "the body is not valid JSON at byte 7: trailing comma",
        ),
        (
            "{\n\"a\":\nx}",
            None,
            "the body is not valid JSON at byte 7: expected value",
        ),
        (
            "{}{}",
            None,
            "the body goes on after its JSON object at byte 2; send one object and nothing more",
        ),
        (
            r#"{"a":[[[[[[]]]]]]}"#,
            None,
            "the body is nested deeper than 6 levels at byte 10; send a flatter one",
        ),
        (
            r#"{"model":"a","model":"a"}"#,
            Some("model"),
            "the key `model` comes twice; send it once",
        ),
        (
            r#"{"model":"a","mod\u0065l":"b"}"#,
            Some("model"),
            "the key `model` comes twice; send it once",
        ),
        (
            r#"{"stream":true,"stream":true}"#,
            Some("stream"),
            "the key `stream` comes twice; send it once",
        ),
        (
            r#"{"stream_options":{},"stream_options":null}"#,
            Some("stream_options"),
            "the key `stream_options` comes twice; send it once",
        ),
        (
            r#"{"model":1}"#,
            Some("model"),
            "`model` is not a string; send the model's name",
        ),
        (
            r#"{"model":null}"#,
            Some("model"),
            "`model` is not a string; send the model's name",
        ),
        (
            r#"{"model":""}"#,
            Some("model"),
            "`model` is empty; send the model's name as its provider lists it",
        ),
        (
            r#"{"model":"a b"}"#,
            Some("model"),
            "`model` holds characters other than letters, digits and ._:/@+-~#; send the \
             model's name as its provider lists it",
        ),
        (
            r#"{"model":"a\u0000"}"#,
            Some("model"),
            "`model` holds characters other than letters, digits and ._:/@+-~#; send the \
             model's name as its provider lists it",
        ),
        (
            r#"{"model":"a/../b"}"#,
            Some("model"),
            "`model` holds `..`; send the model's name as its provider lists it",
        ),
        (
            r#"{"stream":"true"}"#,
            Some("stream"),
            "`stream` is neither true nor false; send one of them or leave it out",
        ),
        (
            r#"{"stream":1}"#,
            Some("stream"),
            "`stream` is neither true nor false; send one of them or leave it out",
        ),
        (
            r#"{"stream_options":[]}"#,
            Some("stream_options"),
            "`stream_options` is not an object; send an object or leave it out",
        ),
    ] {
        let fault = read(Language::OpenAiChat, body.as_bytes(), 6).unwrap_err();
        assert_eq!(fault.to_string(), message, "{body}");
        assert_eq!(fault.param(), param, "{body}");
    }
    let fault = read(Language::OpenAiChat, b"{\"a\":\"\xff\"}", 6).unwrap_err();
    assert_eq!(fault, RequestFault::NotUtf8 { at: 6 });
    let long = format!(r#"{{"model":"{}"}}"#, "m".repeat(257));
    assert!(matches!(chat(&long), Err(RequestFault::ModelUnfit { .. })));
    let bomb = format!("{{\"a\":{}", "[".repeat(10_000_000));
    assert!(matches!(
        chat(&bomb),
        Err(RequestFault::TooDeep { max: 64, at: 68 })
    ));
    // Without a limit of ours the parser must still not overflow the stack.
    let fault = read(Language::OpenAiChat, bomb.as_bytes(), usize::MAX).unwrap_err();
    assert!(matches!(fault, RequestFault::NotJson { .. }));
}

#[test]
fn the_top_level_is_read() {
    for (body, model, stream, include_usage) in [
        ("{}", None, false, None),
        (r#" {"model" : "gpt-4.1" } "#, Some("gpt-4.1"), false, None),
        (
            r#"{"mod\u0065l":"gpt\u002d4","stream":true}"#,
            Some("gpt-4"),
            true,
            None,
        ),
        (
            r#"{"model":"org/m:free@x+1","stream":null}"#,
            Some("org/m:free@x+1"),
            false,
            None,
        ),
        (
            r#"{"stream":false,"stream_options":null}"#,
            None,
            false,
            None,
        ),
        (r#"{"stream":true,"stream_options":{}}"#, None, true, None),
        (
            r#"{"stream_options":{"include_usage":true}}"#,
            None,
            false,
            Some(true),
        ),
        (
            r#"{"stream_options":{"include_usage":false}}"#,
            None,
            false,
            Some(false),
        ),
        (
            r#"{"stream_options":{"include_usage":null}}"#,
            None,
            false,
            None,
        ),
        (
            r#"{"stream_options":{"include_usage":"yes"}}"#,
            None,
            false,
            Some(false),
        ),
        (
            r#"{"stream_options":{"includ\u0065_usage":true}}"#,
            None,
            false,
            Some(true),
        ),
        (
            r#"{"n":1e999999,"x":123456789012345678901234567890,"model":"m"}"#,
            Some("m"),
            false,
            None,
        ),
        (r#"{"x":"\ud800","model":"m"}"#, Some("m"), false, None),
    ] {
        let reading = chat(body).unwrap();
        assert_eq!(reading.model.as_deref(), model, "{body}");
        assert_eq!(reading.stream, stream, "{body}");
        assert_eq!(reading.include_usage, include_usage, "{body}");
        if let Some(span) = &reading.model_span {
            let decoded: String = serde_json::from_str(&body[span.clone()]).unwrap();
            assert_eq!(Some(decoded.as_str()), model, "{body}");
        }
    }
}

#[test]
fn chat_facts_are_counted() {
    let body = json!({
        "model": "m", "max_tokens": 5, "max_completion_tokens": 7, "n": 3,
        "reasoning_effort": "low", "response_format": {"type": "json_schema", "json_schema": {}},
        "tools": [{"type": "function"}, {"type": "function"}], "prompt_cache_key": "k",
        "metadata": {"user_id": "u"},
        "messages": [
            {"role": "system", "content": "12345678"},
            {"role": "user", "content": [
                {"type": "text", "text": "1234"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": []},
            {"role": "tool", "content": "abcd", "tool_call_id": "1"},
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": ""}}]},
            7, null,
        ],
    });
    let text = body.to_string();
    let reading = facts(Language::OpenAiChat, &body);
    let facts = &reading.facts;
    assert_eq!(facts.bytes, text.len() as u64);
    assert_eq!(facts.messages, Some(7));
    assert_eq!(facts.max_tokens, Some(7));
    assert_eq!(facts.choices, Some(3));
    assert_eq!(facts.tools, Some(2));
    assert_eq!(facts.reasoning_effort.as_deref(), Some("low"));
    assert_eq!(facts.response_format.as_deref(), Some("json_schema"));
    assert!(facts.image && facts.audio && !facts.document && !facts.background);
    // 8 + 4 + 4 bytes of text, an empty list of calls, 41 bytes of tools.
    assert_eq!(facts.prompt_tokens_estimated, Some((16 + 2 + 41) / 4));
    assert_eq!(reading.turn, 2);
    assert_eq!(reading.prompt_cache_key.as_deref(), Some("k"));
    assert_eq!(reading.metadata_user_id.as_deref(), Some("u"));
    let prefix: Vec<&str> = reading
        .prefix
        .iter()
        .map(|span| &text[span.clone()])
        .collect();
    assert_eq!(prefix, ["\"12345678\"", "\"1234\""]);
    let of = |spans: &[std::ops::Range<usize>]| -> Vec<&str> {
        spans.iter().map(|span| &text[span.clone()]).collect()
    };
    // Tools come first, as before the model; they are no part of what tells conversations.
    let fixed = of(&reading.fixed);
    assert!(fixed.len() == 2 && fixed[0].starts_with('[') && fixed[1] == "\"12345678\"");
    assert_eq!(of(&reading.opening), ["\"1234\""]);
}

#[test]
fn other_languages_are_counted() {
    let body = json!({
        "model": "c", "max_tokens": 9, "system": [{"type": "text", "text": "abcd"}],
        "thinking": {"type": "enabled", "budget_tokens": 2000}, "metadata": {"user_id": "u"},
        "output_config": {"format": {"type": "json_schema"}},
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "hey", "cache_control": {"type": "ephemeral"}},
                {"type": "document", "source": {}},
            ]},
            {"role": "assistant", "content": [{"type": "tool_use", "input": {"a": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "content": [
                {"type": "text", "text": "12345"}, {"type": "image", "source": {}}]}]},
        ],
    });
    let text = body.to_string();
    let reading = facts(Language::AnthropicMessages, &body);
    assert_eq!(reading.turn, 1, "tool results are no turn");
    assert_eq!(reading.facts.reasoning_effort.as_deref(), Some("enabled"));
    assert_eq!(
        reading.facts.response_format.as_deref(),
        Some("json_schema")
    );
    assert!(reading.facts.document && reading.facts.image);
    assert_eq!(
        reading.facts.prompt_tokens_estimated,
        Some((4 + 3 + 7 + 5) / 4)
    );
    let mut prefix: Vec<&str> = reading
        .prefix
        .iter()
        .map(|span| &text[span.clone()])
        .collect();
    prefix.sort_unstable();
    assert_eq!(prefix, ["\"abcd\"", "\"hey\""]);

    let body = json!({
        "model": "m", "instructions": "Be brief.", "input": "Hello there", "background": true,
        "reasoning": {"effort": "high"}, "text": {"format": {"type": "json_object"}},
        "max_output_tokens": 4096, "stream": true,
    });
    let reading = facts(Language::OpenAiResponses, &body);
    assert_eq!(reading.turn, 1);
    assert!(reading.facts.background && reading.bound_to_account && reading.facts.stream);
    assert_eq!(reading.facts.reasoning_effort.as_deref(), Some("high"));
    assert_eq!(
        reading.facts.response_format.as_deref(),
        Some("json_object")
    );
    assert_eq!(reading.facts.max_tokens, Some(4096));
    assert_eq!(reading.facts.prompt_tokens_estimated, Some((9 + 11) / 4));
    assert_eq!(reading.prefix.len(), 2);

    let body = json!({"input": [
        {"role": "developer", "content": "abc"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "de"}]},
        {"type": "function_call", "arguments": "{}"},
        {"type": "function_call_output", "output": "four"},
    ], "previous_response_id": "r"});
    let reading = facts(Language::OpenAiResponses, &body);
    assert_eq!((reading.turn, reading.prefix.len()), (1, 2));
    assert_eq!(reading.facts.messages, Some(4));
    assert!(reading.bound_to_account);

    for (language, body, choices, tokens) in [
        (
            Language::OpenAiCompletions,
            json!({"prompt": "12345678"}),
            1,
            2,
        ),
        (
            Language::OpenAiCompletions,
            json!({"prompt": ["1234", "1234"], "n": 2}),
            4,
            2,
        ),
        (
            Language::OpenAiCompletions,
            json!({"prompt": [1, 2, 3]}),
            1,
            3,
        ),
        (
            Language::OpenAiEmbeddings,
            json!({"input": [[1, 2], [3]]}),
            2,
            3,
        ),
        (
            Language::OpenAiEmbeddings,
            json!({"input": ["1234", "12345678"]}),
            2,
            3,
        ),
        (Language::OpenAiEmbeddings, json!({"input": []}), 1, 0),
    ] {
        let facts = facts(language, &body).facts;
        assert_eq!(facts.choices, Some(choices), "{body}");
        assert_eq!(facts.prompt_tokens_estimated, Some(tokens), "{body}");
    }
}

#[test]
fn edits_are_splices() {
    const USAGE: Edits<'_> = Edits {
        model: None,
        include_usage: true,
        instead_of_model: None,
        without_version: false,
        stream: false,
    };
    const MODEL: Edits<'_> = Edits {
        model: Some("b"),
        include_usage: false,
        instead_of_model: None,
        without_version: false,
        stream: false,
    };
    const BOTH: Edits<'_> = Edits {
        model: Some("b"),
        include_usage: true,
        instead_of_model: None,
        without_version: false,
        stream: false,
    };
    const VERSION: Edits<'_> = Edits {
        model: Some("b"),
        include_usage: false,
        instead_of_model: Some(("version", "1")),
        without_version: false,
        stream: false,
    };
    const UNVERSIONED: Edits<'_> = Edits {
        model: Some("b"),
        include_usage: false,
        instead_of_model: None,
        without_version: true,
        stream: false,
    };
    for (body, edits, expected) in [
        (r#"{"model":"a"}"#, MODEL, r#"{"model":"b"}"#),
        (r#"{"model":"b"}"#, MODEL, r#"{"model":"b"}"#),
        (r#"{"model":"\u0062"}"#, MODEL, r#"{"model":"\u0062"}"#),
        (
            r#" {"x" : 1, "model"  : "a\u002d" } "#,
            MODEL,
            r#" {"x" : 1, "model"  : "b" } "#,
        ),
        ("{}", MODEL, r#"{"model":"b"}"#),
        (
            r#"{"anthropic_version" : "v", "x":1}"#,
            UNVERSIONED,
            r#"{"model":"b", "x":1}"#,
        ),
        (
            r#"{"x":"anthropic_version", "anthropic_version":"v" }"#,
            UNVERSIONED,
            r#"{"model":"b","x":"anthropic_version" }"#,
        ),
        (
            r#"{"x":1,"anthropic_version":"v","model":"a"}"#,
            UNVERSIONED,
            r#"{"x":1,"model":"b"}"#,
        ),
        (r#"{"model":"b"}"#, UNVERSIONED, r#"{"model":"b"}"#),
        (
            r#"{"x":"\"model\":1", "model" : "a","y":1}"#,
            VERSION,
            r#"{"x":"\"model\":1", "version":"1","y":1}"#,
        ),
        (r#"{"mod\u0065l":"a"}"#, VERSION, r#"{"mod\u0065l":"a"}"#),
        (r#"{"x":1}"#, VERSION, r#"{"x":1}"#),
        (r#"{"x":1}"#, MODEL, r#"{"model":"b","x":1}"#),
        (
            "{ }",
            BOTH,
            r#"{"stream_options":{"include_usage":true},"model":"b" }"#,
        ),
        (
            r#"{"x":{}}"#,
            BOTH,
            r#"{"stream_options":{"include_usage":true},"model":"b","x":{}}"#,
        ),
        ("{}", USAGE, r#"{"stream_options":{"include_usage":true}}"#),
        (
            r#"{"model":"a","stream":true}"#,
            BOTH,
            r#"{"stream_options":{"include_usage":true},"model":"b","stream":true}"#,
        ),
        (
            r#"{"model":"a","stream_options": null}"#,
            USAGE,
            r#"{"model":"a","stream_options": {"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options":{},"model":"a"}"#,
            BOTH,
            r#"{"stream_options":{"include_usage":true},"model":"b"}"#,
        ),
        (
            r#"{"stream_options":{ "include_obfuscation":false}}"#,
            USAGE,
            r#"{"stream_options":{"include_usage":true, "include_obfuscation":false}}"#,
        ),
        (
            r#"{"stream_options":{"include_usage": null}}"#,
            USAGE,
            r#"{"stream_options":{"include_usage": true}}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":false}}"#,
            USAGE,
            r#"{"stream_options":{"include_usage":false}}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":null,"include_usage":null}}"#,
            USAGE,
            r#"{"stream_options":{"include_usage":null,"include_usage":null}}"#,
        ),
    ] {
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        let edited = edit(&bytes, &chat(body).unwrap(), &edits);
        assert_eq!(std::str::from_utf8(&edited).unwrap(), expected, "{body}");
        if body == expected {
            assert_eq!(
                edited.as_ptr(),
                bytes.as_ptr(),
                "copied without need: {body}"
            );
        }
    }
}

/// JSON values of some depth, with keys that collide with ours.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("model".to_owned()),
        Just("include_usage".to_owned()),
        Just("messages".to_owned()),
        Just("input".to_owned()),
        Just("metadata".to_owned()),
        "\\PC{0,6}",
    ]
}

fn body() -> impl Strategy<Value = Value> {
    let options = prop_oneof![
        Just(None),
        Just(Some(Value::Null)),
        Just(Some(json!({}))),
        Just(Some(json!({"include_obfuscation": false}))),
        Just(Some(json!({"include_usage": null}))),
        Just(Some(json!({"include_usage": false}))),
    ];
    let model = prop::option::of("[a-z0-9./:-]{1,9}x");
    let rest = prop::collection::btree_map(key(), value(), 0..6);
    (rest, model, options, any::<bool>()).prop_map(|(rest, model, options, stream)| {
        let mut map: serde_json::Map<String, Value> = rest.into_iter().collect();
        map.remove("model");
        if let Some(model) = model.filter(|model| !model.contains("..")) {
            map.insert("model".to_owned(), model.into());
        }
        if let Some(options) = options {
            map.insert("stream_options".to_owned(), options);
        }
        map.insert("stream".to_owned(), stream.into());
        Value::Object(map)
    })
}

#[test]
fn native_bodies_tell_the_same_facts() {
    let tool = json!({"name": "f", "parameters": {}});
    for (language, body, expected, messages, max_tokens, effort, format) in [
        (
            Language::GeminiGenerate,
            json!({
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [
                    {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": "AA"}},
                        {"fileData": {"mimeType": "application/pdf", "fileUri": "u"}},
                        {"inlineData": {"mimeType": "audio/wav", "data": "AA"}}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
                    {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
                ],
                "tools": [{"functionDeclarations": [tool, tool]}, {"googleSearch": {}}],
                "generationConfig": {"maxOutputTokens": 9, "candidateCount": 2, "responseMimeType": "application/json",
                    "responseJsonSchema": {}, "thinkingConfig": {"thinkingLevel": "HIGH"}},
            }),
            ("Be brief.", "Hi", 3),
            3,
            Some(9),
            Some("high"),
            Some("json_schema"),
        ),
        (
            Language::BedrockConverse,
            json!({
                "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
                "messages": [
                    {"role": "user", "content": [{"text": "Hi"}, {"image": {}}, {"document": {}}, {"audio": {}}]},
                    {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "f", "input": {}}}]},
                    {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [{"text": "ok"}]}}]},
                ],
                "toolConfig": {"tools": [{"toolSpec": tool}, {"toolSpec": tool}, {"toolSpec": tool}]},
                "inferenceConfig": {"maxTokens": 9},
                "additionalModelRequestFields": {"thinking": {"type": "enabled"}},
                "outputConfig": {"textFormat": {"type": "json_schema"}},
            }),
            ("Be brief.", "Hi", 3),
            3,
            Some(9),
            Some("enabled"),
            Some("json_schema"),
        ),
        (
            Language::BedrockInvoke,
            json!({
                "anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "system": "Be brief.",
                "messages": [{"role": "user", "content": "Hi"}], "tools": [tool], "thinking": {"type": "enabled"},
            }),
            ("Be brief.", "Hi", 1),
            1,
            Some(9),
            Some("enabled"),
            None,
        ),
        (
            Language::OllamaNative,
            json!({
                "model": "m", "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "Hi", "images": ["AA"]},
                    {"role": "tool", "content": "ok"},
                ],
                "tools": [tool], "options": {"num_predict": 9}, "format": "json", "think": "low",
            }),
            ("Be brief.", "Hi", 1),
            3,
            Some(9),
            Some("low"),
            Some("json_object"),
        ),
    ] {
        let text = body.to_string();
        let reading = read(language, text.as_bytes(), 64).unwrap();
        let found = &reading.facts;
        let name = language.name();
        assert_eq!(found.messages, Some(messages), "{name}");
        assert_eq!(found.max_tokens, max_tokens, "{name}");
        assert_eq!(found.reasoning_effort.as_deref(), effort, "{name}");
        assert_eq!(found.response_format.as_deref(), format, "{name}");
        assert_eq!(reading.turn, 1, "{name}");
        let (system, user, tools) = expected;
        assert_eq!(found.tools, Some(tools), "{name}");
        let prefix: Vec<&str> = reading
            .prefix
            .iter()
            .map(|span| &text[span.clone()])
            .collect();
        assert!(
            prefix.contains(&format!("\"{system}\"").as_str()),
            "{name}: {prefix:?}"
        );
        assert!(
            prefix.contains(&format!("\"{user}\"").as_str()),
            "{name}: {prefix:?}"
        );
        assert_eq!(prefix.len(), 2, "{name}: {prefix:?}");
        let fixed: Vec<&str> = reading
            .fixed
            .iter()
            .map(|span| &text[span.clone()])
            .collect();
        let says = |part: &str| fixed.iter().any(|text| text.contains(part));
        assert!(says(system) && !says(user), "{name}: {fixed:?}");
        assert_eq!(fixed.len(), 1 + usize::from(tools > 0), "{name}: {fixed:?}");
        assert!(found.prompt_tokens_estimated.unwrap() >= 2, "{name}");
        let media = [found.image, found.audio, found.document];
        let expected = match language {
            Language::GeminiGenerate | Language::BedrockConverse => [true; 3],
            Language::OllamaNative => [true, false, false],
            _ => [false; 3],
        };
        assert_eq!(media, expected, "{name}");
    }
    // Ollama streams unless it is told not to; the others are told by their paths.
    for (body, stream) in [
        ("{}", true),
        (r#"{"stream":null}"#, true),
        (r#"{"stream":false}"#, false),
    ] {
        let reading = read(Language::OllamaNative, body.as_bytes(), 64).unwrap();
        assert_eq!(
            (reading.stream, reading.facts.stream),
            (stream, stream),
            "{body}"
        );
    }
    // Asked for nothing, it loads its model.
    for (body, loads) in [
        (json!({"model": "m", "messages": []}), true),
        (json!({"model": "m", "keep_alive": 0}), true),
        (json!({"model": "m", "prompt": ""}), true),
        (json!({"model": "m", "prompt": "Hello"}), false),
        (
            json!({"model": "m", "messages": [{"role": "user", "content": "Hello"}]}),
            false,
        ),
    ] {
        let found = facts(Language::OllamaNative, &body).facts;
        assert_eq!(found.background, loads, "{body}");
    }
    let cached = facts(
        Language::GeminiGenerate,
        &json!({"cachedContent": "cachedContents/1", "contents": []}),
    );
    assert!(cached.bound_to_account);
    let none = facts(
        Language::GeminiGenerate,
        &json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}),
    );
    assert_eq!(none.facts.reasoning_effort.as_deref(), Some("none"));
    let embed = facts(
        Language::GeminiEmbed,
        &json!({"requests": [{"content": {"parts": [{"text": "12345678"}]}}]}),
    );
    assert_eq!(embed.facts.prompt_tokens_estimated, Some(2));
    let llama = facts(
        Language::BedrockInvoke,
        &json!({"prompt": "12345678", "max_gen_len": 7}),
    );
    assert_eq!(
        (llama.facts.prompt_tokens_estimated, llama.facts.max_tokens),
        (Some(2), Some(7))
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_edit_equals_the_edit_of_a_tree(
        body in body(), pretty in any::<bool>(), model in prop::option::of("[a-z\"\\\\é]{1,5}"),
        include_usage in any::<bool>(),
    ) {
        let text = if pretty {
            serde_json::to_string_pretty(&body).unwrap()
        } else {
            body.to_string()
        };
        let bytes = Bytes::from(text.clone());
        let reading = chat(&text).unwrap();
        let edits = Edits { model: model.as_deref(), include_usage, instead_of_model: None, without_version: false, stream: false };
        let edited = edit(&bytes, &reading, &edits);

        let mut expected = body;
        if let Some(model) = &model {
            expected["model"] = model.as_str().into();
        }
        if include_usage && reading.include_usage.is_none() {
            if expected["stream_options"].is_null() {
                expected["stream_options"] = json!({});
            }
            expected["stream_options"]["include_usage"] = true.into();
        }
        let parsed: Value = serde_json::from_slice(&edited).unwrap();
        prop_assert_eq!(parsed, expected);
        // Byte for byte: nothing changes without an edit, and a model's name changes alone.
        match (&model, &reading.model_span) {
            _ if include_usage => {}
            (None, _) => prop_assert_eq!(edited, bytes),
            (Some(model), Some(span)) => {
                let name = Value::from(model.as_str()).to_string();
                let spliced = [&text[..span.start], &name, &text[span.end..]].concat();
                let same = reading.model.as_deref() == Some(model);
                let expected = if same { text } else { spliced };
                prop_assert_eq!(&edited[..], expected.as_bytes());
            }
            (Some(_), None) => {}
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for language in Language::ALL {
            let _ = read(*language, &bytes, 32);
        }
    }

    #[test]
    fn any_object_is_read_in_any_language(body in body()) {
        for language in Language::ALL {
            read(*language, body.to_string().as_bytes(), 64).unwrap();
        }
    }
}

#[test]
fn a_stream_that_only_the_path_asks_for_is_said_in_the_body() {
    let edits = Edits {
        stream: true,
        without_version: true,
        ..Edits::default()
    };
    for (body, by_path, expected) in [
        (
            r#"{"anthropic_version":"v","x":1}"#,
            true,
            r#"{"stream":true,"x":1}"#,
        ),
        ("{}", true, r#"{"stream":true}"#),
        (r#"{"x":1}"#, false, r#"{"x":1}"#),
        // What the client says itself is the provider's to judge.
        (r#"{"stream":false}"#, true, r#"{"stream":false}"#),
        (r#"{"stream":true}"#, true, r#"{"stream":true}"#),
    ] {
        let bytes = Bytes::from(body);
        let mut reading = read(Language::AnthropicMessages, &bytes, 8).unwrap();
        reading.stream = by_path;
        assert_eq!(edit(&bytes, &reading, &edits), expected, "{body}");
    }
}
