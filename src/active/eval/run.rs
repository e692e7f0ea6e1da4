//! Asks what a plan says, some requests to each route at a time, scores each answer as it comes,
//! and hands over score and record.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::{JoinError, JoinSet};

use super::judge::Judge;
use super::plan::{Plan, Task};
use super::reply;
use super::scorers::{How, Scorer};
use crate::active::as_dear;
use crate::active::bench::Ended;
use crate::active::traffic::{Asked, Traffic, TrafficFault};
use crate::analysis::scoring::{Answer, Grade, Graded, Scored, ScorerFault};
use crate::clock::Clock;
use crate::proxy::ours::Mark;
use crate::record::{Active, ExchangeRecord, Name, Origin, Outcome, PicoDollars};
use crate::routing::route::RouteKey;

/// A request that is not answered by then is given up, and recorded so.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long a record may take to come after its answer.
const RECORD_PATIENCE: Duration = Duration::from_secs(5);
/// What the records of judges are tagged with, beside a run of their own.
const JUDGE: &str = "judge";

/// One answer of a run, measured and scored.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The task's number in its plan.
    pub task: usize,
    /// The record.
    pub record: ExchangeRecord,
    /// The records of those who judged it.
    pub judges: Vec<ExchangeRecord>,
    /// What it is worth at each scorer of the plan, in their order; empty where there was no answer.
    pub scores: Vec<Scored>,
}

impl Measured {
    /// Whether there is an answer to score. An empty one that came whole is a failed request, and
    /// is worth nothing all the same: a route must not gain by what it leaves out.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        matches!(self.record.outcome, Outcome::Ok | Outcome::Empty)
    }
}

/// What was said, which is kept only where the user wants it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spoken {
    /// The answer.
    pub answer: Answer,
    /// Why it is worth what it is, by scorer.
    pub rationales: Vec<Option<String>>,
}

/// What a run is connected with.
pub trait Outside {
    /// The record of the exchange that was announced as this, once it has come.
    fn record(&mut self, active: &Active) -> impl Future<Output = Option<ExchangeRecord>>;

    /// Takes what was measured, at once: a run that breaks off loses nothing. An error ends it.
    fn measured(&mut self, measured: Measured, spoken: &Spoken) -> std::io::Result<()>;

    /// Hears how many of how many tasks are done.
    fn progress(&mut self, done: usize, of: usize);

    /// Waits for the word to stop.
    fn stopped(&self) -> impl Future<Output = ()>;
}

/// A run.
#[derive(Debug)]
pub struct Eval {
    /// What is asked.
    pub plan: Arc<Plan>,
    /// The way in.
    pub traffic: Traffic,
    /// What it may cost.
    pub cost_max: PicoDollars,
    /// What each task may cost.
    pub costs: Vec<PicoDollars>,
    /// Tasks that an earlier part of this run has done.
    pub done: HashSet<usize>,
    /// What it has cost so far.
    pub spent: PicoDollars,
    /// What the tasks that this part of the run has done were to cost at most, and what they did.
    pub foreseen: u64,
    /// See [`Self::foreseen`].
    pub paid: u64,
    /// The clock.
    pub clock: Clock,
}

