//! Builds what one route is sent: the client's bytes, with the declared splices and headers.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, Uri, header};

use super::Job;
use crate::edge::upstream::body::Upload;
use crate::edge::upstream::{Outgoing, OutgoingBody};
use crate::proxy::candidates::Way;
use crate::proxy::headers;
use crate::proxy::intake::Body;
use crate::proxy::paths;
use crate::proxy::reject::Reject;
use crate::proxy::shared::Shared;
use crate::proxy::speech::Said;
use crate::wire::dialect::request::{self, Edits};

/// Query parameters that carry credentials at some provider.
const KEY_PARAMETERS: [&str; 5] = ["key", "api_key", "api-key", "apikey", "access_token"];

/// What to send: the client's bytes, with the declared splices and the provider's headers.
pub(super) fn outgoing(
    job: &Job<'_>,
    body: &mut Body,
    way: &Way,
    inject: bool,
    shared: &Shared,
) -> Result<(Outgoing, Option<Arc<Upload>>), Reject> {
    if let Some(said) = way.speech.said() {
        return translated(job, said, way, inject, shared).map(|outgoing| (outgoing, None));
    }
    let place = paths::passed(&way.provider, job.path, way.model.as_deref(), job.stream);
    let queries: Vec<&str> = base_query(way, job.query)
        .chain(query_for(way, job.query))
        .collect();
    let target = target(place.path, &queries)?;
    let identity = job.stream && job.language.is_inference();
    let mut headers = headers::to_provider(job.headers, way, identity, &shared.instance);
    if place.version_in_header {
        headers::name_version(&mut headers, way);
    }
    let mut upload = None;
    let body = match body {
        Body::Read(bytes, reading) => {
            let model = way
                .model
                .as_deref()
                .filter(|model| !place.names_model && reading.model.as_deref() != Some(model));
            let edits = Edits {
                model,
                include_usage: inject,
                instead_of_model: place.instead_of_model,
                without_version: place.version_in_header,
                stream: place.version_in_header,
            };
            OutgoingBody::Whole(request::edit(bytes, reading, &edits))
        }
        Body::Whole(bytes) => OutgoingBody::Whole(bytes.clone()),
        Body::Streamed(..) => match std::mem::replace(body, Body::Whole(Bytes::new())) {
            Body::Streamed(incoming, sent) => {
                if let Some(length) = http_body::Body::size_hint(&incoming).exact() {
                    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
                }
                upload = Some(Arc::clone(&sent));
                OutgoingBody::Streamed(incoming, sent)
            }
            other => {
                *body = other;
                OutgoingBody::Whole(Bytes::new())
            }
        },
    };
    if let OutgoingBody::Whole(bytes) = &body
        && (!bytes.is_empty() || job.method == Method::POST)
    {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    Ok((
        Outgoing {
            method: job.method.clone(),
            target,
            headers,
            body,
        },
        upload,
    ))
}

/// What to send of a request that was translated: nothing of the client's own is in it.
fn translated(
    job: &Job<'_>,
    said: &Said,
    way: &Way,
    inject: bool,
    shared: &Shared,
) -> Result<Outgoing, Reject> {
    let language = said.translation.provider;
    let model = way.model.as_deref().unwrap_or_default();
    let place = paths::spoken(&way.provider, language, model, job.stream);
    let queries: Vec<&str> = base_query(way, None).chain(place.query).collect();
    let target = target(place.path, &queries)?;
    let mut headers = headers::to_translated(job.headers, way, language, job.stream);
    headers::marks_into(&mut headers, job.headers, &shared.instance);
    let body = said.body_with(inject);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    Ok(Outgoing {
        method: Method::POST,
        target,
        headers,
        body: OutgoingBody::Whole(body),
    })
}

fn target(path: String, queries: &[&str]) -> Result<Uri, Reject> {
    let target = if queries.is_empty() {
        path
    } else {
        format!("{path}?{}", queries.join("&"))
    };
    Uri::try_from(target).map_err(|_| {
        let message = "the path or query has characters that a URL cannot have";
        Reject::new(StatusCode::BAD_REQUEST, "request_target", message)
    })
}

/// The parameters that the provider's base has, but for a version of the API that the client names
/// itself: it speaks that one, and to name two is refused.
fn base_query<'a>(way: &'a Way, query: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    const VERSION: &str = "api-version=";
    let says = |query: &str| query.split('&').any(|pair| pair.starts_with(VERSION));
    let says_version = query.is_some_and(says);
    let base = way.provider.base.query.as_deref();
    base.into_iter()
        .flat_map(|query| query.split('&'))
        .filter(move |pair| !(says_version && pair.starts_with(VERSION)))
}

/// The parameters of the client's query that may go this way: keys in it are credentials.
fn query_for<'a>(way: &Way, query: Option<&'a str>) -> impl Iterator<Item = &'a str> {
    let keeps_keys = way.addressed && !way.provider.has_credential();
    query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter(move |parameter| {
            let name = parameter.split('=').next().unwrap_or_default();
            keeps_keys
                || !KEY_PARAMETERS
                    .iter()
                    .any(|key| name.eq_ignore_ascii_case(key))
        })
}
