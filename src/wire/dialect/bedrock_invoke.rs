//! Reads what Bedrock's `InvokeModel` passes on: each model's own language, in whole answers and in
//! pieces that a stream carries as Base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::errors::{in_band, is_error};
use super::finish::finish_reason;
use super::json::{Elements, Lenient, NotJson, read_bytes};
use super::learned::{Kinds, Learned, MILLI, Signal};
use super::lenient::{Count, Entries, Filled, List, Number, Raw, Text, lenient_object, reread};
use super::{anthropic_messages, bedrock_converse, openai_chat};
use crate::record::{Dialect, Usage};

lenient_object! {
    /// The payload of a `chunk` event.
    struct Chunk {
        bytes: Text<'de> = "bytes",
    }
}

lenient_object! {
    /// What tells the languages of the models apart, and what those say that have no reader of
    /// their own: Llama, Mistral, Titan, Cohere.
    struct Said {
        kind: Text<'de> = "type",
        choices: Raw<'de> = "choices",
        output: Raw<'de> = "output",
        content: Raw<'de> = "content",
        metrics: Raw<'de> = "amazon-bedrock-invocationMetrics",
        // Titan and Nova; Cohere; Stability and Amazon; Stability, older.
        embedding: Entries = "embedding",
        embeddings: Raw<'de> = "embeddings",
        images: Entries = "images",
        artifacts: Entries = "artifacts",
        generation: Filled = "generation",
        text: Filled = "text",
        output_text: Filled = "outputText",
        outputs: Outputs<'de> = "outputs",
        results: Outputs<'de> = "results",
        stop: Text<'de> = "stop_reason",
        completion: Text<'de> = "completionReason",
        finish: Text<'de> = "finish_reason",
        prompt_tokens: Count = "prompt_token_count",
        tokens: Count = "generation_token_count",
        input_text_tokens: Count = "inputTextTokenCount",
        total_text_tokens: Count = "totalOutputTextTokenCount",
        error: Raw<'de> = "error",
        message_start: Raw<'de> = "messageStart",
        block_start: Raw<'de> = "contentBlockStart",
        delta: Raw<'de> = "contentBlockDelta",
        block_stop: Raw<'de> = "contentBlockStop",
        message_stop: Raw<'de> = "messageStop",
        metadata: Raw<'de> = "metadata",
    }
}

/// Texts in a list, folded.
#[derive(Debug, Default)]
struct Outputs<'de> {
    any: bool,
    /// Documents are ranked.
    ranked: bool,
    tokens: Option<u64>,
    stop: Text<'de>,
}

impl<'de> Lenient<'de> for Outputs<'de> {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut outputs = Self::default();
        while let Some(output) = seq.next::<Item<'de>>()? {
            outputs.any |= output.text.0 || output.output_text.0;
            outputs.ranked |= output.score.0.or(output.relevance.0).is_some();
            if let Some(tokens) = output.tokens.0 {
                let all = outputs.tokens.get_or_insert(0);
                *all = all.saturating_add(tokens);
            }
            for stop in [output.stop, output.completion] {
                if !stop.as_str().is_empty() {
                    outputs.stop = stop;
                }
            }
        }
        Ok(outputs)
    }
}

lenient_object! {
    /// One of them.
    struct Item {
        text: Filled = "text",
        output_text: Filled = "outputText",
        tokens: Count = "tokenCount",
        score: Number = "relevance_score",
        relevance: Number = "relevanceScore",
        stop: Text<'de> = "stop_reason",
        completion: Text<'de> = "completionReason",
    }
}

lenient_object! {
    /// A choice, of DeepSeek and of Mistral's: chat but for the name of its end.
    struct Choice {
        index: Count = "index",
        stop: Text<'de> = "stop_reason",
    }
}

lenient_object! {
    /// Bedrock's own account of the call, on the last piece of a stream.
    struct Metrics {
        input: Count = "inputTokenCount",
        output: Count = "outputTokenCount",
        cache_read: Count = "cacheReadInputTokenCount",
        cache_write: Count = "cacheWriteInputTokenCount",
        latency: Number = "invocationLatency",
        first_byte: Number = "firstByteLatency",
    }
}

/// Reads the payload of an event named `kind`. `None` if it is not JSON, or not Base64 of it.
pub(super) fn learn_event(
    dialect: Dialect,
    kind: &str,
    data: &[u8],
    learned: &mut Learned,
) -> Option<Signal> {
    if kind != "chunk" {
        return Some(Signal {
            unknown: true,
            ..Signal::default()
        });
    }
    let chunk: Chunk<'_> = read_bytes(data)?;
    let piece = STANDARD.decode(chunk.bytes.as_str()).ok()?;
    let said: Said<'_> = read_bytes(&piece)?;
    let mut signal = if !said.kind.as_str().is_empty() && said.choices.is_none() {
        anthropic_messages::learn_event(dialect, &piece, learned)?
    } else if let Some((kind, payload)) = said.converse() {
        bedrock_converse::learn_event(kind, payload.get().as_bytes(), learned)?
    } else {
        said.learn(dialect, &piece, learned)?
    };
    if said.metrics.is_some() {
        let metrics: Metrics<'_> = reread(said.metrics);
        signal.usage |= metrics.learn(learned);
        // They come with the last piece, whatever the model's language calls its end.
        learned.ended = true;
    }
    Some(signal)
}

