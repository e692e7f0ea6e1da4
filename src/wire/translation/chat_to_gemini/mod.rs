//! Says OpenAI chat to Gemini's `generateContent`, at Google's API and at Vertex, and its answers
//! back.
//!
//! The path says the model and whether a stream is wanted, with `alt=sse`.

mod thinking;

mod content;

mod settings;

mod request;

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
