//! Speaks an answer in the language of its endpoint, event by event or whole.

mod speech;

mod chat;

mod completions;

mod messages;

mod responses;

mod gemini;

mod converse;

mod invoke;

mod ollama;

mod choice;

pub(super) use choice::voice;
pub(super) use speech::Voice;
