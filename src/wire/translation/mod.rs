//! Says requests, answers and streams of one language in another.
//!
//! One room per ordered pair, named `<the client's>_to_<the provider's>`. OpenAI chat is the hub:
//! a pair that has no room of its own goes through it in two legs.

mod shape;

pub use shape::{Asked, Ended, Kept, Pair, Refusal, Restream, Sent, Stamp, Terms, Unreadable};
