//! Reads how many requests and tokens a provider declares to be left.

use std::cmp::Reverse;

use crate::record::{Nanos, RateLimitHeader, WallTime};

use super::date::dated;
use super::fields::fields;
use super::meter::{Limit, Meter, has};
use super::span::reset;

/// What the headers of one response declare: of several limits of a kind the one that is nearest
/// to its end, and what the others say where that is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Declared {
    /// Requests.
    pub requests: Option<Limit>,
    /// Tokens.
    pub tokens: Option<Limit>,
    /// Of requests and of tokens the limit with the fewest left in number, where it is another:
    /// the next request runs into that one first, however small its share of a day's limit is.
    pub fewest: [Option<Limit>; 2],
    /// When the last of all limits of which nothing is left is whole again.
    pub used_up: Option<Nanos>,
}

impl Declared {
    /// The meters that something is declared of.
    pub fn meters(&self) -> impl Iterator<Item = (Meter, Limit)> {
        [
            (Meter::Requests, self.requests),
            (Meter::Tokens, self.tokens),
        ]
        .into_iter()
        .filter_map(|(meter, limit)| Some((meter, limit?)))
    }
}

/// Meters that a provider tells of, usually at most.
const USUAL: usize = 4;

/// Reads the headers of one response, of whichever provider. `now` is the response's date.
#[must_use]
pub fn declared(headers: &[RateLimitHeader], now: WallTime) -> Declared {
    let now = dated(headers, now);
    // Meters by what their names have in common: `tokens-minute`, `input-tokens`.
    let mut found: Vec<(What<'_>, Meter, Limit)> = Vec::with_capacity(USUAL);
    for header in headers {
        let Some(what) = What::of(&header.name) else {
            continue;
        };
        let (Some(meter), Some(part)) = (what.meter, what.part) else {
            continue;
        };
        let same = |(other, kind, _): &(What<'_>, Meter, Limit)| {
            // Lengths first: they nearly always tell.
            *kind == meter && other.length == what.length && other.words().eq(what.words())
        };
        let at = found.iter().position(same);
        let at = at.unwrap_or_else(|| {
            let limit = Limit {
                window: what.window(),
                ..Limit::default()
            };
            found.push((what, meter, limit));
            found.len() - 1
        });
        let limit = &mut found[at].2;
        let value = header.value.as_str();
        match part {
            Part::Limit => limit.limit = count(value).filter(|limit| *limit > 0),
            Part::Left => limit.left = count(value),
            Part::Reset => limit.reset = reset(value, now),
        }
    }
    let mut all = fields(headers);
    all.extend(found.iter().map(|(_, meter, limit)| (*meter, *limit)));
    let nearest = |meter: Meter| {
        let of_kind = all.iter().filter(|(kind, _)| *kind == meter);
        of_kind
            .map(|(_, limit)| *limit)
            .min_by_key(|limit| (share_left(*limit), Reverse(limit.reset)))
    };
    let fewest = |meter: Meter, nearest: Option<Limit>| {
        let of_kind = all.iter().filter(|(kind, _)| *kind == meter);
        let fewest = of_kind
            .map(|(_, limit)| *limit)
            .filter(|limit| limit.left.is_some())
            .min_by_key(|limit| (limit.left, Reverse(limit.reset)));
        fewest.filter(|fewest| nearest != Some(*fewest))
    };
    let used_up = all.iter().filter(|(_, limit)| limit.left == Some(0));
    let (requests, tokens) = (nearest(Meter::Requests), nearest(Meter::Tokens));
    Declared {
        requests,
        tokens,
        fewest: [
            fewest(Meter::Requests, requests),
            fewest(Meter::Tokens, tokens),
        ],
        used_up: used_up.filter_map(|(_, limit)| limit.reset).max(),
    }
}

/// Whether the headers of one response declare anything of tokens: whether [`declared()`] would
/// find [`Declared::tokens`], for a fraction of what that costs.
#[must_use]
pub fn declares_tokens(headers: &[RateLimitHeader]) -> bool {
    let of_tokens = |header: &RateLimitHeader| {
        let what = What::of(&header.name);
        what.is_some_and(|what| what.part.is_some() && what.meter == Some(Meter::Tokens))
    };
    headers.iter().any(of_tokens)
        || fields(headers)
            .iter()
            .any(|(meter, _)| *meter == Meter::Tokens)
}

/// What is left of a limit in thousandths; unknown counts as all.
fn share_left(limit: Limit) -> u64 {
    match (limit.left, limit.limit) {
        (Some(left), Some(whole)) => left.saturating_mul(1_000) / whole.max(1),
        (Some(0), None) => 0,
        _ => 1_000,
    }
}

#[derive(Clone, Copy)]
enum Part {
    Limit,
    Left,
    Reset,
}

impl Part {
    fn of(word: &[u8]) -> Option<Self> {
        match word {
            b"limit" => Some(Self::Limit),
            b"remaining" => Some(Self::Left),
            b"reset" => Some(Self::Reset),
            _ => None,
        }
    }
}

/// What a header's name says: `x-ratelimit-remaining-tokens` is the part left of `tokens`.
#[derive(Clone, Copy)]
struct What<'a> {
    /// The name behind its family's beginning.
    rest: &'a str,
    part: Option<Part>,
    meter: Option<Meter>,
    /// Bytes of its words that are no part.
    length: usize,
}

