//! Reads how long a provider asks to be left alone.

use crate::record::{Nanos, RateLimitHeader, WallTime};

use super::date::dated;
use super::declared::Declared;
use super::span::{number, reset};

/// How long the provider asks to be left alone, from the headers of one response: until the latest
/// moment of those that it names by `retry-after-ms`, `retry-after` (seconds or a date), Google's
/// word in the body and the resets of meters of which nothing is left; where it names none, what the
/// error's message says.
///
/// `declared` is what the same headers declare ([`super::declared()`]). `now` is the date of the
/// response here; where the provider's own `date` stands beside moments of its own, that counts: a
/// clock that is off then does no harm.
#[must_use]
pub fn wait(headers: &[RateLimitHeader], declared: &Declared, now: WallTime) -> Option<Nanos> {
    let now = dated(headers, now);
    let latest = |names: &[&str], read: &dyn Fn(&str) -> Option<Nanos>| {
        let named = headers
            .iter()
            .filter(|header| names.contains(&header.name.as_str()));
        named
            .filter_map(|header| several(&header.value, read))
            .max()
    };
    let reset = |text: &str| reset(text, now);
    let exact = latest(&["retry-after-ms", "x-ms-retry-after-ms"], &|text| {
        number(text, 1e6)
    });
    let told = latest(&["retry-after", "body.retry-delay"], &reset);
    // The same in whole seconds says no more than the exact number does.
    let told =
        told.filter(|told| exact.is_none_or(|exact| told.0 >= exact.0.saturating_add(SECOND)));
    [exact, told, declared.used_up]
        .into_iter()
        .flatten()
        .max()
        .or_else(|| latest(&["body.message"], &reset))
}

const SECOND: u64 = 1_000_000_000;

/// The latest of the values that a proxy in between has joined with commas, or the one that holds
/// a comma itself, as dates do.
fn several(text: &str, read: &dyn Fn(&str) -> Option<Nanos>) -> Option<Nanos> {
    read(text).or_else(|| text.split(',').filter_map(read).max())
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
            // The latest of all that it names counts.
            (&[("retry-after", "2"), ("retry-after", "90")], Some(90_000)),
            (&[("retry-after", "90"), ("retry-after", "2")], Some(90_000)),
            (&[("retry-after", "2, 90")], Some(90_000)),
            (
                &[("retry-after-ms", "1500"), ("retry-after", "30")],
                Some(30_000),
            ),
            (
                &[
                    ("retry-after", "2"),
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-reset-requests", "60s"),
                ],
                Some(60_000),
            ),
            // The dates of old that RFC 9110 (5.6.7) wants read too.
            (
                &[("retry-after", "Sunday, 22-Nov-26 12:00:07 GMT")],
                Some(7_000),
            ),
            (&[("retry-after", "Sun Nov 22 12:00:07 2026")], Some(7_000)),
            // The IETF's draft, which providers behind some gateways send alone.
            (&[("ratelimit", "\"default\";r=0;t=33")], Some(33_000)),
            (&[("ratelimit", "\"default\";r=7;t=33")], None),
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
            // Two limits of one kind are used up: the later one counts, in either order.
            (
                &[
                    ("x-ratelimit-remaining-requests-minute", "0"),
                    ("x-ratelimit-reset-requests-minute", "20.5"),
                    ("x-ratelimit-remaining-requests-day", "0"),
                    ("x-ratelimit-reset-requests-day", "3011.38"),
                ],
                Some(3_011_380),
            ),
            (
                &[
                    ("anthropic-ratelimit-output-tokens-remaining", "0"),
                    (
                        "anthropic-ratelimit-output-tokens-reset",
                        "2026-11-22T12:01:30Z",
                    ),
                    ("anthropic-ratelimit-input-tokens-remaining", "0"),
                    (
                        "anthropic-ratelimit-input-tokens-reset",
                        "2026-11-22T12:00:20Z",
                    ),
                ],
                Some(90_000),
            ),
        ] {
            let headers = headers(pairs);
            let wait = wait(&headers, &declared(&headers, NOW), NOW);
            assert_eq!(wait, millis.map(Nanos::from_millis), "{pairs:?}");
        }
    }
}
