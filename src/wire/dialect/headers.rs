//! Reads what response headers tell of limits, server time, ids and caches.

use http::HeaderMap;

use crate::record::{Name, Nanos, RateLimitHeader, ServerTiming, Usage};

/// What the headers of one response tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderReading {
    /// Rate-limit headers as they came, at most 24.
    pub rate_limits: Vec<RateLimitHeader>,
    /// Timings the provider reports of itself, at most 16.
    pub server_timings: Vec<ServerTiming>,
    /// The provider's id of the request.
    pub request_id: Option<Name>,
    /// The router's upstream that served.
    pub served_by: Option<Name>,
    /// The provider's region.
    pub region: Option<Name>,
    /// The answer came out of a cache.
    pub cached_answer: bool,
}

const RATE_LIMITS_MAX: usize = 24;
const SERVER_TIMINGS_MAX: usize = 16;
const VALUE_BYTES_MAX: usize = 128;

/// Reads response headers; nothing is allocated for what is not there.
#[must_use]
pub fn read_headers(headers: &HeaderMap) -> HeaderReading {
    let mut reading = HeaderReading::default();
    let mut id_rank = usize::MAX;
    for (name, value) in headers {
        let name = name.as_str();
        if tells_nothing(name) {
            continue;
        }
        let Ok(value) = value.to_str() else { continue };
        if value.is_empty() || value.len() > VALUE_BYTES_MAX {
            continue;
        }
        match name {
            "x-inference-provider" => reading.served_by = Some(value.into()),
            "x-ms-region" | "cerebras-region" => reading.region = Some(value.into()),
            "server-timing" => server_timing(value, &mut reading.server_timings),
            "x-cache"
            | "cf-aig-cache-status"
            | "helicone-cache"
            | "x-portkey-cache-status"
            | "x-openrouter-cache-status"
            | "x-bt-cached" => reading.cached_answer |= starts_with_hit(value),
            "x-litellm-cache-hit" => reading.cached_answer |= value.eq_ignore_ascii_case("true"),
            _ if is_rate_limit(name) => {
                if reading.rate_limits.len() < RATE_LIMITS_MAX {
                    reading.rate_limits.push(RateLimitHeader {
                        name: name.into(),
                        value: value.into(),
                    });
                }
            }
            _ => {
                if let Some(rank) = REQUEST_IDS.iter().position(|id| *id == name) {
                    if rank < id_rank {
                        id_rank = rank;
                        reading.request_id = Some(value.into());
                    }
                } else if let Some((_, unit)) = TIMINGS.iter().find(|(known, _)| *known == name) {
                    timing(name, value, *unit, &mut reading.server_timings);
                }
            }
        }
    }
    // Moments are the provider's, and so must be the clock that they are held against.
    let date = headers.get(http::header::DATE);
    if let Some(date) = date.and_then(|date| date.to_str().ok())
        && reading
            .rate_limits
            .iter()
            .any(|limit| is_moment(&limit.value))
        && date.len() <= VALUE_BYTES_MAX
    {
        reading.rate_limits.truncate(RATE_LIMITS_MAX - 1);
        reading.rate_limits.push(RateLimitHeader {
            name: "date".into(),
            value: date.into(),
        });
    }
    reading
}

/// Whether it is one of those that nearly every answer has, and that are of no use here: not even its
/// value is looked at.
fn tells_nothing(name: &str) -> bool {
    matches!(
        name,
        "content-type" | "content-length" | "date" | "server" | "vary" | "connection"
    )
}

/// The counts that Bedrock tells of an invocation beside the model's own answer, which may tell
/// none; those of the cache are beside the input.
#[must_use]
pub fn counts(headers: &HeaderMap) -> Option<Usage> {
    let count = |of: &str| {
        let name = ["x-amzn-bedrock-", of, "-token-count"].concat();
        headers.get(name)?.to_str().ok()?.trim().parse().ok()
    };
    let usage = Usage {
        input: count("input"),
        cached_read: count("cache-read-input"),
        cache_write: count("cache-write-input"),
        output: count("output"),
        ..Usage::default()
    };
    (!usage.is_unknown()).then(|| usage.with_cache_inside())
}

/// Whether a reset is a moment and not a span.
fn is_moment(value: &str) -> bool {
    // So large a number is long, but for those with an exponent, and the infinite ones.
    let may_be_large = || value.len() > 9 || value.contains(['e', 'E', 'i', 'I']);
    let is_large = |value: &str| value.parse::<f64>().is_ok_and(|number| number >= 1e9);
    value.contains(':') || (may_be_large() && is_large(value.trim()))
}

