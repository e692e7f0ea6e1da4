//! Turns the choice that a judge calls a tool with into a score.

use serde_json::Value;

use super::answer::Answer;
use super::grade::Grade;

/// What each choice is worth, and how it is told: by a call of `tool` whose argument `field` names
/// it.
#[derive(Debug, Clone, PartialEq)]
pub struct Choices {
    /// The tool's name.
    pub tool: String,
    /// The argument with the choice.
    pub field: String,
    /// Each choice and its score, 0 to 1.
    pub scores: Vec<(String, f64)>,
}

/// A choice that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Its score, or why there is none.
    pub grade: Grade,
    /// The reasons that were given with it.
    pub reasoning: Option<String>,
}

impl Default for Choices {
    /// The factuality choices of `OpenAI`'s evals as Braintrust scores them: A a subset, B a
    /// superset, C the same, D a disagreement, E a difference that does not matter.
    fn default() -> Self {
        let scores = [("A", 0.4), ("B", 0.6), ("C", 1.0), ("D", 0.0), ("E", 1.0)];
        Self {
            tool: "select_choice".to_owned(),
            field: "choice".to_owned(),
            scores: scores.map(|(name, score)| (name.to_owned(), score)).into(),
        }
    }
}

impl Choices {
    /// The choice that an answer makes: the last call of the tool, native or written into the text.
    #[must_use]
    pub fn chosen(&self, answer: &Answer) -> Chosen {
        let calls = answer.all_calls();
        let Some(call) = calls.iter().rev().find(|call| call.name == self.tool) else {
            return Chosen {
                grade: Grade::Nothing("no call of the tool"),
                reasoning: None,
            };
        };
        let reasoning = call
            .arguments
            .get("reasoning")
            .or_else(|| call.arguments.get("reasons"));
        let choice = call.arguments.get(&self.field).and_then(Value::as_str);
        let choice = choice.map(|choice| choice.trim().trim_matches(['(', ')', '.']));
        let scored = choice.and_then(|choice| {
            let of = |(name, _): &&(String, f64)| name.eq_ignore_ascii_case(choice);
            self.scores.iter().find(of)
        });
        Chosen {
            grade: scored.map_or(Grade::Nothing("no choice of the table"), |(_, score)| {
                Grade::Score(*score)
            }),
            reasoning: reasoning.and_then(Value::as_str).map(str::to_owned),
        }
    }

    /// The tool as a request offers it: its argument is one of the choices, with reasons first, so
    /// that they come before the choice.
    #[must_use]
    pub fn offered(&self) -> Value {
        let names: Vec<&str> = self.scores.iter().map(|(name, _)| name.as_str()).collect();
        serde_json::json!({
            "type": "function",
            "function": {
                "name": self.tool,
                "description": "Call this with your decision.",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "reasoning": {
                            "type": "string",
                            "description": "Why, step by step.",
                        },
                        (self.field.clone()): { "type": "string", "enum": names },
                    },
                    "required": ["reasoning", self.field],
                },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::analysis::scoring::Call;

    #[test]
    fn choices_are_worth_their_scores() {
        use Grade::{Nothing, Score};
        let choices = Choices::default();
        for (text, expected) in [
            (
                r#"<function=select_choice>{"choice": "A"}</function>"#,
                Score(0.4),
            ),
            (
                r#"<function=select_choice>{"choice": "(b)"}</function>"#,
                Score(0.6),
            ),
            (
                r#"<function=select_choice>{"choice": "D"}</function> no: <function=select_choice>{"choice": "C"}"#,
                Score(1.0),
            ),
            (
                r#"<function=select_choice>{"choice": "F"}</function>"#,
                Nothing("no choice of the table"),
            ),
            (
                r#"<function=select_choice>{"choice": 3}</function>"#,
                Nothing("no choice of the table"),
            ),
            (
                r#"<function=other>{"choice": "C"}</function>"#,
                Nothing("no call of the tool"),
            ),
            ("C", Nothing("no call of the tool")),
            ("", Nothing("no call of the tool")),
        ] {
            assert_eq!(
                choices.chosen(&Answer::of_text(text)).grade,
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn reasons_come_along_and_the_tool_offers_the_choices() {
        let choices = Choices::default();
        let answer = Answer {
            text: String::new(),
            calls: vec![Call {
                name: "select_choice".to_owned(),
                arguments: json!({"reasoning": "same city", "choice": "C"}),
            }],
        };
        let chosen = choices.chosen(&answer);
        assert_eq!(chosen.grade, Grade::Score(1.0));
        assert_eq!(chosen.reasoning.as_deref(), Some("same city"));
        let parameters = &choices.offered()["function"]["parameters"];
        assert_eq!(
            parameters["properties"]["choice"]["enum"],
            json!(["A", "B", "C", "D", "E"])
        );
    }
}
