//! Reads what a scorer of the user's own says: one JSON object.

use serde_json::Value;

use super::grade::{Grade, ScorerFault};

/// A grade with the reasons for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Graded {
    /// The grade.
    pub grade: Grade,
    /// The reasons, where they were given: they may quote the answer.
    pub rationale: Option<String>,
}

/// What `text` says: `{"score": 0.0–1.0, "rationale"?}`, or `"score": null` for an answer in which
/// there is nothing to score. Anything else is a fault of the scorer's; the fault quotes nothing.
pub fn read_reply(text: &str) -> Result<Graded, ScorerFault> {
    let fault = |what: &str| ScorerFault(what.to_owned());
    let value: Value = serde_json::from_str(text.trim())
        .map_err(|_| fault("it printed what is no JSON: expected {\"score\": 0.0 to 1.0}"))?;
    let grade = match value.get("score") {
        Some(Value::Null) => Grade::Nothing("the scorer gave none"),
        Some(Value::Number(score)) => {
            let score = score.as_f64().filter(|score| (0.0..=1.0).contains(score));
            Grade::Score(score.ok_or_else(|| fault("its score is not between 0 and 1"))?)
        }
        _ => return Err(fault("it printed no number `score`")),
    };
    let rationale = value.get("rationale").and_then(Value::as_str);
    Ok(Graded {
        grade,
        rationale: rationale.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_scores_or_faults() {
        let grade = |text| {
            read_reply(text)
                .map(|graded| graded.grade)
                .map_err(|fault| fault.0)
        };
        for (text, expected) in [
            (r#"{"score": 0.5}"#, Grade::Score(0.5)),
            (
                " {\"score\": 1, \"rationale\": \"good\"}\n",
                Grade::Score(1.0),
            ),
            (r#"{"score": null}"#, Grade::Nothing("the scorer gave none")),
        ] {
            assert_eq!(grade(text), Ok(expected), "{text}");
        }
        for (text, expected) in [
            ("", "no JSON"),
            ("secret answer", "no JSON"),
            (r#"{"score": 1.5}"#, "not between"),
            (r#"{"score": -0.1}"#, "not between"),
            (r#"{"score": "1"}"#, "no number"),
            (r#"{"points": 1}"#, "no number"),
            ("1", "no number"),
            (r#"{"score": 1}{"score": 0}"#, "no JSON"),
        ] {
            let fault = grade(text).unwrap_err();
            assert!(fault.contains(expected), "{text}: {fault}");
            assert!(!fault.contains("secret"), "{fault}");
        }
        let graded = read_reply(r#"{"score": 0, "rationale": "wrong city"}"#).unwrap();
        assert_eq!(graded.rationale.as_deref(), Some("wrong city"));
    }
}
