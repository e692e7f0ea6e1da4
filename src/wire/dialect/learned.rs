//! Collects what the events or the body of one response tell, whatever their language.

use super::errors::Classified;
use super::finish::is_reason;
use super::headers::push_timing;
use crate::record::{FinishReason, Name, PicoDollars, ServerTiming, Usage};

/// The kinds of generated content in one event, as a set, and what is known of its reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Kinds(u16);

impl Kinds {
    pub(crate) const REASONING: Self = Self(1);
    pub(crate) const TEXT: Self = Self(2);
    pub(crate) const REFUSAL: Self = Self(4);
    pub(crate) const TOOL: Self = Self(8);
    pub(crate) const AUDIO: Self = Self(16);
    pub(crate) const IMAGE: Self = Self(32);
    /// The reasoning is told in short: what was generated is more.
    pub(crate) const SUMMARY: Self = Self(64);
    /// Proof of reasoning that nobody can read, of which some may have come in plain beside it.
    pub(crate) const SEALED: Self = Self(128);
    /// Reasoning that was kept back.
    pub(crate) const REDACTED: Self = Self(256);
    /// Everything that is an answer, and not reasoning.
    pub(crate) const ANSWER: Self = Self(2 | 4 | 8 | 16 | 32);
    /// Everything that is content.
    const CONTENT: Self = Self(1 | Self::ANSWER.0);

    /// Adds `kind` where `there`.
    pub(crate) fn add(&mut self, kind: Self, there: bool) {
        if there {
            self.0 |= kind.0;
        }
    }

    /// Whether any of `kinds` is in the set.
    pub(crate) fn any(self, kinds: Self) -> bool {
        self.0 & kinds.0 != 0
    }

    /// Whether no content is in the set.
    pub(crate) fn is_empty(self) -> bool {
        !self.any(Self::CONTENT)
    }
}

/// What one event is, beside what was learned from it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Signal {
    /// Generated content in it.
    pub(crate) kinds: Kinds,
    /// It names the speaker's role.
    pub(crate) role: bool,
    /// It has usage numbers.
    pub(crate) usage: bool,
    /// It is of a kind not known here.
    pub(crate) unknown: bool,
}

impl Signal {
    /// Whether it brought tokens, and nothing that has to be read out of it.
    pub(crate) fn is_only_tokens(self) -> bool {
        !self.kinds.is_empty() && !self.usage && !self.unknown
    }
}

/// What a response told so far.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    /// The provider's token counts, normalised but for [`Self::cache_outside_input`].
    pub(crate) usage: Usage,
    /// Cache reads and writes are to be added to the input (Anthropic).
    pub(crate) cache_outside_input: bool,
    /// Objects of usage numbers met.
    pub(crate) usage_objects: u32,
    /// Choices that were begun, where their beginning tells how many to expect (Gemini).
    pub(crate) choices: u32,
    /// Finish reasons by choice.
    pub(crate) finish: Vec<(u32, FinishReason)>,
    /// The first of them in the provider's words.
    pub(crate) finish_word: Option<Name>,
    /// The model that answered.
    pub(crate) model: Option<Name>,
    /// The answer's id, of providers that say none in a header.
    pub(crate) answer_id: Option<Name>,
    /// The id by which the provider keeps the answer.
    pub(crate) kept_as: Option<Name>,
    /// The prompt was refused for its content, for this reason.
    pub(crate) blocked: Option<Name>,
    pub(crate) fingerprint: Option<Name>,
    pub(crate) service_tier: Option<Name>,
    pub(crate) served_by: Option<Name>,
    pub(crate) server_timings: Vec<ServerTiming>,
    pub(crate) cost: Option<PicoDollars>,
    pub(crate) cached_answer: bool,
    /// A tool that the client runs was called.
    pub(crate) tool_called: bool,
    /// The provider reported an error.
    pub(crate) error: Option<Classified>,
    /// The language's own terminator came, where it is an event.
    pub(crate) ended: bool,
    /// It is an answer although nothing was generated: vectors, ranks, a job that was accepted, a
    /// model that was loaded.
    pub(crate) without_content: bool,
}

const FINISH_MAX: usize = 8;
const NAME_BYTES_MAX: usize = 128;

impl Learned {
    /// Notes why a choice stopped; the first word for each choice stands. A word that only says
    /// that there is no reason yet is none.
    pub(crate) fn finish(&mut self, choice: u32, word: &str, reason: FinishReason) {
        if !word.is_empty() && !is_reason(word) {
            return;
        }
        if self.finish_word.is_none() {
            self.finish_word = Some(clip(word).into());
        }
        let known = self.finish.iter().any(|(index, _)| *index == choice);
        if !known && self.finish.len() < FINISH_MAX {
            self.finish.push((choice, reason));
        }
    }

    /// Notes a span that the provider reports.
    pub(crate) fn timing(&mut self, source: &str, span: Option<f64>, unit: f64) {
        if let Some(span) = span {
            push_timing(&mut self.server_timings, source, span * unit);
        }
    }

    /// Notes a later state of the counts: null never overwrites a number.
    pub(crate) fn merge(&mut self, later: Usage) {
        self.usage.merge(later);
        self.usage_objects = self.usage_objects.saturating_add(1);
    }

    /// The counts in the one meaning that records have.
    pub(crate) fn normalised(&self) -> Usage {
        let usage = if self.cache_outside_input {
            self.usage.with_cache_inside()
        } else {
            self.usage
        };
        // A part is no larger than the whole: it can only have been counted beside it.
        let beside = usage.reasoning.filter(|part| usage.output < Some(*part));
        Usage {
            output: usage
                .output
                .map(|output| output.saturating_add(beside.unwrap_or(0))),
            ..usage
        }
    }
}

/// Sets a name to what an event says, without allocating where it says the same again.
pub(crate) fn name(place: &mut Option<Name>, text: &str) {
    if !text.is_empty() && place.as_deref() != Some(text) {
        *place = Some(clip(text).into());
    }
}

fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(text.len().min(NAME_BYTES_MAX))]
}

pub(crate) const SECOND: f64 = 1e9;
pub(crate) const MILLI: f64 = 1e6;
pub(crate) const NANO: f64 = 1.0;
