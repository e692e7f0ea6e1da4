//! Reads Converse's answers and the events of its streams, without copying their texts.

use crate::record::{FinishReason, Usage};
use crate::wire::dialect::bedrock_converse::UsageObject;
use crate::wire::dialect::finish::{STOP_SEQUENCE, finish_reason};
use crate::wire::dialect::lenient::{Inside, List, Maybe, Raw, Text, lenient_object};

lenient_object! {
    /// An answer.
    pub(super) struct Answer {
        output: Output<'de> = "output",
        stop: Text<'de> = "stopReason",
        usage: Maybe<UsageObject<'de>> = "usage",
        tier: Tier<'de> = "serviceTier",
    }
}

lenient_object! {
    struct Output {
        message: Maybe<Message<'de>> = "message",
    }
}

lenient_object! {
    struct Message {
        content: List<Block<'de>> = "content",
    }
}

lenient_object! {
    /// A content block of an answer: one of these.
    pub(super) struct Block {
        text: Maybe<Inside<'de>> = "text",
        tool_use: Maybe<ToolUse<'de>> = "toolUse",
        reasoning: Maybe<Reasoning<'de>> = "reasoningContent",
        cited: Cited<'de> = "citationsContent",
        image: Maybe<Image<'de>> = "image",
    }
}

lenient_object! {
    /// A call of a tool.
    pub(super) struct ToolUse {
        id: Text<'de> = "toolUseId",
        name: Text<'de> = "name",
        input: Raw<'de> = "input",
    }
}

lenient_object! {
    struct Reasoning {
        text: ReasoningText<'de> = "reasoningText",
        redacted: Text<'de> = "redactedContent",
    }
}

lenient_object! {
    struct ReasoningText {
        text: Inside<'de> = "text",
        signature: Text<'de> = "signature",
    }
}

lenient_object! {
    struct Cited {
        content: List<CitedText<'de>> = "content",
    }
}

lenient_object! {
    struct CitedText {
        text: Inside<'de> = "text",
    }
}

lenient_object! {
    struct Image {
        format: Text<'de> = "format",
        source: ImageSource<'de> = "source",
    }
}

lenient_object! {
    struct ImageSource {
        bytes: Text<'de> = "bytes",
    }
}

lenient_object! {
    struct Tier {
        kind: Text<'de> = "type",
    }
}

/// What a block says.
#[derive(Debug)]
pub(super) enum Kind<'a, 'de> {
    /// Visible text.
    Text(Inside<'de>),
    /// Visible text that cites: in pieces.
    Cited(Vec<Inside<'de>>),
    /// Thoughts, and their signature; empty where they have none.
    Thought(Inside<'de>, &'a str),
    /// Thoughts that nobody may read.
    Redacted(&'a str),
    /// A call of a tool.
    Call(&'a ToolUse<'de>),
    /// An image, as a `data:` URL.
    Image(String),
}

impl<'de> Block<'de> {
    /// What it says; absent where that is nothing known.
    pub(super) fn kind(&self) -> Option<Kind<'_, 'de>> {
        if let Some(text) = self.text.0 {
            return Some(Kind::Text(text));
        }
        if let Some(call) = &self.tool_use.0 {
            return Some(Kind::Call(call));
        }
        if let Some(thought) = &self.reasoning.0 {
            let redacted = thought.redacted.as_str();
            return Some(if redacted.is_empty() {
                Kind::Thought(thought.text.text, thought.text.signature.as_str())
            } else {
                Kind::Redacted(redacted)
            });
        }
        if let Some(image) = &self.image.0 {
            return Some(Kind::Image(image.url()));
        }
        let cited = self.cited.content.0.iter().map(|piece| piece.text);
        Some(Kind::Cited(cited.collect())).filter(|_| !self.cited.content.0.is_empty())
    }
}

impl Image<'_> {
    fn url(&self) -> String {
        let (format, bytes) = (self.format.as_str(), self.source.bytes.as_str());
        format!("data:image/{format};base64,{bytes}")
    }
}

impl ToolUse<'_> {
    /// Its id.
    pub(super) fn id(&self) -> &str {
        self.id.as_str()
    }

    /// The tool's name.
    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Its arguments: a JSON object.
    pub(super) fn input(&self) -> &str {
        self.input.map_or("{}", |input| input.get())
    }
}

impl<'de> Answer<'de> {
    /// What was answered; absent where this is no answer.
    pub(super) fn content(&self) -> Option<&[Block<'de>]> {
        self.output
            .message
            .0
            .as_ref()
            .map(|message| message.content.0.as_slice())
    }

