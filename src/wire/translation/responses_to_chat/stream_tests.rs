//! Answers and streams of chat providers for clients of OpenAI's responses, as tables.

use serde_json::{Value, json};

use super::super::shape::{Ended, Kept};
use super::super::trial::{STRICT, chat_stream, said as restream, sample, stamp, word};
use super::PAIR;
use super::tests::said;

/// What Codex asks, as far as the way back goes.
const CODEX: &str = r#"{"instructions":"I","stream":true,"store":false,"include":["reasoning.encrypted_content"],
    "parallel_tool_calls":true,"tool_choice":"auto","temperature":0.5,"metadata":{"a":"b"},
    "tools":[{"type":"function","name":"f","parameters":{}},{"type":"custom","name":"apply_patch"},
     {"type":"tool_search","execution":"client"},
     {"type":"namespace","name":"ns","tools":[{"type":"function","name":"g","parameters":{}}]}]}"#;

fn kept() -> Kept {
    said(CODEX, &STRICT).unwrap().2
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// An item in short.
fn item(item: &Value) -> String {
    let parts = |key: &str| {
        let parts = item[key].as_array().unwrap();
        let texts = parts.iter().map(|part| {
            let key = if part["type"] == "refusal" {
                "refusal"
            } else {
                "text"
            };
            format!("{}={}", text(part, "type"), text(part, key))
        });
        texts.collect::<Vec<_>>().join(",")
    };
    let status = text(item, "status");
    let id = text(item, "id");
    match text(item, "type") {
        "message" => format!("{id}[{}] {status}", parts("content")),
        "reasoning" => {
            let sealed = item["encrypted_content"].as_str().unwrap_or("-");
            format!("{id}[{}] {status} {sealed}", parts("content"))
        }
        "function_call" => format!(
            "{id}({} {}{} {}) {status}",
            text(item, "call_id"),
            item["namespace"]
                .as_str()
                .map(|space| format!("{space}/"))
                .unwrap_or_default(),
            text(item, "name"),
            text(item, "arguments")
        ),
        "image_generation_call" => {
            let result = item["result"].as_str().unwrap_or_default();
            format!("{id}({result}) {status}")
        }
        "custom_tool_call" => format!(
            "{id}({} {} {}) {status}",
            text(item, "call_id"),
            text(item, "name"),
            text(item, "input")
        ),
        "tool_search_call" => {
            assert_eq!(item["execution"], "client");
            format!(
                "{id}({} {}) {status}",
                text(item, "call_id"),
                item["arguments"]
            )
        }
        other => panic!("{other}"),
    }
}

/// A stream of events in short, held against the rules of their order.
fn short(events: &str) -> Vec<String> {
    let mut short = Vec::new();
    let (mut pieces, mut open) = (String::new(), String::new());
    let mut done: Vec<Value> = Vec::new();
    for (number, event) in events.split_terminator("\n\n").enumerate() {
        let (name, data) = event.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(data["type"], name);
        assert_eq!(data["sequence_number"], number);
        if let Some(id) = data["item_id"].as_str() {
            assert_eq!(id, open, "{name}");
        }
        if data.get("output_index").is_some() {
            assert_eq!(data["output_index"], done.len(), "{name}");
        }
        match name.strip_prefix("response.").unwrap() {
            name @ ("created" | "in_progress") => {
                assert_eq!(data["response"]["output"], json!([]));
                assert_eq!(data["response"]["status"], "in_progress");
                short.push(name.to_owned());
            }
            "output_item.added" => {
                open = text(&data["item"], "id").to_owned();
                pieces.clear();
                short.push(format!("+{open}"));
            }
            "content_part.added" => pieces.clear(),
            "output_text.delta"
            | "refusal.delta"
            | "reasoning_text.delta"
            | "function_call_arguments.delta"
            | "custom_tool_call_input.delta" => {
                pieces.push_str(text(&data, "delta"));
                short.push(text(&data, "delta").to_owned());
            }
            "image_generation_call.completed" => {}
            "output_text.done" | "reasoning_text.done" => assert_eq!(data["text"], pieces),
            "refusal.done" => assert_eq!(data["refusal"], pieces),
            "function_call_arguments.done" => assert_eq!(data["arguments"], pieces),
            "custom_tool_call_input.done" => assert_eq!(data["input"], pieces),
            "content_part.done" => {
                let part = &data["part"];
                let said = part.get("text").or(part.get("refusal")).unwrap();
                assert_eq!(said, &pieces);
            }
            "output_item.done" => {
                short.push(item(&data["item"]));
                done.push(data["item"].clone());
                open.clear();
            }
            last @ ("completed" | "incomplete" | "failed") => {
                let response = &data["response"];
                assert_eq!(response["status"], last);
                assert_eq!(response["output"], Value::Array(done.clone()));
                short.push(match last {
                    "completed" => format!("{last} {}", response["usage"]),
                    "incomplete" => {
                        format!("{last} {}", text(&response["incomplete_details"], "reason"))
                    }
                    _ => format!(
                        "{last} {}: {}",
                        text(&response["error"], "code"),
                        text(&response["error"], "message")
                    ),
                });
            }
            other => panic!("{other}"),
        }
    }
    short
}

/// What of a stream stands behind its beginning, and how it ended.
fn tail(bytes: &[u8]) -> (String, Ended) {
    told(restream(&PAIR, &kept(), bytes))
}

/// The same of one that is long: fed whole.
fn long_tail(bytes: &[u8]) -> (String, Ended) {
    let mut stream = (PAIR.stream)(&kept(), &stamp());
    let mut out = Vec::new();
    stream.feed(bytes, &mut out);
    let ended = stream.end(&mut out);
    told((String::from_utf8(out).unwrap(), ended))
}

fn told((events, ended): (String, Ended)) -> (String, Ended) {
    let short = short(&events);
    let tail = short.get(2..).unwrap_or_default().join(" | ");
    (tail, ended)
}

/// The samples: how each ends, and what is said of it behind `created` and `in_progress`.
const SAMPLES: &[(&str, &str, &str)] = &[
    (
        "openai-chat/audio_delta.sse",
        "Whole",
        r#"completed {"input_tokens":10,"input_tokens_details":{"cached_tokens":0},"output_tokens":20,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":30}"#,
    ),
    (
        "openai-chat/bad_json.sse",
        "ProtocolError",
        "+msg_s1_0 | Hel | failed server_error: the provider sent an event that is not JSON",
    ),
    (
        "openai-chat/basic.sse",
        "Whole",
        r#"+msg_s1_0 | Hel | lo | msg_s1_0[output_text=Hello] completed | completed {"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":11}"#,
    ),
    (
        "openai-chat/basic_no_usage.sse",
        "Whole",
        "+msg_s1_0 | Hel | lo | msg_s1_0[output_text=Hello] completed | completed null",
    ),
    (
        "openai-chat/bom.sse",
        "Whole",
        r#"+msg_s1_0 | Hel | lo | msg_s1_0[output_text=Hello] completed | completed {"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":11}"#,
    ),
    (
        "openai-chat/comments.sse",
        "Whole",
        r#"+msg_s1_0 | Hel | lo | msg_s1_0[output_text=Hello] completed | completed {"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":11}"#,
    ),
    (
        "openai-chat/content_in_first.sse",
        "Whole",
        r#"+msg_s1_0 | Yes | msg_s1_0[output_text=Yes] completed | completed {"input_tokens":5,"input_tokens_details":{"cached_tokens":0},"output_tokens":1,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":6}"#,
    ),
    (
        "openai-chat/cr_only.sse",
        "Whole",
        r#"+msg_s1_0 | Hel | lo | msg_s1_0[output_text=Hello] completed | completed {"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":11}"#,
    ),
    (
        "openai-chat/crlf.sse",
        "Whole",
        r#"+msg_s1_0 | Hel | lo | msg_s1_0[output_text=Hello] completed | completed {"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":11}"#,
    ),
    (
        "openai-chat/done_then_junk.sse",
        "Whole",
        r#"+msg_s1_0 | Hel | lo | msg_s1_0[output_text=Hello] completed | completed {"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":11}"#,
    ),
    ("openai-chat/empty_body.sse", "Broken", ""),
    (
        "openai-chat/empty_deltas.sse",
        "Whole",
        r#"+msg_s1_0 | A | msg_s1_0[output_text=A] completed | completed {"input_tokens":5,"input_tokens_details":{"cached_tokens":0},"output_tokens":1,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":6}"#,
    ),
    (
        "openai-chat/error_first_event.sse",
        "RateLimited",
        "failed rate_limit_exceeded: Rate limit reached",
    ),
    (
        "openai-chat/error_midstream_named.sse",
        "ServerError",
        "+msg_s1_0 | Hel | lo | failed server_error: The server had an error while processing your request.",
    ),
    (
        "openai-chat/finish_with_content.sse",
        "Whole",
        r#"+msg_s1_0 | done | msg_s1_0[output_text=done] completed | completed {"input_tokens":5,"input_tokens_details":{"cached_tokens":0},"output_tokens":1,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":6}"#,
    ),
    (
        "openai-chat/function_call_legacy.sse",
        "Whole",
        "+fc_s1_0 | {} | fc_s1_0(call_s1_1 f {}) completed | completed null",
    ),
    ("openai-chat/html_body.sse", "Broken", ""),
    (
        "openai-chat/legacy_completions.sse",
        "Whole",
        r#"completed {"input_tokens":4,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":6}"#,
    ),
    (
        "openai-chat/length_finish.sse",
        "Whole",
        "+msg_s1_0 | A | B | msg_s1_0[output_text=AB] incomplete | incomplete max_output_tokens",
    ),
    (
        "openai-chat/missing_done.sse",
        "Whole",
        r#"+msg_s1_0 | Hel | lo | msg_s1_0[output_text=Hello] completed | completed {"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":11}"#,
    ),
    (
        "openai-chat/missing_done_no_usage.sse",
        "Whole",
        "+msg_s1_0 | Hel | lo | msg_s1_0[output_text=Hello] completed | completed null",
    ),
    (
        "openai-chat/moderation_chunk.sse",
        "Whole",
        r#"+msg_s1_0 | A | msg_s1_0[output_text=A] completed | completed {"input_tokens":7,"input_tokens_details":{"cached_tokens":0},"output_tokens":1,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":8}"#,
    ),
    (
        "openai-chat/no_space.sse",
        "Whole",
        r#"+msg_s1_0 | Hel | lo | msg_s1_0[output_text=Hello] completed | completed {"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":11}"#,
    ),
    (
        "openai-chat/other_fields.sse",
        "Whole",
        r#"+msg_s1_0 | Hel | lo | msg_s1_0[output_text=Hello] completed | completed {"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":11}"#,
    ),
    (
        "openai-chat/reasoning_both_fields.sse",
        "Whole",
        r#"+rs_s1_0 | Hm | rs_s1_0[reasoning_text=Hm] completed tollgate:{"model":"there","field":"reasoning_content"} | +msg_s1_1 | Yes | msg_s1_1[output_text=Yes] completed | completed {"input_tokens":12,"input_tokens_details":{"cached_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":15}"#,
    ),
    (
        "openai-chat/reasoning_content_then_content.sse",
        "Whole",
        r#"+rs_s1_0 | Let me |  see. | rs_s1_0[reasoning_text=Let me see.] completed tollgate:{"model":"there","field":"reasoning_content"} | +msg_s1_1 | 42 | msg_s1_1[output_text=42] completed | completed {"input_tokens":12,"input_tokens_details":{"cached_tokens":0},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":7},"total_tokens":21}"#,
    ),
    (
        "openai-chat/reasoning_only_length.sse",
        "Whole",
        r#"+rs_s1_0 | Long |  thought | rs_s1_0[reasoning_text=Long thought] incomplete tollgate:{"model":"there","field":"reasoning_content"} | incomplete max_output_tokens"#,
    ),
    (
        "openai-chat/reasoning_then_content.sse",
        "Whole",
        r#"+rs_s1_0 | Hmm |  ok | rs_s1_0[reasoning_text=Hmm ok] completed tollgate:{"model":"there","field":"reasoning"} | +msg_s1_1 | Yes | msg_s1_1[output_text=Yes] completed | completed {"input_tokens":12,"input_tokens_details":{"cached_tokens":0},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":17}"#,
    ),
    (
        "openai-chat/split_utf8.sse",
        "Whole",
        r#"+msg_s1_0 | naïve  | 日本語  | 👩‍🚀 | msg_s1_0[output_text=naïve 日本語 👩‍🚀] completed | completed {"input_tokens":6,"input_tokens_details":{"cached_tokens":0},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":15}"#,
    ),
    (
        "openai-chat/think_tags_inline.sse",
        "Whole",
        r#"+msg_s1_0 | <think> | hm | </think> | Yes | msg_s1_0[output_text=<think>hm</think>Yes] completed | completed {"input_tokens":10,"input_tokens_details":{"cached_tokens":0},"output_tokens":6,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":16}"#,
    ),
    (
        "openai-chat/tool_call_whole.sse",
        "Whole",
        r#"+fc_s1_0 | {"x":1} | fc_s1_0(call_b1 f {"x":1}) completed | completed {"input_tokens":30,"input_tokens_details":{"cached_tokens":0},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":39}"#,
    ),
    ("openai-chat/truncated_before_token.sse", "Broken", ""),
    (
        "openai-chat/truncated_mid_event.sse",
        "Broken",
        "+msg_s1_0 | Hel",
    ),
    (
        "openai-chat/truncated_no_finish.sse",
        "Broken",
        "+msg_s1_0 | Hel | lo",
    ),
    (
        "openai-chat/usage_before_finish.sse",
        "Whole",
        r#"+msg_s1_0 | A | msg_s1_0[output_text=A] completed | completed {"input_tokens":7,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":9}"#,
    ),
    (
        "openai-chat/usage_on_finish_chunk.sse",
        "Whole",
        r#"+msg_s1_0 | A | msg_s1_0[output_text=A] completed | completed {"input_tokens":7,"input_tokens_details":{"cached_tokens":4},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":9}"#,
    ),
    (
        "openrouter/error_midstream.sse",
        "ServerError",
        "+msg_s1_0 | Hi | failed server_error: Provider disconnected unexpectedly",
    ),
    (
        "openrouter/reasoning_details.sse",
        "Whole",
        r#"+rs_s1_0 | Hm | rs_s1_0[reasoning_text=Hm] completed tollgate:{"model":"there","field":"reasoning"} | +msg_s1_1 | Yes | msg_s1_1[output_text=Yes] completed | completed {"input_tokens":14,"input_tokens_details":{"cached_tokens":0},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":19}"#,
    ),
    (
        "openrouter/reasoning_encrypted.sse",
        "Whole",
        r#"+rs_s1_0 | rs_s1_0[] completed tollgate:{"model":"there","field":"","details":[{"type":"reasoning.encrypted","data":"ZW5j"}]} | +msg_s1_1 | Yes | msg_s1_1[output_text=Yes] completed | completed {"input_tokens":14,"input_tokens_details":{"cached_tokens":0},"output_tokens":50,"output_tokens_details":{"reasoning_tokens":48},"total_tokens":64}"#,
    ),
    (
        "groq/error_x_groq.sse",
        "ServerError",
        "+msg_s1_0 | Hi | failed server_error: over_capacity",
    ),
    (
        "groq/x_groq_and_usage.sse",
        "Whole",
        r#"+msg_s1_0 | Hi | msg_s1_0[output_text=Hi] completed | completed {"input_tokens":20,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":22}"#,
    ),
    (
        "mistral/basic.sse",
        "Whole",
        r#"+msg_s1_0 | Hi | msg_s1_0[output_text=Hi] completed | completed {"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":11}"#,
    ),
    (
        "mistral/finish_error.sse",
        "ServerError",
        "+msg_s1_0 | Hi | failed server_error: the provider ended its answer with an error",
    ),
    (
        "deepseek/insufficient_resource.sse",
        "Overloaded",
        "+msg_s1_0 | Hi | failed server_error: the provider ended its answer with an error",
    ),
    (
        "deepseek/keepalive_reasoning.sse",
        "Whole",
        r#"+rs_s1_0 | Hm | rs_s1_0[reasoning_text=Hm] completed tollgate:{"model":"there","field":"reasoning_content"} | +msg_s1_1 | 42 | msg_s1_1[output_text=42] completed | completed {"input_tokens":100,"input_tokens_details":{"cached_tokens":64},"output_tokens":9,"output_tokens_details":{"reasoning_tokens":7},"total_tokens":109}"#,
    ),
    (
        "together/eos_usage_last.sse",
        "Whole",
        r#"+msg_s1_0 | Hi |  there | msg_s1_0[output_text=Hi there] completed | completed {"input_tokens":15,"input_tokens_details":{"cached_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":18}"#,
    ),
    (
        "xai/reasoning_outside.sse",
        "Whole",
        r#"+rs_s1_0 | Hm | rs_s1_0[reasoning_text=Hm] completed tollgate:{"model":"there","field":"reasoning_content"} | +msg_s1_1 | Hi | msg_s1_1[output_text=Hi] completed | completed {"input_tokens":30,"input_tokens_details":{"cached_tokens":10},"output_tokens":102,"output_tokens_details":{"reasoning_tokens":100},"total_tokens":132}"#,
    ),
    (
        "azure/async_filter_annotations.sse",
        "Whole",
        "+msg_s1_0 | Hi |  there | msg_s1_0[output_text=Hi there] completed | completed null",
    ),
    (
        "azure/filter_first_chunk.sse",
        "Whole",
        r#"+msg_s1_0 | Hi | msg_s1_0[output_text=Hi] completed | completed {"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":1,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":10}"#,
    ),
    (
        "azure/filtered_midstream.sse",
        "Whole",
        "+msg_s1_0 | Bad | msg_s1_0[output_text=Bad] incomplete | incomplete content_filter",
    ),
    (
        "cerebras/error_chunk.sse",
        "ServerError",
        "+msg_s1_0 | Hi | failed server_error: Encountered a server error, please try again.",
    ),
    (
        "cerebras/time_info.sse",
        "Whole",
        r#"+rs_s1_0 | Hm | rs_s1_0[reasoning_text=Hm] completed tollgate:{"model":"there","field":"reasoning"} | +msg_s1_1 | Hi | msg_s1_1[output_text=Hi] completed | completed {"input_tokens":70,"input_tokens_details":{"cached_tokens":0},"output_tokens":12,"output_tokens_details":{"reasoning_tokens":6},"total_tokens":82}"#,
    ),
    (
        "vllm/abort_finish.sse",
        "ServerError",
        "+msg_s1_0 | Hi | failed server_error: the provider ended its answer with an error",
    ),
    (
        "vllm/error_midstream_then_done.sse",
        "ServerError",
        "+msg_s1_0 | Hi | failed server_error: EngineCore encountered an issue.",
    ),
    (
        "vllm/error_old_shape.sse",
        "BadRequest",
        "failed server_error: boom",
    ),
    (
        "sglang/error_then_done.sse",
        "Overloaded",
        "failed server_error: The request queue is full.",
    ),
    (
        "llamacpp/error_midstream.sse",
        "ServerError",
        "+msg_s1_0 | Hi | failed server_error: context shift failed",
    ),
    (
        "llamacpp/timings.sse",
        "Whole",
        r#"+msg_s1_0 | Hi | msg_s1_0[output_text=Hi] completed | completed {"input_tokens":20,"input_tokens_details":{"cached_tokens":12},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":22}"#,
    ),
    (
        "ollama/compat.sse",
        "Whole",
        r#"+rs_s1_0 | Hm | rs_s1_0[reasoning_text=Hm] completed tollgate:{"model":"there","field":"reasoning"} | +msg_s1_1 | Hi | msg_s1_1[output_text=Hi] completed | completed {"input_tokens":26,"input_tokens_details":{"cached_tokens":0},"output_tokens":4,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":30}"#,
    ),
    (
        "ollama/compat_swallowed_error.sse",
        "Broken",
        "+msg_s1_0 | Hi",
    ),
    (
        "fireworks/perf_metrics.sse",
        "Whole",
        r#"+msg_s1_0 | Hi | msg_s1_0[output_text=Hi] completed | completed {"input_tokens":20,"input_tokens_details":{"cached_tokens":16},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":22}"#,
    ),
    (
        "opper/compat.sse",
        "Whole",
        r#"+msg_s1_0 | Hi | msg_s1_0[output_text=Hi] completed | completed {"input_tokens":9,"input_tokens_details":{"cached_tokens":0},"output_tokens":1,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":10}"#,
    ),
    (
        "gemini/openai_compat.sse",
        "Whole",
        r#"+msg_s1_0 | Hel | lo | msg_s1_0[output_text=Hello] completed | completed {"input_tokens":8,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":10}"#,
    ),
    (
        "anthropic/openai_compat.sse",
        "Whole",
        r#"+msg_s1_0 | Hi | msg_s1_0[output_text=Hi] completed | completed {"input_tokens":12,"input_tokens_details":{"cached_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":15}"#,
    ),
];

#[test]
fn every_provider_s_stream_is_said() {
    for (name, ends, expected) in SAMPLES {
        let (tail, ended) = tail(&sample(name));
        assert_eq!(
            (tail.as_str(), word(&ended).as_str()),
            (*expected, *ends),
            "{name}"
        );
    }
    for (name, bytes) in [("many_tiny", 2000), ("huge_event", 300_000)] {
        let (tail, ended) = long_tail(&sample(&format!("openai-chat/{name}.sse")));
        let text = tail
            .split("output_text=")
            .nth(1)
            .unwrap()
            .split(']')
            .next()
            .unwrap();
        assert_eq!((text.len(), ended), (bytes, Ended::Whole), "{name}");
    }
}

const USED: &str = r#"{"input_tokens":7,"input_tokens_details":{"cached_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":10}"#;

/// Streams of deltas, why they end, how that is taken, and what is said of them.
const STREAMS: &[(&[&str], &str, &str, &str)] = &[
    // Reasoning, text, and calls of all kinds at once.
    (
        &[
            r#"{"role":"assistant","content":"","reasoning_content":"Hm"}"#,
            r#"{"content":"Let me"}"#,
            r#"{"content":" see."}"#,
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"\"é\\n\"}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"ns__g","arguments":"{}"}}]}"#,
        ],
        "tool_calls",
        "Whole",
        r#"+rs_s1_0 | Hm | rs_s1_0[reasoning_text=Hm] completed tollgate:{"model":"there","field":"reasoning_content"} | +msg_s1_1 | Let me |  see. | msg_s1_1[output_text=Let me see.] completed | +fc_s1_2 | {"x": | "é\n"} | fc_s1_2(a f {"x":"é\n"}) completed | +fc_s1_3 | {} | fc_s1_3(b ns/g {}) completed"#,
    ),
    // A tool whose input is text: wrapped, cut anywhere, and forgotten to be wrapped.
    (
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"apply_patch","arguments":"{\"inp"}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"ut\":\"*** Begin \\\"P\\\"\\n+é\"}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"apply_patch","arguments":"*** Begin\n"}}]}"#,
        ],
        "tool_calls",
        "Whole",
        "+ctc_s1_0 | *** Begin \"P\"\n+é | ctc_s1_0(a apply_patch *** Begin \"P\"\n+é) completed | +ctc_s1_1 | *** Begin\n | ctc_s1_1(b apply_patch *** Begin\n) completed",
    ),
    (
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"tool_search","arguments":"{\"query\":\"q\"}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"function":{"name":"tool_search","arguments":""}}]}"#,
        ],
        "tool_calls",
        "Whole",
        r#"+tsc_s1_0 | tsc_s1_0(a {"query":"q"}) completed | +tsc_s1_1 | tsc_s1_1(call_s1_2 {}) completed"#,
    ),
    // No arguments at all are none, unless the answer was cut off before them.
    (
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"f","arguments":""}}]}"#,
        ],
        "tool_calls",
        "Whole",
        "+fc_s1_0 | {} | fc_s1_0(a f {}) completed | +fc_s1_1 | {} | fc_s1_1(b f {}) completed",
    ),
    (
        &[r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]}"#],
        "length",
        "Whole",
        "+fc_s1_0 | fc_s1_0(a f ) incomplete | incomplete max_output_tokens",
    ),
    // Signed reasoning is an item of its own.
    (
        &[
            r#"{"reasoning":"A","reasoning_details":[{"type":"reasoning.text","text":"A","signature":"s"}]}"#,
            r#"{"reasoning":"B"}"#,
            r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"e"}]}"#,
            r#"{"content":"Yes"}"#,
        ],
        "stop",
        "Whole",
        r#"+rs_s1_0 | A | rs_s1_0[reasoning_text=A] completed tollgate:{"model":"there","field":"reasoning","details":[{"type":"reasoning.text","text":"A","signature":"s"}]} | +rs_s1_1 | B | rs_s1_1[reasoning_text=B] completed tollgate:{"model":"there","field":"reasoning"} | +rs_s1_2 | rs_s1_2[] completed tollgate:{"model":"there","field":"","details":[{"type":"reasoning.encrypted","data":"e"}]} | +msg_s1_3 | Yes | msg_s1_3[output_text=Yes] completed"#,
    ),
    // Text and refusals are parts of one message.
    (
        &[
            r#"{"content":"A"}"#,
            r#"{"refusal":"No"}"#,
            r#"{"refusal":"."}"#,
            r#"{"content":"B"}"#,
        ],
        "stop",
        "Whole",
        "+msg_s1_0 | A | No | . | B | msg_s1_0[output_text=A,refusal=No.,output_text=B] completed",
    ),
    (
        &[r#"{"role":"assistant","content":null}"#],
        "stop",
        "Whole",
        "",
    ),
    (
        &[r#"{"content":"A"}"#],
        "length",
        "Whole",
        "+msg_s1_0 | A | msg_s1_0[output_text=A] incomplete | incomplete max_output_tokens",
    ),
    (
        &[r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#],
        "length",
        "Whole",
        "+fc_s1_0 | { | fc_s1_0(a f {) incomplete | incomplete max_output_tokens",
    ),
    (
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"f","arguments":"{"}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"function":{"arguments":"}"}}]}"#,
        ],
        "tool_calls",
        "Whole",
        "+fc_s1_0 | { | } | fc_s1_0(a f {}) completed | +fc_s1_1 | { | } | fc_s1_1(b f {}) completed",
    ),
    // Pictures, in their own place and among the parts; one that is elsewhere.
    (
        &[
            r#"{"content":"A","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]}"#,
            r#"{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,Qg=="}},{"type":"image_url","image_url":{"url":"https://a/b"}}]}"#,
        ],
        "stop",
        "Whole",
        "+msg_s1_0 | A | msg_s1_0[output_text=A] completed | +ig_s1_1 | ig_s1_1(QQ==) completed | +ig_s1_2 | ig_s1_2(Qg==) completed",
    ),
    (&[r#"{"content":"A"}"#], "", "Broken", "+msg_s1_0 | A"),
];

#[test]
fn every_kind_of_content_is_said() {
    for (pieces, finish, ends, expected) in STREAMS {
        let (tail, ended) = tail(&chat_stream(pieces, finish));
        let expected = match (*ends, *finish) {
            ("Whole", "length") => (*expected).to_owned(),
            ("Whole", _) if expected.is_empty() => format!("completed {USED}"),
            ("Whole", _) => format!("{expected} | completed {USED}"),
            _ => (*expected).to_owned(),
        };
        assert_eq!(
            (tail, word(&ended).as_str()),
            (expected, *ends),
            "{pieces:?}"
        );
    }
}

#[test]
fn reasoning_is_sealed_only_for_those_who_send_it_back() {
    let (_, _, kept) = said("{}", &STRICT).unwrap();
    let stream = chat_stream(
        &[
            r#"{"reasoning":"A"}"#,
            r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"e"}]}"#,
        ],
        "stop",
    );
    let (events, _) = restream(&PAIR, &kept, &stream);
    assert_eq!(
        short(&events)[2..5],
        ["+rs_s1_0", "A", "rs_s1_0[reasoning_text=A] completed -"]
    );
    assert!(!events.contains("tollgate"), "{events}");
}

