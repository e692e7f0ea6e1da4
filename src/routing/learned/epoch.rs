//! Notices that another model answers on a route than the one it was learned from.

use crate::record::Name;

/// So many answers in a row under another name make it the route's model: one alone may be a
/// router that sends a few requests elsewhere, for which nothing is to be forgotten.
const IN_A_ROW: u8 = 3;

/// Which model a route answers with, by what the provider says itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Epoch {
    current: Option<Name>,
    other: Option<(Name, u8)>,
}

impl Epoch {
    /// An epoch as it was kept.
    #[must_use]
    pub(super) const fn kept(current: Option<Name>) -> Self {
        Self {
            current,
            other: None,
        }
    }

    /// The model that answers.
    #[must_use]
    pub(super) const fn current(&self) -> Option<&Name> {
        self.current.as_ref()
    }

    /// Takes the name that an answer gives its model. Where a new epoch begins with it, the name
    /// that held before.
    pub(super) fn answered(&mut self, model: &Name) -> Option<Name> {
        let Some(current) = &self.current else {
            self.current = Some(model.clone());
            return None;
        };
        if current == model {
            self.other = None;
            return None;
        }
        let times = match self.other.take() {
            Some((other, times)) if other == *model => times + 1,
            _ => 1,
        };
        if times < IN_A_ROW {
            self.other = Some((model.clone(), times));
            return None;
        }
        self.current.replace(model.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_epoch_needs_three_answers_in_a_row() {
        for (answers, begun) in [
            ("aaaa", ""),
            ("aabba", ""),
            ("ababab", ""),
            ("aabbb", "a"),
            ("abcbcbbb", "a"),
            ("abbbaaa", "ab"),
            ("", ""),
        ] {
            let mut epoch = Epoch::default();
            let ended: String = answers
                .chars()
                .filter_map(|name| epoch.answered(&Name::from(name.to_string().as_str())))
                .map(|name| name.to_string())
                .collect();
            assert_eq!(ended, begun, "{answers}");
        }
    }
}
