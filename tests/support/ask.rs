//! Builds requests that can be found again: each has a tag, which its record and its truth carry.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

/// A request to a node.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// Its tag, and the `x-sim-id` by which the simulator knows it.
    pub(crate) tag: String,
    method: &'static str,
    provider: String,
    path: String,
    headers: String,
    body: Vec<u8>,
}

static ASKED: AtomicU64 = AtomicU64::new(0);

impl Ask {
    /// A request without a body.
    pub(crate) fn new(method: &'static str, path: &str) -> Self {
        Self {
            tag: format!("t{}", ASKED.fetch_add(1, Ordering::Relaxed)),
            method,
            provider: "/oa".to_owned(),
            path: path.to_owned(),
            headers: String::new(),
            body: Vec::new(),
        }
    }

    /// A POST of JSON.
    pub(crate) fn post(path: &str, body: &Value) -> Self {
        let ask = Self::new("POST", path).header("content-type", "application/json");
        Self {
            body: body.to_string().into_bytes(),
            ..ask
        }
    }

    /// The same under a tag of its own.
    pub(crate) fn again(&self) -> Self {
        let tag = Self::new(self.method, "").tag;
        Self {
            tag,
            ..self.clone()
        }
    }

    /// Chat completions.
    pub(crate) fn chat(model: &str, stream: bool) -> Self {
        let messages = json!([{"role": "user", "content": "hi there"}]);
        Self::post(
            "/v1/chat/completions",
            &json!({"model": model, "stream": stream, "messages": messages}),
        )
    }

    /// Chat completions with the usage event asked for.
    pub(crate) fn chat_with_usage(model: &str) -> Self {
        Self::chat(model, true).with(&json!({"stream_options": {"include_usage": true}}))
    }

    /// Responses.
    pub(crate) fn responses(model: &str, stream: bool) -> Self {
        Self::post(
            "/v1/responses",
            &json!({"model": model, "stream": stream, "input": "hi there"}),
        )
    }

    /// Anthropic's messages.
    pub(crate) fn messages(model: &str, stream: bool) -> Self {
        let messages = json!([{"role": "user", "content": "hi there"}]);
        let body =
            json!({"model": model, "stream": stream, "max_tokens": 100_000, "messages": messages});
        Self::post("/v1/messages", &body).to("/an")
    }

    /// To the provider of this base URL; nothing for the data plane's own root.
    pub(crate) fn to(self, provider: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            ..self
        }
    }

    /// To this provider and path.
    pub(crate) fn on(self, provider: &str, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self.to(provider)
        }
    }

    /// With one more header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.extend([name, ": ", value, "\r\n"]);
        self
    }

    /// With these fields in its JSON.
    pub(crate) fn with(self, fields: &Value) -> Self {
        let mut body: Value = serde_json::from_slice(&self.body).unwrap();
        for (key, value) in fields.as_object().unwrap() {
            body[key] = value.clone();
        }
        Self {
            body: body.to_string().into_bytes(),
            ..self
        }
    }

    /// With this body instead.
    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head(Some(self.body.len()));
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Its bytes up to the blank line; chunked where it has no length.
    pub(crate) fn head(&self, length: Option<usize>) -> Vec<u8> {
        let Self {
            tag,
            method,
            provider,
            path,
            headers,
            ..
        } = self;
        let framing = match (length, *method) {
            (None, _) => "transfer-encoding: chunked\r\n".to_owned(),
            (Some(0), "GET" | "HEAD" | "DELETE") => String::new(),
            (Some(length), _) => format!("content-length: {length}\r\n"),
        };
        format!(
            "{method} {provider}{path} HTTP/1.1\r\nhost: localhost\r\nx-tollgate-tags: {tag}\r\n\
             x-sim-id: {tag}\r\n{headers}{framing}\r\n"
        )
        .into_bytes()
    }

    /// Its path with the provider in front.
    pub(crate) fn target(&self) -> String {
        format!("{}{}", self.provider, self.path)
    }

    /// Its JSON.
    pub(crate) fn json(&self) -> &[u8] {
        &self.body
    }
}