#[test]
fn a_response_repeats_its_request() {
    let body = (PAIR.answer)(&sample("openai-chat/chat.json"), &kept(), &stamp()).unwrap();
    let response: Value = serde_json::from_slice(&body).unwrap();
    for (key, value) in [
        ("id", json!("resp_s1")),
        ("created_at", json!(1_795_000_000)),
        ("status", json!("completed")),
        ("model", json!("gpt-4.1-mini-2025-04-14")),
        ("instructions", json!("I")),
        ("temperature", json!(0.5)),
        ("metadata", json!({"a": "b"})),
        ("store", json!(false)),
        ("previous_response_id", Value::Null),
        ("parallel_tool_calls", json!(true)),
        ("text", json!({"format": {"type": "text"}})),
        ("error", Value::Null),
    ] {
        assert_eq!(response[key], value, "{key}");
    }
    assert_eq!(response["tools"].as_array().unwrap().len(), 4);
    assert_eq!(
        item(&response["output"][0]),
        "msg_s1_0[output_text=Hello] completed"
    );
    assert!(response.get("tollgate").is_none());
    let body = (PAIR.answer)(&sample("openai-chat/chat_tool.json"), &kept(), &stamp()).unwrap();
    let response: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        item(&response["output"][0]),
        r#"fc_s1_0(call_1 f {"x":1}) completed"#
    );
    let none = (PAIR.answer)(b"{}", &kept(), &stamp()).unwrap_err();
    assert!(none.message.contains("no choice"));
}

