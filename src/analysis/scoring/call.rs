//! Compares the tools that an answer calls with those that it was to call.

use serde_json::Value;

use super::answer::{Answer, Call};
use super::field::alike;

/// The calls that `expected` names: `{"name", "arguments"}`, or a list of such. Arguments that are
/// left out may be anything.
pub(super) fn expected_calls(expected: &Value) -> Result<Vec<(String, Option<Value>)>, String> {
    let wrong = || "expected a call {\"name\", \"arguments\"}, or a list of calls".to_owned();
    let one = |value: &Value| {
        let name = value
            .get("name")
            .and_then(Value::as_str)
            .ok_or_else(wrong)?;
        Ok((name.to_owned(), value.get("arguments").map(parsed)))
    };
    match expected {
        Value::Array(calls) => calls.iter().map(one).collect(),
        call => Ok(vec![one(call)?]),
    }
}

/// Arguments as JSON: in many files they stand as text, as the wire has them.
fn parsed(arguments: &Value) -> Value {
    let text = arguments.as_str();
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| arguments.clone())
}

/// Whether the answer calls these tools with these arguments and no others, in whatever order.
pub(super) fn same_calls(answer: &Answer, expected: &[(String, Option<Value>)]) -> bool {
    let mut left = answer.all_calls();
    if left.len() != expected.len() {
        return false;
    }
    // Those with arguments first: what may be anything takes what is left.
    let (named, free): (Vec<_>, Vec<_>) = expected
        .iter()
        .partition(|(_, arguments)| arguments.is_some());
    named.into_iter().chain(free).all(|(name, arguments)| {
        let fits = |call: &Call| {
            let arguments = arguments.as_ref();
            call.name == *name
                && arguments.is_none_or(|wanted| alike(&parsed(&call.arguments), wanted))
        };
        let found = left.iter().position(fits);
        found.map(|at| left.remove(at)).is_some()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_are_compared_by_name_and_arguments() {
        let call = |name: &str, arguments| Call {
            name: name.to_owned(),
            arguments,
        };
        let weather = json!({"name": "weather", "arguments": {"city": "Oslo", "days": 1}});
        for (calls, expected, equal) in [
            (
                vec![call("weather", json!({"days": 1.0, "city": "Oslo"}))],
                weather.clone(),
                true,
            ),
            (
                vec![call("weather", json!("{\"city\": \"Oslo\", \"days\": 1}"))],
                weather.clone(),
                true,
            ),
            (
                vec![call("weather", json!({"city": "Rome", "days": 1}))],
                weather.clone(),
                false,
            ),
            (
                vec![call("wether", json!({"city": "Oslo", "days": 1}))],
                weather.clone(),
                false,
            ),
            (vec![], weather.clone(), false),
            (
                vec![
                    call("a", json!({})),
                    call("weather", json!({"city": "Oslo", "days": 1})),
                ],
                weather.clone(),
                false,
            ),
            (vec![call("a", json!({"x": 1}))], json!({"name": "a"}), true),
            (
                vec![call("a", json!({"x": 1}))],
                json!({"name": "a", "arguments": "{\"x\":1}"}),
                true,
            ),
            (
                vec![call("a", json!({"x": 2})), call("a", json!({"x": 1}))],
                json!([{"name": "a"}, {"name": "a", "arguments": {"x": 2}}]),
                true,
            ),
            (vec![], json!([]), true),
        ] {
            let answer = Answer {
                text: String::new(),
                calls,
            };
            let wanted = expected_calls(&expected).unwrap();
            assert_eq!(same_calls(&answer, &wanted), equal, "{answer:?} {expected}");
        }
        let written = Answer::of_text(r#"<function=weather>{"city":"Oslo","days":1}</function>"#);
        assert!(same_calls(&written, &expected_calls(&weather).unwrap()));
        for bad in [json!("weather"), json!({"arguments": {}}), json!([3])] {
            assert!(expected_calls(&bad).is_err(), "{bad}");
        }
    }
}
