//! Reads chat completions, chunks and whole ones, of `OpenAI` and of everyone who copies them.

use super::errors::{in_band, is_error, is_flat_error};
use super::finish::finish_reason;
use super::json::{Elements, Lenient, Members, NotJson, Quoted, read_bytes};
use super::learned::{Kinds, Learned, MILLI, SECOND, Signal, name};
use super::lenient::{
    Count, Entries, Filled, Maybe, Number, Raw, Text, Truth, lenient_object, reread,
};
use super::openai_usage::{self, UsageObject};
use crate::record::Dialect;

lenient_object! {
    /// A chunk, or a whole completion.
    struct Chunk {
        object: Text<'de> = "object",
        model: Text<'de> = "model",
        choices: Choices<'de> = "choices",
        usage: Maybe<UsageObject<'de>> = "usage",
        error: Raw<'de> = "error",
        fingerprint: Text<'de> = "system_fingerprint",
        service_tier: Text<'de> = "service_tier",
        provider: Text<'de> = "provider",
        groq: Raw<'de> = "x_groq",
        time_info: Raw<'de> = "time_info",
        timings: Raw<'de> = "timings",
        perf_metrics: Raw<'de> = "perf_metrics",
        moderation: Raw<'de> = "moderation",
        gptcache: Truth = "gptcache",
    }
}

/// All choices of a chunk, folded into one without keeping them.
#[derive(Debug, Default)]
struct Choices<'de> {
    present: bool,
    count: u32,
    kinds: Kinds,
    role: bool,
    finish: Vec<(u32, Text<'de>)>,
    usage: Option<Box<UsageObject<'de>>>,
    error: Raw<'de>,
}

impl<'de> Lenient<'de> for Choices<'de> {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut all = Self {
            present: true,
            ..Self::default()
        };
        while let Some(choice) = seq.next::<Choice<'de>>()? {
            let index = choice.index.0.map_or(all.count, |index| index as u32);
            all.count = all.count.saturating_add(1);
            // Beside what a chunk adds, Perplexity repeats all that was said before it.
            let said = choice.delta.0.as_ref().unwrap_or(&choice.message);
            all.kinds.add(said.kinds(), true);
            all.kinds.add(Kinds::TEXT, choice.text.0);
            all.role |= said.role.0;
            if is_error(choice.error) {
                all.error = choice.error;
            }
            if !choice.finish.as_str().is_empty() {
                all.finish.push((index, choice.finish));
            }
            if choice.usage.0.is_some() {
                all.usage = choice.usage.0;
            }
        }
        Ok(all)
    }
}

lenient_object! {
    /// One choice.
    struct Choice {
        index: Count = "index",
        delta: Maybe<Delta<'de>> = "delta",
        message: Delta<'de> = "message",
        text: Filled = "text",
        finish: Text<'de> = "finish_reason",
        // Moonshot's place for it, in the last choice. Few have it, and choices are moved about.
        usage: Maybe<Box<UsageObject<'de>>> = "usage",
        // OpenRouter's, of the provider behind it.
        error: Raw<'de> = "error",
    }
}

lenient_object! {
    /// What a choice adds, or a whole message.
    struct Delta {
        role: Filled = "role",
        content: Content = "content",
        refusal: Filled = "refusal",
        // Two names for the same: where both come, they are one.
        reasoning: Filled = "reasoning",
        reasoning_content: Filled = "reasoning_content",
        reasoning_details: Parts = "reasoning_details",
        tool_calls: ToolCalls = "tool_calls",
        function_call: ToolCall<'de> = "function_call",
        audio: Audio<'de> = "audio",
        // Routers' place for pictures that were drawn.
        images: Entries = "images",
    }
}

impl Delta<'_> {
    fn kinds(&self) -> Kinds {
        let mut kinds = self.content.0;
        let reasoning = self.reasoning.0 || self.reasoning_content.0;
        kinds.add(Kinds::REASONING, reasoning);
        kinds.add(self.reasoning_details.0, true);
        kinds.add(Kinds::REFUSAL, self.refusal.0);
        kinds.add(Kinds::TOOL, self.tool_calls.0 || self.function_call.says());
        kinds.add(Kinds::AUDIO, self.audio.data.0 || self.audio.transcript.0);
        kinds.add(Kinds::IMAGE, self.images.0);
        kinds
    }
}

