//! Tells Gemini how much to think, and gives it back what it signed.

use serde::Serialize;

use super::super::chat_request::Spoken;
use super::super::efforts::Effort;
use super::super::fields::Left;
use super::super::reasoning::{Detail, GEMINI, Proof, Signed};
use super::super::shape::{Refusal, Terms};

/// `generationConfig.thinkingConfig`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ThinkingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    /// Without it thoughts are billed and not shown.
    include_thoughts: bool,
}

/// How `effort` is said to `model`.
///
/// Models before the third generation take a number of tokens. 1,024, 8,192 and 24,576 are those
/// of Google's own chat endpoint for `low`, `medium` and `high`; 512 is the least above nothing
/// that all of them take, 24,576 the most, and 32,768 the most of the Pro models.
pub(super) fn config(
    effort: Effort,
    model: &str,
    terms: &Terms,
    left: &mut Left,
) -> Result<Option<ThinkingConfig>, Refusal> {
    let by_budget = terms.thinks_by_budget || generation(model) == Some(2);
    let pro = model.contains("pro");
    // The Pro models of the second generation think with 128 tokens at least.
    if effort == Effort::None && (pro || !by_budget) {
        let why = "is `none`, and this model always thinks: `minimal` is the least";
        left.unless_dropped("reasoning_effort", why)?;
        return Ok(None);
    }
    if by_budget {
        let most = if pro { 32_768 } else { 24_576 };
        let budget = match effort {
            Effort::None => 0,
            Effort::Minimal => 512,
            Effort::Low => 1_024,
            Effort::Medium => 8_192,
            Effort::High => 24_576,
            Effort::XHigh | Effort::Max => most,
        };
        return Ok(Some(ThinkingConfig {
            thinking_budget: Some(budget),
            thinking_level: None,
            include_thoughts: budget > 0,
        }));
    }
    let level = match effort {
        Effort::None | Effort::Minimal => "MINIMAL",
        Effort::Low => "LOW",
        Effort::Medium => "MEDIUM",
        Effort::High => "HIGH",
        // There is no higher one.
        Effort::XHigh | Effort::Max => "XHIGH",
    };
    Ok(Some(ThinkingConfig {
        thinking_budget: None,
        thinking_level: Some(level),
        include_thoughts: true,
    }))
}

/// The generation in a name such as `gemini-2.5-flash` or `models/gemini-3-pro`.
pub(super) fn generation(model: &str) -> Option<u32> {
    let (_, rest) = model.split_once("gemini-")?;
    let digits = rest.split(|next: char| !next.is_ascii_digit()).next();
    digits?.parse().ok()
}

/// Stands in for a signature at a call that Gemini did not make (another model's, or one whose
/// signature the client lost). From the third generation on calls without any are refused, and
/// Google documents this text for them.
pub(super) const UNSIGNED: &str = "skip_thought_signature_validator";

/// Signed thoughts of one message, by where they go back to.
#[derive(Debug, Default)]
pub(super) struct Restored {
    /// Thoughts with a signature of their own: text and signature.
    pub(super) thoughts: Vec<(String, String)>,
    /// The signature of the answer's text.
    pub(super) text: Option<String>,
    /// Signatures of calls, in their order.
    pub(super) calls: Vec<Option<String>>,
}

/// What `spoken` has of Gemini's signatures; everything else of its reasoning is left out, and
/// said.
pub(super) fn restored(spoken: &Spoken, left: &mut Left) -> Restored {
    let mut restored = Restored {
        calls: spoken
            .calls
            .iter()
            .map(|call| call.signature.clone())
            .collect(),
        ..Restored::default()
    };
    let mut signed = Signed::new(spoken.reasoning.as_deref().unwrap_or_default());
    for (at, detail) in &spoken.details {
        if detail.format != GEMINI || !restore(detail, spoken, &mut signed, &mut restored) {
            left.hint(at.as_str());
        }
    }
    if spoken.reasoning.is_some() && restored.thoughts.is_empty() {
        left.hint(format!("{}.reasoning_content", spoken.at));
    }
    restored
}

fn restore(
    detail: &Detail,
    spoken: &Spoken,
    signed: &mut Signed<'_>,
    restored: &mut Restored,
) -> bool {
    match (&detail.proof, &detail.id) {
        (
            Proof::Signature {
                text,
                characters,
                signature,
            },
            _,
        ) => {
            let of_content = signed.next(*characters);
            let text = text.clone().unwrap_or_else(|| of_content.to_owned());
            restored.thoughts.push((text, signature.clone()));
            true
        }
        (Proof::Encrypted(data), Some(id)) => {
            let call = spoken.calls.iter().position(|call| call.id == *id);
            let Some(place) = call.and_then(|at| restored.calls.get_mut(at)) else {
                return false;
            };
            *place = Some(data.clone());
            true
        }
        (Proof::Encrypted(data), None) => {
            restored.text = Some(data.clone());
            true
        }
    }
}
