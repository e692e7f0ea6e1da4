//! Holds the pair against tables: requests, refusals, answers and streams.

use serde_json::{Value, json};

use super::PAIR;
use crate::record::ErrorClass;
use crate::wire::translation::{Asked, Ended, Kept, Refusal, Sent, Stamp, Terms};

const TERMS: Terms = Terms {
    drop_params: false,
    merge_system: false,
    max_tokens: 4096,
    takes_sampling: true,
    thinks_by_budget: false,
    takes_effort: true,
    takes_labels: true,
    takes_tier: true,
    takes_top_k: true,
    limits_completion: false,
    pass_urls: false,
    refused: Vec::new(),
};

fn sent(body: &Value, terms: &Terms) -> Result<Sent, Refusal> {
    let body = body.to_string();
    (PAIR.request)(&Asked {
        body: body.as_bytes(),
        model: "claude",
        terms,
    })
}

/// What is asked for in every row: a model and a word of the user's.
fn with(more: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    let (Value::Object(all), Value::Object(more)) = (&mut body, more) else {
        unreachable!()
    };
    all.extend(more);
    body
}

/// The same as the provider gets it, `null` for what is not sent after all.
fn expected(more: Value) -> Value {
    let said = json!([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]);
    let mut body = json!({"model": "claude", "max_tokens": 4096, "messages": said});
    let (Value::Object(all), Value::Object(more)) = (&mut body, more) else {
        unreachable!()
    };
    all.extend(more);
    body
}

fn messages(list: Value) -> Value {
    json!({"messages": list})
}

const SCHEMA: &str = r#"{"type":"object","properties":{"z":{},"a":{}}}"#;

