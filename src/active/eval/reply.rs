//! Puts an answer together from a chat reply, streamed or whole.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::active::bench::answer::text;
use crate::analysis::scoring::{Answer, Call};

/// The answer of a chat reply: text, and native calls of tools.
#[must_use]
pub(super) fn answer(body: &[u8]) -> Answer {
    Answer {
        text: text(body),
        calls: calls(body),
    }
}

fn calls(body: &[u8]) -> Vec<Call> {
    let body = String::from_utf8_lossy(body);
    if body.trim_start().starts_with('{') {
        let whole: Value = serde_json::from_str(&body).unwrap_or_default();
        let calls = &whole["choices"][0]["message"]["tool_calls"];
        return calls
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(whole_call)
            .collect();
    }
    // Pieces of a call come apart: its name first, then its arguments, by the call's index.
    let mut pieces: BTreeMap<u64, (String, String)> = BTreeMap::new();
    for data in body.lines().filter_map(|line| line.strip_prefix("data:")) {
        let event: Value = serde_json::from_str(data.trim()).unwrap_or_default();
        let deltas = event["choices"][0]["delta"]["tool_calls"].as_array();
        for delta in deltas.into_iter().flatten() {
            let call = pieces
                .entry(delta["index"].as_u64().unwrap_or(0))
                .or_default();
            let function = &delta["function"];
            call.0
                .push_str(function["name"].as_str().unwrap_or_default());
            call.1
                .push_str(function["arguments"].as_str().unwrap_or_default());
        }
    }
    let pieces = pieces.into_values();
    pieces
        .map(|(name, arguments)| call(name, &arguments))
        .collect()
}

fn whole_call(of: &Value) -> Option<Call> {
    let name = of["function"]["name"].as_str()?;
    let arguments = of["function"]["arguments"].as_str().unwrap_or_default();
    Some(call(name.to_owned(), arguments))
}

/// Arguments are JSON written as text; none at all are an empty object.
fn call(name: String, arguments: &str) -> Call {
    let arguments = if arguments.trim().is_empty() {
        "{}"
    } else {
        arguments
    };
    let read = serde_json::from_str(arguments);
    Call {
        name,
        arguments: read.unwrap_or_else(|_| Value::from(arguments)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_are_put_together() {
        let stream = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\":\"}}]}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"no\"}}]}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]}}]}\n\n\
            data: [DONE]\n\n";
        let whole = r#"{"choices":[{"message":{"content":null,"tool_calls":[
            {"function":{"name":"f","arguments":"{\"x\":1}"}}, {"function":{"name":"g","arguments":"no"}}]}}]}"#;
        for body in [stream, whole] {
            let found = answer(body.as_bytes());
            let calls: Vec<_> = found
                .calls
                .iter()
                .map(|call| (call.name.as_str(), &call.arguments))
                .collect();
            assert_eq!(calls, [("f", &json!({"x": 1})), ("g", &json!("no"))]);
            assert_eq!(found.text, "");
        }
        let text = answer(br#"{"choices":[{"message":{"content":"Oslo"}}]}"#);
        assert_eq!(text, Answer::of_text("Oslo"));
    }
}
