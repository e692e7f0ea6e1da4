//! Objects to what Mistral's chat objects to beside `OpenAI`'s: its schema is closed.

use serde_json::{Value, json};

/// Fields that a request may have (mistralai 3.7.0, `ChatCompletionStreamRequest`).
const FIELDS: [&str; 29] = [
    "model",
    "messages",
    "temperature",
    "top_p",
    "max_tokens",
    "stream",
    "stop",
    "random_seed",
    "metadata",
    "response_format",
    "tools",
    "tool_choice",
    "presence_penalty",
    "frequency_penalty",
    "min_tokens",
    "repetition_penalty",
    "top_k",
    "logprobs",
    "top_logprobs",
    "prompt_logprobs",
    "top_prompt_logprobs",
    "n",
    "prediction",
    "parallel_tool_calls",
    "reasoning_effort",
    "prompt_mode",
    "guardrails",
    "prompt_cache_key",
    "safe_prompt",
];

/// Every field that is not taken, as the API tells of it; absent where there is none.
pub(super) fn extra(body: &Value) -> Option<Value> {
    let fields = body.as_object()?;
    let extra = fields
        .iter()
        .filter(|(key, _)| !FIELDS.contains(&key.as_str()));
    let told: Vec<Value> = extra
        .map(|(key, value)| {
            json!({
                "type": "extra_forbidden",
                "loc": ["body", key],
                "msg": "Extra inputs are not permitted",
                "input": value,
            })
        })
        .collect();
    (!told.is_empty()).then(|| told.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_closed() {
        let taken = json!({"model": "m", "messages": [], "max_tokens": 5, "stream": true});
        assert_eq!(extra(&taken), None);
        let told = extra(&json!({"model": "m", "user": "u"})).unwrap();
        assert_eq!(told[0]["loc"], json!(["body", "user"]));
    }
}
