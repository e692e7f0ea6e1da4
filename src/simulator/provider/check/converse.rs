//! Objects to what Bedrock objects to in Converse.

use serde_json::Value;

use super::super::base64;
use super::shape::{Fault, Finding, Kind, Names, Shape, Step, examine, may, must};
use super::turns::{Mismatch, Objection, SIGNATURE, looks_like, matched};

static S3: Shape = Shape::of(&[must("uri", Kind::Text), may("bucketOwner", Kind::Text)]);

static SOURCE: Shape = Shape {
    fields: &[
        may("bytes", Kind::Bytes),
        may("s3Location", Kind::Object(&S3)),
    ],
    one_of: &["bytes", "s3Location"],
};

static IMAGE: Shape = Shape::of(&[
    must("format", Kind::Word(&["png", "jpeg", "gif", "webp"])),
    must("source", Kind::Object(&SOURCE)),
]);

static DOCUMENT_SOURCE: Shape = Shape {
    fields: &[
        may("bytes", Kind::Bytes),
        may("s3Location", Kind::Object(&S3)),
        may("text", Kind::Text),
        may("content", Kind::List(&Kind::Map)),
    ],
    one_of: &["bytes", "s3Location", "text", "content"],
};

static DOCUMENT: Shape = Shape::of(&[
    may(
        "format",
        Kind::Word(&[
            "pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md",
        ]),
    ),
    must("name", Kind::Text),
    must("source", Kind::Object(&DOCUMENT_SOURCE)),
    may("context", Kind::Text),
    may("citations", Kind::Map),
]);

static AUDIO: Shape = Shape::of(&[
    must(
        "format",
        Kind::Word(&[
            "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a",
            "mpeg", "mpga", "pcm", "webm",
        ]),
    ),
    must("source", Kind::Object(&SOURCE)),
]);

static VIDEO: Shape = Shape::of(&[
    must(
        "format",
        Kind::Word(&[
            "mkv", "mov", "mp4", "webm", "flv", "mpeg", "mpg", "wmv", "three_gp",
        ]),
    ),
    must("source", Kind::Object(&SOURCE)),
]);

static TOOL_USE: Shape = Shape::of(&[
    must("toolUseId", Kind::Text),
    must("name", Kind::Text),
    must("input", Kind::Map),
    may("type", Kind::Word(&["server_tool_use"])),
]);

static RESULT_PART: Shape = Shape {
    fields: &[
        may("json", Kind::Map),
        may("text", Kind::Text),
        may("image", Kind::Object(&IMAGE)),
        may("document", Kind::Object(&DOCUMENT)),
        may("video", Kind::Object(&VIDEO)),
        may("searchResult", Kind::Map),
    ],
    one_of: &["json", "text", "image", "document", "video", "searchResult"],
};

static TOOL_RESULT: Shape = Shape::of(&[
    must("toolUseId", Kind::Text),
    must("content", Kind::List(&Kind::Object(&RESULT_PART))),
    may("status", Kind::Word(&["success", "error"])),
    may("type", Kind::Text),
]);

static CACHE_POINT: Shape = Shape::of(&[
    must("type", Kind::Word(&["default"])),
    may("ttl", Kind::Word(&["5m", "1h"])),
]);

static REASONING_TEXT: Shape = Shape::of(&[must("text", Kind::Text), may("signature", Kind::Text)]);

static REASONING: Shape = Shape {
    fields: &[
        may("reasoningText", Kind::Object(&REASONING_TEXT)),
        may("redactedContent", Kind::Bytes),
    ],
    one_of: &["reasoningText", "redactedContent"],
};

