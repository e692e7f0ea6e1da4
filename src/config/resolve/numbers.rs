//! Resolves what is mostly numbers: the store, the deadlines and the limits, with their defaults.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::quantity::show_duration;
use crate::config::raw::{RawLimits, RawStore, RawTimeouts};
use crate::config::read::At;
use crate::config::settings::{Limits, StoreSettings, Timeouts};

use super::work::Work;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// `[store]`.
pub(in crate::config) fn store(raw: RawStore, work: &mut Work<'_>) -> StoreSettings {
    let path = raw
        .path
        .map_or_else(|| PathBuf::from("tollgate.redb"), |at| at.value);
    let mut age = |key: &str, given: &Option<At<Duration>>, days: u32| {
        let name = format!("store.{key}");
        span(
            work,
            &name,
            given.as_ref(),
            DAY * days,
            (SECOND * 60, LONGEST),
        )
    };
    let keep_records = age("keep_records", &raw.keep_records, 30);
    let keep_minutes = age("keep_minutes", &raw.keep_minutes, 7);
    let keep_hours = age("keep_hours", &raw.keep_hours, 400);
    let cache = bytes(raw.cache);
    let kept = bytes(raw.keep_bytes);
    StoreSettings {
        path: work.sources.data_dir.join(path),
        cache_bytes: count(work, "store.cache", cache, 16 * MIB, (MIB, 1 << 40)) as usize,
        keep_records,
        keep_bytes: count(
            work,
            "store.keep_bytes",
            kept,
            2_000_000_000,
            (MIB, 1 << 50),
        ),
        keep_minutes,
        keep_hours,
        queue_max: count(work, "store.queue_max", raw.queue_max, 65_536, (1, 1 << 24)) as usize,
    }
}

/// `[timeouts]`.
pub(in crate::config) fn timeouts(raw: &RawTimeouts, work: &mut Work<'_>) -> Timeouts {
    let total = raw.total.as_ref().and_then(|at| {
        let span_given = At {
            value: at.value.0?,
            span: at.span.clone(),
        };
        Some(span(
            work,
            "timeouts.total",
            Some(&span_given),
            SECOND,
            (MILLISECOND, LONGEST),
        ))
    });
    let mut deadline = |key: &str, given: &Option<At<Duration>>, seconds: u32| {
        let name = format!("timeouts.{key}");
        span(
            work,
            &name,
            given.as_ref(),
            SECOND * seconds,
            (MILLISECOND, LONGEST),
        )
    };
    Timeouts {
        connect: deadline("connect", &raw.connect, 5),
        first_token: deadline("first_token", &raw.first_token, 60),
        silence: deadline("silence", &raw.silence, 600),
        total,
        request_headers: deadline("request_headers", &raw.request_headers, 10),
        request_body: deadline("request_body", &raw.request_body, 30),
        client_write: deadline("client_write", &raw.client_write, 60),
        client_idle: deadline("client_idle", &raw.client_idle, 75),
        pool_idle: deadline("pool_idle", &raw.pool_idle, 55),
        drain: deadline("drain", &raw.drain, 30),
    }
}

/// `[limits]`.
pub(in crate::config) fn limits(raw: RawLimits, work: &mut Work<'_>) -> Limits {
    let mut limit = |key: &str, given: Option<At<u64>>, usual: u64, range: (u64, u64)| {
        count(work, &format!("limits.{key}"), given, usual, range)
    };
    let many = (1, 1_000_000);
    let big = (KIB, 1 << 32);
    Limits {
        request_body_bytes: limit("request_body", bytes(raw.request_body), 32 * MIB, big),
        json_depth: limit("json_depth", raw.json_depth, 128, (1, 4_096)) as usize,
        header_bytes: limit(
            "header_bytes",
            bytes(raw.header_bytes),
            64 * KIB,
            (8 * KIB, MIB),
        ) as usize,
        headers: limit("headers", raw.headers, 100, (16, 4_096)) as usize,
        connections: limit("connections", raw.connections, 10_000, many) as usize,
        in_flight: limit("in_flight", raw.in_flight, 4_096, many) as usize,
        event_bytes: limit("event", bytes(raw.event), 4 * MIB, big) as usize,
        decoded_bytes: limit("decoded", bytes(raw.decoded), 32 * MIB, big) as usize,
        connections_per_provider: limit(
            "connections_per_provider",
            raw.connections_per_provider,
            1_024,
            many,
        ) as usize,
    }
}

fn bytes(given: Option<At<crate::config::kinds::Size>>) -> Option<At<u64>> {
    given.map(|at| At {
        value: at.value.0,
        span: at.span,
    })
}

/// A number within a range, or the usual one and a problem.
pub(in crate::config) fn count(
    work: &mut Work<'_>,
    path: &str,
    given: Option<At<u64>>,
    usual: u64,
    (least, most): (u64, u64),
) -> u64 {
    let Some(at) = given else { return usual };
    if (least..=most).contains(&at.value) {
        return at.value;
    }
    let expected = format!("a number from {least} to {most}");
    work.refuse(path, Some(at.span), at.value.to_string(), expected, None);
    usual
}

pub(in crate::config) fn span(
    work: &mut Work<'_>,
    path: &str,
    given: Option<&At<Duration>>,
    usual: Duration,
    (least, most): (Duration, Duration),
) -> Duration {
    let Some(at) = given else { return usual };
    if (least..=most).contains(&at.value) {
        return at.value;
    }
    let expected = format!(
        "a duration from \"{}\" to \"{}\"",
        show_duration(least),
        show_duration(most)
    );
    work.refuse(
        path,
        Some(at.span.clone()),
        show_duration(at.value),
        expected,
        None,
    );
    usual
}

const MILLISECOND: Duration = Duration::from_millis(1);

/// Ten years: no sum of a moment and a deadline overflows.
const LONGEST: Duration = Duration::from_hours(24 * 3_650);
