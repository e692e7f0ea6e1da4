//! Objects to what Gemini's API objects to.

use std::fmt::Write as _;

use serde_json::Value;

use super::shape::{Fault, Finding, Kind, Names, Shape, Step, camel_case, examine, may, must};
use super::turns::{Objection, SIGNATURE};

static SCHEMA: Shape = Shape::of(&[
    may("type", Kind::Text),
    may("format", Kind::Text),
    may("title", Kind::Text),
    may("description", Kind::Text),
    may("nullable", Kind::Flag),
    may("enum", Kind::List(&Kind::Text)),
    may("items", Kind::Object(&SCHEMA)),
    may("properties", Kind::Map),
    may("required", Kind::List(&Kind::Text)),
    may("propertyOrdering", Kind::List(&Kind::Text)),
    may("anyOf", Kind::List(&Kind::Object(&SCHEMA))),
    may("default", Kind::Any),
    may("example", Kind::Any),
    may("pattern", Kind::Text),
    may("minimum", Kind::Any),
    may("maximum", Kind::Any),
    may("minItems", Kind::Any),
    may("maxItems", Kind::Any),
    may("minLength", Kind::Any),
    may("maxLength", Kind::Any),
    may("minProperties", Kind::Any),
    may("maxProperties", Kind::Any),
]);

static BLOB: Shape = Shape::of(&[
    must("mimeType", Kind::Text),
    must("data", Kind::Bytes),
    may("displayName", Kind::Text),
]);

static FILE: Shape = Shape::of(&[
    must("fileUri", Kind::Text),
    may("mimeType", Kind::Text),
    may("displayName", Kind::Text),
]);

static CALL: Shape = Shape::of(&[
    may("id", Kind::Text),
    must("name", Kind::Text),
    may("args", Kind::Map),
]);

static RESPONSE: Shape = Shape::of(&[
    may("id", Kind::Text),
    must("name", Kind::Text),
    must("response", Kind::Map),
    may("parts", Kind::List(&Kind::Map)),
    may("scheduling", Kind::Text),
    may("willContinue", Kind::Flag),
]);

static PART: Shape = Shape {
    fields: &[
        may("text", Kind::Text),
        may("inlineData", Kind::Object(&BLOB)),
        may("fileData", Kind::Object(&FILE)),
        may("functionCall", Kind::Object(&CALL)),
        may("functionResponse", Kind::Object(&RESPONSE)),
        may("executableCode", Kind::Map),
        may("codeExecutionResult", Kind::Map),
        may("thought", Kind::Flag),
        may("thoughtSignature", Kind::Bytes),
        may("videoMetadata", Kind::Map),
        may("mediaResolution", Kind::Any),
        may("partMetadata", Kind::Map),
    ],
    one_of: &[
        "text",
        "inlineData",
        "fileData",
        "functionCall",
        "functionResponse",
        "executableCode",
        "codeExecutionResult",
    ],
};

static CONTENT: Shape = Shape::of(&[
    may("role", Kind::Text),
    must("parts", Kind::List(&Kind::Object(&PART))),
]);

static DECLARATION: Shape = Shape::of(&[
    must("name", Kind::Text),
    may("description", Kind::Text),
    may("parameters", Kind::Object(&SCHEMA)),
    may("parametersJsonSchema", Kind::Any),
    may("response", Kind::Object(&SCHEMA)),
    may("responseJsonSchema", Kind::Any),
    may("behavior", Kind::Text),
]);

static TOOL: Shape = Shape::of(&[
    may(
        "functionDeclarations",
        Kind::List(&Kind::Object(&DECLARATION)),
    ),
    may("googleSearch", Kind::Map),
    may("googleSearchRetrieval", Kind::Map),
    may("codeExecution", Kind::Map),
    may("urlContext", Kind::Map),
    may("computerUse", Kind::Map),
    may("fileSearch", Kind::Map),
    may("googleMaps", Kind::Map),
]);