static BLOCK: Shape = Shape {
    fields: &[
        may("text", Kind::Text),
        may("image", Kind::Object(&IMAGE)),
        may("document", Kind::Object(&DOCUMENT)),
        may("video", Kind::Object(&VIDEO)),
        may("audio", Kind::Object(&AUDIO)),
        may("toolUse", Kind::Object(&TOOL_USE)),
        may("toolResult", Kind::Object(&TOOL_RESULT)),
        may("guardContent", Kind::Map),
        may("cachePoint", Kind::Object(&CACHE_POINT)),
        may("reasoningContent", Kind::Object(&REASONING)),
        may("citationsContent", Kind::Map),
        may("searchResult", Kind::Map),
    ],
    one_of: &[
        "text",
        "image",
        "document",
        "video",
        "audio",
        "toolUse",
        "toolResult",
        "guardContent",
        "cachePoint",
        "reasoningContent",
        "citationsContent",
        "searchResult",
    ],
};

static MESSAGE: Shape = Shape::of(&[
    must("role", Kind::Word(&["user", "assistant"])),
    must("content", Kind::List(&Kind::Object(&BLOCK))),
]);

static SYSTEM: Shape = Shape {
    fields: &[
        may("text", Kind::Text),
        may("guardContent", Kind::Map),
        may("cachePoint", Kind::Object(&CACHE_POINT)),
    ],
    one_of: &["text", "guardContent", "cachePoint"],
};

static INFERENCE: Shape = Shape::of(&[
    may("maxTokens", Kind::Whole(1)),
    may("temperature", Kind::Number(0.0, 1.0)),
    may("topP", Kind::Number(0.0, 1.0)),
    may("stopSequences", Kind::List(&Kind::Text)),
]);

static SCHEMA: Shape = Shape::of(&[must("json", Kind::Map)]);

static SPEC: Shape = Shape::of(&[
    must("name", Kind::Text),
    may("description", Kind::Text),
    must("inputSchema", Kind::Object(&SCHEMA)),
    may("strict", Kind::Flag),
]);

static TOOL: Shape = Shape {
    fields: &[
        may("toolSpec", Kind::Object(&SPEC)),
        may("systemTool", Kind::Map),
        may("cachePoint", Kind::Object(&CACHE_POINT)),
    ],
    one_of: &["toolSpec", "systemTool", "cachePoint"],
};

static EMPTY: Shape = Shape::of(&[]);

static NAMED: Shape = Shape::of(&[must("name", Kind::Text)]);

static CHOICE: Shape = Shape {
    fields: &[
        may("auto", Kind::Object(&EMPTY)),
        may("any", Kind::Object(&EMPTY)),
        may("tool", Kind::Object(&NAMED)),
    ],
    one_of: &["auto", "any", "tool"],
};

static TOOL_CONFIG: Shape = Shape::of(&[
    must("tools", Kind::List(&Kind::Object(&TOOL))),
    may("toolChoice", Kind::Object(&CHOICE)),
]);

static JSON_SCHEMA: Shape = Shape::of(&[
    must("schema", Kind::Text),
    may("name", Kind::Text),
    may("description", Kind::Text),
]);

static STRUCTURE: Shape = Shape::of(&[must("jsonSchema", Kind::Object(&JSON_SCHEMA))]);

static TEXT_FORMAT: Shape = Shape::of(&[
    must("type", Kind::Word(&["json_schema"])),
    must("structure", Kind::Object(&STRUCTURE)),
]);

static OUTPUT: Shape = Shape::of(&[
    may("textFormat", Kind::Object(&TEXT_FORMAT)),
    may("effort", Kind::Text),
]);

static TIER: Shape = Shape::of(&[must(
    "type",
    Kind::Word(&["priority", "default", "flex", "reserved"]),
)]);

static LATENCY: Shape = Shape::of(&[may("latency", Kind::Word(&["standard", "optimized"]))]);

static REQUEST: Shape = Shape::of(&[
    must("messages", Kind::List(&Kind::Object(&MESSAGE))),
    may("system", Kind::List(&Kind::Object(&SYSTEM))),
    may("inferenceConfig", Kind::Object(&INFERENCE)),
    may("toolConfig", Kind::Object(&TOOL_CONFIG)),
    may("guardrailConfig", Kind::Map),
    may("additionalModelRequestFields", Kind::Map),
    may("additionalModelResponseFieldPaths", Kind::List(&Kind::Text)),
    may("promptVariables", Kind::Map),
    may("requestMetadata", Kind::Map),
    may("performanceConfig", Kind::Object(&LATENCY)),
    may("serviceTier", Kind::Object(&TIER)),
    may("outputConfig", Kind::Object(&OUTPUT)),
]);