#[test]
fn requests_are_said_as_they_are_meant() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": schema, "strict": true}});
    let bare = json!({"type": "function", "function": {"name": "g", "description": "d"}});
    let (said, bare_said) = (
        json!({"name": "f", "input_schema": schema, "strict": true}),
        json!({"name": "g", "description": "d", "input_schema": {"type": "object", "properties": {}}}),
    );
    let png = "data:image/png;base64,AAAA";
    let pdf = "data:application/pdf;base64,BBBB";
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    let turn =
        |role: &str, text: &str| json!({"role": role, "content": [{"type": "text", "text": text}]});
    let rows: Vec<(Value, Value, &[&str])> = vec![
        (json!({}), json!({}), &[]),
        // Limits, sampling, stops.
        (json!({"max_tokens": 7}), json!({"max_tokens": 7}), &[]),
        (
            json!({"max_completion_tokens": 8}),
            json!({"max_tokens": 8}),
            &[],
        ),
        (
            json!({"temperature": 0.3, "top_p": 0.9, "top_k": 5}),
            json!({"temperature": 0.3, "top_p": 0.9, "top_k": 5}),
            &[],
        ),
        (
            json!({"stop": "END"}),
            json!({"stop_sequences": ["END"]}),
            &[],
        ),
        (
            json!({"stop": ["a", "b"]}),
            json!({"stop_sequences": ["a", "b"]}),
            &[],
        ),
        // What asks for nothing.
        (
            json!({
                "n": 1, "logprobs": false, "top_logprobs": 0, "frequency_penalty": 0,
                "presence_penalty": 0.0, "logit_bias": {}, "store": false, "seed": null,
                "modalities": ["text"], "response_format": {"type": "text"}, "verbosity": "medium",
                "parallel_tool_calls": false, "tool_choice": "auto", "tools": [], "stream": false,
            }),
            json!({}),
            &[],
        ),
        // Hints, labels and prices.
        (
            json!({
                "user": "u", "prompt_cache_key": "k", "metadata": {"a": "b"}, "service_tier": "auto",
                "store": true, "prediction": {},
            }),
            json!({"metadata": {"user_id": "u"}}),
            &["metadata", "prediction", "prompt_cache_key", "store"],
        ),
        (
            json!({"safety_identifier": "s"}),
            json!({"metadata": {"user_id": "s"}}),
            &[],
        ),
        (
            json!({"metadata": {"user_id": "s"}}),
            json!({"metadata": {"user_id": "s"}}),
            &[],
        ),
        (
            json!({"service_tier": "default"}),
            json!({"service_tier": "standard_only"}),
            &[],
        ),
        (
            json!({"service_tier": "flex"}),
            json!({}),
            &["service_tier"],
        ),
        // Streams.
        (json!({"stream": true}), json!({"stream": true}), &[]),
        (
            json!({"stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false}}),
            json!({"stream": true}),
            &[],
        ),
        // Tools.
        (
            json!({"tools": [tool, bare]}),
            json!({"tools": [said, bare_said]}),
            &[],
        ),
        (
            json!({"tools": [tool], "tool_choice": "none"}),
            json!({"tools": [said], "tool_choice": {"type": "none"}}),
            &[],
        ),
        (
            json!({"tools": [tool], "tool_choice": "auto"}),
            json!({"tools": [said], "tool_choice": {"type": "auto"}}),
            &[],
        ),
        (
            json!({"tools": [tool], "tool_choice": "required"}),
            json!({"tools": [said], "tool_choice": {"type": "any"}}),
            &[],
        ),
        (
            json!({"tools": [tool], "tool_choice": {"type": "function", "function": {"name": "f"}}}),
            json!({"tools": [said], "tool_choice": {"type": "tool", "name": "f"}}),
            &[],
        ),
        (
            json!({"tools": [tool, bare], "tool_choice": {"type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]}}}),
            json!({"tools": [bare_said], "tool_choice": {"type": "any"}}),
            &[],
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "g", "description": "d"}, "cache_control": {"type": "ephemeral"}}]}),
            json!({"tools": [{"name": "g", "description": "d", "input_schema": {"type": "object", "properties": {}},
                "cache_control": {"type": "ephemeral"}}]}),
            &[],
        ),
        (
            json!({"tools": [tool], "parallel_tool_calls": false}),
            json!({"tools": [said], "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}}),
            &[],
        ),
        (
            json!({"tools": [tool], "tool_choice": "none", "parallel_tool_calls": false}),
            json!({"tools": [said], "tool_choice": {"type": "none"}}),
            &[],
        ),
        // Structured output and reasoning.
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": true}}}),
            json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}}),
            &["response_format.json_schema.name"],
        ),
        (
            json!({"reasoning_effort": "high"}),
            json!({"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}}),
            &[],
        ),
        (
            json!({"reasoning_effort": "minimal"}),
            json!({"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "low"}}),
            &[],
        ),
        (
            json!({"reasoning_effort": "none"}),
            json!({"thinking": {"type": "disabled"}}),
            &[],
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}),
            json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}),
            &[],
        ),
        // System messages.
        (
            messages(
                json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]),
            ),
            json!({"system": "Be brief."}),
            &[],
        ),
        (
            messages(json!([
                {"role": "system", "content": "One."}, {"role": "developer", "content": [{"type": "text", "text": "Two."}]},
                {"role": "user", "content": "Hi", "name": "Ada"},
            ])),
            json!({"system": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]}),
            &["messages[2].name"],
        ),
        (
            messages(json!([
                {"role": "system", "content": [{"type": "text", "text": "One.", "cache_control": {"type": "ephemeral"}}]},
                {"role": "user", "content": "Hi"},
            ])),
            json!({"system": [{"type": "text", "text": "One.", "cache_control": {"type": "ephemeral"}}]}),
            &[],
        ),
        // Turns.
        (
            messages(json!([
                {"role": "user", "content": "A"}, {"role": "user", "content": "B"},
                {"role": "assistant", "content": "C", "refusal": null, "annotations": [], "tool_calls": null},
                {"role": "assistant", "content": [{"type": "text", "text": "D"}]}, {"role": "user", "content": "E"},
            ])),
            messages(json!([
                {"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]},
                {"role": "assistant", "content": [{"type": "text", "text": "C"}, {"type": "text", "text": "D"}]},
                turn("user", "E"),
            ])),
            &[],
        ),
        (
            messages(
                json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": ""}]),
            ),
            json!({}),
            &["messages[1]"],
        ),
        (
            messages(
                json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "refusal": "No."}]),
            ),
            messages(json!([turn("user", "Hi"), turn("assistant", "No.")])),
            &[],
        ),
        // Images and documents.
        (
            messages(json!([{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": png, "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "auto"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": pdf}},
                {"type": "file", "file": {"filename": "a.md", "file_data": "IyBIaQ=="}},
            ]}])),
            messages(json!([{"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "BBBB"}, "title": "a.pdf"},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "# Hi"}, "title": "a.md"},
            ]}])),
            &["messages[0].content[0].image_url.detail"],
        ),
        // Tool calls and their results, which stand first in one message.
        (
            messages(json!([
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": null, "tool_calls": [call("c.1", "{\"b\":1,\"a\":2}"), call("c2", "")]},
                {"role": "tool", "tool_call_id": "c.1", "content": "one"},
                {"role": "user", "content": "And?"},
                {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "two"}]},
            ])),
            messages(json!([
                turn("user", "Hi"),
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "c_1", "name": "f", "input": {"b": 1, "a": 2}},
                    {"type": "tool_use", "id": "c2", "name": "f", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c_1", "content": "one"},
                    {"type": "tool_result", "tool_use_id": "c2", "content": "two"},
                    {"type": "text", "text": "And?"},
                ]},
            ])),
            &[],
        ),
        // A result of images, marked; a call without an id; numbers that no float holds; an empty
        // message; a name of a tool.
        (
            messages(json!([
                {"role": "user", "content": "Hi"}, {"role": "user", "content": ""},
                {"role": "assistant", "tool_calls": [
                    {"type": "function", "function": {"name": "f", "arguments": "{\"n\":12345678901234567890123}"}},
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}},
                ]},
                {"role": "tool", "tool_call_id": "c", "name": "g", "content": [
                    {"type": "text", "text": "one"},
                    {"type": "image_url", "image_url": {"url": png}, "cache_control": {"type": "ephemeral"}},
                ]},
                {"role": "tool", "tool_call_id": "call_1", "content": ""},
            ])),
            messages(json!([
                turn("user", "Hi"),
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "call_1", "name": "f", "input": {"n": 12_345_678_901_234_567_890_123_f64}},
                    {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "call_1"},
                    {"type": "tool_result", "tool_use_id": "c", "content": [
                        {"type": "text", "text": "one"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                            "cache_control": {"type": "ephemeral"}},
                    ]},
                ]},
            ])),
            &["messages[1]", "messages[3].name"],
        ),
        // Thinking that has its proof comes back; any other is left out.
        (
            messages(json!([
                {"role": "user", "content": "Hi"},
                {
                    "role": "assistant", "content": "42", "reasoning_content": "Let me seeAnd so",
                    "reasoning_details": [
                        {"type": "reasoning.encrypted", "data": "zzz", "format": "anthropic-claude-v1", "index": 1},
                        {"type": "reasoning.text", "signature": "s0", "characters": 10, "format": "anthropic-claude-v1", "index": 0},
                        {"type": "reasoning.text", "signature": "s2", "characters": 6, "format": "anthropic-claude-v1", "index": 2},
                    ],
                },
            ])),
            messages(json!([
                turn("user", "Hi"),
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "Let me see", "signature": "s0"},
                    {"type": "redacted_thinking", "data": "zzz"},
                    {"type": "thinking", "thinking": "And so", "signature": "s2"},
                    {"type": "text", "text": "42"},
                ]},
            ])),
            &[],
        ),
        (
            messages(json!([
                {"role": "user", "content": "Hi"},
                {
                    "role": "assistant", "content": "42", "reasoning_content": "Hm", "reasoning": "Hm",
                    "reasoning_details": [{"type": "reasoning.text", "signature": "s", "format": "google-gemini-v1", "index": 0}],
                },
            ])),
            messages(json!([turn("user", "Hi"), turn("assistant", "42")])),
            &[
                "messages[1].reasoning_content",
                "messages[1].reasoning_details[0]",
            ],
        ),
    ];
    for (more, said, dropped) in rows {
        let body = with(more);
        let sent = sent(&body, &TERMS).unwrap_or_else(|refusal| panic!("{body}: {refusal:?}"));
        let found: Value = serde_json::from_slice(&sent.body).unwrap();
        assert_eq!(found, expected(said), "{body}");
        assert_eq!(sent.dropped, dropped, "{body}");
    }
}

