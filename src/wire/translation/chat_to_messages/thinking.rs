//! Asks for thinking, and restores what was thought before.

use serde_json::{Map, Value, json};

use crate::wire::translation::fields::{Fields, Left, refusal};
use crate::wire::translation::reasoning::{CLAUDE, Detail, Proof, Signed};
use crate::wire::translation::shape::{Refusal, Terms};

/// The efforts that OpenAI's field may name.
const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
/// The smallest budget that the provider takes.
const BUDGET_MIN: u64 = 1024;

/// The budget of tokens for an effort, where a model thinks by one. No provider says what they
/// are; these double from one effort to the next.
fn budget(effort: &str) -> u64 {
    match effort {
        "minimal" => BUDGET_MIN,
        "low" => 2048,
        "medium" => 8192,
        "high" => 16_384,
        "xhigh" => 32_768,
        _ => 65_536,
    }
}

/// Puts what the request asks of reasoning into `sent`: `thinking`, and an effort into `output`.
/// `max_tokens` is the limit of the answer, its thinking included, and whether the client set it.
pub(super) fn ask(
    fields: &mut Fields,
    terms: &Terms,
    (max_tokens, set): (&mut u64, bool),
    (sent, output): (&mut Map<String, Value>, &mut Map<String, Value>),
    left: &mut Left,
) -> Result<(), Refusal> {
    let effort = fields.text("reasoning_effort")?;
    // Anthropic's own field, which its OpenAI-compatible endpoint takes too.
    let own = fields.take("thinking");
    let has_own = own.is_some();
    if let Some(own) = own {
        sent.insert("thinking".to_owned(), own);
    }
    let Some(effort) = effort else { return Ok(()) };
    if !EFFORTS.contains(&effort.as_str()) {
        let why = format!("is {effort:?}; send one of {}", EFFORTS.join(", "));
        return Err(refusal("reasoning_effort", &why));
    }
    if !terms.takes_effort {
        if effort != "none" {
            left.hint("reasoning_effort");
        }
        return Ok(());
    }
    let thinking = if effort == "none" {
        json!({"type": "disabled"})
    } else if terms.thinks_by_budget {
        let mut budget = budget(&effort);
        if set {
            // Half is left for the answer.
            budget = budget.min(*max_tokens / 2).max(BUDGET_MIN);
        } else {
            *max_tokens = max_tokens.saturating_add(budget);
        }
        if budget >= *max_tokens {
            let why = format!("needs a limit of more than {BUDGET_MIN} tokens for the answer");
            return left.unless_dropped("reasoning_effort", &why);
        }
        json!({"type": "enabled", "budget_tokens": budget})
    } else {
        let effort = if effort == "minimal" { "low" } else { &effort };
        output.insert("effort".to_owned(), effort.into());
        json!({"type": "adaptive"})
    };
    if !has_own {
        sent.insert("thinking".to_owned(), thinking);
    }
    Ok(())
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
