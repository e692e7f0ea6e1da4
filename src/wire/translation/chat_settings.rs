//! Puts the settings of a chat request together that clients of other languages give alike.

use serde_json::{Map, Value, json};

use super::efforts::Effort;
use super::fields::{Fields, Left};
use super::shape::{Asked, Refusal, Terms};

/// Puts the limit of the answer into `chat`, by the name that the provider has for it.
pub(super) fn limit(max: Option<u64>, terms: &Terms, chat: &mut Map<String, Value>) {
    let name = if terms.limits_completion {
        "max_completion_tokens"
    } else {
        "max_tokens"
    };
    if let Some(max) = max {
        chat.insert(name.into(), max.into());
    }
}

/// Puts a hint into `chat` under `key`, where the provider takes it. It stood at `at`.
pub(super) fn hint(
    (key, at): (&str, &str),
    value: Value,
    terms: &Terms,
    chat: &mut Map<String, Value>,
    left: &mut Left,
) {
    if terms.takes(key) {
        chat.insert(key.into(), value);
    } else {
        left.hint(at);
    }
}

/// Asks for a stream. The client always gets the numbers, so they are asked for wherever that may
/// be: who refuses to be asked tells them anyway.
pub(super) fn stream(terms: &Terms, chat: &mut Map<String, Value>) {
    chat.insert("stream".into(), true.into());
    if terms.takes("stream_options") {
        chat.insert("stream_options".into(), json!({"include_usage": true}));
    }
}

/// Takes `temperature` and `top_p` into `chat`, as far as the model takes them.
pub(super) fn sampling(
    body: &mut Fields,
    terms: &Terms,
    chat: &mut Map<String, Value>,
    left: &mut Left,
) -> Result<(), Refusal> {
    for key in ["temperature", "top_p"] {
        let Some(number) = body.number(key)? else {
            continue;
        };
        let is_default = (number - 1.0).abs() < f64::EPSILON;
        if terms.takes_sampling {
            chat.insert(key.into(), number.into());
        } else if is_default {
            left.hint(key);
        } else {
            left.unless_dropped(key, "is not the default, and the model takes no other")?;
        }
    }
    Ok(())
}

/// Puts the effort of reasoning that stands at `at` into `chat`, as far as the model has it; a
/// model that does not reason does not, however much it is asked to. A word that nobody knows is
/// the provider's to judge.
pub(super) fn effort(
    at: String,
    word: String,
    asked: &Asked<'_>,
    chat: &mut Map<String, Value>,
    left: &mut Left,
) {
    if asked.terms.takes_effort {
        let nearest = Effort::of(&word).map(|effort| effort.nearest(asked.model).word());
        chat.insert("reasoning_effort".into(), nearest.unwrap_or(&word).into());
    } else {
        left.hint(at);
    }
}
