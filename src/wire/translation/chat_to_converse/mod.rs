//! Says OpenAI chat to Bedrock's Converse, and its answers back.
//!
//! The path says the model and whether a stream is wanted; a stream is binary frames.

mod request;

mod content;

mod tools;

mod model;

mod read;

mod answer;

mod stream;

#[cfg(test)]
mod tests;

use super::shape::Pair;

/// The pair.
pub(super) const PAIR: Pair = Pair {
    request: request::request,
    answer: answer::answer,
    stream: stream::stream,
};