/// Why a run broke off.
#[derive(Debug, thiserror::Error)]
pub enum EvalFault {
    /// No request can be sent.
    #[error(transparent)]
    Traffic(#[from] TrafficFault),
    /// What was measured cannot be written.
    #[error("cannot write what was measured: {0}")]
    Write(#[from] std::io::Error),
    /// A task broke down.
    #[error("a task broke down: {0}")]
    Broken(#[from] JoinError),
}

/// A task that was asked and scored.
struct Examined {
    task: Task,
    active: Active,
    judges: Vec<Active>,
    scores: Vec<Scored>,
    spoken: Spoken,
}

/// What is left of a route's tasks.
struct Lane {
    left: VecDeque<Task>,
    at_work: usize,
}

impl Eval {
    /// Asks everything that is left.
    pub async fn run(&mut self, outside: &mut impl Outside) -> Result<Ended, EvalFault> {
        let all = self.plan.len();
        let mut lanes = self.lanes();
        let left: usize = lanes.iter().map(|lane| lane.left.len()).sum();
        let mut done = all - left;
        let mut reserved = 0_u64;
        let mut at_work: JoinSet<Result<Examined, TrafficFault>> = JoinSet::new();
        loop {
            outside.progress(done, all);
            while let Some(task) = self.next(&mut lanes, reserved) {
                reserved += self.cost(task);
                at_work.spawn(self.examiner().examine(task));
            }
            if at_work.is_empty() {
                let is_over = lanes.iter().all(|lane| lane.left.is_empty());
                return Ok(if is_over {
                    Ended::Complete
                } else {
                    Ended::CostCap
                });
            }
            let examined = tokio::select! {
                biased;
                () = outside.stopped() => return Ok(Ended::Interrupted),
                examined = at_work.join_next() => examined,
            };
            let Some(examined) = examined.transpose()?.transpose()? else {
                continue;
            };
            done += 1;
            reserved -= self.cost(examined.task);
            lanes[examined.task.target].at_work -= 1;
            let before = self.spent.0;
            let foreseen = self.cost(examined.task);
            self.take(examined, outside).await?;
            self.foreseen = self.foreseen.saturating_add(foreseen);
            self.paid = self
                .paid
                .saturating_add(self.spent.0.saturating_sub(before));
        }
    }

    fn lanes(&self) -> Vec<Lane> {
        let lanes = self.plan.tasks().into_iter().map(|tasks| Lane {
            left: tasks
                .into_iter()
                .filter(|task| !self.done.contains(&task.number))
                .collect(),
            at_work: 0,
        });
        lanes.collect()
    }

    fn cost(&self, task: Task) -> u64 {
        self.costs.get(task.number).map_or(0, |cost| cost.0)
    }

    /// The next task of a route that has room, and that the cap leaves room for: what is at work
    /// counts with the most that it may cost.
    fn next(&self, lanes: &mut [Lane], reserved: u64) -> Option<Task> {
        let lanes = lanes.iter_mut();
        let mut open = lanes.filter(|lane| lane.at_work < self.plan.concurrency);
        // The one with most left to do goes first, so that routes end together.
        let lane = open.by_ref().max_by_key(|lane| lane.left.len())?;
        let task = *lane.left.front()?;
        let left = reserved.saturating_add(self.cost(task));
        let most = self
            .spent
            .0
            .saturating_add(as_dear(left, self.paid, self.foreseen));
        if most > self.cost_max.0 {
            return None;
        }
        lane.left.pop_front();
        lane.at_work += 1;
        Some(task)
    }

    fn examiner(&self) -> Examiner {
        Examiner {
            plan: Arc::clone(&self.plan),
            traffic: self.traffic.clone(),
            clock: self.clock.clone(),
        }
    }

    /// Hands over what was found, with its records. Without a record nothing was measured.
    async fn take(&mut self, of: Examined, outside: &mut impl Outside) -> Result<(), EvalFault> {
        let Some(record) = self.record(&of.active, outside).await else {
            return Ok(());
        };
        let mut judges = Vec::with_capacity(of.judges.len());
        for judge in &of.judges {
            judges.extend(self.record(judge, outside).await);
        }
        let mut measured = Measured {
            task: of.task.number,
            record,
            judges,
            scores: Vec::new(),
        };
        if measured.is_answered() {
            measured.scores = of.scores;
        }
        Ok(outside.measured(measured, &of.spoken)?)
    }

    async fn record(
        &mut self,
        active: &Active,
        outside: &mut impl Outside,
    ) -> Option<ExchangeRecord> {
        let coming = outside.record(active);
        let record = tokio::time::timeout(RECORD_PATIENCE, coming).await.ok()??;
        let cost = record.cost.unwrap_or_default();
        self.spent = PicoDollars(self.spent.0.saturating_add(cost.0));
        Some(record)
    }
}

/// Asks one question and has its answer scored.
struct Examiner {
    plan: Arc<Plan>,
    traffic: Traffic,
    clock: Clock,
}

impl Examiner {
    async fn examine(self, task: Task) -> Result<Examined, TrafficFault> {
        let plan = &self.plan;
        let active = Active {
            run: plan.run.clone(),
            round: task.target as u32,
            item: Some(Name::from(plan.items[task.item].id.as_str())),
            trial: task.trial,
            intended: Some(self.clock.now()),
            ..Active::default()
        };
        let mut examined = Examined {
            task,
            active: active.clone(),
            judges: Vec::new(),
            scores: Vec::new(),
            spoken: Spoken::default(),
        };
        let route = plan.targets[task.target].route.clone();
        // Every body was made once, when the plan was checked.
        let Ok(body) = plan.body(task) else {
            return Ok(examined);
        };
        let Some(answer) = self.ask(active, route, body, &[]).await? else {
            return Ok(examined);
        };
        for (place, scorer) in plan.scorers.iter().enumerate() {
            let graded = self
                .score(place, scorer, task, &answer, &mut examined.judges)
                .await?;
            let rationale = graded
                .as_ref()
                .ok()
                .and_then(|graded| graded.rationale.clone());
            examined.spoken.rationales.push(rationale);
            examined
                .scores
                .push(graded.map(|graded| graded.grade).into());
        }
        examined.spoken.answer = answer;
        Ok(examined)
    }

    /// The answer to a request; none where there was none or it did not come whole, of which the
    /// record tells.
    async fn ask(
        &self,
        active: Active,
        route: RouteKey,
        body: bytes::Bytes,
        tags: &[Name],
    ) -> Result<Option<Answer>, TrafficFault> {
        let asked = Asked {
            mark: Mark {
                origin: Origin::Eval,
                active,
            },
            route: Some(route),
            path: "/v1/chat/completions",
            tags: tags.to_vec(),
            headers: Vec::new(),
            body,
            // One worker: all requests of a run share one pool of connections.
            worker: 0,
        };
        match tokio::time::timeout(PATIENCE, self.traffic.send(asked)).await {
            Ok(Ok(reply)) => {
                let ok = reply.status < 300 && reply.whole;
                Ok(ok.then(|| reply::answer(&reply.body)))
            }
            Ok(Err(fault @ (TrafficFault::Stopped(_) | TrafficFault::Request(_)))) => Err(fault),
            Ok(Err(TrafficFault::Broken(_))) | Err(_) => Ok(None),
        }
    }

    async fn score(
        &self,
        place: usize,
        scorer: &Scorer,
        task: Task,
        answer: &Answer,
        judges: &mut Vec<Active>,
    ) -> Result<Result<Graded, ScorerFault>, TrafficFault> {
        if answer.is_empty() {
            let grade = Grade::Nothing("an empty answer");
            return Ok(Ok(Graded {
                grade,
                rationale: None,
            }));
        }
        let item = &self.plan.items[task.item];
        Ok(match &scorer.how {
            How::Check(check) => {
                let grade = check.grade(answer, item.expected.as_ref());
                grade.map(|grade| Graded {
                    grade,
                    rationale: None,
                })
            }
            How::Command(command) => command.score(&given(item, answer)).await,
            How::Judge(judge) => self.judged(place, judge, task, answer, judges).await?,
        })
    }

    async fn judged(
        &self,
        place: usize,
        judge: &Judge,
        task: Task,
        answer: &Answer,
        judges: &mut Vec<Active>,
    ) -> Result<Result<Graded, ScorerFault>, TrafficFault> {
        let item = &self.plan.items[task.item];
        let body = match judge.body(item, &said(answer)) {
            Ok(body) => body,
            Err(what) => return Ok(Err(ScorerFault(what))),
        };
        // A run of its own: what a judge takes and costs is no measurement of a route.
        let active = Active {
            run: Name::from(format!("{}.{JUDGE}", self.plan.run)),
            round: place as u32,
            item: Some(Name::from(item.id.as_str())),
            trial: task.trial,
            intended: Some(self.clock.now()),
            ..Active::default()
        };
        judges.push(active.clone());
        let route = judge.target.route.clone();
        let reply = self.ask(active, route, body, &[Name::from(JUDGE)]).await?;
        Ok(match reply {
            Some(said) => judge.verdict(&said),
            None => Err(ScorerFault("the judge did not answer".to_owned())),
        })
    }
}

/// The answer as a judge reads it: its text, and what it calls.
fn said(answer: &Answer) -> String {
    let calls = answer.calls.iter();
    let calls = calls.map(|call| format!("<function={}>{}</function>", call.name, call.arguments));
    answer.text.clone() + &calls.collect::<String>()
}

/// What a program is given of an answer.
fn given(item: &super::dataset::Item, answer: &Answer) -> Value {
    let calls = answer.calls.iter();
    let calls = calls.map(|call| json!({"name": call.name, "arguments": call.arguments}));
    json!({
        "input": item.input,
        "expected": item.expected,
        "metadata": item.metadata,
        "answer": answer.text,
        "calls": calls.collect::<Vec<_>>(),
    })
}
