//! Knows the endpoints by their paths, and the answers of those that generate no tokens.

use serde_json::{Value, json};

use crate::record::Language;

use super::asked::Asked;
use super::lexicon::mix;
use super::quirks::Quirks;

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A language that generates tokens.
    Generate(Language),
    /// Embeddings.
    Embeddings,
    /// Anthropic's token count.
    CountTokens,
    /// The model list.
    Models,
    /// One model.
    Model(String),
    /// Sound out of text: binary, in pieces.
    Speech,
    /// Text out of sound, by multipart.
    Transcriptions,
    /// Images out of text.
    Images,
    /// File upload and list.
    Files,
    /// Batches.
    Batches,
    /// Moderations.
    Moderations,
    /// Rerank.
    Rerank,
    /// No such path.
    Unknown,
}

impl Endpoint {
    /// The endpoint of a path, whatever prefix stands before it.
    pub(super) fn of(path: &str) -> Self {
        let mut segments = path.trim_end_matches('/').rsplit('/');
        let last = segments.next().unwrap_or("");
        let before = segments.next().unwrap_or("");
        match (before, last) {
            ("chat", "completions") => Self::Generate(Language::OpenAiChat),
            (_, "completions") => Self::Generate(Language::OpenAiCompletions),
            (_, "responses") => Self::Generate(Language::OpenAiResponses),
            (_, "messages") => Self::Generate(Language::AnthropicMessages),
            ("messages", "count_tokens") => Self::CountTokens,
            (_, "embeddings") => Self::Embeddings,
            (_, "models") => Self::Models,
            ("audio", "speech") => Self::Speech,
            ("audio", "transcriptions" | "translations") => Self::Transcriptions,
            ("images", "generations" | "edits" | "variations") => Self::Images,
            (_, "files") => Self::Files,
            (_, "batches") => Self::Batches,
            (_, "moderations") => Self::Moderations,
            (_, "rerank") => Self::Rerank,
            _ => path
                .split_once("/models/")
                .map_or(Self::Unknown, |(_, id)| Self::Model(id.to_owned())),
        }
    }

    /// The language that it speaks.
    pub(super) const fn language(&self) -> Language {
        match self {
            Self::Generate(language) => *language,
            Self::Embeddings => Language::OpenAiEmbeddings,
            Self::CountTokens => Language::AnthropicCountTokens,
            Self::Models | Self::Model(_) => Language::Models,
            _ => Language::Plain,
        }
    }

    /// Whether its body is JSON that is to be read.
    pub(super) const fn reads_json(&self) -> bool {
        !matches!(self, Self::Files | Self::Transcriptions | Self::Unknown)
    }

    /// What its ids begin with.
    pub(super) const fn id_prefix(&self) -> &'static str {
        match self {
            Self::Generate(Language::OpenAiChat) => "chatcmpl-sim-",
            Self::Generate(Language::OpenAiCompletions) => "cmpl-sim-",
            Self::Generate(Language::OpenAiResponses) => "resp_sim-",
            Self::Generate(Language::AnthropicMessages) => "msg_sim-",
            _ => "req_sim-",
        }
    }
}

/// What an answer without tokens is made from.
pub(super) struct Facts<'a> {
    pub(super) asked: &'a Asked,
    pub(super) quirks: &'a Quirks,
    pub(super) tail: &'a str,
    pub(super) created: i64,
    pub(super) seed: u64,
    pub(super) body_bytes: u64,
    /// Ids of the model list.
    pub(super) models: &'a [String],
}

/// The JSON of an endpoint that generates no tokens.
pub(super) fn plain_json(endpoint: &Endpoint, facts: &Facts<'_>) -> Option<Value> {
    let Facts {
        asked,
        tail,
        created,
        ..
    } = facts;
    let model = asked.model.as_deref().unwrap_or("sim");
    let tokens = asked.prompt_tokens();
    Some(match endpoint {
        Endpoint::Embeddings => embeddings(facts, model),
        Endpoint::CountTokens => json!({"input_tokens": tokens}),
        Endpoint::Models => model_list(facts),
        Endpoint::Model(id) => model_json(facts, id),
        Endpoint::Transcriptions => json!({"text": "the river of the morning", "usage": {
            "type": "duration", "seconds": facts.body_bytes.div_ceil(32_000),
        }}),
        Endpoint::Images => json!({
            "created": created,
            "data": [{"b64_json": PIXEL, "revised_prompt": null, "url": null}],
            "usage": {"input_tokens": tokens, "output_tokens": 1056, "total_tokens": tokens + 1056,
                "input_tokens_details": {"text_tokens": tokens, "image_tokens": 0}},
        }),
        Endpoint::Files => json!({
            "id": format!("file-sim-{tail}"), "object": "file", "bytes": facts.body_bytes,
            "created_at": created, "filename": "upload", "purpose": "batch", "status": "processed",
        }),
        Endpoint::Batches => json!({
            "id": format!("batch_sim-{tail}"), "object": "batch", "status": "validating",
            "endpoint": "/v1/chat/completions", "input_file_id": "file-sim",
            "completion_window": "24h", "created_at": created, "errors": null,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
        }),
        Endpoint::Moderations => moderation(tail, model),
        Endpoint::Rerank => json!({
            "id": format!("rerank-sim-{tail}"), "model": model,
            "results": [{"index": 0, "relevance_score": 0.9}], "usage": {"total_tokens": tokens},
        }),
        Endpoint::Generate(_) | Endpoint::Speech | Endpoint::Unknown => return None,
    })
}

