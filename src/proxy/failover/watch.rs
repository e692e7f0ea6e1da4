//! Sets the observer of a response, by what its headers say.

use http::{HeaderMap, HeaderName, header};

use super::{Job, Reached};
use crate::config::settings::Settings;
use crate::proxy::candidates::Way;
use crate::proxy::names::AMAZON_ERROR_TYPE;
use crate::record::Language;
use crate::wire::dialect::headers::counts;
use crate::wire::observer::{Expect, Observer};

/// The observer of `reached`, an answer of `way` to `job`. In a box: it is large, and goes through many
/// hands.
#[must_use]
pub fn observer(reached: &Reached, way: &Way, job: &Job<'_>, settings: &Settings) -> Box<Observer> {
    let language = way.speech.language(job.language);
    let watching = Observer::new(&Expect {
        dialect: way.provider.dialect,
        provider: way.provider.preset.as_deref().unwrap_or_default(),
        language,
        status: reached.status.as_u16(),
        content_type: text(&reached.headers, &header::CONTENT_TYPE),
        content_encoding: text(&reached.headers, &header::CONTENT_ENCODING),
        error_type: text(&reached.headers, &AMAZON_ERROR_TYPE),
        stream: job.stream,
        model_asked: way.model.as_deref(),
        choices: job.choices,
        usage_injected: reached.usage_injected,
        event_bytes_max: settings.limits.event_bytes,
        decoded_bytes_max: settings.limits.decoded_bytes,
        started: reached.send_start,
    });
    Box::new(match language {
        Language::BedrockInvoke => watching.counted(counts(&reached.headers)),
        _ => watching,
    })
}

/// Whether a client reads the body as a stream of plain events: into a compressed stream nothing
/// can be put, and out of it nothing taken.
#[must_use]
pub fn is_plain_events(headers: &HeaderMap) -> bool {
    const EVENTS: &str = "text/event-stream";
    let is_events = text(headers, &header::CONTENT_TYPE).is_some_and(|value| {
        let start = value.trim_start().get(..EVENTS.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(EVENTS))
    });
    is_events && !is_coded(headers)
}

/// Whether the usage event that was asked for may be taken out of the body: it may be a stream of
/// events under whatever name, unless it is compressed or says that it is JSON.
#[must_use]
pub fn may_be_events(headers: &HeaderMap) -> bool {
    let is_json = text(headers, &header::CONTENT_TYPE).is_some_and(|value| {
        let kind = value.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("application/json")
    });
    !is_json && !is_coded(headers)
}

/// Whether the body is compressed.
pub(super) fn is_coded(headers: &HeaderMap) -> bool {
    let coding = text(headers, &header::CONTENT_ENCODING);
    coding.is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
