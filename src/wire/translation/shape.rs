//! Says what goes into a translation and what comes out of it.

use std::fmt::Debug;

use serde_json::{Map, Value};

use crate::wire::dialect::errors::Classified;

/// What the config and the catalogue say of translating for one route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// A field that the provider's language has no place for is left out and named in
    /// [`Sent::dropped`], instead of being refused.
    pub drop_params: bool,
    /// System messages after the first turn are joined to the leading ones, instead of being
    /// refused.
    pub merge_system: bool,
    /// The limit of output tokens where the provider's language requires one and the request has
    /// none.
    pub max_tokens: u64,
    /// Whether the model takes sampling settings other than the default ones.
    pub takes_sampling: bool,
    /// Whether the model is one that thinks by a budget of tokens, rather than by an effort.
    pub thinks_by_budget: bool,
    /// Whether the model takes an effort of reasoning at all. Where it takes none, an effort has
    /// no effect and is left out as a hint.
    pub takes_effort: bool,
    /// Whether a provider of Gemini's language takes labels on a request: Vertex AI does, and the
    /// Gemini API refuses them.
    pub takes_labels: bool,
    /// Whether a provider of Gemini's language takes a service tier in the body: the Gemini API
    /// does, and Vertex AI, where it goes by a header, refuses it.
    pub takes_tier: bool,
    /// Whether `top_k` may stand in a chat request that is said again in another language: OpenAI
    /// chat itself has no place for it.
    pub takes_top_k: bool,
    /// Whether a provider of OpenAI chat calls the limit of output tokens `max_completion_tokens`,
    /// as OpenAI does, and not `max_tokens`, as those do who copy it.
    pub limits_completion: bool,
    /// An image named by its address is passed on by name, for the provider to fetch, where the
    /// provider's language has a place for that. Nobody fetches it on the way.
    pub pass_urls: bool,
    /// Fields of a chat request that the provider refuses, where it is known for that. They are
    /// hints, all of them.
    pub refused: Vec<String>,
}

impl Terms {
    /// Whether the field `key` of a chat request may be sent.
    pub(super) fn takes(&self, key: &str) -> bool {
        !self.refused.iter().any(|refused| refused == key)
    }
}

/// A request to be said in the provider's language.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The client's body, whole.
    pub body: &'a [u8],
    /// The model's name at the provider.
    pub model: &'a str,
    /// What may be done.
    pub terms: &'a Terms,
}

/// A request in the provider's language.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The body.
    pub body: Vec<u8>,
    /// The fields left out, by their path in the client's body (`logit_bias`, `tools[2].strict`).
    pub dropped: Vec<String>,
    /// What the way back needs.
    pub kept: Kept,
}

/// What the way back needs to know of the request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept {
    /// The client asked for a stream.
    pub stream: bool,
    /// The client asked for usage at the end of a stream (`stream_options.include_usage`).
    pub include_usage: bool,
    /// The model that the client asked for: said where the provider's answer does not name one.
    pub model: String,
    /// The model's name at the provider, where what an answer means hangs on it.
    pub model_there: String,
    /// How many answers the client asked for (`n`); none or one is one.
    pub choices: u64,
    /// Fields of the request that an answer in the client's language repeats.
    pub echo: Map<String, Value>,
}

/// What an answer in the client's language must have and the provider's may not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Stands in for an id, without a prefix.
    pub id: String,
    /// Seconds since 1970.
    pub created: i64,
}

/// Why a request cannot be said in the provider's language: a 400 that names the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The field, by its path in the client's body (`messages[3].content[0].input_audio`).
    pub field: String,
    /// What is wrong, and what to do about it.
    pub message: String,
}

/// An answer that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// What was found.
    pub message: String,
}

/// Says a stream again in the client's language, as it comes. What it keeps does not grow with the
/// stream, but for an event that is not whole yet.
pub trait Restream: Debug + Send {
    /// Takes the next bytes of the provider's stream, cut anywhere, and puts what the client is to
    /// read of them behind `out`. An error in the stream is said in the client's language, without
    /// its terminator; nothing is said after it.
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>);

    /// The provider's stream is over: puts what is left behind `out`. A stream that did not end as
    /// its language has it is not ended in the client's language either: no finish, no terminator.
    fn end(&mut self, out: &mut Vec<u8>) -> Ended;
}

/// How a stream ended that was said again.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// As it should.
    Whole,
    /// Without its last event: whoever reads on must be told.
    Broken,
    /// With an error, which the client was told in its language.
    Failed(Box<Classified>),
}

/// One ordered pair of languages.
#[derive(Clone, Copy)]
pub struct Pair {
    /// Says a request in the provider's language.
    pub request: fn(&Asked<'_>) -> Result<Sent, Refusal>,
    /// Says a whole answer, of a status below 300, in the client's language.
    pub answer: fn(&[u8], &Kept, &Stamp) -> Result<Vec<u8>, Unreadable>,
    /// Says a stream in the client's language.
    pub stream: fn(&Kept, &Stamp) -> Box<dyn Restream>,
}

impl Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair")
    }
}
