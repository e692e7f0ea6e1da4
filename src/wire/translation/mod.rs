//! Says requests, answers and streams of one language in another.
//!
//! One room per ordered pair, named `<the client's>_to_<the provider's>`. OpenAI chat is the hub:
//! a pair that has no room of its own goes through it in two legs.

mod shape;

mod manners;

mod efforts;

#[cfg(test)]
#[path = "trial_tests.rs"]
mod trial;

mod fields;

mod events;

mod reasoning;

mod chat;

mod chat_pieces;

mod chat_voice;

mod chat_calls;

mod chat_read;

mod carried;

mod chat_turns;

mod chat_settings;

mod chat_to_messages;

mod chat_request;

mod chat_to_gemini;

mod chat_to_converse;

mod messages_to_chat;

mod responses_to_chat;

mod unfold;

mod opening;

mod legs;

pub use legs::{Back, Translated, Translation};
pub use manners::{Manners, manners};
pub use opening::decoded;
pub use shape::{Asked, Ended, Kept, Pair, Refusal, Restream, Sent, Stamp, Terms, Unreadable};
