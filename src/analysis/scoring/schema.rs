//! Says whether a JSON value fits a JSON schema, of the keywords that schemas for answers use.
//!
//! Source: JSON Schema 2020-12, Core and Validation; of draft 7 also `definitions` and a list under
//! `items`. A keyword that is not known here makes the schema unreadable: half a check would pass
//! for a whole one. `format` is an annotation, as 2020-12 has it. The crate that knows all of it
//! adds 4.8 MB to the program, a quarter of what it may weigh.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use super::field::{alike, ordered, whole};
use super::pattern::Pattern;

/// A schema that was read.
#[derive(Debug, Clone)]
pub struct Schema {
    root: Value,
    patterns: BTreeMap<String, Pattern>,
}

/// Keywords whose value is one schema.
const ONE: [&str; 8] = [
    "additionalProperties",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "items",
];
/// Keywords whose value is a list of schemas.
const LIST: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value is an object of schemas.
const NAMED: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];
/// Keywords whose value is a count.
const COUNT: [&str; 8] = [
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minContains",
    "maxContains",
];
/// Keywords whose value is a number.
const NUMBER: [&str; 5] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
];
/// Keywords that say nothing of whether a value fits.
const REMARK: [&str; 14] = [
    "$schema",
    "$id",
    "$comment",
    "$anchor",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "contentEncoding",
    "contentMediaType",
];
/// Names of types.
const TYPES: [&str; 7] = [
    "null", "boolean", "object", "array", "number", "integer", "string",
];

/// Schemas within schemas, followed references included: a schema that refers to itself without end
/// fits nothing.
const DEPTH_MAX: u32 = 200;

impl Schema {
    /// Reads a schema; an error says what is wrong with it.
    pub fn read(schema: &Value) -> Result<Self, String> {
        let mut read = Self {
            root: schema.clone(),
            patterns: BTreeMap::new(),
        };
        check(schema, schema, &mut read.patterns)
            .map_err(|what| format!("no JSON schema: {what}"))?;
        Ok(read)
    }

    /// Whether `value` fits.
    #[must_use]
    pub fn takes(&self, value: &Value) -> bool {
        self.fits(&self.root, value, 0)
    }

    fn fits(&self, schema: &Value, value: &Value, depth: u32) -> bool {
        let Value::Object(words) = schema else {
            return schema == &Value::Bool(true);
        };
        if depth > DEPTH_MAX {
            return false;
        }
        let under = |schema: &Value, value: &Value| self.fits(schema, value, depth + 1);
        words.iter().all(|(word, of)| match word.as_str() {
            "$ref" => target(of, &self.root).is_some_and(|schema| under(schema, value)),
            "type" => each(of).any(|name| is_of_type(value, name.as_str().unwrap_or_default())),
            "enum" => each(of).any(|one| alike(one, value)),
            "const" => alike(of, value),
            "allOf" => each(of).all(|schema| under(schema, value)),
            "anyOf" => each(of).any(|schema| under(schema, value)),
            "oneOf" => each(of).filter(|schema| under(schema, value)).count() == 1,
            "not" => !under(of, value),
            "if" => {
                let then = if under(of, value) { "then" } else { "else" };
                words.get(then).is_none_or(|schema| under(schema, value))
            }
            _ => match value {
                Value::Object(fields) => self.object(word, of, words, fields, &under),
                Value::Array(items) => array(word, of, words, items, &under),
                Value::String(text) => self.text(word, of, text),
                Value::Number(number) => numeric(word, of, number),
                Value::Null | Value::Bool(_) => true,
            },
        })
    }

    fn object(
        &self,
        word: &str,
        of: &Value,
        words: &Map<String, Value>,
        fields: &Map<String, Value>,
        under: &dyn Fn(&Value, &Value) -> bool,
    ) -> bool {
        let matches = |pattern: &str, name: &str| {
            self.patterns
                .get(pattern)
                .is_some_and(|pattern| pattern.is_in(name))
        };
        match word {
            "properties" => named(of)
                .all(|(name, schema)| fields.get(name).is_none_or(|field| under(schema, field))),
            "patternProperties" => named(of).all(|(pattern, schema)| {
                let mut those = fields.iter().filter(|(name, _)| matches(pattern, name));
                those.all(|(_, field)| under(schema, field))
            }),
            "additionalProperties" => {
                let known = |name: &str| {
                    let listed = words
                        .get("properties")
                        .is_some_and(|all| all.get(name).is_some());
                    let patterns = words.get("patternProperties");
                    listed
                        || patterns
                            .into_iter()
                            .flat_map(named)
                            .any(|(pattern, _)| matches(pattern, name))
                };
                let mut others = fields.iter().filter(|(name, _)| !known(name));
                others.all(|(_, field)| under(of, field))
            }
            "propertyNames" => fields
                .keys()
                .all(|name| under(of, &Value::from(name.as_str()))),
            "required" => {
                each(of).all(|name| name.as_str().is_some_and(|name| fields.contains_key(name)))
            }
            "dependentRequired" => named(of).all(|(name, needed)| {
                let has =
                    |name: &Value| name.as_str().is_some_and(|name| fields.contains_key(name));
                !fields.contains_key(name) || each(needed).all(has)
            }),
            "minProperties" => count(of) <= fields.len() as u64,
            "maxProperties" => count(of) >= fields.len() as u64,
            _ => true,
        }
    }

