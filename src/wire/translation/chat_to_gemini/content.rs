//! Says turns as Gemini's contents of parts.

use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::super::chat_request::{Data, Marked, Part as Said, Source, Spoken, ToolResult, Turn};
use super::super::fields::{Left, refusal};
use super::super::shape::{Asked, Refusal, Terms};
use super::thinking::{UNSIGNED, generation, restored};

/// `systemInstruction`.
#[derive(Debug, Serialize)]
pub(super) struct Instruction {
    parts: Vec<Part>,
}

/// One turn.
#[derive(Debug, Serialize)]
pub(super) struct Content {
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
    /// Vertex AI takes no file without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<&'static str>,
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

/// Every turn as a content. The roles alternate, but for results of calls, which stand alone:
/// their number is checked against that of the calls.
pub(super) fn contents(
    turns: Vec<Turn>,
    asked: &Asked<'_>,
    left: &mut Left,
) -> Result<Vec<Content>, Refusal> {
    let mut contents: Vec<Content> = Vec::with_capacity(turns.len());
    for turn in turns {
        let results = matches!(turn, Turn::Results(_));
        let (role, parts) = match turn {
            Turn::User(parts) => {
                let parts = parts.into_iter().map(|part| said(part.said, asked.terms));
                ("user", parts.collect::<Result<_, _>>()?)
            }
            Turn::Assistant(spoken) => ("model", spoken_parts(spoken, asked.model, left)),
            Turn::Results(results) => {
                let parts = results.into_iter().map(response);
                ("user", parts.collect::<Result<_, _>>()?)
            }
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

/// The texts that instruct the model; absent where there are none.
pub(super) fn instruction(system: Vec<Marked<String>>) -> Option<Instruction> {
    let parts: Vec<Part> = system.into_iter().map(|said| text(said.said)).collect();
    (!parts.is_empty()).then_some(Instruction { parts })
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
            let file = FileData {
                mime_type: image_type(&url),
                file_uri: url,
            };
            Part {
                file_data: Some(file),
                ..Part::default()
            }
        }
        Said::Audio { format, data, .. } => inline(Data {
            mime: format!("audio/{format}"),
            base64: data,
        }),
    })
}

/// The type of the image at an address, as far as its ending tells.
fn image_type(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        _ => return None,
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
    parts.extend(spoken.texts.into_iter().map(|said| text(said.said)));
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
    let demanding = generation(model).is_some_and(|generation| generation >= 3);
    let calls = spoken.calls.into_iter().zip(restored.calls);
    for (place, (call, signature)) in calls.enumerate() {
        // Of the calls of one answer only the first is signed.
        let stand_in = (demanding && place == 0).then(|| UNSIGNED.to_owned());
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
fn response(result: ToolResult) -> Result<Part, Refusal> {
    #[derive(serde::Deserialize)]
    struct Meaning {
        output: Option<serde::de::IgnoredAny>,
        error: Option<serde::de::IgnoredAny>,
    }
    let said = result.text()?;
    let plain = serde_json::from_str::<Meaning>(&said)
        .is_ok_and(|meaning| meaning.output.is_none() && meaning.error.is_none());
    let object = Some(&said).filter(|text| plain && text.trim_start().starts_with('{'));
    let response = match object.map(|text| RawValue::from_string(text.clone())) {
        Some(Ok(object)) => object,
        _ => serde_json::value::to_raw_value(&json!({"output": said}))
            .unwrap_or_else(|_| RawValue::NULL.to_owned()),
    };
    Ok(Part {
        function_response: Some(FunctionResponse {
            id: result.id,
            name: result.name,
            response,
        }),
        ..Part::default()
    })
}
