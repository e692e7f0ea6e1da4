//! Writes quantities for people: spans, shares, counts, money, dates.

use crate::analysis::tables::{Figure, Share};
use crate::record::WallTime;

/// What stands where there is no number.
pub const NOTHING: &str = "—";

/// What stands beside a number of so few hours that its interval cannot know how they differ.
pub const BRIEF: &str = " in <3 h";

/// What that means.
pub const BRIEF_SAID: &str = "`in <3 h` stands beside numbers of less \
    than three hours: the interval is of those alone and cannot know how hours differ.";

/// A span of nanoseconds in the unit that suits it, with three digits that mean something.
#[must_use]
pub fn span(nanos: f64) -> String {
    if !nanos.is_finite() {
        return "∞".to_owned();
    }
    // Rounding must not leave 1000 of a unit.
    let (value, unit) = match nanos {
        n if n < 999.5e3 => (n / 1e3, "µs"),
        n if n < 999.5e6 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    format!("{} {unit}", three_digits(value))
}

/// A rate of thousandths of a token per second.
#[must_use]
pub fn rate(thousandths: f64) -> String {
    three_digits(thousandths / 1e3)
}

/// A number with three digits that mean something, more only before the point: one that is not
/// zero is never written as zero.
#[must_use]
pub fn three_digits(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => thousands(value.round() as u64),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.09995 || v <= 0.0 => format!("{value:.2}"),
        v if v >= 0.009_995 => format!("{value:.4}"),
        v if v >= 0.000_999_5 => format!("{value:.5}"),
        v if v >= 0.0001 => format!("{value:.6}"),
        _ => format!("<{LEAST}"),
    }
}

/// What is smaller than this, and more than nothing, is only said to be so.
const LEAST: &str = "0.0001";

/// The same of a difference, with its sign.
#[must_use]
pub fn signed(value: f64) -> String {
    let text = three_digits(value.abs());
    match (value < 0.0, text.strip_prefix('<')) {
        (true, Some(least)) => format!(">−{least}"),
        (false, Some(least)) => format!("<+{least}"),
        (true, None) => format!("−{text}"),
        (false, None) if value > 0.0 => format!("+{text}"),
        (false, None) => text,
    }
}

/// A difference of two shares in points of a hundred, with its sign.
#[must_use]
pub fn points(fraction: f64) -> String {
    let points = fraction * 100.0;
    if points.abs() > 0.0 && points.abs() < 0.005 {
        return format!("{} pp", signed(points));
    }
    let sign = match points {
        p if p < 0.0 => "−",
        p if p > 0.0 => "+",
        _ => "",
    };
    format!("{sign}{:.2} pp", points.abs())
}

/// A p-value with its sign: `p = 0.0412`, `p < 0.0001`.
#[must_use]
pub fn p_value(p: f64) -> String {
    let text = three_digits(p);
    match text.strip_prefix('<') {
        Some(least) => format!("p < {least}"),
        None => format!("p = {text}"),
    }
}

/// How many times.
#[must_use]
pub fn times(ratio: f64) -> String {
    if ratio.abs() > 0.0 && ratio.abs() < 0.09995 {
        return format!("{} ×", three_digits(ratio));
    }
    format!("{ratio:.3} ×")
}

/// A count with its thousands apart.
#[must_use]
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A large count in thousands or millions.
#[must_use]
pub fn short(count: u64) -> String {
    match count {
        0..10_000 => thousands(count),
        10_000..999_500 => format!("{}k", three_digits(count as f64 / 1e3)),
        999_500..999_500_000 => format!("{}M", three_digits(count as f64 / 1e6)),
        _ => format!("{}G", three_digits(count as f64 / 1e9)),
    }
}

/// A share in per cent; nothing of nothing.
#[must_use]
pub fn percent(share: Share) -> String {
    match share.fraction() {
        None => NOTHING.to_owned(),
        Some(fraction) => percent_of(fraction),
    }
}

/// A fraction in per cent: a small one is never shown as none, nor a large one as all.
#[must_use]
pub fn percent_of(fraction: f64) -> String {
    let percent = fraction * 100.0;
    match percent {
        p if p <= 0.0 => "0 %".to_owned(),
        p if p < 0.01 => "<0.01 %".to_owned(),
        p if p < 9.995 => format!("{p:.2} %"),
        p if p > 99.95 && p < 100.0 => ">99.9 %".to_owned(),
        // Of a limit more than all may be used.
        p if p >= 999.5 => format!("{} %", thousands(p.round() as u64)),
        p if p > 100.05 => format!("{p:.1} %"),
        p if p >= 100.0 => "100 %".to_owned(),
        p => format!("{p:.1} %"),
    }
}

/// US dollars.
#[must_use]
pub fn dollars(amount: f64) -> String {
    match amount {
        a if a <= 0.0 => "$0".to_owned(),
        a if a < 0.000_001 => "<$0.000001".to_owned(),
        a if a < 0.01 => format!("${a:.6}"),
        a if a < 1.0 => format!("${a:.4}"),
        a if a < 1_000.0 => format!("${a:.2}"),
        a => format!("${}", thousands(a.round() as u64)),
    }
}

/// US dollars, beside so many exchanges whose cost nobody knows: they are not in the sum.
#[must_use]
pub fn dollars_beside(known: f64, unpriced: u64) -> String {
    let known = dollars(known);
    match unpriced {
        0 => known,
        1 => format!("{known}, without 1 exchange whose cost is not known"),
        count => format!(
            "{known}, without {} exchanges whose cost is not known",
            thousands(count)
        ),
    }
}

