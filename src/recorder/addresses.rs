//! Tells whether a provider's name still stands for the server of which something is known.

use std::collections::BTreeMap;

use crate::config::settings::{Provider, Settings};
use crate::record::Name;

/// What each provider's name stands for: a number of its address and of how it is spoken to. What
/// was found of another server counts for nothing here, and holds nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses(BTreeMap<Name, u32>);

impl Addresses {
    /// Of these settings.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let number = |provider: &Provider| {
            let Provider { base, dialect, .. } = provider;
            crc32fast::hash(format!("{base:?} {dialect:?}").as_bytes())
        };
        let providers = settings.providers.iter();
        Self(
            providers
                .map(|provider| (provider.name.clone(), number(provider)))
                .collect(),
        )
    }

    /// As text, to be kept: a line each.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.0.iter();
        lines
            .map(|(name, number)| format!("{number} {name}\n"))
            .collect()
    }

    /// What was kept so; a line that cannot be read says nothing of its provider.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let line = |line: &str| {
            let (number, name) = line.split_once(' ')?;
            Some((Name::from(name), number.parse().ok()?))
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// Goes on with these. A name that is gone keeps what it stood for: it may come back, commented
    /// out while it failed, and stand for something else.
    pub(super) fn take_over(&mut self, now: Self) {
        self.0.extend(now.0);
    }

    /// The providers that stood for something else before.
    pub(super) fn moved_from(&self, before: &Self) -> Vec<Name> {
        let mut moved = self.0.clone();
        moved.retain(|name, number| before.0.get(name).is_some_and(|before| before != number));
        moved.into_keys().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_moved_is_told_by_what_was_kept() {
        let of = |list: &[(&str, u32)]| {
            let names = list
                .iter()
                .map(|(name, number)| (Name::from(*name), *number));
            Addresses(names.collect())
        };
        let before = of(&[("stays", 1), ("moves", 2), ("goes", 3)]);
        let kept = Addresses::of_text(&before.text());
        assert_eq!(kept, before);
        let now = of(&[("stays", 1), ("moves", 9), ("is new", 4)]);
        assert_eq!(now.moved_from(&kept), [Name::from("moves")]);
        // Who is taken out and comes back at another address has moved.
        let mut known = kept;
        known.take_over(now.clone());
        assert_eq!(of(&[("goes", 3), ("moves", 9)]).moved_from(&known), []);
        let back = of(&[("goes", 5)]);
        assert_eq!(back.moved_from(&known), [Name::from("goes")]);
        // What was kept by a version that knew no addresses moves nobody.
        assert_eq!(now.moved_from(&Addresses::default()), []);
        assert_eq!(Addresses::of_text("x y\n\n7\n"), Addresses::default());
    }
}
