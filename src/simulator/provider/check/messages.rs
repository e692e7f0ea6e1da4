//! Objects to what Anthropic's API objects to.

use serde_json::Value;

use super::super::base64;
use super::shape::{Fault, Finding, Kind, Names, Shape, Step, examine, may, must};
use super::turns::{Mismatch, Objection, SIGNATURE, looks_like, matched};

const CACHE: Kind = Kind::Map;

static SOURCE_BASE64: Shape = Shape::of(&[
    must("type", Kind::Text),
    must("media_type", Kind::Text),
    must("data", Kind::Bytes),
]);
static SOURCE_URL: Shape = Shape::of(&[must("type", Kind::Text), must("url", Kind::Text)]);
static SOURCE_FILE: Shape = Shape::of(&[must("type", Kind::Text), must("file_id", Kind::Text)]);
static SOURCE_TEXT: Shape = Shape::of(&[
    must("type", Kind::Text),
    must("media_type", Kind::Word(&["text/plain"])),
    must("data", Kind::Text),
]);
static SOURCE_CONTENT: Shape = Shape::of(&[must("type", Kind::Text), must("content", Kind::Any)]);

const IMAGE_SOURCE: Kind = Kind::Tagged(
    "type",
    &[
        ("base64", &SOURCE_BASE64),
        ("url", &SOURCE_URL),
        ("file", &SOURCE_FILE),
    ],
);
const DOCUMENT_SOURCE: Kind = Kind::Tagged(
    "type",
    &[
        ("base64", &SOURCE_BASE64),
        ("url", &SOURCE_URL),
        ("file", &SOURCE_FILE),
        ("text", &SOURCE_TEXT),
        ("content", &SOURCE_CONTENT),
    ],
);

static TEXT: Shape = Shape::of(&[
    must("type", Kind::Text),
    must("text", Kind::Text),
    may("cache_control", CACHE),
    may("citations", Kind::Any),
]);
static IMAGE: Shape = Shape::of(&[
    must("type", Kind::Text),
    must("source", IMAGE_SOURCE),
    may("cache_control", CACHE),
]);
static DOCUMENT: Shape = Shape::of(&[
    must("type", Kind::Text),
    must("source", DOCUMENT_SOURCE),
    may("title", Kind::Any),
    may("context", Kind::Any),
    may("citations", Kind::Map),
    may("cache_control", CACHE),
]);
static TOOL_USE: Shape = Shape::of(&[
    must("type", Kind::Text),
    must("id", Kind::Text),
    must("name", Kind::Text),
    must("input", Kind::Map),
    may("cache_control", CACHE),
    may("caller", Kind::Any),
]);
static TOOL_RESULT: Shape = Shape::of(&[
    must("type", Kind::Text),
    must("tool_use_id", Kind::Text),
    may("content", RESULT_CONTENT),
    may("is_error", Kind::Flag),
    may("cache_control", CACHE),
]);
static THINKING: Shape = Shape::of(&[
    must("type", Kind::Text),
    must("thinking", Kind::Text),
    must("signature", Kind::Text),
]);
static REDACTED: Shape = Shape::of(&[must("type", Kind::Text), must("data", Kind::Text)]);
static SERVER: Shape = Shape::of(&[
    must("type", Kind::Text),
    may("id", Kind::Text),
    may("name", Kind::Text),
    may("input", Kind::Any),
    may("tool_use_id", Kind::Text),
    may("content", Kind::Any),
    may("source", Kind::Any),
    may("title", Kind::Text),
    may("citations", Kind::Any),
    may("cache_control", CACHE),
    may("caller", Kind::Any),
]);

const RESULT_CONTENT: Kind = Kind::TextOr(&Kind::List(&Kind::Tagged(
    "type",
    &[
        ("text", &TEXT),
        ("image", &IMAGE),
        ("document", &DOCUMENT),
        ("search_result", &SERVER),
        ("tool_reference", &SERVER),
    ],
)));

const CONTENT: Kind = Kind::TextOr(&Kind::List(&Kind::Tagged(
    "type",
    &[
        ("text", &TEXT),
        ("image", &IMAGE),
        ("document", &DOCUMENT),
        ("tool_use", &TOOL_USE),
        ("tool_result", &TOOL_RESULT),
        ("thinking", &THINKING),
        ("redacted_thinking", &REDACTED),
        ("server_tool_use", &SERVER),
        ("web_search_tool_result", &SERVER),
        ("web_fetch_tool_result", &SERVER),
        ("code_execution_tool_result", &SERVER),
        ("search_result", &SERVER),
    ],
)));

static MESSAGE: Shape = Shape::of(&[
    must("role", Kind::Word(&["user", "assistant", "system"])),
    must("content", CONTENT),
]);

