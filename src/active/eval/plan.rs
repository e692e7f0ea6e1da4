//! Lays out what an evaluation asks, and in which order: the same plan and seed, the same run.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::dataset::{Item, told};
use super::scorers::Scorer;
use super::template::Template;
use crate::active::targets::Target;
use crate::record::Name;
use crate::statistics::compare::Random;
use crate::workload::prompts::mixed;

/// An evaluation.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The run's name.
    pub run: Name,
    /// Seed of the orders.
    pub seed: u64,
    /// The routes.
    pub targets: Vec<Target>,
    /// What the data set is called.
    pub set: String,
    /// Its items.
    pub items: Vec<Item>,
    /// What goes before the prompt, where anything does.
    pub system: Option<Template>,
    /// The prompt, where the input is not one itself.
    pub prompt: Option<Template>,
    /// The tools that are offered, in the shape of OpenAI chat.
    pub tools: Option<Value>,
    /// How often each item is asked.
    pub trials: u32,
    /// Requests to one route at a time.
    pub concurrency: usize,
    /// Tokens of an answer, at most.
    pub max_tokens: u64,
    /// The temperature, where one is sent.
    pub temperature: Option<f64>,
    /// Who scores.
    pub scorers: Vec<Scorer>,
    /// Metadata fields by which scores are grouped.
    pub groups: Vec<String>,
    /// SHA-256 of the data set's file and of prompts and tools, in hex: two runs of one name are
    /// told apart by them.
    pub digests: [String; 2],
}

/// One question to one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// Its number in the plan, whatever the order.
    pub number: usize,
    /// The place of its target.
    pub target: usize,
    /// The place of its item.
    pub item: usize,
    /// Which time the item is asked there, from 0.
    pub trial: u32,
}

impl Plan {
    /// What the route of a target is called beside its model: the provider, and where that has two
    /// routes to the model, its name there too.
    #[must_use]
    pub fn label(&self, target: usize) -> String {
        let own = &self.targets[target];
        let twin = |other: &&Target| {
            other.model == own.model && other.route.provider == own.route.provider
        };
        if self.targets.iter().filter(twin).count() > 1 {
            own.route.to_string()
        } else {
            own.route.provider.to_string()
        }
    }

    /// How many tasks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len() * self.trials as usize * self.items.len()
    }

    /// Whether there is nothing to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tasks of each route, in the order that the seed draws: every item once before any again.
    #[must_use]
    pub fn tasks(&self) -> Vec<Vec<Task>> {
        let of_target = |target: usize| {
            let seed = mixed(self.seed, target as u64);
            let trials = (0..self.trials).flat_map(move |trial| {
                let mut order: Vec<usize> = (0..self.items.len()).collect();
                Random::new(mixed(seed, u64::from(trial))).shuffle(&mut order);
                order
                    .into_iter()
                    .map(move |item| self.task(target, trial, item))
            });
            trials.collect()
        };
        (0..self.targets.len()).map(of_target).collect()
    }

    fn task(&self, target: usize, trial: u32, item: usize) -> Task {
        let place = target * self.trials as usize + trial as usize;
        Task {
            number: place * self.items.len() + item,
            target,
            item,
            trial,
        }
    }

    /// The task of that number; absent where the plan has none such.
    #[must_use]
    pub fn numbered(&self, number: usize) -> Option<Task> {
        let (place, item) = (
            number.checked_div(self.items.len())?,
            number % self.items.len(),
        );
        let trials = self.trials as usize;
        let target = place.checked_div(trials)?;
        (number < self.len()).then(|| self.task(target, (place % trials) as u32, item))
    }

    /// Whether every item can be asked and scored; an error lists those that cannot.
    pub fn check(&self) -> Result<(), String> {
        let problems = self.items.iter().filter_map(|item| {
            let what = self.messages(item).err()?;
            Some(format!("{} line {}: {what}", self.set, item.line))
        });
        told(problems.collect())?;
        self.scorers
            .iter()
            .try_for_each(|scorer| scorer.fits(&self.set, &self.items))?;
        for field in &self.groups {
            if self
                .items
                .iter()
                .all(|item| !item.metadata.contains_key(field))
            {
                return Err(format!(
                    "--group-by {field}: no item of {} has it",
                    self.set
                ));
            }
        }
        Ok(())
    }

    fn messages(&self, item: &Item) -> Result<Vec<Value>, String> {
        let mut messages = Vec::new();
        if let Some(system) = &self.system {
            let text = system.fill(item, "")?;
            messages.push(json!({"role": "system", "content": text}));
        }
        match (&self.prompt, &item.input) {
            (Some(prompt), _) => {
                let text = prompt.fill(item, "")?;
                messages.push(json!({"role": "user", "content": text}));
            }
            (None, Value::String(text)) => {
                messages.push(json!({"role": "user", "content": text}));
            }
            (None, Value::Array(given)) => messages.extend(given.iter().cloned()),
            (None, _) => {
                return Err(
                    "its `input` has named fields: say with --prompt how they are put".to_owned(),
                );
            }
        }
        Ok(messages)
    }

    /// The request of a task: OpenAI chat, streamed.
    pub fn body(&self, task: Task) -> Result<Bytes, String> {
        let target = &self.targets[task.target];
        let mut body = Map::new();
        body.insert("model".to_owned(), target.model.as_str().into());
        let messages = self.messages(&self.items[task.item])?;
        body.insert("messages".to_owned(), messages.into());
        body.insert(target.limit_field().to_owned(), self.max_tokens.into());
        if let Some(temperature) = self.temperature {
            body.insert("temperature".to_owned(), temperature.into());
        }
        if let Some(tools) = &self.tools {
            body.insert("tools".to_owned(), tools.clone());
        }
        body.insert("stream".to_owned(), true.into());
        if target.asks_usage {
            body.insert("stream_options".to_owned(), json!({"include_usage": true}));
        }
        Ok(Bytes::from(Value::Object(body).to_string()))
    }
}

