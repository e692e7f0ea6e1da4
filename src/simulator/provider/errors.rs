//! Words every failure as each provider would: status, headers, body, event.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::config::settings::ErrorShape;
use crate::record::{Language, Nanos, WallTime};

use super::answer::Answer;
use super::behaviour::Behaviour;
use super::fault::Fault;
use super::head::http_date;
use super::quirks::{Quirks, RateHeaders};

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

    /// A credential that the provider `owner` does not know. Not everybody says 401.
    pub(super) fn of_wrong_key(owner: &str) -> Self {
        let problem = Self::of_status(401);
        match owner {
            "azure" | "azure-deployment" => problem.worded(
                401,
                json!({"error": {"code": "401", "message": "Access denied due to invalid \
                    subscription key or wrong API endpoint."}}),
                "",
            ),
            "gemini" | "gemini-openai" => problem.worded(
                400,
                json!([{"error": {
                    "code": 400,
                    "message": "API key not valid. Please pass a valid API key.",
                    "status": "INVALID_ARGUMENT",
                    "details": [{
                        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "API_KEY_INVALID",
                        "domain": "googleapis.com",
                    }],
                }}]),
                "",
            ),
            "bedrock" | "bedrock-openai" | "bedrock-mantle" => problem.worded(
                403,
                json!({"message": "The security token included in the request is invalid."}),
                "UnrecognizedClientException",
            ),
            "mistral" => problem.worded(401, json!({"detail": "Unauthorized"}), ""),
            "xai" => problem.worded(
                400,
                json!({
                    "code": "Client specified an invalid argument",
                    "error": "Incorrect API key provided: xa***. You can obtain an API key from \
                              https://console.x.ai.",
                }),
                "",
            ),
            "openrouter" => problem.worded(
                401,
                json!({"error": {"code": 401, "message": "User not found."}}),
                "",
            ),
            "vllm" | "sglang" => problem.worded(401, json!({"error": "Unauthorized"}), ""),
            "llamacpp" => problem.worded(
                401,
                json!({"error": {
                    "code": 401, "message": "Invalid API Key", "type": "authentication_error",
                }}),
                "",
            ),
            _ => problem,
        }
    }

    /// A model that the provider `owner` does not have. Not everybody says 404.
    pub(super) fn of_missing_model(owner: &str, model: &str) -> Self {
        let message = format!("The model `{model}` does not exist or you do not have access.");
        let problem = Self::new(404, "model_not_found", message);
        match owner {
            "azure" | "azure-deployment" => problem.worded(
                404,
                json!({"error": {"code": "DeploymentNotFound", "message": "The API deployment for \
                    this resource does not exist."}}),
                "",
            ),
            "bedrock" | "bedrock-openai" | "bedrock-mantle" => problem.worded(
                400,
                json!({"message": "The provided model identifier is invalid."}),
                "ValidationException",
            ),
            "openrouter" => problem.worded(
                400,
                json!({"error": {
                    "code": 400, "message": format!("{model} is not a valid model ID"),
                }}),
                "",
            ),
            "huggingface" => problem.worded(
                400,
                json!({"error": {
                    "message": format!("The requested model '{model}' is not supported by any \
                        provider you have enabled."),
                    "type": "invalid_request_error", "param": "model",
                    "code": "model_not_supported",
                }}),
                "",
            ),
            "vllm" => problem.worded(
                404,
                json!({"error": {
                    "message": format!("The model `{model}` does not exist."),
                    "type": "NotFoundError", "param": "model", "code": 404,
                }}),
                "",
            ),
            "ollama" => problem.worded(
                404,
                json!({"error": {
                    "message": format!("model '{model}' not found"),
                    "type": "not_found_error", "param": null, "code": null,
                }}),
                "",
            ),
            _ => problem,
        }
    }

    /// The same, as the provider `owner` says that it is too much now.
    pub(super) fn of_owner(self, owner: &str) -> Self {
        if self.status != 429 || self.code != "rate_limit_exceeded" {
            return self;
        }
        let body = match owner {
            "azure" => json!({"error": {"code": "429", "message": "Requests have exceeded the \
                token rate limit of your current pricing tier."}}),
            "xai" => json!({
                "code": "Some resource has been exhausted",
                "error": "Too many requests for team. Please try again later.",
            }),
            "cerebras" => json!({
                "message": "Tokens per minute limit exceeded - too many tokens processed.",
                "type": "too_many_tokens_error", "param": "quota", "code": "token_quota_exceeded",
            }),
            "together" => json!({"id": "sim", "error": {
                "message": "You have reached the rate limit specific to this model.",
                "type": "model_rate_limit", "param": null, "code": null,
            }}),
            "tgi" => json!({"error": "Model is overloaded", "error_type": "overloaded"}),
            _ => return self,
        };
        self.worded(429, body, "")
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

    /// Its JSON in a provider's shape.
    pub(super) fn json(&self, shape: ErrorShape, tail: &str) -> Value {
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

/// The shape of errors at an endpoint: Anthropic's where its language is spoken by default.
pub(super) fn shape_at(language: Language, quirks: &Quirks) -> ErrorShape {
    let anthropic = matches!(
        language,
        Language::AnthropicMessages | Language::AnthropicCountTokens
    );
    match (anthropic, quirks.error_shape) {
        (true, ErrorShape::OpenAi) => ErrorShape::Anthropic,
        (false, ErrorShape::Anthropic) if language != Language::Models => ErrorShape::OpenAi,
        (_, shape) => shape,
    }
}

/// Appends an error event in the shape of the answer's endpoint.
pub(super) fn error_event(answer: &Answer, out: &mut Vec<u8>) {
    let shape = shape_at(answer.language, &answer.quirks);
    let problem = if shape == ErrorShape::Anthropic {
        Problem::of_status(529)
    } else {
        Problem::of_status(500)
    };
    let body = problem.json(shape, &answer.tail);
    // Writing to a vector cannot fail.
    let _ = match shape {
        ErrorShape::Anthropic => write!(out, "event: error\ndata: {body}\n\n"),
        ErrorShape::OpenRouter => {
            let chunk = json!({
                "id": format!("chatcmpl-sim-{}", answer.tail),
                "object": "chat.completion.chunk",
                "created": answer.created,
                "model": answer.model,
                "provider": "Simulator",
                "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
                "error": {
                    "code": 502,
                    "message": "Provider disconnected unexpectedly",
                    "metadata": {"error_type": "provider_unavailable"},
                },
            });
            write!(out, "data: {chunk}\n\n")
        }
        ErrorShape::GoogleArray => write!(out, "data: {}\n\n", body[0]),
        ErrorShape::Flat => {
            write!(
                out,
                "data: {}\n\n",
                json!({"error": body, "status_code": 500})
            )
        }
        _ => write!(out, "data: {body}\n\n"),
    };
}

/// Appends an error event of the responses API.
pub(super) fn responses_error_event(answer: &Answer, sequence: u32, out: &mut Vec<u8>) {
    let problem = Problem::of_status(500);
    let body = json!({
        "type": "error",
        "code": problem.code,
        "message": problem.message,
        "param": null,
        "sequence_number": sequence,
    });
    let _ = (write!(out, "event: error\ndata: {body}\n\n"), &answer.tail);
}

/// Appends `Retry-After` in the manner of the fault.
pub(super) fn retry_headers(
    fault: Fault,
    wait: Nanos,
    now: WallTime,
    headers: &mut Vec<(String, String)>,
) {
    let seconds = wait.0.div_ceil(1_000_000_000);
    match fault {
        Fault::RateLimit => headers.push(("retry-after".into(), seconds.to_string())),
        Fault::RateLimitDate => {
            let date = http_date(now.plus_secs(seconds as i64));
            headers.push(("retry-after".into(), date));
        }
        Fault::RateLimitMillis => {
            let millis = wait.0.div_ceil(1_000_000);
            headers.push(("retry-after-ms".into(), millis.to_string()));
            headers.push(("retry-after".into(), seconds.to_string()));
        }
        _ => {}
    }
}

/// Appends a persona's rate-limit headers, on success and on failure.
pub(super) fn rate_headers(
    style: RateHeaders,
    limited: bool,
    wait: Nanos,
    now: WallTime,
    headers: &mut Vec<(String, String)>,
) {
    let left = if limited { "0" } else { "4999" };
    let tokens = if limited { "120" } else { "799000" };
    let seconds = wait.as_secs();
    let mut put = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    match style {
        RateHeaders::None => {}
        RateHeaders::Durations | RateHeaders::Seconds => {
            let unit = if style == RateHeaders::Durations {
                "s"
            } else {
                ""
            };
            let reset = format!("{seconds}{unit}");
            put("x-ratelimit-limit-requests", "5000");
            put("x-ratelimit-limit-tokens", "800000");
            put("x-ratelimit-remaining-requests", left);
            put("x-ratelimit-remaining-tokens", tokens);
            put("x-ratelimit-reset-requests", &reset);
            put("x-ratelimit-reset-tokens", &reset);
        }
        RateHeaders::Anthropic => {
            let reset = now.plus_secs(seconds.ceil() as i64).rfc3339();
            for (what, limit, remaining) in
                [("requests", "4000", left), ("tokens", "400000", tokens)]
            {
                put(&format!("anthropic-ratelimit-{what}-limit"), limit);
                put(&format!("anthropic-ratelimit-{what}-remaining"), remaining);
                put(&format!("anthropic-ratelimit-{what}-reset"), &reset);
            }
        }
        RateHeaders::BySize => {
            put("ratelimitbysize-limit", "500000");
            put("ratelimitbysize-remaining", tokens);
            put("ratelimitbysize-reset", &format!("{}", seconds.ceil()));
            put("ratelimitbysize-query-cost", "1200");
        }
        RateHeaders::EpochMillis => {
            put("x-ratelimit-limit", "5000");
            put("x-ratelimit-remaining", left);
            let reset = now.plus_secs(seconds.ceil() as i64).0 / 1000;
            put("x-ratelimit-reset", &reset.to_string());
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
                problem.json(shape, "1-1").pointer(pointer),
                Some(&wanted),
                "{shape:?}"
            );
        }
        assert!(problem.json(ErrorShape::Text, "1-1")["error"].is_string());
        assert!(problem.json(ErrorShape::Aws, "1-1")["message"].is_string());
    }

    #[test]
    fn waits_are_told_in_each_manner() {
        let now = WallTime(1_795_307_749_000_000);
        let told = |fault| {
            let mut headers = Vec::new();
            retry_headers(fault, Nanos::from_millis(1500), now, &mut headers);
            headers
                .into_iter()
                .map(|(_, value)| value)
                .collect::<Vec<_>>()
        };
        assert_eq!(told(Fault::RateLimit), ["2"]);
        assert_eq!(told(Fault::RateLimitMillis), ["1500", "2"]);
        assert_eq!(
            told(Fault::RateLimitDate),
            ["Sun, 22 Nov 2026 00:35:51 GMT"]
        );
        assert!(told(Fault::RateLimitBare).is_empty());
    }
}
