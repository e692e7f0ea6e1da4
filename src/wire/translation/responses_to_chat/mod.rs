//! A client that speaks OpenAI's responses, and a provider that speaks OpenAI chat.
//!
//! Nothing is stored between two calls: what a response repeats of its request says `store: false`
//! whatever was asked, and requests that build on what is stored are refused.

mod tools;

mod input;

mod request;

mod response;

mod items;

mod stream;

use super::shape::Pair;

/// The pair.
pub(super) const PAIR: Pair = Pair {
    request: request::request,
    answer: stream::answer,
    stream: stream::stream,
};

#[cfg(test)]
mod tests;

#[cfg(test)]
mod stream_tests;
