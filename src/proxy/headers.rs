//! Passes headers on in both directions, all but those that must not travel.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::candidates::Way;
use super::names::INSTANCE;
use crate::record::Language;
use crate::wire::dialect::headers::read_headers;

/// Request headers that stay here: hop-by-hop, framing, cookies, who came before, our own, and
/// credentials, which are put back by the provider's rule.
fn is_denied_in_request(name: &str) -> bool {
    // By the first letter, since every header of every request comes by here.
    match name.as_bytes().first() {
        Some(b'a') => {
            matches!(name, "authorization" | "api-key") || name.starts_with("access-control-")
        }
        Some(b'c') => matches!(name, "connection" | "content-length" | "cookie"),
        Some(b'e') => name == "expect",
        Some(b'f') => name == "forwarded",
        Some(b'h') => matches!(name, "host" | "http2-settings"),
        Some(b'k') => name == "keep-alive",
        Some(b'o') => name == "origin",
        Some(b'p') => name.starts_with("proxy-"),
        Some(b'r') => name == "referer",
        Some(b's') => name.starts_with("sec-fetch-") || name.starts_with("sec-websocket-"),
        Some(b't') => matches!(name, "te" | "trailer" | "transfer-encoding"),
        Some(b'u') => name == "upgrade",
        Some(b'v') => name == "via",
        Some(b'x') => {
            matches!(name, "x-api-key" | "x-goog-api-key" | "x-real-ip")
                // Parts of a signature for this host, and a session's token.
                || matches!(name, "x-amz-date" | "x-amz-security-token" | "x-amz-content-sha256")
                || name.starts_with("x-forwarded-")
                || name.starts_with("x-tollgate-")
        }
        _ => false,
    }
}

/// Request headers that mean something to one maker's API and nothing, or something else, to
/// another's: how the body is written, what is accepted, versions, betas, organisations, the SDK.
fn is_of_a_language(name: &str) -> bool {
    const PREFIXES: [&str; 15] = [
        "accept",
        "anthropic-",
        "chatgpt-",
        "content-",
        "if-",
        "openai-",
        "x-amz-",
        "x-amzn-",
        "x-app",
        "x-claude-",
        "x-codex-",
        "x-goog-",
        "x-ms-",
        "x-openrouter-",
        "x-stainless-",
    ];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || matches!(
            name,
            "api-version"
                | "http-referer"
                | "idempotency-key"
                | "originator"
                | "session_id"
                | "x-title"
        )
}

/// Response headers that stay here. `openai-organization` would tell whose account it is.
fn is_denied_in_response(name: &str) -> bool {
    match name.as_bytes().first() {
        Some(b'a') => name == "alt-svc" || name.starts_with("access-control-"),
        Some(b'c') => name == "connection",
        Some(b'k') => name == "keep-alive",
        Some(b'o') => name == "openai-organization",
        Some(b'p') => name.starts_with("proxy-"),
        Some(b's') => matches!(name, "set-cookie" | "strict-transport-security"),
        Some(b't') => matches!(name, "te" | "trailer" | "transfer-encoding"),
        Some(b'u') => name == "upgrade",
        _ => false,
    }
}

/// The headers for the provider. `identity` asks it not to compress.
#[must_use]
pub fn to_provider(
    client: &HeaderMap,
    way: &Way,
    identity: bool,
    instance: &HeaderValue,
) -> HeaderMap {
    let mut headers = passed_on(client);
    put_on(&mut headers, way, identity);
    marks_into(&mut headers, client, instance);
    headers
}

/// The headers for a provider to which the request is said in `language`, which is not the
/// client's: of the client's own all but what its language, its maker or its SDK means by it.
#[must_use]
pub fn to_translated(client: &HeaderMap, way: &Way, language: Language, stream: bool) -> HeaderMap {
    let mut headers = passed_on(client);
    take_off(&mut headers, is_of_a_language);
    let json = HeaderValue::from_static(JSON);
    headers.insert(header::CONTENT_TYPE, json.clone());
    let accepted = if stream {
        HeaderValue::from_static(stream_type(language))
    } else {
        json
    };
    headers.insert(header::ACCEPT, accepted);
    if language == Language::AnthropicMessages {
        name_version(&mut headers, way);
    }
    put_on(&mut headers, way, true);
    headers
}