    fn text(&self, word: &str, of: &Value, text: &str) -> bool {
        match word {
            "minLength" => count(of) <= text.chars().count() as u64,
            "maxLength" => count(of) >= text.chars().count() as u64,
            "pattern" => {
                let pattern = self.patterns.get(of.as_str().unwrap_or_default());
                pattern.is_some_and(|pattern| pattern.is_in(text))
            }
            _ => true,
        }
    }
}

fn array(
    word: &str,
    of: &Value,
    words: &Map<String, Value>,
    items: &[Value],
    under: &dyn Fn(&Value, &Value) -> bool,
) -> bool {
    match word {
        "items" | "prefixItems" if of.is_array() => each(of)
            .zip(items)
            .all(|(schema, item)| under(schema, item)),
        "items" => {
            let before = words.get("prefixItems").map_or(0, |all| each(all).count());
            items.iter().skip(before).all(|item| under(of, item))
        }
        "contains" => {
            let found = items.iter().filter(|item| under(of, item)).count() as u64;
            let least = words.get("minContains").map_or(1, count);
            found >= least
                && words
                    .get("maxContains")
                    .is_none_or(|most| found <= count(most))
        }
        "minItems" => count(of) <= items.len() as u64,
        "maxItems" => count(of) >= items.len() as u64,
        "uniqueItems" => {
            let twice =
                |(at, item): (usize, &Value)| items[..at].iter().any(|other| alike(other, item));
            of != &Value::Bool(true) || !items.iter().enumerate().any(twice)
        }
        _ => true,
    }
}

