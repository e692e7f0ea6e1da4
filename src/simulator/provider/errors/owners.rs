//! Words keys, models and limits as providers do that do not follow the shape of their errors.

use serde_json::{Value, json};

use super::Problem;

impl Problem {
    /// A credential that the provider `owner` does not know. Not everybody says 401.
    pub(in super::super) fn of_wrong_key(owner: &str) -> Self {
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
            "vertex" => problem.worded(
                401,
                json!([{"error": {
                    "code": 401,
                    "message": "Request had invalid authentication credentials. Expected OAuth 2 \
                        access token, login cookie or other valid authentication credential.",
                    "status": "UNAUTHENTICATED",
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

    /// Fields that the provider does not take, as it tells of each.
    pub(in super::super) fn of_extra_fields(fields: &Value) -> Self {
        let body = json!({
            "object": "error",
            "message": {"detail": fields},
            "type": "invalid_request_error",
            "param": null,
            "code": null,
        });
        Self::of_status(422).worded(422, body, "")
    }

    /// A model that the provider `owner` does not have. Not everybody says 404.
    pub(in super::super) fn of_missing_model(owner: &str, model: &str) -> Self {
        let message = format!("The model `{model}` does not exist or you do not have access.");
        let problem = Self::new(404, "model_not_found", message);
        match owner {
            "azure" | "azure-deployment" => problem.worded(
                404,
                json!({"error": {"code": "DeploymentNotFound", "message": "The API deployment for \
                    this resource does not exist."}}),
                "",
            ),
            "gemini" | "vertex" => problem.worded(
                404,
                json!([{"error": {
                    "code": 404,
                    "message": format!("models/{model} is not found for API version v1beta, or is \
                        not supported for generateContent."),
                    "status": "NOT_FOUND",
                }}]),
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
            "ollama-native" => problem.worded(
                404,
                json!({"error": format!("model '{model}' not found")}),
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
}
