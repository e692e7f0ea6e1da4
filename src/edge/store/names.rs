//! Gives texts that come again and again a number, so that records stay small.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::record::{KeyedHash, Name};

/// The number of a text in one store. Zero is no text's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NameId(pub u32);

impl NameId {
    /// There is no such text: no provider, no model.
    pub const NONE: Self = Self(0);

    /// There is one, and numbers are spent: the detail has it.
    pub const OTHER: Self = Self(0xffff);
}

/// Whose texts ask for numbers: clients must not be able to spend those of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Providers, models that answered, endpoints, header names.
    Core,
    /// What a client writes freely: tags, models that nobody serves.
    Loose,
}

impl Scope {
    const fn limit(self) -> usize {
        match self {
            // A number takes two bytes in a summary.
            Self::Core => 60_000,
            Self::Loose => 16_000,
        }
    }
}

/// Longest text that gets a number.
const NAME_BYTES_MAX: usize = 1024;

/// Finds the text of a number.
pub(super) trait NameTable {
    /// The text of that number.
    fn name(&self, id: NameId) -> Option<Name>;
}

/// The texts of one store in memory.
#[derive(Debug, Clone, Default)]
pub struct Names {
    ids: HashMap<Name, NameId, RandomState>,
    /// Index is the number less one. A number whose text is damaged has none.
    texts: Vec<Option<Name>>,
    /// How many of them are on disk.
    kept: usize,
    /// Numbers of texts that are numbers themselves, so that those need not be written out to be
    /// found: shapes and hashes.
    shapes: HashMap<u64, NameId, RandomState>,
    hashes: HashMap<u64, NameId, RandomState>,
    /// The number that was found last for a text of that look: each record asks for the same ones,
    /// and to compare two texts costs a fifth of finding one by its hash.
    lately: Vec<NameId>,
}

/// Looks that are told apart.
const LOOKS: usize = 256;

/// Which look a text has: its length and both its ends.
fn look(text: &str) -> usize {
    let bytes = text.as_bytes();
    let end = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default());
    (bytes.len() ^ end(bytes.first()) << 2 ^ end(bytes.last()) << 3) % LOOKS
}

impl Names {
    /// The text of that number, where there is one.
    #[must_use]
    pub fn get(&self, id: NameId) -> Option<&Name> {
        let place = (id.0 as usize).checked_sub(1)?;
        self.texts.get(place)?.as_ref()
    }

