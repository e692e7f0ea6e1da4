//! Reads what a request's JSON asks for.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::key::Known;
use super::tools::Tool;

mod bedrock;

mod google;

mod media;

mod ollama;

mod turn;

pub(super) use bedrock::of_converse;
pub(super) use google::of_gemini;
pub(super) use media::{Medium, media_of};
pub(super) use ollama::of_ollama;
pub(super) use turn::ends_with_result;

/// What a request's JSON asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) model: Option<String>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) choices: u32,
    pub(super) max_tokens: Option<u32>,
    pub(super) tools: Vec<Tool>,
    /// Whether a tool must be called: by `tool_choice`, or because the prompt says so.
    pub(super) tool_wanted: bool,
    /// Whether it must be by `tool_choice`.
    pub(super) tool_forced: bool,
    /// Whether the last turn holds a tool's result: then there is something to say.
    pub(super) tool_answered: bool,
    pub(super) format: Format,
    pub(super) reasoning: bool,
    pub(super) prompt_bytes: u64,
    /// Inputs of an embeddings request.
    pub(super) inputs: u32,
    pub(super) dimensions: Option<u32>,
    pub(super) base64: bool,
    /// Whether it thinks and is not to show what.
    pub(super) hides_thoughts: bool,
    /// Images, documents and sounds that came with the prompt.
    pub(super) media: Vec<Medium>,
    /// The answer that the answer key has for it.
    pub(super) known: Option<Known>,
}

/// The form of the answer's text.
#[derive(Debug, Default, Clone)]
pub(super) enum Format {
    /// Words.
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that fits the schema.
    JsonSchema(Value),
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    n: Option<u32>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    max_output_tokens: Option<u32>,
    messages: Option<Text>,
    system: Option<Text>,
    input: Option<Text>,
    prompt: Option<Text>,
    instructions: Option<Text>,
    tools: Option<Vec<Value>>,
    tool_choice: Option<Value>,
    response_format: Option<Value>,
    text: Option<Value>,
    output_config: Option<Value>,
    output_format: Option<Value>,
    reasoning_effort: Option<IgnoredAny>,
    reasoning: Option<IgnoredAny>,
    thinking: Option<Value>,
    dimensions: Option<u32>,
    encoding_format: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

impl Asked {
    /// Reads a body; the error's text is fit for showing.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let raw: Raw<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let texts = [
            &raw.messages,
            &raw.system,
            &raw.input,
            &raw.prompt,
            &raw.instructions,
        ];
        let texts = texts.into_iter().flatten();
        let (bytes, says_tool) = texts.fold((0, false), |(bytes, says), text| {
            (bytes + text.bytes, says || text.says_tool)
        });
        let tool_forced = raw.tool_choice.as_ref().is_some_and(requires_tool);
        let tools: Vec<Tool> = raw.tools.iter().flatten().filter_map(Tool::of).collect();
        Ok(Self {
            stream: raw.stream.unwrap_or(false),
            include_usage: raw.stream_options.and_then(|options| options.include_usage)
                == Some(true),
            choices: raw.n.unwrap_or(1).clamp(1, 128),
            max_tokens: raw
                .max_completion_tokens
                .or(raw.max_output_tokens)
                .or(raw.max_tokens),
            tool_wanted: says_tool || tool_forced,
            tool_forced,
            tool_answered: false,
            format: format_of(&[
                raw.response_format.as_ref(),
                raw.text.as_ref().and_then(|text| text.get("format")),
                raw.output_config
                    .as_ref()
                    .and_then(|config| config.get("format")),
                raw.output_format.as_ref(),
            ]),
            reasoning: raw.reasoning_effort.is_some()
                || raw.reasoning.is_some()
                || raw.thinking.as_ref().is_some_and(thinks)
                || raw
                    .model
                    .as_ref()
                    .is_some_and(|model| model.contains("reason")),
            prompt_bytes: bytes,
            inputs: raw
                .input
                .as_ref()
                .or(raw.prompt.as_ref())
                .map_or(1, |text| text.items),
            dimensions: raw.dimensions,
            base64: raw.encoding_format.as_deref() == Some("base64"),
            hides_thoughts: false,
            media: Vec::new(),
            known: None,
            model: raw.model.map(Cow::into_owned),
            tools,
        })
    }

    /// Prompt tokens: a quarter of the text's bytes, at least one.
    pub(super) fn prompt_tokens(&self) -> u64 {
        self.prompt_bytes.div_ceil(4).max(1)
    }
}

fn thinks(thinking: &Value) -> bool {
    thinking.get("type").and_then(Value::as_str) != Some("disabled")
}

