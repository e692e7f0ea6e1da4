//! Holds a request against the fields that an API knows.

use serde_json::Value;

use super::super::base64;

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Anything.
    Any,
    /// A string.
    Text,
    /// Base 64.
    Bytes,
    /// A whole number of at least this.
    Whole(i64),
    /// A number from the first to the second.
    Number(f64, f64),
    /// True or false.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list.
    List(&'static Self),
    /// An object with any fields.
    Map,
    /// An object with these fields.
    Object(&'static Shape),
    /// An object whose shape follows from one of its fields.
    Tagged(&'static str, &'static [(&'static str, &'static Shape)]),
    /// A string, or else this.
    TextOr(&'static Self),
}

/// One field of an object.
#[derive(Debug)]
pub(super) struct Field {
    name: &'static str,
    kind: Kind,
    required: bool,
}

/// A field that may be there.
pub(super) const fn may(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: false,
    }
}

/// A field that must be there.
pub(super) const fn must(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: true,
    }
}

/// The fields of an object.
#[derive(Debug)]
pub(super) struct Shape {
    /// Its fields.
    pub(super) fields: &'static [Field],
    /// Of these fields exactly one is there.
    pub(super) one_of: &'static [&'static str],
}

impl Shape {
    /// An object with these fields.
    pub(super) const fn of(fields: &'static [Field]) -> Self {
        Self {
            fields,
            one_of: &[],
        }
    }
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// A field that the API does not know.
    Unknown(String),
    /// A field that must be there is not.
    Missing(&'static str),
    /// Not what it must be.
    Not(String),
    /// Not exactly one of these.
    NotOne(&'static [&'static str]),
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// Names and places from the outside in.
    pub(super) path: Vec<Step>,
    /// What is wrong there.
    pub(super) fault: Fault,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Into the field of that name.
    Field(String),
    /// Into the list, to that place.
    Place(usize),
}

/// How an API takes names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// As they are written in its documentation only.
    AsWritten,
    /// Also with underscores, and null as nothing: JSON as protocol buffers take it.
    Protobuf,
}

/// The first thing that is wrong with an object.
pub(super) fn examine(value: &Value, shape: &'static Shape, names: Names) -> Option<Finding> {
    let mut path = Vec::new();
    let fault = object(value, shape, names, &mut path)?;
    Some(Finding { path, fault })
}

fn object(value: &Value, shape: &Shape, names: Names, path: &mut Vec<Step>) -> Option<Fault> {
    let Value::Object(fields) = value else {
        return Some(Fault::Not("an object".to_owned()));
    };
    for (name, value) in fields {
        let camel;
        let known = if names == Names::Protobuf {
            camel = camel_case(name);
            &camel
        } else {
            name
        };
        let Some(field) = shape.fields.iter().find(|field| field.name == *known) else {
            return Some(Fault::Unknown(name.clone()));
        };
        if value.is_null() && names == Names::Protobuf {
            continue;
        }
        path.push(Step::Field(name.clone()));
        if let Some(fault) = kind(value, field.kind, names, path) {
            return Some(fault);
        }
        path.pop();
    }
    let has = |wanted: &str| {
        fields.iter().any(|(name, value)| {
            (name == wanted || names == Names::Protobuf && camel_case(name) == wanted)
                && !value.is_null()
        })
    };
    let missing = shape
        .fields
        .iter()
        .find(|field| field.required && !has(field.name));
    if let Some(field) = missing {
        return Some(Fault::Missing(field.name));
    }
    let count = shape.one_of.iter().filter(|name| has(name)).count();
    (count != 1 && !shape.one_of.is_empty()).then_some(Fault::NotOne(shape.one_of))
}

