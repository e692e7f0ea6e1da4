//! Knows what the bytes of each endpoint's requests, responses, headers and errors mean.

mod lenient;

pub mod identify;

pub mod request;
