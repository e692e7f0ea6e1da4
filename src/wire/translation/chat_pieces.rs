//! The parts of a chat answer that are said again, borrowed from its bytes.

use std::borrow::Cow;

use crate::wire::dialect::json::{Elements, Json, Lenient, NotJson, Quoted, read};
use crate::wire::dialect::language::mended;
use crate::wire::dialect::lenient::{Count, Few, Maybe, Raw, Text, lenient_object};

lenient_object! {
    /// A chunk, or a whole completion.
    pub(super) struct Chunk {
        pub(super) object: Text<'de> = "object",
        pub(super) model: Text<'de> = "model",
        pub(super) choices: First<'de> = "choices",
        pub(super) usage: Raw<'de> = "usage",
        pub(super) error: Raw<'de> = "error",
        pub(super) groq: Raw<'de> = "x_groq",
    }
}

lenient_object! {
    /// Groq's own.
    pub(super) struct Groq {
        pub(super) error: Raw<'de> = "error",
        pub(super) usage: Raw<'de> = "usage",
    }
}

/// The first choice: no more is ever asked for.
#[derive(Debug, Default)]
pub(super) struct First<'de>(pub(super) Option<Choice<'de>>);

impl<'de> Lenient<'de> for First<'de> {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut first = None;
        while let Some(choice) = seq.next::<Choice<'de>>()? {
            if first.is_none() && choice.index.0.unwrap_or(0) == 0 {
                first = Some(choice);
            }
        }
        Ok(Self(first))
    }
}

lenient_object! {
    /// One choice.
    pub(super) struct Choice {
        pub(super) index: Count = "index",
        pub(super) delta: Maybe<Delta<'de>> = "delta",
        pub(super) message: Delta<'de> = "message",
        pub(super) finish: Text<'de> = "finish_reason",
        // The provider's own word for it (OpenRouter's field).
        pub(super) native: Text<'de> = "native_finish_reason",
        // The stop sequence that was met: vLLM's field, SGLang's.
        pub(super) stop: Text<'de> = "stop_reason",
        pub(super) matched: Text<'de> = "matched_stop",
        // OpenRouter's.
        pub(super) error: Raw<'de> = "error",
        // Moonshot's place for it, in the last choice.
        pub(super) usage: Raw<'de> = "usage",
    }
}

lenient_object! {
    /// What a choice adds, or a whole message.
    pub(super) struct Delta {
        pub(super) content: Content<'de> = "content",
        pub(super) refusal: Inside<'de> = "refusal",
        pub(super) reasoning: Inside<'de> = "reasoning",
        pub(super) reasoning_content: Inside<'de> = "reasoning_content",
        pub(super) reasoning_details: Few<Detail<'de>> = "reasoning_details",
        pub(super) tool_calls: Few<Call<'de>> = "tool_calls",
        pub(super) function_call: Call<'de> = "function_call",
        // OpenRouter's and LiteLLM's.
        pub(super) images: Few<Picture<'de>> = "images",
    }
}

lenient_object! {
    /// A picture.
    pub(super) struct Picture {
        pub(super) image: Address<'de> = "image_url",
    }
}

lenient_object! {
    /// Where it is.
    pub(super) struct Address {
        pub(super) url: Inside<'de> = "url",
    }
}

impl Delta<'_> {
    /// Whether there is text or reasoning of any kind.
    pub(super) fn says_other_than_calls(&self) -> bool {
        let texts = [self.refusal, self.reasoning, self.reasoning_content];
        !self.content.parts().is_empty()
            || !self.images.as_slice().is_empty()
            || texts.iter().any(|text| !text.0.is_empty())
            || self.reasoning_details.as_slice().iter().any(Detail::proves)
    }
}

/// The inside of a string as it stands; of anything else, nothing.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Inside<'de>(pub(super) &'de str);

impl<'de> Lenient<'de> for Inside<'de> {
    fn quoted(quoted: Quoted<'de>) -> Result<Self, NotJson> {
        Ok(Self(quoted.inside))
    }
}

/// Content: text, or Mistral's list of text and thinking. No part is empty.
#[derive(Debug, Default)]
pub(super) struct Content<'de>(Few<Part<'de>>);

impl<'de> Content<'de> {
    /// Its parts.
    pub(super) fn parts(&self) -> &[Part<'de>] {
        self.0.as_slice()
    }
}

/// A part of content, as it stands between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'de> {
    Text(&'de str),
    Thinking(&'de str),
    Image(&'de str),
}

impl<'de> Lenient<'de> for Content<'de> {
    fn quoted(quoted: Quoted<'de>) -> Result<Self, NotJson> {
        Ok(Self(if quoted.inside.is_empty() {
            Few::None
        } else {
            Few::One(Part::Text(quoted.inside))
        }))
    }

    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut parts = Few::None;
        while let Some(item) = seq.next::<Item<'de>>()? {
            match item.kind.as_str() {
                "text" if !item.text.0.is_empty() => parts.push(Part::Text(item.text.0)),
                "image_url" => parts.push(Part::Image(item.image.url.0)),
                "thinking" => {
                    let texts = item.thinking.as_slice().iter().map(|text| text.text.0);
                    let texts = texts.filter(|text| !text.is_empty());
                    texts.for_each(|text| parts.push(Part::Thinking(text)));
                }
                _ => {}
            }
        }
        Ok(Self(parts))
    }
}

