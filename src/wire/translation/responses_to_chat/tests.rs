//! Requests of clients of OpenAI's responses to chat providers, as tables.

use serde_json::{Map, Value, json};

use super::super::shape::{Kept, Terms};
use super::super::trial::{STRICT, sent};
use super::PAIR;

/// The chat request of `body`, to which a model and an input are added where it has none, what was
/// dropped of it and what is kept; or the refused field and why.
pub(super) fn said(body: &str, terms: &Terms) -> Result<(Value, Vec<String>, Kept), String> {
    let mut body: Map<String, Value> = serde_json::from_str(body).unwrap();
    body.entry("model").or_insert("gpt".into());
    body.entry("input").or_insert("Hi".into());
    match sent(&PAIR, &Value::Object(body), "there", terms) {
        Ok(sent) => Ok((
            serde_json::from_slice(&sent.body).unwrap(),
            sent.dropped,
            sent.kept,
        )),
        Err(refusal) => Err(format!("{}|{}", refusal.field, refusal.message)),
    }
}

/// Parts of requests, parts of what is sent (null: not there), and what is dropped without asking.
const CARRIED: &[(&str, &str, &[&str])] = &[
    (
        r#"{"instructions":"Be brief.","max_output_tokens":9,"temperature":0.5,"top_p":0.9,"user":"u",
            "store":true,"truncation":"disabled","top_logprobs":0,"service_tier":"flex"}"#,
        r#"{"model":"there","max_completion_tokens":9,"temperature":0.5,"top_p":0.9,"user":"u","service_tier":"flex",
            "messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}],
            "stream":null,"store":null}"#,
        &["store"],
    ),
    (
        r#"{"stream":true,"stream_options":{"include_obfuscation":false},"store":false,"background":false}"#,
        r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        &[],
    ),
    (
        r#"{"input":[{"role":"user","content":"A"},{"type":"message","role":"assistant","id":"m","status":"completed",
            "phase":"final_answer","content":[{"type":"output_text","text":"B","annotations":[],"logprobs":[]}]},
            {"role":"user","content":[{"type":"input_text","text":"C"},
             {"type":"input_image","image_url":"data:image/png;base64,QQ==","detail":"auto"},
             {"type":"input_image","image_url":"https://a/b.png","detail":"low"},
             {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,QQ=="}]}]}"#,
        r#"{"messages":[{"role":"user","content":"A"},{"role":"assistant","content":"B"},
            {"role":"user","content":[{"type":"text","text":"C"},
             {"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}},
             {"type":"image_url","image_url":{"url":"https://a/b.png","detail":"low"}},
             {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,QQ=="}}]}]}"#,
        &["input[].phase"],
    ),
    // The instructions of several sources are one message; later ones stay where they are.
    (
        r#"{"instructions":"A","input":[{"role":"developer","content":[{"type":"input_text","text":"B"},
             {"type":"input_text","text":"C"}]},{"role":"user","content":"D"},{"role":"system","content":"E"},
             {"role":"user","content":"F"}]}"#,
        r#"{"messages":[{"role":"system","content":"A\n\nB\n\nC"},{"role":"user","content":"D"},
            {"role":"system","content":"E"},{"role":"user","content":"F"}]}"#,
        &[],
    ),
    // Calls at once are one message, with what was said before them.
    (
        r#"{"input":[{"role":"user","content":"A"},
            {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAA"},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"B"}]},
            {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"x\":1}"},
            {"type":"function_call","call_id":"c2","name":"close_agent","namespace":"multi_agent_v1","arguments":"{}"},
            {"type":"function_call_output","id":"o","call_id":"c1","output":"one"},
            {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"two"},
             {"type":"input_image","image_url":"data:image/png;base64,QQ=="}]},
            {"type":"custom_tool_call","call_id":"c3","name":"apply_patch","input":"*** Begin \"Patch\"\n"},
            {"type":"custom_tool_call_output","call_id":"c3","name":"apply_patch","output":"Done"}]}"#,
        r#"{"messages":[{"role":"user","content":"A"},
            {"role":"assistant","content":"B","tool_calls":[
             {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
             {"id":"c2","type":"function","function":{"name":"multi_agent_v1__close_agent","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"c1","content":"one"},
            {"role":"tool","tool_call_id":"c2","content":"two\n\n(What else the tool returned follows in the next message.)"},
            {"role":"user","content":[{"type":"text","text":"This is what the tool call c2 returned:"},
             {"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]},
            {"role":"assistant","content":null,"tool_calls":[
             {"id":"c3","type":"function","function":{"name":"apply_patch","arguments":"{\"input\":\"*** Begin \\\"Patch\\\"\\n\"}"}}]},
            {"role":"tool","tool_call_id":"c3","content":"Done"}]}"#,
        &["input[].reasoning"],
    ),
    // Where an earlier answer had its words from is told to be left out.
    (
        r#"{"input":[{"role":"user","content":"A"},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"B",
             "annotations":[{"type":"url_citation","url":"u"}],"logprobs":[]}]},
            {"role":"user","content":"C"}]}"#,
        r#"{"messages":[{"role":"user","content":"A"},{"role":"assistant","content":"B"},
            {"role":"user","content":"C"}]}"#,
        &["input[].content[].annotations"],
    ),
    // Reasoning goes back to where it is from.
    (
        r#"{"include":["reasoning.encrypted_content"],"input":[{"role":"user","content":"A"},
            {"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"Hm"}],
             "encrypted_content":"tollgate:{\"model\":\"there\",\"field\":\"reasoning_content\"}"},
            {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
            {"type":"function_call_output","call_id":"c1","output":"one"}]}"#,
        r#"{"messages":[{"role":"user","content":"A"},
            {"role":"assistant","content":null,"reasoning_content":"Hm","tool_calls":[
             {"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"c1","content":"one"}]}"#,
        &[],
    ),
    // Tools, of which chat knows functions only.
    (
        r#"{"tools":[{"type":"function","name":"f","description":"d","strict":true,"parameters":{"type":"object","properties":{"z":{},"a":{}}}},
            {"type":"function","name":"g","strict":false},
            {"type":"namespace","name":"multi_agent_v1","description":"Agents.","tools":[
             {"type":"function","name":"close_agent","strict":false,"parameters":{"type":"object"}}]},
            {"type":"tool_search","execution":"client","description":"Searches.","parameters":{"type":"object"}}],
            "tool_choice":"required","parallel_tool_calls":false}"#,
        r#"{"tools":[{"type":"function","function":{"name":"f","description":"d",
              "parameters":{"type":"object","properties":{"z":{},"a":{}}},"strict":true}},
             {"type":"function","function":{"name":"g","parameters":{"type":"object","properties":{}}}},
             {"type":"function","function":{"name":"multi_agent_v1__close_agent","parameters":{"type":"object"}}},
             {"type":"function","function":{"name":"tool_search","description":"Searches.","parameters":{"type":"object"}}}],
            "tool_choice":"required","parallel_tool_calls":false}"#,
        &["tools[2].description"],
    ),
    (
        r#"{"tools":[{"type":"custom","name":"apply_patch","description":"Edits.",
            "format":{"type":"grammar","syntax":"lark","definition":"start: x"}}],
            "tool_choice":{"type":"custom","name":"apply_patch"}}"#,
        r#"{"tools":[{"type":"function","function":{"name":"apply_patch",
             "description":"Edits.\n\nIts input is text that follows this grammar (lark):\nstart: x",
             "parameters":{"type":"object","properties":{"input":{"type":"string","description":"The whole input, as it is."}},
              "required":["input"],"additionalProperties":false}}}],
            "tool_choice":{"type":"function","function":{"name":"apply_patch"}}}"#,
        &["tools[0].format"],
    ),
    // Tools among the items are offered, once.
    (
        r#"{"tools":[{"type":"function","name":"f","parameters":{}}],
            "input":[{"type":"additional_tools","role":"developer","id":"at","tools":[
             {"type":"function","name":"h","parameters":{}}]},{"role":"user","content":"A"},
            {"type":"tool_search_call","call_id":"s","execution":"client","status":"completed","arguments":{"query":"f"}},
            {"type":"tool_search_output","call_id":"s","execution":"client","status":"completed","tools":[
             {"type":"function","name":"f","defer_loading":true,"parameters":{}}]}]}"#,
        r#"{"messages":[{"role":"user","content":"A"},
            {"role":"assistant","content":null,"tool_calls":[
             {"id":"s","type":"function","function":{"name":"tool_search","arguments":"{\"query\":\"f\"}"}}]},
            {"role":"tool","tool_call_id":"s","content":"[{\"type\":\"function\",\"name\":\"f\",\"defer_loading\":true,\"parameters\":{}}]"}],
            "tools":[{"type":"function","function":{"name":"h","parameters":{}}},
             {"type":"function","function":{"name":"f","parameters":{}}}]}"#,
        &["input[3].tools[0].defer_loading"],
    ),
    (
        r#"{"tools":[{"type":"function","name":"f","parameters":{}},{"type":"function","name":"g","parameters":{}}],
            "tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"g"}]}}"#,
        r#"{"tools":[{"type":"function","function":{"name":"g","parameters":{}}}],"tool_choice":"required"}"#,
        &[],
    ),
    (
        r#"{"tools":[],"tool_choice":"none","parallel_tool_calls":false}"#,
        r#"{"tools":null,"tool_choice":null,"parallel_tool_calls":null}"#,
        &[],
    ),
    (
        r#"{"text":{"verbosity":"low","format":{"type":"json_schema","name":"n","strict":true,"schema":{"type":"object"}}},
            "reasoning":{"effort":"high","summary":"auto"}}"#,
        r#"{"verbosity":"low","reasoning_effort":"high","response_format":{"type":"json_schema",
            "json_schema":{"name":"n","schema":{"type":"object"},"strict":true}}}"#,
        &["reasoning.summary"],
    ),
    (
        r#"{"text":{"verbosity":"medium","format":{"type":"json_object"}}}"#,
        r#"{"verbosity":null,"response_format":{"type":"json_object"}}"#,
        &[],
    ),
    (
        r#"{"text":{"format":{"type":"text"}},"metadata":{"a":"b"},"client_metadata":{},"prompt_cache_key":"k",
            "safety_identifier":"s","max_tool_calls":3,"include":["file_search_call.results"]}"#,
        r#"{"response_format":null,"metadata":null}"#,
        &[
            "client_metadata",
            "include[0]",
            "max_tool_calls",
            "metadata",
            "prompt_cache_key",
            "safety_identifier",
        ],
    ),
];

