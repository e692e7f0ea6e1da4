//! Answers and streams of chat providers for Anthropic's clients, as tables.

use serde_json::{Map, Value, json};

use super::super::shape::{Ended, Kept};
use super::super::trial::{chat_stream, said as restream, sample, stamp, word};
use super::PAIR;
use super::answer::STOPS;

fn kept() -> Kept {
    Kept {
        stream: true,
        include_usage: true,
        choices: 1,
        model: "claude".to_owned(),
        model_there: "there".to_owned(),
        echo: Map::new(),
    }
}

/// A stream of events in short: each with what tells it.
fn short(events: &str) -> String {
    let mut short = Vec::new();
    for event in events.split_terminator("\n\n") {
        let (name, data) = event.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(data["type"], name);
        let index = data["index"]
            .as_u64()
            .map_or(String::new(), |index| index.to_string());
        short.push(match name {
            "message_start" => {
                let message = &data["message"];
                assert_eq!(message["id"], "msg_s1");
                assert_eq!(message["usage"]["output_tokens"], 0);
                format!("start {}", message["model"].as_str().unwrap())
            }
            "ping" => "ping".to_owned(),
            "content_block_start" => {
                let block = &data["content_block"];
                let kind = block["type"].as_str().unwrap();
                match kind {
                    "tool_use" => format!(
                        "{index}:{kind} {} {}",
                        block["id"].as_str().unwrap(),
                        block["name"].as_str().unwrap()
                    ),
                    "redacted_thinking" => {
                        format!("{index}:{kind} {}", block["data"].as_str().unwrap())
                    }
                    _ => format!("{index}:{kind}"),
                }
            }
            "content_block_delta" => {
                let delta = data["delta"].as_object().unwrap();
                let piece = delta.iter().find(|(key, _)| *key != "type").unwrap().1;
                format!("{index}+{}", piece.as_str().unwrap())
            }
            "content_block_stop" => format!("{index}."),
            "message_delta" => format!(
                "{} {}",
                data["delta"]["stop_reason"].as_str().unwrap(),
                data["usage"]
            ),
            "message_stop" => "stop".to_owned(),
            "error" => format!(
                "error {}: {}",
                data["error"]["type"].as_str().unwrap(),
                data["error"]["message"].as_str().unwrap()
            ),
            _ => panic!("{name}"),
        });
    }
    short.join(" | ")
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
    let tail = short.split_once(" | ping").map_or("", |(_, tail)| tail);
    (tail.trim_start_matches(" | ").to_owned(), ended)
}

