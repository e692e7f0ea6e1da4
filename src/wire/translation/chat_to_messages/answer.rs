//! Says a whole message as a chat completion.

use serde_json::Value;

use crate::record::{Dialect, Language};
use crate::wire::dialect::language::learn_whole;
use crate::wire::dialect::learned::Learned;
use crate::wire::translation::chat::{Answer, Choice};
use crate::wire::translation::reasoning::{CLAUDE, Detail, Proof};
use crate::wire::translation::shape::{Kept, Stamp, Unreadable};

/// Says a whole message as a chat completion.
pub(super) fn answer(body: &[u8], kept: &Kept, stamp: &Stamp) -> Result<Vec<u8>, Unreadable> {
    let mut learned = Learned::default();
    let unreadable = |message: &str| Unreadable {
        message: message.to_owned(),
    };
    let message: Value =
        serde_json::from_slice(body).map_err(|_| unreadable("the answer is not JSON"))?;
    let read = learn_whole(
        Dialect::Anthropic,
        Language::AnthropicMessages,
        body,
        &mut learned,
    );
    let Some(Value::Array(content)) = message.get("content").filter(|_| read.is_some()) else {
        return Err(unreadable("the answer has no `content`: it is no message"));
    };
    let text = |value: &Value, key: &str| {
        let text = value.get(key).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let mut choice = Choice {
        finish: learned.finish.first().map(|(_, reason)| *reason),
        ..Choice::default()
    };
    for block in content {
        match block
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
        {
            "text" => {
                let said = choice.content.get_or_insert_default();
                said.push_str(&text(block, "text"));
            }
            "thinking" => {
                let thought = text(block, "thinking");
                choice.reasoning.push_str(&thought);
                let signature = text(block, "signature");
                if !signature.is_empty() {
                    let detail = signed(choice.details.len(), thought.chars().count(), signature);
                    choice.details.push(detail.write());
                }
            }
            "redacted_thinking" => {
                let detail = redacted(choice.details.len(), text(block, "data"));
                choice.details.push(detail.write());
            }
            "tool_use" => {
                let input = block.get("input").map_or("{}".to_owned(), Value::to_string);
                let call = (text(block, "id"), text(block, "name"), input);
                choice.calls.push(call);
            }
            _ => {}
        }
    }
    let answer = Answer {
        id: text(&message, "id"),
        model: text(&message, "model"),
        choices: vec![choice],
        usage: learned.normalised(),
        tier: learned.service_tier.as_deref().map(tier),
    };
    Ok(answer.write(kept, stamp))
}

/// The proof of a thinking block of so many characters.
pub(super) fn signed(index: usize, characters: usize, signature: String) -> Detail {
    Detail {
        format: CLAUDE.to_owned(),
        index: index as u64,
        id: None,
        proof: Proof::Signature {
            text: None,
            characters: Some(characters as u64),
            signature,
        },
    }
}

/// Thinking that nobody may read.
pub(super) fn redacted(index: usize, data: String) -> Detail {
    Detail {
        format: CLAUDE.to_owned(),
        index: index as u64,
        id: None,
        proof: Proof::Encrypted(data),
    }
}

/// The service tier in OpenAI's words.
pub(super) fn tier(tier: &str) -> String {
    match tier {
        "standard" => "default",
        other => other,
    }
    .to_owned()
}
