//! Holds the classes of errors against what each provider's documentation says that it sends.

use http::HeaderMap;

use super::{Verdict, classify, failover, failover_of_status, in_band};
use crate::record::Dialect::{Anthropic, Azure, Bedrock, Gemini, OpenAi};
use crate::record::ErrorClass::{
    Auth, BadRequest, ContentFilter, ContextLength, NotFound, Overloaded, PayloadTooLarge,
    Permission, Quota, RateLimited, ServerError, Timeout, Unprocessable,
};
use crate::record::{Dialect, ErrorClass};
use Verdict::{Alert, Larger, No, Policy, Yes};

/// (dialect, preset, status, the error's header at Amazon, body, class, what may follow).
type Row = (
    Dialect,
    &'static str,
    u16,
    &'static str,
    &'static str,
    ErrorClass,
    Verdict,
);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // OpenAI and whoever copies it.
    (OpenAi, "openai", 400, "", r#"{"error":{"message":"Unsupported parameter","type":"invalid_request_error","param":"x","code":"unsupported_parameter"}}"#, BadRequest, No),
    (OpenAi, "openai", 400, "", r#"{"error":{"message":"This model's maximum context length is 128000 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}}"#, ContextLength, Larger),
    (OpenAi, "openai", 401, "", r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#, Auth, Alert),
    (OpenAi, "openai", 403, "", r#"{"error":{"message":"Country, region, or territory not supported","code":"unsupported_country_region_territory"}}"#, Permission, Alert),
    (OpenAi, "openai", 404, "", r#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#, NotFound, Alert),
    (OpenAi, "openai", 409, "", r#"{"error":{"message":"Another process is using the resource"}}"#, BadRequest, No),
    (OpenAi, "openai", 429, "", r#"{"error":{"message":"Rate limit reached","type":"tokens","code":"rate_limit_exceeded"}}"#, RateLimited, Yes),
    (OpenAi, "openai", 429, "", r#"{"error":{"message":"You exceeded your current quota, please check your plan","type":"insufficient_quota","code":"insufficient_quota"}}"#, Quota, Alert),
    (OpenAi, "openai", 500, "", r#"{"error":{"message":"The server had an error","type":"server_error"}}"#, ServerError, Yes),
    (OpenAi, "openai", 503, "", r#"{"error":{"message":"Slow Down","code":"slow_down"}}"#, Overloaded, Yes),
    (OpenAi, "", 408, "", "", Timeout, Yes),
    (OpenAi, "", 502, "", "<html><body>502 Bad Gateway</body></html>", ServerError, Yes),
    (OpenAi, "", 520, "", "<!DOCTYPE html>", ServerError, Yes),
    (OpenAi, "", 524, "", "<!DOCTYPE html>", Timeout, Yes),
    // What is not there is the request's own, or a path: it says nothing of the model.
    (OpenAi, "openai", 404, "", r#"{"error":{"message":"Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.","type":"invalid_request_error","param":"input","code":null}}"#, BadRequest, Yes),
    (Anthropic, "anthropic", 404, "", r#"{"type":"error","error":{"type":"not_found_error","message":"File not found: file_1"}}"#, BadRequest, Yes),
    (Anthropic, "anthropic", 404, "", r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}}"#, NotFound, Alert),
    (OpenAi, "", 404, "", r#"{"detail":"Not Found"}"#, BadRequest, Yes),
    (OpenAi, "", 404, "", "404 page not found", BadRequest, Yes),
    (OpenAi, "llamacpp", 404, "", r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#, BadRequest, Yes),
    (OpenAi, "openrouter", 404, "", r#"{"error":{"code":404,"message":"No endpoints found for a/b."}}"#, NotFound, Alert),
    (OpenAi, "openrouter", 404, "", r#"{"error":{"message":"No endpoints found that support image input","code":404}}"#, BadRequest, Yes),
    (OpenAi, "openrouter", 404, "", r#"{"error":{"message":"No endpoints found that support tool use. To learn more","code":404}}"#, BadRequest, Yes),
    (OpenAi, "openai", 404, "", r#"{"error":{"message":"This model is only supported in v1/responses and not in v1/chat/completions.","type":"invalid_request_error","param":"model","code":null}}"#, BadRequest, Yes),
    (OpenAi, "openai", 404, "", r#"{"error":{"message":"This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use v1/completions?","code":null}}"#, BadRequest, Yes),
    // Azure.
    (Azure, "azure", 400, "", r#"{"error":{"code":"content_filter","message":"The response was filtered","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#, ContentFilter, Policy),
    (Azure, "azure", 429, "", r#"{"error":{"code":"429","message":"Requests have exceeded call rate limit. Please retry after 12 seconds."}}"#, RateLimited, Yes),
    (Azure, "azure", 404, "", r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment does not exist"}}"#, NotFound, Alert),
    // Anthropic.
    (Anthropic, "anthropic", 400, "", r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#, ContextLength, Larger),
    (Anthropic, "anthropic", 400, "", r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage spend limit."}}"#, Quota, Alert),
    (Anthropic, "anthropic", 402, "", r#"{"type":"error","error":{"type":"billing_error","message":"m"}}"#, Quota, Alert),
    (Anthropic, "anthropic", 403, "", r#"{"type":"error","error":{"type":"permission_error","message":"m","details":{"error_code":"enforced_spend_limit_reached"}}}"#, Quota, Alert),
    (Anthropic, "anthropic", 413, "", r#"{"type":"error","error":{"type":"request_too_large","message":"m"}}"#, PayloadTooLarge, No),
    (Anthropic, "anthropic", 504, "", r#"{"type":"error","error":{"type":"timeout_error","message":"m"}}"#, Timeout, Yes),
    (Anthropic, "anthropic", 529, "", r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, Overloaded, Yes),
    // Gemini and Vertex AI.
    (Gemini, "gemini", 400, "", r#"{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}"#, Auth, Alert),
    (Gemini, "gemini", 400, "", r#"{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}"#, Permission, Alert),
    (Gemini, "gemini", 400, "", r#"{"error":{"code":400,"message":"The input token count exceeds the maximum number of tokens allowed","status":"INVALID_ARGUMENT"}}"#, ContextLength, Larger),
    (Gemini, "gemini", 429, "", r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateContentInputTokensPerModelPerMinute-FreeTier"}]}]}}"#, RateLimited, Yes),
    (Gemini, "gemini", 429, "", r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel"}]}]}}"#, Quota, Alert),
    (OpenAi, "gemini-openai", 429, "", r#"[{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED"}}]"#, RateLimited, Yes),
    (Gemini, "vertex", 401, "", r#"{"error":{"code":401,"message":"m","status":"UNAUTHENTICATED"}}"#, Auth, Alert),
    (Gemini, "vertex", 403, "", r#"{"error":{"code":403,"message":"m","status":"PERMISSION_DENIED"}}"#, Permission, Alert),
    (Gemini, "vertex", 404, "", r#"{"error":{"code":404,"message":"Publisher Model was not found","status":"NOT_FOUND"}}"#, NotFound, Alert),
    (Gemini, "gemini", 503, "", r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#, Overloaded, Yes),
    (Gemini, "gemini", 504, "", r#"{"error":{"code":504,"message":"m","status":"DEADLINE_EXCEEDED"}}"#, Timeout, Yes),
    // Bedrock.
    (Bedrock, "bedrock", 400, "ValidationException:http://x/", r#"{"message":"Malformed input request"}"#, BadRequest, No),
    (Bedrock, "bedrock", 400, "ValidationException", r#"{"message":"Input is too long for requested model."}"#, ContextLength, Larger),
    (Bedrock, "bedrock", 400, "ServiceQuotaExceededException", r#"{"message":"m"}"#, Quota, Alert),
    (Bedrock, "bedrock", 403, "AccessDeniedException", r#"{"Message":"m"}"#, Permission, Alert),
    (Bedrock, "bedrock", 403, "AccessDeniedException", r#"{"Message":"Authentication failed: Please make sure your API Key is valid."}"#, Auth, Alert),
    (Bedrock, "bedrock", 403, "AccessDeniedException", r#"{"Message":"Invalid API Key format: Must start with pre-defined prefix"}"#, Auth, Alert),
    (Bedrock, "bedrock", 403, "UnrecognizedClientException", r#"{"message":"The security token included in the request is invalid."}"#, Auth, Alert),
    (Bedrock, "bedrock", 403, "InvalidSignatureException", r#"{"message":"m"}"#, Auth, Alert),
    (Bedrock, "bedrock", 403, "ExpiredTokenException", r#"{"message":"m"}"#, Auth, Alert),
    (Bedrock, "bedrock", 404, "ResourceNotFoundException", r#"{"message":"m"}"#, NotFound, Alert),
    (Bedrock, "bedrock", 408, "ModelTimeoutException", r#"{"message":"m"}"#, Timeout, Yes),
    (Bedrock, "bedrock", 424, "ModelErrorException", r#"{"message":"m","originalStatusCode":500}"#, ServerError, Yes),
    (Bedrock, "bedrock", 429, "ThrottlingException", r#"{"message":"m"}"#, RateLimited, Yes),
    (Bedrock, "bedrock", 429, "ModelNotReadyException", r#"{"message":"m"}"#, Overloaded, Yes),
    (Bedrock, "bedrock", 400, "", r#"{"__type":"com.amazon#ServiceQuotaExceededException","message":"m"}"#, Quota, Alert),
    // Routers.
    (OpenAi, "openrouter", 402, "", r#"{"error":{"code":402,"message":"Insufficient credits"}}"#, Quota, Alert),
    (OpenAi, "openrouter", 403, "", r#"{"error":{"code":403,"message":"m","metadata":{"reasons":["violence"],"flagged_input":"x"}}}"#, ContentFilter, No),
    (OpenAi, "openrouter", 400, "", r#"{"error":{"code":400,"message":"m","metadata":{"error_type":"context_length_exceeded"}}}"#, ContextLength, Larger),
    (OpenAi, "openrouter", 502, "", r#"{"error":{"code":502,"message":"m","metadata":{"error_type":"provider_overloaded"}}}"#, Overloaded, Yes),
    (OpenAi, "huggingface", 402, "", r#"{"error":"You have exceeded your monthly included credits"}"#, Quota, Alert),
    (OpenAi, "huggingface", 400, "", r#"{"error":{"message":"The requested model is not supported by any provider","code":"model_not_supported"}}"#, NotFound, Alert),
    // The rest of the field.
    (OpenAi, "groq", 413, "", r#"{"error":{"message":"Request too large for model on tokens per minute (TPM)","type":"tokens","code":"rate_limit_exceeded"}}"#, PayloadTooLarge, Larger),
    (OpenAi, "groq", 498, "", r#"{"error":{"message":"m","type":"capacity_exceeded"}}"#, Overloaded, Yes),
    (OpenAi, "groq", 400, "", r#"{"error":{"message":"m","code":"tool_use_failed","failed_generation":"x"}}"#, ServerError, Yes),
    (OpenAi, "cerebras", 429, "", r#"{"message":"We're experiencing high traffic","type":"too_many_requests_error","param":"queue","code":"queue_exceeded"}"#, Overloaded, Yes),
    (OpenAi, "cerebras", 429, "", r#"{"message":"Tokens per minute limit exceeded","type":"too_many_tokens_error","param":"quota","code":"token_quota_exceeded"}"#, RateLimited, Yes),
    (OpenAi, "mistral", 401, "", r#"{"detail":"Unauthorized"}"#, Auth, Alert),
    (OpenAi, "mistral", 422, "", r#"{"object":"error","message":{"detail":[{"loc":["body","model"],"msg":"m"}]},"type":"invalid_request_error","code":null}"#, Unprocessable, No),
    (OpenAi, "mistral", 429, "", r#"{"object":"error","message":"Requests rate limit exceeded","type":"rate_limited","code":"1300"}"#, RateLimited, Yes),
    (OpenAi, "fireworks", 422, "", r#"{"detail":[{"loc":["body"],"msg":"m","type":"value_error"}]}"#, Unprocessable, No),
    (OpenAi, "deepseek", 402, "", r#"{"error":{"message":"Insufficient Balance","code":"invalid_request_error"}}"#, Quota, Alert),
    (OpenAi, "xai", 400, "", r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***. You can obtain an API key"}"#, Auth, Alert),
    (OpenAi, "tgi", 429, "", r#"{"error":"Model is overloaded","error_type":"overloaded"}"#, Overloaded, Yes),
    (OpenAi, "tgi", 422, "", r#"{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096","error_type":"validation"}"#, ContextLength, Larger),
    (OpenAi, "llamacpp", 503, "", r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#, Overloaded, Yes),
    (OpenAi, "llamacpp", 400, "", r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#, ContextLength, Larger),
    (OpenAi, "vllm", 404, "", r#"{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","code":404}}"#, NotFound, Alert),
    (OpenAi, "sglang", 400, "", r#"{"object":"error","message":"The input (9000 tokens) is longer than the model's context length (8192 tokens).","type":"BadRequestError","code":400}"#, ContextLength, Larger),
    (OpenAi, "xai", 400, "", r#"{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 200000 tokens."}"#, ContextLength, Larger),
    (OpenAi, "vllm", 400, "", r#"{"error":{"message":"The decoder prompt (length 9000) is longer than the maximum model length of 4096. Make sure that max_model_len is no smaller","type":"BadRequestError","code":400}}"#, ContextLength, Larger),
    (OpenAi, "", 429, "", r#"{"error":{"message":"Your account x is suspended, please check your plan and billing details","type":"exceeded_current_quota_error"}}"#, Quota, Alert),
    (OpenAi, "", 429, "", r#"{"error":{"message":"The engine is currently overloaded, please try again later","type":"engine_overloaded_error"}}"#, Overloaded, Yes),
    (OpenAi, "", 429, "", r#"{"error":{"message":"request reached max request: 3, please try again after 1 seconds","type":"rate_limit_reached_error"}}"#, RateLimited, Yes),
    (OpenAi, "ollama", 404, "", r#"{"error":"model \"x\" not found, try pulling it first"}"#, NotFound, Alert),
    (OpenAi, "ollama", 503, "", r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#, Overloaded, Yes),
];

#[test]
fn documented_errors_have_their_classes() {
    for (dialect, provider, status, kind, body, class, verdict) in ROWS {
        let mut headers = HeaderMap::new();
        if !kind.is_empty() {
            headers.insert(super::ERROR_TYPE, kind.parse().unwrap());
        }
        let error = classify(*dialect, provider, *status, &headers, body.as_bytes());
        let place = format!("{provider} {status} {kind} {body}");
        assert_eq!(error.class, *class, "{place}");
        assert_eq!(failover_of_status(&error, *status), *verdict, "{place}");
        // Once a token is the client's, nothing follows.
        assert_eq!(failover(&error, true), No, "{place}");
    }
}

/// Inside a success there is no status but the one that the error names.
#[test]
fn errors_inside_streams_have_their_classes() {
    for (dialect, data, class) in [
        (
            OpenAi,
            r#"{"error":{"message":"m","type":"server_error"}}"#,
            ServerError,
        ),
        (
            OpenAi,
            r#"{"error":{"message":"m","code":"rate_limit_exceeded"}}"#,
            RateLimited,
        ),
        (
            OpenAi,
            r#"{"error":{"message":"m","code":502,"metadata":{"error_type":"provider_unavailable"}},"choices":[]}"#,
            ServerError,
        ),
        (
            OpenAi,
            r#"{"error":{"message":"m"},"status_code":429}"#,
            RateLimited,
        ),
        (
            OpenAi,
            r#"{"x_groq":{"error":"over capacity"}}"#,
            ServerError,
        ),
        (
            OpenAi,
            r#"{"error":"m","error_type":"overloaded"}"#,
            Overloaded,
        ),
        (
            OpenAi,
            r#"{"error":"an error was encountered while running the model"}"#,
            ServerError,
        ),
        (
            Anthropic,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
            Overloaded,
        ),
        (
            Gemini,
            r#"{"error":{"code":500,"message":"m","status":"INTERNAL"}}"#,
            ServerError,
        ),
        (
            Gemini,
            r#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}"#,
            RateLimited,
        ),
        (
            Gemini,
            r#"{"error":{"message":"m","status":"UNAVAILABLE"}}"#,
            Overloaded,
        ),
        (
            Bedrock,
            r#"{"__type":"AccessDeniedException","message":"m"}"#,
            Permission,
        ),
        (
            Bedrock,
            r#"{"__type":"ResourceNotFoundException","message":"m"}"#,
            NotFound,
        ),
    ] {
        assert_eq!(in_band(dialect, data.as_bytes()).class, class, "{data}");
    }
}
