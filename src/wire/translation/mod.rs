//! Says requests, answers and streams of one language in another.
//!
//! One room per ordered pair, named `<the client's>_to_<the provider's>`. OpenAI chat is the hub:
//! a pair that has no room of its own goes through it in two legs.

mod shape;

#[expect(dead_code, reason = "the first pair is on its way")]
mod fields;

#[expect(dead_code, reason = "the first pair is on its way")]
mod events;

#[expect(dead_code, reason = "the first pair is on its way")]
mod reasoning;

#[expect(dead_code, reason = "the first pair is on its way")]
mod chat;

mod legs;

pub use legs::{Back, Translated, Translation};
pub use shape::{Asked, Ended, Kept, Pair, Refusal, Restream, Sent, Stamp, Terms, Unreadable};