/// Names the version of Anthropic's API, unless the client did.
pub fn name_version(headers: &mut HeaderMap, way: &Way) {
    const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
    let version = HeaderValue::from_str(&way.provider.translating.anthropic_version);
    if let Ok(version) = version
        && !headers.contains_key(VERSION)
    {
        headers.insert(VERSION, version);
    }
}

/// The content type of whole bodies, whatever the language.
pub const JSON: &str = "application/json";

/// The content type of streams in a language.
#[must_use]
pub const fn stream_type(language: Language) -> &'static str {
    match language {
        Language::BedrockConverse | Language::BedrockInvoke => "application/vnd.amazon.eventstream",
        _ => "text/event-stream",
    }
}

/// Puts on what the provider's config asks for, and its credential. `identity` asks it not to
/// compress.
fn put_on(headers: &mut HeaderMap, way: &Way, identity: bool) {
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
}

/// Puts on the marks of the instances that a request came through, and our own.
pub fn marks_into(headers: &mut HeaderMap, client: &HeaderMap, instance: &HeaderValue) {
    for mark in client.get_all(&INSTANCE) {
        headers.append(&INSTANCE, mark.clone());
    }
    headers.append(&INSTANCE, instance.clone());
}

/// What of a client's headers travels, with room for what comes on top.
fn passed_on(client: &HeaderMap) -> HeaderMap {
    let named = named_by_connection(client);
    let mut headers = HeaderMap::with_capacity(client.keys_len() + 5);
    for (name, value) in client {
        if !stays_here(name, is_denied_in_request, &named) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

/// The marks of the instances that a request came through, and nothing else of its headers.
#[must_use]
pub fn marks(client: &HeaderMap) -> HeaderMap {
    let mut marks = HeaderMap::new();
    for mark in client.get_all(&INSTANCE) {
        marks.append(&INSTANCE, mark.clone());
    }
    marks
}

/// The headers for the client of an answer that was translated: those of the provider's body are
/// not those of the one that the client gets.
#[must_use]
pub fn to_client_translated(
    provider: HeaderMap,
    content_type: &'static str,
    client: Language,
) -> HeaderMap {
    // By the name under which the client's SDK looks for it.
    let name = match client {
        Language::AnthropicMessages => Some(HeaderName::from_static("request-id")),
        language if language.is_inference() => Some(HeaderName::from_static("x-request-id")),
        _ => None,
    };
    let id = read_headers(&provider).request_id;
    let id = id.and_then(|id| HeaderValue::from_str(&id).ok());
    let mut headers = to_client(provider);
    if let Some((name, id)) = name.zip(id) {
        headers.entry(name).or_insert(id);
    }
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::ETAG,
        header::ACCEPT_RANGES,
    ] {
        headers.remove(name);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers
}

/// The headers for the client, out of the provider's.
#[must_use]
pub fn to_client(mut provider: HeaderMap) -> HeaderMap {
    take_off(&mut provider, is_denied_in_response);
    provider
}

/// Takes off what must not travel. In place, since most headers do travel; which moves some of
/// them to another place among the others, where order means nothing (RFC 9110, 5.3).
fn take_off(headers: &mut HeaderMap, is_denied: fn(&str) -> bool) {
    let named = named_by_connection(headers);
    let stays = |name: &&HeaderName| stays_here(name, is_denied, &named);
    let staying: Vec<HeaderName> = headers.keys().filter(stays).cloned().collect();
    for name in staying {
        headers.remove(name);
    }
}

fn stays_here(name: &HeaderName, is_denied: fn(&str) -> bool, named: &[String]) -> bool {
    let text = name.as_str();
    // Gateways to CGI and its heirs take `_` for `-`: what is denied is so in either spelling.
    // Counted, and not looked for: many bytes are compared at once.
    let lines = text.bytes().map(|byte| u8::from(byte == b'_'));
    let has_line = lines.fold(0, |has, line| has | line) > 0;
    let dashed = has_line.then(|| text.replace('_', "-"));
    is_denied(dashed.as_deref().unwrap_or(text)) || named.iter().any(|other| other == text)
}

/// What `Connection` names is hop-by-hop too (RFC 9110, 7.6.1).
fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        // No names of headers, or of one that is taken off anyway.
        .filter(|name| !matches!(*name, "keep-alive" | "close"))
        .map(str::to_ascii_lowercase)
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
        let passed = passed_on(&from);
        take_off(&mut from, is_denied_in_request);
        for passed in [passed, from] {
            let mut names: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
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
}
