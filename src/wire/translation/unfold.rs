//! Says a whole answer as the stream that its provider was asked for.
//!
//! Some servers answer whole whatever is asked: older ones where tools are called, gateways without
//! streaming. Whoever asked for a stream through a translation reads it as one.

use serde::de::IgnoredAny;

use super::chat::{compact, string};
use crate::record::Language;
use crate::wire::dialect::json::read_bytes;
use crate::wire::dialect::lenient::{List, Maybe, Raw, lenient_object};
use crate::wire::framing::event_stream::encode_event;

/// The stream in `provider`'s language that says what `body`, a whole answer in it, says. `None`
/// where that is no answer, nor an error as an event would say it.
pub(super) fn unfold(provider: Language, body: &[u8]) -> Option<Vec<u8>> {
    match provider {
        Language::GeminiGenerate => gemini(body),
        Language::AnthropicMessages => messages(body),
        Language::BedrockConverse => converse(body),
        _ => chat(body),
    }
}

lenient_object! {
    /// A chat answer.
    struct Chat {
        choices: Raw<'de> = "choices",
    }
}

fn chat(body: &[u8]) -> Option<Vec<u8>> {
    read_bytes::<Chat<'_>>(body)?.choices?;
    let mut out = Vec::with_capacity(body.len() + 32);
    event(&mut out, body);
    event(&mut out, b"[DONE]");
    Some(out)
}

/// Each event of Gemini's is an answer, and each answer an event; without `alt=sse` they come in an
/// array.
fn gemini(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len() + 32);
    if body.trim_ascii().starts_with(b"[") {
        for answer in read_bytes::<List<Raw<'_>>>(body)?.0.into_iter().flatten() {
            event(&mut out, answer.get().as_bytes());
        }
    } else {
        serde_json::from_slice::<IgnoredAny>(body).ok()?;
        event(&mut out, body);
    }
    Some(out)
}

lenient_object! {
    /// A message.
    struct Message {
        id: Raw<'de> = "id",
        model: Raw<'de> = "model",
        content: Maybe<List<Raw<'de>>> = "content",
        stop: Raw<'de> = "stop_reason",
        sequence: Raw<'de> = "stop_sequence",
        usage: Raw<'de> = "usage",
    }
}

