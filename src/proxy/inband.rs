//! Tells a client inside a response that has begun that it will not come whole.

use crate::record::{ErrorClass, Language};
use crate::wire::dialect::errors::Report;

/// Why a response that has begun will not come whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The provider, or a deadline.
    Fault(ErrorClass),
    /// The program stops, and its drain time is over.
    ShuttingDown,
}

impl Broken {
    /// What programs recognise.
    const fn code(self) -> &'static str {
        match self {
            Self::ShuttingDown => "shutting_down",
            Self::Fault(ErrorClass::SilenceTimeout) => "upstream_silence_timeout",
            Self::Fault(ErrorClass::TotalTimeout) => "upstream_total_timeout",
            Self::Fault(ErrorClass::Truncated) => "upstream_truncated",
            Self::Fault(ErrorClass::ProtocolError) => "upstream_protocol_error",
            Self::Fault(_) => "upstream_reset",
        }
    }

    /// What people read.
    const fn message(self) -> &'static str {
        match self {
            Self::ShuttingDown => "tollgate is shutting down and timeouts.drain is over: try again",
            Self::Fault(ErrorClass::SilenceTimeout) => {
                "the provider fell silent for longer than timeouts.silence"
            }
            Self::Fault(ErrorClass::TotalTimeout) => "the exchange took longer than timeouts.total",
            Self::Fault(ErrorClass::Truncated) => "the provider ended the stream before its end",
            Self::Fault(ErrorClass::ProtocolError) => "the provider sent bytes that are not HTTP",
            Self::Fault(_) => "the connection to the provider broke in the middle of the stream",
        }
    }

    /// Whose failure it is, in the words of the OpenAI error shape.
    const fn kind(self) -> &'static str {
        match self {
            Self::ShuttingDown => "overloaded_error",
            Self::Fault(_) => "upstream_error",
        }
    }
}

/// A failure after the response has begun, as an event in the client's language. The blank line
/// in front ends an event that the provider left half sent.
#[must_use]
pub fn error_event(language: Language, broken: Broken) -> String {
    let report = Report {
        status: 502,
        message: broken.message(),
        kind: broken.kind(),
        code: broken.code(),
        param: None,
        exchange: "",
    };
    format!("\n\n{}", report.event(language))
}
