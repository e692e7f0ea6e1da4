//! Says a chat request as a `GenerateContentRequest`.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::super::chat_request::{
    Choice, Conversation, Data, Format, Part as Said, Source, Spoken, Tool, ToolResult, Turn,
    choice, common_hints, effort, fits_sampling, kept, labels, max_tokens, nothing_asked,
    response_format, stops, tools,
};
use super::super::fields::{Fields, Left, refusal};
use super::super::shape::{Asked, Refusal, Sent, Terms};
use super::thinking::{ThinkingConfig, UNSIGNED, config as thinking, generation, restored};
use crate::record::Language;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    contents: Vec<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Instruction>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<Value>,
    #[serde(skip_serializing_if = "GenerationConfig::is_empty")]
    generation_config: GenerationConfig,
    #[serde(skip_serializing_if = "Map::is_empty")]
    labels: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Instruction {
    parts: Vec<Part>,
}

#[derive(Debug, Serialize)]
struct Content {
    role: &'static str,
    parts: Vec<Part>,
    /// Results of calls stand in a content of their own.
    #[serde(skip)]
    results: bool,
}

/// A part: what it is, and its signature.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<Blob>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<FileData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response: Option<FunctionResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Blob {
    mime_type: String,
    data: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FileData {
    file_uri: String,
}

#[derive(Debug, Serialize)]
struct FunctionCall {
    id: String,
    name: String,
    args: Box<RawValue>,
}

#[derive(Debug, Serialize)]
struct FunctionResponse {
    id: String,
    name: String,
    response: Box<RawValue>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
}

