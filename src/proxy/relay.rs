//! Relays a provider's answer as it stands, under the observer's eye.

use std::collections::VecDeque;
use std::fmt::Write as _;

use http::{HeaderValue, Response, StatusCode, header};

use super::candidates::Way;
use super::failover::{self, Begun, Job, Means, Reached};
use super::headers;
use super::names::{ATTEMPTS, HINT, REASON, ROUTE, SERVER_TIMING};
use super::settle::Exchange;
use super::tap::{ProxyBody, Tap, TapParts};
use super::unknown;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::record::{AttemptRecord, Language, Mark, Moment, Name, Nanos, Timeline};
use crate::wire::framing::usage_filter::UsageFilter;
use crate::wire::observer::Seen;

/// What relaying needs to know beside the answer.
#[derive(Debug)]
pub struct Relay {
    fresh: Begun,
    route: String,
    reason: String,
    /// The model's name at the provider.
    model: Option<Name>,
    language: Language,
    total: Option<Moment>,
    clock: Clock,
}

impl Relay {
    /// For `reached`, the answer of `way` to `job`; `reason` says why that way was first.
    #[must_use]
    pub fn of(
        reached: &Reached,
        way: &Way,
        job: &Job<'_>,
        reason: String,
        means: Means<'_>,
    ) -> Self {
        Self {
            fresh: Begun {
                observer: failover::observer(reached, way, job, means.settings),
                seen: Seen::default(),
                frames: VecDeque::new(),
            },
            route: way.route(),
            reason,
            model: way.model.clone(),
            language: job.language,
            total: job.total,
            clock: means.shared.clock.clone(),
        }
    }
}

/// The response whose body the client reads. Once it is read, or dropped, the exchange is settled.
pub fn relay(
    mut reached: Reached,
    relay: Relay,
    (mut exchange, settings): (Exchange, &Settings),
) -> Response<ProxyBody> {
    let begun = reached.begun.take().unwrap_or(relay.fresh);
    let plain_events = failover::is_plain_events(&reached.headers);
    let (attempts, timing) = exchange.draft().map_or((0, None), |draft| {
        draft.status = Some(reached.status.as_u16());
        (
            draft.attempts.len(),
            timing(&draft.attempts, draft.own.inbound),
        )
    });
    let strips = reached.usage_injected && plain_events && reached.status.is_success();
    let mut headers = headers::to_client(std::mem::take(&mut reached.headers));
    if strips {
        headers.remove(header::CONTENT_LENGTH);
    }
    if let Ok(route) = HeaderValue::from_str(&relay.route) {
        headers.insert(&ROUTE, route);
    }
    if let Ok(reason) = HeaderValue::from_str(&relay.reason) {
        headers.insert(&REASON, reason);
    }
    headers.insert(&ATTEMPTS, HeaderValue::from(attempts));
    if reached.status == StatusCode::NOT_FOUND
        && let Some(hint) = relay
            .model
            .as_deref()
            .and_then(|model| unknown::hint(settings, model))
        && let Ok(hint) = HeaderValue::from_str(&hint)
    {
        headers.insert(&HINT, hint);
    }
    // Beside the provider's own, which are nobody else's to change.
    if let Some(timing) = timing.and_then(|timing| HeaderValue::try_from(timing).ok()) {
        headers.append(&SERVER_TIMING, timing);
    }
    let body = ProxyBody::Tap(Box::new(Tap::new(TapParts {
        source: reached.source,
        held: begun.frames,
        told: begun.seen.done || begun.seen.failed,
        keep_alive: reached.keep_alive,
        observer: begun.observer,
        filter: strips.then(UsageFilter::new),
        exchange,
        language: relay.language,
        event_stream: plain_events,
        silence: settings.timeouts.silence,
        total: relay.total,
        clock: relay.clock,
    })));
    let mut response = Response::new(body);
    *response.status_mut() = reached.status;
    *response.headers_mut() = headers;
    response
}

/// Where the time before the body went, as the value of `server-timing` (milliseconds): what
/// Tollgate added before the request was written, the tries before the one that answered, that
/// one's time from the first byte written to its response headers, and how long its answer was
/// held back until it was one.
fn timing(attempts: &[AttemptRecord], inbound: Option<Nanos>) -> Option<String> {
    let (first, last) = (attempts.first()?, attempts.last()?);
    let chosen = |of: &Timeline| of.get(Mark::RouteChosen);
    let tries = chosen(&first.timeline)
        .zip(chosen(&last.timeline))
        .map(|(first, last)| last.since(first))
        .filter(|_| attempts.len() > 1);
    let parts = [
        ("tollgate", inbound),
        ("tollgate-tries", tries),
        (
            "tollgate-provider",
            last.timeline.span(Mark::SendStart, Mark::Headers),
        ),
        (
            "tollgate-held",
            last.timeline.span(Mark::Headers, Mark::Held),
        ),
    ];
    let mut value = String::with_capacity(64);
    for (name, Nanos(span)) in parts
        .into_iter()
        .filter_map(|(name, span)| Some((name, span?)))
    {
        let separator = if value.is_empty() { "" } else { ", " };
        let (millis, micros) = (span / 1_000_000, span / 1_000 % 1_000);
        // Writing into a text cannot fail.
        let _ = write!(value, "{separator}{name};dur={millis}.{micros:03}");
    }
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(marks: &[(Mark, u64)]) -> AttemptRecord {
        let mut timeline = Timeline::default();
        for (mark, micros) in marks {
            timeline.set(*mark, Moment(micros * 1_000));
        }
        AttemptRecord {
            timeline,
            ..AttemptRecord::default()
        }
    }

    #[test]
    fn the_time_before_the_body_is_told_in_parts() {
        let first = [(Mark::RouteChosen, 50), (Mark::SendStart, 90)];
        let second = [
            (Mark::RouteChosen, 300_050),
            (Mark::SendStart, 300_080),
            (Mark::Headers, 512_100),
        ];
        let held = [&second[..], &[(Mark::Held, 600_100)]].concat();
        for (attempts, inbound, expected) in [
            (vec![attempt(&first)], Some(84), Some("tollgate;dur=0.084")),
            (
                vec![attempt(&second)],
                Some(30),
                Some("tollgate;dur=0.030, tollgate-provider;dur=212.020"),
            ),
            (
                vec![attempt(&first), attempt(&held)],
                Some(30),
                Some(
                    "tollgate;dur=0.030, tollgate-tries;dur=300.000, \
                     tollgate-provider;dur=212.020, tollgate-held;dur=88.000",
                ),
            ),
            (vec![attempt(&[])], None, None),
            (Vec::new(), None, None),
        ] {
            let inbound = inbound.map(|micros| Nanos(micros * 1_000));
            assert_eq!(timing(&attempts, inbound).as_deref(), expected);
        }
    }
}
