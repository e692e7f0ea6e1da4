//! Says a stream of messages as chat chunks, event by event.

use std::ops::ControlFlow;

use super::answer::{redacted, signed, tier};
use crate::record::{Dialect, ErrorClass, Language};
use crate::wire::dialect::errors::{Classified, Report, message};
use crate::wire::dialect::json::read_bytes;
use crate::wire::dialect::language::{learn_event, mended};
use crate::wire::dialect::learned::Learned;
use crate::wire::dialect::lenient::{Raw, Text, lenient_object, reread};
use crate::wire::translation::chat::Chunks;
use crate::wire::translation::events::Events;
use crate::wire::translation::shape::{Ended, Kept, Restream, Stamp};

/// Says a stream of messages as chat chunks.
pub(super) fn stream(kept: &Kept, stamp: &Stamp) -> Box<dyn Restream> {
    Box::new(Stream {
        events: Events::default(),
        telling: Telling {
            chunks: Chunks::new(kept, stamp),
            include_usage: kept.include_usage,
            learned: Learned::default(),
            block: Block::Other,
            calls: 0,
            details: 0,
            finished: false,
            state: State::Going,
        },
    })
}

#[derive(Debug)]
struct Stream {
    events: Events,
    telling: Telling,
}

impl Restream for Stream {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let telling = &mut self.telling;
        self.events.feed(bytes, |data| telling.event(data, out));
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Ended {
        let telling = &mut self.telling;
        self.events.end(|data| telling.event(data, out));
        if telling.finished && matches!(telling.state, State::Going) {
            // All was said: some servers forget the last event.
            telling.stop(out);
        }
        match &telling.state {
            State::Going => Ended::Broken,
            State::Over => Ended::Whole,
            State::Failed(error) => Ended::Failed(error.clone()),
        }
    }
}

/// What is told, and what has been.
#[derive(Debug)]
struct Telling {
    chunks: Chunks,
    include_usage: bool,
    learned: Learned,
    block: Block,
    /// Tool calls begun.
    calls: usize,
    /// Proofs of reasoning given.
    details: usize,
    /// The chunk that says why the model stopped has been told.
    finished: bool,
    state: State,
}

/// The content block that is being told.
#[derive(Debug)]
enum Block {
    /// Text, or what is passed over.
    Other,
    /// Thinking: its characters so far, and its signature, where that is not too long to be one.
    Thinking(usize, Option<String>),
    /// A tool call, and whether its arguments have begun.
    Call(bool),
}

#[derive(Debug)]
enum State {
    Going,
    Over,
    Failed(Box<Classified>),
}

lenient_object! {
    /// An event.
    struct Event {
        kind: Text<'de> = "type",
        delta: Delta<'de> = "delta",
        block: Raw<'de> = "content_block",
        message: Raw<'de> = "message",
    }
}

lenient_object! {
    /// What is added to a block.
    struct Delta {
        kind: Text<'de> = "type",
        text: Text<'de> = "text",
        thinking: Text<'de> = "thinking",
        json: Text<'de> = "partial_json",
        signature: Text<'de> = "signature",
    }
}

lenient_object! {
    /// A block at its start.
    struct Start {
        kind: Text<'de> = "type",
        id: Text<'de> = "id",
        name: Text<'de> = "name",
        text: Text<'de> = "text",
        thinking: Text<'de> = "thinking",
        signature: Text<'de> = "signature",
        data: Text<'de> = "data",
        input: Raw<'de> = "input",
    }
}

lenient_object! {
    /// The message at its start.
    struct Message {
        id: Text<'de> = "id",
        model: Text<'de> = "model",
    }
}

