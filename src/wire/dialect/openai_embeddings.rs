//! Reads embeddings: a whole answer without generated tokens.

use super::learned::{Learned, Signal};
use super::openai_chat;
use crate::record::Dialect;

/// Reads a whole answer. `None` if it is not JSON.
pub(super) fn learn(dialect: Dialect, data: &[u8], learned: &mut Learned) -> Option<Signal> {
    let signal = openai_chat::learn(dialect, data, learned)?;
    // No count of output tokens is sent: by the kind of the call there are none.
    if signal.usage && learned.usage.output.is_none() {
        learned.usage.output = Some(0);
    }
    Some(signal)
}