/// The samples: how each ends, and what is said of it behind `message_start` and `ping`.
const SAMPLES: &[(&str, &str, &str)] = &[
    (
        "openai-chat/audio_delta.sse",
        "Whole",
        r#"end_turn {"input_tokens":10,"output_tokens":20,"output_tokens_details":{"thinking_tokens":0}} | stop"#,
    ),
    (
        "openai-chat/bad_json.sse",
        "ProtocolError",
        "0:text | 0+Hel | error api_error: the provider sent an event that is not JSON",
    ),
    (
        "openai-chat/basic.sse",
        "Whole",
        r#"0:text | 0+Hel | 0+lo | 0. | end_turn {"input_tokens":9,"output_tokens":2,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":0}} | stop"#,
    ),
    (
        "openai-chat/basic_no_usage.sse",
        "Whole",
        r#"0:text | 0+Hel | 0+lo | 0. | end_turn {"input_tokens":0,"output_tokens":0} | stop"#,
    ),
    (
        "openai-chat/bom.sse",
        "Whole",
        r#"0:text | 0+Hel | 0+lo | 0. | end_turn {"input_tokens":9,"output_tokens":2,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":0}} | stop"#,
    ),
    (
        "openai-chat/comments.sse",
        "Whole",
        r#"0:text | 0+Hel | 0+lo | 0. | end_turn {"input_tokens":9,"output_tokens":2,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":0}} | stop"#,
    ),
    (
        "openai-chat/content_in_first.sse",
        "Whole",
        r#"0:text | 0+Yes | 0. | end_turn {"input_tokens":5,"output_tokens":1} | stop"#,
    ),
    (
        "openai-chat/cr_only.sse",
        "Whole",
        r#"0:text | 0+Hel | 0+lo | 0. | end_turn {"input_tokens":9,"output_tokens":2,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":0}} | stop"#,
    ),
    (
        "openai-chat/crlf.sse",
        "Whole",
        r#"0:text | 0+Hel | 0+lo | 0. | end_turn {"input_tokens":9,"output_tokens":2,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":0}} | stop"#,
    ),
    (
        "openai-chat/done_then_junk.sse",
        "Whole",
        r#"0:text | 0+Hel | 0+lo | 0. | end_turn {"input_tokens":9,"output_tokens":2,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":0}} | stop"#,
    ),
    ("openai-chat/empty_body.sse", "Broken", ""),
    (
        "openai-chat/empty_deltas.sse",
        "Whole",
        r#"0:text | 0+A | 0. | end_turn {"input_tokens":5,"output_tokens":1} | stop"#,
    ),
    (
        "openai-chat/error_first_event.sse",
        "RateLimited",
        "error rate_limit_error: Rate limit reached",
    ),
    (
        "openai-chat/error_midstream_named.sse",
        "ServerError",
        "0:text | 0+Hel | 0+lo | error api_error: The server had an error while processing your request.",
    ),
    (
        "openai-chat/finish_with_content.sse",
        "Whole",
        r#"0:text | 0+done | 0. | end_turn {"input_tokens":5,"output_tokens":1} | stop"#,
    ),
    (
        "openai-chat/function_call_legacy.sse",
        "Whole",
        r#"0:tool_use toolu_s1_1 f | 0+{} | 0. | tool_use {"input_tokens":0,"output_tokens":0} | stop"#,
    ),
    ("openai-chat/html_body.sse", "Broken", ""),
    (
        "openai-chat/legacy_completions.sse",
        "Whole",
        r#"end_turn {"input_tokens":4,"output_tokens":2} | stop"#,
    ),
    (
        "openai-chat/length_finish.sse",
        "Whole",
        r#"0:text | 0+A | 0+B | 0. | max_tokens {"input_tokens":5,"output_tokens":2} | stop"#,
    ),
    (
        "openai-chat/missing_done.sse",
        "Whole",
        r#"0:text | 0+Hel | 0+lo | 0. | end_turn {"input_tokens":9,"output_tokens":2,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":0}} | stop"#,
    ),
    (
        "openai-chat/missing_done_no_usage.sse",
        "Whole",
        r#"0:text | 0+Hel | 0+lo | 0. | end_turn {"input_tokens":0,"output_tokens":0} | stop"#,
    ),
    (
        "openai-chat/moderation_chunk.sse",
        "Whole",
        r#"0:text | 0+A | 0. | end_turn {"input_tokens":7,"output_tokens":1} | stop"#,
    ),
    (
        "openai-chat/no_space.sse",
        "Whole",
        r#"0:text | 0+Hel | 0+lo | 0. | end_turn {"input_tokens":9,"output_tokens":2,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":0}} | stop"#,
    ),
    (
        "openai-chat/other_fields.sse",
        "Whole",
        r#"0:text | 0+Hel | 0+lo | 0. | end_turn {"input_tokens":9,"output_tokens":2,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":0}} | stop"#,
    ),
    (
        "openai-chat/reasoning_both_fields.sse",
        "Whole",
        r#"0:thinking | 0+Hm | 0+tollgate:{"model":"there","field":"reasoning_content"} | 0. | 1:text | 1+Yes | 1. | end_turn {"input_tokens":12,"output_tokens":3,"output_tokens_details":{"thinking_tokens":1}} | stop"#,
    ),
    (
        "openai-chat/reasoning_content_then_content.sse",
        "Whole",
        r#"0:thinking | 0+Let me | 0+ see. | 0+tollgate:{"model":"there","field":"reasoning_content"} | 0. | 1:text | 1+42 | 1. | end_turn {"input_tokens":12,"output_tokens":9,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":7}} | stop"#,
    ),
    (
        "openai-chat/reasoning_only_length.sse",
        "Whole",
        r#"0:thinking | 0+Long | 0+ thought | 0+tollgate:{"model":"there","field":"reasoning_content"} | 0. | max_tokens {"input_tokens":10,"output_tokens":64,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":64}} | stop"#,
    ),
    (
        "openai-chat/reasoning_then_content.sse",
        "Whole",
        r#"0:thinking | 0+Hmm | 0+ ok | 0+tollgate:{"model":"there","field":"reasoning"} | 0. | 1:text | 1+Yes | 1. | end_turn {"input_tokens":12,"output_tokens":5,"output_tokens_details":{"thinking_tokens":3}} | stop"#,
    ),
    (
        "openai-chat/split_utf8.sse",
        "Whole",
        r#"0:text | 0+naïve  | 0+日本語  | 0+👩‍🚀 | 0. | end_turn {"input_tokens":6,"output_tokens":9} | stop"#,
    ),
    (
        "openai-chat/think_tags_inline.sse",
        "Whole",
        r#"0:text | 0+<think> | 0+hm | 0+</think> | 0+Yes | 0. | end_turn {"input_tokens":10,"output_tokens":6} | stop"#,
    ),
    (
        "openai-chat/tool_call_whole.sse",
        "Whole",
        r#"0:tool_use call_b1 f | 0+{"x":1} | 0. | tool_use {"input_tokens":30,"output_tokens":9} | stop"#,
    ),
    ("openai-chat/truncated_before_token.sse", "Broken", ""),
    (
        "openai-chat/truncated_mid_event.sse",
        "Broken",
        "0:text | 0+Hel",
    ),
    (
        "openai-chat/truncated_no_finish.sse",
        "Broken",
        "0:text | 0+Hel | 0+lo",
    ),
    (
        "openai-chat/usage_before_finish.sse",
        "Whole",
        r#"0:text | 0+A | 0. | end_turn {"input_tokens":7,"output_tokens":2} | stop"#,
    ),
    (
        "openai-chat/usage_on_finish_chunk.sse",
        "Whole",
        r#"0:text | 0+A | 0. | end_turn {"input_tokens":3,"output_tokens":2,"cache_read_input_tokens":4} | stop"#,
    ),
    (
        "openrouter/error_midstream.sse",
        "ServerError",
        "0:text | 0+Hi | error api_error: Provider disconnected unexpectedly",
    ),
    (
        "openrouter/reasoning_details.sse",
        "Whole",
        r#"0:thinking | 0+Hm | 0+tollgate:{"model":"there","field":"reasoning"} | 0. | 1:text | 1+Yes | 1. | end_turn {"input_tokens":14,"output_tokens":5,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":2}} | stop"#,
    ),
    (
        "openrouter/reasoning_encrypted.sse",
        "Whole",
        r#"0:redacted_thinking tollgate:{"model":"there","field":"","details":[{"type":"reasoning.encrypted","data":"ZW5j"}]} | 0. | 1:text | 1+Yes | 1. | end_turn {"input_tokens":14,"output_tokens":50,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":48}} | stop"#,
    ),
    (
        "groq/error_x_groq.sse",
        "ServerError",
        "0:text | 0+Hi | error api_error: over_capacity",
    ),
    (
        "groq/x_groq_and_usage.sse",
        "Whole",
        r#"0:text | 0+Hi | 0. | end_turn {"input_tokens":20,"output_tokens":2} | stop"#,
    ),
    (
        "mistral/basic.sse",
        "Whole",
        r#"0:text | 0+Hi | 0. | end_turn {"input_tokens":9,"output_tokens":2} | stop"#,
    ),
    (
        "mistral/finish_error.sse",
        "ServerError",
        "0:text | 0+Hi | error api_error: the provider ended its answer with an error",
    ),
    (
        "deepseek/insufficient_resource.sse",
        "Overloaded",
        "0:text | 0+Hi | error overloaded_error: the provider ended its answer with an error",
    ),
    (
        "deepseek/keepalive_reasoning.sse",
        "Whole",
        r#"0:thinking | 0+Hm | 0+tollgate:{"model":"there","field":"reasoning_content"} | 0. | 1:text | 1+42 | 1. | end_turn {"input_tokens":36,"output_tokens":9,"cache_read_input_tokens":64,"output_tokens_details":{"thinking_tokens":7}} | stop"#,
    ),
    (
        "together/eos_usage_last.sse",
        "Whole",
        r#"0:text | 0+Hi | 0+ there | 0. | end_turn {"input_tokens":15,"output_tokens":3,"cache_read_input_tokens":0} | stop"#,
    ),
    (
        "xai/reasoning_outside.sse",
        "Whole",
        r#"0:thinking | 0+Hm | 0+tollgate:{"model":"there","field":"reasoning_content"} | 0. | 1:text | 1+Hi | 1. | end_turn {"input_tokens":20,"output_tokens":102,"cache_read_input_tokens":10,"output_tokens_details":{"thinking_tokens":100}} | stop"#,
    ),
    (
        "azure/async_filter_annotations.sse",
        "Whole",
        r#"0:text | 0+Hi | 0+ there | 0. | end_turn {"input_tokens":0,"output_tokens":0} | stop"#,
    ),
    (
        "azure/filter_first_chunk.sse",
        "Whole",
        r#"0:text | 0+Hi | 0. | end_turn {"input_tokens":9,"output_tokens":1,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":0}} | stop"#,
    ),
    (
        "azure/filtered_midstream.sse",
        "Whole",
        r#"0:text | 0+Bad | 0. | refusal {"input_tokens":0,"output_tokens":0} | stop"#,
    ),
    (
        "cerebras/error_chunk.sse",
        "ServerError",
        "0:text | 0+Hi | error api_error: Encountered a server error, please try again.",
    ),
    (
        "cerebras/time_info.sse",
        "Whole",
        r#"0:thinking | 0+Hm | 0+tollgate:{"model":"there","field":"reasoning"} | 0. | 1:text | 1+Hi | 1. | end_turn {"input_tokens":70,"output_tokens":12,"cache_read_input_tokens":0,"output_tokens_details":{"thinking_tokens":6}} | stop"#,
    ),
    (
        "vllm/abort_finish.sse",
        "ServerError",
        "0:text | 0+Hi | error api_error: the provider ended its answer with an error",
    ),
    (
        "vllm/error_midstream_then_done.sse",
        "ServerError",
        "0:text | 0+Hi | error api_error: EngineCore encountered an issue.",
    ),
    (
        "vllm/error_old_shape.sse",
        "BadRequest",
        "error invalid_request_error: boom",
    ),
    (
        "sglang/error_then_done.sse",
        "Overloaded",
        "error overloaded_error: The request queue is full.",
    ),
    (
        "llamacpp/error_midstream.sse",
        "ServerError",
        "0:text | 0+Hi | error api_error: context shift failed",
    ),
    (
        "llamacpp/timings.sse",
        "Whole",
        r#"0:text | 0+Hi | 0. | end_turn {"input_tokens":8,"output_tokens":2,"cache_read_input_tokens":12} | stop"#,
    ),
    (
        "ollama/compat.sse",
        "Whole",
        r#"0:thinking | 0+Hm | 0+tollgate:{"model":"there","field":"reasoning"} | 0. | 1:text | 1+Hi | 1. | end_turn {"input_tokens":26,"output_tokens":4} | stop"#,
    ),
    (
        "ollama/compat_swallowed_error.sse",
        "Broken",
        "0:text | 0+Hi",
    ),
    (
        "fireworks/perf_metrics.sse",
        "Whole",
        r#"0:text | 0+Hi | 0. | end_turn {"input_tokens":4,"output_tokens":2,"cache_read_input_tokens":16} | stop"#,
    ),
    (
        "opper/compat.sse",
        "Whole",
        r#"0:text | 0+Hi | 0. | end_turn {"input_tokens":9,"output_tokens":1} | stop"#,
    ),
    (
        "gemini/openai_compat.sse",
        "Whole",
        r#"0:text | 0+Hel | 0+lo | 0. | end_turn {"input_tokens":8,"output_tokens":2} | stop"#,
    ),
    (
        "anthropic/openai_compat.sse",
        "Whole",
        r#"0:text | 0+Hi | 0. | end_turn {"input_tokens":12,"output_tokens":3} | stop"#,
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
    for (name, pieces) in [("many_tiny", 2000), ("huge_event", 1)] {
        let (tail, ended) = long_tail(&sample(&format!("openai-chat/{name}.sse")));
        assert_eq!(
            (tail.matches("0+").count(), ended),
            (pieces, Ended::Whole),
            "{name}"
        );
    }
}

const USED: &str = r#"{"input_tokens":7,"output_tokens":3}"#;

/// Streams of deltas, why they end, how that is taken, and what is said of them.
const STREAMS: &[(&[&str], &str, &str, &str)] = &[
    // Calls at once, after text; a provider that says `stop` after a call.
    (
        &[
            r#"{"role":"assistant","content":""}"#,
            r#"{"content":"Let me"}"#,
            r#"{"content":" see."}"#,
            r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"\"é\\n\"}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}"#,
        ],
        "tool_calls",
        "Whole",
        r#"0:text | 0+Let me | 0+ see. | 0. | 1:tool_use a f | 1+{"x": | 1+"é\n"} | 1. | 2:tool_use b g | 2+{} | 2. | tool_use"#,
    ),
    (
        &[r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#],
        "stop",
        "Whole",
        "0:tool_use a f | 0+{} | 0. | tool_use",
    ),
    // All calls with one index; no index; no ids; arguments as an object; two in one delta.
    (
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
            r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"{}"}}]}"#,
        ],
        "tool_calls",
        "Whole",
        "0:tool_use a f | 0+{} | 0. | 1:tool_use b f | 1+{} | 1. | tool_use",
    ),
    (
        &[
            r#"{"tool_calls":[{"function":{"name":"f","arguments":{"x":"\""}}}]}"#,
            r#"{"tool_calls":[{"index":1,"function":{"name":"g","arguments":""}},{"index":2,"function":{"name":"h"}}]}"#,
        ],
        "tool_calls",
        "Whole",
        r#"0:tool_use toolu_s1_1 f | 0+{"x":"\""} | 0. | 1:tool_use toolu_s1_2 g | 1. | 2:tool_use toolu_s1_3 h | 2. | tool_use"#,
    ),
    // The same header on every piece.
    (
        &[
            r#"{"role":"assistant","tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
            r#"{"role":"assistant","tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}]}"#,
        ],
        "tool_calls",
        "Whole",
        "0:tool_use a f | 0+{ | 0+} | 0. | tool_use",
    ),
    // Pieces of several calls in turns: a call waits until the one before it is whole.
    (
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":\"}\\\""}},{"index":1,"function":{"arguments":"{\"y\":"}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"\"}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"function":{"arguments":"1}"}}]}"#,
        ],
        "tool_calls",
        "Whole",
        r#"0:tool_use a f | 0+{"x":"}\" | 0+"} | 0. | 1:tool_use b g | 1+{"y": | 1+1} | 1. | tool_use"#,
    ),
    // A call that is never whole is said as it stands.
    (
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}"#,
        ],
        "tool_calls",
        "Whole",
        "0:tool_use a f | 0+{ | 0. | 1:tool_use b g | 1+{} | 1. | tool_use",
    ),
    // What comes behind a call that was whole has no place any more.
    (
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#,
        ],
        "tool_calls",
        "ProtocolError",
        "0:tool_use a f | 0+{} | 0. | 1:tool_use b g | 1+{} | error api_error: the provider mixes the pieces of several tool calls",
    ),
    // Beside each piece the whole so far (Perplexity); an error inside the choice (OpenRouter).
    (
        &[
            r#"{"content":"A"},"message":{"content":"A"}"#,
            r#"{"content":"B"},"message":{"content":"AB"}"#,
        ],
        "stop",
        "Whole",
        "0:text | 0+A | 0+B | 0. | end_turn",
    ),
    (
        &[r#"{"content":"A"},"error":{"code":429,"message":"Slow down"}"#],
        "stop",
        "RateLimited",
        "0:text | 0+A | error rate_limit_error: Slow down",
    ),
    (
        &[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}"#,
            r#"{"content":"and"}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}"#,
        ],
        "tool_calls",
        "ProtocolError",
        "0:tool_use a f | 0+{ | 0. | 1:text | 1+and | error api_error: the provider mixes a tool call with other content",
    ),
    (
        &[r#"{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{}"}}]}"#],
        "tool_calls",
        "ProtocolError",
        "error api_error: the provider calls a tool without a name",
    ),
    // Proof behind text (Gemini ends so): before the next block, and never the last.
    (
        &[
            r#"{"content":"A"}"#,
            r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"e"}]}"#,
            r#"{"content":"B"}"#,
            r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"f"}]}"#,
        ],
        "stop",
        "Whole",
        "0:text | 0+A | 0+B | 0. | end_turn",
    ),
    (
        &[
            r#"{"content":"A"}"#,
            r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"e"}]}"#,
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
        ],
        "tool_calls",
        "Whole",
        r#"0:text | 0+A | 0. | 1:redacted_thinking tollgate:{"model":"there","field":"","details":[{"type":"reasoning.encrypted","data":"e"}]} | 1. | 2:tool_use a f | 2+{} | 2. | tool_use"#,
    ),
    // Reasoning: Mistral's lists; signed, twice, before and between calls; a signature that is late.
    (
        &[
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"H"},{"type":"text","text":"m"}]}]}"#,
            r#"{"content":[{"type":"thinking","thinking":[]},{"type":"text","text":"Yes"}]}"#,
        ],
        "stop",
        "Whole",
        r#"0:thinking | 0+H | 0+m | 0+tollgate:{"model":"there","field":"content"} | 0. | 1:text | 1+Yes | 1. | end_turn"#,
    ),
    (
        &[
            r#"{"reasoning_content":"A"}"#,
            r#"{"reasoning_details":[{"type":"reasoning.text","signature":"s","characters":1,"format":"f","index":0}]}"#,
            r#"{"reasoning_content":"B"}"#,
            r#"{"reasoning_details":[{"type":"reasoning.text","signature":"t","characters":1,"format":"f","index":1}]}"#,
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
        ],
        "tool_calls",
        "Whole",
        r#"0:thinking | 0+A | 0+tollgate:{"model":"there","field":"reasoning_content","details":[{"type":"reasoning.text","signature":"s","characters":1,"format":"f","index":0}]} | 0. | 1:thinking | 1+B | 1+tollgate:{"model":"there","field":"reasoning_content","details":[{"type":"reasoning.text","signature":"t","characters":1,"format":"f","index":1}]} | 1. | 2:tool_use a f | 2+{} | 2. | tool_use"#,
    ),
    (
        &[
            r#"{"reasoning_details":[{"type":"reasoning.text","text":"A","format":"f","index":0}]}"#,
            r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"B"}]}"#,
            r#"{"content":"Yes"}"#,
            r#"{"reasoning_details":[{"type":"reasoning.text","signature":"s"}]}"#,
        ],
        "stop",
        "Whole",
        r#"0:thinking | 0+A | 0+B | 0+tollgate:{"model":"there","field":"reasoning"} | 0. | 1:text | 1+Yes | 1. | 2:thinking | 2+tollgate:{"model":"there","field":"","details":[{"type":"reasoning.text","signature":"s"}]} | 2. | end_turn"#,
    ),
    // Refusals, filters, an unknown reason, nothing at all, and no reason.
    (
        &[r#"{"refusal":"I can"}"#, r#"{"refusal":"not."}"#],
        "stop",
        "Whole",
        "0:text | 0+I can | 0+not. | 0. | refusal",
    ),
    (
        &[r#"{"content":"A"}"#],
        "content_filter",
        "Whole",
        "0:text | 0+A | 0. | refusal",
    ),
    (
        &[r#"{"content":"A"}"#],
        "model_length",
        "Whole",
        "0:text | 0+A | 0. | max_tokens",
    ),
    (
        &[r#"{"content":"A"}"#],
        "because",
        "Whole",
        "0:text | 0+A | 0. | end_turn",
    ),
    (
        &[r#"{"role":"assistant","content":null}"#],
        "stop",
        "Whole",
        "end_turn",
    ),
    (&[r#"{"content":"A"}"#], "", "Broken", "0:text | 0+A"),
];

#[test]
fn every_kind_of_content_is_said() {
    for (pieces, finish, ends, expected) in STREAMS {
        let (tail, ended) = tail(&chat_stream(pieces, finish));
        let expected = match *ends {
            "Whole" => format!("{expected} {USED} | stop"),
            _ => (*expected).to_owned(),
        };
        assert_eq!(
            (tail, word(&ended).as_str()),
            (expected, *ends),
            "{pieces:?}"
        );
    }
}

/// Halves of a pair in two deltas are one character at the end, and bytes that are no text stop
/// nothing.
#[test]
fn text_that_is_cut_in_a_character_goes_on() {
    let mut bytes = chat_stream(
        &[r#"{"content":"\ud83d"}"#, r#"{"content":"\ude00"}"#],
        "stop",
    );
    let (events, ended) = restream(&PAIR, &kept(), &bytes);
    assert_eq!(ended, Ended::Whole);
    assert!(events.contains(r#""text":"\ud83d""#) && events.contains(r#""text":"\ude00""#));
    bytes.splice(.., chat_stream(&[r#"{"content":"a?"}"#], "stop"));
    let at = bytes.iter().position(|byte| *byte == b'?').unwrap();
    bytes[at] = 0xff;
    let (tail, ended) = tail(&bytes);
    assert_eq!(ended, Ended::Whole);
    assert!(tail.starts_with("0:text | 0+a\u{fffd} | 0."), "{tail}");
}

#[test]
fn what_a_stream_keeps_does_not_grow_with_it() {
    let piece = chat_stream(
        &[r#"{"content":"piece"}"#, r#"{"reasoning":"thought"}"#],
        "",
    );
    let mut stream = (PAIR.stream)(&kept(), &stamp());
    let mut out = Vec::new();
    let mut sizes = Vec::new();
    for _ in 0..64 {
        out.clear();
        stream.feed(&piece, &mut out);
        sizes.push(format!("{stream:?}").len());
    }
    // The number of the block may have a digit more.
    assert!(sizes[63] <= sizes[1] + 4, "{sizes:?}");
}

/// Whole answers, as messages, stop reason and usage.
const ANSWERS: &[(&str, &str)] = &[
    (
        r#"{"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"A\n","reasoning_content":"Hm"},
            "finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,
            "prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":1},
            "completion_tokens_details":{"reasoning_tokens":2}}}"#,
        r#"{"id":"msg_s1","type":"message","role":"assistant","model":"m","content":[
            {"type":"thinking","thinking":"Hm","signature":"tollgate:{\"model\":\"there\",\"field\":\"reasoning_content\"}"},
            {"type":"text","text":"A\n"}],"stop_reason":"end_turn","stop_sequence":null,
            "usage":{"input_tokens":5,"output_tokens":5,"cache_read_input_tokens":4,
             "cache_creation_input_tokens":1,"output_tokens_details":{"thinking_tokens":2}}}"#,
    ),
    (
        r#"{"choices":[{"message":{"content":null,"tool_calls":[
            {"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":[1]}"}},
            {"type":"function","function":{"name":"g","arguments":""}}]},"finish_reason":"tool_calls"}]}"#,
        r#"{"id":"msg_s1","type":"message","role":"assistant","model":"claude","content":[
            {"type":"tool_use","id":"a","name":"f","input":{"x":[1]}},
            {"type":"tool_use","id":"toolu_s1_2","name":"g","input":{}}],
            "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}"#,
    ),
    (
        r#"{"choices":[{"message":{"reasoning_details":[{"type":"reasoning.encrypted","data":"e"}],"refusal":"No."},
            "finish_reason":"stop"}]}"#,
        r#"{"id":"msg_s1","type":"message","role":"assistant","model":"claude","content":[
            {"type":"redacted_thinking","data":"tollgate:{\"model\":\"there\",\"field\":\"\",\"details\":[{\"type\":\"reasoning.encrypted\",\"data\":\"e\"}]}"},
            {"type":"text","text":"No."}],
            "stop_reason":"refusal","stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}"#,
    ),
    (
        r#"{"choices":[{"message":{"content":"A"},"finish_reason":"MAX_TOKENS",
            "usage":{"prompt_tokens":7,"completion_tokens":5}}]}"#,
        r#"{"id":"msg_s1","type":"message","role":"assistant","model":"claude","content":[
            {"type":"text","text":"A"}],
            "stop_reason":"max_tokens","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":5}}"#,
    ),
];

