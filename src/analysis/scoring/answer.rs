//! An answer as scorers see it: its text, and the tools that it calls.

use serde_json::{Deserializer, Value};

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// The text; empty where it has none.
    pub text: String,
    /// The tools that it calls natively, in order.
    pub calls: Vec<Call>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The tool's name.
    pub name: String,
    /// Its arguments; a text where they are no JSON.
    pub arguments: Value,
}

impl Answer {
    /// An answer of text only.
    #[must_use]
    pub fn of_text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            calls: Vec::new(),
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.trim().is_empty() && self.calls.is_empty()
    }

    /// The calls: the native ones, or where there is none those written into the text as
    /// `<function=name>{…}</function>`, as Llama's models do where nobody reads them for them. The
    /// closing tag may be wanting.
    #[must_use]
    pub fn all_calls(&self) -> Vec<Call> {
        if self.calls.is_empty() {
            in_text(&self.text)
        } else {
            self.calls.clone()
        }
    }
}

const OPENING: &str = "<function=";

fn in_text(text: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    for piece in text.split(OPENING).skip(1) {
        let Some((name, rest)) = piece.split_once('>') else {
            continue;
        };
        let mut values = Deserializer::from_str(rest).into_iter::<Value>();
        if let Some(Ok(arguments)) = values.next() {
            calls.push(Call {
                name: name.trim().trim_matches(['"', '\'']).to_owned(),
                arguments,
            });
        }
    }
    calls
}

/// The JSON that an answer's text is: all of it, or else what stands in its first block of code.
#[must_use]
pub fn json_in(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let (_, fenced) = text.split_once("```")?;
    let (block, _) = fenced.split_once("```")?;
    let begins = block.find(['{', '[', '\n'])?;
    serde_json::from_str(block[begins..].trim()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_are_found_in_text() {
        let call = |name: &str, arguments| Call {
            name: name.to_owned(),
            arguments,
        };
        for (text, expected) in [
            (
                r#"<function=select_choice>{"choice": "C"}</function>"#,
                vec![call("select_choice", json!({"choice": "C"}))],
            ),
            (
                "Let me see.\n<function= f >\n {\"a\": {\"b\": [1]}}\n</function> done",
                vec![call("f", json!({"a": {"b": [1]}}))],
            ),
            (
                r#"<function=f>{"a": 1}<|eom_id|>"#,
                vec![call("f", json!({"a": 1}))],
            ),
            (
                r#"<function=f>{}</function><function=g>{"x": "</function>"}</function>"#,
                vec![call("f", json!({})), call("g", json!({"x": "</function>"}))],
            ),
            ("<function=f>{\"a\": </function>", vec![]),
            ("<function=f", vec![]),
            ("no call", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(Answer::of_text(text).all_calls(), expected, "{text}");
        }
    }

    #[test]
    fn native_calls_go_before_written_ones() {
        let native = Call {
            name: "n".to_owned(),
            arguments: json!({}),
        };
        let answer = Answer {
            text: "<function=f>{}</function>".to_owned(),
            calls: vec![native.clone()],
        };
        assert_eq!(answer.all_calls(), [native]);
        assert!(!answer.is_empty());
        assert!(Answer::of_text(" \n").is_empty());
    }

    #[test]
    fn json_is_found_bare_and_in_a_block() {
        for (text, expected) in [
            (" {\"a\": 1}\n", Some(json!({"a": 1}))),
            ("3", Some(json!(3))),
            (
                "Here:\n```json\n{\"a\": [2]}\n```\nThat is it.",
                Some(json!({"a": [2]})),
            ),
            ("```\n[1]\n```", Some(json!([1]))),
            ("```{\"a\":1}```", Some(json!({"a": 1}))),
            ("Here: {\"a\": 1}", None),
            ("```json\n{\"a\": \n```", None),
            ("``` ```", None),
            ("", None),
        ] {
            assert_eq!(json_in(text), expected, "{text}");
        }
    }
}
