//! Knows by a model's name how it wants to be asked.
//!
//! Claude: <https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>, `effort`, and
//! the notes on versions of the API; Gemini: `thinkingBudget` up to 2.5, `thinkingLevel` from 3 on;
//! OpenAI: `reasoning_effort`.

/// How a model wants to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    /// Whether it takes sampling settings other than the default ones.
    pub takes_sampling: bool,
    /// Whether it thinks by a budget of tokens.
    pub thinks_by_budget: bool,
    /// Whether it takes an effort of reasoning at all.
    pub takes_effort: bool,
    /// The limit of output tokens where one has to be given and nobody gave one: what the model's
    /// generation can say at least.
    pub max_tokens: u64,
}

/// The manners of a model, by its name at whatever provider. Of a name that is not known nothing
/// is expected that might be refused.
#[must_use]
pub fn manners(model: &str) -> Manners {
    let model = model.to_ascii_lowercase();
    let plain = Manners {
        takes_sampling: true,
        thinks_by_budget: false,
        takes_effort: false,
        max_tokens: 4096,
    };
    if let Some(version) = version_of("claude", &model) {
        return Manners {
            takes_sampling: version < (4, 7),
            thinks_by_budget: version < (4, 6),
            takes_effort: version >= (3, 7),
            max_tokens: match version {
                (0..=2, _) | (3, 0..=4) => 4096,
                (3, 5 | 6) => 8192,
                _ => 16_384,
            },
        };
    }
    if let Some(version) = version_of("gemini", &model) {
        return Manners {
            thinks_by_budget: version < (3, 0),
            takes_effort: version >= (2, 5),
            max_tokens: 8192,
            ..plain
        };
    }
    let name = model.rsplit('/').next().unwrap_or(&model);
    // Amazon's second generation, by its id, with or without a region in front.
    if let Some(version) = version_of("amazon.nova", &model) {
        return Manners {
            takes_effort: version >= (2, 0),
            ..plain
        };
    }
    let reasons = [
        "o1",
        "o3",
        "o4",
        "gpt-5",
        "gpt-oss",
        "openai.gpt-oss",
        "grok-3-mini",
    ];
    Manners {
        takes_effort: reasons.iter().any(|start| name.starts_with(start)),
        ..plain
    }
}

/// The version in the name of a family's model: the first number of one or two digits behind the
/// family's name, and the one that follows it. What is longer is a date.
pub(super) fn version_of(family: &str, model: &str) -> Option<(u32, u32)> {
    let rest = &model[model.find(family)? + family.len()..];
    let mut parts = rest.split(['-', '.', '@', ':', '_']);
    let number = |part: &str| {
        let short = (1..=2).contains(&part.len());
        part.parse().ok().filter(|_| short)
    };
    let major = parts.by_ref().find_map(number)?;
    let minor = parts.next().and_then(number).unwrap_or(0);
    Some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_how_a_model_wants_to_be_asked() {
        // The name; whether it samples, has a budget, an effort; its limit.
        for (model, samples, budget, effort, limit) in [
            ("claude-3-haiku-20240307", true, true, false, 4096),
            (
                "anthropic.claude-3-5-sonnet-20241022-v2:0",
                true,
                true,
                false,
                8192,
            ),
            ("claude-3-7-sonnet-latest", true, true, true, 16_384),
            ("claude-sonnet-4-20250514", true, true, true, 16_384),
            ("claude-sonnet-4@20250514", true, true, true, 16_384),
            ("claude-opus-4-1-20250805", true, true, true, 16_384),
            (
                "us.anthropic.claude-haiku-4-5-20251001-v1:0",
                true,
                true,
                true,
                16_384,
            ),
            ("anthropic/claude-sonnet-4.6", true, false, true, 16_384),
            ("claude-opus-4-7", false, false, true, 16_384),
            ("claude-opus-5", false, false, true, 16_384),
            ("gemini-2.0-flash", true, true, false, 8192),
            ("google/gemini-2.5-pro", true, true, true, 8192),
            ("gemini-3-pro-preview", true, false, true, 8192),
            ("openai/o3-mini", true, false, true, 4096),
            ("gpt-5.1", true, false, true, 4096),
            ("gpt-4.1", true, false, false, 4096),
            ("us.amazon.nova-2-lite-v1:0", true, false, true, 4096),
            ("amazon.nova-pro-v1:0", true, false, false, 4096),
            ("llama-3.1-8b", true, false, false, 4096),
        ] {
            let expected = Manners {
                takes_sampling: samples,
                thinks_by_budget: budget,
                takes_effort: effort,
                max_tokens: limit,
            };
            assert_eq!(manners(model), expected, "{model}");
        }
    }
}
