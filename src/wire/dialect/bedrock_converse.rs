//! Reads Bedrock's Converse: the events of its streams, named outside of them, and whole answers.

use super::errors::{in_band, is_error};
use super::finish::finish_reason;
use super::json::{Elements, Lenient, NotJson, read_bytes};
use super::learned::{Kinds, Learned, MILLI, Signal, name};
use super::lenient::{Count, Filled, Maybe, Number, Raw, Text, lenient_object};
use crate::record::{Dialect, Usage};

lenient_object! {
    /// The payload of an event, or a whole answer.
    struct Payload {
        role: Filled = "role",
        start: Block<'de> = "start",
        delta: Block<'de> = "delta",
        stop: Text<'de> = "stopReason",
        usage: Maybe<UsageObject<'de>> = "usage",
        metrics: Metrics<'de> = "metrics",
        tier: Kind<'de> = "serviceTier",
        output: Output<'de> = "output",
        error: Raw<'de> = "error",
    }
}

lenient_object! {
    /// A content block, its start, or what is added to it.
    struct Block {
        text: Filled = "text",
        tool: Tool<'de> = "toolUse",
        reasoning: Reasoning<'de> = "reasoningContent",
        image: Raw<'de> = "image",
    }
}

lenient_object! {
    /// A tool's call, or a piece of its input.
    struct Tool {
        id: Filled = "toolUseId",
        name: Filled = "name",
        input: Filled = "input",
    }
}

lenient_object! {
    /// Reasoning, in a piece or in a whole block; its signature is no token.
    struct Reasoning {
        text: Filled = "text",
        signature: Filled = "signature",
        redacted: Filled = "redactedContent",
        whole: ReasoningText<'de> = "reasoningText",
    }
}

lenient_object! {
    /// The text of a whole block of reasoning.
    struct ReasoningText {
        text: Filled = "text",
    }
}

impl Block<'_> {
    fn kinds(&self) -> Kinds {
        let mut kinds = Kinds::default();
        kinds.add(Kinds::TEXT, self.text.0);
        kinds.add(Kinds::TOOL, self.calls() || self.tool.input.0);
        kinds.add(
            Kinds::REASONING,
            self.reasoning.text.0 || self.reasoning.whole.text.0,
        );
        kinds.add(Kinds::SEALED, self.reasoning.signature.0);
        kinds.add(Kinds::REDACTED, self.reasoning.redacted.0);
        kinds.add(Kinds::IMAGE, self.image.is_some());
        kinds
    }

    /// Whether it names a tool.
    fn calls(&self) -> bool {
        self.tool.id.0 || self.tool.name.0
    }
}

lenient_object! {
    /// The output of a whole answer.
    struct Output {
        message: Message<'de> = "message",
    }
}

lenient_object! {
    /// Its message.
    struct Message {
        content: Blocks = "content",
    }
}

/// The blocks of a message, folded.
#[derive(Debug, Default, Clone, Copy)]
struct Blocks {
    kinds: Kinds,
    called: bool,
}

impl<'de> Lenient<'de> for Blocks {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut blocks = Self::default();
        while let Some(block) = seq.next::<Block<'de>>()? {
            blocks.kinds.add(block.kinds(), true);
            blocks.called |= block.calls();
        }
        Ok(blocks)
    }
}

lenient_object! {
    /// The counts; the input leaves the cache out.
    pub(crate) struct UsageObject {
        input: Count = "inputTokens",
        output: Count = "outputTokens",
        cache_read: Count = "cacheReadInputTokens",
        cache_write: Count = "cacheWriteInputTokens",
        written: Written = "cacheDetails",
    }
}

lenient_object! {
    /// What was written to the cache and is kept for so long.
    struct WrittenFor {
        ttl: Text<'de> = "ttl",
        tokens: Count = "inputTokens",
    }
}

/// Of what was written to the cache, how much is kept for an hour.
#[derive(Debug, Default)]
struct Written {
    for_an_hour: Option<u64>,
}

