//! Tells a client inside a response that has begun that it will not come whole.

use crate::record::{ErrorClass, Language};
use crate::wire::dialect::errors::Report;
use crate::wire::observer::Stands;

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

impl Broken {
    const fn report(self) -> Report<'static> {
        Report {
            status: match self {
                Self::ShuttingDown => 503,
                Self::Fault(_) => 502,
            },
            message: self.message(),
            kind: self.kind(),
            code: self.code(),
            param: None,
            exchange: "",
        }
    }
}

/// A failure after the response has begun, as an event in the client's language. The blank line
/// in front ends an event that the provider left half sent.
#[must_use]
pub fn error_event(language: Language, broken: Broken) -> String {
    format!("\n\n{}", broken.report().event(language))
}

/// The same in a stream that is no server-sent events. `None` in the middle of a part: nothing
/// else can end that, and what would follow would be read as the rest of it.
#[must_use]
pub fn error_part(language: Language, stands: Stands, broken: Broken) -> Option<Vec<u8>> {
    let report = broken.report();
    Some(match stands {
        Stands::BetweenFrames => report.frame(),
        // The line before may not have ended.
        Stands::BetweenLines => format!("\n{}\n", report.body(language)).into_bytes(),
        Stands::InArray { first } => {
            let comma = if first { "" } else { ",\n" };
            format!("{comma}{}]", report.body(language)).into_bytes()
        }
        Stands::Told => Vec::new(),
        Stands::Within => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::framing::event_stream::Splitter;

    #[test]
    fn each_language_is_told_in_its_own_framing() {
        let broken = Broken::Fault(ErrorClass::SilenceTimeout);
        let frame = error_part(Language::BedrockConverse, Stands::BetweenFrames, broken);
        let mut told = String::new();
        let fed = Splitter::new(4096).feed(&frame.unwrap(), |frame| {
            let payload = String::from_utf8_lossy(frame.payload);
            told = format!("{:?} {payload}", frame.message());
            std::ops::ControlFlow::Continue(())
        });
        assert!(fed.is_ok());
        assert_eq!(
            told,
            "Exception(\"modelStreamErrorException\") \
             {\"message\":\"the provider fell silent for longer than timeouts.silence\"}"
        );
        let text = |language, stands| {
            error_part(language, stands, Broken::ShuttingDown)
                .map(|part| String::from_utf8(part).unwrap())
        };
        let message = "tollgate is shutting down and timeouts.drain is over: try again";
        assert_eq!(
            text(Language::OllamaNative, Stands::BetweenLines).unwrap(),
            format!("\n{{\"error\":\"{message}\"}}\n")
        );
        let error =
            format!(r#"{{"error":{{"code":503,"message":"{message}","status":"UNAVAILABLE"}}}}"#);
        for (first, comma) in [(true, ""), (false, ",\n")] {
            let part = text(Language::GeminiGenerate, Stands::InArray { first }).unwrap();
            assert_eq!(part, format!("{comma}{error}]"));
        }
        assert_eq!(text(Language::BedrockInvoke, Stands::Within), None);
    }
}
