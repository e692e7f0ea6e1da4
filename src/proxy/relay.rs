//! Relays a provider's answer as it stands, under the observer's eye.

use std::collections::VecDeque;

use http::{HeaderValue, Response, StatusCode, header};

use super::candidates::Way;
use super::failover::{self, Begun, Job, Means, Reached};
use super::headers;
use super::names::{ATTEMPTS, HINT, REASON, ROUTE};
use super::settle::Exchange;
use super::tap::{ProxyBody, Tap, TapParts};
use super::unknown;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::record::{Language, Moment, Name};
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
    let attempts = exchange.draft().map_or(0, |draft| {
        draft.status = Some(reached.status.as_u16());
        draft.attempts.len()
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
