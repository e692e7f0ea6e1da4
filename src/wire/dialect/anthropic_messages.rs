//! Reads Anthropic's messages: named events, and whole ones.

use super::errors::{in_band, is_error};
use super::finish::finish_reason;
use super::json::{Elements, Lenient, NotJson, read_bytes};
use super::learned::{Kinds, Learned, Signal, name};
use super::lenient::{Count, Filled, Raw, Text, lenient_object, reread};
use crate::record::{Dialect, Usage};

lenient_object! {
    /// An event.
    struct Event {
        kind: Text<'de> = "type",
        delta: Block<'de> = "delta",
        block: Block<'de> = "content_block",
        message: Raw<'de> = "message",
        usage: Raw<'de> = "usage",
        error: Raw<'de> = "error",
    }
}

lenient_object! {
    /// A content block, or what is added to one, or to the message.
    struct Block {
        kind: Text<'de> = "type",
        text: Filled = "text",
        thinking: Filled = "thinking",
        json: Filled = "partial_json",
        stop: Text<'de> = "stop_reason",
    }
}

lenient_object! {
    /// A message, at its start or whole.
    struct Message {
        model: Text<'de> = "model",
        role: Filled = "role",
        content: Blocks = "content",
        stop: Text<'de> = "stop_reason",
        usage: Raw<'de> = "usage",
        error: Raw<'de> = "error",
    }
}

/// The blocks of a whole message, folded into the kinds they hold.
#[derive(Debug, Default, Clone, Copy)]
struct Blocks(Kinds);

impl<'de> Lenient<'de> for Blocks {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut kinds = Kinds::default();
        while let Some(block) = seq.next::<Block<'de>>()? {
            kinds.add(block.started(), true);
        }
        Ok(Self(kinds))
    }
}

impl Block<'_> {
    /// What a block brings with its start: a tool call its name; redacted thinking nothing.
    fn started(&self) -> Kinds {
        let mut kinds = Kinds::default();
        let call = matches!(
            self.kind.as_str(),
            "tool_use" | "server_tool_use" | "mcp_tool_use"
        );
        kinds.add(Kinds::TOOL, call);
        kinds.add(Kinds::TEXT, self.kind.as_str() == "text" && self.text.0);
        kinds.add(
            Kinds::REASONING,
            self.kind.as_str() == "thinking" && self.thinking.0,
        );
        kinds.add(Kinds::REDACTED, self.kind.as_str() == "redacted_thinking");
        kinds
    }
}

lenient_object! {
    /// A usage object; its input leaves the cache out.
    struct UsageObject {
        input: Count = "input_tokens",
        output: Count = "output_tokens",
        cache_read: Count = "cache_read_input_tokens",
        cache_write: Count = "cache_creation_input_tokens",
        written: Written<'de> = "cache_creation",
        details: Details<'de> = "output_tokens_details",
        service_tier: Text<'de> = "service_tier",
    }
}

lenient_object! {
    /// What was written to the cache, by how long it is kept.
    struct Written {
        for_an_hour: Count = "ephemeral_1h_input_tokens",
    }
}

lenient_object! {
    /// The parts of the output.
    struct Details {
        thinking: Count = "thinking_tokens",
    }
}

/// Reads one event. `None` if it is not JSON.
pub(super) fn learn_event(dialect: Dialect, data: &[u8], learned: &mut Learned) -> Option<Signal> {
    let event: Event<'_> = read_bytes(data)?;
    let mut signal = Signal::default();
    match event.kind.as_str() {
        "content_block_delta" => match event.delta.kind.as_str() {
            "text_delta" => signal.kinds.add(Kinds::TEXT, event.delta.text.0),
            "thinking_delta" => signal.kinds.add(Kinds::REASONING, event.delta.thinking.0),
            "input_json_delta" => signal.kinds.add(Kinds::TOOL, event.delta.json.0),
            // A proof of text that may have come before it.
            "signature_delta" => signal.kinds.add(Kinds::SEALED, true),
            // Sources of text that has tokens of its own.
            "citations_delta" => {}
            _ => signal.unknown = true,
        },
        "content_block_start" => {
            signal.kinds = event.block.started();
            learned.tool_called |= event.block.kind.as_str() == "tool_use";
        }
        "message_start" => {
            let message: Message<'_> = reread(event.message);
            name(&mut learned.model, message.model.as_str());
            signal.role = message.role.0;
            // The output count of the start is a placeholder.
            signal.usage = learn_usage(message.usage, false, learned);
        }
        "message_delta" => {
            signal.usage = learn_usage(event.usage, true, learned);
            learn_stop(event.delta.stop.as_str(), learned);
        }
        "message_stop" => learned.ended = true,
        "content_block_stop" | "ping" => {}
        "error" => learned.error = Some(in_band(dialect, data)),
        _ if is_error(event.error) => learned.error = Some(in_band(dialect, data)),
        _ => signal.unknown = true,
    }
    Some(signal)
}

/// Reads a whole message. `None` if it is not JSON.
pub(super) fn learn_whole(dialect: Dialect, data: &[u8], learned: &mut Learned) -> Option<Signal> {
    let message: Message<'_> = read_bytes(data)?;
    name(&mut learned.model, message.model.as_str());
    learn_stop(message.stop.as_str(), learned);
    if is_error(message.error) {
        learned.error = Some(in_band(dialect, data));
    }
    Some(Signal {
        kinds: message.content.0,
        role: message.role.0,
        usage: learn_usage(message.usage, true, learned),
        ..Signal::default()
    })
}

fn learn_usage(raw: Raw<'_>, with_output: bool, learned: &mut Learned) -> bool {
    if raw.is_none() {
        return false;
    }
    let object: UsageObject<'_> = reread(raw);
    name(&mut learned.service_tier, object.service_tier.as_str());
    learned.cache_outside_input = true;
    learned.merge(Usage {
        input: object.input.0,
        cached_read: object.cache_read.0,
        cache_write: object.cache_write.0,
        cache_write_1h: object.written.for_an_hour.0,
        output: object.output.0.filter(|_| with_output),
        reasoning: object.details.thinking.0,
        audio: None,
    });
    true
}

fn learn_stop(word: &str, learned: &mut Learned) {
    if !word.is_empty() {
        learned.finish(0, word, finish_reason(word, learned.tool_called));
    }
}