impl Telling {
    /// Tells one event; breaks where nothing is told after it.
    fn event(&mut self, data: &[u8], out: &mut Vec<u8>) -> ControlFlow<()> {
        if !matches!(self.state, State::Going) {
            return ControlFlow::Break(());
        }
        let copy;
        let event: Event<'_> = if let Some(event) = read_bytes(data) {
            event
        } else {
            // Half of a pair of surrogates stands for nothing, and ends no stream.
            copy = mended(data).unwrap_or_default();
            let Some(event) = read_bytes(copy.as_bytes()) else {
                return self.fail(data, out, ErrorClass::ProtocolError);
            };
            event
        };
        match event.kind.as_str() {
            "content_block_delta" => self.delta(&event.delta, out),
            "content_block_start" => self.start(&reread(event.block), out),
            "content_block_stop" => self.close(out),
            "message_start" => {
                self.learn(data);
                let message: Message<'_> = reread(event.message);
                self.chunks
                    .name(message.id.as_str(), message.model.as_str());
                self.chunks.role(out);
            }
            "message_delta" => {
                self.learn(data);
                if let Some((_, reason)) = self.learned.finish.first().filter(|_| !self.finished) {
                    self.chunks.finish(out, *reason);
                    self.finished = true;
                }
            }
            "message_stop" => self.stop(out),
            // Whoever reads must hear that somebody lives.
            "ping" => out.extend_from_slice(b": ping\n\n"),
            _ => {
                self.learn(data);
                if self.learned.error.is_some() {
                    return self.fail(data, out, ErrorClass::ServerError);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn learn(&mut self, data: &[u8]) {
        let (dialect, language) = (Dialect::Anthropic, Language::AnthropicMessages);
        let _ = learn_event(dialect, language, data, &mut self.learned);
    }

    fn start(&mut self, start: &Start<'_>, out: &mut Vec<u8>) {
        self.block = match start.kind.as_str() {
            "text" => {
                self.say(start.text.as_str(), out);
                Block::Other
            }
            "thinking" => {
                let thought = start.thinking.as_str();
                self.think(thought, out);
                let mut signature = Some(String::new());
                extend(&mut signature, start.signature.as_str());
                Block::Thinking(thought.chars().count(), signature)
            }
            "redacted_thinking" => {
                let detail = redacted(self.details, start.data.as_str().to_owned());
                self.chunks.reasoning_detail(out, &detail.write());
                self.details += 1;
                Block::Other
            }
            "tool_use" => {
                let (id, name) = (start.id.as_str(), start.name.as_str());
                self.chunks.tool_call(out, self.calls, id, name);
                self.calls += 1;
                // Whole with its start at some who copy the language.
                let input = start.input.map_or("{}", |input| input.get());
                let whole = !input.trim_matches(['{', '}', ' ']).is_empty();
                if whole {
                    self.chunks.arguments(out, self.calls - 1, input);
                }
                Block::Call(whole)
            }
            _ => Block::Other,
        };
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut Vec<u8>) {
        match delta.kind.as_str() {
            "text_delta" => self.say(delta.text.as_str(), out),
            "thinking_delta" => {
                let thought = delta.thinking.as_str();
                self.think(thought, out);
                if let Block::Thinking(characters, _) = &mut self.block {
                    *characters += thought.chars().count();
                }
            }
            "signature_delta" => {
                if let Block::Thinking(_, signature) = &mut self.block {
                    extend(signature, delta.signature.as_str());
                }
            }
            "input_json_delta" => {
                let piece = delta.json.as_str();
                if let (Block::Call(begun), false) = (&mut self.block, piece.is_empty()) {
                    *begun = true;
                    self.chunks.arguments(out, self.calls - 1, piece);
                }
            }
            // Sources of text that is told anyway, and what is not known yet.
            _ => {}
        }
    }

    fn say(&self, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            self.chunks.content(out, text);
        }
    }

    fn think(&self, thought: &str, out: &mut Vec<u8>) {
        if !thought.is_empty() {
            self.chunks.reasoning(out, thought);
        }
    }

    /// The block is over.
    fn close(&mut self, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.block, Block::Other) {
            Block::Thinking(characters, Some(signature)) if !signature.is_empty() => {
                let detail = signed(self.details, characters, signature);
                self.chunks.reasoning_detail(out, &detail.write());
                self.details += 1;
            }
            // No arguments at all are no JSON, and clients read them as such.
            Block::Call(false) => self.chunks.arguments(out, self.calls - 1, "{}"),
            _ => {}
        }
    }

    fn stop(&mut self, out: &mut Vec<u8>) {
        if !self.finished {
            // No reason to stop came: whoever reads must not take this for the whole.
            return;
        }
        if self.include_usage {
            let tier = self.learned.service_tier.as_deref().map(tier);
            let usage = self.learned.normalised();
            self.chunks.usage(out, &usage, tier.as_deref());
        }
        Chunks::done(out);
        self.state = State::Over;
    }

    fn fail(&mut self, data: &[u8], out: &mut Vec<u8>, class: ErrorClass) -> ControlFlow<()> {
        let error = self.learned.error.take();
        let error = error.unwrap_or_else(|| Classified::bare(class));
        let said = message(data);
        let said = said.as_deref();
        let said = said.unwrap_or("the provider's stream brought what is no event of its language");
        let report = Report::of_provider(&error, 502, said);
        out.extend_from_slice(report.event(Language::OpenAiChat).as_bytes());
        self.state = State::Failed(Box::new(error));
        ControlFlow::Break(())
    }
}

/// The longest signature that is kept; the longest of today have some ten thousand bytes.
const SIGNATURE_BYTES_MAX: usize = 1024 * 1024;

/// Adds a piece to a signature. One that grows beyond all measure is none.
fn extend(signature: &mut Option<String>, piece: &str) {
    if let Some(whole) = signature
        && whole.len() + piece.len() <= SIGNATURE_BYTES_MAX
    {
        whole.push_str(piece);
    } else {
        *signature = None;
    }
}
