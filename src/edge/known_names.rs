//! Remembers the names of the headers that came last on a connection: the same ones come again.

use http::HeaderName;

/// Bytes of a name that is remembered, at most: one that is longer is not worth being kept.
const NAME_KEPT: usize = 64;

/// The names of the headers of the latest head, in order.
#[derive(Debug, Default)]
pub(in crate::edge) struct KnownNames(Vec<Known>);

#[derive(Debug)]
struct Known {
    name: HeaderName,
    /// As it was spelled, where that is another way than in small letters.
    spelled: Option<Box<[u8]>>,
}

impl Known {
    fn new(name: HeaderName, text: &[u8]) -> Self {
        let spelled = (name.as_str().as_bytes() != text).then(|| text.into());
        Self { name, spelled }
    }

    /// To the letter: whoever spells a name otherwise the next time has it read anew, which costs no
    /// more than to compare names in whatever letters each time.
    fn is(&self, text: &[u8]) -> bool {
        let name = self.name.as_str().as_bytes();
        self.spelled.as_deref().unwrap_or(name) == text
    }
}

impl KnownNames {
    /// The name of the header at `place`: the one that was there the last time, if it is the same.
    /// Absent where `text` is no name.
    pub(in crate::edge) fn at(&mut self, place: usize, text: &[u8]) -> Option<HeaderName> {
        let known = self.0.get(place);
        if let Some(same) = known.filter(|known| known.is(text)) {
            return Some(same.name.clone());
        }
        let name = HeaderName::from_bytes(text).ok()?;
        self.0.truncate(place);
        if self.0.len() == place && text.len() <= NAME_KEPT {
            self.0.push(Known::new(name.clone(), text));
        }
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_were_spelled() {
        let mut names = KnownNames::default();
        let long = "x-".repeat(50);
        for head in [
            &["Host", "X-Long-Name", "accept"][..],
            &["Host", "X-Long-Name", "accept"],
            &["host", "x-long-name", "Accept", "x-further"],
            &["Host", "X-Other"],
            &[&long, "X-Other"],
            &[&long, "X-Other"],
        ] {
            let read = head.iter().enumerate();
            let read = read.map(|(place, text)| names.at(place, text.as_bytes()));
            let read: Vec<_> = read.flatten().map(|name| name.to_string()).collect();
            let expected: Vec<_> = head.iter().map(|text| text.to_lowercase()).collect();
            assert_eq!(read, expected);
        }
        for text in ["", "a b", "a:", "ä"] {
            assert_eq!(names.at(0, text.as_bytes()), None, "{text}");
        }
    }
}
