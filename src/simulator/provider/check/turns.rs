//! Says what an objection is, and follows tool calls from turn to turn.

/// What every signature of thoughts begins with that the simulator makes: no other one is its own.
pub(in super::super) const SIGNATURE: &str = "c2lt";

/// Why a request is refused with a 400, in the API's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Objection {
    /// The message.
    pub(in super::super) message: String,
}

impl Objection {
    /// One with that message.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// How the ids of calls and of their results do not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// Results whose call is not in the turn before.
    Unasked(Vec<String>),
    /// Calls whose result is not in the turn after.
    Unanswered(Vec<String>),
}

/// Holds the results of a turn against the calls of the turn before.
pub(super) fn matched(calls: &[String], results: &[String]) -> Option<Mismatch> {
    let left = |of: &[String], other: &[String]| -> Vec<String> {
        of.iter()
            .filter(|id| !other.contains(id))
            .cloned()
            .collect()
    };
    let unasked = left(results, calls);
    if !unasked.is_empty() {
        return Some(Mismatch::Unasked(unasked));
    }
    let unanswered = left(calls, results);
    (!unanswered.is_empty()).then_some(Mismatch::Unanswered(unanswered))
}

/// Whether the first bytes are those of an image of that type; a type that is not known is taken.
pub(super) fn looks_like(media_type: &str, bytes: &[u8]) -> bool {
    match media_type {
        "image/png" => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
        "image/jpeg" => bytes.starts_with(b"\xff\xd8\xff"),
        "image/gif" => bytes.starts_with(b"GIF8"),
        "image/webp" => bytes.starts_with(b"RIFF"),
        "application/pdf" => bytes.starts_with(b"%PDF-"),
        _ => true,
    }
}
