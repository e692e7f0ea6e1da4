//! Compares texts: as they are, or by what they say.

use unicode_normalization::UnicodeNormalization as _;

/// Whether both are the same but for the space around them.
#[must_use]
pub(super) fn exact(answer: &str, expected: &str) -> bool {
    answer.trim() == expected.trim()
}

/// Whether both say the same: [`normalised`] they are equal.
#[must_use]
pub(super) fn same(answer: &str, expected: &str) -> bool {
    normalised(answer) == normalised(expected)
}

/// A text without what says nothing: compatibility forms are composed (NFKC), letters are small,
/// punctuation and the articles `a`, `an`, `the` are gone, and words have one space between them.
///
/// The order is that of the evaluation of `SQuAD` and `CoQA` (Rajpurkar et al. 2016), which know
/// ASCII's punctuation only. A text of which that leaves nothing keeps its articles, and one
/// without any word its punctuation: `A` is a choice among several and not what `The` says.
#[must_use]
pub(super) fn normalised(text: &str) -> String {
    let composed: String = text.nfkc().flat_map(char::to_lowercase).collect();
    let bare: String = composed.chars().filter(|c| !is_punctuation(*c)).collect();
    let joined = |text: &str, takes: fn(&str) -> bool| {
        let words: Vec<&str> = text.split_whitespace().filter(|word| takes(word)).collect();
        (!words.is_empty()).then(|| words.join(" "))
    };
    joined(&bare, |word| !matches!(word, "a" | "an" | "the"))
        .or_else(|| joined(&bare, |_| true))
        .or_else(|| joined(&composed, |_| true))
        .unwrap_or_default()
}

/// ASCII's punctuation, and what other scripts write for it.
const fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(
            c,
            '¡' | '§' | '«' | '¶' | '·' | '»' | '¿'
            | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}'
            | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}'
            | '\u{0964}' | '\u{0965}' | '\u{060c}' | '\u{061b}' | '\u{061f}' | '\u{06d4}'
            | '\u{30fb}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_as_they_are() {
        for (answer, expected, equal) in [
            ("Oslo", "Oslo", true),
            (" Oslo\n", "Oslo", true),
            ("oslo", "Oslo", false),
            ("Oslo.", "Oslo", false),
            ("", "", true),
        ] {
            assert_eq!(exact(answer, expected), equal, "{answer} {expected}");
        }
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        for (text, expected) in [
            ("The Eiffel Tower!", "eiffel tower"),
            ("  an   apple,\ta\nday ", "apple day"),
            ("“Größe”", "größe"),
            ("GRÖSSE", "grösse"),
            ("twenty-one", "twentyone"),
            ("U.S.A.", "usa"),
            // Wide letters, a ligature, a superscript, a combining mark.
            ("ＡＢＣ１２３", "abc123"),
            ("ﬁne", "fine"),
            ("m²", "m2"),
            ("cafe\u{301}", "café"),
            ("東京、日本。", "東京日本"),
            ("¿Qué?", "qué"),
            ("theatre", "theatre"),
            ("हिन्दी", "हिन्दी"),
            ("The", "the"),
            ("**A**.", "a"),
            ("the a", "the a"),
            ("...", "..."),
            (" + ", "+"),
            ("", ""),
        ] {
            assert_eq!(normalised(text), expected, "{text}");
        }
        assert!(same("The answer", "answer."));
        assert!(!same("42", "43"));
        for (answer, expected, equal) in [
            ("A", "A", true),
            ("(a)", "A", true),
            ("The", "A", false),
            ("an", "A", false),
            ("...", "A", false),
            ("<", ">", false),
            ("?", "", false),
        ] {
            assert_eq!(same(answer, expected), equal, "{answer} {expected}");
        }
    }
}