#[test]
fn whole_answers_are_said() {
    for (body, expected) in ANSWERS {
        let answer = (PAIR.answer)(body.as_bytes(), &kept(), &stamp()).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(answer, expected, "{body}");
    }
    for name in ["chat", "chat_tool"] {
        let answer = (PAIR.answer)(
            &sample(&format!("openai-chat/{name}.json")),
            &kept(),
            &stamp(),
        );
        assert!(answer.is_ok(), "{name}");
    }
}

#[test]
fn answers_that_are_none_are_not_said() {
    for (body, why) in [
        ("", "not JSON"),
        ("<html>", "not JSON"),
        ("{}", "no choice"),
        (
            r#"{"choices":[{"message":{"content":"A"}}]}"#,
            "why it ended",
        ),
        (
            r#"{"choices":[{"message":{"content":"A"},"finish_reason":"null"}]}"#,
            "why it ended",
        ),
        (r#"{"error":{"message":"boom"}}"#, "boom"),
        (
            r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":"{"}}]},"finish_reason":"stop"}]}"#,
            "called f with arguments that are no JSON object",
        ),
        (
            r#"{"choices":[{"message":{"content":"A"},"finish_reason":"error"}],"error":{"message":"boom"}}"#,
            "boom",
        ),
    ] {
        let error = (PAIR.answer)(body.as_bytes(), &kept(), &stamp()).unwrap_err();
        assert!(error.message.contains(why), "{body}: {}", error.message);
    }
}

#[test]
fn a_stop_at_a_sequence_is_told_where_the_provider_tells_it() {
    const END: (&str, Value) = ("end_turn", Value::Null);
    let asked = |stops: Value| Kept {
        echo: Map::from_iter([(STOPS.to_owned(), stops)]),
        ..kept()
    };
    let met = |sequence: Value| ("stop_sequence", sequence);
    let one = || asked(json!(["\"END\""]));
    let two = || asked(json!(["X", "stop"]));
    for (kept, facts, expected) in [
        // What ended it is not told, or nothing that was asked for.
        (one(), r#""finish_reason":"stop""#, END),
        (one(), r#""finish_reason":"stop","stop_reason":null"#, END),
        (one(), r#""finish_reason":"stop","stop_reason":128009"#, END),
        (
            one(),
            r#""finish_reason":"stop","matched_stop":151645"#,
            END,
        ),
        (one(), r#""finish_reason":"stop","stop_reason":"stop""#, END),
        (kept(), r#""finish_reason":"stop","stop_reason":"X""#, END),
        (
            kept(),
            r#""finish_reason":"stop","native_finish_reason":"stop_sequence""#,
            END,
        ),
        // vLLM; SGLang.
        (
            one(),
            r#""finish_reason":"stop","stop_reason":"\"END\"""#,
            met(json!("\"END\"")),
        ),
        (
            two(),
            r#""finish_reason":"stop","matched_stop":"stop""#,
            met(json!("stop")),
        ),
        // OpenRouter and Converse; TGI: which one is known where there was one.
        (
            one(),
            r#""finish_reason":"stop","native_finish_reason":"stop_sequence""#,
            met(json!("\"END\"")),
        ),
        (
            two(),
            r#""finish_reason":"stop_sequence""#,
            met(Value::Null),
        ),
        // A call is a call.
        (
            one(),
            r#""finish_reason":"length","native_finish_reason":"stop_sequence""#,
            ("max_tokens", Value::Null),
        ),
    ] {
        let message = r#""message":{"role":"assistant","content":"a"}"#;
        let body = format!(r#"{{"choices":[{{"index":0,{message},{facts}}}]}}"#);
        let answer = (PAIR.answer)(body.as_bytes(), &kept, &stamp()).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let (reason, sequence) = &expected;
        assert_eq!(answer["stop_reason"], *reason, "{facts}");
        assert_eq!(answer["stop_sequence"], *sequence, "{facts}");
        let delta = r#""delta":{"content":"a"}"#;
        let stream =
            format!("data: {{\"choices\":[{{\"index\":0,{delta},{facts}}}]}}\n\ndata: [DONE]\n\n");
        let (events, ended) = restream(&PAIR, &kept, stream.as_bytes());
        assert_eq!(ended, Ended::Whole, "{facts}");
        let line = events
            .lines()
            .find(|line| line.contains("\"message_delta\""));
        let end: Value = serde_json::from_str(&line.unwrap()["data: ".len()..]).unwrap();
        assert_eq!(end["delta"]["stop_reason"], *reason, "{facts}");
        assert_eq!(end["delta"]["stop_sequence"], *sequence, "{facts}");
    }
}