static TOOL: Shape = Shape::of(&[
    may("type", Kind::Any),
    must("name", Kind::Text),
    may("description", Kind::Text),
    must("input_schema", Kind::Map),
    may("cache_control", CACHE),
    may("strict", Kind::Flag),
    may("defer_loading", Kind::Flag),
    may("allowed_callers", Kind::Any),
    may("input_examples", Kind::Any),
    may("eager_input_streaming", Kind::Any),
]);

static CHOICE_ANY: Shape = Shape::of(&[
    must("type", Kind::Text),
    may("disable_parallel_tool_use", Kind::Flag),
]);
static CHOICE_NONE: Shape = Shape::of(&[must("type", Kind::Text)]);
static CHOICE_TOOL: Shape = Shape::of(&[
    must("type", Kind::Text),
    must("name", Kind::Text),
    may("disable_parallel_tool_use", Kind::Flag),
]);
const CHOICE: Kind = Kind::Tagged(
    "type",
    &[
        ("auto", &CHOICE_ANY),
        ("any", &CHOICE_ANY),
        ("tool", &CHOICE_TOOL),
        ("none", &CHOICE_NONE),
    ],
);

static THINK_ENABLED: Shape = Shape::of(&[
    must("type", Kind::Text),
    must("budget_tokens", Kind::Whole(1024)),
    may("display", Kind::Any),
]);
static THINK_OTHER: Shape = Shape::of(&[must("type", Kind::Text), may("display", Kind::Any)]);
const THINK: Kind = Kind::Tagged(
    "type",
    &[
        ("enabled", &THINK_ENABLED),
        ("disabled", &THINK_OTHER),
        ("adaptive", &THINK_OTHER),
    ],
);

static FORMAT: Shape = Shape::of(&[
    must("type", Kind::Word(&["json_schema"])),
    must("schema", Kind::Map),
]);
static OUTPUT: Shape = Shape::of(&[
    may("format", Kind::Object(&FORMAT)),
    may(
        "effort",
        Kind::Word(&["low", "medium", "high", "xhigh", "max"]),
    ),
    may("task_budget", Kind::Any),
]);

static METADATA: Shape = Shape::of(&[may("user_id", Kind::Any)]);

static REQUEST: Shape = Shape::of(&[
    may("model", Kind::Text),
    must("messages", Kind::List(&Kind::Object(&MESSAGE))),
    must("max_tokens", Kind::Whole(0)),
    may("system", Kind::TextOr(&Kind::List(&Kind::Object(&TEXT)))),
    may("temperature", Kind::Number(0.0, 1.0)),
    may("top_p", Kind::Number(0.0, 1.0)),
    may("top_k", Kind::Whole(0)),
    may("stop_sequences", Kind::List(&Kind::Text)),
    may("stream", Kind::Flag),
    may("tools", Kind::List(&Kind::Map)),
    may("tool_choice", CHOICE),
    may("thinking", THINK),
    may("output_config", Kind::Object(&OUTPUT)),
    may("output_format", Kind::Any),
    may("metadata", Kind::Object(&METADATA)),
    may("service_tier", Kind::Word(&["auto", "standard_only"])),
    may("cache_control", CACHE),
    may("container", Kind::Any),
    may("inference_geo", Kind::Any),
    may("speed", Kind::Any),
    may("context_management", Kind::Any),
    may("mcp_servers", Kind::Any),
    may("diagnostics", Kind::Any),
    may("betas", Kind::Any),
    may("anthropic_version", Kind::Text),
    may("anthropic_beta", Kind::Any),
]);

static COUNT: Shape = Shape::of(&[
    must("model", Kind::Text),
    must("messages", Kind::List(&Kind::Object(&MESSAGE))),
    may("system", Kind::TextOr(&Kind::List(&Kind::Object(&TEXT)))),
    may("tools", Kind::List(&Kind::Map)),
    may("tool_choice", CHOICE),
    may("thinking", THINK),
    may("output_config", Kind::Object(&OUTPUT)),
    may("cache_control", CACHE),
    may("context_management", Kind::Any),
    may("mcp_servers", Kind::Any),
]);

/// Where Claude is asked, which decides a few fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Counter {
    /// At Anthropic, in that version of the API.
    Anthropic {
        /// Whether sampling settings are refused: versions from 2026-10-21 on.
        refuses_sampling: bool,
    },
    /// At Vertex, where the body names a version instead of a model.
    Vertex,
    /// At Bedrock, where besides the path says whether it is a stream.
    Bedrock,
}

/// What is wrong with a request to generate.
pub(super) fn request(body: &Value, counter: Counter) -> Option<Objection> {
    if let Some(finding) = examine(body, &REQUEST, Names::AsWritten) {
        return Some(worded(&finding));
    }
    at_counter(body, counter)
        .or_else(|| turns(body))
        .or_else(|| tools(body))
        .or_else(|| thinking(body))
        .or_else(|| stops(body))
}