static CALLING: Shape = Shape::of(&[
    may(
        "mode",
        Kind::Word(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"]),
    ),
    may("allowedFunctionNames", Kind::List(&Kind::Text)),
    may("streamFunctionCallArguments", Kind::Flag),
]);

static TOOL_CONFIG: Shape = Shape::of(&[
    may("functionCallingConfig", Kind::Object(&CALLING)),
    may("retrievalConfig", Kind::Map),
    may("includeServerSideToolInvocations", Kind::Flag),
]);

static THINKING: Shape = Shape::of(&[
    may("includeThoughts", Kind::Flag),
    may("thinkingBudget", Kind::Whole(-1)),
    may(
        "thinkingLevel",
        Kind::Word(&["MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"]),
    ),
]);

static GENERATION: Shape = Shape::of(&[
    may("candidateCount", Kind::Whole(1)),
    may("stopSequences", Kind::List(&Kind::Text)),
    may("maxOutputTokens", Kind::Whole(1)),
    may("temperature", Kind::Number(0.0, 2.0)),
    may("topP", Kind::Number(0.0, 1.0)),
    may("topK", Kind::Number(0.0, 1e6)),
    may("seed", Kind::Whole(i64::MIN)),
    may("presencePenalty", Kind::Number(-2.0, 2.0)),
    may("frequencyPenalty", Kind::Number(-2.0, 2.0)),
    may("responseLogprobs", Kind::Flag),
    may("logprobs", Kind::Whole(0)),
    may("responseMimeType", Kind::Text),
    may("responseSchema", Kind::Object(&SCHEMA)),
    may("responseJsonSchema", Kind::Any),
    may("responseFormat", Kind::Any),
    may("responseModalities", Kind::List(&Kind::Text)),
    may("thinkingConfig", Kind::Object(&THINKING)),
    may("speechConfig", Kind::Map),
    may("imageConfig", Kind::Map),
    may("mediaResolution", Kind::Text),
    may("enableEnhancedCivicAnswers", Kind::Flag),
    may("audioTimestamp", Kind::Flag),
]);

static REQUEST: Shape = Shape::of(&[
    may("model", Kind::Text),
    must("contents", Kind::List(&Kind::Object(&CONTENT))),
    may("systemInstruction", Kind::Object(&CONTENT)),
    may("tools", Kind::List(&Kind::Object(&TOOL))),
    may("toolConfig", Kind::Object(&TOOL_CONFIG)),
    may("safetySettings", Kind::List(&Kind::Map)),
    may("generationConfig", Kind::Object(&GENERATION)),
    may("cachedContent", Kind::Text),
    may("labels", Kind::Map),
    may("serviceTier", Kind::Text),
    may("store", Kind::Flag),
]);

static COUNT: Shape = Shape::of(&[
    may("model", Kind::Text),
    may("contents", Kind::List(&Kind::Object(&CONTENT))),
    may("generateContentRequest", Kind::Object(&REQUEST)),
    may("systemInstruction", Kind::Object(&CONTENT)),
    may("tools", Kind::List(&Kind::Object(&TOOL))),
    may("generationConfig", Kind::Object(&GENERATION)),
]);

/// What is wrong with a request to generate. `vertex`: it came to Vertex AI.
pub(super) fn request(body: &Value, model: &str, vertex: bool) -> Option<Objection> {
    if let Some(finding) = examine(body, &REQUEST, Names::Protobuf) {
        return Some(worded(&finding));
    }
    if !vertex && field(body, "labels").is_some() {
        let message = "labels parameter is not supported in Gemini API.";
        return Some(Objection::new(message));
    }
    // There the tier goes by a header.
    if let Some(tier) = field(body, "serviceTier").filter(|_| vertex) {
        return Some(Objection::new(format!(
            "Invalid value at 'service_tier' (type.googleapis.com/google.cloud.aiplatform.v1.\
             ServiceTier), {tier}"
        )));
    }
    contents(body, model).or_else(|| wishes(body))
}

/// What is wrong with a request to count tokens.
pub(super) fn count(body: &Value) -> Option<Objection> {
    examine(body, &COUNT, Names::Protobuf).map(|finding| worded(&finding))
}

fn worded(finding: &Finding) -> Objection {
    let at = place(&finding.path);
    Objection::new(match &finding.fault {
        Fault::Unknown(name) if at.is_empty() => {
            format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field.")
        }
        Fault::Unknown(name) => format!(
            "Invalid JSON payload received. Unknown name \"{name}\" at '{at}': Cannot find field."
        ),
        Fault::Missing("contents") => {
            "* GenerateContentRequest.contents: contents is not specified\n".to_owned()
        }
        Fault::Missing(name) => {
            format!("* GenerateContentRequest.{at}.{name}: required field is not specified\n")
        }
        Fault::Not(what) => format!("Invalid value at '{at}': must be {what}"),
        Fault::NotOne(_) => format!(
            "* GenerateContentRequest.{at}.data: required oneof field 'data' must have one \
             initialized field\n"
        ),
    })
}

/// `contents[0].parts[1].inline_data`: the API says names as its own definition has them.
fn place(path: &[Step]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Field(name) => {
                if !out.is_empty() {
                    out.push('.');
                }
                for letter in name.chars() {
                    if letter.is_ascii_uppercase() {
                        out.push('_');
                    }
                    out.push(letter.to_ascii_lowercase());
                }
            }
            Step::Place(place) => {
                // Writing to a string cannot fail.
                let _ = write!(out, "[{place}]");
            }
        }
    }
    out
}

