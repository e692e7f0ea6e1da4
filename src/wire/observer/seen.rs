//! Says what goes into an observer, and what comes out of it.

use crate::record::{
    Dialect, End, FinishReason, Gaps, Language, Moment, Name, Oddity, Outcome, PicoDollars,
    RateLimitHeader, ServerTiming, Timeline, Tokens, Usage,
};
use crate::wire::dialect::errors::Classified;
use crate::wire::dialect::learned::Kinds;

/// What is known of a response before its body.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// The provider's dialect.
    pub dialect: Dialect,
    /// The preset's name, or empty.
    pub provider: &'a str,
    /// The endpoint's language.
    pub language: Language,
    /// The response's status.
    pub status: u16,
    /// Its `content-type`.
    pub content_type: Option<&'a str>,
    /// Its `content-encoding`.
    pub content_encoding: Option<&'a str>,
    /// Its `x-amzn-errortype`: the name of an error, where the body has a message only.
    pub error_type: Option<&'a str>,
    /// Whether the request asked for a stream.
    pub stream: bool,
    /// The model's name as it was sent to the provider.
    pub model_asked: Option<&'a str>,
    /// Choices, or prompts, of the request.
    pub choices: Option<u32>,
    /// Whether the usage event was asked for by Tollgate.
    pub usage_injected: bool,
    /// The largest event read.
    pub event_bytes_max: usize,
    /// The largest copy decoded, and the largest whole body kept for reading.
    pub decoded_bytes_max: usize,
    /// When the first byte of the request was sent (s0): a pseudo-stream is told by it.
    pub started: Option<Moment>,
}

/// How the transport ended a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEnd {
    /// Whole, by its framing.
    Complete,
    /// The transport says that bytes are missing.
    Truncated,
    /// The connection broke.
    Reset,
    /// Silence longer than allowed.
    Stalled,
    /// The client went away.
    ClientGone,
    /// A limit of ours cut it.
    CutByLimit,
    /// The program stopped.
    Shutdown,
}

/// What one chunk brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Events that ended in this chunk.
    pub events: u32,
    /// Those of them with generated content.
    pub token_events: u32,
    /// The first token of the response is among them.
    pub first_token: bool,
    /// The terminator came, now or before.
    pub done: bool,
    /// An error came in the body, now or before: see [`Observer::failure`].
    pub failed: bool,
}

impl Seen {
    /// Whether there were events, and each of them brought generated content.
    #[must_use]
    pub const fn is_only_tokens(&self) -> bool {
        self.events > 0 && self.events == self.token_events && !self.done && !self.failed
    }
}

/// Where a stream stands that is no server-sent events: whether words of our own may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stands {
    /// Between two of Amazon's frames.
    BetweenFrames,
    /// Between two lines.
    BetweenLines,
    /// Between two objects of an array; whether there has been one.
    InArray {
        /// None has been sent yet.
        first: bool,
    },
    /// In the middle of something that nothing else can end.
    Within,
    /// Behind its terminator, or an error of the provider's: nothing is left to be told.
    Told,
}

/// The kind of a response's first token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Reasoning text.
    Reasoning,
    /// Visible answer text.
    Text,
    /// A refusal.
    Refusal,
    /// A tool call.
    Tool,
    /// Audio, or its transcript.
    Audio,
    /// A picture.
    Image,
}

impl TokenKind {
    pub(super) fn of(kinds: Kinds) -> Self {
        [
            (Kinds::REASONING, Self::Reasoning),
            (Kinds::TEXT, Self::Text),
            (Kinds::REFUSAL, Self::Refusal),
            (Kinds::TOOL, Self::Tool),
            (Kinds::IMAGE, Self::Image),
        ]
        .into_iter()
        .find(|(kind, _)| kinds.any(*kind))
        .map_or(Self::Audio, |(_, kind)| kind)
    }
}

/// What was learned from one response's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The marks of the body, first byte to done.
    pub timeline: Timeline,
    /// The gaps between token events, of streams that had some.
    pub gaps: Option<Gaps>,
    /// Events with data, the `[DONE]` aside; of streams only.
    pub events: u32,
    /// Comments between them.
    pub comments: u32,
    /// The counts to record, with their source.
    pub tokens: Tokens,
    /// The provider's own counts.
    pub provider_usage: Usage,
    /// Why the model stopped, one per choice that said so.
    pub finish: Vec<FinishReason>,
    /// The first of these in the provider's words.
    pub finish_word: Option<Name>,
    /// How the body ended.
    pub end: End,
    /// The error, in the status or in the body.
    pub error: Option<Classified>,
    /// What an error's body says of limits and of how long to wait.
    pub limits: Vec<RateLimitHeader>,
    /// How the exchange ended if this was its last attempt.
    pub outcome_hint: Outcome,
    /// The model that says it answered.
    pub model_answered: Option<Name>,
    /// The answer's id, of providers that say none in a header.
    pub answer_id: Option<Name>,
    /// The id by which the provider keeps the answer, where requests may refer to it.
    pub kept_as: Option<Name>,
    /// The provider's `system_fingerprint`.
    pub fingerprint: Option<Name>,
    /// The service tier that the response names.
    pub service_tier: Option<Name>,
    /// The router's upstream, where the body names it.
    pub served_by: Option<Name>,
    /// Server times in the body.
    pub server_timings: Vec<ServerTiming>,
    /// What the provider says it bills.
    pub cost_billed: Option<PicoDollars>,
    /// The body says that it came out of a cache.
    pub cached_answer: bool,
    /// What was odd, each kind once.
    pub oddities: Vec<Oddity>,
    /// Index of the event with the first token.
    pub first_token_index: Option<u32>,
    /// The kind of the first token.
    pub first_token_kind: Option<TokenKind>,
    /// Index of the event with the first visible text.
    pub first_text_index: Option<u32>,
    /// Events with generated content.
    pub token_events: u32,
    /// Whether the body was read as a stream of events.
    pub streamed: bool,
}
