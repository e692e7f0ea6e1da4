//! Asks a provider a GET that costs nothing: for its list of models, or what stands for one.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::authorise::authorise;
use super::candidates::{Credential, Way};
use super::headers;
use super::paths;
use super::speech::Speech;
use crate::clock::Clock;
use crate::config::settings::Provider;
use crate::edge::credentials::{CredentialFault, Keyring};
use crate::edge::upstream::pool::PoolLimits;
use crate::edge::upstream::{BodyFault, Outgoing, OutgoingBody, Phases, Pool, SendFault};
use crate::record::Nanos;

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What asking works with.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// Connections.
    pub pool: &'a Arc<Pool>,
    /// Credentials that have to be got.
    pub keyring: &'a Arc<Keyring>,
    /// Limits of a connection.
    pub limits: PoolLimits,
    /// The marks of the instances that a client's request came through.
    pub marks: &'a HeaderMap,
    /// Our own mark, against circles.
    pub instance: &'a HeaderValue,
    /// The clock.
    pub clock: &'a Clock,
}

/// What a provider answered.
#[derive(Debug)]
pub struct Told {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// From the first step of connecting to the headers; getting a credential is not in it.
    pub took: Nanos,
}

/// Why nothing was answered.
#[derive(Debug)]
pub enum Unanswered {
    /// The address makes no request.
    Address,
    /// The credential could not be got.
    Credential(CredentialFault),
    /// The provider could not be reached, or did not answer.
    Unreached(SendFault),
    /// Its answer broke off.
    Broken(BodyFault),
    /// Its answer is longer than any list.
    TooLong,
}

/// Where a provider lists its models: the target of a GET.
#[must_use]
pub fn list(provider: &Provider) -> String {
    target(provider, &paths::list(provider))
}

/// A path at a provider, with the query that every request to it carries.
#[must_use]
pub fn target(provider: &Provider, path: &str) -> String {
    match &provider.base.query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

/// Asks `provider` for `target` with this credential.
pub async fn inquire(
    provider: &Arc<Provider>,
    credential: Credential,
    target: String,
    desk: Desk<'_>,
) -> Result<Told, Unanswered> {
    let way = Way {
        provider: Arc::clone(provider),
        model: None,
        configured: None,
        limits: None,
        other_model: false,
        credential,
        is_spare: false,
        addressed: false,
        speech: Speech::Own,
    };
    let mut outgoing = Outgoing {
        method: Method::GET,
        target: Uri::try_from(target).map_err(|_| Unanswered::Address)?,
        headers: headers::to_provider(desk.marks, &way, true, desk.instance),
        body: OutgoingBody::Whole(Bytes::new()),
    };
    authorise(&way, &mut outgoing, desk.keyring, desk.clock)
        .await
        .map_err(Unanswered::Credential)?;
    let began = desk.clock.now();
    let mut phases = Phases::default();
    let answer = desk
        .pool
        .send(provider, outgoing, &desk.limits, desk.clock, &mut phases)
        .await
        .map_err(Unanswered::Unreached)?;
    let took = desk.clock.now().since(began);
    let (parts, mut incoming) = answer.response.into_parts();
    let mut body = Vec::new();
    while let Some(chunk) = incoming.chunk().await {
        body.extend_from_slice(&chunk.map_err(Unanswered::Broken)?.bytes);
        if body.len() > ANSWER_BYTES_MAX {
            return Err(Unanswered::TooLong);
        }
    }
    incoming.finish(None);
    Ok(Told {
        status: parts.status,
        headers: parts.headers,
        body,
        took,
    })
}