/// The language repeats all text at its end. What is kept for that has a limit, and is kept once.
#[test]
fn what_a_stream_keeps_is_bounded() {
    let long = "a".repeat(1 << 20);
    let text = format!(r#"{{"content":"{long}"}}"#);
    // Parts that are closed are kept in the message that is not.
    let parts = format!(r#"{{"content":"{long}","refusal":"{long}"}}"#);
    for piece in [text, parts] {
        let piece = chat_stream(&[&piece], "");
        let mut stream = (PAIR.stream)(&kept(), &stamp());
        let mut out = Vec::new();
        for _ in 0..20 {
            out.clear();
            stream.feed(&piece, &mut out);
        }
        stream.feed(&chat_stream(&[], "stop"), &mut out);
        let ended = stream.end(&mut out);
        assert_eq!(word(&ended), "ServerError");
        // Nothing is said after the end.
        assert!(out.is_empty(), "{}", String::from_utf8_lossy(&out));
    }
}

#[test]
fn names_of_tools_fit_and_stay_apart() {
    use super::tools::flat;
    assert_eq!(flat("f", None), "f");
    assert_eq!(flat("f", Some("ns")), "ns__f");
    assert_eq!(flat("f", Some("mcp__s__")), "mcp__s__f");
    let long = "n".repeat(80);
    let (one, two) = (flat("f", Some(&long)), flat("g", Some(&long)));
    assert!(
        one.len() == 64 && two.len() == 64 && one != two,
        "{one} {two}"
    );
    assert_eq!(one, flat("f", Some(&long)));
}
