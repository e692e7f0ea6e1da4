//! Relays a provider's answer as it stands, under the observer's eye.

use std::collections::VecDeque;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::candidates::Way;
use super::failover::{self, Begun, Job, Means, Reached};
use super::headers;
use super::names::{ATTEMPTS, DROPPED, HINT, REASON, ROUTE, SERVER_TIMING, TRANSLATED, TRIED};
use super::settle::Exchange;
use super::speech::{Said, stamp_of};
use super::tap::{ProxyBody, Tap, TapParts, Voice};
use super::unknown;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::record::{
    AttemptRecord, ExchangeRecord, Language, Mark, Moment, Name, Nanos, Timeline, WallTime,
};
use crate::routing::limits;
use crate::wire::framing::usage_filter::UsageFilter;
use crate::wire::observer::Seen;
use crate::wire::translation::decoded;

/// What relaying needs to know beside the answer.
#[derive(Debug)]
pub struct Relay {
    fresh: Begun,
    route: String,
    reason: String,
    /// The model's name at the provider.
    model: Option<Name>,
    language: Language,
    /// What was said in another language than the client's, where that was so.
    said: Option<Arc<Said>>,
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
            said: way.speech.said().cloned(),
            total: job.total,
            clock: means.shared.clock.clone(),
        }
    }
}

/// What the client gets of the provider's body, and under which status.
fn voice(
    reached: &mut Reached,
    relay: &Relay,
    decoded_bytes_max: usize,
    draft: Option<&mut ExchangeRecord>,
) -> (StatusCode, Voice) {
    let status = reached.status;
    let Some(said) = &relay.said else {
        let strips = reached.usage_injected && failover::may_be_events(&reached.headers);
        let strips = strips && status.is_success();
        let filtered = strips.then(|| Voice::Filtered(UsageFilter::new()));
        return (status, filtered.unwrap_or(Voice::Own));
    };
    if let Some(retold) = reached.retold.take() {
        return (retold.status, Voice::Whole(retold.body));
    }
    let stamp = draft.map(|draft| stamp_of(draft)).unwrap_or_default();
    let restream = said.translation.stream(&said.back, &stamp);
    let coding = reached.headers.get(header::CONTENT_ENCODING);
    let coding = coding.and_then(|coding| coding.to_str().ok());
    let restream = decoded(restream, coding.unwrap_or_default(), decoded_bytes_max);
    (status, Voice::Restream(restream))
}

/// Says that the answer was translated, and which fields of the request were left out.
fn say_translated(headers: &mut HeaderMap, said: &Said) {
    let (client, provider) = (said.translation.client, said.translation.provider);
    let pair = format!("{} to {}", client.name(), provider.name());
    if let Ok(pair) = HeaderValue::from_str(&pair) {
        headers.insert(&TRANSLATED, pair);
    }
    let mut list = String::new();
    for field in &said.dropped {
        if list.len() + field.len() > DROPPED_BYTES_MAX {
            list.push_str(", ...");
            break;
        }
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(field);
    }
    // A field may have any name; a header may not have any value.
    let plain = |c: char| {
        if c.is_ascii_graphic() || c == ' ' {
            c
        } else {
            '?'
        }
    };
    let list: String = list.chars().map(plain).collect();
    if let Ok(list) = HeaderValue::from_str(&list)
        && !list.is_empty()
    {
        headers.insert(&DROPPED, list);
    }
}

/// The longest list of fields in a header.
const DROPPED_BYTES_MAX: usize = 1024;

