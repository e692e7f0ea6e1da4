//! Tells a client of an error in its own language, as a whole body and inside a stream.

use std::borrow::Cow;

use serde_json::json;

use super::body::said;
use super::classify::Classified;
use crate::record::{ErrorClass, Language};
use crate::wire::framing::event_stream::encode_exception;

/// An error to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report<'a> {
    /// The status that it has, or would have before a response began.
    pub status: u16,
    /// What people read.
    pub message: &'a str,
    /// What kind it is, in the words of the OpenAI error shape.
    pub kind: &'a str,
    /// What programs recognise; empty where there is nothing.
    pub code: &'a str,
    /// The field of the request concerned.
    pub param: Option<&'a str>,
    /// The id of the exchange; empty inside a stream.
    pub exchange: &'a str,
}

impl<'a> Report<'a> {
    /// What a provider said, in a body or an event of any known shape, for a client that may
    /// speak another language.
    #[must_use]
    pub fn of_provider(classified: &'a Classified, status: u16, message: &'a str) -> Self {
        Self {
            status: status_of(classified.class, status),
            message,
            kind: kind_of(classified.class),
            code: code_of(classified),
            param: None,
            exchange: "",
        }
    }

    /// As a JSON body.
    #[must_use]
    pub fn body(&self, language: Language) -> String {
        let (message, kind) = (self.message, self.kind);
        let code = Some(self.code).filter(|code| !code.is_empty());
        match language {
            // OpenAI's shape, which Anthropic's SDK reads too with `type` and `request_id`.
            Language::AnthropicMessages | Language::AnthropicCountTokens => {
                let (kind, message) = (self.anthropic_kind(), self.anthropic_message());
                let error = json!({
                    "message": message, "type": kind, "param": self.param, "code": code,
                });
                json!({"type": "error", "error": error, "request_id": self.exchange})
            }
            Language::GeminiGenerate | Language::GeminiCountTokens | Language::GeminiEmbed => {
                json!({
                    "error": {
                        "code": self.status, "message": message, "status": google(self.status),
                    },
                })
            }
            Language::BedrockConverse | Language::BedrockInvoke | Language::BedrockCountTokens => {
                json!({"message": message})
            }
            Language::OllamaNative => json!({"error": message}),
            _ => json!({
                "error": {
                    "message": message, "type": kind, "param": self.param, "code": code,
                },
            }),
        }
        .to_string()
    }

    /// The type in Anthropic's words.
    fn anthropic_kind(&self) -> &'a str {
        if self.status == 413 {
            "request_too_large"
        } else {
            anthropic(self.kind)
        }
    }

    /// The message for Anthropic's clients: Claude Code knows by these words alone that a
    /// conversation has grown too long, and then shortens it.
    fn anthropic_message(&self) -> Cow<'a, str> {
        if self.code == CONTEXT_LENGTH && !self.message.contains(TOO_LONG) {
            Cow::Owned(format!("{TOO_LONG}: {}", self.message))
        } else {
            Cow::Borrowed(self.message)
        }
    }

    /// The name that Amazon's SDKs know the error by, in [`super::ERROR_TYPE`].
    #[must_use]
    pub const fn exception(&self) -> &'static str {
        match self.status {
            401 => "UnrecognizedClientException",
            403 => "AccessDeniedException",
            404 => "ResourceNotFoundException",
            408 | 504 => "ModelTimeoutException",
            429 => "ThrottlingException",
            503 => "ServiceUnavailableException",
            400..500 => "ValidationException",
            _ => "InternalServerException",
        }
    }

    /// As a frame of a stream of Amazon's that has begun, as an exception.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let name = match self.status {
            429 => "throttlingException",
            503 => "serviceUnavailableException",
            // To be tried again, as its SDKs have it.
            _ => "modelStreamErrorException",
        };
        let body = self.body(Language::BedrockConverse);
        let mut frame = Vec::new();
        // A message of ours is within the limits of a frame: it can be written.
        let _ = encode_exception(name, body.as_bytes(), &mut frame);
        frame
    }

    /// As an event of a stream of server-sent events that has begun. The terminator of the language
    /// does not follow it.
    #[must_use]
    pub fn event(&self, language: Language) -> String {
        let (message, kind) = (self.message, self.kind);
        let code = Some(self.code).filter(|code| !code.is_empty());
        match language {
            Language::AnthropicMessages => {
                let (kind, message) = (self.anthropic_kind(), self.anthropic_message());
                let error = json!({"type": kind, "message": message, "code": code});
                let data = json!({"type": "error", "error": error});
                format!("event: error\ndata: {data}\n\n")
            }
            Language::OpenAiResponses => {
                // Flat as the API says it; OpenAI's SDKs raise only what stands in `error`.
                let data = json!({
                    "type": "error", "code": code, "message": message, "param": self.param,
                    "sequence_number": 0,
                    "error": {
                        "message": message, "type": kind, "param": self.param, "code": code,
                    },
                });
                format!("event: error\ndata: {data}\n\n")
            }
            _ => format!("data: {}\n\n", self.body(language)),
        }
    }
}

