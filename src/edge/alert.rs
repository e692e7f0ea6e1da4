//! Posts alerts to a webhook, over the provider connections' own means.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use secrecy::ExposeSecret as _;

use super::upstream::pool::{PoolLimits, TlsConfigs};
use super::upstream::{Outgoing, OutgoingBody, Phases, Pool, ProxyRules};
use crate::clock::Clock;
use crate::config::settings::{Provider, WebhookSettings};

/// How long it may take to be answered.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of its answer that are read, for the connection's sake: nobody looks at them.
const ANSWER_MAX: usize = 64 * 1024;

/// Who posts.
#[derive(Debug)]
pub struct Webhook {
    pool: Arc<Pool>,
    clock: Clock,
}

/// Why an alert was not taken. The URL's path is no part of it: it may be as good as a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebhookFault {
    /// The path cannot be asked for.
    #[error("alerts.webhook has a path that no request can have")]
    Url,
    /// It cannot be reached, or broke off.
    #[error("{host} (alerts.webhook): {why}")]
    Unreached {
        /// Its host.
        host: String,
        /// Why.
        why: String,
    },
    /// It answered, and did not take it. A redirect is not followed: the config says where.
    #[error("{host} (alerts.webhook) answers {status}")]
    Refused {
        /// Its host.
        host: String,
        /// Its status.
        status: u16,
    },
}

impl Webhook {
    /// One that goes through these forward proxies.
    #[must_use]
    pub fn new(proxies: ProxyRules, clock: Clock) -> Self {
        let pool = Pool::new(proxies, TlsConfigs::default(), clock.clone());
        Self {
            pool: Arc::new(pool),
            clock,
        }
    }

    /// Posts a JSON body; any status of 200 to 299 means that it was taken.
    pub async fn post(&self, to: &WebhookSettings, body: Bytes) -> Result<(), WebhookFault> {
        let host = to.base.authority();
        let unreached = |why: String| WebhookFault::Unreached {
            host: host.clone(),
            why,
        };
        match tokio::time::timeout(PATIENCE, self.send(to, body)).await {
            Ok(Ok(status)) if (200..300).contains(&status) => Ok(()),
            Ok(Ok(status)) => Err(WebhookFault::Refused { host, status }),
            Ok(Err(Some(why))) => Err(unreached(why)),
            Ok(Err(None)) => Err(WebhookFault::Url),
            Err(_) => Err(unreached(format!("no answer within {PATIENCE:?}"))),
        }
    }

    /// The status of its answer; why there is none, or nothing where the URL cannot be asked.
    async fn send(&self, to: &WebhookSettings, body: Bytes) -> Result<u16, Option<String>> {
        let authority = to.base.authority();
        let mut headers = HeaderMap::new();
        let host = HeaderValue::from_str(&authority).map_err(|_| None)?;
        headers.insert(header::HOST, host);
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        let agent = concat!("tollgate/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        let target = to.target.expose_secret().parse().map_err(|_| None)?;
        let outgoing = Outgoing {
            method: Method::POST,
            target,
            headers,
            body: OutgoingBody::Whole(body),
        };
        // Alerts are so rare that no connection is worth keeping.
        let limits = PoolLimits {
            idle: Duration::ZERO,
            connect: PATIENCE,
            connections: 1,
            fresh: true,
        };
        // No provider of a config has such a name.
        let place = Provider::at(&format!("@{authority}"), to.base.clone());
        let mut phases = Phases::default();
        let answer = self
            .pool
            .send(&place, outgoing, &limits, &self.clock, &mut phases)
            .await
            .map_err(|fault| Some(fault.detail))?;
        let (parts, mut answer) = answer.response.into_parts();
        let mut read = 0;
        while let Some(Ok(chunk)) = answer.chunk().await {
            read += chunk.bytes.len();
            if read > ANSWER_MAX {
                return Ok(parts.status.as_u16());
            }
        }
        answer.finish(None);
        Ok(parts.status.as_u16())
    }
}
