//! Asks the servers that give out credentials: short calls over the provider connections' own
//! means, with the same TLS and the same forward proxies.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::Value;

use super::material::Miss;
use crate::clock::Clock;
use crate::config::settings::{BaseUrl, Provider};
use crate::edge::upstream::pool::{PoolLimits, TlsConfigs};
use crate::edge::upstream::{Outgoing, OutgoingBody, Phases, Pool, ProxyRules};

/// Largest answer that is read.
const ANSWER_MAX: usize = 1024 * 1024;
/// How long a server on the network may take.
const OUTSIDE: Duration = Duration::from_secs(10);
/// How long the machine's own may take: it answers at once, or is not there.
const INSIDE: Duration = Duration::from_secs(2);

/// Asks.
#[derive(Debug)]
pub(super) struct Caller {
    outside: Arc<Pool>,
    inside: Arc<Pool>,
    pub(super) clock: Clock,
    /// Who is asked instead of everybody, over plain HTTP: in tests.
    instead: Option<SocketAddr>,
}

/// A question.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: Vec<(Cow<'static, str>, String)>,
    pub(super) body: Bytes,
    /// Whether the machine's own metadata server is asked: at once or never, and through no proxy.
    pub(super) is_inside: bool,
}

impl Question {
    pub(super) fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            is_inside: false,
        }
    }

    /// A form, as token servers want it.
    pub(super) fn form(url: impl Into<String>, pairs: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        Self {
            method: Method::POST,
            body: Bytes::from(body),
            ..Self::get(url)
        }
        .with("content-type", "application/x-www-form-urlencoded")
    }

    /// With a header, whose name is in lower case.
    pub(super) fn with(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(super) fn inside(self) -> Self {
        Self {
            is_inside: true,
            ..self
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Reply {
    /// The answer as text, where it is a success; else what it says of the failure.
    pub(super) fn text(&self) -> Result<&str, Miss> {
        let text = std::str::from_utf8(&self.body)
            .map_err(|_| Miss::refused("an answer that is no text"))?;
        if self.status.is_success() {
            return Ok(text);
        }
        let said = said_in(text);
        let message = format!("status {}{said}", self.status.as_u16());
        let passing = self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS;
        Err(if passing {
            Miss::unreached(message)
        } else {
            Miss::refused(message)
        })
    }

    /// The answer as JSON.
    pub(super) fn json(&self) -> Result<Value, Miss> {
        serde_json::from_str(self.text()?).map_err(|_| Miss::refused("an answer that is no JSON"))
    }
}

/// What a refusal says: its code and its message, of all that is known to say such.
fn said_in(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(json) => said(&json),
        Err(_) => shown([tag(text, "Code"), tag(text, "Message")]),
    }
}

/// The same of a refusal in JSON.
pub(super) fn said(json: &Value) -> String {
    let first = |keys: [&str; 3]| {
        let found = keys.iter().find_map(|key| json[key].as_str());
        found.map(str::to_owned)
    };
    shown([
        first(["error", "code", "Code"]),
        first(["error_description", "message", "Message"]),
    ])
}

fn shown(parts: [Option<String>; 2]) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let plain: String = parts
        .join(": ")
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(240)
        .collect();
    if plain.is_empty() {
        plain
    } else {
        format!(" ({plain})")
    }
}

/// The text of the first element of that name in XML.
pub(super) fn tag(text: &str, name: &str) -> Option<String> {
    let rest = text.split_once(&format!("<{name}>"))?.1;
    let inner = rest.split_once(&format!("</{name}>"))?.0;
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ];
    let plain = entities
        .iter()
        .fold(inner.trim().to_owned(), |text, (from, to)| {
            text.replace(from, to)
        });
    Some(plain)
}

impl Caller {
    pub(super) fn new(
        proxies: ProxyRules,
        tls: TlsConfigs,
        clock: Clock,
        instead: Option<SocketAddr>,
    ) -> Self {
        let pool = |rules| Arc::new(Pool::new(rules, tls.clone(), clock.clone()));
        Self {
            outside: pool(proxies),
            inside: pool(ProxyRules::default()),
            clock,
            instead,
        }
    }

