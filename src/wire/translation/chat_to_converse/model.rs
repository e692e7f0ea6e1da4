//! Says what Converse leaves to each family of models: reasoning, and the proofs of it.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::chat_request::{Spoken, Standing, Thinking, Thought, thinking};
use super::super::efforts::Effort;
use super::super::fields::Left;
use super::super::reasoning::CLAUDE;
use super::super::shape::{Refusal, Terms};

/// Whose model it is, by its name at Bedrock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Anthropic's.
    Claude,
    /// OpenAI's open ones.
    GptOss,
    /// Amazon's second generation, which reasons.
    Nova,
    /// Anyone else's, or a profile whose name does not tell.
    Other,
}

impl Family {
    /// The family of `model`: an id, with or without a region in front, or an ARN of one.
    pub(super) fn of(model: &str) -> Self {
        if model.contains("anthropic.") || model.contains("claude") {
            Self::Claude
        } else if model.contains("gpt-oss") {
            Self::GptOss
        } else if model.contains("nova-2") {
            Self::Nova
        } else {
            Self::Other
        }
    }

    /// By what name the proofs of its reasoning go to the client. Claude's hold wherever Claude
    /// is served.
    pub(super) const fn proofs(self) -> &'static str {
        match self {
            Self::Claude => CLAUDE,
            Self::GptOss | Self::Nova | Self::Other => "amazon-bedrock-v1",
        }
    }
}

/// Puts `effort` into `additional` (`additionalModelRequestFields`), or gives Converse's own word
/// for it.
pub(super) fn ask(
    effort: Effort,
    family: Family,
    terms: &Terms,
    standing: Standing,
    additional: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<Option<&'static str>, Refusal> {
    let mut put = |key: &str, value: Value| additional.insert(key.to_owned(), value);
    match family {
        Family::Claude => match thinking(effort, terms, standing, left)? {
            Thinking::Unasked => Ok(None),
            Thinking::Disabled => {
                put("thinking", json!({"type": "disabled"}));
                Ok(None)
            }
            Thinking::Budget(budget) => {
                let said = json!({"type": "enabled", "budget_tokens": budget});
                put("thinking", said);
                Ok(None)
            }
            Thinking::Effort { word, thinks } => {
                if thinks {
                    // Some models keep their thoughts to themselves unless asked.
                    let said = json!({"type": "adaptive", "display": "summarized"});
                    put("thinking", said);
                }
                Ok(Some(word))
            }
        },
        Family::GptOss | Family::Nova => {
            let word = match effort {
                Effort::None if family == Family::GptOss => {
                    let why = "is `none`, and this model always thinks: `minimal` is the least";
                    left.unless_dropped("reasoning_effort", why)?;
                    return Ok(None);
                }
                Effort::None => {
                    put("reasoningConfig", json!({"type": "disabled"}));
                    return Ok(None);
                }
                Effort::Minimal | Effort::Low => "low",
                Effort::Medium => "medium",
                // There is no higher one.
                Effort::High | Effort::XHigh | Effort::Max => "high",
            };
            if family == Family::GptOss {
                put("reasoning_effort", word.into());
            } else {
                let config = json!({"type": "enabled", "maxReasoningEffort": word});
                put("reasoningConfig", config);
            }
            Ok(None)
        }
        Family::Other => match effort {
            // Nothing is thought unless it is asked for.
            Effort::None => Ok(None),
            effort => Ok(Some(effort.at_least_low())),
        },
    }
}

/// What was thought, with its proof.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Reasoning {
    /// A text and its signature.
    ReasoningText { text: String, signature: String },
    /// A text that nobody may read.
    RedactedContent(String),
}

/// The reasoning of `spoken` that has this family's own proof.
pub(super) fn restored(spoken: &Spoken, family: Family, left: &mut Left) -> Vec<Reasoning> {
    let thoughts = spoken.thoughts(family.proofs(), left).into_iter();
    thoughts
        .map(|thought| match thought {
            Thought::Signed { text, signature } => Reasoning::ReasoningText { text, signature },
            Thought::Redacted(data) => Reasoning::RedactedContent(data),
        })
        .collect()
}
