//! Reads `OpenAI`'s older completions: chat's chunks, with the text of a choice beside its index.

use super::learned::{Learned, Signal};
use super::openai_chat;
use crate::record::Dialect;

/// Reads one chunk or a whole completion. `None` if it is not JSON.
pub(super) fn learn(dialect: Dialect, data: &[u8], learned: &mut Learned) -> Option<Signal> {
    openai_chat::learn(dialect, data, learned)
}
