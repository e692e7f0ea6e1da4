//! The scorers that need nothing but an answer and what was expected.

use serde_json::Value;

use super::answer::{Answer, json_in};
use super::call::{expected_calls, same_calls};
use super::choice::Choices;
use super::field::{Path, alike};
use super::grade::{Grade, ScorerFault};
use super::number::{last_number, nearness};
use super::pattern::Pattern;
use super::schema::Schema;
use super::words;

/// Why an item of a data set does not fit a scorer.
pub type Misfit = String;

/// A scorer that needs nothing but an answer and what was expected.
#[derive(Debug, Clone)]
pub enum Check {
    /// The text is the expected one, or one of those expected.
    Exact,
    /// It says the same: case, punctuation, articles, space and the forms of letters aside.
    Normalised,
    /// Its last number is the expected one: within the tolerance, or by degrees.
    Numeric(Option<f64>),
    /// The expression is found in it; the expected one unless given.
    Pattern(Option<Pattern>),
    /// It is JSON that fits the schema; the expected one unless given.
    Schema(Option<Schema>),
    /// It is JSON in which that field has the expected value.
    Field(Path),
    /// It calls the expected tools.
    Calls,
    /// It is a judge's, whose choice is worth what was expected: the scorer of those who judge.
    Choice(Choices),
}

impl Check {
    /// What its kind is called.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Normalised => "normalised",
            Self::Numeric(_) => "numeric",
            Self::Pattern(_) => "regex",
            Self::Schema(_) => "json-schema",
            Self::Field(_) => "json-field",
            Self::Calls => "tool-call",
            Self::Choice(_) => "choice",
        }
    }

    /// Whether an item with that `expected` can be scored; says what is wrong with it.
    pub fn fits(&self, expected: Option<&Value>) -> Result<(), Misfit> {
        let given = || expected.ok_or_else(|| "it has no `expected`".to_owned());
        match self {
            Self::Pattern(Some(_)) | Self::Schema(Some(_)) => Ok(()),
            Self::Exact | Self::Normalised => texts(given()?).map(drop),
            Self::Numeric(_) | Self::Choice(_) => number(given()?).map(drop),
            Self::Pattern(None) => text(given()?)
                .and_then(|text| Pattern::read(&text))
                .map(drop),
            Self::Schema(None) => Schema::read(given()?).map(drop),
            Self::Field(_) => given().map(drop),
            Self::Calls => expected_calls(given()?).map(drop),
        }
    }

    /// What `answer` is worth. An item that does not fit is a fault.
    pub fn grade(&self, answer: &Answer, expected: Option<&Value>) -> Result<Grade, ScorerFault> {
        let nothing = Value::Null;
        self.graded(answer, expected.unwrap_or(&nothing))
            .map_err(ScorerFault)
    }

    fn graded(&self, answer: &Answer, expected: &Value) -> Result<Grade, Misfit> {
        if answer.is_empty() {
            return Ok(Grade::Nothing("an empty answer"));
        }
        let said = &answer.text;
        Ok(match self {
            Self::Exact => Grade::of(texts(expected)?.iter().any(|text| words::exact(said, text))),
            Self::Normalised => {
                Grade::of(texts(expected)?.iter().any(|text| words::same(said, text)))
            }
            Self::Numeric(tolerance) => {
                let expected = number(expected)?;
                last_number(said).map_or(Grade::Nothing("no number"), |found| {
                    Grade::Score(nearness(found, expected, *tolerance))
                })
            }
            Self::Pattern(Some(pattern)) => Grade::of(pattern.is_in(said)),
            Self::Pattern(None) => Grade::of(Pattern::read(&text(expected)?)?.is_in(said)),
            Self::Schema(schema) => {
                let own;
                let schema = match schema {
                    Some(schema) => schema,
                    None => {
                        own = Schema::read(expected)?;
                        &own
                    }
                };
                Grade::of(json_in(said).is_some_and(|value| schema.takes(&value)))
            }
            Self::Field(path) => {
                let Some(value) = json_in(said) else {
                    return Ok(Grade::Nothing("no JSON"));
                };
                let wanted = path.find(expected).unwrap_or(expected);
                Grade::of(path.find(&value).is_some_and(|found| alike(found, wanted)))
            }
            Self::Calls => Grade::of(same_calls(answer, &expected_calls(expected)?)),
            Self::Choice(choices) => {
                let expected = number(expected)?;
                match choices.chosen(answer).grade {
                    Grade::Score(score) => Grade::Score(nearness(score, expected, None)),
                    nothing @ Grade::Nothing(_) => nothing,
                }
            }
        })
    }
}

/// What is expected as text: a number or a truth value as it is written.
fn text(expected: &Value) -> Result<String, Misfit> {
    match expected {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(expected.to_string()),
        _ => Err("its `expected` is no text".to_owned()),
    }
}