/// What is wrong with a request.
pub(super) fn request(body: &Value) -> Option<Objection> {
    if let Some(finding) = examine(body, &REQUEST, Names::AsWritten) {
        return Some(worded(&finding));
    }
    turns(body).or_else(|| tools(body)).or_else(|| schema(body))
}

fn worded(finding: &Finding) -> Objection {
    let steps = finding.path.iter().map(|step| match step {
        Step::Field(name) => name.clone(),
        Step::Place(place) => (place + 1).to_string(),
    });
    let mut path: Vec<String> = steps.collect();
    // The service counts the members of a list from 1, and says `member` before each.
    let said = |path: &[String]| {
        path.iter()
            .map(|step| {
                if step.bytes().all(|byte| byte.is_ascii_digit()) {
                    format!("{step}.member")
                } else {
                    step.clone()
                }
            })
            .collect::<Vec<_>>()
            .join(".")
    };
    Objection::new(match &finding.fault {
        Fault::Unknown(name) => {
            path.push(name.clone());
            format!(
                "Malformed input request: #/{}: extraneous key [{name}] is not permitted, please \
                 reformat your input and try again.",
                path[..path.len() - 1].join("/")
            )
        }
        Fault::Missing(name) => {
            path.push((*name).to_owned());
            format!(
                "1 validation error detected: Value null at '{}' failed to satisfy constraint: \
                 Member must not be null",
                said(&path)
            )
        }
        Fault::Not(what) => format!(
            "1 validation error detected: Value at '{}' failed to satisfy constraint: Member must \
             be {what}",
            said(&path)
        ),
        Fault::NotOne(names) => format!(
            "1 validation error detected: Value at '{}' must have exactly one of {}",
            said(&path),
            names.join(", ")
        ),
    })
}

fn blocks(message: &Value) -> &[Value] {
    message["content"].as_array().map_or(&[], Vec::as_slice)
}

fn ids(message: &Value, kind: &str) -> Vec<String> {
    let found = blocks(message).iter().filter_map(|block| block.get(kind));
    found
        .filter_map(|inner| inner["toolUseId"].as_str().map(str::to_owned))
        .collect()
}

/// Roles in turn, calls with their results, bytes that are what they say.
fn turns(body: &Value) -> Option<Objection> {
    let messages = body["messages"].as_array()?;
    if messages.first().is_none_or(|first| first["role"] != "user") {
        return Some(Objection::new(
            "A conversation must start with a user message. Try again with a conversation that \
             starts with a user message.",
        ));
    }
    let mut calls = Vec::new();
    let mut role = "";
    for (place, message) in messages.iter().enumerate() {
        let now = message["role"].as_str().unwrap_or("");
        if now == role {
            return Some(Objection::new(
                "A conversation must alternate between user and assistant roles. Make sure the \
                 conversation alternates between user and assistant roles and try again.",
            ));
        }
        role = now;
        if let Some(objection) = content(message, place) {
            return Some(objection);
        }
        match matched(&calls, &ids(message, "toolResult")) {
            Some(Mismatch::Unasked(_)) => {
                return Some(Objection::new(format!(
                    "The number of toolResult blocks at messages.{place}.content exceeds the \
                     number of toolUse blocks of previous turn."
                )));
            }
            Some(Mismatch::Unanswered(ids)) => {
                return Some(Objection::new(format!(
                    "Expected toolResult blocks at messages.{place}.content for the following Ids: {}",
                    ids.join(", ")
                )));
            }
            None => {}
        }
        calls = ids(message, "toolUse");
    }
    None
}