impl<'de> Lenient<'de> for Written {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut written = Self::default();
        while let Some(part) = seq.next::<WrittenFor<'de>>()? {
            if part.ttl.as_str() == "1h" {
                written.for_an_hour = part.tokens.0;
            }
        }
        Ok(written)
    }
}

lenient_object! {
    /// Bedrock's own time for the whole call.
    struct Metrics {
        latency: Number = "latencyMs",
    }
}

lenient_object! {
    /// A service tier.
    struct Kind {
        kind: Text<'de> = "type",
    }
}

/// Reads the payload of an event named `kind`. `None` if it is not JSON.
pub(super) fn learn_event(kind: &str, data: &[u8], learned: &mut Learned) -> Option<Signal> {
    let payload: Payload<'_> = read_bytes(data)?;
    let mut signal = Signal::default();
    match kind {
        "contentBlockDelta" => signal.kinds = payload.delta.kinds(),
        "contentBlockStart" => {
            signal.kinds = payload.start.kinds();
            learned.tool_called |= payload.start.calls();
        }
        "messageStart" => signal.role = payload.role.0,
        "messageStop" => learn_stop(payload.stop.as_str(), learned),
        // Comes after the message's end, and is the last.
        "metadata" => {
            signal.usage = learn_metadata(&payload, learned);
            learned.ended = true;
        }
        "contentBlockStop" => {}
        _ => signal.unknown = true,
    }
    Some(signal)
}

/// Reads a whole answer. `None` if it is not JSON.
pub(super) fn learn_whole(dialect: Dialect, data: &[u8], learned: &mut Learned) -> Option<Signal> {
    let answer: Payload<'_> = read_bytes(data)?;
    learn_stop(answer.stop.as_str(), learned);
    learned.tool_called |= answer.output.message.content.called;
    if is_error(answer.error) {
        learned.error = Some(in_band(dialect, data));
    }
    let usage = learn_metadata(&answer, learned);
    Some(Signal {
        kinds: answer.output.message.content.kinds,
        usage,
        unknown: !usage && answer.stop.as_str().is_empty(),
        ..Signal::default()
    })
}

fn learn_metadata(payload: &Payload<'_>, learned: &mut Learned) -> bool {
    name(&mut learned.service_tier, payload.tier.kind.as_str());
    learned.timing("metrics.latencyMs", payload.metrics.latency.0, MILLI);
    let Some(usage) = &payload.usage.0 else {
        return false;
    };
    learned.cache_outside_input = true;
    learned.merge(usage.counts());
    true
}

fn learn_stop(word: &str, learned: &mut Learned) {
    if !word.is_empty() {
        learned.finish(0, word, finish_reason(word, learned.tool_called));
    }
}

impl UsageObject<'_> {
    /// The counts as Bedrock has them, the cache beside the input.
    const fn counts(&self) -> Usage {
        Usage {
            input: self.input.0,
            cached_read: self.cache_read.0,
            cache_write: self.cache_write.0,
            cache_write_1h: self.written.for_an_hour,
            output: self.output.0,
            reasoning: None,
            audio: None,
        }
    }

    /// By one meaning for all providers: the input holds the cache.
    pub(crate) fn normalised(&self) -> Usage {
        self.counts().with_cache_inside()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html>
    #[test]
    fn what_is_kept_for_an_hour_is_told_apart() {
        for (details, expected) in [
            ("", None),
            (r#","cacheDetails":[]"#, None),
            (r#","cacheDetails":[{"ttl":"5m","inputTokens":30}]"#, None),
            (
                r#","cacheDetails":[{"ttl":"1h","inputTokens":20},{"ttl":"5m","inputTokens":10}]"#,
                Some(20),
            ),
            (r#","cacheDetails":"1h""#, None),
        ] {
            let mut learned = Learned::default();
            let usage = format!(
                r#"{{"usage":{{"inputTokens":1,"outputTokens":2,"cacheWriteInputTokens":30{details}}}}}"#
            );
            learn_event("metadata", usage.as_bytes(), &mut learned).unwrap();
            let usage = learned.usage;
            assert_eq!(
                (usage.cache_write, usage.cache_write_1h),
                (Some(30), expected),
                "{details}"
            );
        }
    }
}