fn kind(value: &Value, kind_of: Kind, names: Names, path: &mut Vec<Step>) -> Option<Fault> {
    let not = |what: &str| Some(Fault::Not(what.to_owned()));
    match (kind_of, value) {
        (Kind::Any, _)
        | (Kind::Text | Kind::TextOr(_), Value::String(_))
        | (Kind::Flag, Value::Bool(_))
        | (Kind::Map, Value::Object(_)) => None,
        (Kind::Text, _) => not("a string"),
        (Kind::Flag, _) => not("true or false"),
        (Kind::Map, _) => not("an object"),
        (Kind::Bytes, Value::String(text)) if base64::decode(text).is_some() => None,
        (Kind::Bytes, _) => not("base 64"),
        (Kind::Whole(least), _) => match value.as_i64() {
            Some(number) if number >= least => None,
            Some(_) => Some(Fault::Not(format!("{least} or more"))),
            None => not("a whole number"),
        },
        (Kind::Number(low, high), _) => match value.as_f64() {
            Some(number) if (low..=high).contains(&number) => None,
            Some(_) => Some(Fault::Not(format!("from {low} to {high}"))),
            None => not("a number"),
        },
        (Kind::Word(words), Value::String(word)) if words.contains(&word.as_str()) => None,
        (Kind::Word(words), _) => Some(Fault::Not(format!("one of {}", words.join(", ")))),
        (Kind::List(inner), Value::Array(items)) => {
            for (place, item) in items.iter().enumerate() {
                path.push(Step::Place(place));
                if let Some(fault) = kind(item, *inner, names, path) {
                    return Some(fault);
                }
                path.pop();
            }
            None
        }
        (Kind::List(_), _) => not("a list"),
        (Kind::Object(shape), _) => object(value, shape, names, path),
        (Kind::TextOr(other), _) => kind(value, *other, names, path),
        (Kind::Tagged(tag, shapes), _) => {
            let word = value.get(tag).and_then(Value::as_str);
            let Some(word) = word else {
                return Some(Fault::Missing(tag));
            };
            let Some((_, shape)) = shapes.iter().find(|(name, _)| *name == word) else {
                path.push(Step::Field(tag.to_owned()));
                let known: Vec<&str> = shapes.iter().map(|(name, _)| *name).collect();
                return Some(Fault::Not(format!("one of {}", known.join(", "))));
            };
            object(value, shape, names, path)
        }
    }
}

/// `maxOutputTokens` of `max_output_tokens`.
pub(super) fn camel_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut raise = false;
    for letter in name.chars() {
        if letter == '_' {
            raise = true;
        } else if raise {
            out.extend(letter.to_uppercase());
            raise = false;
        } else {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WORDS: Kind = Kind::Word(&["red", "blue"]);
    static LEAF: Shape = Shape {
        fields: &[may("text", Kind::Text), may("bytes", Kind::Bytes)],
        one_of: &["text", "bytes"],
    };
    static TREE: Shape = Shape::of(&[
        must("maxTokens", Kind::Whole(1)),
        may("colour", WORDS),
        may("heat", Kind::Number(0.0, 1.0)),
        may("leaves", Kind::List(&Kind::Object(&LEAF))),
        may(
            "part",
            Kind::TextOr(&Kind::Tagged("type", &[("leaf", &TAGGED)])),
        ),
    ]);
    static TAGGED: Shape = Shape::of(&[must("type", Kind::Text), may("on", Kind::Flag)]);

    #[test]
    fn what_is_wrong_is_found_where_it_is() {
        let at = |path: &[&str]| -> Vec<Step> {
            path.iter()
                .map(|step| match step.parse() {
                    Ok(place) => Step::Place(place),
                    Err(_) => Step::Field((*step).to_owned()),
                })
                .collect()
        };
        for (value, path, fault) in [
            (
                json!({"maxTokens": 1, "colour": "red", "heat": 0.5}),
                at(&[]),
                None,
            ),
            (
                json!({"maxTokens": 1, "x": 1}),
                at(&[]),
                Some(Fault::Unknown("x".into())),
            ),
            (
                json!({"heat": 1}),
                at(&[]),
                Some(Fault::Missing("maxTokens")),
            ),
            (
                json!({"maxTokens": 0}),
                at(&["maxTokens"]),
                Some(Fault::Not("1 or more".into())),
            ),
            (
                json!({"maxTokens": 1, "leaves": [{"text": "a"}, {"bytes": "a"}]}),
                at(&["leaves", "1", "bytes"]),
                Some(Fault::Not("base 64".into())),
            ),
            (
                json!({"maxTokens": 1, "leaves": [{}]}),
                at(&["leaves", "0"]),
                Some(Fault::NotOne(&["text", "bytes"])),
            ),
            (json!({"maxTokens": 1, "part": "text"}), at(&[]), None),
            (
                json!({"maxTokens": 1, "part": {"type": "leaf", "on": true}}),
                at(&[]),
                None,
            ),
            (
                json!({"maxTokens": 1, "part": {"type": "root"}}),
                at(&["part", "type"]),
                Some(Fault::Not("one of leaf".into())),
            ),
        ] {
            let found = examine(&value, &TREE, Names::AsWritten);
            let wanted = fault.map(|fault| Finding { path, fault });
            assert_eq!(found, wanted, "{value}");
        }
        let snake = json!({"max_tokens": 1, "colour": null});
        assert_eq!(examine(&snake, &TREE, Names::Protobuf), None);
        assert!(examine(&snake, &TREE, Names::AsWritten).is_some());
    }
}