fn content(message: &Value, place: usize) -> Option<Objection> {
    let all = blocks(message);
    if all.is_empty() {
        return Some(Objection::new(format!(
            "The content field in the Message object at messages.{place} is empty. Add a \
             ContentBlock object to the content field and try again."
        )));
    }
    for (index, block) in all.iter().enumerate() {
        let at = format!("messages.{place}.content.{index}");
        if block["text"]
            .as_str()
            .is_some_and(|text| text.trim().is_empty())
        {
            return Some(Objection::new(format!(
                "The text field in the ContentBlock object at {at} is blank. Add text to the text \
                 field, and try again."
            )));
        }
        if let Some(image) = block.get("image")
            && let Some(text) = image["source"]["bytes"].as_str()
        {
            let format = format!("image/{}", image["format"].as_str().unwrap_or(""));
            if !looks_like(&format, &base64::decode(text).unwrap_or_default()) {
                return Some(Objection::new(format!(
                    "The image at {at} is not of the format {format}."
                )));
            }
        }
        if let Some(name) = block["document"]["name"].as_str() {
            let plain = |letter: char| {
                letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '(' | ')' | '[' | ']')
            };
            if name.is_empty() || !name.chars().all(plain) || name.contains("  ") {
                return Some(Objection::new(
                    "The document file name can only contain alphanumeric characters, whitespace \
                     characters, hyphens, parentheses, and square brackets. The name can't contain \
                     more than one consecutive whitespace character.",
                ));
            }
        }
        let signature = block["reasoningContent"]["reasoningText"]["signature"].as_str();
        if signature.is_some_and(|text| !text.starts_with(SIGNATURE)) {
            return Some(Objection::new(format!(
                "The model returned the following errors: {at}: Invalid `signature` in `thinking` \
                 block"
            )));
        }
    }
    None
}

fn tools(body: &Value) -> Option<Objection> {
    let Some(config) = body.get("toolConfig") else {
        let messages = body["messages"].as_array()?;
        let used = messages.iter().any(|message| {
            !ids(message, "toolUse").is_empty() || !ids(message, "toolResult").is_empty()
        });
        return used.then(|| {
            Objection::new(
                "The toolConfig field must be defined when using toolUse and toolResult content \
                 blocks.",
            )
        });
    };
    let offered = config["tools"].as_array()?;
    if offered.is_empty() {
        return Some(Objection::new(
            "1 validation error detected: Value at 'toolConfig.tools' failed to satisfy \
             constraint: Member must have length greater than or equal to 1",
        ));
    }
    let names: Vec<&str> = offered
        .iter()
        .filter_map(|tool| tool["toolSpec"]["name"].as_str())
        .collect();
    let plain = |name: &&str| {
        !name.is_empty()
            && name.len() <= 64
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    if let Some(name) = names.iter().find(|name| !plain(name)) {
        return Some(Objection::new(format!(
            "1 validation error detected: Value '{name}' at 'toolConfig.tools.1.member.toolSpec.name' \
             failed to satisfy constraint: Member must satisfy regular expression pattern: \
             [a-zA-Z0-9_-]+"
        )));
    }
    let untyped = offered.iter().position(|tool| {
        let schema = tool.pointer("/toolSpec/inputSchema/json");
        schema.is_some_and(|schema| schema["type"] != "object")
    });
    if let Some(place) = untyped {
        return Some(Objection::new(format!(
            "The value at toolConfig.tools.{place}.toolSpec.inputSchema.json.type must be one of \
             the following: object."
        )));
    }
    let chosen = config["toolChoice"]["tool"]["name"].as_str()?;
    (!names.contains(&chosen)).then(|| {
        Objection::new(format!(
            "The tool name {chosen} in toolConfig.toolChoice.tool was not found in toolConfig.tools."
        ))
    })
}

fn schema(body: &Value) -> Option<Objection> {
    let text = body
        .pointer("/outputConfig/textFormat/structure/jsonSchema/schema")?
        .as_str()?;
    serde_json::from_str::<Value>(text).is_err().then(|| {
        Objection::new("The schema at outputConfig.textFormat.structure.jsonSchema is no JSON.")
    })
}
