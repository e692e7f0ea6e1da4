//! Tells a client inside a response that has begun that it will not come whole.

use crate::record::{ErrorClass, Language};

/// A failure after the response has begun, as an event in the client's language. The blank line
/// in front ends an event that the provider left half sent.
#[must_use]
pub fn error_event(language: Language, class: ErrorClass, message: &str) -> String {
    let code = match class {
        ErrorClass::SilenceTimeout => "upstream_silence_timeout",
        ErrorClass::TotalTimeout => "upstream_total_timeout",
        ErrorClass::Truncated => "upstream_truncated",
        ErrorClass::ProtocolError => "upstream_protocol_error",
        _ => "upstream_reset",
    };
    match language {
        Language::AnthropicMessages => {
            let data = serde_json::json!({
                "type": "error", "error": {"type": "api_error", "message": message, "code": code},
            });
            format!("\n\nevent: error\ndata: {data}\n\n")
        }
        Language::OpenAiResponses => {
            // Flat as the API says it; OpenAI's SDKs raise only what stands in `error`.
            let data = serde_json::json!({
                "type": "error", "code": code, "message": message, "param": null,
                "sequence_number": 0,
                "error": {
                    "message": message, "type": "upstream_error", "param": null, "code": code,
                },
            });
            format!("\n\nevent: error\ndata: {data}\n\n")
        }
        _ => {
            let data = serde_json::json!({
                "error": {
                    "message": message, "type": "upstream_error", "param": null, "code": code,
                },
            });
            format!("\n\ndata: {data}\n\n")
        }
    }
}
