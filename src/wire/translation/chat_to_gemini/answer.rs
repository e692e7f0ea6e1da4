//! Says a whole `GenerateContentResponse` as a chat answer.

use super::super::chat::{Answer, Choice, compact};
use super::super::reasoning::{Detail, GEMINI, Proof};
use super::super::shape::{Kept, Stamp, Unreadable};
use super::read::{Candidate, Finish, Kind, Response};
use super::stream::{call_id, fault};
use crate::record::FinishReason;
use crate::wire::dialect::errors::{is_error, message};
use crate::wire::dialect::json::read_bytes;

/// Says an answer of Gemini's in OpenAI's words.
pub(super) fn answer(body: &[u8], kept: &Kept, stamp: &Stamp) -> Result<Vec<u8>, Unreadable> {
    let Some(response) = read_bytes::<Response<'_>>(body) else {
        return Err(unreadable("the provider's answer is not JSON"));
    };
    if is_error(response.error()) {
        let said = message(body).unwrap_or_default();
        return Err(unreadable(&format!(
            "the provider's answer is an error: {said}"
        )));
    }
    let mut calls = 0;
    let choices = response.candidates().iter();
    let mut choices: Vec<Choice> = choices
        .map(|candidate| choice(candidate, &stamp.id, &mut calls))
        .collect::<Result<_, _>>()?;
    if response.is_blocked() {
        choices.push(Choice {
            finish: Some(FinishReason::ContentFilter),
            ..Choice::default()
        });
    }
    if choices.is_empty() {
        return Err(unreadable("the provider's answer has no candidates"));
    }
    let id = response.id();
    let answer = Answer {
        id: if id.is_empty() {
            String::new()
        } else {
            format!("chatcmpl-{id}")
        },
        model: response.model().to_owned(),
        choices,
        usage: response.usage().unwrap_or_default(),
        tier: response.tier().map(str::to_owned),
    };
    Ok(answer.write(kept, stamp))
}

fn unreadable(message: &str) -> Unreadable {
    Unreadable {
        message: message.to_owned(),
    }
}

fn choice(candidate: &Candidate<'_>, stamp: &str, number: &mut u32) -> Result<Choice, Unreadable> {
    let mut choice = Choice {
        index: candidate.index(),
        logprobs: candidate.logprobs(),
        ..Choice::default()
    };
    let (mut details, mut thought) = (Vec::new(), 0);
    for part in candidate.parts() {
        let mut detail = |id: Option<String>, proof: Proof| {
            details.push(Detail {
                format: GEMINI.to_owned(),
                index: details.len() as u64,
                id,
                proof,
            });
        };
        let signature = part.signature().map(str::to_owned);
        match part.kind() {
            Kind::Text(text) => {
                choice
                    .content
                    .get_or_insert_default()
                    .push_str(&text.text());
                if let Some(signature) = signature {
                    detail(None, Proof::Encrypted(signature));
                }
            }
            Kind::Thought(text) => {
                thought += text.characters();
                choice.reasoning.push_str(&text.text());
                if let Some(signature) = signature {
                    let proof = Proof::Signature {
                        text: None,
                        characters: Some(std::mem::take(&mut thought)),
                        signature,
                    };
                    detail(None, proof);
                }
            }
            Kind::Call(call) => {
                let id = call
                    .id()
                    .map_or_else(|| call_id(stamp, *number), str::to_owned);
                *number = number.saturating_add(1);
                if let Some(signature) = signature {
                    detail(Some(id.clone()), Proof::Encrypted(signature));
                }
                let arguments = compact(call.args());
                choice.calls.push((id, call.name().to_owned(), arguments));
            }
            Kind::Data(url) => choice.images.push(url),
            Kind::Sound(data) => choice.sound.push_str(data),
        }
    }
    choice.details = details.iter().map(Detail::write).collect();
    // Where functions are called, an empty text beside them is none.
    if choice.content.as_ref().is_some_and(String::is_empty) && !choice.calls.is_empty() {
        choice.content = None;
    }
    choice.finish = match candidate.finish(!choice.calls.is_empty()) {
        Some(Finish::As(reason)) => Some(reason),
        Some(Finish::Fault) => return Err(unreadable(&fault(candidate).1)),
        None => {
            return Err(unreadable(
                "the provider's answer does not say why it ended",
            ));
        }
    };
    Ok(choice)
}
