//! Passes headers on in both directions, all but those that must not travel.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::candidates::Way;

/// Request headers that stay here: hop-by-hop, framing, cookies, who came before, our own, and
/// credentials, which are put back by the provider's rule.
const REQUEST_DENIED: [&str; 21] = [
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-connection",
    "host",
    "content-length",
    "expect",
    "cookie",
    "forwarded",
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "origin",
    "referer",
    "via",
    "http2-settings",
    "x-real-ip",
];
const REQUEST_DENIED_PREFIXES: [&str; 6] = [
    "proxy-",
    "x-forwarded-",
    "x-tollgate-",
    "sec-fetch-",
    "sec-websocket-",
    "access-control-",
];

/// Marks a request as having passed through a Tollgate. Marks of others before us stay beside
/// ours: in a circle of two, each would take off what the other has to find.
const INSTANCE: &str = "x-tollgate-instance";

/// Response headers that stay here. `openai-organization` would tell whose account it is.
const RESPONSE_DENIED: [&str; 11] = [
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-connection",
    "set-cookie",
    "alt-svc",
    "strict-transport-security",
    "openai-organization",
];
const RESPONSE_DENIED_PREFIXES: [&str; 2] = ["proxy-", "access-control-"];

/// The headers for the provider. `identity` asks it not to compress.
#[must_use]
pub fn to_provider(
    client: &HeaderMap,
    way: &Way,
    identity: bool,
    instance: &HeaderValue,
) -> HeaderMap {
    let mut headers = client.clone();
    take_off(&mut headers, &REQUEST_DENIED, &REQUEST_DENIED_PREFIXES);
    for (name, value) in &way.provider.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            headers.insert(name, value);
        }
    }
    if identity {
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
    }
    if let Some((name, value)) = way.credential.header(way.provider.auth) {
        headers.insert(HeaderName::from_static(name), value);
    }
    if let Ok(host) = HeaderValue::from_str(&way.provider.base.authority()) {
        headers.insert(header::HOST, host);
    }
    for mark in client.get_all(INSTANCE) {
        headers.append(INSTANCE, mark.clone());
    }
    headers.append(INSTANCE, instance.clone());
    headers
}

/// The marks of the instances that a request came through, and nothing else of its headers.
#[must_use]
pub fn marks(client: &HeaderMap) -> HeaderMap {
    let mut marks = HeaderMap::new();
    for mark in client.get_all(INSTANCE) {
        marks.append(INSTANCE, mark.clone());
    }
    marks
}

/// The headers for the client, out of the provider's.
#[must_use]
pub fn to_client(mut provider: HeaderMap) -> HeaderMap {
    take_off(&mut provider, &RESPONSE_DENIED, &RESPONSE_DENIED_PREFIXES);
    provider
}

/// Takes off what must not travel. In place, since most headers do travel; which moves some of
/// them to another place among the others, where order means nothing (RFC 9110, 5.3).
fn take_off(headers: &mut HeaderMap, denied: &[&str], denied_prefixes: &[&str]) {
    let named = named_by_connection(headers);
    let stays = |name: &&HeaderName| {
        // Gateways to CGI and its heirs take `_` for `-`: what is denied is so in either spelling.
        let dashed = name
            .as_str()
            .contains('_')
            .then(|| name.as_str().replace('_', "-"));
        let text = dashed.as_deref().unwrap_or(name.as_str());
        denied.contains(&text)
            || denied_prefixes
                .iter()
                .any(|prefix| text.starts_with(prefix))
            || named.iter().any(|other| other == name.as_str())
    };
    let staying: Vec<HeaderName> = headers.keys().filter(stays).cloned().collect();
    for name in staying {
        headers.remove(name);
    }
}

/// What `Connection` names is hop-by-hop too (RFC 9110, 7.6.1).
fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_travel_stays() {
        let mut from = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Named"),
            ("x-named", "1"),
            ("cookie", "a=b"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x_forwarded_for", "1.2.3.4"),
            ("content_length", "5"),
            ("session_id", "codex"),
            ("proxy-authorization", "Basic x"),
            ("authorization", "Bearer secret"),
            ("x-tollgate-tags", "a"),
            ("user-agent", "OpenAI/Python"),
            ("x-stainless-lang", "python"),
            ("openai-beta", "assistants=v2"),
        ] {
            from.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        take_off(&mut from, &REQUEST_DENIED, &REQUEST_DENIED_PREFIXES);
        let mut names: Vec<_> = from.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "openai-beta",
                "session_id",
                "user-agent",
                "x-stainless-lang"
            ]
        );
    }
}
