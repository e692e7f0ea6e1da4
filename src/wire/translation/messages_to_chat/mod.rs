//! A client that speaks Anthropic's messages, and a provider that speaks OpenAI chat.

mod content;

mod tools;

mod request;

mod answer;

mod stream;

use super::shape::Pair;

/// The pair.
pub(super) const PAIR: Pair = Pair {
    request: request::request,
    answer: answer::answer,
    stream: stream::stream,
};

#[cfg(test)]
mod tests;

#[cfg(test)]
mod stream_tests;