    /// Why the model stopped, in Bedrock's words.
    pub(super) fn reason(&self) -> &str {
        self.stop.as_str()
    }

    /// The tokens used.
    pub(super) fn usage(&self) -> Usage {
        self.usage
            .0
            .as_ref()
            .map(UsageObject::normalised)
            .unwrap_or_default()
    }

    /// The service tier.
    pub(super) fn tier(&self) -> Option<&str> {
        Some(self.tier.kind.as_str()).filter(|tier| !tier.is_empty())
    }
}

/// Why the model stopped, in OpenAI's words; absent where it did by a fault of its own.
pub(super) fn finish(reason: &str) -> Option<FinishReason> {
    match finish_reason(reason, false) {
        FinishReason::Error => None,
        // Something other than the model ended it (whatever may come), and that is all that OpenAI
        // has for this.
        FinishReason::Other => Some(FinishReason::ContentFilter),
        reason => Some(reason),
    }
}

/// The word for a stop at one of the request's sequences, where that is why: OpenAI's `stop` is for
/// the model's own end too.
pub(super) fn at_sequence(reason: &str) -> Option<&'static str> {
    (reason == STOP_SEQUENCE).then_some(STOP_SEQUENCE)
}

lenient_object! {
    /// The payload of an event, of whichever type.
    pub(super) struct Event {
        delta: Delta<'de> = "delta",
        start: Start<'de> = "start",
        stop: Text<'de> = "stopReason",
        usage: Maybe<UsageObject<'de>> = "usage",
        tier: Tier<'de> = "serviceTier",
        message: Text<'de> = "message",
    }
}

lenient_object! {
    struct Start {
        tool_use: Maybe<ToolUse<'de>> = "toolUse",
        image: Maybe<Image<'de>> = "image",
    }
}

lenient_object! {
    struct Delta {
        text: Maybe<Inside<'de>> = "text",
        tool_use: Maybe<Input<'de>> = "toolUse",
        reasoning: Maybe<Thought<'de>> = "reasoningContent",
        image: Maybe<Image<'de>> = "image",
    }
}

lenient_object! {
    struct Input {
        input: Inside<'de> = "input",
    }
}

lenient_object! {
    struct Thought {
        text: Inside<'de> = "text",
        signature: Text<'de> = "signature",
        redacted: Text<'de> = "redactedContent",
    }
}

/// What a delta says.
#[derive(Debug)]
pub(super) enum Said<'a, 'de> {
    /// A piece of visible text.
    Text(Inside<'de>),
    /// A piece of a call's arguments.
    Input(Inside<'de>),
    /// A piece of thoughts.
    Thought(Inside<'de>),
    /// The signature of the thoughts of this block.
    Signature(&'a str),
    /// Thoughts that nobody may read.
    Redacted(&'a str),
    /// An image's bytes in base 64.
    Image(&'a str),
    /// Something that is not known here.
    Nothing,
}

impl<'de> Event<'de> {
    /// What its delta says.
    pub(super) fn said(&self) -> Said<'_, 'de> {
        let delta = &self.delta;
        if let Some(text) = delta.text.0 {
            return Said::Text(text);
        }
        if let Some(input) = &delta.tool_use.0 {
            return Said::Input(input.input);
        }
        if let Some(thought) = &delta.reasoning.0 {
            let (signature, redacted) = (thought.signature.as_str(), thought.redacted.as_str());
            return match (signature, redacted) {
                ("", "") => Said::Thought(thought.text),
                ("", redacted) => Said::Redacted(redacted),
                (signature, _) => Said::Signature(signature),
            };
        }
        delta.image.0.as_ref().map_or(Said::Nothing, |image| {
            Said::Image(image.source.bytes.as_str())
        })
    }

    /// The call that begins.
    pub(super) fn call(&self) -> Option<&ToolUse<'de>> {
        self.start.tool_use.0.as_ref()
    }

    /// The format of the image that begins.
    pub(super) fn image(&self) -> Option<&str> {
        self.start
            .image
            .0
            .as_ref()
            .map(|image| image.format.as_str())
    }

    /// Why the model stopped, in Bedrock's words.
    pub(super) fn reason(&self) -> &str {
        self.stop.as_str()
    }

    /// The tokens used.
    pub(super) fn usage(&self) -> Usage {
        self.usage
            .0
            .as_ref()
            .map(UsageObject::normalised)
            .unwrap_or_default()
    }

    /// The service tier.
    pub(super) fn tier(&self) -> Option<&str> {
        Some(self.tier.kind.as_str()).filter(|tier| !tier.is_empty())
    }

    /// What an exception says.
    pub(super) fn message(&self) -> &str {
        self.message.as_str()
    }
}