#[test]
fn what_cannot_be_said_is_refused_by_its_name_or_dropped_and_listed() {
    // The field, and whether terms may drop it.
    let audio = json!([{"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]}]);
    let later = json!([{"role": "user", "content": "Hi"}, {"role": "system", "content": "S"}]);
    let unknown_call = json!([{"role": "user", "content": "Hi"}, {"role": "tool", "tool_call_id": "x", "content": "y"}]);
    let bad_arguments = json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}},
    ]}]);
    let image = |url: &str| json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]);
    for (more, field, droppable) in [
        (json!({"n": 2}), "n", true),
        (json!({"logprobs": true}), "logprobs", true),
        (json!({"logit_bias": {"1": 2}}), "logit_bias", true),
        (json!({"seed": 1}), "seed", true),
        (json!({"presence_penalty": 0.5}), "presence_penalty", true),
        (json!({"modalities": ["text", "audio"]}), "modalities", true),
        (
            json!({"web_search_options": {}}),
            "web_search_options",
            true,
        ),
        (json!({"functions": [{}]}), "functions", true),
        (json!({"never_heard_of": 1}), "never_heard_of", true),
        (json!({"temperature": 1.5}), "temperature", true),
        (json!({"stop": ["ok", " \n"]}), "stop[1]", true),
        (json!({"messages": audio}), "messages[0].content[1]", true),
        (
            json!({"stream_options": {"odd": 1}}),
            "stream_options.odd",
            true,
        ),
        (json!({"messages": later}), "messages[1]", false),
        (
            json!({"messages": unknown_call}),
            "messages[1].tool_call_id",
            false,
        ),
        (
            json!({"messages": bad_arguments}),
            "messages[1].tool_calls[0].function.arguments",
            false,
        ),
        (
            json!({"messages": image("http://a.example/b.png")}),
            "messages[0].content[0].image_url.url",
            false,
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": "data:text/csv;base64,_w=="}}]}]}),
            "messages[0].content[0].file.file_data",
            false,
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": "data:application/zip;base64,AA=="}}]}]}),
            "messages[0].content[0].file.file_data",
            false,
        ),
        (
            json!({"messages": [
                {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "A"}, {"role": "user", "content": ""},
            ]}),
            "messages[2].content",
            false,
        ),
        (json!({"messages": []}), "messages", false),
        (json!({"messages": 3}), "messages", false),
        (
            json!({"messages": [{"role": "wizard", "content": "x"}]}),
            "messages[0].role",
            false,
        ),
        (
            json!({"response_format": {"type": "json_object"}}),
            "response_format",
            true,
        ),
        (
            json!({"reasoning_effort": "huge"}),
            "reasoning_effort",
            false,
        ),
        (
            json!({"tools": [{"type": "custom", "custom": {"name": "c"}}]}),
            "tools[0].type",
            false,
        ),
        (json!({"tool_choice": "required"}), "tool_choice", false),
        (
            json!({"max_completion_tokens": 8, "max_tokens": 9}),
            "max_tokens",
            false,
        ),
        (json!({"max_tokens": "many"}), "max_tokens", false),
    ] {
        let body = with(more);
        let refusal = sent(&body, &TERMS).unwrap_err();
        assert_eq!(refusal.field, field, "{body}");
        assert!(refusal.message.contains(field), "{}", refusal.message);
        let drop_params = true;
        let dropped = sent(
            &body,
            &Terms {
                drop_params,
                ..TERMS
            },
        )
        .map(|sent| sent.dropped);
        if droppable {
            assert_eq!(dropped.as_deref(), Ok(&[field.to_owned()][..]), "{body}");
        } else {
            assert_eq!(dropped.unwrap_err().field, field, "{body}");
        }
    }
}

