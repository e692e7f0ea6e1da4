//! Requests, answers and streams of Gemini's, by tables.

use serde_json::{Value, json};

use super::super::shape::{Ended, Kept, Stamp, Terms};
use super::super::trial::{STRICT, chunks, deltas, said, sent};
use super::PAIR;
use crate::record::ErrorClass;

const FLASH: &str = "gemini-2.5-flash";
const THIRD: &str = "gemini-3-pro";

fn hi() -> Value {
    json!([{"role": "user", "content": "Hi"}])
}

fn hi_said() -> Value {
    json!([{"role": "user", "parts": [{"text": "Hi"}]}])
}

/// A request with `members` beside one message.
fn with(members: Value) -> Value {
    let mut body = json!({"model": "m", "messages": hi()});
    body.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    body
}

fn said_to(model: &str, terms: &Terms, body: &Value) -> (Value, Vec<String>) {
    let sent = sent(&PAIR, body, model, terms).unwrap_or_else(|error| panic!("{body}: {error:?}"));
    (serde_json::from_slice(&sent.body).unwrap(), sent.dropped)
}

fn refused(body: &Value) -> String {
    let refusal = sent(&PAIR, body, FLASH, &STRICT).unwrap_err();
    assert!(!refusal.message.is_empty(), "{body}");
    refusal.field
}

#[test]
fn settings_become_a_generation_config() {
    let schema = json!({"type": "object", "properties": {"b": {}, "a": {}}});
    let named = json!({"type": "object", "properties": {"b": {}, "a": {}}, "title": "n"});
    for (asked, expected) in [
        (json!({}), Value::Null),
        (json!({"max_tokens": 5}), json!({"maxOutputTokens": 5})),
        (
            json!({"max_completion_tokens": 6, "max_tokens": 6}),
            json!({"maxOutputTokens": 6}),
        ),
        (
            json!({"temperature": 0.1, "top_p": 1}),
            json!({"temperature": 0.1, "topP": 1.0}),
        ),
        (
            json!({"top_k": 40, "seed": -7}),
            json!({"topK": 40, "seed": -7}),
        ),
        (json!({"n": 1}), Value::Null),
        (json!({"n": 3}), json!({"candidateCount": 3})),
        (
            json!({"presence_penalty": 0.5, "frequency_penalty": -0.5}),
            json!({"presencePenalty": 0.5, "frequencyPenalty": -0.5}),
        ),
        (json!({"stop": "a"}), json!({"stopSequences": ["a"]})),
        (
            json!({"stop": ["a", "b"]}),
            json!({"stopSequences": ["a", "b"]}),
        ),
        (
            json!({"logprobs": true, "top_logprobs": 2}),
            json!({"responseLogprobs": true, "logprobs": 2}),
        ),
        (json!({"response_format": {"type": "text"}}), Value::Null),
        (
            json!({"response_format": {"type": "json_object"}}),
            json!({"responseMimeType": "application/json"}),
        ),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {
                "name": "n", "strict": true, "schema": schema}}}),
            json!({"responseMimeType": "application/json", "responseJsonSchema": named}),
        ),
        (
            json!({"reasoning_effort": "low"}),
            json!({"thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": true}}),
        ),
        (
            json!({"reasoning_effort": "none"}),
            json!({"thinkingConfig": {"thinkingBudget": 0, "includeThoughts": false}}),
        ),
        (
            json!({
                "store": false, "logprobs": false, "logit_bias": {}, "verbosity": "medium",
                "modalities": ["text"], "parallel_tool_calls": true, "service_tier": "auto",
                "tools": [], "stop": null, "stream": true,
                "stream_options": {"include_usage": true},
            }),
            Value::Null,
        ),
    ] {
        let (body, dropped) = said_to(FLASH, &STRICT, &with(asked.clone()));
        assert_eq!(body["contents"], hi_said(), "{asked}");
        assert_eq!(body["generationConfig"], expected, "{asked}");
        assert_eq!(dropped, [""; 0], "{asked}");
    }
    let (body, _) = said_to(
        FLASH,
        &STRICT,
        &with(json!({"response_format": {
        "type": "json_schema", "json_schema": {"name": "n", "schema": schema}}})),
    );
    let keys = body["generationConfig"]["responseJsonSchema"]["properties"]
        .as_object()
        .unwrap();
    assert_eq!(
        keys.keys().collect::<Vec<_>>(),
        ["b", "a"],
        "in the order of the client"
    );
}

