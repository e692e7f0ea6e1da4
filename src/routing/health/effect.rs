//! Says what an error tells of a route's health, by its class alone.

use crate::record::ErrorClass;

/// What follows from an error for the health of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The route failed: the breaker counts it.
    Counts,
    /// The route is asked too much: it cools.
    Cools,
    /// The credential is at fault: it is held, with an alert.
    HoldsCredential,
    /// The route does not work with this credential until somebody changes something: it is held,
    /// with an alert.
    HoldsRoute,
    /// The request is at fault, or nobody: nothing is learned of the route.
    Nothing,
}

/// The effect of an error (`context_length`, `bad_request` and their kind never harm a route).
#[must_use]
pub const fn effect(class: ErrorClass) -> Effect {
    match class {
        ErrorClass::Overloaded
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
        | ErrorClass::SilenceTimeout => Effect::Counts,
        ErrorClass::RateLimited => Effect::Cools,
        ErrorClass::Quota | ErrorClass::Auth => Effect::HoldsCredential,
        ErrorClass::Permission | ErrorClass::NotFound | ErrorClass::Redirect => Effect::HoldsRoute,
        // A total time-out is the user's own limit.
        ErrorClass::BadRequest
        | ErrorClass::Unprocessable
        | ErrorClass::ContextLength
        | ErrorClass::PayloadTooLarge
        | ErrorClass::ContentFilter
        | ErrorClass::TotalTimeout => Effect::Nothing,
    }
}
