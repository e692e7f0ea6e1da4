//! Says where a call to a provider failed, and whether it can have been billed.

use std::fmt;

use crate::record::ErrorClass;

/// The phase of a call in which it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for a free connection.
    Pool,
    /// Resolving the host name.
    Dns,
    /// Connecting TCP (or the tunnel through a forward proxy).
    Connect,
    /// Shaking hands for TLS or HTTP/2.
    Tls,
    /// Sending the request.
    Send,
    /// Waiting for the response headers.
    Headers,
}

/// A call that got no response headers.
#[derive(Debug)]
pub struct SendFault {
    /// Where it failed.
    pub phase: Phase,
    /// What kind of error it is.
    pub class: ErrorClass,
    /// What the system said: host names and system errors, never content.
    pub detail: String,
    /// Whether bytes of the request were written: the provider may have worked on it.
    pub written: bool,
}

impl SendFault {
    /// A fault before anything was written.
    pub fn before(phase: Phase, class: ErrorClass, detail: impl fmt::Display) -> Self {
        Self {
            phase,
            class,
            detail: detail.to_string(),
            written: false,
        }
    }
}

impl fmt::Display for SendFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for SendFault {}

/// The innermost cause of an error, which is the one that says something.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
