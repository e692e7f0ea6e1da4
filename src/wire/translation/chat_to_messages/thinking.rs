//! Asks for thinking, and restores what was thought before.

use serde_json::{Map, Value, json};

use super::super::chat_request::{Effort, Standing, Thinking, thinking};
use crate::wire::translation::fields::{Fields, Left};
use crate::wire::translation::reasoning::{CLAUDE, Detail, Proof, Signed};
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
        Thinking::Effort { word, thinks: true } => (json!({"type": "adaptive"}), Some(word)),
    };
    sent.entry("thinking").or_insert(said);
    Ok(word)
}

/// The blocks of what an assistant message thought: those that have Claude's own proof. Other
/// reasoning is left out, and that said: the provider takes none that it has not signed.
pub(super) fn restore(message: &mut Fields, left: &mut Left) -> Result<Vec<Value>, Refusal> {
    let details = message.list("reasoning_details")?.unwrap_or_default();
    let all = details.len();
    let mut details: Vec<Detail> = details
        .iter()
        .filter_map(Detail::read)
        .filter(|detail| detail.format == CLAUDE)
        .collect();
    details.sort_by_key(|detail| detail.index);
    if details.len() < all {
        left.hint(message.at("reasoning_details"));
    }
    let mut text = String::new();
    for key in ["reasoning_content", "reasoning"] {
        match message.text(key)? {
            // Both may be there, and are then the same.
            Some(said) if text.is_empty() => {
                if details.is_empty() && !said.is_empty() {
                    left.hint(message.at(key));
                }
                text = said;
            }
            _ => {}
        }
    }
    let mut signed = Signed::new(&text);
    let blocks = details.into_iter().map(|detail| match detail.proof {
        Proof::Signature {
            text,
            characters,
            signature,
        } => {
            let text = text.unwrap_or_else(|| signed.next(characters).to_owned());
            json!({"type": "thinking", "thinking": text, "signature": signature})
        }
        Proof::Encrypted(data) => json!({"type": "redacted_thinking", "data": data}),
    });
    Ok(blocks.collect())
}
