//! Reads spans and moments of reset, in the words of every provider.

use crate::record::{Nanos, WallTime};

use super::date::{http_date, rfc3339};

/// The span until a reset: `6m0s`, `12ms`, `7.66s`, seconds, epoch seconds or milliseconds, RFC
/// 3339, or an HTTP date. Negative ones and what is no number are none.
#[must_use]
pub fn reset(text: &str, now: WallTime) -> Option<Nanos> {
    let text = text.trim();
    let until = |date: WallTime| Nanos(date.0.saturating_sub(now.0).max(0) as u64 * 1_000);
    if let Ok(bare) = text.parse::<f64>() {
        return if !bare.is_finite() || bare < 0.0 {
            None
        } else if bare >= 1e12 {
            Some(until(WallTime((bare * 1e3) as i64)))
        } else if bare >= 1e9 {
            Some(until(WallTime((bare * 1e6) as i64)))
        } else {
            number(text, 1e9)
        };
    }
    duration(text).or_else(|| http_date(text).or_else(|| rfc3339(text)).map(until))
}

pub(super) fn number(text: &str, unit: f64) -> Option<Nanos> {
    let number: f64 = text.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then(|| Nanos((number * unit).min(3.2e16) as u64))
}

/// A duration as Go and protobuf write it: `1h2m3.5s`, `12ms`, `27.5s`.
fn duration(text: &str) -> Option<Nanos> {
    let mut rest = text;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let amount: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        sum += amount
            * match &rest[..letters] {
                "d" => 86_400e9,
                "h" => 3_600e9,
                "m" => 60e9,
                "s" => 1e9,
                "ms" => 1e6,
                "us" | "µs" => 1e3,
                "ns" => 1.0,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    (!text.is_empty()).then(|| Nanos(sum.min(3.2e16) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noon of 22 November 2026.
    const NOW: WallTime = WallTime(1_795_348_800_000_000);

    #[test]
    fn resets_of_every_provider_are_read() {
        for (text, millis) in [
            ("6m0s", Some(360_000)),
            ("12ms", Some(12)),
            ("7.66s", Some(7_660)),
            ("2m59.56s", Some(179_560)),
            ("1h0m0s", Some(3_600_000)),
            ("12", Some(12_000)),
            ("33011.382867", Some(33_011_382)),
            ("1795348805000", Some(5_000)),
            ("1795348805", Some(5_000)),
            ("2026-11-22T12:00:01Z", Some(1_000)),
            ("27.5s", Some(27_500)),
            ("5x", None),
            ("s", None),
            ("", None),
        ] {
            let found = reset(text, NOW).map(|span| span.0 / 1_000_000);
            assert_eq!(found, millis, "{text}");
        }
    }
}