#[test]
fn the_terms_decide_what_a_model_gets() {
    let body = |terms: Terms, more: Value| {
        let sent = sent(&with(more), &terms)?;
        let body: Value = serde_json::from_slice(&sent.body).unwrap();
        Ok::<_, Refusal>((body, sent.dropped))
    };
    let later = messages(json!([
        {"role": "system", "content": "A"}, {"role": "user", "content": "Hi"}, {"role": "system", "content": "B"},
    ]));
    let merged = body(
        Terms {
            merge_system: true,
            ..TERMS
        },
        later,
    )
    .unwrap();
    assert_eq!(
        merged.0["system"],
        json!([{"type": "text", "text": "A"}, {"type": "text", "text": "B"}])
    );

    let fixed = Terms {
        takes_sampling: false,
        ..TERMS
    };
    assert_eq!(
        body(fixed.clone(), json!({"temperature": 1, "top_p": 1.0})),
        Ok((expected(json!({})), vec![]))
    );
    for (field, value) in [("temperature", json!(0)), ("top_k", json!(5))] {
        let asked = json!({field: value});
        assert_eq!(body(fixed.clone(), asked).unwrap_err().field, field);
    }

    // Of the two only one may be said to newer models; 1 need not be.
    let newer = |body: Value, terms: &Terms| {
        let body = with(body).to_string();
        let sent = (PAIR.request)(&Asked {
            body: body.as_bytes(),
            model: "claude-sonnet-4-5",
            terms,
        })?;
        let said: Value = serde_json::from_slice(&sent.body).unwrap();
        Ok::<_, Refusal>((said["temperature"].as_f64(), said["top_p"].as_f64()))
    };
    let dropping = Terms {
        drop_params: true,
        ..TERMS
    };
    for (temperature, top_p, expected) in [
        (0.2, 1.0, (Some(0.2), None)),
        (1.0, 0.5, (None, Some(0.5))),
        (1.0, 1.0, (Some(1.0), None)),
    ] {
        let body = json!({"temperature": temperature, "top_p": top_p});
        assert_eq!(newer(body, &TERMS), Ok(expected));
    }
    let both = json!({"temperature": 0.2, "top_p": 0.5});
    assert_eq!(newer(both.clone(), &TERMS).unwrap_err().field, "top_p");
    assert_eq!(newer(both, &dropping), Ok((Some(0.2), None)));

    let effortless = Terms {
        takes_effort: false,
        ..TERMS
    };
    let found = body(effortless, json!({"reasoning_effort": "low"}));
    assert_eq!(
        found,
        Ok((expected(json!({})), vec!["reasoning_effort".to_owned()]))
    );

    let budget = |more: Value| {
        let terms = Terms {
            thinks_by_budget: true,
            ..TERMS
        };
        let (body, dropped) = body(terms, more)?;
        assert!(dropped.is_empty());
        assert_eq!(body.get("output_config"), None);
        Ok::<_, Refusal>((
            body["thinking"]["budget_tokens"].as_u64(),
            body["max_tokens"].as_u64(),
        ))
    };
    // The answer keeps the room that it has without thinking, unless the client limits both.
    assert_eq!(
        budget(json!({"reasoning_effort": "medium"})),
        Ok((Some(8192), Some(4096 + 8192)))
    );
    let limited = json!({"reasoning_effort": "medium", "max_tokens": 5000});
    assert_eq!(budget(limited), Ok((Some(2500), Some(5000))));
    let tight = json!({"reasoning_effort": "medium", "max_tokens": 1024});
    assert_eq!(budget(tight).unwrap_err().field, "reasoning_effort");
    assert_eq!(
        budget(json!({"reasoning_effort": "none"})),
        Ok((None, Some(4096)))
    );
}