/// A field by either of its names.
pub(in super::super) fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = value.as_object()?;
    let found = fields.iter().find(|(key, _)| camel_case(key) == name);
    found
        .map(|(_, value)| value)
        .filter(|value| !value.is_null())
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    field(value, name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The turns: roles, calls and their answers, signatures.
fn contents(body: &Value, model: &str) -> Option<Objection> {
    let contents = list(body, "contents");
    if contents.is_empty() {
        let message = "* GenerateContentRequest.contents: contents is not specified\n";
        return Some(Objection::new(message));
    }
    // Calls of the turn before, by name: each must be answered in the turn after.
    let mut open: Vec<(Option<&str>, &str)> = Vec::new();
    for (place, content) in contents.iter().enumerate() {
        let role = field(content, "role").and_then(Value::as_str);
        match role {
            Some("user" | "model" | "function") => {}
            None if contents.len() == 1 => {}
            _ => {
                let message = "Please use a valid role: user, model.";
                return Some(Objection::new(message));
            }
        }
        let parts = list(content, "parts");
        if parts.is_empty() {
            return Some(Objection::new(format!(
                "* GenerateContentRequest.contents[{place}].parts: contents.parts must not be empty.\n"
            )));
        }
        if let Some(objection) = signatures(parts, role, model, place) {
            return Some(objection);
        }
        let answers: Vec<&Value> = parts
            .iter()
            .filter_map(|part| field(part, "functionResponse"))
            .collect();
        if let Some(objection) = answered(&mut open, &answers) {
            return Some(objection);
        }
        let calls = parts.iter().filter_map(|part| field(part, "functionCall"));
        open = calls
            .map(|call| (text(call, "id"), text(call, "name").unwrap_or("")))
            .collect();
        if !open.is_empty() && role == Some("user") {
            let message = "Please ensure that function call turn comes immediately after a user \
                           turn or after a function response turn.";
            return Some(Objection::new(message));
        }
    }
    let last = contents.last().and_then(|last| text(last, "role"));
    (last == Some("model") && !open.is_empty()).then(|| {
        Objection::new(
            "Please ensure that function response turn comes immediately after a function call turn.",
        )
    })
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    field(value, name).and_then(Value::as_str)
}

fn answered(open: &mut Vec<(Option<&str>, &str)>, answers: &[&Value]) -> Option<Objection> {
    if answers.len() != open.len() {
        return Some(Objection::new(
            "Please ensure that the number of function response parts is equal to the number of \
             function call parts of the function call turn.",
        ));
    }
    for answer in answers {
        let (id, name) = (text(answer, "id"), text(answer, "name").unwrap_or(""));
        let found = open.iter().position(|(asked, called)| {
            *called == name && (id.is_none() || asked.is_none() || *asked == id)
        });
        match found {
            Some(place) => drop(open.remove(place)),
            None => {
                return Some(Objection::new(format!(
                    "Please ensure that function response turn comes immediately after a function \
                     call turn: no call of `{name}` is open."
                )));
            }
        }
    }
    None
}

/// Signatures must be the model's own; the newest models want them back with each turn's calls.
fn signatures(parts: &[Value], role: Option<&str>, model: &str, place: usize) -> Option<Objection> {
    let signed = |part: &Value| field(part, "thoughtSignature").is_some();
    for part in parts {
        let signature = text(part, "thoughtSignature");
        let own = signature.is_none_or(|text| text.starts_with(SIGNATURE) || skips(text));
        if !own {
            return Some(Objection::new("Thought signature is not valid."));
        }
    }
    let called = parts
        .iter()
        .position(|part| field(part, "functionCall").is_some())?;
    let demanding = model.contains("gemini-3") && role == Some("model");
    (demanding && !signed(&parts[called])).then(|| {
        Objection::new(format!(
            "Function call is missing a thought_signature in functionCall parts. This is required \
             for tools to work correctly, and missing thought_signature may lead to degraded model \
             performance. Additional data, function call `{}`, position {}.",
            text(&parts[called]["functionCall"], "name").unwrap_or(""),
            place + 1
        ))
    })
}

/// The two texts by which a history that another model made may say that it has no signature.
fn skips(signature: &str) -> bool {
    let known = [
        "skip_thought_signature_validator",
        "context_engineering_is_the_way_to_go",
    ];
    let bytes = super::super::base64::decode(signature).unwrap_or_default();
    known
        .iter()
        .any(|known| signature == *known || bytes == known.as_bytes())
}

/// Wishes that exclude each other or need one another.
fn wishes(body: &Value) -> Option<Objection> {
    if let Some(instruction) = field(body, "systemInstruction") {
        let odd = list(instruction, "parts")
            .iter()
            .any(|part| field(part, "text").is_none());
        if odd {
            return Some(Objection::new(
                "System instruction only supports text parts.",
            ));
        }
    }
    let tools = list(body, "tools");
    let declared: Vec<&Value> = tools
        .iter()
        .flat_map(|tool| list(tool, "functionDeclarations"))
        .collect();
    for declaration in &declared {
        let both = field(declaration, "parameters").is_some()
            && field(declaration, "parametersJsonSchema").is_some();
        let name = text(declaration, "name").unwrap_or("");
        if both {
            return Some(Objection::new(format!(
                "Function declaration `{name}`: only one of parameters and parameters_json_schema \
                 may be set."
            )));
        }
        if !plain_name(name) {
            return Some(Objection::new(
                "* GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function \
                 name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, \
                 0-9), underscores (_), dots (.) or dashes (-), with a maximum length of 64.\n",
            ));
        }
    }
    let calling =
        field(body, "toolConfig").and_then(|config| field(config, "functionCallingConfig"));
    let allowed = calling.map_or(&[][..], |calling| list(calling, "allowedFunctionNames"));
    let mode = calling.and_then(|calling| text(calling, "mode"));
    if !allowed.is_empty() && !matches!(mode, Some("ANY" | "VALIDATED")) {
        let message =
            "Allowed function names should be set only when function calling mode is ANY.";
        return Some(Objection::new(message));
    }
    let unknown = allowed.iter().filter_map(Value::as_str).find(|name| {
        !declared
            .iter()
            .any(|declaration| text(declaration, "name") == Some(name))
    });
    if let Some(name) = unknown {
        return Some(Objection::new(format!(
            "allowed_function_names contains `{name}`, which is not among function_declarations."
        )));
    }
    let generation = field(body, "generationConfig")?;
    if list(generation, "stopSequences").len() > 5 {
        let message = "* GenerateContentRequest.generation_config.stop_sequences: at most 5\n";
        return Some(Objection::new(message));
    }
    let wants_schema = ["responseSchema", "responseJsonSchema"]
        .iter()
        .any(|name| field(generation, name).is_some());
    let json = text(generation, "responseMimeType") == Some("application/json");
    (wants_schema && !json).then(|| {
        Objection::new(
            "response_schema is only supported with response mime type application/json.",
        )
    })
}

fn plain_name(name: &str) -> bool {
    let first = name.bytes().next();
    let starts = first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let rest = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b':'));
    starts && rest && name.len() <= 64
}
