//! Compares texts: as they are, or by what they say.

use unicode_normalization::UnicodeNormalization as _;

use super::number;

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
/// ASCII's punctuation only and take `3.14` for `314`. Here symbols (`+ < = > ^ | ~ $`) are no
/// punctuation, as in Unicode, and what makes a number another one stays ([`is_of_number`]). A
/// text of which that leaves nothing keeps its articles, and one without any word its punctuation:
/// `A` is a choice among several and not what `The` says.
#[must_use]
pub(super) fn normalised(text: &str) -> String {
    let composed: Vec<char> = folded(text).map(number::plain).collect();
    let bare: String = (0..composed.len())
        .filter(|at| says(&composed, *at))
        .map(|at| composed[at])
        .collect();
    let joined = |text: &str, takes: fn(&str) -> bool| {
        let words: Vec<&str> = text.split_whitespace().filter(|word| takes(word)).collect();
        (!words.is_empty()).then(|| words.join(" "))
    };
    joined(&bare, |word| !matches!(word, "a" | "an" | "the"))
        .or_else(|| joined(&bare, |_| true))
        .or_else(|| joined(&composed.iter().collect::<String>(), |_| true))
        .unwrap_or_default()
}

/// NFKC, and letters whose case does not count: by way of large ones, so that `ß` is `ss`; the dot
/// that a large `İ` leaves behind goes.
fn folded(text: &str) -> impl Iterator<Item = char> {
    let large = text.nfkc().flat_map(char::to_uppercase);
    let small: String = large.flat_map(char::to_lowercase).collect();
    let text: String = small.replace("i\u{307}", "i").nfkc().collect();
    text.chars().collect::<Vec<_>>().into_iter()
}

/// Whether the character at that place says anything.
fn says(chars: &[char], at: usize) -> bool {
    let c = chars[at];
    let before = at.checked_sub(1).map(|place| chars[place]);
    match c {
        // C# is not C.
        '#' => {
            before.is_some_and(char::is_alphabetic)
                && !chars.get(at + 1).is_some_and(|c| c.is_alphanumeric())
        }
        // A plus in front of a number says nothing.
        '+' => before.is_some_and(|c| !c.is_whitespace()) || !number::is_digit(chars, at + 1),
        c => !is_punctuation(c) || is_of_number(chars, at),
    }
}

/// Whether the character at that place makes a number another one: a point, a fraction's bar, a
/// colon or a comma between two digits (one that parts thousands not), a point before the first
/// digit, a minus that joins no words.
fn is_of_number(chars: &[char], at: usize) -> bool {
    let is_digit = |at: usize| number::is_digit(chars, at);
    let before = at.checked_sub(1).map(|place| chars[place]);
    let between = before.is_some_and(|c| c.is_ascii_digit()) && is_digit(at + 1);
    let joins = before.is_some_and(char::is_alphabetic);
    match chars[at] {
        '.' => between || !joins && is_digit(at + 1),
        '/' | ':' | '*' => between,
        ',' => between && !parts_thousands(chars, at),
        '-' => {
            let amount = chars.get(at + 1).copied().is_some_and(number::is_currency);
            let next = at + 1 + usize::from(amount);
            !joins && (is_digit(next) || chars.get(next) == Some(&'.') && is_digit(next + 1))
        }
        _ => false,
    }
}

/// Whether the comma at that place parts thousands: one to three digits before it and groups of
/// three behind it.
fn parts_thousands(chars: &[char], at: usize) -> bool {
    let of_number = |c: &&char| c.is_ascii_digit() || **c == ',';
    let from = at - chars[..at].iter().rev().take_while(of_number).count();
    let to = at + chars[at..].iter().take_while(of_number).count();
    let mut groups = chars[from..to].split(|c| *c == ',').map(<[char]>::len);
    groups.next().is_some_and(|first| (1..=3).contains(&first)) && groups.all(|len| len == 3)
}

/// ASCII's punctuation without its symbols, and what other scripts write for it. The grave accent
/// is punctuation: it marks code.
const fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() && !matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '|' | '~')
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
            ("“Größe”", "grösse"),
            ("GRÖSSE", "grösse"),
            ("İstanbul", "istanbul"),
            ("ΟΔΟΣ", "οδοσ"),
            ("οδός", "οδόσ"),
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
            // A sign, a point, a bar or a symbol makes it another number, or another thing.
            ("3.14", "314", false),
            ("1.0", "10", false),
            (".75", "75", false),
            ("-5", "5", false),
            ("\u{2212}5", "-5", true),
            ("-$5", "$5", false),
            ("+5", "5", true),
            ("1/2", "12", false),
            ("½", "1/2", true),
            ("10:30", "1030", false),
            ("1,2", "12", false),
            ("1,234,567.5", "1234567.5", true),
            ("2020–21", "2020-21", true),
            ("x<y", "x>y", false),
            ("C++", "C", false),
            ("C#", "C", false),
            ("STRASSE", "Straße", true),
            // What ends a sentence or joins words is none of it.
            ("It is 42.", "it is 42", true),
            ("GPT-4", "gpt4", true),
            ("1, 2, and 3", "1 2 and 3", true),
            ("# Oslo", "oslo", true),
            ("`Oslo`", "oslo", true),
            ("Oslo - Norway", "Oslo – Norway", true),
        ] {
            assert_eq!(same(answer, expected), equal, "{answer} {expected}");
        }
    }
}