/// Headers that name the request at the provider, best first; `cf-ray` names it at Cloudflare.
const REQUEST_IDS: [&str; 10] = [
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-amzn-requestid",
    "x-generation-id",
    "cerebras-request-id",
    "mistral-correlation-id",
    "x-ds-trace-id",
    "x-oneapi-request-id",
    "cf-ray",
];

/// Headers that hold one span, with its unit in nanoseconds. TGI's are in milliseconds but for
/// `x-compute-time`, which repeats the total and is left out.
const TIMINGS: [(&str, f64); 12] = [
    ("openai-processing-ms", MILLI),
    ("x-envoy-upstream-service-time", MILLI),
    ("x-metrics-ttft-ms", MILLI),
    ("x-metrics-mean-itl-ms", MILLI),
    ("x-metrics-e2e-ms", MILLI),
    ("x-amzn-bedrock-invocation-latency", MILLI),
    ("x-total-time", MILLI),
    ("x-queue-time", MILLI),
    ("x-inference-time", MILLI),
    ("x-time-per-token", MILLI),
    ("fireworks-server-time-to-first-token", SECOND),
    ("fireworks-server-processing-time", SECOND),
];

const MILLI: f64 = 1e6;
const SECOND: f64 = 1e9;

pub(super) fn is_rate_limit(name: &str) -> bool {
    const PREFIXES: [&str; 5] = [
        "x-ratelimit",
        "ratelimit",
        "anthropic-ratelimit-",
        "anthropic-priority-",
        "x-tokenlimit-",
    ];
    matches!(
        name,
        "retry-after" | "retry-after-ms" | "x-ms-retry-after-ms"
    ) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn starts_with_hit(value: &str) -> bool {
    value
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("hit"))
}

/// `Server-Timing` (W3C): names with a `dur` in milliseconds, separated by commas.
fn server_timing(value: &str, timings: &mut Vec<ServerTiming>) {
    for metric in value.split(',') {
        let mut fields = metric.split(';').map(str::trim);
        let name = fields.next().unwrap_or_default();
        let duration = fields.find_map(|field| field.strip_prefix("dur="));
        if let Some(duration) = duration {
            timing(&format!("server-timing.{name}"), duration, MILLI, timings);
        }
    }
}

fn timing(source: &str, value: &str, unit: f64, timings: &mut Vec<ServerTiming>) {
    if let Ok(number) = value.trim().trim_matches('"').parse::<f64>() {
        push_timing(timings, source, number * unit);
    }
}

/// Holds what a provider reports of itself against `span`, which the whole attempt took: Fireworks
/// writes its times as seconds, and here and there as milliseconds. What is longer than the attempt
/// in either unit is left out.
pub fn hold_against(timings: &mut Vec<ServerTiming>, span: Nanos) {
    let unsure = |timing: &ServerTiming| {
        let source = timing.source.as_str();
        ["-time-to-first-token", "-processing-time"]
            .iter()
            .any(|end| source.ends_with(end))
    };
    let too_long = |timing: &ServerTiming| unsure(timing) && timing.span > span;
    if !timings.iter().any(too_long) {
        return;
    }
    for timing in timings.iter_mut().filter(|timing| unsure(timing)) {
        timing.span = Nanos(timing.span.0 / 1000);
    }
    timings.retain(|timing| !too_long(timing));
}

