//! Decides what may follow an error: another route, a larger one, or the client's eyes only.

use super::classify::Classified;
use crate::record::ErrorClass;

/// What may follow an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Any other route.
    Yes,
    /// A route of another provider; and this one needs a human: hold it for long.
    Alert,
    /// Only a route that takes more.
    Larger,
    /// Only if the user allows it.
    Policy,
    /// Nothing: the client gets the error.
    No,
}

impl Verdict {
    /// The name used in explanations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Alert => "alert",
            Self::Larger => "larger",
            Self::Policy => "policy",
            Self::No => "no",
        }
    }
}

/// What may follow `error`, which came under `status`. What a request names and one provider does not
/// have, a path, an item or a file, another may.
#[must_use]
pub fn failover_of_status(error: &Classified, status: u16) -> Verdict {
    match error.class {
        ErrorClass::BadRequest if matches!(status, 404 | 410) => Verdict::Yes,
        _ => failover(error, false),
    }
}

/// What may follow `error`. Once a token has gone to the client (`mid_stream`) nothing may.
#[must_use]
pub fn failover(error: &Classified, mid_stream: bool) -> Verdict {
    if mid_stream {
        return Verdict::No;
    }
    let code = error.code.as_deref().unwrap_or_default();
    match error.class {
        ErrorClass::RateLimited
        | ErrorClass::Overloaded
        | ErrorClass::ServerError
        | ErrorClass::Timeout
        | ErrorClass::Truncated
        | ErrorClass::EmptyResponse
        | ErrorClass::ProtocolError
        | ErrorClass::Dns
        | ErrorClass::Connect
        | ErrorClass::Tls
        | ErrorClass::Reset
        | ErrorClass::ConnectTimeout
        | ErrorClass::FirstTokenTimeout
        | ErrorClass::SilenceTimeout => Verdict::Yes,
        ErrorClass::Quota
        | ErrorClass::Auth
        | ErrorClass::Permission
        | ErrorClass::NotFound
        | ErrorClass::Redirect => Verdict::Alert,
        ErrorClass::ContextLength => Verdict::Larger,
        // Groq's 413 is a limit of the tier on tokens per minute; others' is the request itself.
        ErrorClass::PayloadTooLarge if code == "rate_limit_exceeded" => Verdict::Larger,
        // Azure's own filter blocked the prompt: others may take it, if the user wants that.
        ErrorClass::ContentFilter if code == "content_filter" => Verdict::Policy,
        ErrorClass::PayloadTooLarge
        | ErrorClass::ContentFilter
        | ErrorClass::BadRequest
        | ErrorClass::Unprocessable
        | ErrorClass::TotalTimeout => Verdict::No,
    }
}