fn messages(body: &[u8]) -> Option<Vec<u8>> {
    let message = read_bytes::<Message<'_>>(body)?;
    let mut out = Vec::with_capacity(body.len() + 1024);
    let Some(content) = &message.content.0 else {
        // An error says so in the same words.
        event(&mut out, body);
        return Some(out);
    };
    let (id, model, usage) = (text(message.id), text(message.model), text(message.usage));
    let start = format!(
        r#"{{"type":"message_start","message":{{"type":"message","role":"assistant","content":[],"id":{id},"model":{model},"usage":{usage}}}}}"#
    );
    event(&mut out, start.as_bytes());
    for (index, block) in content.0.iter().enumerate() {
        // A call's arguments go on as they stand.
        let block = compact(text(*block));
        let start =
            format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#);
        event(&mut out, start.as_bytes());
        let stop = format!(r#"{{"type":"content_block_stop","index":{index}}}"#);
        event(&mut out, stop.as_bytes());
    }
    let (stop, sequence) = (text(message.stop), text(message.sequence));
    let delta = format!(
        r#"{{"type":"message_delta","delta":{{"stop_reason":{stop},"stop_sequence":{sequence}}},"usage":{usage}}}"#
    );
    event(&mut out, delta.as_bytes());
    event(&mut out, br#"{"type":"message_stop"}"#);
    Some(out)
}

lenient_object! {
    /// An answer of Converse's.
    struct Answer {
        output: Output<'de> = "output",
        stop: Raw<'de> = "stopReason",
        usage: Raw<'de> = "usage",
        tier: Raw<'de> = "serviceTier",
    }
}

lenient_object! {
    /// Its output.
    struct Output {
        message: Said<'de> = "message",
    }
}

lenient_object! {
    /// The message in it.
    struct Said {
        content: Maybe<List<Block<'de>>> = "content",
    }
}

lenient_object! {
    /// A block of it: one of these.
    struct Block {
        text: Raw<'de> = "text",
        tool: Maybe<Tool<'de>> = "toolUse",
        reasoning: Reasoning<'de> = "reasoningContent",
        cited: Cited<'de> = "citationsContent",
        image: Maybe<Image<'de>> = "image",
    }
}

lenient_object! {
    /// A call.
    struct Tool {
        id: Raw<'de> = "toolUseId",
        name: Raw<'de> = "name",
        input: Raw<'de> = "input",
    }
}

lenient_object! {
    /// Thoughts.
    struct Reasoning {
        open: Thought<'de> = "reasoningText",
        redacted: Raw<'de> = "redactedContent",
    }
}

lenient_object! {
    /// Thoughts that may be read.
    struct Thought {
        text: Raw<'de> = "text",
        signature: Raw<'de> = "signature",
    }
}

lenient_object! {
    /// Text that cites, in pieces.
    struct Cited {
        content: List<Piece<'de>> = "content",
    }
}

lenient_object! {
    /// A piece of it.
    struct Piece {
        text: Raw<'de> = "text",
    }
}

lenient_object! {
    /// A picture.
    struct Image {
        format: Raw<'de> = "format",
        source: Raw<'de> = "source",
    }
}

fn converse(body: &[u8]) -> Option<Vec<u8>> {
    let answer = read_bytes::<Answer<'_>>(body)?;
    let content = answer.output.message.content.0?;
    let mut frames = Frames(Vec::with_capacity(body.len() + 1024));
    frames.add("messageStart", r#"{"role":"assistant"}"#)?;
    for (index, block) in content.0.iter().enumerate() {
        block.tell(&mut frames, index)?;
        frames.add(
            "contentBlockStop",
            &format!(r#"{{"contentBlockIndex":{index}}}"#),
        )?;
    }
    let (stop, usage, tier) = (text(answer.stop), text(answer.usage), text(answer.tier));
    frames.add("messageStop", &format!(r#"{{"stopReason":{stop}}}"#))?;
    let last = format!(r#"{{"usage":{usage},"serviceTier":{tier}}}"#);
    frames.add("metadata", &last)?;
    Some(frames.0)
}

/// Frames of Amazon's, one behind the other.
struct Frames(Vec<u8>);

impl Frames {
    fn add(&mut self, kind: &str, payload: &str) -> Option<()> {
        encode_event(kind, payload.as_bytes(), &mut self.0).ok()
    }

    fn start(&mut self, index: usize, what: &str) -> Option<()> {
        let payload = format!(r#"{{"contentBlockIndex":{index},"start":{{{what}}}}}"#);
        self.add("contentBlockStart", &payload)
    }

    fn delta(&mut self, index: usize, what: &str) -> Option<()> {
        let payload = format!(r#"{{"contentBlockIndex":{index},"delta":{{{what}}}}}"#);
        self.add("contentBlockDelta", &payload)
    }
}

impl Block<'_> {
    /// Tells the block as its start and its deltas.
    fn tell(&self, frames: &mut Frames, index: usize) -> Option<()> {
        let pieces = self.cited.content.0.iter().map(|piece| piece.text);
        for piece in [self.text].into_iter().chain(pieces).flatten() {
            frames.delta(index, &format!(r#""text":{}"#, piece.get()))?;
        }
        if let Some(tool) = &self.tool.0 {
            let (id, name) = (text(tool.id), text(tool.name));
            frames.start(
                index,
                &format!(r#""toolUse":{{"toolUseId":{id},"name":{name}}}"#),
            )?;
            let mut input = Vec::new();
            string(
                &mut input,
                &compact(tool.input.map_or("{}", |input| input.get())),
            );
            let input = String::from_utf8(input).ok()?;
            frames.delta(index, &format!(r#""toolUse":{{"input":{input}}}"#))?;
        }
        for (key, value) in [
            ("text", self.reasoning.open.text),
            ("signature", self.reasoning.open.signature),
            ("redactedContent", self.reasoning.redacted),
        ] {
            if let Some(value) = value {
                let value = value.get();
                frames.delta(index, &format!(r#""reasoningContent":{{"{key}":{value}}}"#))?;
            }
        }
        if let Some(image) = &self.image.0 {
            let (format, source) = (text(image.format), text(image.source));
            frames.start(index, &format!(r#""image":{{"format":{format}}}"#))?;
            frames.delta(index, &format!(r#""image":{{"source":{source}}}"#))?;
        }
        Some(())
    }
}

/// A value as JSON text.
fn text(raw: Raw<'_>) -> &str {
    raw.map_or("null", |raw| raw.get())
}

/// Writes an event whose data is `data`; JSON that goes over lines has a field for each.
fn event(out: &mut Vec<u8>, data: &[u8]) {
    for line in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
}