/// The texts of which one is expected.
fn texts(expected: &Value) -> Result<Vec<String>, Misfit> {
    match expected {
        Value::Array(all) if !all.is_empty() => all.iter().map(text).collect(),
        one => Ok(vec![text(one)?]),
    }
}

fn number(expected: &Value) -> Result<f64, Misfit> {
    let number = match expected {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => last_number(text),
        _ => None,
    };
    number.ok_or_else(|| "its `expected` is no number".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checks() -> Vec<(&'static str, Check)> {
        vec![
            ("exact", Check::Exact),
            ("normalised", Check::Normalised),
            ("numeric", Check::Numeric(Some(0.0))),
            ("near", Check::Numeric(None)),
            ("pattern", Check::Pattern(None)),
            ("oslo", Check::Pattern(Some(Pattern::read("Oslo").unwrap()))),
            ("schema", Check::Schema(None)),
            ("field", Check::Field(Path::read("a.b").unwrap())),
            ("calls", Check::Calls),
            ("choice", Check::Choice(Choices::default())),
        ]
    }

    #[test]
    fn answers_are_graded() {
        use Grade::{Nothing, Score};
        let choice = |letter: &str| format!("<function=select_choice>{{\"choice\": \"{letter}\"}}");
        let object = json!({"type": "object", "required": ["a"]});
        for (scorer, said, expected, grade) in [
            ("exact", "Oslo", json!("Oslo"), Score(1.0)),
            ("exact", "oslo", json!("Oslo"), Score(0.0)),
            ("exact", "7", json!(7), Score(1.0)),
            ("exact", "b", json!(["a", "b"]), Score(1.0)),
            ("exact", " ", json!("Oslo"), Nothing("an empty answer")),
            ("normalised", "The Oslo!", json!("oslo"), Score(1.0)),
            ("normalised", "Rome", json!(["Oslo", "Bergen"]), Score(0.0)),
            ("numeric", "It is 42.", json!(42), Score(1.0)),
            ("numeric", "It is 41.", json!("42"), Score(0.0)),
            ("numeric", "Nobody knows", json!(42), Nothing("no number")),
            ("near", "1", json!(3), Score(0.5)),
            ("pattern", "In Oslo", json!("(?i)oslo"), Score(1.0)),
            ("oslo", "In Rome", json!(null), Score(0.0)),
            ("schema", "{\"a\": 1}", object.clone(), Score(1.0)),
            ("schema", "{\"b\": 1}", object.clone(), Score(0.0)),
            ("schema", "no JSON", object, Score(0.0)),
            ("field", "{\"a\": {\"b\": 1}}", json!(1), Score(1.0)),
            (
                "field",
                "{\"a\": {\"b\": 1}}",
                json!({"a": {"b": 1.0}, "c": 0}),
                Score(1.0),
            ),
            ("field", "{\"a\": {}}", json!(1), Score(0.0)),
            ("field", "none", json!(1), Nothing("no JSON")),
            (
                "calls",
                "<function=f>{}</function>",
                json!({"name": "f"}),
                Score(1.0),
            ),
            ("calls", "f()", json!({"name": "f"}), Score(0.0)),
            ("choice", &choice("C"), json!(1), Score(1.0)),
            ("choice", &choice("D"), json!(1), Score(0.0)),
            ("choice", &choice("A"), json!(0.4), Score(1.0)),
            ("choice", "C", json!(1), Nothing("no call of the tool")),
        ] {
            let checks = checks();
            let (_, check) = checks.iter().find(|(name, _)| *name == scorer).unwrap();
            check.fits(Some(&expected)).unwrap();
            let found = check.grade(&Answer::of_text(said), Some(&expected));
            assert_eq!(found, Ok(grade), "{scorer}: {said} {expected}");
        }
    }

    #[test]
    fn items_that_cannot_be_scored_are_told() {
        for (scorer, expected, message) in [
            ("exact", None, "no `expected`"),
            ("exact", Some(json!({"a": 1})), "no text"),
            ("normalised", Some(json!([])), "no text"),
            ("numeric", Some(json!("many")), "no number"),
            ("pattern", Some(json!("(")), "no regular expression"),
            ("schema", Some(json!({"type": 3})), "no JSON schema"),
            ("field", None, "no `expected`"),
            ("calls", Some(json!("f")), "expected a call"),
            ("choice", Some(json!("C")), "no number"),
        ] {
            let checks = checks();
            let (_, check) = checks.iter().find(|(name, _)| *name == scorer).unwrap();
            let misfit = check.fits(expected.as_ref()).unwrap_err();
            assert!(misfit.contains(message), "{scorer}: {misfit}");
            let graded = check.grade(&Answer::of_text("some"), expected.as_ref());
            assert!(graded.is_err() || scorer == "field", "{scorer}: {graded:?}");
        }
        let (_, oslo) = &checks()[5];
        assert_eq!(oslo.fits(None), Ok(()));
    }
}