#[test]
fn an_effort_is_a_level_or_a_budget_by_the_model() {
    for (model, budget, effort, expected) in [
        (
            THIRD,
            false,
            "minimal",
            json!({"thinkingLevel": "LOW", "includeThoughts": true}),
        ),
        (
            THIRD,
            false,
            "medium",
            json!({"thinkingLevel": "HIGH", "includeThoughts": true}),
        ),
        (
            "gemini-3-flash-preview",
            false,
            "medium",
            json!({"thinkingLevel": "MEDIUM", "includeThoughts": true}),
        ),
        (
            "gemini-4-pro",
            false,
            "xhigh",
            json!({"thinkingLevel": "XHIGH", "includeThoughts": true}),
        ),
        (
            THIRD,
            false,
            "max",
            json!({"thinkingLevel": "HIGH", "includeThoughts": true}),
        ),
        (
            THIRD,
            true,
            "high",
            json!({"thinkingBudget": 24_576, "includeThoughts": true}),
        ),
        (
            FLASH,
            false,
            "xhigh",
            json!({"thinkingBudget": 24_576, "includeThoughts": true}),
        ),
        (
            "publishers/google/models/gemini-2.5-pro",
            false,
            "max",
            json!({"thinkingBudget": 32_768, "includeThoughts": true}),
        ),
    ] {
        let terms = Terms {
            thinks_by_budget: budget,
            ..STRICT
        };
        let (body, _) = said_to(model, &terms, &with(json!({"reasoning_effort": effort})));
        let config = &body["generationConfig"]["thinkingConfig"];
        assert_eq!(*config, expected, "{model} {effort}");
    }
    let none = with(json!({"reasoning_effort": "none"}));
    for always in [THIRD, "gemini-2.5-pro"] {
        let refusal = sent(&PAIR, &none, always, &STRICT).unwrap_err();
        assert_eq!(refusal.field, "reasoning_effort");
    }
    let (body, _) = said_to(FLASH, &STRICT, &none);
    assert_eq!(
        body["generationConfig"]["thinkingConfig"],
        json!({"thinkingBudget": 0, "includeThoughts": false})
    );
    let terms = Terms {
        takes_effort: false,
        ..STRICT
    };
    for (effort, expected) in [("none", &[][..]), ("low", &["reasoning_effort"])] {
        let asked = with(json!({"reasoning_effort": effort}));
        let (body, dropped) = said_to(THIRD, &terms, &asked);
        assert_eq!(body, json!({"contents": hi_said()}));
        assert_eq!(dropped, expected);
    }
}

#[test]
fn tools_and_the_choice_among_them() {
    let tools = json!([
        {"type": "function", "function": {
            "name": "f", "description": "d",
            "parameters": {"type": "object", "properties": {"x": {"maximum": 1.5}}}}},
        {"type": "function", "function": {"name": "g"}},
    ]);
    let declared = json!([{"functionDeclarations": [
        {"name": "f", "description": "d",
         "parametersJsonSchema": {"type": "object", "properties": {"x": {"maximum": 1.5}}}},
        {"name": "g"},
    ]}]);
    for (choice, expected) in [
        (Value::Null, Value::Null),
        (json!("auto"), Value::Null),
        (json!("none"), json!({"mode": "NONE"})),
        (json!("required"), json!({"mode": "ANY"})),
        (
            json!({"type": "function", "function": {"name": "g"}}),
            json!({"mode": "ANY", "allowedFunctionNames": ["g"]}),
        ),
        (
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
                {"type": "function", "function": {"name": "f"}}]}}),
            json!({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
        ),
    ] {
        let (body, _) = said_to(
            FLASH,
            &STRICT,
            &with(json!({
            "tools": tools, "tool_choice": choice})),
        );
        assert_eq!(body["tools"], declared, "{choice}");
        assert_eq!(
            body["toolConfig"]["functionCallingConfig"], expected,
            "{choice}"
        );
    }
    let strict = json!({"tools": [
        {"type": "function", "function": {"name": "f", "strict": true}}]});
    let (body, _) = said_to(FLASH, &STRICT, &with(strict));
    assert_eq!(
        body["toolConfig"]["functionCallingConfig"],
        json!({"mode": "VALIDATED"})
    );
}

