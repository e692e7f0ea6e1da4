//! Reads a request once: what it is, what it asks for, and the little that must be known of it.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt as _;

use super::address::Address;
use super::names::{
    API_KEY, CLAUDE_CODE_SESSION, CODEX_SESSION, SESSION, TAGS, X_API_KEY, X_GOOG_API_KEY,
};
use super::reject::Reject;
use super::secret::{Hasher, bare};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::edge::server::{Peer, RequestBody, RequestBroke};
use crate::edge::upstream::body::Upload;
use crate::record::{KeyedHash, Language, Moment, Name, RequestFacts, Session, SessionSource};
use crate::routing::candidate::Prefix;
use crate::wire::dialect::identify::{endpoint, identify};
use crate::wire::dialect::request::{self, RequestReading};

/// Code of a body that its client did not send to the end.
pub const REQUEST_INCOMPLETE: &str = "request_incomplete";
/// Tags kept of a request, and bytes kept of each.
const TAGS_MAX: usize = 8;
const TAG_BYTES_MAX: usize = 64;

/// The body of a request, as intake leaves it.
#[derive(Debug)]
pub enum Body {
    /// An inference request, in memory and read.
    Read(Bytes, Box<RequestReading>),
    /// In memory, unread: it was too small to stream, or empty.
    Whole(Bytes),
    /// On its way, for a path that is passed through.
    Streamed(RequestBody, Arc<Upload>),
}

impl Body {
    /// Whether it refers to something that only one provider account has.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        matches!(self, Self::Read(_, reading) if reading.bound_to_account)
    }
}

/// The endpoint that a request goes to: what its path says.
#[must_use]
pub fn language_of(method: &Method, address: &Address<'_>) -> Language {
    let language = identify(address.path);
    // Only a POST runs a model; a GET on the same path lists or fetches stored answers.
    if language.is_inference() && method != Method::POST {
        return Language::Plain;
    }
    if language == Language::Models && method != Method::GET && method != Method::HEAD {
        return Language::Plain;
    }
    language
}

/// Reads the body of an inference request; leaves that of any other where it is.
pub async fn read(
    headers: &HeaderMap,
    body: RequestBody,
    (path, language): (&str, Language),
    settings: &Settings,
    peer: &Peer,
    clock: &Clock,
) -> Result<(Body, Moment), Reject> {
    if !language.is_inference() {
        if http_body::Body::is_end_stream(&body) {
            return Ok((Body::Whole(Bytes::new()), peer.log.last_read()));
        }
        return Ok((Body::Streamed(body, Arc::default()), peer.log.last_read()));
    }
    content_headers(headers, language, settings.limits.request_body_bytes)?;
    let (bytes, complete) = collect(body, settings, peer, clock).await?;
    let reading = request::read(language, &bytes, settings.limits.json_depth);
    let mut reading = reading.map_err(|fault| unfit(&fault))?;
    if let Some(stream) = endpoint(path).stream {
        reading.stream = stream;
        reading.facts.stream = stream;
    }
    Ok((Body::Read(bytes, Box::new(reading)), complete))
}

/// The model asked for: that of the path, where it names one, else that of the body.
pub fn model(path: &str, body: &Body) -> Result<Option<Name>, Reject> {
    let Body::Read(_, reading) = body else {
        return Ok(None);
    };
    match endpoint(path).model.and_then(|span| path.get(span)) {
        Some(there) => request::path_model(there)
            .map(|model| Some(Name::from(model)))
            .map_err(|fault| unfit(&fault)),
        None => Ok(reading.model.as_deref().map(Name::from)),
    }
}

fn unfit(fault: &request::RequestFault) -> Reject {
    let status = StatusCode::BAD_REQUEST;
    let mut reject = Reject::new(status, "invalid_request", fault.to_string());
    reject.param = fault.param().map(Name::from);
    reject
}