impl<'a> What<'a> {
    fn of(name: &'a str) -> Option<Self> {
        // Two families that meter nothing but tokens, whatever else they say.
        const FAMILIES: [(&str, bool); 6] = [
            ("x-ratelimit-", false),
            ("anthropic-ratelimit-", false),
            ("x-ratelimitbysize-", true),
            ("ratelimitbysize-", true),
            ("x-tokenlimit-", true),
            ("ratelimit-", false),
        ];
        let (rest, of_tokens) = FAMILIES
            .iter()
            .find_map(|(family, of_tokens)| Some((name.strip_prefix(family)?, *of_tokens)))?;
        let (mut part, mut length) = (None, 0);
        let (mut tokens, mut requests, mut nothing) = (of_tokens, false, true);
        for word in words(rest) {
            if let Some(is) = Part::of(word) {
                part = Some(is);
                continue;
            }
            tokens |= has(word, b"token") || has(word, b"bysize");
            requests |= has(word, b"requests");
            nothing &= word.is_empty();
            length += word.len();
        }
        // OpenRouter and Together name nothing: they count requests. Others' further words (over,
        // type, renewalperiod) are no meters.
        let meter = match (tokens, requests || nothing) {
            (true, _) => Some(Meter::Tokens),
            (false, true) => Some(Meter::Requests),
            (false, false) => None,
        };
        Some(Self {
            rest,
            part,
            meter,
            length,
        })
    }

    /// The words that are no part.
    fn words(self) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        words(self.rest).filter(|word| Part::of(word).is_none())
    }

    fn window(self) -> Option<Nanos> {
        let seconds: u64 = match self.words().next_back()? {
            b"minute" => 60,
            b"hour" => 3_600,
            b"day" => 86_400,
            b"month" => 30 * 86_400,
            _ => return None,
        };
        Some(Nanos(seconds * 1_000_000_000))
    }
}

/// The words of a name. They are short: to look for hyphens as in long text would cost more.
fn words(name: &str) -> impl DoubleEndedIterator<Item = &[u8]> {
    name.as_bytes().split(|byte| *byte == b'-')
}