    /// Asks once. What cannot be reached may be there later, except on this machine: there it is
    /// not.
    pub(super) async fn ask(&self, question: Question) -> Result<Reply, Miss> {
        let patience = if question.is_inside { INSIDE } else { OUTSIDE };
        let is_inside = question.is_inside;
        let missing = move |why: String| {
            if is_inside {
                Miss::Absent(why)
            } else {
                Miss::unreached(why)
            }
        };
        match tokio::time::timeout(patience, self.send(question, patience)).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(Sending::Url)) => Err(Miss::refused("a URL or a header that cannot be asked")),
            Ok(Err(Sending::Failed(why))) => Err(missing(why)),
            Err(_) => Err(missing(format!("no answer within {patience:?}"))),
        }
    }

    async fn send(&self, question: Question, patience: Duration) -> Result<Reply, Sending> {
        let url: Uri = question.url.parse().map_err(|_| Sending::Url)?;
        let own = base_of(&url).ok_or(Sending::Url)?;
        let authority = own.authority();
        let base = match self.instead {
            Some(address) => BaseUrl {
                https: false,
                host: address.ip().to_string(),
                port: address.port(),
                ..own
            },
            None => own,
        };
        let target = url.path_and_query().map_or("/", |target| target.as_str());
        let mut headers = HeaderMap::new();
        let host = HeaderValue::from_str(&authority).map_err(|_| Sending::Url)?;
        headers.insert(header::HOST, host);
        for (name, value) in &question.headers {
            let mut value = HeaderValue::from_str(value).map_err(|_| Sending::Url)?;
            value.set_sensitive(true);
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Sending::Url)?;
            headers.insert(name, value);
        }
        if question.method != Method::GET {
            headers.insert(
                header::CONTENT_LENGTH,
                HeaderValue::from(question.body.len()),
            );
        }
        let outgoing = Outgoing {
            method: question.method,
            target: target.parse().map_err(|_| Sending::Url)?,
            headers,
            body: OutgoingBody::Whole(question.body),
        };
        // Nobody asks so often that a connection were worth keeping.
        let limits = PoolLimits {
            idle: Duration::ZERO,
            connect: patience,
            connections: 16,
            fresh: false,
        };
        let pool = if question.is_inside {
            &self.inside
        } else {
            &self.outside
        };
        // No provider of a config has such a name.
        let place = Provider::at(&format!("@{authority}"), base);
        let mut phases = Phases::default();
        let failed = |why: String| Sending::Failed(format!("{authority}: {why}"));
        let answer = pool
            .send(&place, outgoing, &limits, &self.clock, &mut phases)
            .await
            .map_err(|fault| failed(fault.detail))?;
        let (parts, mut body) = answer.response.into_parts();
        let mut whole = Vec::new();
        while let Some(chunk) = body.chunk().await {
            let chunk = chunk.map_err(|_| failed("its answer broke off".to_owned()))?;
            whole.extend_from_slice(&chunk.bytes);
            if whole.len() > ANSWER_MAX {
                return Err(failed("an answer without end".to_owned()));
            }
        }
        body.finish(None);
        Ok(Reply {
            status: parts.status,
            body: Bytes::from(whole),
        })
    }
}

enum Sending {
    Url,
    Failed(String),
}

fn base_of(url: &Uri) -> Option<BaseUrl> {
    let https = match url.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
    Some(BaseUrl {
        https,
        host: host.to_ascii_lowercase(),
        port: url.port_u16().unwrap_or(if https { 443 } else { 80 }),
        path: String::new(),
        query: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_its_code_and_message_and_no_more() {
        for (text, expected) in [
            (
                r#"{"error":"invalid_grant","error_description":"Token revoked."}"#,
                " (invalid_grant: Token revoked.)",
            ),
            (
                "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not &lt;you&gt;</Message></Error></ErrorResponse>",
                " (AccessDenied: not <you>)",
            ),
            (
                r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"not this role"}"#,
                " (AssumeRoleUnauthorizedAccess: not this role)",
            ),
            ("secret", ""),
            ("", ""),
        ] {
            assert_eq!(said_in(text), expected, "{text}");
        }
    }
}
