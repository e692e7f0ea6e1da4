//! Reads Gemini's answers, whole ones and the events of a stream: each is one of the same shape.

use super::errors::{in_band, is_error};
use super::finish::googles;
use super::json::{Elements, Lenient, Members, NotJson, read_bytes};
use super::learned::{Kinds, Learned, Signal, name};
use super::lenient::{Count, Filled, Maybe, Raw, Text, Truth, lenient_object};
use crate::record::{Dialect, FinishReason, Usage};

lenient_object! {
    /// A `GenerateContentResponse`, or what part of it an event brings.
    struct Answer {
        candidates: Candidates<'de> = "candidates",
        feedback: Feedback<'de> = "promptFeedback",
        usage: Maybe<UsageObject<'de>> = "usageMetadata",
        model: Text<'de> = "modelVersion",
        id: Text<'de> = "responseId",
        error: Raw<'de> = "error",
    }
}

/// All candidates, folded into one without keeping them.
#[derive(Debug, Default)]
struct Candidates<'de> {
    count: u32,
    /// The highest index met, and one more.
    begun: u32,
    kinds: Kinds,
    role: bool,
    called: bool,
    finish: Vec<(u32, Text<'de>)>,
}

impl<'de> Lenient<'de> for Candidates<'de> {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut all = Self::default();
        while let Some(candidate) = seq.next::<Candidate<'de>>()? {
            let index = candidate.index.0.map_or(all.count, |index| index as u32);
            all.count = all.count.saturating_add(1);
            all.begun = all.begun.max(index.saturating_add(1));
            all.kinds.add(candidate.content.parts.kinds, true);
            all.called |= candidate.content.parts.called;
            all.role |= candidate.content.role.0;
            if !candidate.finish.as_str().is_empty() {
                all.finish.push((index, candidate.finish));
            }
        }
        Ok(all)
    }
}

lenient_object! {
    /// One candidate.
    struct Candidate {
        index: Count = "index",
        content: Content<'de> = "content",
        finish: Text<'de> = "finishReason",
    }
}

lenient_object! {
    /// What a candidate says.
    struct Content {
        role: Filled = "role",
        parts: Parts = "parts",
    }
}

/// The parts of a content, folded into the kinds they hold.
#[derive(Debug, Default, Clone, Copy)]
struct Parts {
    kinds: Kinds,
    /// A function of the client's is called.
    called: bool,
}

impl<'de> Lenient<'de> for Parts {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut parts = Self::default();
        while let Some(part) = seq.next::<Part<'de>>()? {
            let thought = part.thought.0 == Some(true);
            let text = if thought {
                Kinds::REASONING
            } else {
                Kinds::TEXT
            };
            parts.kinds.add(text, part.text.0);
            // Google tells its thoughts in short only.
            parts.kinds.add(Kinds::SUMMARY, thought && part.text.0);
            parts.kinds.add(Kinds::TOOL, part.call.0 || part.code.0);
            let media = part.data.media.as_str();
            let kind = if media.starts_with("audio/") {
                Kinds::AUDIO
            } else {
                Kinds::IMAGE
            };
            parts.kinds.add(kind, part.data.data.0);
            parts.called |= part.call.0;
        }
        Ok(parts)
    }
}

lenient_object! {
    /// A part; signatures of thoughts and results of code that was run are no tokens.
    struct Part {
        text: Filled = "text",
        thought: Truth = "thought",
        call: Object = "functionCall",
        code: Object = "executableCode",
        data: Inline<'de> = "inlineData",
    }
}

/// Whether a value is an object.
#[derive(Debug, Default, Clone, Copy)]
struct Object(bool);

impl<'de> Lenient<'de> for Object {
    fn map(map: &mut Members<'_, 'de>) -> Result<Self, NotJson> {
        map.rest()?;
        Ok(Self(true))
    }
}

lenient_object! {
    /// Media in the answer itself.
    struct Inline {
        media: Text<'de> = "mimeType",
        data: Filled = "data",
    }
}

lenient_object! {
    /// What is said of the prompt.
    struct Feedback {
        blocked: Text<'de> = "blockReason",
    }
}