/// Reads a whole answer. `None` if it is not JSON.
pub(super) fn learn_whole(dialect: Dialect, data: &[u8], learned: &mut Learned) -> Option<Signal> {
    let said: Said<'_> = read_bytes(data)?;
    if said.kind.as_str() == "message" || said.content.is_some() {
        anthropic_messages::learn_whole(dialect, data, learned)
    } else if said.output.is_some() {
        bedrock_converse::learn_whole(dialect, data, learned)
    } else {
        said.learn(dialect, data, learned)
    }
}

impl<'de> Said<'de> {
    /// An event of Converse, by its name: Nova streams those.
    fn converse(&self) -> Option<(&'static str, super::json::RawJson<'de>)> {
        [
            ("messageStart", self.message_start),
            ("contentBlockStart", self.block_start),
            ("contentBlockDelta", self.delta),
            ("contentBlockStop", self.block_stop),
            ("messageStop", self.message_stop),
            ("metadata", self.metadata),
        ]
        .into_iter()
        .find_map(|(kind, payload)| Some((kind, payload?)))
    }

    /// Languages without a type: chat, and those that have a text and a reason to stop.
    fn learn(&self, dialect: Dialect, data: &[u8], learned: &mut Learned) -> Option<Signal> {
        if self.choices.is_some() {
            let signal = openai_chat::learn(dialect, data, learned);
            for (place, choice) in reread::<List<Choice<'_>>>(self.choices)
                .0
                .iter()
                .enumerate()
            {
                let (index, word) = (choice.index.0.unwrap_or(place as u64), choice.stop.as_str());
                if !word.is_empty() {
                    let reason = finish_reason(word, learned.tool_called);
                    learned.finish(index as u32, word, reason);
                }
            }
            return signal;
        }
        let mut kinds = Kinds::default();
        let drawn = self.images.0 || self.artifacts.0;
        kinds.add(Kinds::IMAGE, drawn);
        let vectors = self.embedding.0 || self.embeddings.is_some();
        learned.without_content |= vectors || self.results.ranked;
        let texts = [self.generation, self.text, self.output_text];
        let text = texts.iter().any(|text| text.0) || self.outputs.any || self.results.any;
        kinds.add(Kinds::TEXT, text);
        let stops = [
            &self.stop,
            &self.completion,
            &self.finish,
            &self.outputs.stop,
            &self.results.stop,
        ];
        let stop = stops.iter().find(|stop| !stop.as_str().is_empty());
        if let Some(stop) = stop {
            let reason = finish_reason(stop.as_str(), learned.tool_called);
            learned.finish(0, stop.as_str(), reason);
        }
        let usage = Usage {
            input: self.prompt_tokens.0.or(self.input_text_tokens.0),
            output: [
                self.tokens.0,
                self.total_text_tokens.0,
                self.results.tokens,
                vectors.then_some(0),
            ]
            .into_iter()
            .find_map(|count| count),
            ..Usage::default()
        };
        if !usage.is_unknown() {
            learned.merge(usage);
        }
        if is_error(self.error) {
            learned.error = Some(in_band(dialect, data));
        }
        Some(Signal {
            kinds,
            role: false,
            usage: !usage.is_unknown(),
            unknown: kinds.is_empty()
                && !learned.without_content
                && stop.is_none()
                && usage.is_unknown()
                && self.metrics.is_none(),
        })
    }
}

impl Metrics<'_> {
    /// Whether they told counts that the model's own language had not.
    fn learn(&self, learned: &mut Learned) -> bool {
        const PLACE: &str = "amazon-bedrock-invocationMetrics";
        for (name, span) in [
            ("invocationLatency", self.latency),
            ("firstByteLatency", self.first_byte),
        ] {
            learned.timing(&format!("{PLACE}.{name}"), span.0, MILLI);
        }
        if learned.usage.output.is_some() || self.output.0.is_none() {
            return false;
        }
        learned.cache_outside_input = true;
        learned.merge(Usage {
            input: self.input.0,
            cached_read: self.cache_read.0,
            cache_write: self.cache_write.0,
            cache_write_1h: None,
            output: self.output.0,
            reasoning: None,
            audio: None,
        });
        true
    }
}