/// A sum that somebody named: to the cent where it is one, else as it was said.
#[must_use]
pub fn sum(amount: f64) -> String {
    let cents = format!("{amount:.2}");
    if cents.parse() == Ok(amount) {
        cents
    } else {
        amount.to_string()
    }
}

/// A figure by `write`, or in short why there is none: `41 of 368` numbers, `∞` of failures.
pub fn figure(figure: Figure, write: impl FnOnce(f64) -> String) -> String {
    match figure {
        Figure::Value(value) => write(value),
        Figure::TooFew { has: 0, .. } => NOTHING.to_owned(),
        Figure::TooFew { needs, has } => format!("{has} of {needs}"),
        Figure::AmongFailures => "∞".to_owned(),
        Figure::NotWaitedOut => "?".to_owned(),
    }
}

/// Both ends of an interval written by `write`, an infinite one as what is among failures; a dash
/// where there is none.
#[must_use]
pub fn between(ends: Option<(f64, f64)>, write: impl Fn(f64) -> String) -> String {
    let end = |end: f64| figure(Figure::of(end), &write);
    ends.map_or_else(
        || NOTHING.to_owned(),
        |(low, high)| format!("[{}, {}]", end(low), end(high)),
    )
}

/// The same in full.
#[must_use]
pub fn why(figure: Figure) -> Option<String> {
    match figure {
        Figure::Value(_) => None,
        Figure::TooFew { needs, has } => Some(format!("needs {needs}, has {has}")),
        Figure::AmongFailures => Some("falls among the failures".to_owned()),
        Figure::NotWaitedOut => Some("lies beyond what was waited for".to_owned()),
    }
}

/// A date to the minute.
#[must_use]
pub fn minute(at: WallTime) -> String {
    let text = at.rfc3339();
    format!("{} {} UTC", &text[..10], &text[11..16])
}

/// A length of time in its largest unit.
#[must_use]
pub fn length(seconds: i64) -> String {
    match seconds {
        s if s >= 2 * 86_400 => format!("{} d", s / 86_400),
        s if s >= 2 * 3600 => format!("{} h", s / 3600),
        s if s >= 120 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// A text that comes from outside, without what would steer a terminal or reorder the line.
#[must_use]
pub fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars()
        .map(|c| if steers(c) { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        for (nanos, text) in [
            (0.0, "0.00 µs"),
            (41_234.0, "41.2 µs"),
            (999_499.0, "999 µs"),
            (999_600.0, "1.00 ms"),
            (312_400_000.0, "312 ms"),
            (9_996_000.0, "10.0 ms"),
            (1_920_000_000.0, "1.92 s"),
            (999_600_000.0, "1.00 s"),
            (1_234e9, "1,234 s"),
            (f64::INFINITY, "∞"),
        ] {
            assert_eq!(span(nanos), text);
        }
        for (value, text) in [
            (0.0, "0.00"),
            (5e-12, "<0.0001"),
            (0.000_412, "0.000412"),
            (0.004_139, "0.00414"),
            (0.009_996, "0.0100"),
            (0.049_6, "0.0496"),
            (0.099_96, "0.10"),
            (0.5, "0.50"),
            (12.345, "12.3"),
            (12_345.6, "12,346"),
        ] {
            assert_eq!(three_digits(value), text);
        }
        for (value, text) in [
            (0.0, "0.00"),
            (0.004_139, "+0.00414"),
            (-0.004_139, "−0.00414"),
            (5e-12, "<+0.0001"),
            (-5e-12, ">−0.0001"),
        ] {
            assert_eq!(signed(value), text);
        }
        for (p, text) in [
            (0.25, "p = 0.25"),
            (0.0041, "p = 0.00410"),
            (1e-9, "p < 0.0001"),
        ] {
            assert_eq!(p_value(p), text);
        }
        for (fraction, text) in [
            (0.0, "0.00 pp"),
            (0.000_04, "+0.00400 pp"),
            (-0.000_4, "−0.04 pp"),
            (0.0975, "+9.75 pp"),
        ] {
            assert_eq!(points(fraction), text);
        }
        for (ratio, text) in [(0.0, "0.000 ×"), (0.000_4, "0.000400 ×"), (1.2, "1.200 ×")] {
            assert_eq!(times(ratio), text);
        }
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(count), text);
        }
        for (count, text) in [(9_999, "9,999"), (12_345, "12.3k"), (999_600, "1.00M")] {
            assert_eq!(short(count), text);
        }
        for (part, whole, text) in [
            (0, 0, "—"),
            (0, 7, "0 %"),
            (1, 100_000, "<0.01 %"),
            (1, 250, "0.40 %"),
            (1, 3, "33.3 %"),
            (99_999, 100_000, ">99.9 %"),
            (3, 3, "100 %"),
            (21, 20, "105.0 %"),
            (25, 2, "1,250 %"),
        ] {
            assert_eq!(percent(Share::of(part, whole)), text);
        }
        for (amount, text) in [
            (0.0, "$0"),
            (0.000_000_1, "<$0.000001"),
            (0.0025, "$0.002500"),
            (12.345, "$12.35"),
            (12_345.6, "$12,346"),
        ] {
            assert_eq!(dollars(amount), text);
        }
    }

    #[test]
    fn what_steers_a_terminal_is_taken_out() {
        assert_eq!(
            plain("a\u{1b}[31mb\n\u{202e}c"),
            "a\u{fffd}[31mb\u{fffd}\u{fffd}c"
        );
    }
}