/// Whether a body without a type is JSON all the same: that of Amazon's SDKs, which leave it to the
/// service to know, and have a credential in a header that no page of the web may set unasked.
fn is_json_untold(headers: &HeaderMap, language: Language) -> bool {
    language == Language::BedrockInvoke
        && !headers.contains_key(header::CONTENT_TYPE)
        && headers.contains_key(header::AUTHORIZATION)
}

fn content_headers(headers: &HeaderMap, language: Language, bytes_max: u64) -> Result<(), Reject> {
    let unsupported = |code, message: String| {
        Err(Reject::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            code,
            message,
        ))
    };
    let mut content_types = headers.get_all(header::CONTENT_TYPE).iter();
    // Of two, the provider might believe the other one.
    let content_type = content_types
        .next()
        .filter(|_| content_types.next().is_none());
    let is_json = content_type
        .map(HeaderValue::as_bytes)
        .is_some_and(|value| {
            let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
            let essence = essence.trim_ascii();
            essence.eq_ignore_ascii_case(b"application/json")
                || (essence.len() > 5
                    && essence[essence.len() - 5..].eq_ignore_ascii_case(b"+json"))
        });
    if !is_json && !is_json_untold(headers, language) {
        return unsupported(
            "content_type",
            "this endpoint takes JSON only; add the header `content-type: application/json`, once \
             (curl: -H 'content-type: application/json')"
                .to_owned(),
        );
    }
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return unsupported(
            "content_encoding",
            "compressed requests are not taken; send the body without content-encoding".to_owned(),
        );
    }
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > bytes_max) {
        return Err(too_large(bytes_max));
    }
    Ok(())
}

fn too_large(bytes_max: u64) -> Reject {
    Reject::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "request_too_large",
        format!("the body is larger than {bytes_max} bytes (limits.request_body)"),
    )
}

/// Reads the body to its end, within the limits of size and time.
async fn collect(
    body: RequestBody,
    settings: &Settings,
    peer: &Peer,
    clock: &Clock,
) -> Result<(Bytes, Moment), Reject> {
    let deadline = settings.timeouts.request_body;
    let reading = collect_within(body, settings.limits.request_body_bytes, peer, clock);
    tokio::time::timeout(deadline, reading)
        .await
        .map_err(|_| late(deadline))?
}

/// A body that stood still for longer than it may.
pub(super) fn late(deadline: Duration) -> Reject {
    Reject::new(
        StatusCode::REQUEST_TIMEOUT,
        "request_timeout",
        format!("the body did not arrive within {deadline:?} (timeouts.request_body)"),
    )
}

async fn collect_within(
    mut body: RequestBody,
    bytes_max: u64,
    peer: &Peer,
    clock: &Clock,
) -> Result<(Bytes, Moment), Reject> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut complete = clock.now();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let (code, message) = if is_broken_framing(&error) {
                ("request_body", "the chunked framing of the body is broken")
            } else {
                (REQUEST_INCOMPLETE, "the body broke off before its end")
            };
            Reject::new(StatusCode::BAD_REQUEST, code, message)
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if let Some(read) = peer.log.read_of(&data) {
            complete = read.at;
        }
        if (first.len() + rest.len() + data.len()) as u64 > bytes_max {
            return Err(too_large(bytes_max));
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.reserve(first.len() + data.len());
                rest.extend_from_slice(&first);
                first = Bytes::new();
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok((
        if rest.is_empty() {
            first
        } else {
            rest.freeze()
        },
        complete,
    ))
}

/// Whether the bytes came and are wrong, against bytes that did not come.
fn is_broken_framing(error: &RequestBroke) -> bool {
    let RequestBroke::Library(error) = error else {
        return false;
    };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return matches!(
                io.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
            );
        }
        source = cause.source();
    }
    false
}

