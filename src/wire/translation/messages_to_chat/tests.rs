//! Requests of Anthropic's clients to chat providers, as tables.

use serde_json::{Map, Value, json};

use super::super::shape::Terms;
use super::super::trial::{STRICT, sent};
use super::PAIR;

/// The chat request of `body`, to which a model and a first turn are added where it has none, and
/// what was dropped of it; or the refused field and why.
fn said(body: &str, terms: &Terms) -> Result<(Value, Vec<String>), String> {
    let mut body: Map<String, Value> = serde_json::from_str(body).unwrap();
    body.entry("model").or_insert("claude".into());
    body.entry("messages")
        .or_insert(json!([{"role": "user", "content": "Hi"}]));
    match sent(&PAIR, &Value::Object(body), "there", terms) {
        Ok(sent) => Ok((serde_json::from_slice(&sent.body).unwrap(), sent.dropped)),
        Err(refusal) => Err(format!("{}|{}", refusal.field, refusal.message)),
    }
}

/// Parts of requests, parts of what is sent (null: not there), and what is dropped without asking.
const CARRIED: &[(&str, &str, &[&str])] = &[
    (
        r#"{"max_tokens":9,"temperature":0.5,"top_p":0.9,"stop_sequences":["a","b"]}"#,
        r#"{"model":"there","max_completion_tokens":9,"temperature":0.5,"top_p":0.9,"stop":["a","b"],
            "messages":[{"role":"user","content":"Hi"}],"stream":null,"stream_options":null}"#,
        &[],
    ),
    (
        r#"{"stream":true}"#,
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        &[],
    ),
    (
        r#"{"system":"Be brief."}"#,
        r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}"#,
        &[],
    ),
    (
        r#"{"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2;"},
            {"type":"text","text":"A","cache_control":{"type":"ephemeral"}},
            {"type":"text","text":"B"}],
            "messages":[{"role":"system","content":"C"},{"role":"user","content":"Hi"},
            {"role":"system","content":[{"type":"text","text":"D"}]},{"role":"user","content":"Ho"}]}"#,
        r#"{"messages":[{"role":"system","content":"A\n\nB\n\nC"},{"role":"user","content":"Hi"},
            {"role":"system","content":"D"},{"role":"user","content":"Ho"}]}"#,
        &["system[0]", "system[].cache_control"],
    ),
    (
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"A"},{"type":"text","text":"B",
            "cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}"#,
        r#"{"messages":[{"role":"user","content":"A\n\nB"}]}"#,
        &["messages[].content[].cache_control"],
    ),
    (
        r#"{"messages":[{"role":"user","content":[
            {"type":"image","source":{"type":"base64","media_type":"image/png","data":"QQ=="}},
            {"type":"image","source":{"type":"url","url":"https://a/b.png"}},
            {"type":"text","text":"What?"}]}]}"#,
        r#"{"messages":[{"role":"user","content":[
            {"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}},
            {"type":"image_url","image_url":{"url":"https://a/b.png"}},
            {"type":"text","text":"What?"}]}]}"#,
        &[],
    ),
    (
        r#"{"messages":[{"role":"user","content":[
            {"type":"document","title":"T","citations":{"enabled":false},
             "source":{"type":"text","media_type":"text/plain","data":"words"}},
            {"type":"document","source":{"type":"content","content":[{"type":"text","text":"more"}]}}]}]}"#,
        r#"{"messages":[{"role":"user","content":"T\n\nwords\n\nmore"}]}"#,
        &[],
    ),
    (
        r#"{"messages":[{"role":"user","content":[{"type":"document","title":"a.pdf",
            "source":{"type":"base64","media_type":"application/pdf","data":"QQ=="}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"file","file":
            {"filename":"a.pdf","file_data":"data:application/pdf;base64,QQ=="}}]}]}"#,
        &[],
    ),
    // A turn with tools: calls with text before them, results first, in the order of the blocks.
    (
        r#"{"messages":[{"role":"user","content":"Hi"},
            {"role":"assistant","content":[{"type":"text","text":"Let me see."},
             {"type":"tool_use","id":"a","name":"f","input":{"z":1,"b":[true]}},
             {"type":"tool_use","id":"b","name":"g","input":{},"caller":{"type":"direct"}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"one","is_error":false},
             {"type":"tool_result","tool_use_id":"b","is_error":true,
              "content":[{"type":"text","text":"no"},{"type":"text","text":"way"}]},
             {"type":"text","text":"Go on."}]}]}"#,
        r#"{"messages":[{"role":"user","content":"Hi"},
            {"role":"assistant","content":"Let me see.","tool_calls":[
             {"id":"a","type":"function","function":{"name":"f","arguments":"{\"z\":1,\"b\":[true]}"}},
             {"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"a","content":"one"},
            {"role":"tool","tool_call_id":"b","content":"Error: no\n\nway"},
            {"role":"user","content":"Go on."}]}"#,
        &[],
    ),
    // A picture cannot stand in a tool's message.
    (
        r#"{"messages":[{"role":"user","content":"Hi"},
            {"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[
              {"type":"image","source":{"type":"base64","media_type":"image/png","data":"QQ=="}}]}]}]}"#,
        r#"{"messages":[{"role":"user","content":"Hi"},
            {"role":"assistant","content":null,"tool_calls":[
             {"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"a","content":"(What else the tool returned follows in the next message.)"},
            {"role":"user","content":[{"type":"text","text":"This is what the tool call a returned:"},
             {"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]}]}"#,
        &[],
    ),
    (
        r#"{"messages":[{"role":"user","content":"Hi"},
            {"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}]}"#,
        r#"{"messages":[{"role":"user","content":"Hi"},
            {"role":"assistant","content":null,"tool_calls":[
             {"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"a","content":""}]}"#,
        &[],
    ),
    // What others thought goes nowhere; what this model thought goes back where it was.
    (
        r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[
            {"type":"thinking","thinking":"Hm","signature":"EuYBCkQYAiJA"},
            {"type":"redacted_thinking","data":"EmwKAhgBEgy3"},
            {"type":"thinking","thinking":"Hm","signature":"tollgate:{\"model\":\"other\",\"field\":\"reasoning\"}"},
            {"type":"text","text":"A"}]},{"role":"user","content":"B"}]}"#,
        r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"A"},
            {"role":"user","content":"B"}]}"#,
        &["messages[].content[].thinking"],
    ),
    (
        r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[
            {"type":"thinking","thinking":"Hm","signature":"tollgate:{\"model\":\"there\",\"field\":\"reasoning\",\"details\":[{\"type\":\"reasoning.text\",\"text\":\"m\",\"signature\":\"s\"}]}"},
            {"type":"redacted_thinking","data":"tollgate:{\"model\":\"there\",\"field\":\"\",\"details\":[{\"type\":\"reasoning.encrypted\",\"data\":\"e\"}]}"},
            {"type":"text","text":"A"}]},{"role":"user","content":"B"}]}"#,
        r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"A","reasoning":"Hm",
            "reasoning_details":[{"type":"reasoning.text","text":"Hm","signature":"s"},
             {"type":"reasoning.encrypted","data":"e"}]},
            {"role":"user","content":"B"}]}"#,
        &[],
    ),
    (
        r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[
            {"type":"thinking","thinking":"Hm","signature":"tollgate:{\"model\":\"there\",\"field\":\"content\"}"},
            {"type":"text","text":"A"}]},{"role":"user","content":"B"}]}"#,
        r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[
             {"type":"thinking","thinking":[{"type":"text","text":"Hm"}]},{"type":"text","text":"A"}]},
            {"role":"user","content":"B"}]}"#,
        &[],
    ),
    // Tools.
    (
        r#"{"tools":[{"name":"f","description":"d","strict":true,"cache_control":{"type":"ephemeral"},
             "input_schema":{"type":"object","properties":{"z":{},"a":{}}},"eager_input_streaming":true},
             {"type":"custom","name":"g","input_schema":{"type":"object"},"allowed_callers":["direct"]}],
            "tool_choice":{"type":"any","disable_parallel_tool_use":true}}"#,
        r#"{"tools":[{"type":"function","function":{"name":"f","description":"d",
              "parameters":{"type":"object","properties":{"z":{},"a":{}}},"strict":true}},
             {"type":"function","function":{"name":"g","parameters":{"type":"object"}}}],
            "tool_choice":"required","parallel_tool_calls":false}"#,
        &["tools[0].eager_input_streaming", "tools[].cache_control"],
    ),
    (
        r#"{"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"tool","name":"f"}}"#,
        r#"{"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":null}"#,
        &[],
    ),
    (
        r#"{"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"none"}}"#,
        r#"{"tool_choice":"none"}"#,
        &[],
    ),
    (
        r#"{"tools":[],"tool_choice":{"type":"auto"}}"#,
        r#"{"tools":null,"tool_choice":null}"#,
        &[],
    ),
    // Thinking.
    (
        r#"{"thinking":{"type":"enabled","budget_tokens":1024}}"#,
        r#"{"reasoning_effort":"low"}"#,
        &[],
    ),
    (
        r#"{"thinking":{"type":"enabled","budget_tokens":16000,"display":"summarized"},
            "output_config":{"effort":"max"}}"#,
        r#"{"reasoning_effort":"max"}"#,
        &["thinking.budget_tokens", "thinking.display"],
    ),
    (
        r#"{"thinking":{"type":"adaptive"}}"#,
        r#"{"reasoning_effort":null}"#,
        &["thinking.type"],
    ),
    (
        r#"{"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}"#,
        r#"{"reasoning_effort":"low"}"#,
        &[],
    ),
    // What Claude Code sends with a request for a title.
    (
        r#"{"thinking":{"type":"disabled"},"output_config":{"effort":"high","format":{"type":"json_schema",
            "schema":{"type":"object","properties":{"title":{"type":"string"}}}}}}"#,
        r#"{"reasoning_effort":null,"response_format":{"type":"json_schema","json_schema":{"name":"answer",
            "schema":{"type":"object","properties":{"title":{"type":"string"}}},"strict":true}}}"#,
        &["output_config.effort", "thinking"],
    ),
    // Labels, hints, prices.
    (
        r#"{"metadata":{"user_id":"u1"},"service_tier":"auto","speed":"standard",
            "cache_control":{"type":"ephemeral"},
            "context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]}}"#,
        r#"{"user":"u1","service_tier":null,"metadata":null}"#,
        &[
            "cache_control",
            "context_management.edits[0]",
            "service_tier",
            "speed",
        ],
    ),
    (
        r#"{"metadata":{"user_id":"uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"}}"#,
        r#"{"user":null}"#,
        &["metadata.user_id"],
    ),
];