#[test]
fn messages_become_contents() {
    let call = |id: &str, name: &str, arguments: &str| {
        json!({"id": id, "type": "function",
               "function": {"name": name, "arguments": arguments}})
    };
    for (messages, expected) in [
        // Users in a row are one turn; empty texts are none.
        (
            json!([
                {"role": "user", "content": "a"},
                {"role": "user", "content": [{"type": "text", "text": ""},
                                             {"type": "text", "text": "b\u{1f600}\u{0}"}]},
            ]),
            json!([{"role": "user", "parts": [{"text": "a"}, {"text": "b\u{1f600}\u{0}"}]}]),
        ),
        (
            json!([{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "data:image/PNG;base64,aGk="}},
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
                {"type": "file", "file": {
                    "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}},
                {"type": "file", "file": {"filename": "b.csv", "file_data": "aGk="}},
            ]}]),
            json!([{"role": "user", "parts": [
                {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                {"inlineData": {"mimeType": "audio/wav", "data": "aGk="}},
                {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}},
                {"inlineData": {"mimeType": "text/csv", "data": "aGk="}},
            ]}]),
        ),
        // Results in the order of the calls, each by the name that was called, by itself.
        (
            json!([
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": null, "refusal": null, "tool_calls": [
                    call("c1", "f", "{\"x\": 12345678901234567890123}"), call("c2", "g", "")]},
                {"role": "tool", "tool_call_id": "c2", "content": "{\"deg\": 1e400}"},
                {"role": "tool", "tool_call_id": "c1", "content": "plain"},
                {"role": "user", "content": "b"},
            ]),
            Value::Null,
        ),
        // What has a meaning for Gemini is wrapped.
        (
            json!([
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "", "tool_calls": [call("c1", "f", "{}")]},
                {"role": "tool", "tool_call_id": "c1", "content": "{\"error\":1}"},
            ]),
            json!([
                {"role": "user", "parts": [{"text": "a"}]},
                {"role": "model", "parts": [
                    {"functionCall": {"id": "c1", "name": "f", "args": {}}}]},
                {"role": "user", "parts": [{"functionResponse": {
                    "id": "c1", "name": "f", "response": {"output": "{\"error\":1}"}}}]},
            ]),
        ),
    ] {
        let asked = json!({"messages": messages});
        if expected.is_null() {
            // Numbers beyond any machine's go through as they stand.
            let sent = sent(&PAIR, &asked, FLASH, &STRICT).unwrap();
            let expected = concat!(
                r#"{"contents":[{"role":"user","parts":[{"text":"a"}]},"#,
                r#"{"role":"model","parts":[{"functionCall":{"id":"c1","name":"f","#,
                r#""args":{"x": 12345678901234567890123}}},"#,
                r#"{"functionCall":{"id":"c2","name":"g","args":{}}}]},"#,
                r#"{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"f","#,
                r#""response":{"output":"plain"}}},{"functionResponse":{"id":"c2","name":"g","#,
                r#""response":{"deg": 1e400}}}]},{"role":"user","parts":[{"text":"b"}]}]}"#,
            );
            assert_eq!(String::from_utf8(sent.body).unwrap(), expected);
            continue;
        }
        let (body, dropped) = said_to(FLASH, &STRICT, &asked);
        assert_eq!(body, json!({"contents": expected}), "{asked}");
        assert_eq!(dropped, [""; 0], "{asked}");
    }
}

#[test]
fn what_instructs_the_model_comes_first_or_is_joined_where_the_terms_allow() {
    let asked = json!({"messages": [
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [{"type": "text", "text": "b"}]},
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "c"},
    ]});
    assert_eq!(refused(&asked), "messages[3]");
    let terms = Terms {
        merge_system: true,
        ..STRICT
    };
    let (body, _) = said_to(FLASH, &terms, &asked);
    let system = json!({"parts": [{"text": "a"}, {"text": "b"}, {"text": "c"}]});
    assert_eq!(
        body,
        json!({"contents": hi_said(), "systemInstruction": system})
    );
}

#[test]
fn an_image_at_an_address_is_passed_on_only_where_the_terms_allow() {
    let asked = json!({"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}}]}]});
    assert_eq!(refused(&asked), "messages[0].content[0].image_url.url");
    let terms = Terms {
        pass_urls: true,
        ..STRICT
    };
    let (body, dropped) = said_to(FLASH, &terms, &asked);
    let part = json!({"fileData": {"mimeType": "image/png", "fileUri": "https://a.example/b.png"}});
    assert_eq!(body["contents"][0]["parts"][0], part);
    assert_eq!(dropped, ["messages[0].content[0].image_url.detail"]);
    // Vertex AI wants the type; the Gemini API looks for itself where none is told.
    for (url, expected) in [
        ("gs://b/c/a.JPG", json!("image/jpeg")),
        ("https://a.example/b.webp?x=.png#y.gif", json!("image/webp")),
        ("https://a.example/picture", Value::Null),
    ] {
        let asked = json!({"messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": url}]}]});
        let (body, _) = said_to(FLASH, &terms, &asked);
        let file = &body["contents"][0]["parts"][0]["fileData"];
        assert_eq!(
            (&file["mimeType"], &file["fileUri"]),
            (&expected, &json!(url))
        );
    }
}

