//! Speaks an answer in the language of its endpoint, event by event or whole.

mod chat;

mod completions;

mod messages;

mod responses;

mod speech;

pub(super) use speech::{Voice, voice};
