//! Says whole answers, and compressed ones, to clients that asked for a stream.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::super::legs::Translation;
use super::super::shape::{Asked, Ended};
use super::super::trial::{STRICT, stamp};
use super::*;
use crate::record::Language::{
    AnthropicMessages as Messages, BedrockConverse as Converse, GeminiGenerate as Gemini,
    OpenAiChat as Chat, OpenAiResponses as Responses,
};

/// What a client of `client` reads of what a provider of `provider` sends, in pieces of this size.
fn said(client: Language, provider: Language, body: &[u8], size: usize) -> (String, Ended) {
    let translation = Translation::between(client, provider).unwrap();
    let turn = json!([{"role": "user", "content": "x"}]);
    let asked = match client {
        Messages => json!({"model": "m", "max_tokens": 9, "stream": true, "messages": turn}),
        Responses => json!({"model": "m", "stream": true, "store": false, "input": "x"}),
        _ => json!({"model": "m", "stream": true, "messages": turn,
            "stream_options": {"include_usage": true}}),
    };
    let asked = asked.to_string();
    let back = translation.request(&Asked {
        body: asked.as_bytes(),
        model: "m",
        terms: &STRICT,
    });
    let mut stream = translation.stream(&back.unwrap().back, &stamp());
    let mut out = Vec::new();
    for piece in body.chunks(size) {
        stream.feed(piece, &mut out);
    }
    let ended = stream.end(&mut out);
    (String::from_utf8(out).unwrap(), ended)
}

const CHAT: &str = r#"{"object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":7,"completion_tokens":5}}"#;
const MESSAGE: &str = r#"{"id":"msg","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"text","text":"Hello"},{"type":"tool_use","id":"c","name":"f","input":{"a":1}}],"stop_reason":"tool_use","usage":{"input_tokens":7,"output_tokens":5}}"#;
const ANSWER: &str = r#"{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"sig"}}},{"text":"Hello"},{"toolUse":{"toolUseId":"c","name":"f","input":{"a": 1}}}]}},"stopReason":"tool_use","usage":{"inputTokens":7,"outputTokens":5}}"#;
const CANDIDATE: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"Hello"},{"functionCall":{"name":"f","args":{"a":1}}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":5,"totalTokenCount":12}}"#;

#[test]
fn a_whole_answer_is_told_as_the_stream_that_was_asked_for() {
    let array = format!("[{CANDIDATE}\n]");
    let pretty = |json: &str| {
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        format!(
            "\u{feff}\n{}",
            serde_json::to_string_pretty(&value).unwrap()
        )
    };
    for (client, provider, body, end) in [
        (Chat, Messages, MESSAGE.to_owned(), "data: [DONE]"),
        (Chat, Messages, pretty(MESSAGE), "data: [DONE]"),
        (Chat, Converse, ANSWER.to_owned(), "data: [DONE]"),
        (Chat, Gemini, CANDIDATE.to_owned(), "data: [DONE]"),
        (Chat, Gemini, array, "data: [DONE]"),
        (Messages, Chat, CHAT.to_owned(), "message_stop"),
        (Messages, Chat, pretty(CHAT), "message_stop"),
        (Responses, Chat, CHAT.to_owned(), "response.completed"),
        // In two legs.
        (Responses, Converse, ANSWER.to_owned(), "response.completed"),
        (Messages, Gemini, CANDIDATE.to_owned(), "message_stop"),
    ] {
        let place = format!("{} of {}", client.name(), provider.name());
        let (text, ended) = said(client, provider, body.as_bytes(), usize::MAX);
        assert_eq!(ended, Ended::Whole, "{place}: {text}");
        for part in ["Hello", r#"{\"a\":1}"#, r#""f""#, end] {
            assert!(text.contains(part), "{place}: {part} in {text}");
        }
        for (count, names) in [
            (7, ["prompt_tokens", "input_tokens"]),
            (5, ["completion_tokens", "output_tokens"]),
        ] {
            let told = names.map(|name| text.contains(&format!(r#""{name}":{count}"#)));
            assert!(told.contains(&true), "{place}: {count} in {text}");
        }
        if body.contains("hm") && client == Chat {
            assert!(
                text.contains(r#""reasoning_content":"hm""#),
                "{place}: {text}"
            );
            assert!(text.contains("sig"), "{place}: {text}");
        }
        assert_eq!(
            said(client, provider, body.as_bytes(), 1).0,
            text,
            "{place}"
        );
    }
}

#[test]
fn a_whole_that_is_no_answer_is_none() {
    for (client, provider, body, failed) in [
        (
            Messages,
            Chat,
            r#"{"error":{"message":"m","type":"server_error"}}"#,
            true,
        ),
        (
            Chat,
            Messages,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
            true,
        ),
        (
            Chat,
            Gemini,
            r#"{"error":{"code":503,"message":"m"}}"#,
            true,
        ),
        (
            Chat,
            Gemini,
            r#"[{"error":{"code":503,"message":"m"}}]"#,
            true,
        ),
        (Chat, Converse, r#"{"message":"m"}"#, true),
        (Messages, Chat, r#"{"x":1}"#, false),
        (Messages, Chat, r#"{"choices":[{"mess"#, false),
        (Chat, Messages, r#"{"type":"message","content":[]}"#, false),
    ] {
        let (text, ended) = said(client, provider, body.as_bytes(), 3);
        assert_eq!(matches!(ended, Ended::Failed(_)), failed, "{body}: {text}");
        assert_ne!(ended, Ended::Whole, "{body}: {text}");
        assert!(!text.contains("[DONE]"), "{body}: {text}");
    }
}

/// Writes down what it is given.
#[derive(Debug)]
struct Plain;

impl Restream for Plain {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(bytes);
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Ended {
        Ended::Broken
    }
}

#[test]
fn what_comes_compressed_is_read_all_the_same() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(CHAT.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    for (encoding, sent, expected) in [
        ("gzip", &packed[..], CHAT.as_bytes()),
        ("identity", CHAT.as_bytes(), CHAT.as_bytes()),
        ("", CHAT.as_bytes(), CHAT.as_bytes()),
        ("gzip", b"no gzip at all", b""),
    ] {
        let mut stream = decoded(Box::new(Plain), encoding, 1 << 20);
        let mut out = Vec::new();
        for piece in sent.chunks(7) {
            stream.feed(piece, &mut out);
        }
        assert_eq!(stream.end(&mut out), Ended::Broken);
        assert_eq!(out, expected, "{encoding}");
    }
}
