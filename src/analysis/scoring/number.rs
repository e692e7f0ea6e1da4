//! Finds the number that an answer ends with, and says how near it is to the right one.

/// The last number of a text. Thousands may be parted by commas or spaces, but numbers that stand in a
/// row with a space between each (`10 20 300`) are a list; a sign counts where it
/// does not join two words or numbers (`2020-21` ends with 21), also before a currency's (`-$5`),
/// and a real minus sign with space behind it; a point or an exponent needs a digit behind it
/// (`42.` is 42).
#[must_use]
pub(super) fn last_number(text: &str) -> Option<f64> {
    let raw: Vec<char> = text.chars().collect();
    let chars: Vec<char> = raw.iter().copied().map(plain).collect();
    let mut found = None;
    let mut at = 0;
    while at < chars.len() {
        if starts_number(&chars, at) {
            let (end, digits) = number_at(&chars, at);
            let is_negative = has_minus(&chars, at) || has_minus_apart(&raw, at);
            let sign = if is_negative { -1.0 } else { 1.0 };
            found = digits.parse::<f64>().ok().map(|value| sign * value);
            at = end;
        } else {
            at += 1;
        }
    }
    found.filter(|value| value.is_finite())
}

const MINUS: char = '\u{2212}';

/// Other minus signs, fraction bars and wide digits as ASCII has them.
pub(super) fn plain(c: char) -> char {
    match c {
        MINUS | '\u{2010}' | '\u{2011}' | '\u{2013}' => '-',
        '\u{2044}' => '/',
        '\u{ff10}'..='\u{ff19}' => char::from(b'0' + (c as u32 - 0xff10) as u8),
        other => other,
    }
}

/// The sign of a currency that stands before amounts.
pub(super) const fn is_currency(c: char) -> bool {
    matches!(c, '$' | '¢' | '£' | '¤' | '¥' | '\u{20a0}'..='\u{20c0}')
}

pub(super) fn is_digit(chars: &[char], at: usize) -> bool {
    chars.get(at).is_some_and(char::is_ascii_digit)
}

fn starts_number(chars: &[char], at: usize) -> bool {
    is_digit(chars, at) || chars[at] == '.' && is_digit(chars, at + 1)
}

/// Where the number at `at` ends, and what it reads without what parts its thousands.
fn number_at(chars: &[char], mut at: usize) -> (usize, String) {
    let mut digits = String::new();
    let from = at;
    while is_digit(chars, at) {
        digits.push(chars[at]);
        at += 1;
    }
    let parted_by = chars.get(at).copied().filter(|c| parts_thousands(*c));
    if let Some(sign) = parted_by.filter(|_| (1..=3).contains(&(at - from))) {
        let mut end = at;
        while is_thousand(chars, end, sign) {
            end += 4;
        }
        if sign != ' ' || !is_listed(chars, from, end) {
            digits.extend(chars[at..end].iter().filter(|c| **c != sign));
            at = end;
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

/// A comma, a space, or one of the spaces that break no line.
const fn parts_thousands(c: char) -> bool {
    matches!(c, ',' | ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}')
}

/// Whether the digits from `from` to `end` have other numbers before or behind them, with one space
/// between.
fn is_listed(chars: &[char], from: usize, end: usize) -> bool {
    let before = from >= 2 && chars[from - 1] == ' ' && is_digit(chars, from - 2);
    before || chars.get(end) == Some(&' ') && is_digit(chars, end + 1)
}

/// That sign and three digits, with no fourth behind them.
fn is_thousand(chars: &[char], at: usize, sign: char) -> bool {
    chars.get(at) == Some(&sign)
        && (1..4).all(|place| is_digit(chars, at + place))
        && !is_digit(chars, at + 4)
}

/// Whether a minus stands right before the number at `at`, or before its currency.
fn has_minus(chars: &[char], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|place| chars[place]);
    let sign = 1 + usize::from(before(1).is_some_and(is_currency));
    let joins = before(sign + 1).is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | ')'));
    before(sign) == Some('-') && !joins
}

/// Whether a real minus sign stands before the number at `at` with space between, and nothing
/// before it that it takes from. A hyphen there is a dash, or marks an item of a list.
fn has_minus_apart(raw: &[char], at: usize) -> bool {
    let mut before = raw[..at].iter().rev().skip_while(|c| c.is_whitespace());
    let is_minus = before.next() == Some(&MINUS);
    let mut from = before.skip_while(|c| c.is_whitespace());
    is_minus
        && !from
            .next()
            .is_some_and(|c| c.is_numeric() || matches!(c, ')' | '%'))
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
            ("the balance is -$1,200", Some(-1_200.0)),
            ("\u{2212}€5", Some(-5.0)),
            ("$-5", Some(-5.0)),
            ("from $3-$5", Some(5.0)),
            ("it is \u{2212} 3", Some(-3.0)),
            ("10 \u{2212} 3", Some(3.0)),
            ("- 3", Some(3.0)),
            ("1 000 000", Some(1e6)),
            ("it costs 10 000 euros", Some(1e4)),
            ("Choose between 10 20 300", Some(300.0)),
            ("The primes are 2 3 5 100", Some(100.0)),
            ("2 300 4", Some(4.0)),
            ("1\u{a0}000\u{202f}000", Some(0.0)),
            ("1\u{202f}234,5", Some(5.0)),
            ("12\u{2009}345.5 km", Some(12_345.5)),
            ("in 2026 100 came", Some(100.0)),
            ("7 1000", Some(1_000.0)),
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
