//! Reads the fields `RateLimit` and `RateLimit-Policy` of the IETF's draft: lists of named policies
//! with parameters.
//!
//! Source: draft-ietf-httpapi-ratelimit-headers-11 (`"default";r=50;t=30` and
//! `"default";q=100;w=60;qu="requests"`), and its version 07 (`limit=100, remaining=50, reset=30`).

use crate::record::{Nanos, RateLimitHeader};

use super::meter::{Limit, Meter, has};
use super::span::number;

/// What each policy declares. Those that meter neither requests nor tokens are left out.
pub(super) fn fields(headers: &[RateLimitHeader]) -> Vec<(Meter, Limit)> {
    let mut found: Vec<Policy<'_>> = Vec::new();
    for header in headers {
        let is_policy = match header.name.as_str() {
            "ratelimit" => false,
            "ratelimit-policy" => true,
            _ => continue,
        };
        for item in parts(&header.value, ',') {
            let mut words = parts(item, ';');
            let first = words.next().unwrap_or_default().trim();
            let (name, own) = match first.split_once('=') {
                // The older form is one policy without a name.
                Some(_) if !is_policy => ("", Some(first)),
                Some(_) => continue,
                None => (first.trim_matches('"'), None),
            };
            let at = found.iter().position(|policy| policy.name == name);
            let at = at.unwrap_or_else(|| {
                found.push(Policy::new(name));
                found.len() - 1
            });
            for word in own.into_iter().chain(words) {
                found[at].take(word);
            }
        }
    }
    found
        .into_iter()
        .filter(|policy| policy.limit != Limit::default())
        .filter_map(|policy| Some((policy.meter()?, policy.limit)))
        .collect()
}

/// One policy as it is put together from both fields.
struct Policy<'a> {
    name: &'a str,
    unit: Option<&'a str>,
    limit: Limit,
}

impl<'a> Policy<'a> {
    fn new(name: &'a str) -> Self {
        Self {
            name,
            unit: None,
            limit: Limit::default(),
        }
    }

    /// Takes one parameter.
    fn take(&mut self, word: &'a str) {
        let Some((key, value)) = word.trim().split_once('=') else {
            return;
        };
        let value = value.trim().trim_matches('"');
        let count = || value.parse::<u64>().ok().filter(|count| *count < 1 << 50);
        let seconds = || number(value, 1e9);
        let limit = &mut self.limit;
        match key.trim() {
            "q" | "limit" => limit.limit = count().filter(|quota| *quota > 0),
            "r" | "remaining" => limit.left = count(),
            "t" | "reset" => limit.reset = seconds(),
            "w" => limit.window = seconds().filter(|window| *window > Nanos(0)),
            "qu" => self.unit = Some(value),
            _ => {}
        }
    }

    fn meter(&self) -> Option<Meter> {
        let of_tokens = |word: &str| has(word.as_bytes(), b"token");
        match self.unit {
            Some(unit) if of_tokens(unit) => Some(Meter::Tokens),
            Some("requests") => Some(Meter::Requests),
            // Bytes of content, requests at once, units of somebody's own.
            Some(_) => None,
            None if of_tokens(self.name) => Some(Meter::Tokens),
            None => Some(Meter::Requests),
        }
    }
}

/// The parts of a text between separators that stand in no quotes.
fn parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_of_every_version_are_read() {
        let none = Limit::default();
        let seconds = |seconds: u64| Some(Nanos(seconds * 1_000_000_000));
        let whole = Limit {
            limit: Some(100),
            left: Some(50),
            reset: seconds(30),
            window: seconds(60),
        };
        for (pairs, expected) in [
            (
                &[
                    ("ratelimit-policy", r#""default";q=100;w=60"#),
                    ("ratelimit", r#""default";r=50;t=30"#),
                ][..],
                vec![(Meter::Requests, whole)],
            ),
            (
                &[
                    ("ratelimit", r#""a,b";r=0;t=33, "tpm" ; r=50 ; t=30"#),
                    (
                        "ratelimit-policy",
                        r#""tpm";q=100;w=60;qu="tokens";pk=:cGs=:, "bytes";q=9;qu="content-bytes""#,
                    ),
                ],
                vec![
                    (
                        Meter::Requests,
                        Limit {
                            left: Some(0),
                            reset: seconds(33),
                            ..none
                        },
                    ),
                    (Meter::Tokens, whole),
                ],
            ),
            (
                &[("ratelimit", "limit=100, remaining=50, reset=30")],
                vec![(
                    Meter::Requests,
                    Limit {
                        window: None,
                        ..whole
                    },
                )],
            ),
            (&[("ratelimit", r#""x";r=-1;t=soon"#)], vec![]),
            (
                &[("ratelimit", "garbage"), ("ratelimit-policy", "10;=;")],
                vec![],
            ),
            (&[("ratelimit-remaining", "1")], vec![]),
        ] {
            let header = |(name, value): &(&str, &str)| RateLimitHeader {
                name: (*name).into(),
                value: (*value).into(),
            };
            let headers: Vec<_> = pairs.iter().map(header).collect();
            assert_eq!(fields(&headers), expected, "{pairs:?}");
        }
    }
}
