//! Judges JSON by a JSON schema, as far as the project's own schemas go.

use serde_json::Value;

/// What is wrong with `value`, which stands at `path`, by `schema`, a part of `root`. A keyword
/// that is not known here is an error too: a schema must not say more than is looked at.
pub(crate) fn check(root: &Value, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{path}: {what}: {value}"));
    for (keyword, rule) in schema.as_object().unwrap() {
        let holds = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(pointer).unwrap(), value, path)?;
                true
            }
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "type" => match rule {
                Value::Array(all) => all.iter().any(|rule| is(rule, value)),
                one => is(one, value),
            },
            "required" => {
                let object = value.as_object();
                let keys = rule.as_array().unwrap();
                let has = |key: &Value| object.unwrap().contains_key(key.as_str().unwrap());
                object.is_none() || keys.iter().all(has)
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object().unwrap();
                let object = value.as_object();
                *rule != false
                    || object.is_none_or(|of| of.keys().all(|key| known.contains_key(key)))
            }
            "properties" => {
                for (key, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        check(root, rule, value, &format!("{path}.{key}"))?;
                    }
                }
                true
            }
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{path}[{place}]"))?;
                }
                true
            }
            "minItems" => value
                .as_array()
                .is_none_or(|all| all.len() as u64 >= rule.as_u64().unwrap()),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.len() as u64 >= rule.as_u64().unwrap()),
            "minimum" => value
                .as_f64()
                .is_none_or(|number| number >= rule.as_f64().unwrap()),
            "pattern" => value
                .as_str()
                .is_none_or(|text| matches(rule.as_str().unwrap(), text)),
            other => return Err(format!("{path}: nobody looks at `{other}`")),
        };
        if !holds {
            return wrong(&format!("not as `{keyword}` says, {rule}"));
        }
    }
    Ok(())
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => unreachable!("no type {other}"),
    }
}

/// The patterns of the project's schemas: classes and plain characters, each with `{n}`, `+`, or
/// an optional group at the end.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern = pattern
        .strip_prefix('^')
        .unwrap()
        .strip_suffix('$')
        .unwrap();
    if let Some((before, rest)) = pattern.split_once('(') {
        let (group, after) = rest.split_once(")?").unwrap();
        return [
            format!("{before}{after}"),
            format!("{before}{group}{after}"),
        ]
        .iter()
        .any(|pattern| matches(&format!("^{pattern}$"), text));
    }
    let mut rest = pattern;
    let mut left = text;
    while let Some(first) = rest.chars().next() {
        let class = if first == '[' {
            let (class, after) = rest[1..].split_once(']').unwrap();
            rest = after;
            class.to_owned()
        } else {
            let escaped = first == '\\';
            let plain = rest.chars().nth(usize::from(escaped)).unwrap();
            rest = &rest[usize::from(escaped) + plain.len_utf8()..];
            plain.to_string()
        };
        let (least, most) = if let Some(after) = rest.strip_prefix('{') {
            let (count, after) = after.split_once('}').unwrap();
            rest = after;
            let count: usize = count.parse().unwrap();
            (count, count)
        } else if let Some(after) = rest.strip_prefix('+') {
            rest = after;
            (1, usize::MAX)
        } else {
            (1, 1)
        };
        let found = left
            .chars()
            .take_while(|c| is_in(&class, *c))
            .take(most)
            .count();
        if found < least {
            return false;
        }
        left = &left[left
            .char_indices()
            .nth(found)
            .map_or(left.len(), |(at, _)| at)..];
    }
    left.is_empty()
}

fn is_in(class: &str, c: char) -> bool {
    let all: Vec<char> = class.chars().collect();
    let mut at = 0;
    while at < all.len() {
        if all.get(at + 1) == Some(&'-') && at + 2 < all.len() {
            if (all[at]..=all[at + 2]).contains(&c) {
                return true;
            }
            at += 3;
        } else {
            if all[at] == c {
                return true;
            }
            at += 1;
        }
    }
    false
}
