//! Asks what a plan says, one request after the other, and hands over each record as it comes.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::answer;
use super::ask::Conversation;
use super::plan::{Plan, Task};
use crate::active::traffic::{Asked, Traffic, TrafficFault};
use crate::analysis::reports::bench::Quality;
use crate::clock::Clock;
use crate::proxy::ours::{FRESH, Mark};
use crate::record::{
    Active, ExchangeRecord, Name, Origin, Outcome, Pair, PicoDollars, TokenSource,
};

/// How much longer than the street's own limit a request is waited for. It ends by that limit, and
/// is recorded as timed out; this is for a street that stands still.
const GRACE: Duration = Duration::from_secs(15);
/// How long a record may take to come after its answer.
const RECORD_PATIENCE: Duration = Duration::from_secs(5);

/// One exchange of a run, measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The task's number in its plan.
    pub task: usize,
    /// The place of the task's target in the plan.
    pub target: usize,
    /// The place of its variant.
    pub variant: usize,
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
    /// The record of the exchange that was announced as `active`, once it has come.
    fn record(&mut self, active: &Active) -> impl Future<Output = Option<ExchangeRecord>>;

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
    /// How long the street lets a request take.
    pub patience: Duration,
    /// What it may cost.
    pub cost_max: PicoDollars,
    /// Tasks that an earlier part of this run has done.
    pub done: HashSet<usize>,
    /// The clock.
    pub clock: Clock,
    /// What each task may cost.
    pub costs: Vec<PicoDollars>,
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
        let mut dearest: HashMap<(usize, usize), u64> = HashMap::new();
        for (number, task) in tasks.iter().enumerate() {
            outside.progress(number, tasks.len());
            if self.done.contains(&number) {
                continue;
            }
            let before = self.spent.load(Ordering::Relaxed);
            let cell = (task.target, task.variant);
            // A provider may bill more than was foreseen, as hidden reasoning is: its next answer
            // may cost what its dearest did.
            let foreseen = self.costs.get(number).map_or(0, |cost| cost.0);
            let dearest = dearest.entry(cell).or_insert(0);
            let most = before.saturating_add(foreseen.max(*dearest));
            if most > self.cost_max.0 || before >= self.cost_max.0 {
                return Ok(Ended::CostCap);
            }
            let measured = tokio::select! {
                biased;
                () = outside.stopped() => return Ok(Ended::Interrupted),
                replies = self.converse(number, *task) => replies?,
            };
            let turns = measured.len();
            for (turn, (active, quality)) in measured.into_iter().enumerate() {
                let Some(record) = self.record(&active, outside).await else {
                    continue;
                };
                let tokens = counted(&record);
                outside.measured(Measured {
                    task: number,
                    target: task.target,
                    variant: task.variant,
                    turn: turn as u32,
                    last: turn + 1 == turns,
                    quality: quality
                        .filter(|_| record.outcome == Outcome::Ok)
                        .map(|quality| answer::counted(quality, tokens, self.plan.tokens_min)),
                    record,
                })?;
            }
            let after = self.spent.load(Ordering::Relaxed);
            *dearest = (*dearest).max(after.saturating_sub(before));
        }
        outside.progress(tasks.len(), tasks.len());
        Ok(Ended::Complete)
    }

    /// The record of an exchange, and its cost counted.
    async fn record(&self, active: &Active, outside: &mut impl Outside) -> Option<ExchangeRecord> {
        let coming = outside.record(active);
        let record = tokio::time::timeout(RECORD_PATIENCE, coming).await.ok()??;
        let cost = record.cost.unwrap_or_default();
        self.spent.fetch_add(cost.0, Ordering::Relaxed);
        Some(record)
    }

    /// The turns of a task, one after the other; a turn that fails ends them. What was sent has a
    /// record, answered or not.
    async fn converse(
        &self,
        number: usize,
        task: Task,
    ) -> Result<Vec<(Active, Option<Quality>)>, TrafficFault> {
        let plan = self.plan;
        let mut conversation = Conversation::new(plan, task);
        let mut sent = Vec::new();
        for turn in 0..conversation.turns() {
            let asked = self.asked(number, task, turn, &conversation);
            let active = asked.mark.active.clone();
            let sending = self.traffic.send(asked);
            let reply = match tokio::time::timeout(self.patience + GRACE, sending).await {
                Ok(Ok(reply)) => reply,
                Ok(Err(fault @ (TrafficFault::Stopped(_) | TrafficFault::Request(_)))) => {
                    return Err(fault);
                }
                // The answer never began: its record says what came of it.
                Ok(Err(TrafficFault::Broken(_))) | Err(_) => {
                    sent.push((active, None));
                    break;
                }
            };
            let text = answer::text(&reply.body);
            let ok = reply.status < 300 && reply.whole;
            let (topic, json) = (conversation.topic(), conversation.json());
            let quality = ok.then(|| answer::judged(&text, topic, json, plan.tokens_min));
            conversation.answered(&text);
            sent.push((active, quality));
            if !ok {
                break;
            }
        }
        Ok(sent)
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
        let cold = plan.variants[task.variant].cold;
        if cold {
            let name = http::HeaderName::from_static(FRESH);
            headers.push((name, http::HeaderValue::from_static("1")));
        }
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
                    cold,
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

/// Generated tokens that somebody counted, and did not only see pass.
fn counted(record: &ExchangeRecord) -> Option<u64> {
    let known = !matches!(record.tokens.source, None | Some(TokenSource::Chunks));
    record.tokens.usage.output.filter(|_| known)
}
