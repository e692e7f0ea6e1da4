//! Reads how many requests and tokens a provider allows, and in how long.

use crate::record::{AttemptRecord, WallTime};
use crate::routing::limits::reset;

/// What a provider allows of requests or of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many.
    pub most: u64,
    /// In how long.
    pub per: Per,
}

/// The span that a limit is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// A minute.
    Minute,
    /// A day.
    Day,
}

/// Headers that say how many requests and tokens are allowed, those of a minute first.
const REQUESTS: [&str; 4] = [
    "x-ratelimit-limit-requests-minute",
    "anthropic-ratelimit-requests-limit",
    UNNAMED,
    "x-ratelimit-limit-requests-day",
];
const TOKENS: [&str; 3] = [
    "x-ratelimit-limit-tokens-minute",
    "anthropic-ratelimit-tokens-limit",
    "x-ratelimit-limit-tokens",
];
/// A minute's at OpenAI, and a day's at others that send the same header.
const UNNAMED: &str = "x-ratelimit-limit-requests";

/// Seconds that no minute's limit takes to be whole again.
const LONG: f64 = 120.0;
/// Seconds of a span that is no minute.
const HOUR: f64 = 3_600.0;

/// What the answer of `attempt`, whose exchange began `then`, says of requests and of tokens.
pub(super) fn limits(attempt: &AttemptRecord, then: WallTime) -> [Option<Limit>; 2] {
    [&REQUESTS[..], &TOKENS[..]].map(|names| {
        names.iter().find_map(|name| {
            let most = header(attempt, name)?.parse().ok()?;
            let is_daily =
                name.ends_with("-day") || *name == UNNAMED && is_daily(attempt, most, then);
            let per = if is_daily { Per::Day } else { Per::Minute };
            Some(Limit { most, per })
        })
    })
}

/// The value of the header of that name.
fn header<'a>(attempt: &'a AttemptRecord, name: &str) -> Option<&'a str> {
    let mut headers = attempt.rate_limits.iter();
    let found = headers.find(|header| header.name.as_str() == name);
    found.map(|header| header.value.as_str())
}

/// Whether the limit of `most` requests is a day's: by how long it takes to be whole again. Where
/// that is told as a duration, a bucket fills evenly, so that what is missing takes its part of
/// the whole span: 6 s for one of 14,400. Of Groq it is documented, also where it says no more.
fn is_daily(attempt: &AttemptRecord, most: u64, then: WallTime) -> bool {
    let Some(text) = header(attempt, "x-ratelimit-reset-requests") else {
        return attempt.provider.eq_ignore_ascii_case("groq");
    };
    let Some(span) = reset(text, then) else {
        return false;
    };
    let seconds = span.0 as f64 / 1e9;
    // Bare seconds are up to the end of a span that does not move, and say nothing more.
    let evenly = text.parse::<f64>().is_err();
    let left = header(attempt, "x-ratelimit-remaining-requests");
    let gone = left.and_then(|left| most.checked_sub(left.parse().ok()?));
    let gone = gone.filter(|gone| *gone > 0 && evenly);
    let whole = gone.map(|gone| seconds / gone as f64 * most as f64);
    seconds > LONG || whole.is_some_and(|whole| whole > HOUR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RateLimitHeader;
    use crate::sample::record;

    #[test]
    fn a_limit_of_requests_is_of_a_minute_or_of_a_day() {
        let (minute, day) = (Per::Minute, Per::Day);
        let name = |of: &str| match of {
            "limit" | "remaining" | "reset" => format!("x-ratelimit-{of}-requests"),
            of => of.to_owned(),
        };
        for (provider, headers, most, per) in [
            // OpenAI: a bucket that fills in a minute.
            (
                "openai",
                &[("limit", "500"), ("remaining", "499"), ("reset", "120ms")][..],
                500,
                minute,
            ),
            ("openai", &[("limit", "500")], 500, minute),
            // Its smallest tier allows so many a day.
            (
                "openai",
                &[("limit", "200"), ("remaining", "199"), ("reset", "7m12s")],
                200,
                day,
            ),
            (
                "groq",
                &[
                    ("limit", "14400"),
                    ("remaining", "14370"),
                    ("reset", "2m59.56s"),
                ],
                14_400,
                day,
            ),
            // The same by another name, and where nothing else is said.
            (
                "fast",
                &[("limit", "14400"), ("remaining", "14399"), ("reset", "6s")],
                14_400,
                day,
            ),
            ("groq", &[("limit", "14400")], 14_400, day),
            // Azure: seconds to the end of the minute.
            (
                "azure",
                &[("limit", "1000"), ("remaining", "999"), ("reset", "50")],
                1_000,
                minute,
            ),
            (
                "other",
                &[
                    ("limit", "1000"),
                    ("remaining", "999"),
                    ("reset", "33011.38"),
                ],
                1_000,
                day,
            ),
            (
                "cerebras",
                &[
                    ("x-ratelimit-limit-requests-day", "14400"),
                    ("x-ratelimit-limit-requests-minute", "30"),
                ],
                30,
                minute,
            ),
            (
                "cerebras",
                &[("x-ratelimit-limit-requests-day", "14400")],
                14_400,
                day,
            ),
            (
                "anthropic",
                &[("anthropic-ratelimit-requests-limit", "4000")],
                4_000,
                minute,
            ),
        ] {
            let mut attempt = record().attempts.remove(0);
            attempt.provider = provider.into();
            let header = |(of, value): &(&str, &str)| RateLimitHeader {
                name: name(of).into(),
                value: (*value).into(),
            };
            attempt.rate_limits = headers.iter().map(header).collect();
            let [requests, tokens] = limits(&attempt, WallTime(0));
            assert_eq!(
                requests,
                Some(Limit { most, per }),
                "{provider} {headers:?}"
            );
            assert_eq!(tokens, None);
        }
    }
}
