//! Knows whose model a name is: patterns that a provider claims as its own.

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
