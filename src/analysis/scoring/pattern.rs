//! Looks for a regular expression in an answer.

use regex_lite::{Regex, RegexBuilder};

/// A regular expression that was read.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

/// Bytes that a compiled expression may take.
const SIZE_MAX: usize = 1 << 20;

impl Pattern {
    /// Reads one; an error says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut builder = RegexBuilder::new(text);
        let built = builder.size_limit(SIZE_MAX).build();
        built
            .map(Self)
            .map_err(|error| format!("`{text}` is no regular expression: {error}"))
    }

    /// Whether it is found in `text`.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_looked_for_anywhere() {
        for (pattern, text, found) in [
            ("os.o", "It is Oslo", false),
            ("(?i)os.o", "It is Oslo", true),
            ("^Oslo$", "Oslo", true),
            ("^Oslo$", "It is Oslo", false),
            (r"(?m)^\d+$", "a\n12\nb", true),
            ("Zürich", "In Zürich.", true),
        ] {
            assert_eq!(
                Pattern::read(pattern).unwrap().is_in(text),
                found,
                "{pattern} {text}"
            );
        }
        for bad in ["(", "a{1000000}", "[z-a]"] {
            assert!(Pattern::read(bad).is_err(), "{bad}");
        }
    }
}
