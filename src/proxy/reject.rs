//! Turns what Tollgate refuses, and what it cannot reach, into answers that say what to do.

use http::{HeaderValue, Response, StatusCode, header};

use super::tap::ProxyBody;
use crate::record::{ErrorClass, Language, Name};
use crate::wire::dialect::errors::{ERROR_TYPE, Report};

/// The methods that are passed on, for `Allow`.
pub const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// An answer of Tollgate's own making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable code, also in `x-proxy-error` and in the record.
    pub code: &'static str,
    /// OpenAI's error type.
    pub kind: &'static str,
    /// What happened, where, and what to do next.
    pub message: String,
    /// The field of the request concerned.
    pub param: Option<Name>,
    /// Seconds after which to try again.
    pub retry_after: Option<u32>,
    /// Whether a client that retries by itself should do so.
    pub retry: Option<bool>,
}

impl Reject {
    /// A refusal with this status, code and message.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let kind = match status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            503 => "overloaded_error",
            502 | 504 => "upstream_error",
            500 => "api_error",
            _ => "invalid_request_error",
        };
        let message = message.into();
        Self {
            status,
            code,
            kind,
            message,
            param: None,
            retry_after: None,
            retry: None,
        }
    }

    /// Names the field of the request concerned.
    #[must_use]
    pub fn param(mut self, param: &'static str) -> Self {
        self.param = Some(Name::from(param));
        self
    }

    /// No route has a credential that may be sent there.
    #[must_use]
    pub fn no_credential() -> Self {
        let message = "no route to this model has a credential: set the provider's api_key (or \
                       its variable), say `auth = \"none\"` of a provider that takes no key, or \
                       address it by `/{provider}/v1` with a key of your own";
        Self::new(StatusCode::UNAUTHORIZED, "no_credential", message)
    }

    /// A provider's own credential cannot be got now. What is wrong for good is the client's to see
    /// as a matter of credentials; who cannot be reached is not. Why stands in the log alone: it
    /// names files and accounts of whoever runs the proxy.
    #[must_use]
    pub fn credential(provider: &str, is_passing: bool) -> Self {
        let message = format!(
            "provider {provider}: its credential could not be got; the log of tollgate says why"
        );
        if !is_passing {
            return Self::new(StatusCode::UNAUTHORIZED, "no_credential", message);
        }
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut reject = Self::new(status, "credential_unavailable", message);
        reject.retry_after = Some(1);
        reject
    }

    /// This machine had nothing left to make a connection to a provider of.
    #[must_use]
    pub fn exhausted(provider: &str, detail: &str) -> Self {
        let message = format!(
            "provider {provider}: {detail}; it is tollgate's own machine that lacks descriptors or \
             memory: raise its limit of open files (ulimit -n, LimitNOFILE) or close idle \
             connections"
        );
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut reject = Self::new(status, "proxy_exhausted", message);
        reject.retry_after = Some(1);
        reject
    }

    /// A provider that could not be reached or did not answer.
    #[must_use]
    pub fn upstream(class: ErrorClass, provider: &str, detail: &str, maybe_billed: bool) -> Self {
        let (status, code) = match class {
            ErrorClass::Dns => (StatusCode::BAD_GATEWAY, "upstream_dns_error"),
            ErrorClass::Connect => (StatusCode::BAD_GATEWAY, "upstream_connect_error"),
            ErrorClass::Tls => (StatusCode::BAD_GATEWAY, "upstream_tls_error"),
            ErrorClass::Redirect => (StatusCode::BAD_GATEWAY, "upstream_redirect"),
            ErrorClass::ProtocolError => (StatusCode::BAD_GATEWAY, "upstream_protocol_error"),
            ErrorClass::ConnectTimeout => (StatusCode::GATEWAY_TIMEOUT, "upstream_connect_timeout"),
            ErrorClass::FirstTokenTimeout => {
                (StatusCode::GATEWAY_TIMEOUT, "upstream_first_token_timeout")
            }
            ErrorClass::SilenceTimeout => (StatusCode::GATEWAY_TIMEOUT, "upstream_silence_timeout"),
            ErrorClass::TotalTimeout => (StatusCode::GATEWAY_TIMEOUT, "upstream_total_timeout"),
            _ => (StatusCode::BAD_GATEWAY, "upstream_reset"),
        };
        let next = match class {
            ErrorClass::Dns => "check the provider's base_url and this machine's DNS",
            ErrorClass::Connect => "check that the provider is up and its base_url is right",
            ErrorClass::Tls => {
                "check the provider's certificate, or set ca_file if it has a root of its own"
            }
            ErrorClass::Redirect => {
                "redirects are not followed, so that no key goes astray; set base_url to the target"
            }
            ErrorClass::ConnectTimeout => "check the network, or raise timeouts.connect",
            ErrorClass::SilenceTimeout => "raise timeouts.silence if the model thinks this long",
            ErrorClass::TotalTimeout => "raise timeouts.total",
            _ if maybe_billed => "the provider may have billed the request",
            _ => "the request was not processed; try again",
        };
        let mut reject = Self::new(
            status,
            code,
            format!("provider {provider}: {detail}; {next}"),
        );
        reject.retry = maybe_billed.then_some(false);
        reject
    }

    /// The answer in the shape that the client's endpoint expects.
    #[must_use]
    pub fn response(&self, language: Language, exchange: &str) -> Response<ProxyBody> {
        let report = Report {
            status: self.status.as_u16(),
            message: &self.message,
            kind: self.kind,
            code: self.code,
            param: self.param.as_deref(),
            exchange,
        };
        let body = report.body(language);
        let mut response = Response::new(ProxyBody::full(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert("x-proxy-error", HeaderValue::from_static(self.code));
        if language.is_bedrock() {
            let name = HeaderValue::from_static(report.exception());
            headers.insert(ERROR_TYPE, name);
        }
        if let Ok(id) = HeaderValue::from_str(exchange) {
            headers.insert("x-request-id", id);
        }
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
            }
            // Says what is spoken instead (RFC 9110, 15.5.22).
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("HTTP/1.1"));
                headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            }
            _ => {}
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(retry) = self.retry {
            let value = HeaderValue::from_static(if retry { "true" } else { "false" });
            headers.insert("x-should-retry", value);
        }
        response
    }
}
