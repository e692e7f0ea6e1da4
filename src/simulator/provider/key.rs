//! Knows the right answers: what a simulated model says to prompts that it was told of beforehand.

use fastrand::Rng;
use serde::Deserialize;
use serde_json::Value;

/// What is said to which prompts. Of the rows whose texts are all in a prompt the first counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AnswerKey(Vec<Row>);

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// Texts that are all in the prompt.
    contains: Vec<String>,
    /// What is said to it.
    say: Option<String>,
    /// Or the tool that is called: where none is offered, it is written into the text.
    call: Option<KnownCall>,
}

/// A tool that is called.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownCall {
    pub(super) name: String,
    pub(super) arguments: Value,
}

/// What is known to be the answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    Text(String),
    Call(KnownCall),
}

impl AnswerKey {
    /// Reads JSONL, a row a line: `{"contains": ["…"], "say": "…"}`, or with
    /// `"call": {"name", "arguments"}` instead. An error names the line.
    pub fn of_lines(text: &str) -> Result<Self, String> {
        let lines = text.lines().enumerate();
        let rows = lines.filter(|(_, line)| !line.trim().is_empty());
        let rows = rows.map(|(place, line)| {
            let fault = |what: String| format!("line {}: {what}", place + 1);
            let row: Row = serde_json::from_str(line).map_err(|error| fault(error.to_string()))?;
            if row.say.is_some() == row.call.is_some() {
                return Err(fault("expected either `say` or `call`".to_owned()));
            }
            Ok(row)
        });
        rows.collect::<Result<_, _>>().map(Self)
    }

    /// The answer to a request's body: with the chance `right` the right one, else that of another
    /// row, by the draws of `seed`. None where no row fits.
    pub(super) fn answer(&self, body: &Value, right: f64, seed: u64) -> Option<Known> {
        let mut prompt = String::new();
        gather(body, &mut prompt);
        let fits = |row: &Row| {
            row.contains
                .iter()
                .all(|text| prompt.contains(text.as_str()))
        };
        let place = self.0.iter().position(fits)?;
        let row = &self.0[place];
        let mut rng = Rng::with_seed(seed ^ 0x6b65_7973);
        let others: Vec<&Row> = self.0.iter().filter(|other| row.is_other(other)).collect();
        let row = if rng.f64() < right || others.is_empty() {
            row
        } else {
            others[rng.usize(..others.len())]
        };
        let said = row.say.clone().map(Known::Text);
        said.or_else(|| row.call.clone().map(Known::Call))
    }
}

impl Row {
    /// Whether another row answers in the same form, and something else.
    fn is_other(&self, other: &Self) -> bool {
        self.say.is_some() == other.say.is_some()
            && (self.say != other.say || self.call != other.call)
    }
}

/// Every text of a body but those of its tools.
fn gather(value: &Value, text: &mut String) {
    match value {
        Value::String(piece) => {
            text.push_str(piece);
            text.push('\n');
        }
        Value::Array(all) => all.iter().for_each(|one| gather(one, text)),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(name, _)| *name != "tools");
            fields.for_each(|(_, one)| gather(one, text));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_row_whose_texts_are_in_the_prompt_answers() {
        let key = AnswerKey::of_lines(
            "{\"contains\": [\"capital\", \"Norway\"], \"say\": \"Oslo\"}\n\n\
             {\"contains\": [\"capital\"], \"say\": \"Rome\"}\n\
             {\"contains\": [\"judge\"], \"call\": {\"name\": \"f\", \"arguments\": {\"x\": 1}}}\n",
        )
        .unwrap();
        let ask = |text: &str| json!({"messages": [{"role": "user", "content": text}], "tools": ["judge"]});
        let text = |said: &str| Some(Known::Text(said.to_owned()));
        for seed in 0..20 {
            let answer = |prompt: &str, right| key.answer(&ask(prompt), right, seed);
            assert_eq!(answer("capital of Norway?", 1.0), text("Oslo"));
            assert_eq!(answer("capital of Italy?", 1.0), text("Rome"));
            assert_eq!(
                answer("capital of Norway?", 0.0),
                text("Rome"),
                "always wrong"
            );
            assert!(
                matches!(answer("judge", 0.0), Some(Known::Call(_))),
                "no other call"
            );
            assert_eq!(answer("hello", 1.0), None);
        }
        for (bad, line) in [
            ("{}", 1),
            ("{\"contains\": [\"a\"]}", 1),
            (
                "{\"contains\": [], \"say\": \"a\"}\n{\"contains\": \"a\", \"say\": \"b\"}",
                2,
            ),
        ] {
            let error = AnswerKey::of_lines(bad).unwrap_err();
            assert!(error.starts_with(&format!("line {line}: ")), "{error}");
        }
    }
}