#[test]
fn what_has_a_place_is_carried() {
    for (body, expected, dropped) in CARRIED {
        let (chat, lost, _) = said(body, &STRICT).unwrap_or_else(|error| panic!("{body}: {error}"));
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
    (
        r#"{"tools":[{"type":"web_search"}]}"#,
        "tools[0]",
        "runs at OpenAI",
    ),
    (
        r#"{"tools":[{"type":"mcp","server_label":"s"}],"tool_choice":"auto"}"#,
        "tools[0]",
        "`mcp`",
    ),
    (
        r#"{"tools":[{"type":"tool_search","execution":"server"}]}"#,
        "tools[0]",
        "tool_search",
    ),
    (
        r#"{"tool_choice":{"type":"file_search"}}"#,
        "tool_choice",
        "file_search",
    ),
    (r#"{"truncation":"auto"}"#, "truncation", "no place"),
    (r#"{"top_logprobs":2}"#, "top_logprobs", "no place"),
    (
        r#"{"include":["message.output_text.logprobs"]}"#,
        "include[0]",
        "no place",
    ),
    (
        r#"{"context_management":[{"type":"compaction"}]}"#,
        "context_management",
        "no place",
    ),
    (r#"{"moderation":{"model":"m"}}"#, "moderation", "no place"),
    (r#"{"something_new":1}"#, "something_new", "no place"),
    (
        r#"{"input":[{"role":"user","content":"A"},{"type":"web_search_call","action":{}}]}"#,
        "input[1]",
        "web_search_call",
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
        let (chat, dropped, _) = said(body, &dropping).unwrap();
        assert_eq!(dropped, [*field], "{body}");
        assert!(
            chat.get("tools").is_none() && chat.get(field).is_none(),
            "{chat}"
        );
    }
}

/// Requests that are refused whatever the terms.
const WRONG: &[(&str, &str, &str)] = &[
    (
        r#"{"previous_response_id":"resp_1"}"#,
        "previous_response_id",
        "stores nothing",
    ),
    (
        r#"{"conversation":"conv_1"}"#,
        "conversation",
        "whole conversation",
    ),
    (r#"{"prompt":{"id":"p"}}"#, "prompt", "instructions"),
    (r#"{"background":true}"#, "background", "fetched later"),
    (
        r#"{"input":[{"type":"item_reference","id":"msg_1"}]}"#,
        "input[0]",
        "`store: false`",
    ),
    (
        r#"{"input":[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]}"#,
        "input[0].content[0]",
        "cannot be fetched",
    ),
    (
        r#"{"input":[{"role":"user","content":[{"type":"input_file","file_url":"https://a"}]}]}"#,
        "input[0].content[0]",
        "cannot be fetched",
    ),
    (r#"{"input":7}"#, "input", "a list of items"),
    (r#"{"input":[]}"#, "input", "missing"),
    (
        r#"{"input":[{"role":"tool","content":"a"}]}"#,
        "input[0].role",
        "must be",
    ),
    (
        r#"{"input":[{"type":"function_call","name":"f"}]}"#,
        "input[0].call_id",
        "missing",
    ),
    (
        r#"{"text":{"format":{"type":"grammar"}}}"#,
        "text.format.type",
        "must be",
    ),
    (r#"{"tool_choice":7}"#, "tool_choice", "must be"),
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
    let (chat, dropped, _) = said(
        r#"{"max_output_tokens":9,"top_p":1,"reasoning":{"effort":"low"},
            "input":[{"role":"user","content":"A"},{"role":"developer","content":"B"}]}"#,
        &plain,
    )
    .unwrap();
    assert_eq!(chat["max_tokens"], 9);
    assert!(chat.get("reasoning_effort").is_none() && chat.get("top_p").is_none());
    assert_eq!(
        chat["messages"][0],
        json!({"role": "system", "content": "B"})
    );
    assert_eq!(dropped, ["reasoning.effort", "top_p"]);
    let error = said(r#"{"temperature":0.2}"#, &plain).unwrap_err();
    assert!(error.starts_with("temperature|"), "{error}");
}

#[test]
fn what_the_provider_is_known_to_refuse_is_not_sent_to_it() {
    let fields = ["stream_options", "user", "service_tier", "verbosity"];
    let terms = Terms {
        refused: fields.map(str::to_owned).to_vec(),
        ..STRICT
    };
    let asked = json!({"model": "asked", "input": "q", "stream": true, "user": "u",
        "service_tier": "flex", "text": {"verbosity": "low"}});
    let sent = sent(&PAIR, &asked, "there", &terms).unwrap();
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    for field in fields {
        assert_eq!(body.get(field), None, "{field}");
    }
    assert_eq!(sent.dropped, ["service_tier", "text.verbosity", "user"]);
}
