//! Knows which efforts of reasoning a model takes, by its name.
//!
//! Claude: Anthropic's page on `effort` (`xhigh` came with 4.7); Gemini: Google's table of thinking
//! levels; OpenAI: the description of `reasoning_effort` in its API's schema; DeepSeek and Mistral:
//! their pages on reasoning.

use super::manners::version_of;

/// How much a model is to think, in steps from nothing to all that it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effort {
    /// Not at all.
    None,
    /// As little as it can.
    Minimal,
    /// Little.
    Low,
    /// Middling.
    Medium,
    /// Much.
    High,
    /// More.
    XHigh,
    /// All it can.
    Max,
}

use Effort::{High, Low, Max, Medium, Minimal, XHigh};

impl Effort {
    /// OpenAI's word for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// What a word of OpenAI's means; absent where it is none.
    pub(super) fn of(word: &str) -> Option<Self> {
        let all = [Self::None, Minimal, Low, Medium, High, XHigh, Max];
        all.into_iter().find(|effort| effort.word() == word)
    }

    /// The same at those who know no less than `low`.
    pub(super) const fn at_least_low(self) -> &'static str {
        match self {
            Self::None | Self::Minimal => Self::Low.word(),
            effort => effort.word(),
        }
    }

    /// The effort that `model` has for this one: the least that is no less, or the most that it
    /// has. Not to think at all is another thing than to think little, and stays what it is.
    pub(super) fn nearest(self, model: &str) -> Self {
        let taken = taken(&model.to_ascii_lowercase());
        if self == Self::None || taken.is_empty() {
            return self;
        }
        let enough = taken.iter().find(|effort| **effort >= self);
        enough.or(taken.last()).copied().unwrap_or(self)
    }
}

/// The efforts that a model takes, from the least on, beside none at all; empty where that is not
/// known, or any of them stands for a number of tokens.
fn taken(model: &str) -> &'static [Effort] {
    const TO_HIGH: &[Effort] = &[Low, Medium, High];
    if let Some(version) = version_of("claude", model) {
        return match version {
            (0..=3, _) | (4, 0..=5) => &[],
            (4, 6) => &[Low, Medium, High, Max],
            _ => &[Low, Medium, High, XHigh, Max],
        };
    }
    if let Some(version) = version_of("gemini", model) {
        let flash = model.contains("flash");
        return match version {
            (0..=2, _) => &[],
            (3, 0) if !flash => &[Low, High],
            (3, 0..=6) if flash => &[Minimal, Low, Medium, High],
            (3, _) => TO_HIGH,
            _ => &[Minimal, Low, Medium, High, XHigh],
        };
    }
    let name = model.rsplit('/').next().unwrap_or(model);
    if name.contains("gpt-oss") || model.contains("nova-2") {
        return TO_HIGH;
    }
    if let Some(version) = version_of("gpt", name) {
        let codex = name.contains("codex");
        return match version {
            (5, _) if name.starts_with("gpt-5-pro") => &[High],
            (5, 0) if !codex => &[Minimal, Low, Medium, High],
            (5, 1) if name.contains("codex-max") => &[Low, Medium, High, XHigh],
            (5, 0 | 1) => TO_HIGH,
            (5, 2..=4) => &[Low, Medium, High, XHigh],
            _ => &[],
        };
    }
    let known: &[(&[&str], &'static [Effort])] = &[
        (&["o1", "o3", "o4"], TO_HIGH),
        (&["grok-3-mini"], &[Low, High]),
        (&["deepseek"], &[High, Max]),
        (&["mistral", "magistral"], &[High]),
    ];
    let found = known
        .iter()
        .find(|(names, _)| names.iter().any(|start| name.starts_with(start)));
    found.map_or(&[], |(_, taken)| taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_gets_the_nearest_effort_that_it_takes() {
        // What `minimal`, `medium`, `xhigh` and `max` become.
        for (model, expected) in [
            ("claude-opus-4-5", ["minimal", "medium", "xhigh", "max"]),
            ("claude-sonnet-4-6", ["low", "medium", "max", "max"]),
            (
                "us.anthropic.claude-opus-4-7-v1:0",
                ["low", "medium", "xhigh", "max"],
            ),
            ("claude-opus-5", ["low", "medium", "xhigh", "max"]),
            ("gemini-2.5-pro", ["minimal", "medium", "xhigh", "max"]),
            ("gemini-3-pro-preview", ["low", "high", "high", "high"]),
            (
                "gemini-3-flash-preview",
                ["minimal", "medium", "high", "high"],
            ),
            ("google/gemini-3.1-pro", ["low", "medium", "high", "high"]),
            (
                "gemini-3.5-flash-lite",
                ["minimal", "medium", "high", "high"],
            ),
            ("gemini-3.8-flash", ["low", "medium", "high", "high"]),
            ("gemini-4-pro", ["minimal", "medium", "xhigh", "xhigh"]),
            ("o4-mini", ["low", "medium", "high", "high"]),
            ("openai/gpt-5-mini", ["minimal", "medium", "high", "high"]),
            ("gpt-5-codex", ["low", "medium", "high", "high"]),
            ("gpt-5-pro", ["high", "high", "high", "high"]),
            ("gpt-5-2025-08-07", ["minimal", "medium", "high", "high"]),
            ("gpt-5.1", ["low", "medium", "high", "high"]),
            ("gpt-5.1-codex-max", ["low", "medium", "xhigh", "xhigh"]),
            ("gpt-5.4-mini", ["low", "medium", "xhigh", "xhigh"]),
            ("gpt-6", ["minimal", "medium", "xhigh", "max"]),
            ("openai.gpt-oss-120b-1:0", ["low", "medium", "high", "high"]),
            (
                "us.amazon.nova-2-lite-v1:0",
                ["low", "medium", "high", "high"],
            ),
            ("deepseek-chat", ["high", "high", "max", "max"]),
            ("mistral-small-latest", ["high", "high", "high", "high"]),
            ("grok-3-mini", ["low", "high", "high", "high"]),
            ("qwen3-32b", ["minimal", "medium", "xhigh", "max"]),
        ] {
            let found = ["minimal", "medium", "xhigh", "max"]
                .map(|word| Effort::of(word).unwrap().nearest(model).word());
            assert_eq!(found, expected, "{model}");
            assert_eq!(Effort::None.nearest(model), Effort::None, "{model}");
        }
        assert_eq!(Effort::of("huge"), None);
    }
}