/// OpenAI's code of a prompt that is too long.
const CONTEXT_LENGTH: &str = "context_length_exceeded";

/// Anthropic's words for it.
const TOO_LONG: &str = "prompt is too long";

/// The message in a provider's error, of whatever shape; absent where there is none.
#[must_use]
pub fn message(body: &[u8]) -> Option<String> {
    said(body).first
}

/// The status for a client of what a provider answered with `status`: that of the class, since
/// providers use statuses for other things than others do.
const fn status_of(class: ErrorClass, status: u16) -> u16 {
    match class {
        ErrorClass::RateLimited | ErrorClass::Quota => 429,
        ErrorClass::Overloaded => 503,
        ErrorClass::Timeout => 504,
        ErrorClass::Auth => 401,
        ErrorClass::Permission => 403,
        ErrorClass::NotFound => 404,
        ErrorClass::BadRequest | ErrorClass::ContextLength | ErrorClass::ContentFilter => 400,
        ErrorClass::Unprocessable => 422,
        ErrorClass::PayloadTooLarge => 413,
        ErrorClass::ServerError if status == 500 => 500,
        _ => 502,
    }
}

const fn kind_of(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::RateLimited => "rate_limit_error",
        ErrorClass::Quota => "insufficient_quota",
        ErrorClass::Overloaded => "overloaded_error",
        ErrorClass::Timeout => "timeout_error",
        ErrorClass::Auth => "authentication_error",
        ErrorClass::Permission => "permission_error",
        ErrorClass::NotFound => "not_found_error",
        ErrorClass::BadRequest
        | ErrorClass::ContextLength
        | ErrorClass::ContentFilter
        | ErrorClass::Unprocessable
        | ErrorClass::PayloadTooLarge => "invalid_request_error",
        _ => "upstream_error",
    }
}

/// The code that OpenAI's clients know the class by, else the provider's own.
fn code_of(classified: &Classified) -> &str {
    match classified.class {
        ErrorClass::ContextLength => CONTEXT_LENGTH,
        ErrorClass::Quota => "insufficient_quota",
        ErrorClass::RateLimited => "rate_limit_exceeded",
        ErrorClass::Auth => "invalid_api_key",
        _ => classified.code.as_deref().unwrap_or_default(),
    }
}

/// The type in Anthropic's words.
fn anthropic(kind: &str) -> &str {
    match kind {
        "insufficient_quota" => "billing_error",
        "rate_limit_error"
        | "overloaded_error"
        | "timeout_error"
        | "authentication_error"
        | "permission_error"
        | "not_found_error"
        | "invalid_request_error" => kind,
        _ => "api_error",
    }
}

/// The name that Google gives a status.
const fn google(status: u16) -> &'static str {
    match status {
        400 | 413 | 422 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 | 529 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_that_is_too_long_is_told_in_anthropic_s_words() {
        let error = Classified::bare(ErrorClass::ContextLength);
        for (message, told) in [
            (
                "This model's maximum context length is 8192 tokens.",
                "prompt is too long: This model's maximum context length is 8192 tokens.",
            ),
            ("prompt is too long: 9 > 8", "prompt is too long: 9 > 8"),
        ] {
            let report = Report::of_provider(&error, 400, message);
            for (said, words) in [
                (report.body(Language::AnthropicMessages), told),
                (report.event(Language::AnthropicMessages), told),
                (report.body(Language::OpenAiChat), message),
            ] {
                assert!(said.contains(&format!("\"{words}\"")), "{said}");
            }
        }
    }
}
