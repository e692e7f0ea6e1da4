//! Tells whether a request ends with the result of a tool.

use serde_json::Value;

/// Whether the last turn of a request, in any language, holds a tool's result.
pub(in super::super) fn ends_with_result(body: &Value) -> bool {
    let turns = ["messages", "contents", "input"];
    let turns = turns.iter().find_map(|name| body.get(name)?.as_array());
    turns.and_then(|turns| turns.last()).is_some_and(is_result)
}

fn is_result(turn: &Value) -> bool {
    if turn["role"] == "tool" || turn["type"] == "function_call_output" {
        return true;
    }
    let parts = turn.get("content").or_else(|| turn.get("parts"));
    let parts = parts
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    parts.iter().any(|part| {
        part["type"] == "tool_result"
            || ["toolResult", "functionResponse", "function_response"]
                .iter()
                .any(|name| part.get(name).is_some())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn results_are_known_in_each_language() {
        for (body, wanted) in [
            (
                json!({"messages": [{"role": "tool", "content": "sunny"}]}),
                true,
            ),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}),
                true,
            ),
            (
                json!({"messages": [{"role": "user", "content": [{"toolResult": {}}]}]}),
                true,
            ),
            (
                json!({"contents": [{"parts": [{"functionResponse": {}}]}]}),
                true,
            ),
            (json!({"input": [{"type": "function_call_output"}]}), true),
            (
                json!({"messages": [{"role": "tool"}, {"role": "user", "content": "and?"}]}),
                false,
            ),
            (json!({"input": "use the tool"}), false),
        ] {
            assert_eq!(ends_with_result(&body), wanted, "{body}");
        }
    }
}
