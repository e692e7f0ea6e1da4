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
    /// Tokens of an answer that it makes at most.
    pub output_max: Option<u64>,
    /// Whether it takes an effort of reasoning; absent where nobody says.
    pub takes_effort: Option<bool>,
    /// What it is called where, by preset: a request for its name is sent there under this one.
    pub at: Vec<(Name, Name)>,
    /// Its page in its maker's documentation.
    pub docs: Option<String>,
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

impl ModelFacts {
    /// What it is called at providers of a preset.
    #[must_use]
    pub fn name_at(&self, preset: &str) -> Option<&Name> {
        let called = self.at.iter().find(|(host, _)| host.as_str() == preset);
        called.map(|(_, name)| name)
    }

    /// Whether its maker has withdrawn it by `now`.
    #[must_use]
    pub fn is_retired(&self, now: WallTime) -> bool {
        self.retired.is_some_and(|retired| retired <= now)
    }
}

/// The facts of the model of exactly that name.
#[must_use]
pub fn named<'a>(name: &str, all: &'a [ModelFacts]) -> Option<&'a ModelFacts> {
    all.iter().find(|facts| facts.name.as_str() == name)
}

/// Those of `names` that a name may have been meant for, the nearest first: of the same letters
/// and digits, one beginning with the other, or few edits away. At most `most` of them.
#[must_use]
pub fn nearest<'a>(
    asked: &str,
    names: impl IntoIterator<Item = &'a str>,
    most: usize,
) -> Vec<&'a str> {
    let wanted = letters(asked);
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| Some((distance(&wanted, &letters(name))?, name)))
        .collect();
    near.sort_unstable();
    near.dedup_by(|one, other| one.1 == other.1);
    near.into_iter().take(most).map(|(_, name)| name).collect()
}

/// Without what hosts put around a name: their own name before it, case, and punctuation.
fn letters(name: &str) -> Vec<u8> {
    let own = name.rsplit('/').next().unwrap_or(name);
    let bytes = own.bytes().filter(u8::is_ascii_alphanumeric);
    bytes.map(|byte| byte.to_ascii_lowercase()).collect()
}

/// How many letters are to be changed, up to a third of them; a longer form of the same name
/// counts as one change.
fn distance(one: &[u8], other: &[u8]) -> Option<usize> {
    let (short, long) = if one.len() < other.len() {
        (one, other)
    } else {
        (other, one)
    };
    if long == short {
        return Some(0);
    }
    if short.len() >= BEGINNING_MIN && long.starts_with(short) {
        return Some(1);
    }
    let changed = edits(short, long);
    (changed <= long.len() / 3).then_some(changed + 1)
}

/// A beginning of fewer letters says nothing.
const BEGINNING_MIN: usize = 4;

/// Levenshtein's distance, by one row at a time.
fn edits(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = before + usize::from(a != b);
            before = row[j + 1];
            row[j + 1] = replaced.min(before + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
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
    fn the_nearest_names_are_those_a_reader_would_mean() {
        let names = [
            "gpt-4.1",
            "gpt-4.1-mini",
            "gpt-4.1-nano",
            "gpt-4o",
            "claude-sonnet-4-6",
            "llama-3.1-8b",
        ];
        for (asked, near) in [
            ("gpt4.1", &["gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano"][..]),
            ("openai/GPT-4.1-Nano", &["gpt-4.1-nano", "gpt-4.1"]),
            ("claude-sonnet-4-5", &["claude-sonnet-4-6"]),
            ("llama-3.1-8b-instant", &["llama-3.1-8b"]),
            ("whisper-1", &[]),
            ("", &[]),
        ] {
            let found = nearest(asked, names, 3);
            assert_eq!(&found[..near.len()], near, "{asked}: {found:?}");
            assert!(!near.is_empty() || found.is_empty(), "{asked}: {found:?}");
        }
    }

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
