//! Carries proofs of reasoning round a turn, through clients that know only OpenAI chat.
//!
//! Providers sign what their models thought, and want it back word for word with the next turn.
//! OpenAI chat has no place for that. The proofs go to the client in `reasoning_details` beside the
//! text in `reasoning_content`, by the names that routers have made usual; a client that sends both
//! back with its history has its reasoning restored. What one provider signed is sent to no other.

use serde_json::{Value, json};

/// Claude's, at Anthropic and wherever else it is served.
pub(super) const CLAUDE: &str = "anthropic-claude-v1";
/// Gemini's.
pub(super) const GEMINI: &str = "google-gemini-v1";

/// The proof of a piece of reasoning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// Of a text that stands in `reasoning_content`.
    Signature {
        /// The text, where the detail itself has it.
        text: Option<String>,
        /// How many characters of `reasoning_content`, behind those of the details before.
        characters: Option<u64>,
        /// What the provider signed it with.
        signature: String,
    },
    /// Of a text that nobody may read: it is the proof itself.
    Encrypted(String),
}

/// One of `reasoning_details`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Detail {
    /// Whose proof it is.
    pub(super) format: String,
    /// Its place among those of its message.
    pub(super) index: u64,
    /// The tool call that it belongs to, where it belongs to one.
    pub(super) id: Option<String>,
    /// The proof.
    pub(super) proof: Proof,
}

impl Detail {
    /// As the client gets it.
    pub(super) fn write(&self) -> Value {
        let mut value = match &self.proof {
            Proof::Signature {
                text,
                characters,
                signature,
            } => {
                let mut value = json!({"type": "reasoning.text", "signature": signature});
                if let Some(text) = text {
                    value["text"] = text.clone().into();
                }
                if let Some(characters) = characters {
                    value["characters"] = (*characters).into();
                }
                value
            }
            Proof::Encrypted(data) => json!({"type": "reasoning.encrypted", "data": data}),
        };
        if let Some(id) = &self.id {
            value["id"] = id.clone().into();
        }
        value["format"] = self.format.clone().into();
        value["index"] = self.index.into();
        value
    }

    /// As a client sends it back; absent where there is no proof in it.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
        let proof = match value.get("type")?.as_str()? {
            "reasoning.text" => Proof::Signature {
                text: text("text"),
                characters: value.get("characters").and_then(Value::as_u64),
                signature: text("signature").filter(|signature| !signature.is_empty())?,
            },
            "reasoning.encrypted" => Proof::Encrypted(text("data")?),
            _ => return None,
        };
        Some(Self {
            format: text("format").unwrap_or_default(),
            index: value.get("index").and_then(Value::as_u64).unwrap_or(0),
            id: text("id"),
            proof,
        })
    }
}

/// Gives out `reasoning_content` to the details that sign it.
#[derive(Debug)]
pub(super) struct Signed<'a>(&'a str);

impl<'a> Signed<'a> {
    /// All of the text is still to be given out.
    pub(super) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The next `characters` of it, or all that is left.
    pub(super) fn next(&mut self, characters: Option<u64>) -> &'a str {
        let at = characters.and_then(|count| {
            let count = usize::try_from(count).ok()?;
            self.0.char_indices().nth(count).map(|(at, _)| at)
        });
        let (text, rest) = self.0.split_at(at.unwrap_or(self.0.len()));
        self.0 = rest;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_come_back_as_they_went() {
        for (proof, text) in [
            (
                Proof::Signature {
                    text: None,
                    characters: Some(3),
                    signature: "s".to_owned(),
                },
                r#"{"type":"reasoning.text","signature":"s","characters":3,"format":"f","index":2}"#,
            ),
            (
                Proof::Encrypted("e".to_owned()),
                r#"{"type":"reasoning.encrypted","data":"e","format":"f","index":2}"#,
            ),
        ] {
            let detail = Detail {
                format: "f".to_owned(),
                index: 2,
                id: None,
                proof,
            };
            let value = detail.write();
            assert_eq!(value.to_string(), text);
            assert_eq!(Detail::read(&value), Some(detail));
        }
        for nothing in [
            json!({"type": "reasoning.text", "text": "a"}),
            json!({"type": "reasoning.text", "text": "a", "signature": ""}),
            json!({"type": "reasoning.summary", "summary": "a"}),
            json!("text"),
        ] {
            assert_eq!(Detail::read(&nothing), None, "{nothing}");
        }
    }

    #[test]
    fn each_detail_gets_its_own_characters() {
        let mut signed = Signed::new("héllo wörld");
        assert_eq!(signed.next(Some(5)), "héllo");
        assert_eq!(signed.next(Some(2)), " w");
        assert_eq!(signed.next(Some(100)), "örld");
        assert_eq!(signed.next(None), "");
    }
}