    /// The number of that text, where it has one.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<NameId> {
        self.ids.get(text).copied()
    }

    /// How many numbers are given.
    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether no number is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The number of `text`, a new one where it has none and there are some left.
    pub(super) fn id(&mut self, text: &str, scope: Scope) -> Option<NameId> {
        let look = look(text);
        let lately = self.lately.get(look).copied().unwrap_or_default();
        if self.get(lately).is_some_and(|known| known.as_str() == text) {
            return Some(lately);
        }
        let id = self.found_or_new(text, scope)?;
        self.lately.resize(LOOKS, NameId::NONE);
        self.lately[look] = id;
        Some(id)
    }

    fn found_or_new(&mut self, text: &str, scope: Scope) -> Option<NameId> {
        if let Some(id) = self.ids.get(text) {
            return Some(*id);
        }
        if self.texts.len() >= scope.limit() || text.len() > NAME_BYTES_MAX {
            return None;
        }
        let name = Name::from(text);
        self.texts.push(Some(name.clone()));
        let id = NameId(self.texts.len() as u32);
        self.ids.insert(name, id);
        Some(id)
    }

    /// The number of the text of a shape: its bits in hexadecimal digits.
    pub(super) fn shape(&mut self, bits: u64) -> Option<NameId> {
        if let Some(id) = self.shapes.get(&bits) {
            return Some(*id);
        }
        let id = self.id(&format!("{bits:x}"), Scope::Loose)?;
        self.shapes.insert(bits, id);
        Some(id)
    }

    /// The number of the text of a hash.
    pub(super) fn hash(&mut self, hash: KeyedHash, scope: Scope) -> Option<NameId> {
        if let Some(id) = self.hashes.get(&hash.0) {
            return Some(*id);
        }
        let id = self.id(&hash.to_string(), scope)?;
        self.hashes.insert(hash.0, id);
        Some(id)
    }

    /// Takes in a row of the table; a damaged one keeps its number taken.
    pub(super) fn load(&mut self, id: NameId, text: Option<&str>) {
        let Some(place) = (id.0 as usize).checked_sub(1) else {
            return;
        };
        if self.texts.len() <= place {
            self.texts.resize(place + 1, None);
        }
        if let Some(text) = text {
            let name = Name::from(text);
            self.texts[place] = Some(name.clone());
            self.ids.insert(name, id);
        }
        self.kept = self.texts.len();
    }

    /// Whether some text may have been refused a number: what is named [`NameId::OTHER`] then may
    /// have a number by now.
    pub(super) fn may_have_refused(&self) -> bool {
        self.texts.len() >= Scope::Loose.limit()
    }

    /// The number that the next new text gets.
    pub(super) fn following(&self) -> NameId {
        NameId(self.texts.len() as u32 + 1)
    }

    /// The highest number given.
    pub(super) fn last(&self) -> NameId {
        NameId(self.texts.len() as u32)
    }

    /// The texts that are not on disk yet, with their numbers.
    pub(super) fn fresh(&self) -> impl Iterator<Item = (NameId, &Name)> {
        let from = self.kept;
        let texts = self.texts[from..].iter().enumerate();
        texts.filter_map(move |(at, text)| Some((NameId((from + at + 1) as u32), text.as_ref()?)))
    }

    /// Everything is on disk now.
    pub(super) fn settle(&mut self) {
        self.kept = self.texts.len();
    }
}

impl NameTable for Names {
    fn name(&self, id: NameId) -> Option<Name> {
        self.get(id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_its_number() {
        let mut names = Names::default();
        let first = names.id("openai", Scope::Core).unwrap();
        assert_eq!(names.id("openai", Scope::Loose), Some(first));
        let second = names.id("groq", Scope::Core).unwrap();
        assert_ne!(first, second);
        assert_eq!(names.fresh().count(), 2);
        names.settle();
        assert_eq!(names.fresh().count(), 0);
        assert_eq!(names.get(second).map(Name::as_str), Some("groq"));
        assert_eq!(names.get(NameId::NONE), None);
        assert_eq!(names.get(NameId::OTHER), None);
    }

    #[test]
    fn texts_that_look_alike_are_told_apart() {
        let mut names = Names::default();
        let texts = ["openai", "opanai", "", "o", "openai-openai", "opanai"];
        assert_eq!(look(texts[0]), look(texts[1]));
        let ids = texts.map(|text| names.id(text, Scope::Core).unwrap());
        for (text, id) in texts.iter().zip(ids) {
            assert_eq!(names.id(text, Scope::Core), Some(id));
            assert_eq!(names.get(id).map(Name::as_str), Some(*text));
        }
        assert_eq!(names.len(), 5);
    }

    #[test]
    fn what_clients_write_cannot_spend_the_numbers_of_the_configuration() {
        let mut names = Names::default();
        for n in 0..Scope::Loose.limit() {
            assert!(names.id(&n.to_string(), Scope::Loose).is_some());
        }
        assert_eq!(names.id("one more", Scope::Loose), None);
        assert!(names.id("openai", Scope::Core).is_some());
        assert_eq!(names.id(&"x".repeat(3000), Scope::Core), None);
    }

    #[test]
    fn a_damaged_row_keeps_its_number_taken() {
        let mut names = Names::default();
        names.load(NameId(2), Some("groq"));
        names.load(NameId(1), None);
        assert_eq!(names.get(NameId(1)), None);
        assert_eq!(names.id("openai", Scope::Core), Some(NameId(3)));
    }
}