/// What the headers and the body say of the request, content only as keyed hashes.
#[must_use]
pub fn facts(headers: &HeaderMap, body: &Body, hasher: &Hasher) -> (RequestFacts, Option<Session>) {
    let (bytes, reading) = match body {
        Body::Read(bytes, reading) => (bytes, reading),
        Body::Whole(bytes) => {
            return (
                RequestFacts {
                    bytes: bytes.len() as u64,
                    ..Default::default()
                },
                None,
            );
        }
        Body::Streamed(..) => return (RequestFacts::default(), None),
    };
    let mut facts = reading.facts.clone();
    facts.bytes = bytes.len() as u64;
    facts.prompt_hash = Some(hasher.hash("prompt", [bytes.as_ref()]));
    let prefix: Vec<&[u8]> = reading
        .prefix
        .iter()
        .filter_map(|span| bytes.get(span.clone()))
        .collect();
    if !prefix.is_empty() {
        facts.prefix_hash = Some(hasher.hash("prefix", prefix));
    }
    let session = session(headers, reading, facts.prefix_hash, hasher);
    (facts, session)
}

/// Bytes of a prompt below which providers' caches hold nothing: 1,024 tokens.
const CACHED_MIN: usize = 4_096;

/// What a provider's cache may hold of the prompt from another conversation: tools and system, and
/// where those are short, of the first user message so much as makes up the least that is cached.
#[must_use]
pub fn common_prefix(body: &Body, hasher: &Hasher) -> Option<Prefix> {
    let Body::Read(bytes, reading) = body else {
        return None;
    };
    let text = |span: &Range<usize>| bytes.get(span.clone());
    let mut parts: Vec<&[u8]> = reading.fixed.iter().filter_map(text).collect();
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    for part in reading.opening.iter().filter_map(text) {
        let rest = CACHED_MIN.saturating_sub(length).min(part.len());
        parts.push(&part[..rest]);
        length += rest;
    }
    (length > 0).then(|| Prefix {
        hash: hasher.hash("common_prefix", parts),
        tokens: (length / 4) as u64,
    })
}

/// The session key, from the most explicit place that has one.
fn session(
    headers: &HeaderMap,
    reading: &RequestReading,
    prefix: Option<KeyedHash>,
    hasher: &Hasher,
) -> Option<Session> {
    let header = |name: &HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    let body = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
    let named = [
        (SessionSource::Header, header(&SESSION).map(<[u8]>::to_vec)),
        (
            SessionSource::ClaudeCode,
            header(&CLAUDE_CODE_SESSION).map(<[u8]>::to_vec),
        ),
        (
            SessionSource::Codex,
            header(&CODEX_SESSION).map(<[u8]>::to_vec),
        ),
        (
            SessionSource::PromptCacheKey,
            body(&reading.prompt_cache_key),
        ),
        (
            SessionSource::MetadataUserId,
            body(&reading.metadata_user_id),
        ),
    ];
    let turn = reading.turn;
    named
        .into_iter()
        .find_map(|(source, key)| {
            let hash = hasher.hash("session", [key?.as_slice()]);
            Some(Session { hash, source, turn })
        })
        .or_else(|| {
            prefix.map(|hash| Session {
                hash,
                source: SessionSource::Prefix,
                turn,
            })
        })
}

/// `x-tollgate-tags: a, b`.
#[must_use]
pub fn tags(headers: &HeaderMap) -> Vec<Name> {
    let text = headers.get(&TAGS).and_then(|value| value.to_str().ok());
    text.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|tag| !tag.is_empty() && tag.len() <= TAG_BYTES_MAX)
        .take(TAGS_MAX)
        .map(Name::from)
        .collect()
}

/// Keyed hash of the credential that the client sent, whichever header holds it, or in the query
/// as Google takes it.
#[must_use]
pub fn client_key(headers: &HeaderMap, query: Option<&str>, hasher: &Hasher) -> Option<KeyedHash> {
    let mut parameters = query.unwrap_or_default().split('&');
    [
        &header::AUTHORIZATION,
        &X_API_KEY,
        &API_KEY,
        &X_GOOG_API_KEY,
    ]
    .into_iter()
    .find_map(|name| headers.get(name))
    .map(HeaderValue::as_bytes)
    .or_else(|| {
        parameters
            .find_map(|pair| pair.strip_prefix("key="))
            .map(str::as_bytes)
    })
    .map(|value| hasher.hash("credential", [bare(value)]))
}