fn requires_tool(choice: &Value) -> bool {
    match choice {
        Value::String(word) => word == "required",
        Value::Object(fields) => fields
            .get("type")
            .and_then(Value::as_str)
            .is_some_and(|kind| matches!(kind, "function" | "tool" | "any")),
        _ => false,
    }
}

fn format_of(places: &[Option<&Value>]) -> Format {
    let Some(format) = places.iter().copied().flatten().next() else {
        return Format::Text;
    };
    match format.get("type").and_then(Value::as_str) {
        Some("json_object") => Format::JsonObject,
        Some("json_schema") => {
            let schema = format
                .pointer("/json_schema/schema")
                .or_else(|| format.get("schema"));
            schema
                .cloned()
                .map_or(Format::JsonObject, Format::JsonSchema)
        }
        _ => Format::Text,
    }
}

/// Bytes of all text within a JSON value: what is said, not how it is wrapped.
#[derive(Debug, Default)]
struct Text {
    bytes: u64,
    items: u32,
    says_tool: bool,
}

impl Text {
    fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.says_tool |= other.says_tool;
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a prompt")
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        // Images and sounds come as data URLs: their bytes are not text.
        let bytes = if text.starts_with("data:") {
            0
        } else {
            text.len() as u64
        };
        let says_tool = bytes < 65_536
            && ["call the tool", "use the tool", "use a tool"]
                .iter()
                .any(|words| text.contains(words));
        Ok(Text {
            bytes,
            items: 1,
            says_tool,
        })
    }

    fn visit_u64<E>(self, _: u64) -> Result<Text, E> {
        // A number is a token, and a token is four bytes.
        Ok(Text {
            bytes: 4,
            items: 1,
            says_tool: false,
        })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Text, E> {
        Ok(Text::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Text, E> {
        Ok(Text::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
        Ok(Text::default())
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Text, A::Error> {
        let mut all = Text::default();
        while let Some(item) = items.next_element::<Text>()? {
            all.add(&item);
            all.items += 1;
        }
        Ok(all)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Text, A::Error> {
        let mut all = Text {
            items: 1,
            ..Text::default()
        };
        while let Some(key) = fields.next_key::<Cow<'_, str>>()? {
            match &*key {
                "content" | "text" | "input" | "arguments" | "output" | "parts" | "thinking"
                | "tool_calls" | "function" | "toolResult" | "functionResponse" | "response"
                | "result" => all.add(&fields.next_value()?),
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_counted_by_their_text() {
        for (body, tokens) in [
            (r#"{"messages":[{"role":"user","content":"12345678"}]}"#, 2),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"text","text":"12345678"},
              {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}"#,
                2,
            ),
            (
                r#"{"system":"1234","messages":[{"role":"user","content":"12345"}]}"#,
                3,
            ),
            (r#"{"input":[[1,2,3],[4,5]]}"#, 5),
            (r#"{"prompt":["1234","1234"]}"#, 2),
            ("{}", 1),
        ] {
            assert_eq!(
                Asked::read(body.as_bytes()).unwrap().prompt_tokens(),
                tokens,
                "{body}"
            );
        }
    }

    #[test]
    fn wishes_are_read() {
        let read = |body: &str| Asked::read(body.as_bytes()).unwrap();
        assert!(read(r#"{"stream":true,"stream_options":{"include_usage":true}}"#).include_usage);
        assert!(read(r#"{"tool_choice":"required"}"#).tool_wanted);
        assert!(read(r#"{"tool_choice":{"type":"any"}}"#).tool_wanted);
        assert!(!read(r#"{"tool_choice":"auto"}"#).tool_wanted);
        assert!(read(r#"{"messages":[{"content":"please use the tool"}]}"#).tool_wanted);
        assert!(read(r#"{"model":"reasoner"}"#).reasoning);
        assert!(read(r#"{"reasoning_effort":"low"}"#).reasoning);
        assert!(read(r#"{"thinking":{"type":"enabled","budget_tokens":1024}}"#).reasoning);
        assert!(!read(r#"{"thinking":{"type":"disabled"}}"#).reasoning);
        assert_eq!(read(r#"{"input":["a","b","c"]}"#).inputs, 3);
        let schema = r#"{"response_format":{"type":"json_schema","json_schema":{"schema":{}}}}"#;
        assert!(matches!(read(schema).format, Format::JsonSchema(_)));
        let schema = r#"{"text":{"format":{"type":"json_schema","schema":{}}}}"#;
        assert!(matches!(read(schema).format, Format::JsonSchema(_)));
        assert!(Asked::read(b"{\"model\":5}").is_err());
    }
}