/// The tools of a file: a list as OpenAI chat takes it. An error says what is wrong.
pub fn tools(text: &str) -> Result<Value, String> {
    let tools: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let named = |tool: &Value| tool["function"]["name"].is_string();
    match tools.as_array() {
        Some(all) if !all.is_empty() && all.iter().all(named) => Ok(tools),
        _ => Err(
            "expected a list of {\"type\": \"function\", \"function\": {\"name\", \"parameters\"}}"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::active::eval::dataset::read;
    use crate::active::eval::template::Reader;
    use crate::analysis::scoring::Check;
    use crate::routing::route::RouteKey;

    pub(in crate::active::eval) fn plan(lines: &str, scorer: Check) -> Plan {
        let target = |provider: &str| Target {
            model: Name::from("m"),
            route: RouteKey::new(provider, Some(Name::from("m-there"))),
            is_router: false,
            region: None,
            completion_limit: provider == "b",
            asks_usage: true,
        };
        Plan {
            run: Name::from("r"),
            seed: 7,
            targets: vec![target("a"), target("b")],
            set: "set.jsonl".to_owned(),
            items: read("set.jsonl", lines).unwrap(),
            system: None,
            prompt: None,
            tools: None,
            trials: 3,
            concurrency: 2,
            max_tokens: 64,
            temperature: Some(0.0),
            scorers: vec![Scorer {
                name: "s".to_owned(),
                how: crate::active::eval::scorers::How::Check(scorer),
            }],
            groups: Vec::new(),
            digests: Default::default(),
        }
    }

    #[test]
    fn every_route_is_asked_every_item_in_an_order_of_its_own() {
        let lines: String = (0..20)
            .map(|n| format!("{{\"input\": \"q{n}\", \"expected\": 1}}\n"))
            .collect();
        let plan = plan(&lines, Check::Exact);
        let tasks = plan.tasks();
        assert_eq!(plan.len(), 120);
        let numbers: BTreeSet<usize> = tasks.iter().flatten().map(|task| task.number).collect();
        assert_eq!(numbers, (0..120).collect());
        for of_route in &tasks {
            for trial in of_route.chunks(20) {
                let items: BTreeSet<usize> = trial.iter().map(|task| task.item).collect();
                assert_eq!(items.len(), 20, "every item once before any again");
            }
        }
        let order = |of: &[Task]| of.iter().map(|task| task.item).collect::<Vec<_>>();
        assert_ne!(order(&tasks[0]), order(&tasks[1]));
        assert_ne!(order(&tasks[0][..20]), order(&tasks[0][20..40]));
        assert_eq!(plan.tasks(), tasks, "the same seed, the same order");
        for task in tasks.iter().flatten() {
            assert_eq!(plan.numbered(task.number), Some(*task));
        }
        assert_eq!(plan.numbered(120), None);
    }

    #[test]
    fn requests_hold_what_the_item_and_the_route_need() {
        let lines = "{\"input\": {\"q\": \"why?\"}, \"expected\": 1}";
        let mut plan = plan(lines, Check::Exact);
        let error = plan.check().unwrap_err();
        assert!(
            error.contains("set.jsonl line 1: its `input` has named fields"),
            "{error}"
        );
        plan.prompt = Some(Template::read("Say: {{input.q}}", Reader::Examinee).unwrap());
        plan.system = Some(Template::read("Be brief.", Reader::Examinee).unwrap());
        plan.tools = Some(tools(r#"[{"type": "function", "function": {"name": "f"}}]"#).unwrap());
        plan.check().unwrap();
        let body: Value = serde_json::from_slice(&plan.body(plan.tasks()[1][0]).unwrap()).unwrap();
        let wanted = json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Say: why?"},
        ]);
        assert_eq!(body["messages"], wanted);
        assert_eq!(
            (&body["max_completion_tokens"], &body["temperature"]),
            (&64.into(), &0.0.into())
        );
        assert_eq!(body["tools"][0]["function"]["name"], "f");
        plan.prompt = Some(Template::read("{{metadata.x}}", Reader::Examinee).unwrap());
        let error = plan.check().unwrap_err();
        assert_eq!(
            error,
            "set.jsonl line 1: no `metadata.x`, which line 1 of the prompt asks for"
        );
        for bad in ["{}", "[]", "[{\"name\": \"f\"}]", "x"] {
            assert!(tools(bad).is_err(), "{bad}");
        }
    }
}
