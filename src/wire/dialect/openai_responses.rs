//! Reads `OpenAI`'s responses: named events, and whole ones.

use super::errors::{in_band, is_error};
use super::json::{Elements, Lenient, NotJson, read_bytes};
use super::learned::{Kinds, Learned, Signal, name};
use super::lenient::{Filled, Raw, Text, lenient_object, reread};
use super::openai_usage;
use crate::record::{Dialect, FinishReason};

lenient_object! {
    /// An event, or a whole response.
    struct Event {
        kind: Text<'de> = "type",
        delta: Filled = "delta",
        item: Item<'de> = "item",
        response: Raw<'de> = "response",
        object: Text<'de> = "object",
        error: Raw<'de> = "error",
    }
}

lenient_object! {
    /// An item of the output.
    struct Item {
        kind: Text<'de> = "type",
        role: Filled = "role",
        content: Parts = "content",
        summary: Parts = "summary",
    }
}

lenient_object! {
    /// The response as a whole.
    struct Response {
        id: Text<'de> = "id",
        status: Text<'de> = "status",
        model: Text<'de> = "model",
        service_tier: Text<'de> = "service_tier",
        incomplete: Incomplete<'de> = "incomplete_details",
        usage: Raw<'de> = "usage",
        error: Raw<'de> = "error",
        output: Output = "output",
    }
}

lenient_object! {
    /// Why a response is incomplete.
    struct Incomplete {
        reason: Text<'de> = "reason",
    }
}

/// The output items, folded into the kinds they hold.
#[derive(Debug, Default, Clone, Copy)]
struct Output {
    kinds: Kinds,
    tool_called: bool,
}

impl<'de> Lenient<'de> for Output {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut output = Self::default();
        while let Some(item) = seq.next::<Item<'de>>()? {
            output.kinds.add(item.content.0, true);
            output.kinds.add(item.summary.0, true);
            output.kinds.add(Kinds::TOOL, is_call(item.kind.as_str()));
            output.tool_called |= is_client_call(item.kind.as_str());
        }
        Ok(output)
    }
}

/// The parts of an item, folded.
#[derive(Debug, Default, Clone, Copy)]
struct Parts(Kinds);

impl<'de> Lenient<'de> for Parts {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut kinds = Kinds::default();
        while let Some(part) = seq.next::<Part<'de>>()? {
            match part.kind.as_str() {
                "output_text" => kinds.add(Kinds::TEXT, part.text.0),
                "refusal" => kinds.add(Kinds::REFUSAL, part.refusal.0),
                "summary_text" | "reasoning_text" => kinds.add(Kinds::REASONING, part.text.0),
                "output_audio" => kinds.add(Kinds::AUDIO, true),
                _ => {}
            }
        }
        Ok(Self(kinds))
    }
}

lenient_object! {
    /// A part of an item.
    struct Part {
        kind: Text<'de> = "type",
        text: Filled = "text",
        refusal: Filled = "refusal",
    }
}

/// Reads one event. `None` if it is not JSON.
pub(super) fn learn_event(dialect: Dialect, data: &[u8], learned: &mut Learned) -> Option<Signal> {
    let event: Event<'_> = read_bytes(data)?;
    let mut signal = Signal::default();
    let kind = event.kind.as_str();
    if let Some(token) = token_kind(kind) {
        signal.kinds.add(token, event.delta.0);
        let summary = kind.starts_with("response.reasoning_summary");
        signal.kinds.add(Kinds::SUMMARY, summary && event.delta.0);
        return Some(signal);
    }
    match kind {
        "response.output_item.added" => {
            let item = event.item.kind.as_str();
            // A call's item carries the tool's name: the first of its tokens.
            signal.kinds.add(Kinds::TOOL, is_call(item));
            // What was thought may come in deltas, or not at all.
            signal.kinds.add(Kinds::SEALED, item == "reasoning");
            learned.tool_called |= is_client_call(item);
            signal.role = event.item.role.0;
        }
        "response.completed" | "response.incomplete" => {
            signal = learn_response(event.response, learned);
            // Its output repeats what the deltas brought.
            signal.kinds = Kinds::default();
            learned.ended = true;
        }
        "response.created" | "response.in_progress" | "response.queued" => {
            let response: Response<'_> = reread(event.response);
            name(&mut learned.kept_as, response.id.as_str());
            name(&mut learned.model, response.model.as_str());
        }
        "response.failed" => {
            learn_response(event.response, learned);
            learned.error = Some(in_band(dialect, data));
        }
        "error" => learned.error = Some(in_band(dialect, data)),
        // Said while the model thinks for long.
        "keepalive" => {}
        _ if is_error(event.error) => learned.error = Some(in_band(dialect, data)),
        _ => {
            let known = kind
                .strip_prefix("response.")
                .is_some_and(|name| !name.contains("delta"));
            signal.unknown = !known;
        }
    }
    Some(signal)
}