/// What thinking goes together with, of Claudes that think by a budget and of those that do not:
/// the request, what is sent of thinking, how much effort, and what was left out.
#[test]
fn thinking_is_asked_for_only_where_the_provider_takes_it() {
    const LOST: &str = "messages[1].reasoning_content";
    let tool = json!([{"type": "function", "function": {"name": "f"}}]);
    let turn = |details: Value| {
        json!([
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant", "content": null, "reasoning_content": "Hm", "reasoning_details": details,
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "r"},
        ])
    };
    let own = json!([{"type": "reasoning.text", "signature": "s", "format": "anthropic-claude-v1", "index": 0}]);
    let asked_again = |messages: &Value| {
        let mut messages = messages.clone();
        let more = json!({"role": "user", "content": "And?"});
        messages.as_array_mut().unwrap().push(more);
        messages
    };
    let (unsigned, signed) = (turn(json!([])), turn(own));
    let begun = json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "{"}]);
    let budget = json!({"type": "enabled", "budget_tokens": 2048});
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    let rows: Vec<(bool, Value, Value, &[&str])> = vec![
        (true, json!({}), budget.clone(), &[]),
        (true, json!({"tool_choice": "auto"}), budget.clone(), &[]),
        (
            true,
            json!({"tool_choice": "required"}),
            Value::Null,
            &["reasoning_effort"],
        ),
        (
            true,
            json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}),
            Value::Null,
            &["reasoning_effort"],
        ),
        (
            true,
            json!({"messages": unsigned}),
            Value::Null,
            &[LOST, "reasoning_effort"],
        ),
        // What the user says beside the results changes nothing; what they say after an answer does.
        (
            true,
            json!({"messages": asked_again(&unsigned)}),
            Value::Null,
            &[LOST, "reasoning_effort"],
        ),
        (true, json!({"messages": signed}), budget.clone(), &[]),
        (
            true,
            json!({"messages": begun}),
            Value::Null,
            &["reasoning_effort"],
        ),
        // Those that take an effort think as they see fit, in any turn, but not before a forced call.
        (
            false,
            json!({"messages": unsigned}),
            adaptive.clone(),
            &[LOST],
        ),
        (false, json!({"tool_choice": "required"}), Value::Null, &[]),
        // Sampling: only nearly as the model likes.
        (
            true,
            json!({"temperature": 1, "top_p": 0.95}),
            budget.clone(),
            &[],
        ),
        (
            true,
            json!({"temperature": 0.2}),
            budget.clone(),
            &["temperature"],
        ),
        (
            false,
            json!({"temperature": 0.2, "top_k": 3}),
            adaptive,
            &["temperature", "top_k"],
        ),
        (true, json!({"top_p": 0.5}), budget, &["top_p"]),
    ];
    for (by_budget, more, thinking, dropped) in rows {
        let mut body = with(json!({"tools": tool, "reasoning_effort": "low"}));
        let members = body.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        let terms = |drop_params| Terms {
            thinks_by_budget: by_budget,
            drop_params,
            ..TERMS
        };
        let said = sent(&body, &terms(true)).unwrap();
        let found: Value = serde_json::from_slice(&said.body).unwrap();
        assert_eq!(found["thinking"], thinking, "{more}");
        let effort = &found["output_config"]["effort"];
        assert_eq!(effort.as_str(), (!by_budget).then_some("low"), "{more}");
        assert_eq!(said.dropped, dropped, "{more}");
        assert!(dropped.iter().all(|field| found.get(field).is_none()));
        // Of the settings that the answer hangs on, none goes unsaid.
        let draws = ["temperature", "top_p", "top_k"];
        let refused = sent(&body, &terms(false))
            .err()
            .map(|refusal| refusal.field);
        let first = dropped.iter().find(|field| draws.contains(field));
        assert_eq!(refused.as_deref(), first.copied(), "{more}");
    }
}