#[test]
fn what_has_a_place_is_carried() {
    for (body, expected, dropped) in CARRIED {
        let (chat, lost) = said(body, &STRICT).unwrap_or_else(|error| panic!("{body}: {error}"));
        let expected: Map<String, Value> = serde_json::from_str(expected).unwrap();
        for (key, value) in expected {
            let found = chat.get(&key).cloned().unwrap_or_default();
            // As text, since the order of keys counts: of a schema's above all.
            assert_eq!(found.to_string(), value.to_string(), "{key} of {body}");
        }
        assert_eq!(lost, *dropped, "{body}");
    }
}

/// Parts of requests that have no place: the field, and a word of why.
const REFUSED: &[(&str, &str, &str)] = &[
    (r#"{"top_k":5}"#, "top_k", "no place"),
    (r#"{"container":"c"}"#, "container", "no place"),
    (r#"{"mcp_servers":[{}]}"#, "mcp_servers", "no place"),
    (r#"{"inference_geo":"us"}"#, "inference_geo", "no place"),
    (r#"{"something_new":1}"#, "something_new", "no place"),
    (
        r#"{"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]}}"#,
        "context_management.edits[0]",
        "only Anthropic",
    ),
    (
        r#"{"tools":[{"type":"web_search_20250305","name":"web_search"}]}"#,
        "tools[0]",
        "web_search_20250305",
    ),
    (
        r#"{"tools":[{"name":"f","input_schema":{},"input_examples":[{}]}]}"#,
        "tools[0].input_examples",
        "no place",
    ),
    (
        r#"{"thinking":{"type":"between_tools"}}"#,
        "thinking.type",
        "between_tools",
    ),
    (
        r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"{"}]}"#,
        "messages[1]",
        "cannot continue",
    ),
    (
        r#"{"messages":[{"role":"user","content":[{"type":"search_result","source":"s","title":"t","content":[]}]}]}"#,
        "messages[0].content[0]",
        "search_result",
    ),
    (
        r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[
            {"type":"server_tool_use","id":"s","name":"web_search","input":{}}]},{"role":"user","content":"a"}]}"#,
        "messages[1].content[0]",
        "server_tool_use",
    ),
    (
        r#"{"messages":[{"role":"user","content":[{"type":"document","citations":{"enabled":true},
            "source":{"type":"text","media_type":"text/plain","data":"a"}}]}]}"#,
        "messages[0].content[0].citations",
        "no place",
    ),
];