/// Reads a whole response. `None` if it is not JSON.
pub(super) fn learn_whole(dialect: Dialect, data: &[u8], learned: &mut Learned) -> Option<Signal> {
    let whole: Raw<'_> = read_bytes(data)?;
    let response: Response<'_> = reread(whole);
    if is_error(response.error) {
        learned.error = Some(in_band(dialect, data));
    }
    Some(learn_response(whole, learned))
}

fn learn_response(raw: Raw<'_>, learned: &mut Learned) -> Signal {
    let response: Response<'_> = reread(raw);
    name(&mut learned.kept_as, response.id.as_str());
    name(&mut learned.model, response.model.as_str());
    name(&mut learned.service_tier, response.service_tier.as_str());
    learned.tool_called |= response.output.tool_called;
    let usage = response.usage.is_some() && openai_usage::learn(response.usage, "usage", learned);
    let reason = response.incomplete.reason.as_str();
    match response.status.as_str() {
        "completed" if learned.tool_called => {
            learned.finish(0, "completed", FinishReason::ToolCalls);
        }
        "completed" => learned.finish(0, "completed", FinishReason::Stop),
        "incomplete" => {
            let finish = match reason {
                "max_output_tokens" => FinishReason::Length,
                "content_filter" => FinishReason::ContentFilter,
                _ => FinishReason::Other,
            };
            learned.finish(0, &format!("incomplete:{reason}"), finish);
        }
        "failed" => learned.finish(0, "failed", FinishReason::Error),
        // Of a job in the background: what it makes is asked for later.
        "queued" | "in_progress" => learned.without_content = true,
        _ => {}
    }
    Signal {
        kinds: response.output.kinds,
        usage,
        ..Signal::default()
    }
}

/// The kind of token that a delta event brings.
fn token_kind(event: &str) -> Option<Kinds> {
    let name = event.strip_prefix("response.")?.strip_suffix(".delta")?;
    Some(match name {
        "output_text" => Kinds::TEXT,
        "refusal" => Kinds::REFUSAL,
        "reasoning_summary_text" | "reasoning_text" | "reasoning_summary" | "reasoning" => {
            Kinds::REASONING
        }
        "audio"
        | "audio.transcript"
        | "audio_transcript"
        | "output_audio"
        | "output_audio_transcript" => Kinds::AUDIO,
        "custom_tool_call_input" => Kinds::TOOL,
        _ if name.ends_with("_arguments") || name.contains("_call") => Kinds::TOOL,
        _ => return None,
    })
}

/// Whether an item is a call, of the client's tools or of the provider's own.
fn is_call(item: &str) -> bool {
    // The request to let one be made carries its name and its arguments.
    item.ends_with("_call") || item == "mcp_approval_request"
}

/// Whether an item is a call that the client is to run.
fn is_client_call(item: &str) -> bool {
    matches!(
        item,
        "function_call"
            | "custom_tool_call"
            | "local_shell_call"
            | "shell_call"
            | "computer_call"
            | "apply_patch_call"
    )
}