lenient_object! {
    /// The counts so far; the prompt's has the cached part in it, and not what tools put in.
    pub(crate) struct UsageObject {
        prompt: Count = "promptTokenCount",
        cached: Count = "cachedContentTokenCount",
        candidates: Count = "candidatesTokenCount",
        thoughts: Count = "thoughtsTokenCount",
        tools: Count = "toolUsePromptTokenCount",
        total: Count = "totalTokenCount",
        prompt_details: AudioTokens = "promptTokensDetails",
        candidates_details: AudioTokens = "candidatesTokensDetails",
        traffic: Text<'de> = "trafficType",
    }
}

/// The audio's part in a list of counts by modality.
#[derive(Debug, Default, Clone, Copy)]
struct AudioTokens(Option<u64>);

impl<'de> Lenient<'de> for AudioTokens {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut audio = None;
        while let Some(part) = seq.next::<Share<'de>>()? {
            if part.modality.as_str() == "AUDIO" {
                audio = part.tokens.0;
            }
        }
        Ok(Self(audio))
    }
}

lenient_object! {
    /// The tokens of one modality.
    struct Share {
        modality: Text<'de> = "modality",
        tokens: Count = "tokenCount",
    }
}

impl UsageObject<'_> {
    /// By one meaning for all providers. `blocked`: the prompt was, and nothing was generated.
    pub(crate) fn normalised(&self, blocked: bool) -> Usage {
        let tools = self.tools.0.unwrap_or(0);
        let input = self.prompt.0.map(|prompt| prompt.saturating_add(tools));
        Usage {
            input,
            cached_read: self.cached.0,
            cache_write: None,
            cache_write_1h: None,
            output: self.output(input).or_else(|| blocked.then_some(0)),
            reasoning: self.thoughts.0,
            audio: [self.prompt_details.0, self.candidates_details.0]
                .into_iter()
                .flatten()
                .reduce(u64::saturating_add),
        }
    }

    /// In which way the request was served; empty where that is not said.
    pub(crate) fn traffic(&self) -> &str {
        self.traffic.as_str()
    }

    /// All tokens generated. Whether those of the candidates hold the thoughts differs by endpoint
    /// and by model: the total says it.
    fn output(&self, input: Option<u64>) -> Option<u64> {
        let (candidates, thoughts) = (self.candidates.0, self.thoughts.0);
        let beside = match (candidates, thoughts) {
            (None, None) => return None,
            (candidates, thoughts) => {
                let thoughts = thoughts.unwrap_or(0);
                candidates.unwrap_or(0).saturating_add(thoughts)
            }
        };
        let inside = candidates.unwrap_or(0);
        let is_inside = input.map(|input| input.saturating_add(inside)) == self.total.0
            && self.total.0.is_some();
        Some(if is_inside { inside } else { beside })
    }
}

/// Reads an event or a whole answer. `None` if it is not JSON.
pub(super) fn learn(dialect: Dialect, data: &[u8], learned: &mut Learned) -> Option<Signal> {
    let answer: Answer<'_> = read_bytes(data)?;
    name(&mut learned.model, answer.model.as_str());
    name(&mut learned.answer_id, answer.id.as_str());
    learned.tool_called |= answer.candidates.called;
    // Fewer may come than were asked for.
    learned.choices = learned.choices.max(answer.candidates.begun);
    for (index, word) in &answer.candidates.finish {
        let reason = googles(word.as_str(), learned.tool_called);
        learned.finish(*index, word.as_str(), reason);
    }
    let blocked = answer.feedback.blocked.as_str();
    let is_blocked = is_block_reason(blocked);
    if is_blocked {
        let word = format!("blocked:{blocked}");
        learned.finish(0, &word, FinishReason::ContentFilter);
        name(&mut learned.blocked, blocked);
    }
    let usage = answer.usage.0.is_some_and(|usage| {
        name(&mut learned.service_tier, usage.traffic());
        let usage = usage.normalised(is_blocked);
        let any = usage.input.is_some() || usage.output.is_some();
        if any {
            learned.merge(usage);
        }
        any
    });
    if is_error(answer.error) {
        learned.error = Some(in_band(dialect, data));
    }
    let known = answer.candidates.count > 0 || is_blocked || usage || answer.error.is_some();
    Some(Signal {
        kinds: answer.candidates.kinds,
        role: answer.candidates.role,
        usage,
        unknown: !known,
    })
}

/// Whether `word` says why a prompt was blocked: the default of the enumeration says nothing.
pub(crate) fn is_block_reason(word: &str) -> bool {
    !matches!(word, "" | "BLOCK_REASON_UNSPECIFIED")
}