#[test]
fn what_has_no_place_is_refused_or_dropped_by_name() {
    let dropping = Terms {
        drop_params: true,
        ..STRICT
    };
    for (body, field, why) in REFUSED {
        let error = said(body, &STRICT).unwrap_err();
        let (refused, message) = error.split_once('|').unwrap();
        assert_eq!(refused, *field, "{body}");
        assert!(
            message.contains(why) && message.contains("drop_params"),
            "{message}"
        );
        let (chat, dropped) = said(body, &dropping).unwrap();
        assert_eq!(dropped, [*field], "{body}");
        assert!(chat.get(field).is_none(), "{chat}");
    }
}

/// Requests that are none, whatever the terms.
const WRONG: &[(&str, &str, &str)] = &[
    (r#"{"messages":"Hi"}"#, "messages", "send an array"),
    (
        r#"{"messages":[{"role":"user"}]}"#,
        "messages[0].content",
        "is null",
    ),
    (
        r#"{"messages":[{"role":"tool","content":"a"}]}"#,
        "messages[0].role",
        "must be",
    ),
    (r#"{"max_tokens":"9"}"#, "max_tokens", "whole number"),
    (
        r#"{"tool_choice":{"type":"some"}}"#,
        "tool_choice.type",
        "must be",
    ),
    (
        r#"{"thinking":{"type":"enabled"}}"#,
        "thinking.budget_tokens",
        "missing",
    ),
    (
        r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}]}"#,
        "messages[0].content[0].source",
        "base64",
    ),
    (
        r#"{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"url","url":"https://a"}}]}]}"#,
        "messages[0].content[0].source",
        "base64",
    ),
    (
        r#"{"output_config":{"format":{"type":"grammar"}}}"#,
        "output_config.format.type",
        "json_schema",
    ),
];

