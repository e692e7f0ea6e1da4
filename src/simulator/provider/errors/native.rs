//! Words failures as Google's and Amazon's own endpoints do.

use serde_json::{Value, json};

use crate::record::Nanos;

use super::super::manner::Manner;
use super::Problem;

impl Problem {
    /// The same in the words of the endpoint's owner. `wait` is how long a client should wait,
    /// where it is to be told.
    pub(in super::super) fn in_words_of(self, manner: &Manner, wait: Option<Nanos>) -> Self {
        if self.worded.is_some() {
            return self;
        }
        match (manner.native, manner.owner.as_str()) {
            (true, "gemini") => self.of_gemini(wait),
            (true, "vertex") => self.of_vertex(),
            (true, "bedrock") => self.of_bedrock(),
            (_, "azure") if self.code == "content_policy_violation" => {
                self.worded(400, azure_filter(), "")
            }
            (_, owner) => self.of_owner(owner),
        }
    }

    fn of_gemini(self, wait: Option<Nanos>) -> Self {
        let (status, word, message, details) = match (self.code, self.status) {
            ("invalid_api_key", _) => (
                400,
                "INVALID_ARGUMENT",
                "API key not valid. Please pass a valid API key.".to_owned(),
                json!([{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "API_KEY_INVALID",
                    "domain": "googleapis.com",
                }]),
            ),
            ("insufficient_quota", _) => (
                429,
                "RESOURCE_EXHAUSTED",
                "You exceeded your current quota, please check your plan and billing details."
                    .to_owned(),
                json!([quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")]),
            ),
            ("rate_limit_exceeded", _) => {
                let minute = quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier");
                let (hint, details) = match wait {
                    None => (String::new(), json!([minute])),
                    Some(wait) => {
                        let seconds = wait.as_secs();
                        let retry = json!({
                            "@type": "type.googleapis.com/google.rpc.RetryInfo",
                            "retryDelay": format!("{seconds}s"),
                        });
                        (
                            format!(" Please retry in {seconds}s."),
                            json!([minute, retry]),
                        )
                    }
                };
                (
                    429,
                    "RESOURCE_EXHAUSTED",
                    format!("You exceeded your current quota.{hint}"),
                    details,
                )
            }
            _ => return self.of_google(),
        };
        let body = json!([{"error": {
            "code": status, "message": message, "status": word, "details": details,
        }}]);
        self.worded(status, body, "")
    }

    fn of_vertex(self) -> Self {
        let (status, word, message) = match (self.code, self.status) {
            ("invalid_api_key", _) => (
                401,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, \
                 login cookie or other valid authentication credential.",
            ),
            (_, 429) => (
                429,
                "RESOURCE_EXHAUSTED",
                "Resource exhausted. Please try again later.",
            ),
            _ => return self.of_google(),
        };
        let body = json!([{"error": {"code": status, "message": message, "status": word}}]);
        self.worded(status, body, "")
    }

    /// What both of Google's say alike.
    fn of_google(self) -> Self {
        let (status, word, message) = match (self.code, self.status) {
            ("context_length_exceeded", _) => (
                400,
                "INVALID_ARGUMENT",
                "The input token count (9000) exceeds the maximum number of tokens allowed (8192).",
            ),
            (_, 503 | 529) => (
                503,
                "UNAVAILABLE",
                "The model is overloaded. Please try again later.",
            ),
            (_, 504 | 408) => (
                504,
                "DEADLINE_EXCEEDED",
                "The request timed out. Please try again.",
            ),
            (_, 500) => (500, "INTERNAL", "An internal error has occurred."),
            _ => return self,
        };
        let body = json!([{"error": {"code": status, "message": message, "status": word}}]);
        self.worded(status, body, "")
    }

    fn of_bedrock(self) -> Self {
        let (status, name, message) = match (self.code, self.status) {
            ("invalid_api_key", _) => (
                403,
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
            ("insufficient_quota", _) => (
                400,
                "ServiceQuotaExceededException",
                "Your request exceeds the service quota for your account.",
            ),
            ("context_length_exceeded", _) => (
                400,
                "ValidationException",
                "Input is too long for requested model.",
            ),
            ("content_policy_violation", _) => (
                400,
                "ValidationException",
                "Output blocked by content filtering policy",
            ),
            (_, 403) if self.code == "permission_denied" => (
                403,
                "AccessDeniedException",
                "You don't have access to the model with the specified model ID.",
            ),
            (_, 408 | 504) => (408, "ModelTimeoutException", "Model has timed out"),
            (_, 424) => (
                424,
                "ModelErrorException",
                "The system encountered an unexpected error during processing.",
            ),
            (_, 429) => (
                429,
                "ThrottlingException",
                "Too many requests, please wait before trying again.",
            ),
            (_, 503 | 529) => (503, "ServiceUnavailableException", "Service unavailable"),
            (_, 500) => (
                500,
                "InternalServerException",
                "The system encountered an error",
            ),
            _ => return self,
        };
        self.worded(status, json!({"message": message}), name)
    }

    /// What Azure says where a deployment is asked without a version of the interface.
    pub(in super::super) fn of_missing_version() -> Self {
        let body = json!({"error": {"code": "404", "message": "Resource not found"}});
        Self::new(404, "unknown_url", "Resource not found").worded(404, body, "")
    }

    /// What Bedrock refuses by a name of its own.
    pub(in super::super) fn of_aws(status: u16, name: &'static str, message: &str) -> Self {
        let problem = Self::new(status, "aws", message);
        problem.worded(status, json!({"message": message}), name)
    }
}

fn quota(id: &str) -> Value {
    json!({
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
            "quotaId": id,
        }],
    })
}

fn azure_filter() -> Value {
    json!({"error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content \
                    management policy. Please modify your prompt and retry.",
        "type": null, "param": "prompt", "code": "content_filter", "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {
                "hate": {"filtered": false, "severity": "safe"},
                "jailbreak": {"filtered": true, "detected": true},
            },
        },
    }})
}