/// Content: text, or Mistral's list of text and thinking.
#[derive(Debug, Default, Clone, Copy)]
struct Content(Kinds);

impl<'de> Lenient<'de> for Content {
    fn quoted(quoted: Quoted<'de>) -> Result<Self, NotJson> {
        let mut kinds = Kinds::default();
        kinds.add(Kinds::TEXT, !quoted.inside.is_empty());
        Ok(Self(kinds))
    }

    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        Parts::seq(seq).map(|parts| Self(parts.0))
    }
}

/// A list of parts: of content, or of reasoning (`OpenRouter`'s; encrypted ones are no tokens).
#[derive(Debug, Default, Clone, Copy)]
struct Parts(Kinds);

impl<'de> Lenient<'de> for Parts {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut kinds = Kinds::default();
        while let Some(part) = seq.next::<Part<'de>>()? {
            match part.kind.as_str() {
                "text" => kinds.add(Kinds::TEXT, part.text.0),
                "thinking" => kinds.add(Kinds::REASONING, part.thinking.0),
                "reasoning.text" => kinds.add(Kinds::REASONING, part.text.0),
                "reasoning.summary" => {
                    kinds.add(Kinds::REASONING, part.summary.0);
                    kinds.add(Kinds::SUMMARY, part.summary.0);
                }
                "reasoning.encrypted" => kinds.add(Kinds::SEALED, true),
                "image_url" | "output_image" => kinds.add(Kinds::IMAGE, true),
                _ => {}
            }
        }
        Ok(Self(kinds))
    }
}

lenient_object! {
    /// A part of content or of reasoning.
    struct Part {
        kind: Text<'de> = "type",
        text: Filled = "text",
        summary: Filled = "summary",
        thinking: Thinking = "thinking",
    }
}

/// Whether there is any thinking text: a string, or a list of text parts.
#[derive(Debug, Default, Clone, Copy)]
struct Thinking(bool);

impl<'de> Lenient<'de> for Thinking {
    fn quoted(quoted: Quoted<'de>) -> Result<Self, NotJson> {
        Ok(Self(!quoted.inside.is_empty()))
    }

    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        Parts::seq(seq).map(|parts| Self(parts.0.any(Kinds::TEXT)))
    }
}

/// Whether any call in the list says something: an empty list, or an index alone, does not.
#[derive(Debug, Default, Clone, Copy)]
struct ToolCalls(bool);

impl<'de> Lenient<'de> for ToolCalls {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut says = false;
        while let Some(call) = seq.next::<ToolCall<'de>>()? {
            says |= call.says();
        }
        Ok(Self(says))
    }
}

lenient_object! {
    /// A tool call, or the function inside it.
    struct ToolCall {
        id: Filled = "id",
        name: Filled = "name",
        arguments: Arguments = "arguments",
        function: Function<'de> = "function",
        custom: Function<'de> = "custom",
    }
}

lenient_object! {
    /// The function that a call names.
    struct Function {
        name: Filled = "name",
        arguments: Arguments = "arguments",
        input: Arguments = "input",
    }
}

impl ToolCall<'_> {
    fn says(&self) -> bool {
        let inner = [&self.function, &self.custom];
        self.id.0
            || self.name.0
            || self.arguments.0
            || inner
                .iter()
                .any(|inner| inner.name.0 || inner.arguments.0 || inner.input.0)
    }
}

/// Whether there are arguments: text, or an object where a provider does not write it as text.
#[derive(Debug, Default, Clone, Copy)]
struct Arguments(bool);

impl<'de> Lenient<'de> for Arguments {
    fn quoted(quoted: Quoted<'de>) -> Result<Self, NotJson> {
        Ok(Self(!quoted.inside.is_empty()))
    }