#[test]
fn what_is_wrong_is_refused() {
    for drop_params in [false, true] {
        let terms = Terms {
            drop_params,
            ..STRICT
        };
        for (body, field, why) in WRONG {
            let error = said(body, &terms).unwrap_err();
            let (refused, message) = error.split_once('|').unwrap();
            assert_eq!(refused, *field, "{body}");
            assert!(message.contains(why), "{message}");
        }
    }
    let error = sent(&PAIR, &json!([]), "there", &STRICT).unwrap_err();
    assert!(
        error.message.contains("not a JSON object"),
        "{}",
        error.message
    );
}

#[test]
fn a_route_says_what_its_model_takes() {
    let plain = Terms {
        takes_sampling: false,
        takes_effort: false,
        limits_completion: false,
        merge_system: true,
        ..STRICT
    };
    let (chat, dropped) = said(
        r#"{"max_tokens":9,"temperature":1,"thinking":{"type":"enabled","budget_tokens":4000},
            "messages":[{"role":"user","content":"Hi"},{"role":"system","content":"D"}]}"#,
        &plain,
    )
    .unwrap();
    assert_eq!(chat["max_tokens"], 9);
    assert!(chat.get("max_completion_tokens").is_none() && chat.get("temperature").is_none());
    assert_eq!(
        chat["messages"][0],
        json!({"role": "system", "content": "D"})
    );
    assert_eq!(dropped, ["temperature", "thinking.budget_tokens"]);
    let (_, dropped) = said(r#"{"output_config":{"effort":"low"}}"#, &plain).unwrap();
    assert_eq!(dropped, ["output_config.effort"]);
    let onward = Terms {
        takes_top_k: true,
        ..STRICT
    };
    let (chat, _) = said(r#"{"top_k":5}"#, &onward).unwrap();
    assert_eq!(chat["top_k"], 5);
    let error = said(r#"{"temperature":0.2}"#, &plain).unwrap_err();
    assert!(error.starts_with("temperature|"), "{error}");
}

/// What a Claude thought goes back to a Claude, whoever serves either; and to think as it sees fit
/// is to take the usual effort.
#[test]
fn a_claude_s_own_thoughts_go_to_a_claude_behind_chat() {
    let body = json!({
        "model": "c", "thinking": {"type": "adaptive"}, "system": "",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "EuYBCkQYAiJA"},
                {"type": "redacted_thinking", "data": "zz"},
                {"type": "thinking", "thinking": "x", "signature": "tollgate:{\"model\":\"other\",\"field\":\"reasoning\"}"},
                {"type": "text", "text": "a"},
            ]},
            {"role": "user", "content": "b"},
        ],
    });
    let sent = sent(&PAIR, &body, "us.anthropic.claude-sonnet-4-6", &STRICT).unwrap();
    let chat: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(chat["reasoning_effort"], "high");
    assert_eq!(sent.dropped, ["messages[].content[].thinking"]);
    assert_eq!(chat["messages"][0]["role"], "user");
    assert_eq!(
        chat["messages"][1],
        json!({
            "role": "assistant", "content": "a", "reasoning_content": "Hm",
            "reasoning_details": [
                {"type": "reasoning.text", "signature": "EuYBCkQYAiJA", "text": "Hm",
                    "format": "anthropic-claude-v1", "index": 0},
                {"type": "reasoning.encrypted", "data": "zz", "format": "anthropic-claude-v1",
                    "index": 0},
            ],
        })
    );
}