#[test]
fn what_stood_beside_a_schema_is_told_where_it_has_no_place() {
    let asked = |schema: Value| {
        let format = json!({"type": "json_schema", "json_schema": {
            "name": "n", "description": "d", "strict": true, "schema": schema}});
        said_to(FLASH, &STRICT, &with(json!({"response_format": format})))
    };
    let reference = json!({"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}});
    let (body, dropped) = asked(reference.clone());
    assert_eq!(body["generationConfig"]["responseJsonSchema"], reference);
    let both = ["description", "name"].map(|key| format!("response_format.json_schema.{key}"));
    assert_eq!(dropped, both);
    let (_, dropped) = asked(json!({"type": "object", "title": "T", "description": "e"}));
    assert_eq!(dropped, both[..1]);
    let (_, dropped) = asked(json!({"type": "object", "title": "T", "description": "d"}));
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn labels_and_tiers_go_along_where_they_fit() {
    let (body, dropped) = said_to(
        FLASH,
        &STRICT,
        &with(json!({
        "user": "u-1", "metadata": {"team": "a_b", "Team": "x", "note": "Not a label"},
        "service_tier": "flex", "prompt_cache_key": "k", "prediction": {"type": "content"},
        "store": true})),
    );
    assert_eq!(body["labels"], json!({"user": "u-1", "team": "a_b"}));
    assert_eq!(body["serviceTier"], "flex");
    assert_eq!(
        dropped,
        [
            "metadata.Team",
            "metadata.note",
            "prediction",
            "prompt_cache_key",
            "store"
        ],
    );
    // Only Vertex AI takes labels.
    let terms = Terms {
        takes_labels: false,
        ..STRICT
    };
    let asked = with(json!({"user": "u-1", "metadata": {"team": "a_b"}}));
    let (body, dropped) = said_to(FLASH, &terms, &asked);
    assert_eq!(body, json!({"contents": hi_said()}));
    assert_eq!(dropped, ["metadata.team", "user"]);
    let mark = json!({"type": "ephemeral"});
    let asked = json!({
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": "Hi", "cache_control": mark}]}],
        "tools": [{"type": "function", "function": {"name": "f"}, "cache_control": mark}],
    });
    let (body, dropped) = said_to(FLASH, &STRICT, &asked);
    assert_eq!(body["contents"], hi_said());
    let marks = [
        "messages[0].content[0].cache_control",
        "tools[0].cache_control",
    ];
    assert_eq!(dropped, marks);
    let (body, _) = said_to(FLASH, &STRICT, &with(json!({"service_tier": "default"})));
    assert_eq!(body["serviceTier"], "standard");
}

#[test]
fn of_too_many_stops_the_first_are_kept() {
    let terms = Terms {
        drop_params: true,
        ..STRICT
    };
    let asked = with(json!({"stop": ["1", "2", "3", "4", "5", "6", "7"]}));
    let (body, dropped) = said_to(FLASH, &terms, &asked);
    assert_eq!(dropped, ["stop[5]", "stop[6]"]);
    let kept = &body["generationConfig"]["stopSequences"];
    assert_eq!(*kept, json!(["1", "2", "3", "4", "5"]));
}

#[test]
fn one_call_at_a_time_is_a_wish() {
    let tool = json!([{"type": "function", "function": {"name": "f"}}]);
    let asked = with(json!({"tools": tool, "parallel_tool_calls": false}));
    let (body, dropped) = said_to(FLASH, &STRICT, &asked);
    assert_eq!(dropped, ["parallel_tool_calls"]);
    assert_eq!(body.get("toolConfig"), None);
}

#[test]
fn what_cannot_be_said_is_refused_by_its_path_or_dropped_by_the_terms() {
    let user = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    let call = |arguments: &str| {
        json!({"messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "tool_calls": [{"id": "c", "type": "function",
                "function": {"name": "f", "arguments": arguments}}]},
        ]})
    };
    // Some are said by the terms to be left out; others nothing can stand for.
    for (asked, field, may_drop) in [
        (
            with(json!({"logit_bias": {"50256": -100}})),
            "logit_bias",
            true,
        ),
        (
            with(json!({"web_search_options": {}})),
            "web_search_options",
            true,
        ),
        (
            with(json!({"modalities": ["text", "audio"]})),
            "modalities",
            true,
        ),
        (with(json!({"verbosity": "low"})), "verbosity", true),
        (with(json!({"unheard_of": 1})), "unheard_of", true),
        (with(json!({"temperature": 2.5})), "temperature", true),
        (with(json!({"seed": 3_000_000_000_u64})), "seed", true),
        (
            with(json!({"stop": ["1", "2", "3", "4", "5", "6"]})),
            "stop[5]",
            true,
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "video"}]}]}),
            "messages[0].content[1]",
            true,
        ),
        (with(json!({"temperature": "1"})), "temperature", false),
        (
            with(json!({"max_tokens": 5, "max_completion_tokens": 6})),
            "max_tokens",
            false,
        ),
        (with(json!({"top_logprobs": 2})), "top_logprobs", false),
        (
            with(json!({"reasoning_effort": "huge"})),
            "reasoning_effort",
            false,
        ),
        (with(json!({"functions": [{}]})), "functions", true),
        (
            with(json!({"tool_choice": "required"})),
            "tool_choice",
            false,
        ),
        (
            with(json!({"tools": [{"type": "custom", "custom": {}}]})),
            "tools[0].type",
            false,
        ),
        (
            with(json!({"response_format": {"type": "xml"}})),
            "response_format.type",
            false,
        ),
        (json!({"model": "m"}), "messages", false),
        (json!({"messages": []}), "messages", false),
        (
            json!({"messages": [{"role": "system", "content": "a"}]}),
            "messages",
            false,
        ),
        (
            json!({"messages": [{"role": "user", "content": ""}]}),
            "messages[0].content",
            false,
        ),
        (
            json!({"messages": [{"role": "user", "content": null}]}),
            "messages[0].content",
            false,
        ),
        (
            json!({"messages": [{"role": "user", "content": 5}]}),
            "messages[0].content",
            false,
        ),
        (
            json!({"messages": [{"role": "robot", "content": "a"}]}),
            "messages[0].role",
            false,
        ),
        (
            json!({"messages": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "tool_calls": [{"id": "c", "type": "function",
                    "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]},
            ]}),
            "messages[2].content[0]",
            false,
        ),
        (
            user(json!({"type": "image_url", "image_url": {"url": "data:,hi"}})),
            "messages[0].content[0].image_url.url",
            false,
        ),
        (
            user(json!({"type": "file", "file": {"file_id": "file-1"}})),
            "messages[0].content[0].file.file_id",
            false,
        ),
        (
            call("not JSON"),
            "messages[1].tool_calls[0].function.arguments",
            false,
        ),
        (
            call("[1]"),
            "messages[1].tool_calls[0].function.arguments",
            false,
        ),
        (
            json!({"messages": [
                {"role": "user", "content": "a"},
                {"role": "tool", "tool_call_id": "c", "content": "b"},
            ]}),
            "messages[1].tool_call_id",
            false,
        ),
    ] {
        assert_eq!(refused(&asked), field, "{asked}");
        let terms = Terms {
            drop_params: true,
            ..STRICT
        };
        match sent(&PAIR, &asked, FLASH, &terms) {
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
    assert_eq!(
        (PAIR.request)(&super::super::shape::Asked {
            body: b"{\"messages\":",
            model: FLASH,
            terms: &STRICT,
        })
        .unwrap_err()
        .field,
        "",
    );
}

#[test]
fn signatures_come_back_where_they_were_and_others_never_go_along() {
    let details = json!([
        {"type": "reasoning.text", "format": "google-gemini-v1", "index": 0,
         "characters": 4, "signature": "dGg="},
        {"type": "reasoning.encrypted", "format": "google-gemini-v1", "index": 1, "data": "dHg="},
        {"type": "reasoning.encrypted", "format": "google-gemini-v1", "index": 2,
         "id": "c1", "data": "Y2E="},
        {"type": "reasoning.encrypted", "format": "anthropic-claude-v1", "index": 3, "data": "no"},
        {"type": "reasoning.summary", "summary": "no"},
    ]);
    let message = json!({
        "role": "assistant", "content": "Sun", "reasoning_content": "Hm. ",
        "reasoning_details": details,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "c2", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ],
    });
    let asked = json!({"messages": [{"role": "user", "content": "Hi"}, message]});
    let (body, dropped) = said_to(THIRD, &STRICT, &asked);
    let call = |id: &str| json!({"id": id, "name": "f", "args": {}});
    assert_eq!(
        body["contents"][1]["parts"],
        json!([
            {"text": "Hm. ", "thought": true, "thoughtSignature": "dGg="},
            {"text": "Sun", "thoughtSignature": "dHg="},
            {"functionCall": call("c1"), "thoughtSignature": "Y2E="},
            {"functionCall": call("c2")},
        ])
    );
    assert_eq!(
        dropped,
        [
            "messages[1].reasoning_details[3]",
            "messages[1].reasoning_details[4]"
        ]
    );

    // Another model's call: from the third generation on it needs what stands for a signature.
    let foreign = json!({"messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "reasoning_content": "Hm", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    ]});
    for (model, signature) in [
        (THIRD, json!(super::thinking::UNSIGNED)),
        (FLASH, Value::Null),
    ] {
        let (body, dropped) = said_to(model, &STRICT, &foreign);
        assert_eq!(
            body["contents"][1]["parts"][0]["thoughtSignature"], signature,
            "{model}"
        );
        assert_eq!(dropped, ["messages[1].reasoning_content"]);
    }
    // As Google's own chat endpoint has it.
    let own = json!({"messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"},
             "extra_content": {"google": {"thought_signature": "Y2E="}}}]},
    ]});
    let (body, _) = said_to(THIRD, &STRICT, &own);
    assert_eq!(body["contents"][1]["parts"][0]["thoughtSignature"], "Y2E=");
}

