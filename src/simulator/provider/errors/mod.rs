//! Words every failure as each provider would: status, headers, body, event.

use serde_json::{Value, json};

use crate::config::settings::ErrorShape;

use super::behaviour::Behaviour;
use super::fault::Fault;
use super::manner::Manner;

mod native;

mod owners;

mod events;

mod limits;

pub(super) use events::{error_event, exception_frame, responses_error_event};
pub(super) use limits::{rate_headers, retry_headers};

/// A failure, before it is worded.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    /// Status.
    pub(super) status: u16,
    /// `OpenAI`'s code; its type follows from status and code.
    pub(super) code: &'static str,
    /// What happened.
    pub(super) message: String,
    /// The body, and Amazon's name for it, where this provider has words of its own for this.
    worded: Option<(Value, &'static str)>,
}

impl Problem {
    /// A failure of that status.
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            worded: None,
        }
    }

    /// The same in words that the shape of the provider's errors does not tell.
    fn worded(self, status: u16, body: Value, aws: &'static str) -> Self {
        Self {
            status,
            worded: Some((body, aws)),
            ..self
        }
    }

    /// The failure that a status stands for.
    pub(super) fn of_status(status: u16) -> Self {
        match status {
            400 => Self::new(400, "invalid_value", "Invalid value for 'messages'."),
            401 => Self::new(
                401,
                "invalid_api_key",
                "Incorrect API key provided. You can find your API key in your dashboard.",
            ),
            402 => Self::new(402, "insufficient_credits", "Insufficient credits."),
            403 => Self::new(
                403,
                "permission_denied",
                "You do not have access to this resource.",
            ),
            404 => Self::new(404, "model_not_found", "The model does not exist."),
            408 => Self::new(408, "timeout", "Request timed out."),
            413 => Self::new(413, "request_too_large", "Request exceeds the maximum size"),
            422 => Self::new(422, "unprocessable", "Unprocessable entity"),
            429 => Self::new(
                429,
                "rate_limit_exceeded",
                "Rate limit reached for requests. Please try again in 2s.",
            ),
            502 => Self::new(502, "bad_gateway", "Bad gateway"),
            503 => Self::new(503, "overloaded", "The engine is currently overloaded"),
            504 => Self::new(504, "timeout", "The request timed out"),
            529 => Self::new(529, "overloaded", "Overloaded"),
            other => Self::new(
                other,
                "server_error",
                "The server had an error while processing your request",
            ),
        }
    }

    /// The failure that a fault stands for, if it is one that is told by a status.
    pub(super) fn of_fault(fault: Fault, behaviour: &Behaviour) -> Option<Self> {
        let status = match fault {
            Fault::RateLimit
            | Fault::RateLimitDate
            | Fault::RateLimitMillis
            | Fault::RateLimitBare => 429,
            Fault::Unauthorized => 401,
            Fault::Forbidden => 403,
            Fault::NotFound => 404,
            Fault::Http500 | Fault::ErrorIn200 => 500,
            Fault::Http502 => 502,
            Fault::Http503 => 503,
            Fault::Http504 => 504,
            Fault::Http529 => 529,
            Fault::HttpStatus => behaviour.fault_code.unwrap_or(500),
            Fault::EarlyResponse => behaviour.fault_code.unwrap_or(413),
            Fault::Quota => {
                return Some(Self::new(
                    429,
                    "insufficient_quota",
                    "You exceeded your current quota, please check your plan and billing details.",
                ));
            }
            Fault::ContextLength => {
                return Some(Self::new(
                    400,
                    "context_length_exceeded",
                    "prompt is too long: this model's maximum context length is 8192 tokens, \
                     however you requested 9000 tokens.",
                ));
            }
            Fault::ContentFilter => {
                return Some(Self::new(
                    400,
                    "content_policy_violation",
                    "The request was rejected by the safety system.",
                ));
            }
            _ => return None,
        };
        Some(Self::of_status(status))
    }

    /// `OpenAI`'s type.
    fn kind(&self) -> &'static str {
        match (self.code, self.status) {
            ("insufficient_quota", _) => "insufficient_quota",
            (_, 429) => "requests",
            (_, 400..=499) => "invalid_request_error",
            _ => "server_error",
        }
    }

    /// Anthropic's type.
    fn anthropic_kind(&self) -> &'static str {
        match self.status {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            408 | 504 => "timeout_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            503 | 529 => "overloaded_error",
            400..=499 => "invalid_request_error",
            _ => "api_error",
        }
    }

    /// Google's status word.
    fn google_status(&self) -> &'static str {
        match self.status {
            400 => "INVALID_ARGUMENT",
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            429 => "RESOURCE_EXHAUSTED",
            503 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            _ => "INTERNAL",
        }
    }

    /// Amazon's name for it.
    fn aws_type(&self) -> &'static str {
        match self.status {
            400 => "ValidationException",
            401 => "UnrecognizedClientException",
            403 => "AccessDeniedException",
            404 => "ResourceNotFoundException",
            429 => "ThrottlingException",
            503 => "ServiceUnavailableException",
            _ => "InternalServerException",
        }
    }

    /// Its JSON in an endpoint's manner.
    pub(super) fn json(&self, manner: &Manner, tail: &str) -> Value {
        let body = self.in_shape(manner.shape, tail);
        match body {
            // Google's own endpoints say the object alone, except within a stream's array.
            Value::Array(mut list) if manner.alone && list.len() == 1 => list.remove(0),
            body => body,
        }
    }

    fn in_shape(&self, shape: ErrorShape, tail: &str) -> Value {
        let Self {
            status,
            code,
            message,
            worded,
        } = self;
        if let Some((body, _)) = worded {
            return body.clone();
        }
        match shape {
            ErrorShape::OpenAi => json!({"error": {
                "message": message, "type": self.kind(), "param": null, "code": code,
            }}),
            ErrorShape::Anthropic => json!({
                "type": "error",
                "error": {"type": self.anthropic_kind(), "message": message},
                "request_id": format!("req_sim-{tail}"),
            }),
            ErrorShape::OpenRouter => json!({"error": {
                "code": status, "message": message, "metadata": {"provider_name": "Simulator"},
            }}),
            ErrorShape::GoogleArray => json!([{"error": {
                "code": status, "message": message, "status": self.google_status(),
            }}]),
            ErrorShape::Flat => json!({
                "message": message, "type": self.kind(), "param": null, "code": code,
            }),
            ErrorShape::FlatObject => json!({
                "object": "error", "message": message, "type": self.kind(), "param": null,
                "code": code,
            }),
            ErrorShape::Text => json!({"error": message}),
            ErrorShape::XAi => json!({"code": code, "error": message}),
            ErrorShape::Aws => json!({"message": message}),
        }
    }

    /// Headers that tell of it besides the usual ones.
    pub(super) fn headers(&self, shape: ErrorShape, headers: &mut Vec<(String, String)>) {
        if shape == ErrorShape::Aws {
            let own = self.worded.as_ref().map(|(_, name)| *name);
            let kind = own
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| self.aws_type());
            let value = format!("{kind}:http://internal.amazon.com/coral/");
            headers.push(("x-amzn-errortype".into(), value));
        }
        if shape == ErrorShape::OpenAi && matches!(self.status, 429 | 500..) {
            let retry = self.code != "insufficient_quota";
            headers.push(("x-should-retry".into(), retry.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_is_worded() {
        let problem = Problem::of_status(429);
        for (shape, pointer, wanted) in [
            (
                ErrorShape::OpenAi,
                "/error/code",
                json!("rate_limit_exceeded"),
            ),
            (
                ErrorShape::Anthropic,
                "/error/type",
                json!("rate_limit_error"),
            ),
            (ErrorShape::OpenRouter, "/error/code", json!(429)),
            (
                ErrorShape::GoogleArray,
                "/0/error/status",
                json!("RESOURCE_EXHAUSTED"),
            ),
            (ErrorShape::Flat, "/type", json!("requests")),
            (ErrorShape::FlatObject, "/object", json!("error")),
            (ErrorShape::XAi, "/code", json!("rate_limit_exceeded")),
        ] {
            assert_eq!(
                problem.in_shape(shape, "1-1").pointer(pointer),
                Some(&wanted),
                "{shape:?}"
            );
        }
        assert!(problem.in_shape(ErrorShape::Text, "1-1")["error"].is_string());
        assert!(problem.in_shape(ErrorShape::Aws, "1-1")["message"].is_string());
    }
}
