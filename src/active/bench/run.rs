//! Asks what a plan says, one request after the other, and hands over each record as it comes.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::answer::{self, Quality};
use super::ask::Conversation;
use super::plan::{Plan, Task};
use crate::active::traffic::{Asked, Reply, Traffic, TrafficFault};
use crate::clock::Clock;
use crate::proxy::ours::Mark;
use crate::record::{Active, ExchangeId, ExchangeRecord, Name, Origin, Outcome, Pair, PicoDollars};

/// A request of a benchmark that is not answered by then is given up, and recorded so.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long a record may take to come after its answer.
const RECORD_PATIENCE: Duration = Duration::from_secs(5);

/// One exchange of a run, measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The task's number in its plan.
    pub task: usize,
    /// The request's place in its conversation.
    pub turn: u32,
    /// Whether its task is done with it.
    pub last: bool,
    /// The record.
    pub record: ExchangeRecord,
    /// What its answer was; absent where there was none.
    pub quality: Option<Quality>,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything was asked.
    Complete,
    /// Somebody stopped it; what was measured is kept.
    Interrupted,
    /// The next request might have cost more than was allowed.
    CostCap,
}

impl Ended {
    /// The name used in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Interrupted => "interrupted",
            Self::CostCap => "cost_cap",
        }
    }
}

/// What a run is connected with.
pub trait Outside {
    /// The record of an exchange, once it has come.
    fn record(&mut self, id: ExchangeId) -> impl Future<Output = Option<ExchangeRecord>>;

    /// Takes what was measured, at once: a run that breaks off loses nothing. An error ends it.
    fn measured(&mut self, measured: Measured) -> std::io::Result<()>;

    /// Hears how many of how many tasks are done.
    fn progress(&mut self, done: usize, of: usize);

    /// Waits for the word to stop.
    fn stopped(&self) -> impl Future<Output = ()>;
}

/// A run.
#[derive(Debug)]
pub struct Bench<'a> {
    /// What is asked.
    pub plan: &'a Plan,
    /// The way in.
    pub traffic: Traffic,
    /// What it may cost.
    pub cost_max: PicoDollars,
    /// Tasks that an earlier part of this run has done.
    pub done: HashSet<usize>,
    /// The clock.
    pub clock: Clock,
    /// What it has cost so far.
    pub spent: AtomicU64,
}

/// Why a run broke off.
#[derive(Debug, thiserror::Error)]
pub enum BenchFault {
    /// No request can be sent.
    #[error(transparent)]
    Traffic(#[from] TrafficFault),
    /// What was measured cannot be written.
    #[error("cannot write what was measured: {0}")]
    Write(#[from] std::io::Error),
}

impl Bench<'_> {
    /// Asks everything that is left.
    pub async fn run(&self, outside: &mut impl Outside) -> Result<Ended, BenchFault> {
        let tasks = self.plan.tasks();
        for (number, task) in tasks.iter().enumerate() {
            outside.progress(number, tasks.len());
            if self.done.contains(&number) {
                continue;
            }
            if self.spent.load(Ordering::Relaxed) >= self.cost_max.0 {
                return Ok(Ended::CostCap);
            }
            let measured = tokio::select! {
                biased;
                () = outside.stopped() => return Ok(Ended::Interrupted),
                replies = self.converse(number, *task) => replies?,
            };
            let turns = measured.len();
            for (turn, (reply, quality)) in measured.into_iter().enumerate() {
                if let Some(record) = self.record(&reply, outside).await {
                    outside.measured(Measured {
                        task: number,
                        turn: turn as u32,
                        last: turn + 1 == turns,
                        quality: quality.filter(|_| record.outcome == Outcome::Ok),
                        record,
                    })?;
                }
            }
        }
        outside.progress(tasks.len(), tasks.len());
        Ok(Ended::Complete)
    }

    /// The record of an answer, and its cost counted.
    async fn record(&self, reply: &Reply, outside: &mut impl Outside) -> Option<ExchangeRecord> {
        let coming = outside.record(reply.exchange?);
        let record = tokio::time::timeout(RECORD_PATIENCE, coming).await.ok()??;
        let cost = record.cost.unwrap_or_default();
        self.spent.fetch_add(cost.0, Ordering::Relaxed);
        Some(record)
    }

    /// The turns of a task, one after the other; a turn that fails ends them.
    async fn converse(
        &self,
        number: usize,
        task: Task,
    ) -> Result<Vec<(Reply, Option<Quality>)>, TrafficFault> {
        let mut conversation = Conversation::new(self.plan, task);
        let mut replies = Vec::new();
        for turn in 0..conversation.turns() {
            let asked = self.asked(number, task, turn, &conversation);
            let sent = tokio::time::timeout(PATIENCE, self.traffic.send(asked)).await;
            // Nobody answered for so long, or a worker broke: that one has no place in the result.
            let reply = match sent {
                Ok(Ok(reply)) => reply,
                Ok(Err(fault @ (TrafficFault::Stopped(_) | TrafficFault::Request(_)))) => {
                    return Err(fault);
                }
                Ok(Err(TrafficFault::Broken(_))) | Err(_) => break,
            };
            let text = answer::text(&reply.body);
            let ok = reply.status < 300 && reply.whole;
            let quality = ok.then(|| Quality::of(&text, conversation.topic(), conversation.json()));
            conversation.answered(&text);
            replies.push((reply, quality));
            if !ok {
                break;
            }
        }
        Ok(replies)
    }

    fn asked(
        &self,
        number: usize,
        task: Task,
        turn: u32,
        conversation: &Conversation<'_>,
    ) -> Asked {
        let plan = self.plan;
        let mut headers = Vec::new();
        if plan.turns > 1 {
            let session = format!("{}-{number}", plan.run);
            if let Ok(value) = http::HeaderValue::from_str(&session) {
                headers.push((http::HeaderName::from_static("x-tollgate-session"), value));
            }
        }
        Asked {
            mark: Mark {
                origin: Origin::Bench,
                active: Active {
                    run: plan.run.clone(),
                    round: task.round,
                    pair: task.pair.map(|(number, order)| Pair { number, order }),
                    item: Some(Name::from(conversation.topic().name.as_str())),
                    trial: turn,
                    intended: Some(self.clock.now()),
                    warm_up: task.warm_up,
                },
            },
            route: Some(plan.targets[task.target].route.clone()),
            path: "/v1/chat/completions",
            tags: Vec::new(),
            headers,
            body: conversation.body(),
            // One worker: all requests of a run share one pool of connections.
            worker: 0,
        }
    }
}