#[test]
fn the_order_of_a_schema_stays() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
    let sent = sent(&with(json!({"response_format": format})), &TERMS).unwrap();
    let text = String::from_utf8(sent.body).unwrap();
    assert!(text.contains(SCHEMA), "{text}");
}

fn stamp() -> Stamp {
    Stamp {
        id: "x1".to_owned(),
        created: 1_700_000_000,
    }
}

fn kept(include_usage: bool) -> Kept {
    Kept {
        stream: true,
        include_usage,
        model: "asked".to_owned(),
        ..Kept::default()
    }
}

#[test]
fn a_whole_message_is_a_whole_completion() {
    let usage = json!({
        "input_tokens": 10, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 3, "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 4}, "service_tier": "standard",
    });
    let message = |content: Value, stop: &str| {
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": content,
            "stop_reason": stop, "usage": usage,
        })
    };
    let answer = |body: &Value| {
        let body = body.to_string();
        let answer = (PAIR.answer)(body.as_bytes(), &kept(false), &stamp());
        answer.map(|answer| serde_json::from_slice::<Value>(&answer).unwrap())
    };
    let content = json!([
        {"type": "thinking", "thinking": "Hm", "signature": "sig"}, {"type": "redacted_thinking", "data": "zz"},
        {"type": "text", "text": "A"}, {"type": "text", "text": "B", "citations": []},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"z": 1, "a": 2}},
    ]);
    let found = answer(&message(content, "tool_use")).unwrap();
    assert_eq!(
        found,
        json!({
            "id": "msg_1", "object": "chat.completion", "created": 1_700_000_000, "model": "claude-x",
            "choices": [{
                "index": 0, "logprobs": null, "finish_reason": "tool_calls",
                "message": {
                    "role": "assistant", "content": "AB", "refusal": null, "reasoning_content": "Hm",
                    "reasoning_details": [
                        {"type": "reasoning.text", "signature": "sig", "characters": 2, "format": "anthropic-claude-v1", "index": 0},
                        {"type": "reasoning.encrypted", "data": "zz", "format": "anthropic-claude-v1", "index": 1},
                    ],
                    "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{\"z\":1,\"a\":2}"}}],
                },
            }],
            "usage": {
                "prompt_tokens": 18, "completion_tokens": 7, "total_tokens": 25,
                "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 4},
            },
            "service_tier": "default",
        })
    );
    for (stop, finish) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ] {
        let found = answer(&message(json!([]), stop)).unwrap();
        assert_eq!(found["choices"][0]["finish_reason"], finish, "{stop}");
        assert_eq!(found["choices"][0]["message"]["content"], Value::Null);
    }
    for body in [
        json!({"choices": []}),
        json!([]),
        json!({"content": "text"}),
    ] {
        assert!(answer(&body).is_err(), "{body}");
    }
    assert!((PAIR.answer)(b"<html>", &kept(false), &stamp()).is_err());
}