fn kept() -> Kept {
    Kept {
        stream: true,
        include_usage: true,
        model: "asked".to_owned(),
        ..Kept::default()
    }
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/wire/", $name))
    };
}

/// Texts of a stream, its finish reason, prompt, cached, completion and reasoning tokens.
type Read = (&'static str, &'static str, [Option<u64>; 4]);

#[test]
fn samples_are_said_in_every_cut() {
    let usage = |input, output| [Some(input), None, Some(output), None];
    let samples: [(&[u8], Read); 7] = [
        (fixture!("gemini/basic.sse"), ("Hello", "stop", usage(8, 2))),
        (
            fixture!("gemini/thinking_inclusive.sse"),
            ("42", "stop", [Some(8), None, Some(42), Some(40)]),
        ),
        (
            fixture!("gemini/cached_tool_prompt.sse"),
            ("Ok", "stop", [Some(1050), Some(900), Some(3), None]),
        ),
        (
            fixture!("gemini/max_tokens_no_text.sse"),
            ("", "length", [Some(8), None, Some(64), Some(64)]),
        ),
        (
            fixture!("gemini/safety_stop.sse"),
            ("Par", "content_filter", usage(8, 1)),
        ),
        (
            fixture!("gemini/prompt_blocked.sse"),
            ("", "content_filter", usage(8, 0)),
        ),
        (
            fixture!("vertex/vertex_traffic_type.sse"),
            ("Hi", "stop", usage(8, 1)),
        ),
    ];
    for (bytes, (text, finish, tokens)) in samples {
        let (out, ended) = said(&PAIR, &kept(), bytes);
        assert_eq!(ended, Ended::Whole, "{out}");
        let (chunks, done) = chunks(&out);
        assert!(done, "{out}");
        assert_eq!(
            chunks[0]["choices"][0]["delta"],
            json!({"role": "assistant", "content": ""})
        );
        assert!(
            chunks
                .iter()
                .all(|chunk| chunk["model"] == "gemini-2.5-flash"),
            "{out}"
        );
        let texts: String = deltas(&out)
            .iter()
            .filter_map(|d| d["content"].as_str())
            .collect();
        assert_eq!(texts, text);
        let [.., last, usage] = chunks.as_slice() else {
            panic!("{out}");
        };
        assert_eq!(last["choices"][0]["finish_reason"], finish);
        assert_eq!(usage["choices"], json!([]));
        let usage = &usage["usage"];
        let read = [
            usage["prompt_tokens"].as_u64(),
            usage["prompt_tokens_details"]["cached_tokens"].as_u64(),
            usage["completion_tokens"].as_u64(),
            usage["completion_tokens_details"]["reasoning_tokens"].as_u64(),
        ];
        assert_eq!(read, tokens, "{out}");
    }
}