    fn map(map: &mut Members<'_, 'de>) -> Result<Self, NotJson> {
        map.rest()?;
        Ok(Self(true))
    }
}

lenient_object! {
    /// Audio; its id and expiry are no tokens.
    struct Audio {
        data: Filled = "data",
        transcript: Filled = "transcript",
    }
}

lenient_object! {
    /// Groq's own.
    struct Groq {
        error: Raw<'de> = "error",
        usage: Raw<'de> = "usage",
    }
}

lenient_object! {
    /// Server times: Cerebras's in seconds, llama.cpp's in milliseconds, Fireworks's in seconds.
    struct Times {
        queue: Number = "queue_time",
        prompt: Number = "prompt_time",
        completion: Number = "completion_time",
        total: Number = "total_time",
        prompt_ms: Number = "prompt_ms",
        predicted_ms: Number = "predicted_ms",
        first_token: Number = "server-time-to-first-token",
        processing: Number = "server-processing-time",
    }
}

/// Reads one chunk or a whole completion. `None` if it is not JSON.
pub(super) fn learn(dialect: Dialect, data: &[u8], learned: &mut Learned) -> Option<Signal> {
    let chunk: Chunk<'_> = read_bytes(data)?;
    name(&mut learned.model, chunk.model.as_str());
    name(&mut learned.fingerprint, chunk.fingerprint.as_str());
    name(&mut learned.service_tier, chunk.service_tier.as_str());
    name(&mut learned.served_by, chunk.provider.as_str());
    learned.cached_answer |= chunk.gptcache.0 == Some(true);
    learned.tool_called |= chunk.choices.kinds.any(Kinds::TOOL);
    for (index, word) in &chunk.choices.finish {
        let reason = finish_reason(word.as_str(), learned.tool_called);
        learned.finish(*index, word.as_str(), reason);
    }
    let groq: Groq<'_> = reread(chunk.groq);
    // All places may carry the same numbers: they are merged, never added.
    let mut usage =
        chunk.groq.is_some() && openai_usage::learn(groq.usage, "x_groq.usage", learned);
    for object in [chunk.choices.usage.as_deref(), chunk.usage.0.as_ref()] {
        usage |= object.is_some_and(|object| openai_usage::learn_read(object, "usage", learned));
    }
    if chunk
        .time_info
        .or(chunk.timings)
        .or(chunk.perf_metrics)
        .is_some()
    {
        learn_times(&chunk, learned);
    }
    let known = chunk.choices.present
        || chunk.usage.0.is_some()
        || chunk.groq.or(chunk.moderation).or(chunk.error).is_some();
    if is_error(chunk.error) || is_error(groq.error) || chunk.object.as_str() == "error" {
        learned.error = Some(in_band(dialect, data));
    } else if let Some(error) = chunk.choices.error {
        learned.error = Some(in_band(dialect, error.get().as_bytes()));
    } else if !known && is_flat_error(data) {
        learned.error = Some(in_band(dialect, data));
    }
    Some(Signal {
        kinds: chunk.choices.kinds,
        role: chunk.choices.role,
        usage,
        unknown: !known,
    })
}

fn learn_times(chunk: &Chunk<'_>, learned: &mut Learned) {
    let info: Times<'_> = reread(chunk.time_info);
    learned.timing("time_info.queue_time", info.queue.0, SECOND);
    learned.timing("time_info.prompt_time", info.prompt.0, SECOND);
    learned.timing("time_info.completion_time", info.completion.0, SECOND);
    learned.timing("time_info.total_time", info.total.0, SECOND);
    let timings: Times<'_> = reread(chunk.timings);
    learned.timing("timings.prompt_ms", timings.prompt_ms.0, MILLI);
    learned.timing("timings.predicted_ms", timings.predicted_ms.0, MILLI);
    let perf: Times<'_> = reread(chunk.perf_metrics);
    learned.timing(
        "perf_metrics.server-time-to-first-token",
        perf.first_token.0,
        SECOND,
    );
    learned.timing(
        "perf_metrics.server-processing-time",
        perf.processing.0,
        SECOND,
    );
}
