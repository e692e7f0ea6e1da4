//! Finds in an error body how long its provider asks to be left alone.

use super::body::{Said, said};
use crate::record::RateLimitHeader;
use crate::wire::dialect::headers::is_rate_limit;
use crate::wire::dialect::json::{Lenient, Members, NotJson, read};
use crate::wire::dialect::lenient::Text;

/// The name under which the wait of a `google.rpc.RetryInfo` is recorded.
const RETRY_DELAY: &str = "body.retry-delay";
/// The name under which a wait is recorded that stands in an error's message only.
const MESSAGE_WAIT: &str = "body.message";

/// What an error body says of limits, in the form of the headers that it has instead of: those
/// that a router repeats, Google's delay, and a span in the message (`try again in 7.66s`).
#[must_use]
pub fn limits_in_body(body: &[u8]) -> Vec<RateLimitHeader> {
    let said = said(body);
    let mut limits = repeated(&said);
    let delay = said.retry_delay.as_deref().filter(|text| is_span(text));
    let delay = delay.map(|span| (RETRY_DELAY, span.to_owned()));
    let named = message_wait(&said.message).map(|span| (MESSAGE_WAIT, span));
    limits.extend(delay.into_iter().chain(named).map(|(name, value)| {
        let (name, value) = (name.into(), value.as_str().into());
        RateLimitHeader { name, value }
    }));
    limits
}

/// Rate-limit headers among those that OpenRouter repeats.
fn repeated(said: &Said) -> Vec<RateLimitHeader> {
    let headers: Headers = said.headers.as_deref().and_then(read).unwrap_or_default();
    headers.0
}

#[derive(Debug, Default)]
struct Headers(Vec<RateLimitHeader>);

impl<'de> Lenient<'de> for Headers {
    fn map(map: &mut Members<'_, 'de>) -> Result<Self, NotJson> {
        let mut headers = Vec::new();
        while let Some(name) = map.key()? {
            let name = name.to_ascii_lowercase();
            let value: Text<'_> = map.value()?;
            let value = value.as_str();
            let fits = !value.is_empty() && value.len() <= VALUE_BYTES_MAX;
            if fits && is_rate_limit(&name) && headers.len() < HEADERS_MAX {
                let (name, value) = (name.as_str().into(), value.into());
                headers.push(RateLimitHeader { name, value });
            }
        }
        Ok(Self(headers))
    }
}

const HEADERS_MAX: usize = 8;
const VALUE_BYTES_MAX: usize = 64;

/// The span behind `try again in`, `retry in` and their like, in a message in lower case.
fn message_wait(message: &str) -> Option<String> {
    const BEFORE: [&str; 5] = [
        "try again in ",
        "retry in ",
        "retry after ",
        "try again after ",
        "reset after ",
    ];
    BEFORE.iter().find_map(|before| {
        let at = message.find(before)? + before.len();
        let mut words = message[at..].split_whitespace();
        let first = words.next()?.trim_end_matches(['.', ',', ';', ')']);
        if first.ends_with(|last: char| last.is_ascii_digit()) {
            let unit = match words.next()?.trim_end_matches(['.', ',', ';', ')']) {
                "second" | "seconds" | "s" | "sec" => "s",
                "millisecond" | "milliseconds" | "ms" => "ms",
                "minute" | "minutes" => "m",
                "hour" | "hours" => "h",
                _ => return None,
            };
            return Some([first, unit].concat()).filter(|span| is_span(span));
        }
        Some(first.to_owned()).filter(|span| is_span(span))
    })
}

/// Whether a text can be a span, and nothing else that a message may hold.
fn is_span(text: &str) -> bool {
    let begins = text.starts_with(|first: char| first.is_ascii_digit());
    let rest = |byte: u8| byte.is_ascii_digit() || b".hmsu".contains(&byte);
    begins && text.len() <= 32 && text.bytes().all(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_found_in_bodies_and_nothing_else_is() {
        let body = |message: &str| format!(r#"{{"error":{{"message":"{message}"}}}}"#);
        for (body, limits) in [
            (
                r#"{"error":{"code":429,"message":"Please retry in 27.5s.","details":[
                    {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"27.509s"}]}}"#
                    .to_owned(),
                "body.retry-delay: 27.509s; body.message: 27.5s",
            ),
            (
                r#"[{"error":{"details":[{"retryDelay":"3s"}]}}]"#.to_owned(),
                "body.retry-delay: 3s",
            ),
            (
                r#"{"error":{"code":429,"message":"m","metadata":{"headers":{"X-RateLimit-Limit":"20",
                    "X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1795348805000","X-Key":"secret"}}}}"#
                    .to_owned(),
                "x-ratelimit-limit: 20; x-ratelimit-remaining: 0; x-ratelimit-reset: 1795348805000",
            ),
            (
                body("Rate limit reached. Please try again in 6m0.5s. Visit"),
                "body.message: 6m0.5s",
            ),
            (body("Please retry after 12 seconds."), "body.message: 12s"),
            (body("Try again in 20ms, or later"), "body.message: 20ms"),
            (body("try again in 1 minute"), "body.message: 1m"),
            (body("try again in a while"), ""),
            (body("try again in 5 days"), ""),
            (body("retry in sk-secret"), ""),
            (r#"{"error":{"details":[{"retryDelay":"soon"}]}}"#.to_owned(), ""),
            ("<html>".to_owned(), ""),
        ] {
            let found = limits_in_body(body.as_bytes());
            let found: Vec<String> = found
                .iter()
                .map(|limit| format!("{}: {}", limit.name, limit.value))
                .collect();
            assert_eq!(found.join("; "), limits, "{body}");
        }
    }
}