/// What came of a stream that was cut into `pieces`.
fn said<'a>(pieces: impl Iterator<Item = &'a [u8]>, include_usage: bool) -> (String, Ended) {
    let mut stream = (PAIR.stream)(&kept(include_usage), &stamp());
    let mut out = Vec::new();
    for piece in pieces {
        stream.feed(piece, &mut out);
    }
    let ended = stream.end(&mut out);
    (String::from_utf8(out).unwrap(), ended)
}

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!(
            "../../../../tests/fixtures/wire/anthropic/",
            $name,
            ".sse"
        ))
    };
}

const SAMPLES: [(&str, &str); 15] = [
    ("basic", sample!("basic")),
    ("cache_usage", sample!("cache_usage")),
    ("cumulative_deltas", sample!("cumulative_deltas")),
    ("empty_end_turn", sample!("empty_end_turn")),
    ("input_grows", sample!("input_grows")),
    ("missing_message_stop", sample!("missing_message_stop")),
    ("null_usage_fields", sample!("null_usage_fields")),
    ("openai_compat", sample!("openai_compat")),
    ("overloaded_midstream", sample!("overloaded_midstream")),
    ("refusal", sample!("refusal")),
    ("text_then_tools", sample!("text_then_tools")),
    ("thinking", sample!("thinking")),
    ("tool_use", sample!("tool_use")),
    ("truncated", sample!("truncated")),
    ("unknown_events", sample!("unknown_events")),
];

#[test]
fn a_stream_is_said_alike_however_it_is_cut() {
    for (name, text) in SAMPLES {
        let bytes = text.as_bytes();
        let whole = said(std::iter::once(bytes), true);
        assert_eq!(said(bytes.chunks(1), true), whole, "{name}, byte by byte");
        for cut in 1..bytes.len() {
            let (one, two) = bytes.split_at(cut);
            assert_eq!(
                said([one, two].into_iter(), true),
                whole,
                "{name}, cut at {cut}"
            );
        }
    }
}

/// The choices, and behind them the usage, of the chunks said of a sample.
fn chunks(name: &str) -> (Vec<String>, Ended) {
    let (_, text) = SAMPLES.iter().find(|(of, _)| *of == name).unwrap();
    let (text, ended) = said(std::iter::once(text.as_bytes()), true);
    let chunks = text
        .split_terminator("\n\n")
        .filter(|event| !event.starts_with(':'));
    let chunks = chunks.map(|event| {
        let data = event.strip_prefix("data: ").unwrap();
        let Ok(chunk) = serde_json::from_str::<Value>(data) else {
            return data.to_owned();
        };
        if chunk.get("error").is_some() {
            return chunk.to_string();
        }
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["created"], 1_700_000_000);
        match chunk["choices"].as_array().unwrap().as_slice() {
            [] => format!("usage {}", chunk["usage"]),
            [choice] => {
                assert_eq!(chunk["usage"], Value::Null);
                match choice["finish_reason"].as_str() {
                    Some(finish) => finish.to_owned(),
                    None => choice["delta"].to_string(),
                }
            }
            _ => unreachable!(),
        }
    });
    (chunks.collect(), ended)
}

