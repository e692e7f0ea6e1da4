//! Looks up one field of a JSON answer, and compares JSON values by what they mean.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// A way into a JSON value: names and numbers, as in `order.lines[0].price`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Place(usize),
}

impl Path {
    /// Reads one; an error says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (name, places) = part
                .split_once('[')
                .map_or((part, None), |(name, rest)| (name, Some(rest)));
            if name.is_empty() && places.is_none() {
                return Err(format!("`{text}` is no path such as order.lines[0].price"));
            }
            if !name.is_empty() {
                steps.push(Step::Name(name.to_owned()));
            }
            for place in places.into_iter().flat_map(|rest| rest.split('[')) {
                let place = place.strip_suffix(']').and_then(|place| place.parse().ok());
                let place =
                    place.ok_or_else(|| format!("`{part}` of `{text}` has no number in []"))?;
                steps.push(Step::Place(place));
            }
        }
        Ok(Self(steps))
    }

    /// What stands there.
    #[must_use]
    pub fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Name(name) => value.get(name),
            Step::Place(place) => value.get(place),
        })
    }
}

/// Which of two numbers is larger, to the last digit where both are whole and have 64 bits: an
/// `f64`, which the others are compared as, cannot tell 2^53 from 2^53 + 1.
pub(super) fn ordered(one: &Number, other: &Number) -> Option<Ordering> {
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

/// A number that is whole, however it is written.
pub(super) fn whole(number: &Number) -> Option<i128> {
    let signed = number.as_i64().map(i128::from);
    let unsigned = || number.as_u64().map(i128::from);
    let written = || {
        let value = number.as_f64()?;
        // Every whole f64 of this size is an i128 exactly.
        (value.fract() == 0.0 && value.abs() < 1e30).then_some(value as i128)
    };
    signed.or_else(unsigned).or_else(written)
}

/// Whether both mean the same: objects whatever the order of their fields, numbers by value (1 is
/// 1.0).
#[must_use]
pub(super) fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => ordered(one, other) == Some(Ordering::Equal),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| alike(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same = |(key, value)| other.get(key).is_some_and(|there| alike(value, there));
            one.len() == other.len() && one.iter().all(same)
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_to_values() {
        let value = json!({"a": {"b": [1, {"c": null}]}, "d e": 2});
        for (path, expected) in [
            ("a.b[0]", Some(json!(1))),
            ("a.b[1].c", Some(Value::Null)),
            ("d e", Some(json!(2))),
            ("a.b[2]", None),
            ("a.c", None),
            ("a[0]", None),
        ] {
            let found = Path::read(path).unwrap();
            assert_eq!(found.find(&value), expected.as_ref(), "{path}");
        }
        let rows = json!([[5, 6]]);
        assert_eq!(Path::read("[0][1]").unwrap().find(&rows), Some(&json!(6)));
        for bad in ["", "a..b", "a[x]", "a[0", "a[-1]"] {
            assert!(Path::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_alike_by_what_they_mean() {
        for (one, other, equal) in [
            (json!(1), json!(1.0), true),
            (json!({"a": 1, "b": [2.0]}), json!({"b": [2], "a": 1}), true),
            (json!({"a": 1}), json!({"a": 1, "b": null}), false),
            (json!([1, 2]), json!([2, 1]), false),
            (json!("1"), json!(1), false),
            (json!(null), json!(null), true),
            (
                json!(9_007_199_254_740_993_u64),
                json!(9_007_199_254_740_993_u64),
                true,
            ),
            (
                json!(9_007_199_254_740_992_u64),
                json!(9_007_199_254_740_993_u64),
                false,
            ),
            (
                json!(-9_007_199_254_740_992_i64),
                json!(-9_007_199_254_740_993_i64),
                false,
            ),
            (
                json!([{"id": u64::MAX}]),
                json!([{"id": u64::MAX - 1}]),
                false,
            ),
            (
                json!(9_007_199_254_740_992.0),
                json!(9_007_199_254_740_993_u64),
                false,
            ),
            (
                json!(9_007_199_254_740_992.0),
                json!(9_007_199_254_740_992_u64),
                true,
            ),
            (json!(0.0), json!(-0.0), true),
            (json!(1e300), json!(1e300), true),
            (json!(0.5), json!(0), false),
        ] {
            assert_eq!(alike(&one, &other), equal, "{one} {other}");
        }
    }
}