/// A transparent PNG of one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJ\
                     RU5ErkJggg==";

fn embeddings(facts: &Facts<'_>, model: &str) -> Value {
    let dimensions = facts.asked.dimensions.unwrap_or(256).min(8192);
    let value = |input: u32, place: u32| {
        let draw = mix(facts.seed ^ u64::from(input) << 32 ^ u64::from(place));
        (draw >> 40) as f32 / (1 << 24) as f32 * 0.2 - 0.1
    };
    let one = |input: u32| {
        let numbers = (0..dimensions).map(|place| value(input, place));
        let vector = if facts.asked.base64 {
            let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
            Value::from(base64(&bytes))
        } else {
            numbers.collect()
        };
        json!({"object": "embedding", "index": input, "embedding": vector})
    };
    let tokens = facts.asked.prompt_tokens();
    json!({
        "object": "list",
        "data": (0..facts.asked.inputs.max(1)).map(one).collect::<Vec<_>>(),
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })
}

fn moderation(tail: &str, model: &str) -> Value {
    const CATEGORIES: [&str; 13] = [
        "harassment",
        "harassment/threatening",
        "hate",
        "hate/threatening",
        "illicit",
        "illicit/violent",
        "self-harm",
        "self-harm/instructions",
        "self-harm/intent",
        "sexual",
        "sexual/minors",
        "violence",
        "violence/graphic",
    ];
    let each = |value: Value| -> Value {
        let fields = CATEGORIES
            .iter()
            .map(|name| ((*name).to_owned(), value.clone()));
        Value::Object(fields.collect())
    };
    json!({
        "id": format!("modr-sim-{tail}"), "model": model,
        "results": [{
            "flagged": false,
            "categories": each(json!(false)),
            "category_scores": each(json!(0.001)),
            "category_applied_input_types": each(json!(["text"])),
        }],
    })
}

fn model_list(facts: &Facts<'_>) -> Value {
    let data: Vec<Value> = facts
        .models
        .iter()
        .map(|id| model_json(facts, id))
        .collect();
    let ends = [facts.models.first(), facts.models.last()];
    json!({
        "object": "list",
        "data": data,
        "has_more": false,
        "first_id": ends[0],
        "last_id": ends[1],
    })
}

fn model_json(facts: &Facts<'_>, id: &str) -> Value {
    // Fields of both families stand side by side: neither SDK minds the other's.
    json!({
        "id": id, "object": "model", "type": "model", "created": 1_795_000_000,
        "created_at": "2026-11-18T00:00:00Z", "display_name": id, "lifecycle": "active", "owned_by": &*facts.quirks.owner,
    })
}

/// Base 64 with padding (RFC 4648, 4).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= group.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_known_behind_any_prefix() {
        let chat = Endpoint::Generate(Language::OpenAiChat);
        for (path, endpoint) in [
            ("/v1/chat/completions", chat.clone()),
            ("/openai/deployments/x/chat/completions", chat.clone()),
            ("/v1beta/openai/chat/completions/", chat),
            (
                "/inference/v1/completions",
                Endpoint::Generate(Language::OpenAiCompletions),
            ),
            (
                "/api/v1/responses",
                Endpoint::Generate(Language::OpenAiResponses),
            ),
            (
                "/v1/messages",
                Endpoint::Generate(Language::AnthropicMessages),
            ),
            ("/v1/messages/count_tokens", Endpoint::CountTokens),
            ("/v1/models", Endpoint::Models),
            ("/v1/models/a/b", Endpoint::Model("a/b".into())),
            ("/v1/audio/speech", Endpoint::Speech),
            ("/v1/nothing", Endpoint::Unknown),
        ] {
            assert_eq!(Endpoint::of(path), endpoint, "{path}");
        }
    }

    #[test]
    fn base64_pads() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
