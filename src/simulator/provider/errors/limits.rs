//! Tells waits and limits in each provider's headers.

use crate::record::{Nanos, WallTime};

use super::super::fault::Fault;
use super::super::head::http_date;
use super::super::quirks::RateHeaders;

/// Appends `Retry-After` in the manner of the fault.
pub(in super::super) fn retry_headers(
    fault: Fault,
    wait: Nanos,
    now: WallTime,
    headers: &mut Vec<(String, String)>,
) {
    let seconds = wait.0.div_ceil(1_000_000_000);
    match fault {
        Fault::RateLimit => headers.push(("retry-after".into(), seconds.to_string())),
        Fault::RateLimitDate => {
            let date = http_date(now.plus_secs(seconds as i64));
            headers.push(("retry-after".into(), date));
        }
        Fault::RateLimitMillis => {
            let millis = wait.0.div_ceil(1_000_000);
            headers.push(("retry-after-ms".into(), millis.to_string()));
            headers.push(("retry-after".into(), seconds.to_string()));
        }
        _ => {}
    }
}

/// Appends a persona's rate-limit headers, on success and on failure.
pub(in super::super) fn rate_headers(
    style: RateHeaders,
    limited: bool,
    wait: Nanos,
    now: WallTime,
    headers: &mut Vec<(String, String)>,
) {
    let left = if limited { "0" } else { "4999" };
    let tokens = if limited { "120" } else { "799000" };
    let seconds = wait.as_secs();
    let mut put = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    match style {
        RateHeaders::None => {}
        RateHeaders::Durations | RateHeaders::Seconds => {
            let unit = if style == RateHeaders::Durations {
                "s"
            } else {
                ""
            };
            let reset = format!("{seconds}{unit}");
            put("x-ratelimit-limit-requests", "5000");
            put("x-ratelimit-limit-tokens", "800000");
            put("x-ratelimit-remaining-requests", left);
            put("x-ratelimit-remaining-tokens", tokens);
            put("x-ratelimit-reset-requests", &reset);
            put("x-ratelimit-reset-tokens", &reset);
        }
        RateHeaders::Anthropic => {
            let reset = now.plus_secs(seconds.ceil() as i64).rfc3339();
            for (what, limit, remaining) in
                [("requests", "4000", left), ("tokens", "400000", tokens)]
            {
                put(&format!("anthropic-ratelimit-{what}-limit"), limit);
                put(&format!("anthropic-ratelimit-{what}-remaining"), remaining);
                put(&format!("anthropic-ratelimit-{what}-reset"), &reset);
            }
        }
        RateHeaders::BySize => {
            put("ratelimitbysize-limit", "500000");
            put("ratelimitbysize-remaining", tokens);
            put("ratelimitbysize-reset", &format!("{}", seconds.ceil()));
            put("ratelimitbysize-query-cost", "1200");
        }
        RateHeaders::EpochMillis => {
            put("x-ratelimit-limit", "5000");
            put("x-ratelimit-remaining", left);
            let reset = now.plus_secs(seconds.ceil() as i64).0 / 1000;
            put("x-ratelimit-reset", &reset.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_told_in_each_manner() {
        let now = WallTime(1_795_307_749_000_000);
        let told = |fault| {
            let mut headers = Vec::new();
            retry_headers(fault, Nanos::from_millis(1500), now, &mut headers);
            headers
                .into_iter()
                .map(|(_, value)| value)
                .collect::<Vec<_>>()
        };
        assert_eq!(told(Fault::RateLimit), ["2"]);
        assert_eq!(told(Fault::RateLimitMillis), ["1500", "2"]);
        assert_eq!(
            told(Fault::RateLimitDate),
            ["Sun, 22 Nov 2026 00:35:51 GMT"]
        );
        assert!(told(Fault::RateLimitBare).is_empty());
    }
}
