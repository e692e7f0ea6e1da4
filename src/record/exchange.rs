//! Records one client request and its answer.

use super::active::Active;
use super::attempt::{AttemptRecord, Protocol};
use super::decision::Decision;
use super::experiment::Enrolment;
use super::ids::{ExchangeId, KeyedHash, TraceId};
use super::language::Language;
use super::named::named;
use super::outcome::Outcome;
use super::units::{Moment, Name, Nanos, PicoDollars, WallTime};
use super::usage::{TokenSource, Usage};

named! {
    /// Where an exchange comes from.
    Origin {
        /// A client's own traffic.
        Live = "live",
        /// A scheduled cheap call.
        Probe = "probe",
        /// A benchmark.
        Bench = "bench",
        /// An evaluation.
        Eval = "eval",
        /// A mirrored request.
        Shadow = "shadow",
        /// Simulated traffic of the demo.
        Demo = "demo",
        /// A load: its steps ask for more than a route can do on purpose, so that it is no
        /// measurement of how the route usually is.
        Load = "load",
    }
}

impl Origin {
    /// Whether it was asked by a run, which its record names.
    #[must_use]
    pub const fn is_of_run(self) -> bool {
        matches!(self, Self::Probe | Self::Bench | Self::Eval | Self::Load)
    }
}

named! {
    /// A provider's family.
    Dialect {
        /// OpenAI and whoever copies its API.
        OpenAi = "openai",
        /// Anthropic messages.
        Anthropic = "anthropic",
        /// Google Gemini and Vertex.
        Gemini = "gemini",
        /// AWS Bedrock's own API.
        Bedrock = "bedrock",
        /// Azure OpenAI.
        Azure = "azure",
    }
}

named! {
    /// Where the session key of an exchange was found.
    SessionSource {
        /// `x-tollgate-session`.
        Header = "x-tollgate-session",
        /// `x-claude-code-session-id`.
        ClaudeCode = "x-claude-code-session-id",
        /// Codex's `session_id` header.
        Codex = "session_id",
        /// The body's `prompt_cache_key`.
        PromptCacheKey = "prompt_cache_key",
        /// The body's `metadata.user_id`.
        MetadataUserId = "metadata.user_id",
        /// System and first user message.
        Prefix = "prefix",
    }
}

named! {
    /// Why the cost of an exchange is not known.
    NoCost {
        /// No provider was asked.
        NotAsked = "not_asked",
        /// Its endpoint runs no model: a list of models, a file.
        NoModelCall = "no_model_call",
        /// The request names no model.
        NoModel = "no_model",
        /// The price table has no row for the provider and the model.
        NoPrice = "no_price",
        /// The row says that nobody has a verified price, and why.
        PriceUnknown = "price_unknown",
        /// No row for the model is valid at that date.
        NoPriceThen = "no_price_then",
        /// The answer names a service tier that has no price.
        NoTierPrice = "no_tier_price",
        /// Tokens of a kind that has no price were used: cached, audio.
        NoPartPrice = "no_part_price",
        /// Audio tokens of both directions are one number, and their prices differ.
        AudioMixed = "audio_mixed",
        /// The provider sent no token counts.
        UsageUnknown = "usage_unknown",
        /// The counts contradict each other: more cached tokens than tokens.
        UsageContradicts = "usage_contradicts",
        /// The route is paid by the hour, not by the token.
        PerHour = "per_hour",
        /// The answer came out of a cache of the provider's, and nobody says what that costs.
        CachedAnswer = "cached_answer",
    }
}

impl NoCost {
    /// Whether money was spent all the same, or may have been: what the month has cost is more than
    /// its sum then. What is paid by the hour is no part of that sum.
    #[must_use]
    pub const fn leaves_a_bill(self) -> bool {
        !matches!(
            self,
            Self::NotAsked | Self::NoModelCall | Self::CachedAnswer | Self::PerHour
        )
    }
}

/// The conversation that an exchange belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Keyed hash of the session key.
    pub hash: KeyedHash,
    /// Where the key was found.
    pub source: SessionSource,
    /// User messages up to and including this one, where the body shows them.
    pub turn: u32,
}

/// What is known of a request before it is routed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestFacts {
    /// Bytes of the body.
    pub bytes: u64,
    /// Estimated prompt tokens (text bytes ÷ 4), until usage says better.
    pub prompt_tokens_estimated: Option<u64>,
    /// Messages or input items.
    pub messages: Option<u32>,
    /// Limit on output tokens.
    pub max_tokens: Option<u64>,
    /// Choices asked for (`n`), or prompts in one call.
    pub choices: Option<u32>,
    /// Tools offered.
    pub tools: Option<u32>,
    /// `reasoning_effort` or equal, at most 16 bytes.
    pub reasoning_effort: Option<Name>,
    /// `response_format.type` or equal, at most 24 bytes.
    pub response_format: Option<Name>,
    /// An image is in the prompt.
    pub image: bool,
    /// Audio is in the prompt.
    pub audio: bool,
    /// A document is in the prompt.
    pub document: bool,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Whether Tollgate asked for the usage event.
    pub usage_injected: bool,
    /// Whether Tollgate replaced the model's name.
    pub model_replaced: bool,
    /// Batch or background call: left out of latency.
    pub background: bool,
    /// Keyed hash of the whole body.
    pub prompt_hash: Option<KeyedHash>,
    /// Keyed hash of the stable beginning (system and first user message).
    pub prefix_hash: Option<KeyedHash>,
}