#[test]
fn a_call_comes_whole_with_its_signature_beside_it() {
    let (out, ended) = said(
        &PAIR,
        &Kept::default(),
        fixture!("gemini/function_call.sse"),
    );
    assert_eq!(ended, Ended::Whole);
    let deltas = deltas(&out);
    let call = json!([{"index": 0, "id": "fc1", "type": "function",
        "function": {"name": "get_weather", "arguments": "{\"city\":\"Oslo\"}"}}]);
    assert_eq!(deltas[1], json!({"tool_calls": call}));
    assert_eq!(
        deltas[2],
        json!({"reasoning_details": [
        {"type": "reasoning.encrypted", "data": "c2ln", "id": "fc1",
         "format": "google-gemini-v1", "index": 0}]})
    );
    assert_eq!(deltas.len(), 3);
    let (chunks, _) = chunks(&out);
    assert_eq!(
        chunks.last().unwrap()["choices"][0]["finish_reason"],
        "tool_calls"
    );
    assert_eq!(chunks[0]["id"], "chatcmpl-fx1");
}

#[test]
fn several_parts_choices_and_thoughts_in_one_event() {
    let event = json!({"candidates": [
        {"index": 0, "content": {"role": "model", "parts": [
            {"text": "Hm \u{1f600}", "thought": true},
            {"text": "!", "thought": true, "thoughtSignature": "dGg="},
            {"text": "a\"b"},
            {"functionCall": {"name": "f", "args": {"a b": "c  \"d"}}},
            {"functionCall": {"name": "g"}},
            {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        ]}, "finishReason": "STOP"},
        {"index": 1, "content": {"parts": [{"text": "z", "thoughtSignature": "dHg="}]},
         "finishReason": "MAX_TOKENS",
         "logprobsResult": {
            "chosenCandidates": [{"token": "z", "logProbability": -0.5}],
            "topCandidates": [{"candidates": [{"token": "y", "logProbability": -1}]}]}},
    ]});
    let bytes = format!("data: {event:#}\r\n\r\n").replace('\n', "\ndata: ");
    let bytes = bytes.replace("\r\ndata: \r\ndata: ", "\r\n\r\n");
    let (out, ended) = said(&PAIR, &Kept::default(), bytes.as_bytes());
    assert_eq!(ended, Ended::Whole, "{out}");
    let (chunks, done) = chunks(&out);
    assert!(done);
    let of = |index: u64| -> Vec<Value> {
        let all = chunks.iter().map(|chunk| &chunk["choices"][0]);
        let all = all.filter(|choice| choice["index"] == index);
        all.map(|choice| {
            let mut choice = choice.clone();
            choice.as_object_mut().unwrap().shift_remove("index");
            choice
        })
        .collect()
    };
    let delta = |delta: Value| json!({"delta": delta, "finish_reason": null});
    let call = |index: u64, name: &str, arguments: &str| {
        delta(json!({"tool_calls": [{
            "index": index, "id": format!("call_s1_{index}"), "type": "function",
            "function": {"name": name, "arguments": arguments}}]}))
    };
    let image = json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]);
    assert_eq!(
        of(0),
        [
            delta(json!({"role": "assistant", "content": ""})),
            delta(json!({"reasoning_content": "Hm \u{1f600}"})),
            delta(json!({"reasoning_content": "!"})),
            delta(json!({"reasoning_details": [{
            "type": "reasoning.text", "signature": "dGg=", "characters": 5,
            "format": "google-gemini-v1", "index": 0}]})),
            delta(json!({"content": "a\"b"})),
            call(0, "f", "{\"a b\":\"c  \\\"d\"}"),
            call(1, "g", "{}"),
            delta(json!({"images": image})),
            json!({"delta": {}, "finish_reason": "tool_calls"}),
        ]
    );
    let token =
        |token: &str, logprob: f64| json!({"token": token, "logprob": logprob, "bytes": null});
    let mut chosen = token("z", -0.5);
    chosen["top_logprobs"] = json!([token("y", -1.0)]);
    assert_eq!(
        of(1)[1..],
        [
            delta(json!({"content": "z"})),
            delta(
                json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "dHg=",
            "format": "google-gemini-v1", "index": 0}]})
            ),
            json!({"delta": {}, "finish_reason": null,
               "logprobs": {"content": [chosen], "refusal": null}}),
            json!({"delta": {}, "finish_reason": "length"}),
        ]
    );

    // The same whole.
    let stamp = Stamp {
        id: "s1".to_owned(),
        created: 5,
    };
    let answer = (PAIR.answer)(event.to_string().as_bytes(), &kept(), &stamp).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["id"], "chatcmpl-s1");
    assert_eq!(answer["model"], "asked");
    let first = &answer["choices"][0];
    assert_eq!(first["finish_reason"], "tool_calls");
    assert_eq!(
        first["message"],
        json!({
            "role": "assistant", "content": "a\"b", "refusal": null,
            "reasoning_content": "Hm \u{1f600}!",
            "reasoning_details": [{"type": "reasoning.text", "signature": "dGg=", "characters": 5,
                "format": "google-gemini-v1", "index": 0}],
            "tool_calls": [
                {"id": "call_s1_0", "type": "function",
                 "function": {"name": "f", "arguments": "{\"a b\":\"c  \\\"d\"}"}},
                {"id": "call_s1_1", "type": "function",
                 "function": {"name": "g", "arguments": "{}"}},
            ],
            "images": image,
        })
    );
    let second = &answer["choices"][1];
    assert_eq!(second["finish_reason"], "length");
    assert_eq!(second["logprobs"]["content"], json!([chosen]));
}

