//! Writes the requests of a load.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use super::plan::Plan;
use crate::active::targets::Target;
use crate::active::traffic::Asked;
use crate::proxy::ours::Mark;
use crate::record::{Active, Moment, Name, Origin};
use crate::workload::prompts;

/// A request of the OpenAI chat language, streamed. Fields are written in this order.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: [Message<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// Writes requests to one target.
#[derive(Debug)]
pub(super) struct Asker {
    plan: Arc<Plan>,
    target: Target,
    /// Names of the topics, so that none is made anew for each request.
    topics: Vec<Name>,
    workers: usize,
}

/// Where in a run a request stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The step.
    pub(super) step: u32,
    /// The request's number in it.
    pub(super) index: u32,
    /// It only warms connections.
    pub(super) warm_up: bool,
}

impl Asker {
    pub(super) fn new(plan: &Arc<Plan>, target: &Target, workers: usize) -> Self {
        let topics = plan.pool.topics().iter();
        Self {
            topics: topics
                .map(|topic| Name::from(topic.name.as_str()))
                .collect(),
            plan: Arc::clone(plan),
            target: target.clone(),
            workers,
        }
    }

    /// Who is asked.
    pub(super) const fn target(&self) -> &Target {
        &self.target
    }

    /// The request at `place`. When it is meant to be sent is put in as it is sent.
    pub(super) fn asked(&self, place: Place) -> Asked {
        let Place {
            step,
            index,
            warm_up,
        } = place;
        let plan = &*self.plan;
        let size = plan.sizing().of(index);
        let topic = index as usize % self.topics.len().max(1);
        let nonce = prompts::mixed(prompts::nonce(plan.seed, step, index), u64::from(warm_up));
        let text = plan
            .pool
            .topics()
            .get(topic)
            .map_or_else(String::new, |topic| {
                prompts::text(topic, nonce, Some(size.input_tokens))
            });
        let completion = self.target.completion_limit;
        let body = Body {
            model: &self.target.model,
            messages: [Message {
                role: "user",
                content: &text,
            }],
            max_tokens: (!completion).then_some(size.output_tokens),
            max_completion_tokens: completion.then_some(size.output_tokens),
            temperature: plan.temperature,
            stream: true,
            stream_options: self.target.asks_usage.then_some(StreamOptions {
                include_usage: true,
            }),
        };
        Asked {
            mark: Mark {
                origin: Origin::Load,
                active: Active {
                    run: plan.run.clone(),
                    round: step,
                    pair: None,
                    item: self.topics.get(topic).cloned(),
                    trial: index,
                    intended: None,
                    warm_up,
                    cold: false,
                },
            },
            route: Some(self.target.route.clone()),
            path: "/v1/chat/completions",
            tags: Vec::new(),
            headers: Vec::new(),
            // Names and numbers are always JSON.
            body: Bytes::from(serde_json::to_vec(&body).unwrap_or_default()),
            worker: index as usize % self.workers.max(1),
        }
    }
}

/// The same request, meant to be sent at `at`.
pub(super) fn intended(mut asked: Asked, at: Moment) -> Asked {
    asked.mark.active.intended = Some(at);
    asked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::active::load::plan::tests::plan;
    use crate::workload::spec::Demand;
    use serde_json::Value;

    #[test]
    fn requests_are_of_their_size_and_no_two_alike() {
        let plan = Arc::new(plan(Demand::Rate {
            rate: 1.0,
            constant: false,
        }));
        let asker = Asker::new(&plan, &plan.targets[0], 2);
        let ask = |step, index, warm_up| {
            asker.asked(Place {
                step,
                index,
                warm_up,
            })
        };
        let asked = intended(ask(1, 3, false), Moment(9));
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        assert_eq!(body["model"], "m");
        assert_eq!(body["stream"], true);
        assert_eq!(body["stream_options"]["include_usage"], true);
        let size = plan.sizing().of(3);
        assert_eq!(body["max_tokens"], size.output_tokens);
        let text = body["messages"][0]["content"].as_str().unwrap();
        assert!(text.len() as u64 >= size.input_tokens * 4, "{text}");
        assert_eq!(asked.mark.active.intended, Some(Moment(9)));
        assert_eq!((asked.mark.active.round, asked.mark.active.trial), (1, 3));
        assert_eq!(asked.worker, 1);
        let others = [ask(2, 3, false), ask(1, 4, false), ask(1, 3, true)];
        assert!(others.iter().all(|other| other.body != asked.body));
        assert_eq!(ask(1, 3, false).body, asked.body);
    }
}
