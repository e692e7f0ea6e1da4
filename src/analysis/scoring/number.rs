//! Finds the number that an answer ends with, and says how near it is to the right one.

/// The last number of a text. Thousands may be parted by commas; a sign counts where it does not
/// join two words or numbers (`2020-21` ends with 21); a point or an exponent needs a digit behind
/// it (`42.` is 42).
#[must_use]
pub(super) fn last_number(text: &str) -> Option<f64> {
    let chars: Vec<char> = text.chars().map(plain).collect();
    let mut found = None;
    let mut at = 0;
    while at < chars.len() {
        if starts_number(&chars, at) {
            let (end, digits) = number_at(&chars, at);
            let sign = sign_before(&chars, at);
            found = digits.parse::<f64>().ok().map(|value| sign * value);
            at = end;
        } else {
            at += 1;
        }
    }
    found.filter(|value| value.is_finite())
}

/// Other minus signs and wide digits as ASCII has them.
fn plain(c: char) -> char {
    match c {
        '\u{2212}' | '\u{2013}' => '-',
        '\u{ff10}'..='\u{ff19}' => char::from(b'0' + (c as u32 - 0xff10) as u8),
        other => other,
    }
}

fn is_digit(chars: &[char], at: usize) -> bool {
    chars.get(at).is_some_and(char::is_ascii_digit)
}

fn starts_number(chars: &[char], at: usize) -> bool {
    is_digit(chars, at) || chars[at] == '.' && is_digit(chars, at + 1)
}

/// Where the number at `at` ends, and what it reads without commas.
fn number_at(chars: &[char], mut at: usize) -> (usize, String) {
    let mut digits = String::new();
    let from = at;
    while is_digit(chars, at) {
        digits.push(chars[at]);
        at += 1;
    }
    if (1..=3).contains(&(at - from)) {
        while is_thousand(chars, at) {
            digits.extend(&chars[at + 1..at + 4]);
            at += 4;
        }
    }
    if chars.get(at) == Some(&'.') && is_digit(chars, at + 1) {
        digits.push('.');
        at += 1;
        while is_digit(chars, at) {
            digits.push(chars[at]);
            at += 1;
        }
    }
    let signed = usize::from(matches!(chars.get(at + 1), Some('+' | '-')));
    if matches!(chars.get(at), Some('e' | 'E')) && is_digit(chars, at + 1 + signed) {
        digits.extend(&chars[at..=at + signed]);
        at += 1 + signed;
        while is_digit(chars, at) {
            digits.push(chars[at]);
            at += 1;
        }
    }
    (at, digits)
}

/// A comma and three digits, with no fourth behind them.
fn is_thousand(chars: &[char], at: usize) -> bool {
    chars.get(at) == Some(&',')
        && (1..4).all(|place| is_digit(chars, at + place))
        && !is_digit(chars, at + 4)
}

fn sign_before(chars: &[char], at: usize) -> f64 {
    let before = |back: usize| at.checked_sub(back).map(|place| chars[place]);
    let joins = before(2).is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | ')'));
    if before(1) == Some('-') && !joins {
        -1.0
    } else {
        1.0
    }
}

/// How near `found` is to `expected`: within `tolerance` 1 and else 0; without one
/// `1 − |f − e| / (|f| + |e|)`, and 1 where both are 0.
///
/// The latter is the numeric difference of Braintrust's autoevals, so that scores compare.
#[must_use]
pub(super) fn nearness(found: f64, expected: f64, tolerance: Option<f64>) -> f64 {
    let apart = (found - expected).abs();
    if let Some(tolerance) = tolerance {
        // A difference that the tolerance names exactly is within it, whatever the last digit.
        let within = apart <= tolerance + 1e-12 * expected.abs().max(1.0);
        return f64::from(u8::from(within));
    }
    let whole = found.abs() + expected.abs();
    if whole == 0.0 {
        1.0
    } else {
        1.0 - apart / whole
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "exact by construction")]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_is_found() {
        for (text, expected) in [
            ("The answer is 42.", Some(42.0)),
            ("3 + 4 = 7", Some(7.0)),
            ("about -1,234.5 degrees", Some(-1_234.5)),
            ("1,2,3", Some(3.0)),
            ("1,2345", Some(2_345.0)),
            ("12,345,678", Some(12_345_678.0)),
            ("2020-21", Some(21.0)),
            ("x-5", Some(5.0)),
            ("(-5)", Some(-5.0)),
            ("\u{2212}0.5", Some(-0.5)),
            ("$.75", Some(0.75)),
            ("6.02e23 particles", Some(6.02e23)),
            ("1E-3", Some(0.001)),
            ("2e is no exponent", Some(2.0)),
            ("42%", Some(42.0)),
            ("１２", Some(12.0)),
            ("v1.2.3", Some(0.3)),
            ("1e999", None),
            ("none", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(last_number(text), expected, "{text}");
        }
    }

    #[test]
    fn nearness_is_within_or_by_degrees() {
        for (found, expected, tolerance, score) in [
            (3.0, 3.0, Some(0.0), 1.0),
            (3.1, 3.0, Some(0.1), 1.0),
            (3.2, 3.0, Some(0.1), 0.0),
            (0.0, 0.0, None, 1.0),
            (1.0, 1.0, None, 1.0),
            (1.0, 0.0, None, 0.0),
            (1.0, 3.0, None, 0.5),
            (-1.0, 1.0, None, 0.0),
        ] {
            let near = nearness(found, expected, tolerance);
            assert_eq!(near, score, "{found} {expected}");
        }
    }
}
