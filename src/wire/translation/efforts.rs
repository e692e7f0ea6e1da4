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

/// The least that a model can think which thinks unless it is told not to; absent where it does not,
/// or where nothing is known of it.
pub(super) fn least(model: &str) -> Option<Effort> {
    let model = model.to_ascii_lowercase();
    let quiet = ["claude", "nova"].iter().any(|name| model.contains(name));
    if quiet {
        return None;
    }
    match version_of("gemini", &model) {
        Some((0 | 1, _) | (2, 0)) => return None,
        Some((2, _)) if model.contains("pro") => return Some(Minimal),
        Some((2, _)) => return Some(Effort::None),
        _ => {}
    }
    // From 5.1 on they do not think where nothing is said, but for those that write programs.
    if version_of("gpt", &model).is_some_and(|version| version > (5, 0)) && !model.contains("codex")
    {
        return None;
    }
    let least = taken(&model).first().copied();
    least.filter(|least| *least <= Low)
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

    #[test]
    fn who_thinks_untold_can_be_told_to_think_least() {
        for (model, expected) in [
            ("gemini-2.0-flash", None),
            ("gemini-2.5-flash", Some("none")),
            ("google/gemini-2.5-flash-lite", Some("none")),
            ("gemini-2.5-pro", Some("minimal")),
            ("gemini-3-pro-preview", Some("low")),
            ("gemini-3-flash-preview", Some("minimal")),
            ("gpt-5-mini", Some("minimal")),
            ("gpt-5-pro", None),
            ("gpt-5.2", None),
            ("gpt-5.1-codex", Some("low")),
            ("o4-mini", Some("low")),
            ("openai/gpt-oss-120b", Some("low")),
            ("gpt-4.1", None),
            ("claude-sonnet-4-6", None),
            ("us.amazon.nova-2-lite-v1:0", None),
            ("deepseek-chat", None),
            ("qwen3-32b", None),
        ] {
            assert_eq!(least(model).map(Effort::word), expected, "{model}");
        }
    }
}
