//! Reads Ollama's own answers: one object a line, or one alone that says all.

use super::errors::{in_band, is_error};
use super::finish::finish_reason;
use super::json::read_bytes;
use super::learned::{Kinds, Learned, NANO, Signal, name};
use super::lenient::{Count, Entries, Filled, Number, Raw, Text, Truth, lenient_object};
use crate::record::{Dialect, FinishReason, Usage};

lenient_object! {
    /// A line, of chat or of completion.
    struct Line {
        model: Text<'de> = "model",
        message: Message<'de> = "message",
        response: Filled = "response",
        thinking: Filled = "thinking",
        done: Truth = "done",
        reason: Text<'de> = "done_reason",
        total: Number = "total_duration",
        load: Number = "load_duration",
        prompt_time: Number = "prompt_eval_duration",
        time: Number = "eval_duration",
        prompt: Count = "prompt_eval_count",
        output: Count = "eval_count",
        error: Raw<'de> = "error",
    }
}

lenient_object! {
    /// What is added to the message, or the whole of it.
    struct Message {
        role: Filled = "role",
        content: Filled = "content",
        thinking: Filled = "thinking",
        calls: Entries = "tool_calls",
    }
}

/// Reads a line or a whole answer. `None` if it is not JSON.
pub(super) fn learn(dialect: Dialect, data: &[u8], learned: &mut Learned) -> Option<Signal> {
    let line: Line<'_> = read_bytes(data)?;
    name(&mut learned.model, line.model.as_str());
    let mut kinds = Kinds::default();
    kinds.add(Kinds::TEXT, line.message.content.0 || line.response.0);
    kinds.add(Kinds::REASONING, line.message.thinking.0 || line.thinking.0);
    kinds.add(Kinds::TOOL, line.message.calls.0);
    learned.tool_called |= line.message.calls.0;
    let done = line.done.0 == Some(true);
    if done {
        let reason = match line.reason.as_str() {
            "stop" | "" if learned.tool_called => FinishReason::ToolCalls,
            "stop" | "" => FinishReason::Stop,
            word => finish_reason(word, learned.tool_called),
        };
        learned.finish(0, line.reason.as_str(), reason);
        // Whoever says nothing asks for the model to be taken into memory, or out of it.
        learned.without_content |= matches!(line.reason.as_str(), "load" | "unload");
        learned.ended = true;
    }
    for (source, span) in [
        ("total_duration", line.total),
        // Of a model that was not in memory: minutes, at worst.
        ("load_duration", line.load),
        ("prompt_eval_duration", line.prompt_time),
        ("eval_duration", line.time),
    ] {
        learned.timing(source, span.0, NANO);
    }
    let usage = line.prompt.0.is_some() || line.output.0.is_some();
    if usage {
        learned.merge(Usage {
            input: line.prompt.0,
            output: line.output.0,
            ..Usage::default()
        });
    }
    if is_error(line.error) {
        learned.error = Some(in_band(dialect, data));
    }
    Some(Signal {
        kinds,
        role: line.message.role.0,
        usage,
        unknown: line.done.0.is_none() && line.error.is_none(),
    })
}
