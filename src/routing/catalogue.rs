//! Knows whose model a name is, and what is known of models wherever they are served.

use crate::record::{Name, WallTime};

/// Where a model stands among those of its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// The most able one.
    Flagship,
    /// The one between.
    Balanced,
    /// A fast and cheap one.
    Fast,
    /// The fastest and cheapest one.
    UltraFast,
}

impl Rung {
    /// Every rung, from the top.
    pub const ALL: [Self; 4] = [Self::Flagship, Self::Balanced, Self::Fast, Self::UltraFast];

    /// The name used in the catalogue and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flagship => "flagship",
            Self::Balanced => "balanced",
            Self::Fast => "fast",
            Self::UltraFast => "ultra-fast",
        }
    }
}

/// What is known of a model, wherever it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFacts {
    /// Its name.
    pub name: Name,
    /// What it is called by those who serve it: exact names, or beginnings with a trailing `*`.
    pub aliases: Vec<Name>,
    /// The models that it belongs to.
    pub family: Name,
    /// Where it stands among them; absent where nobody says.
    pub rung: Option<Rung>,
    /// When it came out.
    pub released: Option<WallTime>,
    /// When its maker withdraws it.
    pub retired: Option<WallTime>,
    /// Tokens of prompt and answer that it takes at its maker's; hosts may take fewer.
    pub context_length: Option<u64>,
    /// Where this is from.
    pub source: String,
}

/// The facts of a model as somebody calls it: of two patterns the longer one counts.
#[must_use]
pub fn facts_of<'a>(model: &str, all: &'a [ModelFacts]) -> Option<&'a ModelFacts> {
    let closeness = |facts: &ModelFacts| {
        let names = std::iter::once(&facts.name).chain(&facts.aliases);
        names
            .filter(|pattern| claims(pattern, model))
            .map(|pattern| pattern.len() + usize::from(!pattern.ends_with('*')) * 1_000)
            .max()
    };
    all.iter()
        .filter_map(|facts| Some((closeness(facts)?, facts)))
        .max_by_key(|(closeness, _)| *closeness)
        .map(|(_, facts)| facts)
}

/// Whether `model` is one that `pattern` claims: the same name, or a prefix before a trailing `*`.
#[must_use]
pub fn claims(pattern: &str, model: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => model.starts_with(prefix),
        None => pattern == model,
    }
}

/// The first of `owners` that claims `model`; of two claims of one owner none is better, of two
/// owners the one that stands first.
#[must_use]
pub fn owner_of<'a, T>(
    model: &str,
    owners: impl IntoIterator<Item = (T, &'a [String])>,
) -> Option<T> {
    owners
        .into_iter()
        .find(|(_, patterns)| patterns.iter().any(|pattern| claims(pattern, model)))
        .map(|(owner, _)| owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_claim_by_name_or_prefix() {
        for (pattern, model, claimed) in [
            ("gpt-*", "gpt-4.1", true),
            ("gpt-*", "chatgpt-4o", false),
            ("o3", "o3", true),
            ("o3", "o3-mini", false),
            ("*", "anything", true),
        ] {
            assert_eq!(claims(pattern, model), claimed, "{pattern} {model}");
        }
    }
}
