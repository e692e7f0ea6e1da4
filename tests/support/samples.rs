//! Reads the samples of the providers' bytes.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use serde_json::Value;

/// One sample.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// Its file, under the fixtures.
    pub(crate) file: String,
    /// Status, headers and body as they stand in an `.http` file; else the usual ones.
    pub(crate) status: u16,
    /// Headers in their order.
    pub(crate) headers: Vec<(String, String)>,
    /// Body.
    pub(crate) body: Bytes,
    /// Path that speaks its language, behind a provider's name.
    pub(crate) path: &'static str,
    /// The rig's provider of its family.
    pub(crate) provider: &'static str,
    /// What may follow it, where it is an error, by the manifest.
    pub(crate) follows: Option<String>,
}

impl Sample {
    /// Whether it is a stream of events.
    pub(crate) fn is_stream(&self) -> bool {
        kind_of(&self.file) == "sse"
    }

    /// The response head for a script.
    pub(crate) fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} Sample", self.status);
        for (name, value) in &self.headers {
            head.extend(["\r\n", name, ": ", value]);
        }
        head
    }
}

/// What a file's name ends with.
fn kind_of(file: &str) -> &str {
    file.rsplit('.').next().unwrap_or_default()
}

/// Every sample of the manifest.
pub(crate) fn samples() -> Vec<Sample> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wire");
    let manifest = fs::read(fixtures.join("manifest.json")).unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&manifest).unwrap();
    let read = |row: &Value| {
        let file = row["file"].as_str().unwrap();
        let bytes = fs::read(fixtures.join(file)).unwrap();
        Sample {
            follows: row["fo"].as_str().map(str::to_owned),
            ..sample(file, row["dialect"].as_str().unwrap(), bytes)
        }
    };
    rows.iter()
        .filter(|row| is_spoken(row["dialect"].as_str().unwrap()))
        // No answer of a model.
        .filter(|row| row["file"] != "openrouter/generation.json")
        .map(read)
        .collect()
}

/// Whether the rig plays scripts in this language: others name the model in the path.
fn is_spoken(dialect: &str) -> bool {
    let native = [
        "gemini",
        "vertex",
        "bedrock",
        "bedrock-invoke",
        "ollama-native",
    ];
    !native.contains(&dialect)
}

fn sample(file: &str, dialect: &str, bytes: Vec<u8>) -> Sample {
    let (status, headers, body) = if kind_of(file) == "http" {
        response(&bytes)
    } else {
        let kind = if kind_of(file) == "json" {
            "application/json"
        } else {
            "text/event-stream"
        };
        (
            200,
            vec![("content-type".to_owned(), kind.to_owned())],
            bytes,
        )
    };
    let (provider, path) = match (dialect, file) {
        ("anthropic", _) => ("/an", "/v1/messages"),
        ("openai-responses", _) => ("/oa", "/v1/responses"),
        (_, "openai-chat/legacy_completions.sse") => ("/oa", "/v1/completions"),
        (_, "openai-chat/embeddings.json") => ("/oa", "/v1/embeddings"),
        _ => ("/oa", "/v1/chat/completions"),
    };
    Sample {
        file: file.to_owned(),
        status,
        headers,
        body: body.into(),
        path,
        provider,
        follows: None,
    }
}

/// A status line, headers, a blank line, a body.
fn response(bytes: &[u8]) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let body = response.parse(bytes).unwrap().unwrap();
    let owned = |header: &httparse::Header<'_>| {
        let value = String::from_utf8_lossy(header.value).into_owned();
        (header.name.to_ascii_lowercase(), value)
    };
    // The framing is the script's.
    let framing = ["content-length", "transfer-encoding", "connection"];
    let headers = response.headers.iter().map(owned);
    let headers = headers
        .filter(|(name, _)| !framing.contains(&name.as_str()))
        .collect();
    (response.code.unwrap(), headers, bytes[body..].to_vec())
}
