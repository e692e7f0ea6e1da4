//! Reads the samples of the providers' bytes.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use serde_json::{Value, json};

use super::Ask;

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
    /// Path that speaks its language, behind a provider's name; `{model}` stands for the model's,
    /// where the path has it.
    pub(crate) path: &'static str,
    /// The rig's provider of its family.
    pub(crate) provider: &'static str,
    /// What may follow it, where it is an error, by the manifest.
    pub(crate) follows: Option<String>,
}

impl Sample {
    /// Whether it is a stream of events, in any framing.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(kind_of(&self.file), "sse" | "bin" | "ndjson")
    }

    /// The request to which it is the answer, for `model`, behind a provider's name.
    pub(crate) fn ask(&self, provider: &str, model: &str) -> Ask {
        let path = self.path.replace("{model}", model);
        let said = json!([{"role": "user", "content": [{"text": "hi there"}]}]);
        let claude = json!([{"role": "user", "content": "hi there"}]);
        let body = match self.path {
            path if path.contains("Content") => {
                json!({"contents": [{"role": "user", "parts": [{"text": "hi there"}]}]})
            }
            path if path.contains("/converse") => json!({"messages": said}),
            path if path.contains("/invoke") => json!({
                "anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": claude,
            }),
            "/v1/messages" => {
                let ask = Ask::chat(model, self.is_stream()).on(provider, &path);
                return ask.with(&json!({"max_tokens": 100}));
            }
            _ => return Ask::chat(model, self.is_stream()).on(provider, &path),
        };
        Ask::post(&path, &body).to(provider)
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
            follows: match file {
                // An id that Bedrock does not know is a model that is not found, whatever the
                // status: another route may have it.
                "bedrock/400_validation.http" => Some("alert".to_owned()),
                _ => row["fo"].as_str().map(str::to_owned),
            },
            ..sample(file, row["dialect"].as_str().unwrap(), bytes)
        }
    };
    rows.iter()
        // No answer of a model.
        .filter(|row| row["file"] != "openrouter/generation.json")
        .map(read)
        .collect()
}

/// The providers of languages whose paths name the model: those of [`Sample::provider`] beside the
/// rig's usual ones.
pub(crate) const NATIVE: &str = r#"
[providers.ge]
dialect = "gemini"
base_url = "http://{sim}"
api_key = "{key}"

[providers.vx]
dialect = "gemini"
base_url = "http://{sim}/v1/projects/p/locations/eu"
api_key = "{key}"

[providers.br]
dialect = "bedrock"
base_url = "http://{sim}"
api_key = "{key}"

[providers.ol]
preset = "ollama"
base_url = "http://{sim}/v1"
api_key = "{key}"
"#;

const GEMINI_STREAM: &str = "/v1beta/models/{model}:streamGenerateContent?alt=sse";
/// Without the words that ask for events, it is one array in pieces.
const GEMINI_ARRAY: &str = "/v1beta/models/{model}:streamGenerateContent";
const VERTEX: &str = "/v1/projects/p/locations/eu/publishers/google/models/{model}:generateContent";
const VERTEX_ARRAY: &str =
    "/v1/projects/p/locations/eu/publishers/google/models/{model}:streamGenerateContent";
const VERTEX_STREAM: &str =
    "/v1/projects/p/locations/eu/publishers/google/models/{model}:streamGenerateContent?alt=sse";

fn sample(file: &str, dialect: &str, bytes: Vec<u8>) -> Sample {
    let (status, headers, body) = if kind_of(file) == "http" {
        response(&bytes)
    } else {
        let kind = match kind_of(file) {
            "json" => "application/json",
            "bin" => "application/vnd.amazon.eventstream",
            "ndjson" => "application/x-ndjson",
            _ => "text/event-stream",
        };
        (
            200,
            vec![("content-type".to_owned(), kind.to_owned())],
            bytes,
        )
    };
    let (provider, path) = match (dialect, file) {
        ("anthropic", _) => ("/an", "/v1/messages"),
        ("gemini", "vertex/vertex_traffic_type.sse") => ("/vx", VERTEX_STREAM),
        ("vertex", _) => ("/vx", VERTEX),
        ("gemini", "gemini/stream_array.json") => ("/ge", GEMINI_ARRAY),
        ("gemini", "vertex/array_with_error.json") => ("/vx", VERTEX_ARRAY),
        ("gemini", _) if kind_of(file) == "sse" => ("/ge", GEMINI_STREAM),
        ("gemini", _) => ("/ge", "/v1beta/models/{model}:generateContent"),
        ("bedrock", _) if kind_of(file) == "bin" => ("/br", "/model/{model}/converse-stream"),
        ("bedrock", _) => ("/br", "/model/{model}/converse"),
        ("bedrock-invoke", _) => ("/br", "/model/{model}/invoke-with-response-stream"),
        ("ollama-native", _) => ("/ol", "/api/chat"),
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