/// Says how long the provider asks to be left alone, where it said so in a way that clients of the
/// other language do not look for: in the body, or by its own names.
fn say_wait(headers: &mut HeaderMap, attempt: Option<&AttemptRecord>, now: WallTime) {
    let said = headers.contains_key(header::RETRY_AFTER) || headers.contains_key("retry-after-ms");
    let Some(attempt) = attempt.filter(|_| !said) else {
        return;
    };
    let declared = limits::declared(&attempt.rate_limits, now);
    if let Some(wait) = limits::wait(&attempt.rate_limits, &declared, now) {
        let seconds = wait.0.div_ceil(1_000_000_000);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// The response whose body the client reads. Once it is read, or dropped, the exchange is settled.
pub fn relay(
    mut reached: Reached,
    relay: Relay,
    (mut exchange, settings): (Exchange, &Settings),
) -> Response<ProxyBody> {
    let plain_events = failover::is_plain_events(&reached.headers);
    let (attempts, timing) = exchange
        .draft()
        .map_or((0, None), |draft| (draft.attempts.len(), timing(draft)));
    let most = settings.limits.decoded_bytes;
    let (status, voice) = voice(&mut reached, &relay, most, exchange.draft());
    let provider = std::mem::take(&mut reached.headers);
    let mut headers = match (&relay.said, &voice) {
        (Some(said), voice) => {
            let whole = matches!(voice, Voice::Whole(_));
            let stream = headers::stream_type(relay.language);
            let content_type = if whole { headers::JSON } else { stream };
            let mut headers = headers::to_client_translated(provider, content_type, relay.language);
            say_translated(&mut headers, said);
            headers
        }
        (None, Voice::Filtered(_)) => {
            let mut headers = headers::to_client(provider);
            headers.remove(header::CONTENT_LENGTH);
            headers
        }
        _ => headers::to_client(provider),
    };
    if let Some(draft) = exchange.draft() {
        draft.status = Some(status.as_u16());
        let later = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        if relay.said.is_some() && later.contains(&status) {
            say_wait(&mut headers, draft.attempts.last(), relay.clock.wall());
        }
    }
    if let Ok(route) = HeaderValue::from_str(&relay.route) {
        headers.insert(&ROUTE, route);
    }
    if let Ok(reason) = HeaderValue::from_str(&relay.reason) {
        headers.insert(&REASON, reason);
    }
    headers.insert(&ATTEMPTS, HeaderValue::from(attempts));
    if let Some(tried) = exchange.draft().and_then(|draft| tried(draft)) {
        headers.insert(&TRIED, tried);
    }
    if status == StatusCode::NOT_FOUND
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
    let begun = reached.begun.take().unwrap_or(relay.fresh);
    let body = ProxyBody::Tap(Box::new(Tap::new(TapParts {
        source: reached.source,
        held: begun.frames,
        released: reached.released,
        told: begun.seen.done || begun.seen.failed,
        keep_alive: reached.keep_alive,
        observer: begun.observer,
        event_stream: plain_events || matches!(voice, Voice::Restream(_)),
        voice,
        exchange,
        language: relay.language,
        silence: settings.timeouts.silence,
        total: relay.total,
        clock: relay.clock,
    })));
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Says what was tried before an answer of ours had to stand in, as a provider's answer does.
pub fn say_tries(headers: &mut HeaderMap, draft: &ExchangeRecord) {
    let Some(last) = draft.attempts.last() else {
        return;
    };
    let route = route(last);
    let reason = format!("{}; {}", draft.policy, draft.reason);
    let timing = timing(draft);
    let said = [
        (&ROUTE, Some(route)),
        (&REASON, Some(reason)),
        (&SERVER_TIMING, timing),
    ];
    for (name, value) in said {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
    headers.insert(&ATTEMPTS, HeaderValue::from(draft.attempts.len()));
    if let Some(tried) = tried(draft) {
        headers.insert(&TRIED, tried);
    }
}

fn route(attempt: &AttemptRecord) -> String {
    match &attempt.model {
        Some(model) => format!("{}/{model}", attempt.provider),
        None => attempt.provider.to_string(),
    }
}

/// Which tries failed and why, where there was more than one: `openai/gpt-4.1 server_error,
/// azure/gpt-4.1 503`. Of one whose error is on its way yet the status is known.
fn tried(draft: &ExchangeRecord) -> Option<HeaderValue> {
    if draft.attempts.len() < 2 {
        return None;
    }
    let failed = draft.attempts.iter().filter_map(|attempt| {
        let status = attempt.status.filter(|status| *status >= 400);
        let why = match attempt.error_class {
            Some(class) => class.name().to_owned(),
            None => status?.to_string(),
        };
        Some(format!("{} {why}", route(attempt)))
    });
    let failed: Vec<String> = failed.collect();
    let said = (!failed.is_empty()).then(|| failed.join(", "))?;
    HeaderValue::try_from(said).ok()
}

/// Where the time before the body went, as the value of `server-timing` (milliseconds): what
/// Tollgate added before the request was written, the tries before the one that answered, that
/// one's time from the first byte written to its response headers, and how long its answer was
/// held back until it was one.
fn timing(draft: &ExchangeRecord) -> Option<String> {
    let (first, last) = (draft.first_begun()?, draft.attempts.last()?);
    let chosen = |of: &Timeline| of.get(Mark::RouteChosen);
    let tries = chosen(&first.timeline)
        .zip(chosen(&last.timeline))
        .map(|(first, last)| last.since(first))
        .filter(|_| draft.attempts.len() > 1);
    let parts = [
        ("tollgate", draft.own.inbound),
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
        if !value.is_empty() {
            value.push_str(", ");
        }
        value.push_str(name);
        value.push_str(";dur=");
        push_millis(&mut value, span);
    }
    (!value.is_empty()).then_some(value)
}

/// Writes a span in milliseconds, to the microsecond. Each answer has some: `fmt` takes 700
/// instructions for one.
fn push_millis(into: &mut String, span: u64) {
    let micros = span / 1_000;
    let digits = micros.max(1).ilog10().max(3);
    for place in (0..=digits).rev() {
        let digit = micros / 10_u64.pow(place) % 10;
        into.push(char::from(b'0' + digit as u8));
        if place == 3 {
            into.push('.');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Decision;

    #[test]
    fn spans_are_written_as_milliseconds() {
        for span in [
            0,
            999,
            1_000,
            12_345,
            999_999,
            1_000_000,
            10_000_000,
            1_234_567_890,
            u64::MAX,
        ] {
            let mut text = String::new();
            push_millis(&mut text, span);
            let (millis, micros) = (span / 1_000_000, span / 1_000 % 1_000);
            assert_eq!(text, format!("{millis}.{micros:03}"));
        }
    }

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
        let slow = [&first[..], &[(Mark::Headers, 600_100)]].concat();
        for (attempts, hedge, inbound, expected) in [
            (
                vec![attempt(&first)],
                None,
                Some(84),
                Some("tollgate;dur=0.084"),
            ),
            (
                vec![attempt(&second)],
                None,
                Some(30),
                Some("tollgate;dur=0.030, tollgate-provider;dur=212.020"),
            ),
            (
                vec![attempt(&first), attempt(&held)],
                None,
                Some(30),
                Some(
                    "tollgate;dur=0.030, tollgate-tries;dur=300.000, \
                     tollgate-provider;dur=212.020, tollgate-held;dur=88.000",
                ),
            ),
            // The slow one answered after all: no try went before it.
            (
                vec![attempt(&second), attempt(&slow)],
                Some(0),
                Some(30),
                Some(
                    "tollgate;dur=0.030, tollgate-tries;dur=0.000, \
                     tollgate-provider;dur=600.010",
                ),
            ),
            (vec![attempt(&[])], None, None, None),
            (Vec::new(), None, None, None),
        ] {
            let mut record = crate::sample::record();
            record.attempts = attempts;
            record.decision = Some(Decision {
                hedge,
                ..Decision::default()
            });
            record.own.inbound = inbound.map(|micros| Nanos(micros * 1_000));
            assert_eq!(timing(&record).as_deref(), expected);
        }
    }
}