/// What is wrong with a request to count tokens.
pub(super) fn count(body: &Value) -> Option<Objection> {
    examine(body, &COUNT, Names::AsWritten).map(|finding| worded(&finding))
}

fn worded(finding: &Finding) -> Objection {
    let path: Vec<String> = finding
        .path
        .iter()
        .map(|step| match step {
            Step::Field(name) => name.clone(),
            Step::Place(place) => place.to_string(),
        })
        .collect();
    let at = |more: Option<&str>| {
        let steps = path.iter().map(String::as_str).chain(more);
        steps.collect::<Vec<_>>().join(".")
    };
    Objection::new(match &finding.fault {
        Fault::Unknown(name) => {
            format!("{}: Extra inputs are not permitted", at(Some(name)))
        }
        Fault::Missing(name) => format!("{}: Field required", at(Some(name))),
        Fault::Not(what) => format!("{}: Input should be {what}", at(None)),
        Fault::NotOne(names) => {
            format!(
                "{}: Input should have one of {}",
                at(None),
                names.join(", ")
            )
        }
    })
}

fn at_counter(body: &Value, counter: Counter) -> Option<Objection> {
    match counter {
        Counter::Vertex | Counter::Bedrock => {
            let in_path: &[&str] = match counter {
                Counter::Bedrock => &["model", "stream"],
                _ => &["model"],
            };
            if let Some(field) = in_path.iter().find(|field| body.get(**field).is_some()) {
                return Some(Objection::new(format!(
                    "{field}: Extra inputs are not permitted"
                )));
            }
            body.get("anthropic_version")
                .is_none()
                .then(|| Objection::new("anthropic_version: Field required"))
        }
        Counter::Anthropic { refuses_sampling } => {
            if body.get("anthropic_version").is_some() {
                let message = "anthropic_version: Extra inputs are not permitted";
                return Some(Objection::new(message));
            }
            let sampling = ["temperature", "top_p", "top_k"];
            let field = sampling
                .into_iter()
                .find(|field| refuses_sampling && body.get(field).is_some())?;
            Some(Objection::new(format!(
                "{field}: `{field}` is not supported with this API version."
            )))
        }
    }
}

fn blocks(message: &Value) -> &[Value] {
    message["content"].as_array().map_or(&[], Vec::as_slice)
}

fn ids(message: &Value, kind: &str, field: &str) -> Vec<String> {
    let found = blocks(message).iter().filter(|block| block["type"] == kind);
    found
        .filter_map(|block| block[field].as_str().map(str::to_owned))
        .collect()
}

fn turns(body: &Value) -> Option<Objection> {
    let messages = body["messages"].as_array()?;
    if messages.is_empty() {
        return Some(Objection::new("messages: at least one message is required"));
    }
    // Turns of one role that follow each other are one turn.
    let mut calls: Vec<String> = Vec::new();
    let mut results: Vec<String> = Vec::new();
    let mut role = "";
    for (place, message) in messages.iter().enumerate() {
        let now = message["role"].as_str().unwrap_or("");
        if let Some(objection) = content(message, place, place + 1 == messages.len()) {
            return Some(objection);
        }
        if now == "system" {
            // Newer models are instructed in the middle, behind what a user said, and the turn
            // stays the user's.
            if role != "user" {
                return Some(Objection::new(format!(
                    "messages.{place}.role: Input should be one of user, assistant"
                )));
            }
            continue;
        }
        if now == "assistant" {
            if role == "user"
                && let Some(mismatch) = matched(&calls, &results)
            {
                return Some(unmatched(mismatch, place - 1));
            }
            if role == "user" {
                calls.clear();
            }
            calls.extend(ids(message, "tool_use", "id"));
            results.clear();
        } else {
            results.extend(ids(message, "tool_result", "tool_use_id"));
            if let Some(Mismatch::Unasked(unasked)) = matched(&calls, &results) {
                return Some(unmatched(Mismatch::Unasked(unasked), place));
            }
        }
        role = now;
    }
    let mismatch = matched(&calls, &results).filter(|_| role == "user" || !calls.is_empty())?;
    Some(unmatched(mismatch, messages.len() - 1))
}

fn unmatched(mismatch: Mismatch, place: usize) -> Objection {
    Objection::new(match mismatch {
        Mismatch::Unasked(ids) => format!(
            "messages.{place}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: \
             {}. Each `tool_result` block must have a corresponding `tool_use` block in the \
             previous message.",
            ids.join(", ")
        ),
        Mismatch::Unanswered(ids) => format!(
            "messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately \
             after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the \
             next message.",
            ids.join(", ")
        ),
    })
}

