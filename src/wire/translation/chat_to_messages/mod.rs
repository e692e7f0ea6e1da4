//! Says OpenAI chat in Anthropic's messages, and their answers in OpenAI chat.
//!
//! Left out of answers, since OpenAI chat has no place for it: citations, the calls and results of
//! tools that the provider runs itself, and containers.

mod content;

mod tools;

mod thinking;

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
