//! Holds what a user wrote beside the numbers: why something changed, and when.

use super::units::{Name, WallTime};

/// Bytes of a note's text at most.
pub const NOTE_BYTES_MAX: usize = 500;

/// A note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its number in the store; zero of one that is not there yet.
    pub id: u32,
    /// The moment that it is about.
    pub at: WallTime,
    /// The provider, or `provider/model`, that it is about; absent where it is about all.
    pub route: Option<Name>,
    /// What it says.
    pub text: String,
}

impl Note {
    /// A note that may be kept: its text has no control characters, and is neither empty nor too
    /// long; the same holds of its route. The error says what to do.
    pub fn new(at: WallTime, route: Option<&str>, text: &str) -> Result<Self, String> {
        let text = text.trim();
        let route = route.map(str::trim).filter(|route| !route.is_empty());
        for (what, words) in [("text", text), ("route", route.unwrap_or("-"))] {
            if words.is_empty() || words.len() > NOTE_BYTES_MAX {
                return Err(format!(
                    "the {what} of a note has 1 to {NOTE_BYTES_MAX} bytes, this one {}",
                    words.len()
                ));
            }
            if words.chars().any(char::is_control) {
                return Err(format!(
                    "the {what} of a note is one line without control characters"
                ));
            }
        }
        Ok(Self {
            id: 0,
            at,
            route: route.map(Name::from),
            text: text.to_owned(),
        })
    }

    /// Whether it is about that way to a model.
    #[must_use]
    pub fn is_about(&self, provider: &str, model: &str) -> bool {
        let Some(route) = &self.route else {
            return true;
        };
        match route.split_once('/') {
            None => **route == *provider,
            Some((named, of)) => {
                // A router's own name of a model has its maker in front.
                named == provider && (of == model || of.rsplit('/').next() == Some(model))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_short_line_about_all_or_one_route() {
        let at = WallTime(1);
        for text in ["", "  ", "two\nlines", &"x".repeat(501)] {
            assert!(Note::new(at, None, text).is_err(), "{text}");
        }
        assert!(Note::new(at, Some("a\u{0}"), "x").is_err());
        assert_eq!(Note::new(at, Some(" "), " ok ").unwrap().text, "ok");
        for (route, provider, model, expected) in [
            (None, "openai", "gpt-4.1", true),
            (Some("openai"), "openai", "gpt-4.1", true),
            (Some("openai"), "openrouter", "gpt-4.1", false),
            (Some("openai/gpt-4.1"), "openai", "gpt-4.1", true),
            (Some("openai/gpt-4.1"), "openai", "gpt-4.1-mini", false),
            (
                Some("openrouter/openai/gpt-4.1"),
                "openrouter",
                "gpt-4.1",
                true,
            ),
        ] {
            let note = Note::new(at, route, "x").unwrap();
            assert_eq!(
                note.is_about(provider, model),
                expected,
                "{route:?} {provider}"
            );
        }
    }
}
