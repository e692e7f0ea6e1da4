//! Makes the answers of the endpoints that generate no tokens.

use serde_json::{Value, json};

use crate::record::{Dialect, Language};

use super::asked::Asked;
use super::base64;
use super::endpoints::Endpoint;
use super::lexicon::mix;
use super::quirks::Quirks;

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
        Endpoint::CountTokens(Language::GeminiGenerate) => json!({
            "totalTokens": tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}],
        }),
        Endpoint::CountTokens(Language::BedrockConverse) => json!({"inputTokens": tokens}),
        Endpoint::CountTokens(_) => json!({"input_tokens": tokens}),
        Endpoint::GeminiEmbeddings { many: false } => {
            json!({"embedding": {"values": vector(facts, 0)}})
        }
        Endpoint::GeminiEmbeddings { many: true } => {
            let each =
                (0..asked.inputs.max(1)).map(|input| json!({"values": vector(facts, input)}));
            json!({"embeddings": each.collect::<Vec<_>>()})
        }
        Endpoint::Models => model_list(facts),
        Endpoint::OllamaModels => {
            let each = facts.models.iter().map(|id| ollama_model(id));
            json!({"models": each.collect::<Vec<_>>()})
        }
        Endpoint::AsyncInvokes => json!({"asyncInvokeSummaries": []}),
        Endpoint::Location => json!({"name": "projects/p/locations/l", "locationId": "l"}),
        Endpoint::OllamaVersion => json!({"version": "0.6.3"}),
        Endpoint::GeminiModels => {
            let each = facts.models.iter().map(|id| gemini_model(id));
            json!({"models": each.collect::<Vec<_>>()})
        }
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

/// The numbers that stand for an input.
fn vector(facts: &Facts<'_>, input: u32) -> Vec<f32> {
    let dimensions = facts.asked.dimensions.unwrap_or(256).min(8192);
    let value = |place: u32| {
        let draw = mix(facts.seed ^ u64::from(input) << 32 ^ u64::from(place));
        (draw >> 40) as f32 / (1 << 24) as f32 * 0.2 - 0.1
    };
    (0..dimensions).map(value).collect()
}

fn embeddings(facts: &Facts<'_>, model: &str) -> Value {
    let one = |input: u32| {
        let numbers = vector(facts, input).into_iter();
        let vector = if facts.asked.base64 {
            let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
            Value::from(base64::encode(&bytes))
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
    let mut list = json!({
        "object": "list",
        "data": data,
        "has_more": false,
        "first_id": ends[0],
        "last_id": ends[1],
    });
    if facts.quirks.dialect == Dialect::Gemini {
        // Google's own SDK asks for `/v1/models` too.
        let each = facts.models.iter().map(|id| gemini_model(id));
        list["models"] = each.collect();
    }
    list
}

fn ollama_model(id: &str) -> Value {
    json!({
        "name": id, "model": id, "modified_at": "2026-11-18T00:00:00Z", "size": 2_019_393_189_u64,
        "digest": "simulated", "details": {"family": "simulator", "parameter_size": "3B"},
    })
}

fn gemini_model(id: &str) -> Value {
    json!({
        "name": format!("models/{id}"), "displayName": id, "version": "001",
        "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}

fn model_json(facts: &Facts<'_>, id: &str) -> Value {
    // Fields of all families stand side by side: no SDK minds another's.
    let mut model = json!({
        "id": id, "object": "model", "type": "model", "created": 1_795_000_000,
        "created_at": "2026-11-18T00:00:00Z", "display_name": id, "lifecycle": "active", "owned_by": &*facts.quirks.owner,
    });
    if facts.quirks.dialect == Dialect::Gemini
        && let (Value::Object(model), Value::Object(googles)) = (&mut model, gemini_model(id))
    {
        model.extend(googles);
    }
    model
}