impl GenerationConfig {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Says a request to Gemini.
pub(super) fn request(asked: &Asked<'_>) -> Result<Sent, Refusal> {
    let mut left = Left::new(asked, Language::GeminiGenerate);
    let mut fields = Fields::of_body(asked.body)?;
    let kept = kept(&mut fields, asked, &mut left)?;
    nothing_asked(&mut fields);
    let conversation = Conversation::take(&mut fields, asked.terms, &mut left)?;
    let tools = tools(&mut fields, &mut left)?;
    let tool_config = tool_config(&mut fields, &tools, &mut left)?;
    let system = conversation.system.into_iter().map(text).collect();
    let system = Instruction { parts: system };
    let body = Body {
        contents: contents(conversation.turns, asked, &mut left)?,
        system_instruction: Some(system).filter(|system| !system.parts.is_empty()),
        tools: declarations(tools),
        tool_config,
        generation_config: generation_config(&mut fields, asked, &mut left)?,
        labels: labels(&mut fields, &mut left, is_label)?,
        service_tier: service_tier(&mut fields, &mut left)?,
    };
    common_hints(&mut fields, &mut left);
    fields.finish(&mut left)?;
    Ok(Sent {
        body: serde_json::to_vec(&body)
            .map_err(|error| refusal("", &format!("cannot be written: {error}")))?,
        dropped: left.dropped(),
        kept,
    })
}

/// Every turn as a content. The roles alternate, but for results of calls, which stand alone:
/// their number is checked against that of the calls.
fn contents(turns: Vec<Turn>, asked: &Asked<'_>, left: &mut Left) -> Result<Vec<Content>, Refusal> {
    let mut contents: Vec<Content> = Vec::with_capacity(turns.len());
    for turn in turns {
        let results = matches!(turn, Turn::Results(_));
        let (role, parts) = match turn {
            Turn::User(parts) => {
                let parts = parts.into_iter().map(|part| said(part, asked.terms));
                ("user", parts.collect::<Result<_, _>>()?)
            }
            Turn::Assistant(spoken) => ("model", spoken_parts(spoken, asked.model, left)),
            Turn::Results(results) => ("user", results.into_iter().map(response).collect()),
        };
        match contents.last_mut() {
            Some(last) if last.role == role && last.results == results => last.parts.extend(parts),
            _ => contents.push(Content {
                role,
                parts,
                results,
            }),
        }
    }
    Ok(contents)
}

fn text(text: String) -> Part {
    Part {
        text: Some(text),
        ..Part::default()
    }
}

fn inline(data: Data) -> Part {
    let blob = Blob {
        mime_type: data.mime,
        data: data.base64,
    };
    Part {
        inline_data: Some(blob),
        ..Part::default()
    }
}

fn said(part: Said, terms: &Terms) -> Result<Part, Refusal> {
    Ok(match part {
        Said::Text(said) => text(said),
        Said::Image {
            source: Source::Data(data),
            ..
        }
        | Said::File { data, .. } => inline(data),
        Said::Image {
            at,
            source: Source::Url(url),
        } => {
            if !terms.pass_urls {
                return Err(unfetched(&at));
            }
            Part {
                file_data: Some(FileData { file_uri: url }),
                ..Part::default()
            }
        }
        Said::Audio { format, data, .. } => inline(Data {
            mime: format!("audio/{format}"),
            base64: data,
        }),
    })
}

fn unfetched(at: &str) -> Refusal {
    let why = "is an address of the web, which nobody fetches on the way; send the image as a \
               `data:` URL, or set `pass_urls = true` on the provider to have it fetch the image";
    refusal(&format!("{at}.image_url.url"), why)
}

/// What the model said, as it said it: thoughts that it signed, text, calls.
fn spoken_parts(spoken: Spoken, model: &str, left: &mut Left) -> Vec<Part> {
    let restored = restored(&spoken, left);
    let mut parts: Vec<Part> = Vec::new();
    for (thought, signature) in restored.thoughts {
        parts.push(Part {
            thought: Some(true),
            thought_signature: Some(signature),
            ..text(thought)
        });
    }
    parts.extend(spoken.texts.into_iter().map(text));
    if let Some(signature) = restored.text {
        match parts.last_mut() {
            Some(last) if last.thought.is_none() => last.thought_signature = Some(signature),
            // It came with an empty text.
            _ => parts.push(Part {
                thought_signature: Some(signature),
                ..text(String::new())
            }),
        }
    }
    let foreign = restored.calls.iter().all(Option::is_none)
        && generation(model).is_some_and(|generation| generation >= 3);
    let calls = spoken.calls.into_iter().zip(restored.calls);
    for (place, (call, signature)) in calls.enumerate() {
        // Of the calls of one answer only the first is signed.
        let stand_in = (foreign && place == 0).then(|| UNSIGNED.to_owned());
        parts.push(Part {
            function_call: Some(FunctionCall {
                id: call.id,
                name: call.name,
                args: call.arguments,
            }),
            thought_signature: signature.or(stand_in),
            ..Part::default()
        });
    }
    parts
}

/// A result as the object that Gemini wants: the text itself where it is one, else under
/// `output`. `output` and `error` at the top mean something to Gemini, so an object that has one
/// of them is wrapped too.
fn response(result: ToolResult) -> Part {
    #[derive(serde::Deserialize)]
    struct Meaning {
        output: Option<serde::de::IgnoredAny>,
        error: Option<serde::de::IgnoredAny>,
    }
    let plain = serde_json::from_str::<Meaning>(&result.text)
        .is_ok_and(|meaning| meaning.output.is_none() && meaning.error.is_none());
    let object = Some(&result.text).filter(|text| plain && text.trim_start().starts_with('{'));
    let response = match object.map(|text| RawValue::from_string(text.clone())) {
        Some(Ok(object)) => object,
        _ => serde_json::value::to_raw_value(&json!({"output": result.text}))
            .unwrap_or_else(|_| RawValue::NULL.to_owned()),
    };
    Part {
        function_response: Some(FunctionResponse {
            id: result.id,
            name: result.name,
            response,
        }),
        ..Part::default()
    }
}

fn declarations(tools: Vec<Tool>) -> Vec<Value> {
    let functions: Vec<Value> = tools
        .into_iter()
        .map(|tool| {
            let mut function = Map::new();
            function.insert("name".to_owned(), tool.name.into());
            if let Some(description) = tool.description {
                function.insert("description".to_owned(), description.into());
            }
            // Not `parameters`, which knows a part of OpenAPI's schemas only.
            if let Some(schema) = tool.parameters {
                function.insert("parametersJsonSchema".to_owned(), schema);
            }
            Value::Object(function)
        })
        .collect();
    if functions.is_empty() {
        Vec::new()
    } else {
        vec![json!({"functionDeclarations": functions})]
    }
}

/// Which functions are called, and whether calls keep to the schemas: they do where they must be
/// made, and in the mode `VALIDATED`, which is `AUTO` but for that.
fn tool_config(
    fields: &mut Fields,
    tools: &[Tool],
    left: &mut Left,
) -> Result<Option<Value>, Refusal> {
    let choice = choice(fields, left)?;
    let parallel = fields.truth("parallel_tool_calls")?;
    if tools.is_empty() {
        return match choice {
            None | Some(Choice::None | Choice::Auto) => Ok(None),
            Some(_) => Err(refusal(
                "tool_choice",
                "asks for a tool, and there are no `tools`",
            )),
        };
    }
    if parallel == Some(false) {
        left.no_place("parallel_tool_calls")?;
    }
    let strict = tools.iter().any(|tool| tool.strict == Some(true));
    let (mode, names) = match choice {
        None | Some(Choice::Auto) if strict => ("VALIDATED", None),
        None | Some(Choice::Auto) => return Ok(None),
        Some(Choice::None) => ("NONE", None),
        Some(Choice::Required) => ("ANY", None),
        Some(Choice::Function(name)) => ("ANY", Some(vec![name])),
        Some(Choice::Allowed { names, required }) => {
            (if required { "ANY" } else { "VALIDATED" }, Some(names))
        }
    };
    let mut config = json!({"mode": mode});
    if let Some(names) = names {
        config["allowedFunctionNames"] = names.into();
    }
    Ok(Some(json!({"functionCallingConfig": config})))
}

fn generation_config(
    fields: &mut Fields,
    asked: &Asked<'_>,
    left: &mut Left,
) -> Result<GenerationConfig, Refusal> {
    let mut config = GenerationConfig {
        candidate_count: fields.count("n")?,
        max_output_tokens: max_tokens(fields)?,
        top_k: fields.count("top_k")?,
        presence_penalty: fields.number("presence_penalty")?,
        frequency_penalty: fields.number("frequency_penalty")?,
        stop_sequences: stops(fields)?,
        seed: seed(fields, left)?,
        ..GenerationConfig::default()
    };
    if config.stop_sequences.len() > STOPS_MAX {
        let why = format!("has more than {STOPS_MAX} texts, the most that Gemini takes");
        left.unless_dropped("stop", &why)?;
        config.stop_sequences = Vec::new();
    }
    for (field, most, place) in [
        ("temperature", 2.0, &mut config.temperature),
        ("top_p", 1.0, &mut config.top_p),
    ] {
        if let Some(value) = fields.number(field)?
            && fits_sampling(field, value, most, asked.terms, left)?
        {
            *place = Some(value);
        }
    }
    config.response_logprobs = fields.truth("logprobs")?;
    config.logprobs = fields.count("top_logprobs")?.filter(|count| *count > 0);
    if config.logprobs.is_some() && config.response_logprobs.is_none() {
        return Err(refusal("top_logprobs", "needs `logprobs` to be true"));
    }
    match response_format(fields, left)? {
        Format::Text => {}
        Format::Json => config.response_mime_type = Some(JSON),
        Format::Schema {
            name,
            description,
            schema,
        } => {
            config.response_mime_type = Some(JSON);
            config.response_json_schema = Some(titled(schema, name, description));
        }
    }
    if let Some(effort) = effort(fields, asked.terms, left)? {
        config.thinking_config = thinking(effort, asked.model, asked.terms, left)?;
    }
    Ok(config)
}

const JSON: &str = "application/json";
/// Gemini's limit of `stopSequences`.
const STOPS_MAX: usize = 5;

fn seed(fields: &mut Fields, left: &mut Left) -> Result<Option<i32>, Refusal> {
    let Some(value) = fields.take("seed") else {
        return Ok(None);
    };
    let Some(seed) = value.as_i64() else {
        return Err(super::super::fields::wrong(
            "seed",
            "a whole number",
            &value,
        ));
    };
    let fits = i32::try_from(seed).ok();
    if fits.is_none() {
        left.unless_dropped("seed", "is beyond the 32 bits that Gemini takes")?;
    }
    Ok(fits)
}

/// The schema with the name and description that stood beside it, as JSON schema says them, where
/// it has none of its own.
fn titled(mut schema: Value, name: String, description: Option<String>) -> Value {
    if let Value::Object(members) = &mut schema
        // Beside a reference nothing else may stand.
        && !members.contains_key("$ref")
    {
        let name = Some(name).filter(|name| !name.is_empty());
        for (key, text) in [("title", name), ("description", description)] {
            if let Some(text) = text {
                members.entry(key).or_insert_with(|| text.into());
            }
        }
    }
    schema
}

/// Google's labels: at most 63 lower-case letters, digits, `_` and `-`; a key begins with a letter.
fn is_label(key: &str, value: &str) -> bool {
    let fits = |text: &str| {
        text.len() <= 63
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-')
            })
    };
    fits(key) && fits(value) && key.starts_with(|first: char| first.is_ascii_lowercase())
}

fn service_tier(fields: &mut Fields, left: &mut Left) -> Result<Option<&'static str>, Refusal> {
    let tier = fields.text("service_tier")?;
    Ok(match tier.as_deref() {
        None => None,
        Some("default") => Some("standard"),
        Some("flex") => Some("flex"),
        Some("priority") => Some("priority"),
        Some(_) => {
            left.hint("service_tier");
            None
        }
    })
}