#[test]
fn streams_are_said_as_they_are_meant() {
    const ROLE: &str = r#"{"role":"assistant","content":""}"#;
    let (found, ended) = chunks("thinking");
    assert_eq!(
        found,
        [
            ROLE,
            r#"{"reasoning_content":"Let me"}"#,
            r#"{"reasoning_content":" see"}"#,
            r#"{"reasoning_details":[{"type":"reasoning.text","signature":"c2ln","characters":10,"format":"anthropic-claude-v1","index":0}]}"#,
            r#"{"content":"42"}"#,
            "stop",
            r#"usage {"prompt_tokens":12,"completion_tokens":50,"total_tokens":62,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},"completion_tokens_details":{"reasoning_tokens":44}}"#,
            "[DONE]",
        ]
    );
    assert_eq!(ended, Ended::Whole);

    let (found, ended) = chunks("text_then_tools");
    let calls: Vec<_> = found
        .iter()
        .filter(|chunk| chunk.contains("\"id\""))
        .collect();
    assert!(calls.len() >= 2, "{found:?}");
    for (index, call) in calls.iter().enumerate() {
        // Tool calls are counted by themselves, not with the text before them.
        assert!(
            call.contains(&format!(r#"[{{"index":{index},"id""#)),
            "{call}"
        );
    }
    assert_eq!(found[found.len() - 3], "tool_calls");
    assert_eq!(ended, Ended::Whole);

    // No finish: no terminator, and whoever reads on is told.
    let (found, ended) = chunks("truncated");
    assert_eq!(ended, Ended::Broken);
    assert!(
        found.iter().all(|chunk| chunk.starts_with('{')),
        "{found:?}"
    );

    // Finished, and its last event forgotten.
    let (found, ended) = chunks("missing_message_stop");
    assert_eq!(ended, Ended::Whole);
    assert_eq!(found.last().unwrap(), "[DONE]");

    let (found, ended) = chunks("overloaded_midstream");
    let error: Value = serde_json::from_str(found.last().unwrap()).unwrap();
    assert_eq!(error["error"]["type"], "overloaded_error");
    let Ended::Failed(error) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(error.class, ErrorClass::Overloaded);

    let (found, _) = chunks("refusal");
    assert!(found.contains(&"content_filter".to_owned()), "{found:?}");
}

#[test]
fn usage_comes_only_where_it_was_asked_for() {
    for (_, text) in SAMPLES {
        let (text, _) = said(std::iter::once(text.as_bytes()), false);
        assert!(!text.contains("usage"), "{text}");
    }
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let start = |input: &str| {
        format!(
            "data: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{input}}}}}\n\n\
             data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"input_json_delta\",\"partial_json\":\"\"}}}}\n\n\
             data: {{\"type\":\"content_block_stop\",\"index\":0}}\n\n"
        )
    };
    for (input, arguments) in [
        ("{}", r#""arguments":"{}""#),
        (r#"{"a":1}"#, r#""arguments":"{\"a\":1}""#),
    ] {
        let (text, _) = said(std::iter::once(start(input).as_bytes()), false);
        assert_eq!(text.matches(arguments).count(), 1, "{text}");
    }
}

#[test]
fn what_is_no_event_of_the_language_fails_the_stream() {
    let (text, ended) = said([&b"data: {not json}\n\n"[..]].into_iter(), false);
    assert!(text.contains("\"error\""), "{text}");
    assert!(!text.contains("[DONE]"), "{text}");
    let Ended::Failed(error) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(error.class, ErrorClass::ProtocolError);
}

#[test]
fn what_is_kept_does_not_grow_with_the_stream() {
    let delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"word \"}}\n\n";
    let mut stream = (PAIR.stream)(&kept(false), &stamp());
    let mut out = Vec::new();
    stream.feed(delta.as_bytes(), &mut out);
    let size = format!("{stream:?}").len();
    for _ in 0..10_000 {
        out.clear();
        stream.feed(delta.as_bytes(), &mut out);
    }
    assert_eq!(format!("{stream:?}").len(), size);

    // A signature without an end is none, and is not gathered.
    let start = "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\"}}\n\n";
    let piece = "s".repeat(64 * 1024);
    let delta = format!(
        "data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"signature_delta\",\"signature\":\"{piece}\"}}}}\n\n"
    );
    let stop = "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n";
    out.clear();
    stream.feed(start.as_bytes(), &mut out);
    for _ in 0..64 {
        stream.feed(delta.as_bytes(), &mut out);
    }
    stream.feed(stop.as_bytes(), &mut out);
    assert_eq!(out, b"");
    assert!(format!("{stream:?}").len() < size + 1024);
    assert!(out.len() < 512);
}