lenient_object! {
    /// A part of content in a list.
    struct Item {
        kind: Text<'de> = "type",
        text: Inside<'de> = "text",
        thinking: Few<Thought<'de>> = "thinking",
        image: Address<'de> = "image_url",
    }
}

lenient_object! {
    /// A part of what was thought.
    struct Thought {
        text: Inside<'de> = "text",
    }
}

/// One of `reasoning_details`.
#[derive(Debug, Default)]
pub(super) struct Detail<'de> {
    /// The object as it stands.
    pub(super) raw: &'de str,
    members: DetailMembers<'de>,
}

lenient_object! {
    /// What of it is looked at.
    struct DetailMembers {
        kind: Text<'de> = "type",
        text: Inside<'de> = "text",
        summary: Inside<'de> = "summary",
        signature: Inside<'de> = "signature",
        data: Inside<'de> = "data",
    }
}

impl<'de> Lenient<'de> for Detail<'de> {
    fn read(json: &mut Json<'de>) -> Result<Self, NotJson> {
        let raw = json.raw()?;
        let members = read(raw).unwrap_or_default();
        Ok(Self { raw, members })
    }
}

impl<'de> Detail<'de> {
    /// Text that somebody may read.
    pub(super) fn said(&self) -> &'de str {
        match self.members.kind.as_str() {
            "reasoning.text" => self.members.text.0,
            "reasoning.summary" => self.members.summary.0,
            _ => "",
        }
    }

    /// Whether it is all that there is of its piece of reasoning.
    pub(super) fn is_encrypted(&self) -> bool {
        self.members.kind.as_str() == "reasoning.encrypted"
    }

    /// Whether it has something that a provider wants to see again.
    pub(super) fn proves(&self) -> bool {
        let members = &self.members;
        !members.signature.0.is_empty() || (self.is_encrypted() && !members.data.0.is_empty())
    }
}

lenient_object! {
    /// A tool call, whole or a piece of it; or the deprecated function call.
    pub(super) struct Call {
        pub(super) index: Count = "index",
        pub(super) id: Text<'de> = "id",
        name: Text<'de> = "name",
        arguments: Arguments<'de> = "arguments",
        function: Function<'de> = "function",
    }
}

lenient_object! {
    /// The function that a call names.
    struct Function {
        name: Text<'de> = "name",
        arguments: Arguments<'de> = "arguments",
    }
}

impl Call<'_> {
    /// The function's name; empty in all pieces but the first.
    pub(super) fn name(&self) -> &str {
        let own = self.name.as_str();
        if own.is_empty() {
            self.function.name.as_str()
        } else {
            own
        }
    }

    /// The inside of a string of arguments.
    pub(super) fn arguments(&self) -> Cow<'_, str> {
        match (&self.function.arguments, &self.arguments) {
            (Arguments::Nothing, other) | (other, _) => other.inside(),
        }
    }

    /// Whether there is anything of a call.
    pub(super) fn says(&self) -> bool {
        !self.name().is_empty() || !self.arguments().is_empty()
    }
}

/// Arguments: text, or an object where a provider does not write it as text.
#[derive(Debug, Default)]
enum Arguments<'de> {
    #[default]
    Nothing,
    Inside(&'de str),
    Object(&'de str),
}

impl<'de> Lenient<'de> for Arguments<'de> {
    fn read(json: &mut Json<'de>) -> Result<Self, NotJson> {
        let raw = json.raw()?;
        Ok(match raw.as_bytes().first() {
            Some(b'"') => Self::Inside(raw.get(1..raw.len() - 1).unwrap_or_default()),
            Some(b'{') => Self::Object(raw),
            _ => Self::Nothing,
        })
    }
}

impl Arguments<'_> {
    fn inside(&self) -> Cow<'_, str> {
        match self {
            Self::Nothing => Cow::Borrowed(""),
            Self::Inside(text) => Cow::Borrowed(text),
            Self::Object(text) => Cow::Owned(escaped(text)),
        }
    }
}

/// A text as the inside of a JSON string.
pub(super) fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inside = quoted.get(1..quoted.len().saturating_sub(1));
    inside.unwrap_or_default().to_owned()
}

/// The text that the inside of a JSON string stands for.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let quoted = format!("\"{text}\"");
    let read: Option<String> = serde_json::from_str(&quoted).ok().or_else(|| {
        let mended = mended(quoted.as_bytes())?;
        serde_json::from_str(&mended).ok()
    });
    read.map_or(Cow::Borrowed(text), Cow::Owned)
}
