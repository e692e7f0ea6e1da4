//! Makes values that fit a JSON schema, for tool arguments and structured output.

use serde_json::{Map, Value, json};

/// Nesting at which a schema that refers to itself is cut short.
const DEPTH_MAX: usize = 24;

/// A tool that a request offers.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    /// Its name.
    pub(super) name: String,
    /// The schema of its arguments.
    pub(super) schema: Value,
}

impl Tool {
    /// Reads one out of any of the three shapes: chat, responses, messages.
    pub(super) fn of(offered: &Value) -> Option<Self> {
        let inner = offered.get("function").unwrap_or(offered);
        let schema = ["parameters", "input_schema"]
            .iter()
            .find_map(|key| inner.get(key));
        Some(Self {
            name: inner.get("name")?.as_str()?.to_owned(),
            schema: schema.cloned().unwrap_or(Value::Null),
        })
    }
}

/// A value that fits a simple schema.
pub(super) fn sample(schema: &Value) -> Value {
    sample_at(schema, schema, 0)
}

fn sample_at(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(target) = reference(schema, root) {
        return sample_at(target, root, depth + 1);
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(value) = schema.get("enum").and_then(|values| values.get(0)) {
        return value.clone();
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(key).and_then(|choices| choices.get(0)) {
            return sample_at(first, root, depth + 1);
        }
    }
    sample_of_type(schema, root, depth)
}

fn reference<'a>(schema: &Value, root: &'a Value) -> Option<&'a Value> {
    let path = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
    root.pointer(path)
}

fn sample_of_type(schema: &Value, root: &Value, depth: usize) -> Value {
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        kind => kind.and_then(Value::as_str),
    };
    // Google's schemas say `STRING`.
    match kind.map(str::to_ascii_lowercase).as_deref() {
        Some("string") => sample_string(schema),
        Some("integer") => json!(bound(schema, "minimum").map_or(7, |low| low.ceil() as i64)),
        Some("number") => json!(bound(schema, "minimum").unwrap_or(1.5)),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        Some("array") => {
            let count = bound(schema, "minItems")
                .map_or(1, |low| low as usize)
                .min(100);
            let item = schema.get("items").unwrap_or(&Value::Null);
            (0..count)
                .map(|_| sample_at(item, root, depth + 1))
                .collect()
        }
        Some(_) | None => sample_object(schema, root, depth),
    }
}

fn sample_object(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return json!({});
    };
    let fields = properties
        .iter()
        .map(|(name, schema)| (name.clone(), sample_at(schema, root, depth + 1)));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn sample_string(schema: &Value) -> Value {
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2026-01-31",
        Some("date-time") => "2026-01-31T12:00:00Z",
        Some("email") => "someone@example.com",
        Some("uri") => "https://example.com/",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        _ => "Oslo",
    };
    let least = bound(schema, "minLength")
        .map_or(0, |low| low as usize)
        .min(10_000);
    let most = bound(schema, "maxLength").map_or(usize::MAX, |high| high as usize);
    let padded = text
        .chars()
        .chain(std::iter::repeat('o'))
        .take(least.max(text.len()));
    Value::String(padded.take(most).collect())
}

fn bound(schema: &Value, key: &str) -> Option<f64> {
    schema.get(key)?.as_f64()
}

/// Cuts a text into pieces of about four bytes, as a model would emit it.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::with_capacity(text.len() / 4 + 1);
    let mut rest = text;
    while !rest.is_empty() {
        let mut cut = rest.len().min(4);
        while !rest.is_char_boundary(cut) {
            cut += 1;
        }
        let (piece, tail) = rest.split_at(cut);
        pieces.push(piece.to_owned());
        rest = tail;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_fit_simple_schemas() {
        let person = json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 6},
                "age": {"type": ["integer", "null"], "minimum": 18},
                "kind": {"enum": ["cat", "dog"]},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
                "ok": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
            },
            "$defs": {"tag": {"const": "x"}},
        });
        for (schema, value) in [
            (
                person,
                json!({"name": "Oslooo", "age": 18, "kind": "cat", "tags": ["x", "x"], "ok": true}),
            ),
            (json!({"type": "string", "maxLength": 2}), json!("Os")),
            (json!({"$ref": "#"}), Value::Null),
            (Value::Null, json!({})),
        ] {
            assert_eq!(sample(&schema), value);
        }
    }

    #[test]
    fn tools_are_read_from_each_dialect_and_pieces_join_again() {
        let schema = json!({"type": "object"});
        for offered in [
            json!({"type": "function", "function": {"name": "f", "parameters": schema}}),
            json!({"type": "function", "name": "f", "parameters": schema}),
            json!({"name": "f", "input_schema": schema}),
        ] {
            let tool = Tool::of(&offered).unwrap();
            assert_eq!((tool.name.as_str(), &tool.schema), ("f", &schema));
        }
        let text = r#"{"city":"Zürich","東京":1}"#;
        assert_eq!(pieces(text).concat(), text);
    }
}
