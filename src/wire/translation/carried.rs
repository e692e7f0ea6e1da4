//! Carries a chat provider's reasoning round a turn, through clients that sign reasoning.
//!
//! Some chat providers want back what their models thought, in the field in which it came, and
//! with what they signed it. Anthropic's clients keep a `signature` of each thinking block, and
//! those of Responses an `encrypted_content`, and send both back unread: what has to come back
//! travels in there, with the model that it may go back to. What others signed is sent to nobody.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::chat_voice::Field;
use super::reasoning::{CLAUDE, Detail, Proof};

/// How what is carried begins, so that no other signature is taken for it.
const OURS: &str = "tollgate:";

/// What is carried.
#[derive(Debug, Serialize)]
struct Sealed<'a> {
    model: &'a str,
    field: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    details: &'a [Box<RawValue>],
}

/// The same, as it comes back.
#[derive(Debug, Deserialize)]
struct Unsealed {
    model: String,
    field: String,
    #[serde(default)]
    details: Vec<Value>,
}

/// One piece of reasoning as it comes: where, and with which proofs.
#[derive(Debug, Default)]
pub(super) struct Seal {
    field: Option<Field>,
    details: Vec<Box<RawValue>>,
}

impl Seal {
    /// Notes the field of a piece; the first stands.
    pub(super) fn field(&mut self, field: Field) {
        self.field.get_or_insert(field);
    }

    /// Notes one of `reasoning_details`, as it stands.
    pub(super) fn detail(&mut self, detail: &str) {
        if let Ok(detail) = RawValue::from_string(detail.to_owned()) {
            self.details.push(detail);
        }
    }

    /// What the client is to send back; nothing is noted any more.
    pub(super) fn take(&mut self, model: &str) -> String {
        let field = self.field.take().map_or("", name);
        let details = std::mem::take(&mut self.details);
        let sealed = Sealed {
            model,
            field,
            details: &details,
        };
        // Memory takes it, and it has no map: this cannot fail.
        let json = serde_json::to_string(&sealed).unwrap_or_default();
        format!("{OURS}{json}")
    }
}

/// Reasoning that comes back to where it is from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Restored {
    /// The field in which it came, where it had text.
    pub(super) field: Option<Field>,
    /// Its `reasoning_details`.
    pub(super) details: Vec<Value>,
}

/// What a client sends back, where it goes to `model` and is from there.
pub(super) fn restored(sealed: &str, model: &str) -> Option<Restored> {
    let json = sealed.strip_prefix(OURS)?;
    let unsealed: Unsealed = serde_json::from_str(json).ok()?;
    (unsealed.model == model).then(|| Restored {
        field: FIELDS
            .into_iter()
            .find(|field| name(*field) == unsealed.field),
        details: unsealed.details,
    })
}

/// The `text` that Claude itself signed, or hid in `sealed`, where it goes to a Claude: what one
/// of them signed holds wherever they are served. It travels as [`reasoning details`](Detail) do.
pub(super) fn claudes_own(text: Option<&str>, sealed: &str, model: &str) -> Option<Restored> {
    let is_own = !sealed.is_empty() && !sealed.starts_with(OURS);
    if !is_own || !model.to_ascii_lowercase().contains("claude") {
        return None;
    }
    let proof = match text {
        Some(text) => Proof::Signature {
            text: Some(text.to_owned()),
            characters: None,
            signature: sealed.to_owned(),
        },
        None => Proof::Encrypted(sealed.to_owned()),
    };
    let detail = Detail {
        format: CLAUDE.to_owned(),
        index: 0,
        id: None,
        proof,
    };
    Some(Restored {
        field: text.map(|_| Field::ReasoningContent),
        details: vec![detail.write()],
    })
}

const FIELDS: [Field; 3] = [Field::ReasoningContent, Field::Reasoning, Field::Content];

/// The field's name in a message.
pub(super) const fn name(field: Field) -> &'static str {
    match field {
        Field::ReasoningContent => "reasoning_content",
        Field::Reasoning => "reasoning",
        Field::Content => "content",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_sealed_comes_back_to_its_model_only() {
        let mut seal = Seal::default();
        seal.field(Field::Reasoning);
        seal.field(Field::ReasoningContent);
        seal.detail(r#"{"type":"reasoning.text","signature":"s"}"#);
        let text = seal.take("m");
        assert_eq!(
            text,
            r#"tollgate:{"model":"m","field":"reasoning","details":[{"type":"reasoning.text","signature":"s"}]}"#
        );
        let restored_here = Restored {
            field: Some(Field::Reasoning),
            details: vec![json!({"type": "reasoning.text", "signature": "s"})],
        };
        assert_eq!(restored(&text, "m"), Some(restored_here));
        assert_eq!(restored(&text, "other"), None);
        for foreign in ["", "EuYBCkQ", "tollgate:", "tollgate:{}", "tollgate:[1]"] {
            assert_eq!(restored(foreign, "m"), None, "{foreign}");
        }
        assert_eq!(seal.take("m"), r#"tollgate:{"model":"m","field":""}"#);
    }
}
