//! Asks for thinking.

use serde_json::{Map, Value, json};

use super::super::chat_request::{Standing, Thinking, thinking};
use super::super::efforts::Effort;
use crate::wire::translation::fields::Left;
use crate::wire::translation::shape::{Refusal, Terms};

/// Puts what `effort` asks into `sent`, beside what the client asked in Anthropic's own words, and
/// gives the word of `output_config`. `max_tokens` is the limit of the answer, its thinking
/// included: one that the client did not set grows by what is thought.
pub(super) fn ask(
    effort: Effort,
    terms: &Terms,
    standing: Standing,
    max_tokens: &mut u64,
    sent: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<Option<&'static str>, Refusal> {
    let (said, word) = match thinking(effort, terms, standing, left)? {
        Thinking::Unasked => return Ok(None),
        Thinking::Disabled => (json!({"type": "disabled"}), None),
        Thinking::Budget(budget) => {
            if standing.max_tokens.is_none() {
                *max_tokens = max_tokens.saturating_add(budget);
            }
            (json!({"type": "enabled", "budget_tokens": budget}), None)
        }
        Thinking::Effort {
            word,
            thinks: false,
        } => return Ok(Some(word)),
        // Some models keep their thoughts to themselves unless asked.
        Thinking::Effort { word, thinks: true } => {
            let said = json!({"type": "adaptive", "display": "summarized"});
            (said, Some(word))
        }
    };
    sent.entry("thinking").or_insert(said);
    Ok(word)
}