fn numeric(word: &str, of: &Value, number: &Number) -> bool {
    let Value::Number(bound) = of else {
        return true;
    };
    let is = |test: fn(Ordering) -> bool| ordered(number, bound).is_none_or(test);
    match word {
        "minimum" => is(Ordering::is_ge),
        "maximum" => is(Ordering::is_le),
        "exclusiveMinimum" => is(Ordering::is_gt),
        "exclusiveMaximum" => is(Ordering::is_lt),
        "multipleOf" => match (whole(number), whole(bound)) {
            (Some(number), Some(bound)) => bound != 0 && number % bound == 0,
            _ => number
                .as_f64()
                .zip(bound.as_f64())
                .is_none_or(|(number, bound)| {
                    let times = number / bound;
                    (times - times.round()).abs() <= 1e-9 * times.abs().max(1.0)
                }),
        },
        _ => true,
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match (name, value) {
        ("integer", Value::Number(number)) => {
            number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        ("null", Value::Null)
        | ("boolean", Value::Bool(_))
        | ("object", Value::Object(_))
        | ("array", Value::Array(_))
        | ("number", Value::Number(_))
        | ("string", Value::String(_)) => true,
        _ => false,
    }
}

/// The elements of a list; of anything else itself.
fn each(of: &Value) -> impl Iterator<Item = &Value> {
    match of {
        Value::Array(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    }
    .iter()
}

fn named(of: &Value) -> impl Iterator<Item = (&String, &Value)> {
    of.as_object().into_iter().flatten()
}

/// A count; `1.0` is one too.
fn count(of: &Value) -> u64 {
    of.as_u64()
        .or_else(|| of.as_f64().map(|count| count as u64))
        .unwrap_or(0)
}

/// What a reference within the schema itself leads to.
fn target<'a>(reference: &Value, root: &'a Value) -> Option<&'a Value> {
    root.pointer(reference.as_str()?.strip_prefix('#')?)
}

/// Looks at every schema within `schema`, and takes up its patterns.
fn check(
    schema: &Value,
    root: &Value,
    patterns: &mut BTreeMap<String, Pattern>,
) -> Result<(), String> {
    let Value::Object(words) = schema else {
        return if schema.is_boolean() {
            Ok(())
        } else {
            Err("a schema is an object, true or false".to_owned())
        };
    };
    for (word, of) in words {
        let wrong = |expected: &str| Err(format!("`{word}` must be {expected}"));
        match word.as_str() {
            word if REMARK.contains(&word) => {}
            "items" if of.is_array() => each(of).try_for_each(|one| check(one, root, patterns))?,
            word if ONE.contains(&word) => check(of, root, patterns)?,
            word if LIST.contains(&word) => {
                if of.as_array().is_none_or(Vec::is_empty) {
                    return wrong("a list of schemas");
                }
                each(of).try_for_each(|one| check(one, root, patterns))?;
            }
            word if NAMED.contains(&word) => {
                if !of.is_object() {
                    return wrong("an object of schemas");
                }
                for (name, one) in named(of) {
                    if word == "patternProperties" {
                        patterns.insert(name.clone(), Pattern::read(name)?);
                    }
                    check(one, root, patterns)?;
                }
            }
            word if COUNT.contains(&word) => {
                if of
                    .as_f64()
                    .is_none_or(|count| count < 0.0 || count.fract() != 0.0)
                {
                    return wrong("a count");
                }
            }
            word if NUMBER.contains(&word) => {
                if of
                    .as_f64()
                    .is_none_or(|number| word == "multipleOf" && number <= 0.0)
                {
                    return wrong("a number");
                }
            }
            "pattern" => {
                let Some(text) = of.as_str() else {
                    return wrong("a regular expression");
                };
                patterns.insert(text.to_owned(), Pattern::read(text)?);
            }
            "type" => {
                let known = |name: &Value| name.as_str().is_some_and(|name| TYPES.contains(&name));
                if !each(of).all(known) {
                    return wrong("a type's name, or a list of such");
                }
            }
            "required" => {
                if of
                    .as_array()
                    .is_none_or(|names| !names.iter().all(Value::is_string))
                {
                    return wrong("a list of names");
                }
            }
            "dependentRequired" => {
                if !of.is_object() {
                    return wrong("an object of lists of names");
                }
            }
            "enum" => {
                if !of.is_array() {
                    return wrong("a list");
                }
            }
            "uniqueItems" => {
                if !of.is_boolean() {
                    return wrong("true or false");
                }
            }
            "const" => {}
            "$ref" => {
                if target(of, root).is_none() {
                    return wrong("a place in the schema itself, such as #/$defs/name");
                }
            }
            _ => return Err(format!("the keyword `{word}` is not known here")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Each schema with values that fit it, and values that do not.
    fn cases() -> Vec<(Value, Value, Value)> {
        vec![
            (json!(true), json!([1, null]), json!([])),
            (json!(false), json!([]), json!([1, null])),
            (
                json!({"type": "integer"}),
                json!([1, -2, 1.0]),
                json!([1.5, "1", null]),
            ),
            (
                json!({"type": ["string", "null"]}),
                json!(["", null]),
                json!([1, {}]),
            ),
            (
                json!({"enum": ["a", 1]}),
                json!(["a", 1, 1.0]),
                json!(["b", 2]),
            ),
            (
                json!({"const": {"a": 1}}),
                json!([{"a": 1}]),
                json!([{"a": 2}, {}]),
            ),
            (
                json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}),
                json!([{"a": "x"}, {"a": "x", "b": 1}]),
                json!([{}, {"a": 1}, []]),
            ),
            (
                json!({"properties": {"a": true}, "patternProperties": {"^x": {"type": "number"}},
                       "additionalProperties": false}),
                json!([{}, {"a": 1, "xy": 2}, 7]),
                json!([{"b": 1}, {"xy": "2"}]),
            ),
            (
                json!({"additionalProperties": {"type": "integer"}}),
                json!([{"q": 1}]),
                json!([{"q": "1"}]),
            ),
            (
                json!({"propertyNames": {"maxLength": 2}}),
                json!([{"ab": 1}]),
                json!([{"abc": 1}]),
            ),
            (
                json!({"minProperties": 1, "maxProperties": 2}),
                json!([{"a": 1}]),
                json!([{}, {"a": 1, "b": 2, "c": 3}]),
            ),
            (
                json!({"dependentRequired": {"a": ["b"]}}),
                json!([{}, {"b": 1}, {"a": 1, "b": 1}]),
                json!([{"a": 1}]),
            ),
            (
                json!({"items": {"type": "integer"}, "minItems": 1, "maxItems": 2}),
                json!([[1], [1, 2]]),
                json!([[], [1, 2, 3], ["a"]]),
            ),
            (
                json!({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}),
                json!([["a", 1, 2], []]),
                json!([[1], ["a", "b"]]),
            ),
            (
                json!({"contains": {"const": 1}, "minContains": 2, "maxContains": 3}),
                json!([[1, 1], [1, 0, 1, 1]]),
                json!([[1], [1, 1, 1, 1]]),
            ),
            (
                json!({"uniqueItems": true}),
                json!([[1, 2], []]),
                json!([[1, 1.0], [{}, {}]]),
            ),
            (
                json!({"minLength": 2, "maxLength": 3, "pattern": "^[a-zé]+$"}),
                json!(["ab", "éab"]),
                json!(["a", "abcd", "A1"]),
            ),
            (
                json!({"minimum": 0, "exclusiveMaximum": 1, "multipleOf": 0.1}),
                json!([0, 0.3, "x"]),
                json!([-0.1, 1, 0.25]),
            ),
            // Whole numbers that an f64 cannot tell apart.
            (
                json!({"minimum": 9_007_199_254_740_993_u64}),
                json!([9_007_199_254_740_993_u64, 1e17]),
                json!([9_007_199_254_740_992_u64]),
            ),
            (
                json!({"multipleOf": 2, "exclusiveMaximum": 9_007_199_254_740_995_u64}),
                json!([9_007_199_254_740_994_u64, 4.0]),
                json!([9_007_199_254_740_993_u64, 9_007_199_254_740_996_u64]),
            ),
            (
                json!({"enum": [9_007_199_254_740_992_u64]}),
                json!([9_007_199_254_740_992_u64]),
                json!([9_007_199_254_740_993_u64]),
            ),
            (
                json!({"exclusiveMinimum": 0, "maximum": 2}),
                json!([1, 2]),
                json!([0, 2.5]),
            ),
            (
                json!({"allOf": [{"type": "string"}, {"minLength": 2}]}),
                json!(["ab"]),
                json!(["a", 5]),
            ),
            (
                json!({"anyOf": [{"type": "string"}, {"minimum": 3}]}),
                json!(["a", 4]),
                json!([2]),
            ),
            (
                json!({"oneOf": [{"type": "integer"}, {"minimum": 3}]}),
                json!([1, 3.5]),
                json!([4, 2.5]),
            ),
            (json!({"not": {"type": "null"}}), json!([1]), json!([null])),
            (
                json!({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 2}}),
                json!(["ab", 2]),
                json!(["a", 1]),
            ),
            (
                json!({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object",
                       "properties": {"next": {"$ref": "#/$defs/tree"}}}}}),
                json!([{}, {"next": {"next": {}}}]),
                json!([{"next": {"next": 3}}, 1]),
            ),
            (
                json!({"definitions": {"n": {"type": "number"}}, "items": [{"$ref": "#/definitions/n"}],
                       "title": "pair", "format": "none"}),
                json!([[1, "x"]]),
                json!([["x"]]),
            ),
        ]
    }

    #[test]
    fn values_fit_or_do_not() {
        for (schema, good, bad) in cases() {
            let read = Schema::read(&schema).unwrap();
            for (values, fits) in [(&good, true), (&bad, false)] {
                for value in values.as_array().unwrap() {
                    assert_eq!(read.takes(value), fits, "{schema}: {value}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (schema, message) in [
            (json!(3), "a schema is an object"),
            (
                json!({"dependentSchemas": {}}),
                "`dependentSchemas` is not known",
            ),
            (
                json!({"properties": {"a": {"typ": "string"}}}),
                "`typ` is not known",
            ),
            (json!({"type": "text"}), "`type`"),
            (json!({"type": 3}), "`type`"),
            (json!({"anyOf": []}), "`anyOf`"),
            (json!({"properties": []}), "`properties`"),
            (json!({"minLength": -1}), "`minLength`"),
            (json!({"multipleOf": 0}), "`multipleOf`"),
            (json!({"pattern": "("}), "regular expression"),
            (json!({"required": "a"}), "`required`"),
            (json!({"enum": 1}), "`enum`"),
            (json!({"uniqueItems": 1}), "`uniqueItems`"),
            (json!({"$ref": "#/nowhere"}), "`$ref`"),
            (json!({"$ref": "https://example.com/schema"}), "`$ref`"),
        ] {
            let found = Schema::read(&schema).unwrap_err();
            assert!(found.contains(message), "{schema}: {found}");
        }
        let endless = Schema::read(&json!({"$ref": "#"})).unwrap();
        assert!(!endless.takes(&json!(1)));
    }
}
