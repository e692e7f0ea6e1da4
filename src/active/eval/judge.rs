//! Asks a model what another one's answer is worth.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::dataset::Item;
use super::template::Template;
use crate::active::targets::Target;
use crate::analysis::scoring::{Answer, Choices, Grade, Graded, ScorerFault};

/// The prompt for judges unless another is given: is it the same, as far as facts go?
pub const FACTUALITY: &str = include_str!("factuality.txt");

/// How the judge tells its choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// By a call of a tool that it is offered and must call.
    Tool,
    /// By a call written into its text, for models whose hosts read no calls.
    Text,
}

/// A model that judges.
#[derive(Debug, Clone, PartialEq)]
pub struct Judge {
    /// The one route to it: a judge that moves from route to route is not one judge.
    pub target: Target,
    /// What it is asked.
    pub prompt: Template,
    /// How it tells its choice.
    pub style: Style,
    /// What each choice is worth.
    pub choices: Choices,
    /// Tokens of its answer, at most.
    pub max_tokens: u64,
}

impl Judge {
    /// The request about an answer: OpenAI chat, streamed, at temperature 0.
    pub fn body(&self, item: &Item, answer: &str) -> Result<Bytes, String> {
        let mut prompt = self.prompt.fill(item, answer)?;
        let mut body = Map::new();
        body.insert("model".to_owned(), self.target.model.as_str().into());
        if self.style == Style::Text {
            prompt.push_str(&self.told_in_text());
        }
        body.insert(
            "messages".to_owned(),
            json!([{"role": "user", "content": prompt}]),
        );
        let limit = self.target.limit_field().to_owned();
        body.insert(limit, self.max_tokens.into());
        body.insert("temperature".to_owned(), 0.into());
        body.insert("stream".to_owned(), true.into());
        if self.target.asks_usage {
            body.insert("stream_options".to_owned(), json!({"include_usage": true}));
        }
        if self.style == Style::Tool {
            body.insert("tools".to_owned(), json!([self.choices.offered()]));
            let choice = json!({"type": "function", "function": {"name": self.choices.tool}});
            body.insert("tool_choice".to_owned(), choice);
        }
        Ok(Bytes::from(Value::Object(body).to_string()))
    }

    fn told_in_text(&self) -> String {
        let Choices {
            tool,
            field,
            scores,
        } = &self.choices;
        let names: Vec<&str> = scores.iter().map(|(name, _)| name.as_str()).collect();
        format!(
            "\nTell your decision as the last line, in exactly this form, with one of {} as the \
             {field}:\n<function={tool}>{{\"reasoning\": \"why, step by step\", \"{field}\": \
             \"…\"}}</function>\n",
            names.join(", ")
        )
    }

    /// What its answer says. A judge that makes no choice has failed; its words are not told on.
    pub fn verdict(&self, said: &Answer) -> Result<Graded, ScorerFault> {
        let chosen = self.choices.chosen(said);
        match chosen.grade {
            grade @ Grade::Score(_) => Ok(Graded {
                grade,
                rationale: chosen.reasoning,
            }),
            Grade::Nothing(why) => Err(ScorerFault(format!("the judge made no choice: {why}"))),
        }
    }
}
