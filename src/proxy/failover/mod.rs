//! Tries the steps of a plan until one answers: nothing is the client's before it is an answer.

mod answer;
mod attempt;
mod chain;
mod first_answer;
mod hold;
mod leave;
mod loss;
mod outgoing;
mod race;
mod retell;
mod slot;
mod tried;
mod watch;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::reject::Reject;
use super::shared::Shared;
use super::tap::{HeldFrame, Source};
use crate::config::settings::Settings;
use crate::edge::upstream::Pool;
use crate::record::{Language, Moment, Name, Outcome};
use crate::wire::observer::{Observer, Seen};

pub use first_answer::first_answer;
pub use watch::{is_plain_events, may_be_events, observer};

/// A request as it is sent to each route.
#[derive(Debug)]
pub struct Job<'a> {
    /// Method.
    pub method: Method,
    /// Path behind the provider's name.
    pub path: &'a str,
    /// Query, without `?`.
    pub query: Option<&'a str>,
    /// The client's headers.
    pub headers: &'a HeaderMap,
    /// The endpoint's language.
    pub language: Language,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The model asked for; empty where the request names none.
    pub model: Name,
    /// The limit on tokens of the answer that the request sets.
    pub max_tokens: Option<u64>,
    /// Prompt tokens, estimated.
    pub prompt_tokens: u64,
    /// Whether the request asks the model to think before it speaks.
    pub reasons: bool,
    /// Choices, or prompts, asked for.
    pub choices: Option<u32>,
    /// Whether a connection is opened for it, whatever is pooled.
    pub fresh: bool,
    /// When the request was complete.
    pub complete: Moment,
    /// When the whole exchange must be over.
    pub total: Option<Moment>,
}

/// An answer that will be relayed.
#[derive(Debug)]
pub struct Reached {
    /// Index of the way that answered.
    pub way: usize,
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, from what was held on.
    pub source: Source,
    /// What of the body has been read and observed already.
    pub begun: Option<Begun>,
    /// Until when what has been read of the body had to wait for what follows it; zero where
    /// nothing had to.
    pub released: Moment,
    /// The server's word on how long it keeps the connection.
    pub keep_alive: Option<Duration>,
    /// First byte of the upstream request, for the observer.
    pub send_start: Option<Moment>,
    /// Whether the usage event was asked for by us.
    pub usage_injected: bool,
    /// What the client gets of it in its own language, where the whole of it was translated.
    pub retold: Option<Retold>,
}

/// An answer, or an error, as a whole in the client's language.
#[derive(Debug)]
pub struct Retold {
    /// The client's status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

/// The beginning of a body that was held back until its first token.
#[derive(Debug)]
pub struct Begun {
    /// What has observed it.
    pub observer: Box<Observer>,
    /// What it saw last.
    pub seen: Seen,
    /// The frames held, in order.
    pub frames: VecDeque<HeldFrame>,
}

/// No route answered.
#[derive(Debug)]
pub struct Unreached {
    /// What the client is told.
    pub reject: Reject,
    /// How the exchange ended.
    pub outcome: Outcome,
}

/// What trying works with.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// What all workers share.
    pub shared: &'a Shared,
    /// This worker's connections.
    pub pool: &'a Arc<Pool>,
    /// The settings that the exchange started with.
    pub settings: &'a Settings,
}