impl RequestFacts {
    /// Whether the model is asked to think before it speaks.
    #[must_use]
    pub fn reasons(&self) -> bool {
        let effort = self.reasoning_effort.as_deref();
        effort.is_some_and(|effort| effort != "none")
    }
}

/// What Tollgate itself added, measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnDelay {
    /// Request complete to first byte written upstream, without connection set-up.
    pub inbound: Option<Nanos>,
    /// First token read from the provider to its write to the client.
    pub first_token: Option<Nanos>,
    /// The longest such delay of any chunk.
    pub chunk_max: Option<Nanos>,
    /// Its 99th percentile over the chunks of this exchange.
    pub chunk_p99: Option<Nanos>,
    /// Last token read to its write.
    pub last: Option<Nanos>,
}

/// Tokens with their source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// The counts.
    pub usage: Usage,
    /// Where they come from; absent where nothing is known. Only the output is ever estimated:
    /// counts of the input are the provider's own, whatever this says.
    pub source: Option<TokenSource>,
}

/// One client request and its answer: what reports, exports and the page are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeRecord {
    /// Its id.
    pub id: ExchangeId,
    /// W3C trace id, where the client sent one.
    pub trace: Option<TraceId>,
    /// Date of the request's first byte.
    pub started: WallTime,
    /// The same on the monotonic clock: the zero of exported timelines.
    pub started_at: Moment,
    /// Where it comes from.
    pub origin: Origin,
    /// Fingerprint of the settings in force.
    pub config: KeyedHash,
    /// Path of the endpoint; of passed-through paths the first two segments only, at most 64
    /// bytes, so that no file or batch id is kept.
    pub endpoint: Name,
    /// The endpoint's language.
    pub language: Language,
    /// Model asked for.
    pub model: Option<Name>,
    /// The `x-tollgate-tags` of the request, at most 8 of 64 bytes.
    pub tags: Vec<Name>,
    /// Keyed hash of the client's own credential, where it sent one.
    pub client_key: Option<KeyedHash>,
    /// The conversation it belongs to.
    pub session: Option<Session>,
    /// The client SDK's own count of retries (`x-stainless-retry-count`).
    pub client_retries: Option<u32>,
    /// HTTP version spoken with the client.
    pub client_protocol: Protocol,
    /// What is known of the request.
    pub request: RequestFacts,
    /// Name of the policy that ordered the routes.
    pub policy: Name,
    /// Why the first route was first, or why the request was rejected (an error code of ours).
    pub reason: Name,
    /// The experiment on its model, and the exchange's part in it; absent where none ran.
    pub experiment: Option<Enrolment>,
    /// What was weighed, where there was something to choose.
    pub decision: Option<Decision>,
    /// What it is part of, where it is of our own making.
    pub active: Option<Active>,
    /// Every try, in order.
    pub attempts: Vec<AttemptRecord>,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status sent to the client; absent where none was.
    pub status: Option<u16>,
    /// Body bytes written towards the client.
    pub response_bytes: u64,
    /// Tokens used.
    pub tokens: Tokens,
    /// Cost by the price table, of every attempt that reported usage; unknown is absent.
    pub cost: Option<PicoDollars>,
    /// Why it is unknown; absent where it is known, and in records of before there were prices.
    pub no_cost: Option<NoCost>,
    /// The version of the price table that was asked; absent where none was.
    pub prices: Option<Name>,
    /// Cost that the provider reported.
    pub cost_billed: Option<PicoDollars>,
    /// What Tollgate itself added.
    pub own: OwnDelay,
    /// The answer came out of a cache of the provider's: left out of latency.
    pub cached_answer: bool,
    /// When everything was over.
    pub closed_at: Moment,
}

impl ExchangeRecord {
    /// The attempt that was begun first: at the route that was drawn. It is not always the first of
    /// the list: the answer's attempt is put last, also where one begun beside it came to nothing.
    #[must_use]
    pub fn first_begun(&self) -> Option<&AttemptRecord> {
        let hedge = self.decision.as_ref().and_then(|decision| decision.hedge);
        let place = usize::from(hedge == Some(0));
        self.attempts.get(place).or(self.attempts.first())
    }
}