/// Adds a server timing, replacing an earlier one of the same source; what is no span is left out.
pub(super) fn push_timing(timings: &mut Vec<ServerTiming>, source: &str, nanos: f64) {
    // A year: what is longer is a date, or broken.
    if !(0.0..=3.2e16).contains(&nanos) {
        return;
    }
    let span = Nanos(nanos.round() as u64);
    if let Some(known) = timings
        .iter_mut()
        .find(|known| known.source.as_str() == source)
    {
        known.span = span;
    } else if timings.len() < SERVER_TIMINGS_MAX {
        timings.push(ServerTiming {
            source: source.into(),
            span,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &'static str)]) -> HeaderReading {
        let map = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        read_headers(&map)
    }

    #[test]
    fn headers_are_read() {
        assert_eq!(
            read(&[("content-type", "text/event-stream"), ("date", "x")]),
            HeaderReading::default()
        );
        let reading = read(&[
            ("x-ratelimit-remaining-tokens", "12"),
            ("retry-after", "2"),
            ("ratelimitbysize-reset", "42"),
            ("anthropic-ratelimit-requests-reset", "2026-11-22T00:00:00Z"),
            ("x-tokenlimit-limit", "5"),
            ("date", "Sun, 22 Nov 2026 12:00:00 GMT"),
            ("cf-ray", "8f-OSL"),
            ("x-request-id", "req_1"),
            ("openai-processing-ms", "812"),
            ("x-metrics-ttft-ms", "295.3"),
            (
                "server-timing",
                "gfet4t7; dur=41.5, other;desc=\"x\";dur=2, none",
            ),
            ("x-inference-provider", "cerebras"),
            ("x-ms-region", "Sweden Central"),
            ("x-cache", "Hit from cloudfront"),
        ]);
        // Five, and the date of the one that is a moment.
        assert_eq!(reading.rate_limits.len(), 6);
        assert_eq!(
            reading.rate_limits[5].value.as_str(),
            "Sun, 22 Nov 2026 12:00:00 GMT"
        );
        assert_eq!(reading.request_id.as_deref(), Some("req_1"));
        let timings: Vec<(&str, u64)> = reading
            .server_timings
            .iter()
            .map(|timing| (timing.source.as_str(), timing.span.0))
            .collect();
        assert_eq!(
            timings,
            [
                ("openai-processing-ms", 812_000_000),
                ("x-metrics-ttft-ms", 295_300_000),
                ("server-timing.gfet4t7", 41_500_000),
                ("server-timing.other", 2_000_000),
            ]
        );
        assert_eq!(reading.served_by.as_deref(), Some("cerebras"));
        assert_eq!(reading.region.as_deref(), Some("Sweden Central"));
        assert!(reading.cached_answer);
    }

    #[test]
    fn moments_are_told_from_spans() {
        for (value, expected) in [
            ("2026-11-22T00:00:00Z", true),
            ("1795348805", true),
            (" 1795348805 ", true),
            ("1e9", true),
            ("inf", true),
            ("999999999", false),
            ("999999.999", false),
            ("6m0s", false),
            ("", false),
        ] {
            assert_eq!(is_moment(value), expected, "{value}");
        }
    }

    #[test]
    fn bedrocks_counts_are_read() {
        let counts = |headers: &[(&'static str, &'static str)]| {
            let map = headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect();
            counts(&map).map(|usage| (usage.input, usage.cached_read, usage.output))
        };
        for (headers, expected) in [
            (
                &[
                    ("x-amzn-bedrock-input-token-count", "5"),
                    ("x-amzn-bedrock-output-token-count", "3"),
                    ("x-amzn-bedrock-cache-read-input-token-count", "100"),
                ][..],
                Some((Some(105), Some(100), Some(3))),
            ),
            (
                &[("x-amzn-bedrock-output-token-count", "3")],
                Some((None, None, Some(3))),
            ),
            (&[("x-amzn-bedrock-input-token-count", "many")], None),
            (&[("content-type", "application/json")], None),
        ] {
            assert_eq!(counts(headers), expected);
        }
    }

    #[test]
    fn seconds_that_are_milliseconds_are_told_by_the_attempt() {
        const MS: u64 = 1_000_000;
        for (spans, attempt, expected) in [
            // As seconds, 0.25 and 0.31.
            ([250, 310], 400, &[250, 310][..]),
            // As milliseconds: 250 and 310.5 were read as seconds.
            ([250_000, 310_500], 400, &[250, 310]),
            // One alone would have fitted.
            ([2_000, 310_500], 3_000, &[2, 310]),
            // Neither way.
            ([250, 900_000_000], 400, &[0]),
        ] {
            let sources = [
                "fireworks-server-time-to-first-token",
                "perf_metrics.server-processing-time",
            ];
            let mut timings: Vec<ServerTiming> = sources
                .iter()
                .zip(spans)
                .map(|(source, millis)| ServerTiming {
                    source: (*source).into(),
                    span: Nanos(millis * MS),
                })
                .collect();
            // Another's is not doubted.
            let other = ServerTiming {
                source: "openai-processing-ms".into(),
                span: Nanos(u64::MAX),
            };
            timings.push(other.clone());
            hold_against(&mut timings, Nanos(attempt * MS));
            assert_eq!(timings.pop(), Some(other));
            let found: Vec<u64> = timings.iter().map(|timing| timing.span.0 / MS).collect();
            assert_eq!(found, expected, "{spans:?}");
        }
    }

    #[test]
    fn broken_headers_are_left_out() {
        for (name, value) in [
            ("openai-processing-ms", "soon"),
            ("openai-processing-ms", "-1"),
            ("openai-processing-ms", "NaN"),
            ("openai-processing-ms", "1e300"),
            ("server-timing", ";;,dur=,=;dur"),
            ("x-cache", "MISS"),
            ("x-request-id", ""),
        ] {
            assert_eq!(
                read(&[(name, value)]),
                HeaderReading::default(),
                "{name}: {value}"
            );
        }
    }
}
