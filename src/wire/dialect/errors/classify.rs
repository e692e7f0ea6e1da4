//! Classifies errors by status, code, type and, last of all, message.

use http::HeaderMap;

use super::body::{Said, said};
use crate::record::{Dialect, ErrorClass, Name, Outcome};

/// What kind of error a provider reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// Its class.
    pub class: ErrorClass,
    /// The provider's short code or type, at most 64 bytes; never its message.
    pub code: Option<Name>,
}

impl Classified {
    /// A class that no code of the provider's says.
    #[must_use]
    pub fn bare(class: ErrorClass) -> Self {
        Self { class, code: None }
    }
}

/// Classifies a failing response. `provider` is the preset's name, or empty.
#[must_use]
pub fn classify(
    dialect: Dialect,
    provider: &str,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> Classified {
    let error_type = headers
        .get(ERROR_TYPE)
        .and_then(|value| value.to_str().ok());
    classify_typed(dialect, provider, status, error_type, body)
}

/// The header in which Amazon names an error; the body has a message only.
pub const ERROR_TYPE: &str = "x-amzn-errortype";

/// The same with what [`ERROR_TYPE`] says.
pub(crate) fn classify_typed(
    dialect: Dialect,
    provider: &str,
    status: u16,
    error_type: Option<&str>,
    body: &[u8],
) -> Classified {
    let mut said = said(body);
    if let Some(name) = error_type.and_then(|value| value.split(':').next()) {
        said.words.insert(0, name.to_ascii_lowercase());
        said.code = Some(name.chars().take(64).collect());
    }
    let class = class(dialect, provider, status, &said);
    let code = said.code.as_deref().map(Name::from);
    Classified { class, code }
}

/// Classifies an error inside a response that began as a success.
pub(crate) fn in_band(dialect: Dialect, data: &[u8]) -> Classified {
    classify_typed(dialect, "", 200, None, data)
}

/// How an exchange ended whose last attempt met this class as the answer's status.
#[must_use]
pub fn outcome(class: ErrorClass) -> Outcome {
    match class {
        ErrorClass::RateLimited | ErrorClass::Quota => Outcome::RateLimited,
        ErrorClass::ConnectTimeout
        | ErrorClass::FirstTokenTimeout
        | ErrorClass::SilenceTimeout
        | ErrorClass::TotalTimeout => Outcome::TimedOut,
        ErrorClass::Overloaded
        | ErrorClass::ServerError
        | ErrorClass::Timeout
        | ErrorClass::ProtocolError
        | ErrorClass::Dns
        | ErrorClass::Connect
        | ErrorClass::Tls
        | ErrorClass::Reset
        | ErrorClass::Redirect => Outcome::UpstreamError,
        ErrorClass::Truncated => Outcome::Truncated,
        ErrorClass::EmptyResponse => Outcome::Empty,
        ErrorClass::Auth
        | ErrorClass::Permission
        | ErrorClass::NotFound
        | ErrorClass::BadRequest
        | ErrorClass::Unprocessable
        | ErrorClass::ContextLength
        | ErrorClass::PayloadTooLarge
        | ErrorClass::ContentFilter => Outcome::ClientError,
    }
}

fn class(dialect: Dialect, provider: &str, status: u16, said: &Said) -> ErrorClass {
    let status = if status < 300 {
        said.status
    } else {
        Some(status)
    };
    let class = by_word(&SPECIFIC, said)
        .or_else(|| googles(dialect, status, said))
        .or_else(|| by_message(status, said))
        .or_else(|| said.moderation.then_some(ErrorClass::ContentFilter))
        .or_else(|| by_provider(provider, status))
        .or_else(|| status.map(by_status))
        .or_else(|| by_word(&GENERAL, said))
        .unwrap_or(ErrorClass::ServerError);
    // What is not there may be the request's own: a file, an item of a conversation, a path.
    let about_model = matches!(status, Some(400)) || speaks_of_model(said);
    match class {
        ErrorClass::NotFound if !about_model => ErrorClass::BadRequest,
        class => class,
    }
}

/// Whether an error says that the model is what is not there.
fn speaks_of_model(said: &Said) -> bool {
    let word = said
        .words
        .iter()
        .any(|word| word.contains("model") || MODEL_WORDS.contains(&word.as_str()));
    let has = |texts: &[&str]| texts.iter().any(|text| said.message.contains(text));
    word || has(&MODEL_TEXTS) && !has(&REQUEST_TEXTS)
}

const MODEL_WORDS: [&str; 2] = ["deploymentnotfound", "resourcenotfoundexception"];
const MODEL_TEXTS: [&str; 6] = [
    "model",
    "deployment",
    "engine",
    "endpoint",
    // OpenRouter has an endpoint for each model at each of its providers; NVIDIA calls them functions.
    "function '",
    "inference profile",
];

/// The model is there, and cannot do what this request asks: another request of it will do. OpenAI of
/// models of the Responses API, OpenRouter of pictures and tools.
const REQUEST_TEXTS: [&str; 4] = [
    "only supported in",
    "not supported in the",
    "did you mean to use",
    "found that support",
];

fn by_word(table: &[(ErrorClass, &[&str])], said: &Said) -> Option<ErrorClass> {
    table
        .iter()
        .find(|(_, words)| said.words.iter().any(|word| words.contains(&word.as_str())))
        .map(|(class, _)| *class)
}

/// Words that outrank the status.
const SPECIFIC: [(ErrorClass, &[&str]); 9] = [
    (
        ErrorClass::ContextLength,
        &[
            "context_length_exceeded",
            "exceed_context_size_error",
            "context_window_exceeded",
            "model_context_window_exceeded",
        ],
    ),
    (
        ErrorClass::Quota,
        &[
            "insufficient_quota",
            "billing_error",
            "billing_not_active",
            "billing_hard_limit_reached",
            "enforced_spend_limit_reached",
            "contract_spend_limit_reached",
            "payment_required",
            "insufficient_balance",
            "servicequotaexceededexception",
            // Moonshot: an account without money.
            "exceeded_current_quota_error",
        ],
    ),
    (
        ErrorClass::ContentFilter,
        &[
            "content_filter",
            "content_policy_violation",
            "responsibleaipolicyviolation",
            "invalid_prompt",
            "bio_policy",
        ],
    ),
    (
        ErrorClass::Auth,
        &[
            "invalid_api_key",
            "authentication_error",
            "api_key_invalid",
            "unrecognizedclientexception",
            "invalidsignatureexception",
            "expiredtokenexception",
        ],
    ),
    (
        ErrorClass::Permission,
        &["unsupported_country_region_territory", "permission_error"],
    ),
    (
        ErrorClass::NotFound,
        &[
            "model_not_found",
            "not_found_error",
            "notfounderror",
            "deploymentnotfound",
            "model_not_supported",
        ],
    ),
    (
        ErrorClass::Overloaded,
        &[
            "overloaded",
            "overloaded_error",
            "queue_exceeded",
            "capacity_exceeded",
            "provider_overloaded",
            "slow_down",
            "modelnotreadyexception",
            "engine_overloaded_error",
        ],
    ),
    (
        ErrorClass::Timeout,
        &[
            "timeout_error",
            "deadline_exceeded",
            "modeltimeoutexception",
        ],
    ),
    // The model called a tool wrongly: Groq reports it as the client's fault.
    (ErrorClass::ServerError, &["tool_use_failed"]),
];

/// Words that stand where no status does: in errors inside a stream.
const GENERAL: [(ErrorClass, &[&str]); 7] = [
    (
        ErrorClass::RateLimited,
        &[
            "rate_limit_exceeded",
            "rate_limit_error",
            "rate_limited",
            "rate_limit_reached_error",
            "too_many_requests",
            "too_many_requests_error",
            "resource_exhausted",
            "throttlingexception",
        ],
    ),
    (
        ErrorClass::Overloaded,
        &[
            "service_unavailable",
            "unavailable",
            "unavailable_error",
            "serviceunavailableexception",
        ],
    ),
    (ErrorClass::Timeout, &["timeout"]),
    (ErrorClass::Permission, &["accessdeniedexception"]),
    (ErrorClass::NotFound, &["resourcenotfoundexception"]),
    (ErrorClass::PayloadTooLarge, &["request_too_large"]),
    (
        ErrorClass::BadRequest,
        &[
            "invalid_request_error",
            "badrequesterror",
            "invalid_argument",
            "validationexception",
        ],
    ),
];

/// The last resort: texts that providers are known to send. Only where a message decides: on
/// client errors, and inside streams.
fn by_message(status: Option<u16>, said: &Said) -> Option<ErrorClass> {
    if !matches!(status, None | Some(400 | 403 | 413 | 422 | 429)) {
        return None;
    }
    MESSAGES
        .iter()
        .find(|(_, texts)| texts.iter().any(|text| said.message.contains(text)))
        .map(|(class, _)| *class)
}

const MESSAGES: [(ErrorClass, &[&str]); 5] = [
    (
        ErrorClass::ContextLength,
        &[
            "maximum context length",
            "context window",
            "prompt is too long",
            "input is too long",
            "exceeds the maximum number of tokens allowed",
            "exceeds the available context size",
            "while limit is",
            // SGLang; xAI; vLLM.
            "the model's context length",
            "maximum prompt length is",
            "maximum model length",
            "`inputs` tokens + `max_new_tokens`",
        ],
    ),
    (
        ErrorClass::Quota,
        &[
            "spend limit",
            "exceeded your current quota",
            "credit balance is too low",
        ],
    ),
    (
        ErrorClass::Auth,
        &[
            "incorrect api key",
            "api key not valid",
            "invalid api key",
            // Bedrock says AccessDeniedException to keys that it does not know, too.
            "make sure your api key is valid",
        ],
    ),
    (ErrorClass::Permission, &["user location is not supported"]),
    (
        ErrorClass::NotFound,
        &[
            "is not a valid model",
            "provided model identifier is invalid",
            // Bedrock: the model answers by an inference profile only.
            "with on-demand throughput isn",
        ],
    ),
];

/// Google's rate limits, whose message speaks of a quota whichever it is: the quota's name says
/// whether it heals in a minute or tomorrow. Its OpenAI endpoint has the same.
fn googles(dialect: Dialect, status: Option<u16>, said: &Said) -> Option<ErrorClass> {
    let exhausted = said.words.iter().any(|word| word == "resource_exhausted");
    let google = match dialect {
        Dialect::Gemini => true,
        Dialect::OpenAi => exhausted,
        Dialect::Anthropic | Dialect::Bedrock | Dialect::Azure => false,
    };
    let limited = status == Some(429) || (status.is_none() && exhausted);
    (google && limited).then(|| {
        let per_day = said.words.iter().any(|word| word.contains("perday"));
        if per_day {
            ErrorClass::Quota
        } else {
            ErrorClass::RateLimited
        }
    })
}

/// What one provider means by a status that others use for something else.
fn by_provider(provider: &str, status: Option<u16>) -> Option<ErrorClass> {
    // TGI knows no rate limits: its 429 is a full queue.
    (provider == "tgi" && status == Some(429)).then_some(ErrorClass::Overloaded)
}

fn by_status(status: u16) -> ErrorClass {
    match status {
        300..=399 => ErrorClass::Redirect,
        401 => ErrorClass::Auth,
        402 => ErrorClass::Quota,
        403 => ErrorClass::Permission,
        404 | 410 => ErrorClass::NotFound,
        // 524: Cloudflare waited for the provider in vain.
        408 | 504 | 524 => ErrorClass::Timeout,
        413 => ErrorClass::PayloadTooLarge,
        422 => ErrorClass::Unprocessable,
        424 => ErrorClass::ServerError,
        429 => ErrorClass::RateLimited,
        // 498: Groq's flex tier has no capacity; 529: Anthropic, OpenRouter.
        498 | 503 | 529 => ErrorClass::Overloaded,
        400..=499 => ErrorClass::BadRequest,
        _ => ErrorClass::ServerError,
    }
}