#[test]
fn halves_of_characters_go_through_as_they_stand() {
    let bytes = concat!(
        r#"data: {"candidates":[{"content":{"parts":[{"text":"\ud83d"}]}}]}"#,
        "\r\n\r\n",
        r#"data: {"candidates":[{"content":{"parts":[{"text":"\ude00"}]},"finishReason":"STOP"}]}"#,
    );
    let (out, ended) = said(&PAIR, &Kept::default(), bytes.as_bytes());
    assert_eq!(ended, Ended::Whole);
    assert!(out.contains(r#"{"content":"\ud83d"}"#) && out.contains(r#"{"content":"\ude00"}"#));
}

#[test]
fn a_stream_is_whole_with_all_that_was_asked_for() {
    let one = |index: u64, usage: Value| {
        let event = json!({"candidates": [{"index": index, "finishReason": "STOP",
            "content": {"parts": [{"text": "a"}]}}], "usageMetadata": usage});
        format!("data: {event}\r\n\r\n")
    };
    let first = one(
        0,
        json!({"promptTokenCount": 8, "cachedContentTokenCount": 3}),
    );
    let both = [first.clone(), one(1, json!({"candidatesTokenCount": 2}))].concat();
    let kept = Kept {
        choices: 2,
        ..kept()
    };
    let (out, ended) = said(&PAIR, &kept, first.as_bytes());
    assert_eq!(ended, Ended::Broken, "one of two: {out}");
    assert!(!out.contains("[DONE]"), "{out}");
    let (out, ended) = said(&PAIR, &kept, both.as_bytes());
    assert_eq!(ended, Ended::Whole, "{out}");
    // What a later event does not count has not become unknown.
    let (chunks, _) = chunks(&out);
    let usage = &chunks.last().unwrap()["usage"];
    assert_eq!(usage["prompt_tokens"], 8);
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 3);
    assert_eq!(usage["completion_tokens"], 2);

    // The default of the enumeration does not say that the prompt was blocked.
    for (reason, expected) in [
        ("BLOCK_REASON_UNSPECIFIED", Ended::Broken),
        ("SAFETY", Ended::Whole),
    ] {
        let event = json!({"promptFeedback": {"blockReason": reason}});
        let bytes = format!("data: {event}\r\n\r\n");
        let (out, ended) = said(&PAIR, &Kept::default(), bytes.as_bytes());
        assert_eq!(ended, expected, "{reason}: {out}");
    }
}

#[test]
fn errors_are_told_and_nothing_follows_them() {
    let malformed: &[u8] = fixture!("gemini/malformed_function_call.sse");
    for (bytes, class, texts, words) in [
        (
            malformed,
            ErrorClass::ServerError,
            0,
            "MALFORMED_FUNCTION_CALL",
        ),
        (
            fixture!("gemini/error_midstream_data.sse"),
            ErrorClass::ServerError,
            1,
            "Internal error encountered.",
        ),
        (
            fixture!("gemini/error_midstream_raw_json.sse"),
            ErrorClass::Overloaded,
            1,
            "The model is overloaded. Please try again later.",
        ),
        (
            b"data: {not json}\n\n",
            ErrorClass::ProtocolError,
            0,
            "not JSON",
        ),
        (
            br#"{"error":{"code":429,"message":"Slow down","status":"RESOURCE_EXHAUSTED"}}"#,
            ErrorClass::RateLimited,
            0,
            "Slow down",
        ),
        (
            br#"[{"error":{"code":400,"message":"Bad","status":"INVALID_ARGUMENT"}}]"#,
            ErrorClass::BadRequest,
            0,
            "Bad",
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
        let count = deltas(&out)
            .iter()
            .filter(|delta| delta["content"] != "")
            .count();
        assert_eq!(count, texts, "{out}");
    }
    for broken in [
        &b""[..],
        fixture!("gemini/truncated.sse"),
        b"<html>",
        b": comment\n\n",
    ] {
        let (out, ended) = said(&PAIR, &kept(), broken);
        assert_eq!(ended, Ended::Broken, "{out}");
        assert!(
            !out.contains("[DONE]") && !out.contains("\"finish_reason\":\""),
            "{out}"
        );
    }
}

#[test]
fn whole_answers_that_are_none_are_unreadable() {
    let answer = |body: &str| (PAIR.answer)(body.as_bytes(), &kept(), &Stamp::default());
    for (body, words) in [
        ("", "not JSON"),
        ("{}", "no candidates"),
        (r#"{"error":{"message":"Why"}}"#, "Why"),
        (
            r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#,
            "does not say",
        ),
        (
            r#"{"candidates":[{"finishReason":"MALFORMED_RESPONSE","finishMessage":"oops"}]}"#,
            "MALFORMED_RESPONSE: oops",
        ),
    ] {
        let message = answer(body).unwrap_err().message;
        assert!(message.contains(words), "{body}: {message}");
    }
    let blocked = r#"{"promptFeedback":{"blockReason":"SAFETY"},
        "usageMetadata":{"promptTokenCount":8,"totalTokenCount":8}}"#;
    let answer: Value = serde_json::from_slice(&answer(blocked).unwrap()).unwrap();
    assert_eq!(answer["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(answer["choices"][0]["message"]["content"], Value::Null);
    assert_eq!(answer["usage"]["prompt_tokens"], 8);
}

#[test]
fn what_is_kept_does_not_grow_with_the_stream() {
    let event = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"word \"},\
                 {\"text\":\"hm\",\"thought\":true}]}}]}\r\n\r\n";
    let stamp = Stamp::default();
    let mut stream = (PAIR.stream)(&kept(), &stamp);
    let mut out = Vec::new();
    let mut size = |rounds: u32| {
        for _ in 0..rounds {
            out.clear();
            stream.feed(event.as_bytes(), &mut out);
        }
        // All that a stream keeps is in its debug form, numbers and texts alike.
        (format!("{stream:?}").len(), out.len())
    };
    let (early, piece) = size(10);
    let (late, same) = size(100_000);
    assert!(late <= early + 8, "{early} grew to {late}");
    assert_eq!(piece, same);
}

#[test]
fn vertex_is_told_no_service_tier() {
    let terms = Terms {
        takes_tier: false,
        ..STRICT
    };
    for (tier, listed) in [("flex", 1), ("priority", 1), ("default", 0), ("auto", 0)] {
        let (body, dropped) = said_to(FLASH, &terms, &with(json!({"service_tier": tier})));
        assert_eq!(body.get("serviceTier"), None, "{tier}");
        assert_eq!(dropped.len(), listed, "{tier}");
    }
}

#[test]
fn an_image_misspelt_as_jpg_is_a_jpeg() {
    let asked = json!({"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/JPG;base64,aGk="}}]}]});
    let (body, _) = said_to(FLASH, &STRICT, &asked);
    let part = json!({"inlineData": {"mimeType": "image/jpeg", "data": "aGk="}});
    assert_eq!(body["contents"][0]["parts"][0], part);
}

#[test]
fn sound_is_no_picture() {
    let answer = json!({"candidates": [{"finishReason": "STOP", "content": {"parts": [
        {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "AAAA"}}]}}]});
    let whole = (PAIR.answer)(answer.to_string().as_bytes(), &kept(), &Stamp::default()).unwrap();
    let whole: Value = serde_json::from_slice(&whole).unwrap();
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["audio"]["data"], "AAAA");
    assert_eq!(message.get("images"), None);
    let (out, _) = said(
        &PAIR,
        &Kept::default(),
        format!("data: {answer}\r\n\r\n").as_bytes(),
    );
    assert!(out.contains(r#"{"audio":{"data":"AAAA"}}"#), "{out}");
}
