//! Reads how long a provider asks to be left alone.

use crate::record::{Nanos, RateLimitHeader, WallTime};

use super::date::dated;
use super::declared::Declared;
use super::span::{number, reset};

/// How long the provider asks to be left alone, from the headers of one response: `retry-after-ms`,
/// else `retry-after` (seconds or a date), else what Google says in the body, else the reset of a
/// meter of which nothing is left, else what the error's message says.
///
/// `declared` is what the same headers declare ([`super::declared()`]). `now` is the date of the
/// response here; where the provider's own `date` stands beside moments of its own, that counts: a
/// clock that is off then does no harm.
#[must_use]
pub fn wait(headers: &[RateLimitHeader], declared: &Declared, now: WallTime) -> Option<Nanos> {
    let now = dated(headers, now);
    let value = |name: &str| {
        let header = headers.iter().find(|header| header.name.as_str() == name)?;
        Some(header.value.as_str())
    };
    for name in ["retry-after-ms", "x-ms-retry-after-ms"] {
        if let Some(wait) = value(name).and_then(|text| number(text, 1e6)) {
            return Some(wait);
        }
    }
    for name in ["retry-after", "body.retry-delay"] {
        if let Some(wait) = value(name).and_then(|text| reset(text, now)) {
            return Some(wait);
        }
    }
    declared
        .meters()
        .filter(|(_, limit)| limit.left == Some(0))
        .filter_map(|(_, limit)| limit.reset)
        .max()
        .or_else(|| value("body.message").and_then(|text| reset(text, now)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::limits::declared;

    /// Noon of 22 November 2026.
    const NOW: WallTime = WallTime(1_795_348_800_000_000);

    fn headers(pairs: &[(&str, &str)]) -> Vec<RateLimitHeader> {
        let header = |(name, value): &(&str, &str)| RateLimitHeader {
            name: (*name).into(),
            value: (*value).into(),
        };
        pairs.iter().map(header).collect()
    }

    #[test]
    fn retry_after_is_read_as_seconds_date_and_milliseconds() {
        for (pairs, millis) in [
            (&[("retry-after", "2")][..], Some(2_000)),
            (&[("retry-after", "0.5")], Some(500)),
            (
                &[("retry-after", "Sun, 22 Nov 2026 12:00:07 GMT")],
                Some(7_000),
            ),
            // A date that is over asks for no wait.
            (&[("retry-after", "Sun, 22 Nov 2026 11:00:00 GMT")], Some(0)),
            (
                &[("retry-after-ms", "350"), ("retry-after", "1")],
                Some(350),
            ),
            (&[("x-ms-retry-after-ms", "41")], Some(41)),
            (&[("retry-after", "-3")], None),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "soon")], None),
            (&[], None),
            (&[("body.retry-delay", "27.5s")], Some(27_500)),
            (
                &[("body.message", "7.66s"), ("retry-after", "2")],
                Some(2_000),
            ),
            (&[("body.message", "7.66s")], Some(7_660)),
            // Its clock is a minute behind ours.
            (
                &[
                    ("retry-after", "Sun, 22 Nov 2026 11:59:07 GMT"),
                    ("date", "Sun, 22 Nov 2026 11:59:00 GMT"),
                ],
                Some(7_000),
            ),
            // Nothing left of the tokens, and their reset is told.
            (
                &[
                    ("x-ratelimit-remaining-tokens", "0"),
                    ("x-ratelimit-reset-tokens", "6m0s"),
                    ("x-ratelimit-remaining-requests", "9"),
                    ("x-ratelimit-reset-requests", "1h0m0s"),
                ],
                Some(360_000),
            ),
        ] {
            let headers = headers(pairs);
            let wait = wait(&headers, &declared(&headers, NOW), NOW);
            assert_eq!(wait, millis.map(Nanos::from_millis), "{pairs:?}");
        }
    }
}