#[test]
fn what_the_provider_is_known_to_refuse_is_not_sent_to_it() {
    let terms = Terms {
        refused: vec!["stream_options".to_owned(), "user".to_owned()],
        ..STRICT
    };
    let asked = json!({"model": "asked", "max_tokens": 9, "stream": true,
        "metadata": {"user_id": "u1"}, "messages": [{"role": "user", "content": "q"}]});
    let sent = sent(&PAIR, &asked, "there", &terms).unwrap();
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["stream"], true);
    assert_eq!((body.get("stream_options"), body.get("user")), (None, None));
    assert_eq!(sent.dropped, ["metadata.user_id"]);
    assert!(sent.kept.include_usage);
}

#[test]
fn no_thinking_is_asked_for_where_the_model_thinks_untold() {
    let asked = json!({"model": "asked", "max_tokens": 32, "thinking": {"type": "disabled"},
        "messages": [{"role": "user", "content": "q"}]});
    let none = Terms {
        takes_effort: false,
        ..STRICT
    };
    for (model, terms, effort, dropped) in [
        ("gemini-2.5-flash", &STRICT, json!("none"), &[][..]),
        ("gemini-3-pro-preview", &STRICT, json!("low"), &["thinking"]),
        ("gpt-5", &STRICT, json!("minimal"), &["thinking"]),
        ("gpt-5", &none, Value::Null, &["thinking"]),
        ("claude-sonnet-4-6", &STRICT, Value::Null, &["thinking"]),
        ("qwen3-32b", &STRICT, Value::Null, &["thinking"]),
    ] {
        let sent = sent(&PAIR, &asked, model, terms).unwrap();
        let body: Value = serde_json::from_slice(&sent.body).unwrap();
        let found = body.get("reasoning_effort").unwrap_or(&Value::Null);
        assert_eq!(
            (found, sent.dropped.iter().map(String::as_str).collect()),
            (&effort, dropped.to_vec()),
            "{model}"
        );
    }
}
