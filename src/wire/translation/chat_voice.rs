//! The voice in which a chat answer is said again: what each of the clients' languages gives.

use std::fmt::Debug;

use crate::record::{FinishReason, Usage};
use crate::wire::dialect::errors::Classified;

/// Says in the client's language what a chat provider says. `text` is always the inside of a JSON
/// string.
pub(super) trait Voice: Debug + Send {
    /// The answer begins; `model` is what the provider calls it, as text, or empty.
    fn begin(&mut self, out: &mut Vec<u8>, model: &str);
    /// A piece of reasoning, and the name of the field in which it came.
    fn reasoning(&mut self, out: &mut Vec<u8>, text: &str, field: Field);
    /// A proof of reasoning that has to come back with the next turn: an object, as it stands.
    fn proof(&mut self, out: &mut Vec<u8>, detail: &str, of_text: bool);
    /// A piece of the answer.
    fn text(&mut self, out: &mut Vec<u8>, text: &str);
    /// A piece of a refusal.
    fn refusal(&mut self, out: &mut Vec<u8>, text: &str);
    /// A picture, by its address: mostly `data:`. A language without a place for it says nothing.
    fn image(&mut self, _: &mut Vec<u8>, _url: &str) {}
    /// A tool call begins; its id is empty where the provider gave none.
    fn call(&mut self, out: &mut Vec<u8>, id: &str, name: &str);
    /// A piece of the arguments of the call that began last.
    fn arguments(&mut self, out: &mut Vec<u8>, text: &str);
    /// The model stopped at one of the request's stop sequences, not by itself: at this one, or at
    /// one that the provider does not tell. Said before the answer is whole.
    fn stopped_at(&mut self, _sequence: Option<&str>) {}
    /// The answer is whole.
    fn finish(&mut self, out: &mut Vec<u8>, finish: &Finish);
    /// The provider failed; nothing is said after it.
    fn fail(&mut self, out: &mut Vec<u8>, failure: &Failure<'_>);
    /// Whether more was said than may be kept.
    fn is_full(&self) -> bool {
        false
    }
}

/// The field in which a provider says its reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// DeepSeek's name, and most others'.
    ReasoningContent,
    /// Groq's, Cerebras's, OpenRouter's, vLLM's.
    Reasoning,
    /// A part of the content, at Mistral: it has no field of its own to come back in.
    Content,
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finish {
    /// Why the model stopped.
    pub(super) reason: FinishReason,
    /// What it used; unknown counts are absent.
    pub(super) usage: Usage,
    /// Whether it called a tool.
    pub(super) called: bool,
}

/// How an answer failed that had begun.
#[derive(Debug)]
pub(super) struct Failure<'a> {
    /// What kind of error it is.
    pub(super) error: &'a Classified,
    /// What the client is told.
    pub(super) message: &'a str,
}
