//! Says of what was generated how much of it was streamed as it was counted.

use super::oddities::Oddities;
use crate::record::{Oddity, Usage};
use crate::wire::dialect::learned::Kinds;

/// What one answer held, and how it was counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content<'a> {
    /// All kinds of content that came.
    pub(super) kinds: Kinds,
    /// The provider's counts.
    pub(super) usage: &'a Usage,
    /// The model that answered, or else the one asked for.
    pub(super) model: Option<&'a str>,
    /// Whether it came as a stream.
    pub(super) streamed: bool,
}

impl Content<'_> {
    /// Notes what keeps the counts from being those of what was streamed (measurement.md 2.6).
    pub(super) fn note(self, oddities: &mut Oddities) {
        let Self { kinds, usage, .. } = self;
        if usage.audio.is_some_and(|audio| audio > 0)
            && !kinds.any(Kinds::AUDIO)
            && !kinds.is_empty()
        {
            oddities.add(Oddity::AudioPrompt);
        }
        if !self.streamed {
            return;
        }
        let counted = usage.reasoning.is_some();
        let seen = kinds.any(Kinds::REASONING);
        let summary = seen && (kinds.any(Kinds::SUMMARY) || self.model.is_some_and(sums_up));
        if summary {
            oddities.add(Oddity::ReasoningSummary);
        }
        let sealed = kinds.any(Kinds::SEALED) || kinds.any(Kinds::REDACTED);
        let unknown = if summary || !seen {
            (summary || sealed) && !counted
        } else {
            // Some came in plain, and some did not: no count tells the two apart.
            kinds.any(Kinds::REDACTED)
        };
        if unknown {
            oddities.add(Oddity::HiddenReasoning);
        }
    }
}

/// Whether a model is known to show its reasoning in short, whoever sells it: Claude from its fourth
/// version on, and Gemini.
fn sums_up(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    (model.contains("claude") && !model.contains("claude-3")) || model.contains("gemini")
}