/// A whole number; -1 stands for unknown at Azure.
fn count(text: &str) -> Option<u64> {
    let whole = |text: &str| text.parse().ok().filter(|n| *n < 1_000_000_000_000_000);
    // Nearly always it is that and nothing else; `100, 100;window=60` of the IETF's draft is not.
    whole(text).or_else(|| {
        let first = text.split([',', ';']).next()?.trim();
        let number = || first.parse::<f64>().ok();
        whole(first).or_else(|| Some(number().filter(|n| (0.0..1e15).contains(n))? as u64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Vec<RateLimitHeader> {
        let header = |(name, value): &(&str, &str)| RateLimitHeader {
            name: (*name).into(),
            value: (*value).into(),
        };
        pairs.iter().map(header).collect()
    }

    fn read(pairs: &[(&str, &str)]) -> Declared {
        declared(&headers(pairs), WallTime(1_795_348_800_000_000))
    }

    #[test]
    fn tokens_are_declared_where_some_are_found() {
        for (pairs, expected) in [
            (&[("x-ratelimit-limit-requests", "5")][..], false),
            (&[("x-ratelimit-limit-tokens", "many")], true),
            (&[("x-ratelimit-limit-tokens-minute", "5")], true),
            (&[("x-ratelimit-over-tokens", "5")], false),
            (&[("x-tokenlimit-remaining", "5")], true),
            (&[("ratelimit", r#""tpm";r=5"#)], false),
            (
                &[
                    ("ratelimit-policy", r#""a";q=5;qu="tokens""#),
                    ("ratelimit", r#""a";r=5"#),
                ],
                true,
            ),
            (&[("retry-after", "5")], false),
            (&[], false),
        ] {
            let declared = read(pairs);
            assert_eq!(declared.tokens.is_some(), expected, "{pairs:?}");
            assert_eq!(declares_tokens(&headers(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn counts_are_whole_numbers() {
        for (text, expected) in [
            ("100", Some(100)),
            (" 100 ", Some(100)),
            ("100, 100;window=60", Some(100)),
            ("99.5", Some(99)),
            ("1e3", Some(1_000)),
            ("999999999999999", Some(999_999_999_999_999)),
            ("1000000000000000", None),
            ("-1", None),
            ("many", None),
            ("", None),
        ] {
            assert_eq!(count(text), expected, "{text}");
        }
    }

    #[test]
    fn the_meters_of_each_provider_are_read() {
        let openai = read(&[
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-reset-requests", "120ms"),
            ("x-ratelimit-limit-tokens", "30000"),
            ("x-ratelimit-remaining-tokens", "29000"),
        ]);
        let requests = openai.requests.unwrap();
        assert_eq!((requests.limit, requests.left), (Some(500), Some(499)));
        assert_eq!(requests.reset, Some(Nanos::from_millis(120)));
        assert_eq!(openai.tokens.unwrap().left, Some(29_000));

        let anthropic = read(&[
            ("anthropic-ratelimit-input-tokens-limit", "1000"),
            ("anthropic-ratelimit-input-tokens-remaining", "900"),
            ("anthropic-ratelimit-output-tokens-limit", "1000"),
            ("anthropic-ratelimit-output-tokens-remaining", "10"),
            (
                "anthropic-ratelimit-output-tokens-reset",
                "2026-11-22T12:00:30Z",
            ),
        ]);
        let tokens = anthropic.tokens.unwrap();
        assert_eq!(tokens.left, Some(10), "the nearest to its end");
        assert_eq!(tokens.reset, Some(Nanos::from_millis(30_000)));

        let cerebras = read(&[
            ("x-ratelimit-limit-requests-day", "14400"),
            ("x-ratelimit-remaining-requests-day", "1"),
            ("x-ratelimit-limit-requests-minute", "30"),
            ("x-ratelimit-remaining-requests-minute", "29"),
        ]);
        let requests = cerebras.requests.unwrap();
        assert_eq!(requests.window, Some(Nanos(86_400_000_000_000)));
        assert_eq!(cerebras.fewest, [None, None]);
        // A minute's limit behind a day's whose share is smaller.
        let minute = read(&[
            ("x-ratelimit-limit-tokens-day", "1000000"),
            ("x-ratelimit-remaining-tokens-day", "40000"),
            ("x-ratelimit-limit-tokens-minute", "1000"),
            ("x-ratelimit-remaining-tokens-minute", "50"),
        ]);
        assert_eq!(minute.tokens.unwrap().left, Some(40_000));
        assert_eq!(minute.fewest[1].unwrap().left, Some(50));

        let together = read(&[("x-ratelimit-limit", "10"), ("x-tokenlimit-remaining", "5")]);
        assert_eq!(together.requests.unwrap().limit, Some(10));
        assert_eq!(together.tokens.unwrap().left, Some(5));

        let mistral = read(&[("ratelimitbysize-remaining", "7")]);
        assert_eq!(mistral.tokens.unwrap().left, Some(7));

        let azure = read(&[
            ("x-ratelimit-limit-requests", "-1"),
            ("x-ratelimit-type", "x"),
        ]);
        assert_eq!(azure.requests.unwrap().limit, None);
        assert_eq!(read(&[("retry-after", "1")]), Declared::default());
    }
}