fn content(message: &Value, place: usize, last: bool) -> Option<Objection> {
    let role = message["role"].as_str().unwrap_or("");
    let empty = match &message["content"] {
        Value::String(text) => text.is_empty(),
        _ => blocks(message).is_empty(),
    };
    if empty && !(last && role == "assistant") {
        return Some(Objection::new(format!(
            "messages.{place}: all messages must have non-empty content except for the optional \
             final assistant message"
        )));
    }
    let mut texts_before = false;
    for (index, block) in blocks(message).iter().enumerate() {
        let at = format!("messages.{place}.content.{index}");
        let kind = block["type"].as_str().unwrap_or("");
        match kind {
            "text" if block["text"].as_str() == Some("") => {
                let message = "text content blocks must be non-empty";
                return Some(Objection::new(format!("messages: {message}")));
            }
            "tool_use" | "thinking" | "redacted_thinking" if role == "user" => {
                return Some(Objection::new(format!(
                    "{at}: `{kind}` blocks can only be in `assistant` messages"
                )));
            }
            "tool_result" | "image" | "document" if role == "assistant" => {
                return Some(Objection::new(format!(
                    "{at}: `{kind}` blocks can only be in `user` messages"
                )));
            }
            "tool_result" if texts_before => {
                return Some(Objection::new(format!(
                    "{at}: `tool_result` blocks must come first in the content of a message"
                )));
            }
            "thinking" if !own(block) => {
                return Some(Objection::new(format!(
                    "{at}: Invalid `signature` in `thinking` block"
                )));
            }
            "image" | "document" => {
                if let Some(objection) = bytes(&block["source"], &at) {
                    return Some(objection);
                }
            }
            _ => {}
        }
        texts_before |= kind != "tool_result";
    }
    None
}

fn own(block: &Value) -> bool {
    let signature = block["signature"].as_str();
    signature.is_some_and(|text| text.starts_with(SIGNATURE))
}

fn bytes(source: &Value, at: &str) -> Option<Objection> {
    if source["type"] != "base64" {
        return None;
    }
    let media_type = source["media_type"].as_str().unwrap_or("");
    let known = [
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "application/pdf",
    ];
    if !known.contains(&media_type) {
        return Some(Objection::new(format!(
            "{at}.source.base64.media_type: Input should be {}",
            known.join(", ")
        )));
    }
    let bytes = base64::decode(source["data"].as_str().unwrap_or(""))?;
    (!looks_like(media_type, &bytes)).then(|| {
        Objection::new(format!(
            "{at}.source.base64.data: Could not process: the bytes are not of the provided media \
             type {media_type}"
        ))
    })
}

fn tools(body: &Value) -> Option<Objection> {
    let tools = body["tools"].as_array().map_or(&[][..], Vec::as_slice);
    for (place, tool) in tools.iter().enumerate() {
        let custom = tool
            .get("type")
            .is_none_or(|kind| kind == "custom" || kind.is_null());
        if custom && let Some(mut finding) = examine(tool, &TOOL, Names::AsWritten) {
            let steps = [
                Step::Field("tools".to_owned()),
                Step::Place(place),
                Step::Field("custom".to_owned()),
            ];
            finding.path.splice(0..0, steps);
            return Some(worded(&finding));
        }
        let object = tool["input_schema"]["type"] == "object";
        if custom && !object {
            return Some(Objection::new(format!(
                "tools.{place}.custom.input_schema.type: Input should be 'object'"
            )));
        }
    }
    let choice = body.get("tool_choice")?;
    if tools.is_empty() && choice["type"] != "none" {
        let message = "tool_choice: may only be specified while providing tools";
        return Some(Objection::new(message));
    }
    let name = choice["name"].as_str()?;
    (!tools.iter().any(|tool| tool["name"] == name)).then(|| {
        Objection::new(format!(
            "tool_choice: Tool '{name}' not found in provided tools"
        ))
    })
}

fn thinking(body: &Value) -> Option<Objection> {
    let budget = body["thinking"]["budget_tokens"].as_i64()?;
    if body["max_tokens"]
        .as_i64()
        .is_some_and(|most| most <= budget)
    {
        return Some(Objection::new(
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
        ));
    }
    if body["temperature"]
        .as_f64()
        .is_some_and(|value| (value - 1.0).abs() > f64::EPSILON)
    {
        return Some(Objection::new(
            "`temperature` may only be set to 1 when thinking is enabled.",
        ));
    }
    let forced = matches!(body["tool_choice"]["type"].as_str(), Some("any" | "tool"));
    forced.then(|| Objection::new("Thinking may not be enabled when tool_choice forces tool use."))
}

fn stops(body: &Value) -> Option<Objection> {
    let stops = body["stop_sequences"].as_array()?;
    let blank = stops
        .iter()
        .any(|stop| stop.as_str().is_some_and(|text| text.trim().is_empty()));
    blank.then(|| Objection::new("stop_sequences: each stop sequence must contain non-whitespace"))
}
