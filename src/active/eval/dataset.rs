//! Reads a data set: JSONL, one item a line.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// One item of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The line on which it stands, from 1.
    pub line: usize,
    /// What it is called in records: its `id`, or else `line-7`.
    pub id: String,
    /// What is asked: a text, a list of messages, or named fields.
    pub input: Value,
    /// What is expected of the answer.
    pub expected: Option<Value>,
    /// What else is said of it.
    pub metadata: Map<String, Value>,
}

/// Problems that are told at once.
const PROBLEMS_MAX: usize = 10;
/// Characters of an item's name and of a group's: they stand in records and tables.
const NAME_MAX: usize = 64;

impl Item {
    /// Its messages, where its input is a list of such.
    #[must_use]
    pub fn messages(&self) -> Option<&Vec<Value>> {
        self.input.as_array()
    }

    /// The value of a metadata field in words, for groups of items.
    #[must_use]
    pub fn group(&self, field: &str) -> String {
        let text = match self.metadata.get(field) {
            None | Some(Value::Null) => "(none)".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        text.chars().take(NAME_MAX).collect()
    }
}

/// The items of `text`, a file called `name`. An error lists what is wrong, line by line.
pub fn read(name: &str, text: &str) -> Result<Vec<Item>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut problems = Vec::new();
    let mut items = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (place, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let number = place + 1;
        match item(number, line) {
            Ok(item) => {
                if let Some(first) = seen.insert(item.id.clone(), number) {
                    problems.push(format!(
                        "{name} line {number}: the id of line {first} again"
                    ));
                }
                items.push(item);
            }
            Err(what) => problems.push(format!("{name} line {number}: {what}")),
        }
    }
    if items.is_empty() && problems.is_empty() {
        return Err(format!(
            "{name} holds no item: expected a JSON object a line"
        ));
    }
    told(problems).map(|()| items)
}

/// Some problems as one error, the first of them in full.
pub(super) fn told(mut problems: Vec<String>) -> Result<(), String> {
    if problems.is_empty() {
        return Ok(());
    }
    let more = problems.len().saturating_sub(PROBLEMS_MAX);
    problems.truncate(PROBLEMS_MAX);
    if more > 0 {
        problems.push(format!("and {more} more"));
    }
    Err(problems.join("\n"))
}

fn item(line: usize, text: &str) -> Result<Item, String> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| format!("no JSON (column {}): {}", error.column(), kind(&error)))?;
    let Value::Object(mut fields) = value else {
        return Err("expected an object with `input`".to_owned());
    };
    let input = fields.remove("input").ok_or("it has no `input`")?;
    check_input(&input)?;
    let id = match fields.remove("id") {
        None => format!("line-{line}"),
        Some(Value::String(id)) if is_name(&id) => id,
        Some(Value::Number(id)) => id.to_string(),
        Some(_) => {
            return Err("`id` must be 1 to 64 letters, digits or . _ : -".to_owned());
        }
    };
    let metadata = match fields.remove("metadata") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(metadata)) => metadata,
        Some(_) => return Err("`metadata` must be an object".to_owned()),
    };
    let expected = fields.remove("expected").filter(|value| !value.is_null());
    if let Some(name) = fields.keys().next() {
        return Err(format!(
            "`{name}` is none of input, expected, metadata, id: put it into metadata"
        ));
    }
    Ok(Item {
        line,
        id,
        input,
        expected,
        metadata,
    })
}

/// What serde's message says without its place and without any of the line's text.
fn kind(error: &serde_json::Error) -> &'static str {
    if error.is_eof() {
        "it ends too early"
    } else {
        "it is malformed there"
    }
}

fn is_name(id: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    (1..=NAME_MAX).contains(&id.len()) && id.chars().all(sound)
}

fn check_input(input: &Value) -> Result<(), String> {
    match input {
        Value::String(text) if text.trim().is_empty() => Err("`input` is empty".to_owned()),
        Value::Object(fields) if fields.is_empty() => Err("`input` is empty".to_owned()),
        Value::String(_) | Value::Object(_) => Ok(()),
        Value::Array(messages) => {
            let sound = |message: &Value| message.get("role").is_some_and(Value::is_string);
            if messages.is_empty() || !messages.iter().all(sound) {
                return Err("`input` is a list, but not of messages with a `role`".to_owned());
            }
            Ok(())
        }
        _ => Err("`input` must be a text, a list of messages, or named fields".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn items_are_read() {
        let text = "\u{feff}{\"input\": \"a\", \"expected\": 1, \"metadata\": {\"k\": \"v\", \"n\": 2}}\n\n\
                    {\"input\": [{\"role\": \"user\", \"content\": \"b\"}], \"id\": \"x-1\", \"expected\": null}\r\n\
                    {\"input\": {\"q\": \"c\"}, \"id\": 7, \"metadata\": null}\n";
        let items = read("set.jsonl", text).unwrap();
        let ids: Vec<_> = items
            .iter()
            .map(|item| (item.line, item.id.as_str()))
            .collect();
        assert_eq!(ids, [(1, "line-1"), (3, "x-1"), (4, "7")]);
        assert_eq!(items[0].expected, Some(json!(1)));
        assert_eq!(items[1].expected, None);
        assert_eq!(items[1].messages().map(Vec::len), Some(1));
        let groups = ["k", "n", "none"].map(|field| items[0].group(field));
        assert_eq!(groups, ["v", "2", "(none)"]);
    }

    #[test]
    fn what_is_wrong_is_told_by_line() {
        for (text, message) in [
            ("", "holds no item"),
            (" \n\n", "holds no item"),
            (
                "{\"input\": \"a\"}\n{\"input\": ",
                "line 2: no JSON (column 10): it ends too early",
            ),
            (
                "{\"input\": secret}",
                "line 1: no JSON (column 11): it is malformed there",
            ),
            ("[1]", "line 1: expected an object"),
            ("{\"expected\": 1}", "line 1: it has no `input`"),
            ("{\"input\": \"\"}", "line 1: `input` is empty"),
            ("{\"input\": 3}", "line 1: `input` must be"),
            ("{\"input\": [\"a\"]}", "line 1: `input` is a list"),
            ("{\"input\": \"a\", \"metadata\": 1}", "line 1: `metadata`"),
            ("{\"input\": \"a\", \"id\": \"a b\"}", "line 1: `id`"),
            (
                "{\"input\": \"a\", \"output\": \"b\"}",
                "line 1: `output` is none of",
            ),
            (
                "{\"input\": \"a\", \"id\": \"x\"}\n{\"input\": \"b\", \"id\": \"x\"}",
                "line 2: the id of line 1 again",
            ),
        ] {
            let error = read("set.jsonl", text).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let many = "{}\n".repeat(15);
        let error = read("set.jsonl", &many).unwrap_err();
        assert_eq!(error.lines().count(), 11);
        assert!(error.ends_with("and 5 more"), "{error}");
    }
}
