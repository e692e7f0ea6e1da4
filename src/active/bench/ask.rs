//! Writes the requests of a benchmark.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::plan::{Plan, Task, Variant};
use crate::active::targets::Target;
use crate::workload::prompts::{self, Topic};

/// Tokens of the beginning that all turns of a conversation share: enough that every provider's
/// prompt cache takes it (the least asked for is 1,024).
const SHARED_TOKENS: u64 = 2_048;

/// How an answer in JSON is asked for, and one in words: with as many bytes.
const IN_JSON: &str = "Answer as one JSON object with the keys summary and points.";
const IN_WORDS: &str = "Answer in plain sentences, a summary first and then points.";
const _: () = assert!(IN_JSON.len() == IN_WORDS.len());

/// What one task asks: turns with the same nonce in front.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    target: &'a Target,
    variant: Variant,
    temperature: Option<f64>,
    topic: &'a Topic,
    messages: Vec<Value>,
    turns: u32,
}

impl<'a> Conversation<'a> {
    /// The conversation of `task`. Both of a pair ask the same.
    pub(super) fn new(plan: &'a Plan, task: Task) -> Self {
        Self::of_length(plan, task, Self::tokens(plan, task))
    }

    /// Bytes of its first request at most, without writing the filler.
    pub(super) fn bytes_at_most(plan: &'a Plan, task: Task) -> u64 {
        let bare = Self::of_length(plan, task, None).body().len();
        prompts::bytes_at_most(bare, Self::tokens(plan, task))
    }

    /// The round that its prompt is of: both of a pair ask the same.
    fn round(task: Task) -> u32 {
        task.pair.map_or(task.round, |(number, _)| number)
    }

    fn tokens(plan: &Plan, task: Task) -> Option<u64> {
        let tokens = plan.prompt_tokens(plan.variants[task.variant], Self::round(task));
        if plan.turns > 1 {
            tokens.or(Some(SHARED_TOKENS))
        } else {
            tokens
        }
    }

    fn of_length(plan: &'a Plan, task: Task, tokens: Option<u64>) -> Self {
        let round = Self::round(task);
        let item = if task.pair.is_some() {
            0
        } else {
            (task.target * plan.variants.len() + task.variant) as u32
        };
        let warm = u64::from(task.warm_up);
        let nonce = prompts::mixed(prompts::nonce(plan.seed, round, item), warm);
        let topic = plan.pool.topic(plan.seed, round);
        let variant = plan.variants[task.variant];
        let mut text = prompts::text(topic, nonce, tokens);
        // Both halves of a comparison with JSON are equally long: what a longer prompt costs is not
        // what JSON does.
        if plan.variants.iter().any(|of| of.json) {
            text.push_str("\n\n");
            text.push_str(if variant.json { IN_JSON } else { IN_WORDS });
        }
        Self {
            target: &plan.targets[task.target],
            variant,
            temperature: plan.temperature,
            topic,
            messages: vec![json!({"role": "user", "content": text})],
            turns: plan.turns,
        }
    }

    /// The topic asked about.
    pub(super) const fn topic(&self) -> &'a Topic {
        self.topic
    }

    /// How many requests it has.
    pub(super) const fn turns(&self) -> u32 {
        self.turns
    }

    /// Whether JSON is asked for.
    pub(super) const fn json(&self) -> bool {
        self.variant.json
    }

    /// The next request: OpenAI chat, streamed.
    pub(super) fn body(&self) -> Bytes {
        let mut body = Map::new();
        body.insert("model".to_owned(), self.target.model.as_str().into());
        body.insert("messages".to_owned(), self.messages.clone().into());
        let limit = self.target.limit_field().to_owned();
        body.insert(limit, self.variant.max_tokens.into());
        if let Some(temperature) = self.temperature {
            body.insert("temperature".to_owned(), temperature.into());
        }
        if self.variant.json {
            body.insert("response_format".to_owned(), json!({"type": "json_object"}));
        }
        body.insert("stream".to_owned(), true.into());
        if self.target.asks_usage {
            let options = json!({"include_usage": true});
            body.insert("stream_options".to_owned(), options);
        }
        Bytes::from(Value::Object(body).to_string())
    }

    /// Puts an answer behind, and the next question.
    pub(super) fn answered(&mut self, text: &str) {
        self.messages
            .push(json!({"role": "assistant", "content": text}));
        let next = "Go on: what follows from that in practice?";
        self.messages.push(json!({"role": "user", "content": next}));
    }
}
