//! Says a whole answer of Converse as a chat answer.

use super::super::chat::{Answer as Said, Choice, compact};
use super::super::reasoning::{Detail, Proof};
use super::super::shape::{Kept, Stamp, Unreadable};
use super::model::Family;
use super::read::{Answer, Block, Kind, at_sequence, finish};
use crate::wire::dialect::errors::message;
use crate::wire::dialect::json::read_bytes;

/// Says an answer of Converse's in OpenAI's words.
pub(super) fn answer(body: &[u8], kept: &Kept, stamp: &Stamp) -> Result<Vec<u8>, Unreadable> {
    let Some(answer) = read_bytes::<Answer<'_>>(body) else {
        return Err(unreadable("the provider's answer is not JSON"));
    };
    let Some(content) = answer.content() else {
        let said = message(body).unwrap_or_default();
        return Err(unreadable(&format!(
            "the provider's answer has no message: {said}"
        )));
    };
    let reason = answer.reason();
    let Some(finish) = finish(reason) else {
        return Err(unreadable(&format!(
            "the model's answer was malformed: {reason}"
        )));
    };
    if reason.is_empty() {
        return Err(unreadable(
            "the provider's answer does not say why it ended",
        ));
    }
    let proofs = Family::of(&kept.model_there).proofs();
    let mut choice = Choice {
        finish: Some(finish),
        native: at_sequence(reason),
        ..Choice::default()
    };
    let mut thought = 0;
    for block in content {
        add(&mut choice, block, &mut thought, proofs);
    }
    let said = Said {
        choices: vec![choice],
        usage: answer.usage(),
        tier: answer.tier().map(str::to_owned),
        ..Said::default()
    };
    Ok(said.write(kept, stamp))
}

fn unreadable(message: &str) -> Unreadable {
    Unreadable {
        message: message.to_owned(),
    }
}

fn add(choice: &mut Choice, block: &Block<'_>, thought: &mut u64, proofs: &str) {
    let proof = match block.kind() {
        None => return,
        Some(Kind::Text(text)) => {
            choice
                .content
                .get_or_insert_default()
                .push_str(&text.text());
            return;
        }
        Some(Kind::Cited(pieces)) => {
            let content = choice.content.get_or_insert_default();
            pieces
                .iter()
                .for_each(|piece| content.push_str(&piece.text()));
            return;
        }
        Some(Kind::Call(call)) => {
            let (id, name) = (call.id().to_owned(), call.name().to_owned());
            choice.calls.push((id, name, compact(call.input())));
            return;
        }
        Some(Kind::Image(url)) => {
            choice.images.push(url);
            return;
        }
        Some(Kind::Thought(text, signature)) => {
            choice.reasoning.push_str(&text.text());
            *thought = thought.saturating_add(text.characters());
            if signature.is_empty() {
                return;
            }
            Proof::Signature {
                text: None,
                characters: Some(std::mem::take(thought)),
                signature: signature.to_owned(),
            }
        }
        Some(Kind::Redacted(data)) => Proof::Encrypted(data.to_owned()),
    };
    let detail = Detail {
        format: proofs.to_owned(),
        index: choice.details.len() as u64,
        id: None,
        proof,
    };
    choice.details.push(detail.write());
}
