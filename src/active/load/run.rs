//! Runs a load: step by step, each through its phases, and says what each came to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::ask::{Asker, Place, intended};
use super::collect::Collected;
use super::estimate::{most, quote_of};
use super::figures::{Figures, Of, Window};
use super::pace::{Paced, pace};
use super::plan::{Plan, Step};
use super::post::Post;
use crate::active::as_dear;
use crate::active::targets::Target;
use crate::active::traffic::{Asked, Traffic};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::record::{Moment, Nanos, PicoDollars};
use crate::routing::limits::{Declared, declared};
use crate::routing::pricing::Quote;
use crate::workload::spec::Demand;
use crate::workload::sweep::{self, Finding, Next, Over, Tried};

/// Between two looks at how a step goes on.
const TICK: Duration = Duration::from_millis(100);
/// From the decision to begin a step to its beginning: its first requests are not late for it.
const LEAD: Nanos = Nanos::from_millis(20);
/// How long records may take to come after their answers.
const RECORD_PATIENCE: Nanos = Nanos::from_millis(5_000);

/// The same where somebody said stop: those of answers that are there already.
const LAST_RECORDS: Nanos = Nanos::from_millis(200);

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Everything was measured.
    Complete,
    /// Somebody stopped it; what was measured is kept.
    Interrupted,
    /// The next request might have cost more than was allowed.
    CostCap,
    /// Records could not be written any more, and why.
    Unwritten(String),
}

impl Ended {
    /// The name used in results.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Interrupted => "interrupted",
            Self::CostCap => "cost_cap",
            Self::Unwritten(_) => "unwritten",
        }
    }
}

/// How a run goes on, for whoever watches.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// The route.
    pub route: String,
    /// What is done: `warm-up`, `ramp`, `sustain`, `cool`, `drain`.
    pub stage: &'static str,
    /// The load in words.
    pub load: String,
    /// Since the step began, and how long it lasts.
    pub elapsed: Nanos,
    /// How long the step lasts.
    pub length: Nanos,
    /// Requests at work.
    pub in_flight: usize,
    /// Requests sent in the run so far.
    pub sent: u64,
    /// Exchanges that failed.
    pub failed: u64,
    /// The largest lag since the last word.
    pub lag: Nanos,
}

impl Progress {
    /// In words.
    #[must_use]
    pub fn says(&self) -> String {
        format!(
            "{} {}, {}: {} at work, {} sent, {} failed, lag {:.1} ms",
            self.route,
            self.stage,
            self.load,
            self.in_flight,
            self.sent,
            self.failed,
            self.lag.as_millis()
        )
    }
}

/// What a run is connected with.
pub trait Outside {
    /// Hears how it goes on.
    fn progress(&mut self, progress: &Progress);

    /// Whether somebody said stop.
    fn is_stopped(&self) -> bool;
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq)]
pub struct StepResult {
    /// The step.
    pub step: Step,
    /// Its figures.
    pub figures: Figures,
    /// What the provider's headers said of its limits.
    pub declared: Declared,
    /// Whether it came to its end.
    pub whole: bool,
}

/// What a route came to.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetResult {
    /// The route.
    pub target: Target,
    /// Its steps, in order.
    pub steps: Vec<StepResult>,
    /// Why the search was over; absent without one, and where the run was cut off.
    pub over: Option<Over>,
}

impl TargetResult {
    /// The steps as the search sees them.
    fn tried(&self, plan: &Plan) -> Vec<Tried> {
        let steps = self.steps.iter().filter(|of| of.whole);
        steps
            .map(|of| Tried {
                load: of.step.load(),
                finding: of.figures.finding(&plan.workload.sla),
            })
            .collect()
    }

    /// Whether a load was tried and not refuted: tried again it takes twice as long, so that what
    /// grows slowly has time to show.
    fn was_tried(&self, plan: &Plan, load: f64) -> bool {
        let refuted = |of: &StepResult| {
            let verdict = of.figures.verdict(&plan.workload.sla);
            matches!(verdict, "missed" | "void")
        };
        let same = |of: &&StepResult| of.step.load().total_cmp(&load).is_eq();
        self.steps.iter().filter(same).any(|of| !refuted(of))
    }

    /// The highest load at which the level held; absent where it held nowhere.
    #[must_use]
    pub fn capacity(&self, plan: &Plan) -> Option<f64> {
        sweep::highest_held(&self.tried(plan))
    }

    /// The lowest load that missed the level; absent where none did.
    #[must_use]
    pub fn missed(&self, plan: &Plan) -> Option<f64> {
        sweep::lowest_missed(&self.tried(plan))
    }

    /// The last step at that load that held; the only step where nothing is searched for.
    #[must_use]
    pub fn at_capacity(&self, plan: &Plan) -> Option<&StepResult> {
        if plan.search.is_none() {
            return self.steps.last();
        }
        let load = self.capacity(plan)?;
        let sla = &plan.workload.sla;
        self.steps.iter().rev().find(|of| {
            of.step.load().total_cmp(&load).is_eq() && of.figures.finding(sla) == Finding::Held
        })
    }
}

/// Why a run broke off.
#[derive(Debug, thiserror::Error)]
pub enum LoadFault {
    /// No thread can be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A run.
#[derive(Debug)]
pub struct Load {
    /// What is measured.
    pub plan: Arc<Plan>,
    /// What is there to be asked, and what it costs.
    pub settings: Arc<Settings>,
    /// The way in.
    pub traffic: Traffic,
    /// What was collected: whoever takes the street's records puts them in.
    pub collected: Arc<Collected>,
    /// What it may cost.
    pub cost_max: PicoDollars,
    /// Requests at most, where that is said: then it ends as if somebody had stopped it.
    pub requests_max: Option<u64>,
    /// The clock.
    pub clock: Clock,
}

impl Load {
    /// Measures every route in turn. What was measured stays in `results`, however it ends.
    pub async fn run(
        &self,
        results: &mut Vec<TargetResult>,
        outside: &mut impl Outside,
    ) -> Result<Ended, LoadFault> {
        let patience = self.plan.patience;
        let post = Post::new(self.traffic.clone(), self.clock.clone(), patience);
        let mut going = Going {
            load: self,
            post: Arc::new(post),
            sent: Arc::default(),
            stop: Arc::default(),
            capped: Arc::default(),
            full: Arc::default(),
            steps: 0,
        };
        for target in &self.plan.targets {
            let ended = going.target(target, results, outside).await?;
            if ended != Ended::Complete {
                return Ok(ended);
            }
        }
        Ok(Ended::Complete)
    }
}

/// A run under way.
struct Going<'a> {
    load: &'a Load,
    post: Arc<Post>,
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    /// When the cap was reached; 0 before.
    capped: Arc<AtomicU64>,
    /// As many requests were sent as may be.
    full: Arc<AtomicBool>,
    steps: u32,
}

impl Going<'_> {
    async fn target(
        &mut self,
        target: &Target,
        results: &mut Vec<TargetResult>,
        outside: &mut impl Outside,
    ) -> Result<Ended, LoadFault> {
        let plan = &self.load.plan;
        let workers = self.load.traffic.workers();
        let asker = Arc::new(Asker::new(plan, target, workers));
        let now = self.load.clock.wall();
        let quote = quote_of(plan, target, &self.load.settings, now);
        let mut result = TargetResult {
            target: target.clone(),
            steps: Vec::new(),
            over: None,
        };
        let ended = loop {
            let load = match &plan.search {
                None if !result.steps.is_empty() => break Ended::Complete,
                None => None,
                Some(rule) => match sweep::next(rule, &result.tried(plan)) {
                    Next::Try(load) => Some(load),
                    Next::Over(why) => {
                        result.over = Some(why);
                        break Ended::Complete;
                    }
                },
            };
            let mut step = plan.step(self.steps, load);
            if load.is_some() && result.was_tried(plan, step.load()) {
                step = step.twice();
            }
            self.steps += 1;
            if result.steps.is_empty() {
                self.warm_up(&asker, &step, quote, outside).await;
            }
            let found = self.step(&asker, step, quote, outside).await?;
            result.steps.extend(found);
            if let Some(ended) = self.ended(outside) {
                break ended;
            }
        };
        results.push(result);
        Ok(ended)
    }

    fn capped_at(&self) -> Option<Moment> {
        let at = Moment(self.capped.load(Ordering::Relaxed));
        (at.0 > 0).then_some(at)
    }

    /// Why nothing more is to be sent, where that is so.
    fn ended(&self, outside: &impl Outside) -> Option<Ended> {
        if let Some(fault) = self.load.collected.fault() {
            Some(Ended::Unwritten(fault))
        } else if self.capped_at().is_some() {
            Some(Ended::CostCap)
        } else {
            let over = self.full.load(Ordering::Relaxed) || outside.is_stopped();
            over.then_some(Ended::Interrupted)
        }
    }

    /// Opens connections by a few requests that are not measured, all at once.
    async fn warm_up(
        &self,
        asker: &Arc<Asker>,
        step: &Step,
        quote: Option<Quote>,
        outside: &mut impl Outside,
    ) {
        let mut sender = self.sender(asker, step, quote, mpsc::channel());
        sender.place.warm_up = true;
        for _ in 0..self.load.plan.workload.warm_ups {
            sender.prepare();
            if !sender.send(self.load.clock.now()) {
                break;
            }
        }
        drop(sender);
        while self.post.in_flight() > 0 && self.ended(outside).is_none() {
            self.tell(asker, step, ("warm-up", Nanos(0)), outside);
            tokio::time::sleep(TICK).await;
        }
        self.records(outside).await;
        drop(self.load.collected.take_samples());
        let _ = self.load.collected.take_lag();
    }

    /// Waits for the records of what was answered.
    async fn records(&self, outside: &impl Outside) {
        let patience = if outside.is_stopped() {
            LAST_RECORDS
        } else {
            RECORD_PATIENCE
        };
        let until = self.load.clock.now().plus(patience);
        let all = || self.load.collected.recorded() >= self.sent.load(Ordering::Relaxed);
        while !all() && self.load.clock.now() < until {
            tokio::time::sleep(TICK / 10).await;
        }
    }

    fn sender(
        &self,
        asker: &Arc<Asker>,
        step: &Step,
        quote: Option<Quote>,
        (ended_to, ended): (Sender<Moment>, Receiver<Moment>),
    ) -> StepSender {
        let closed = matches!(step.demand, Demand::Users { .. });
        StepSender {
            plan: Arc::clone(&self.load.plan),
            asker: Arc::clone(asker),
            post: Arc::clone(&self.post),
            collected: Arc::clone(&self.load.collected),
            sent: Arc::clone(&self.sent),
            stop: Arc::clone(&self.stop),
            capped: Arc::clone(&self.capped),
            cost_max: self.load.cost_max,
            requests_max: self.load.requests_max,
            full: Arc::clone(&self.full),
            foreseen: 0,
            paid_before: self.load.collected.spent().0,
            quote,
            place: Place {
                step: step.number,
                index: 0,
                warm_up: false,
            },
            ready: None,
            unsent: Vec::new(),
            ended_to: closed.then_some(ended_to),
            ended,
        }
    }

    async fn step(
        &self,
        asker: &Arc<Asker>,
        mut step: Step,
        quote: Option<Quote>,
        outside: &mut impl Outside,
    ) -> Result<Option<StepResult>, LoadFault> {
        if self.ended(outside).is_some() {
            return Ok(None);
        }
        let (plan, clock) = (&self.load.plan, &self.load.clock);
        let mut agenda = plan.agenda(&step);
        let mut sender = self.sender(asker, &step, quote, mpsc::channel());
        let start = clock.now().plus(LEAD);
        let pacing_clock = clock.clone();
        let before = self.sent.load(Ordering::Relaxed);
        let pacing = thread::Builder::new()
            .name("pacing".to_owned())
            .spawn(move || {
                pace(&pacing_clock, start, &mut agenda, &mut sender);
                (sender.unsent, agenda.sustained())
            })?;
        let mut cut = None;
        while !pacing.is_finished() || self.post.in_flight() > 0 {
            if self.ended(outside).is_some() && cut.is_none() {
                cut = Some(self.capped_at().unwrap_or_else(|| clock.now()));
                self.stop.store(true, Ordering::Relaxed);
            }
            // Who says stop does not wait for answers; a cap does, because they are paid for.
            if outside.is_stopped() && pacing.is_finished() {
                break;
            }
            let elapsed = clock.now().since(start);
            let stage = if pacing.is_finished() {
                "drain"
            } else {
                step.phases.at(elapsed).name()
            };
            self.tell(asker, &step, (stage, elapsed), outside);
            tokio::time::sleep(TICK).await;
        }
        let (unsent, sustained) = pacing.join().unwrap_or_default();
        // Of users enough may have been known before its time.
        step.phases.sustain = sustained.unwrap_or(step.phases.sustain);
        self.records(outside).await;
        let samples = self.load.collected.take_samples();
        let window = Window::of(start, step.phases, cut);
        let recorded = samples.iter().filter(|of| of.step == step.number).count() as u64;
        let sent = self.sent.load(Ordering::Relaxed) - before;
        // What was sent and left no record is a failure, unless nobody waited for it.
        let lost = if cut.is_some() {
            0
        } else {
            sent.saturating_sub(recorded)
        };
        let within = |at: &&Moment| window.from <= **at && **at < window.to;
        let figures = Figures::of(
            &samples,
            Of {
                window,
                sla: &plan.workload.sla,
                patience: Nanos(plan.patience.as_nanos() as u64),
                unrecorded: lost + unsent.iter().filter(within).count() as u64,
                is_steady: plan.trace.is_none() && matches!(step.demand, Demand::Rate { .. }),
            },
        );
        let headers = self.load.collected.take_limits();
        Ok(Some(StepResult {
            step,
            figures,
            declared: declared(&headers, clock.wall()),
            whole: cut.is_none(),
        }))
    }

    fn tell(
        &self,
        asker: &Asker,
        step: &Step,
        (stage, elapsed): (&'static str, Nanos),
        outside: &mut impl Outside,
    ) {
        outside.progress(&Progress {
            route: asker.target().route.to_string(),
            stage,
            load: step.label(),
            elapsed,
            length: step.phases.total(),
            in_flight: self.post.in_flight(),
            sent: self.sent.load(Ordering::Relaxed),
            failed: self.load.collected.failed(),
            lag: self.load.collected.take_lag(),
        });
    }
}

/// Sends the requests of a step.
struct StepSender {
    plan: Arc<Plan>,
    asker: Arc<Asker>,
    post: Arc<Post>,
    collected: Arc<Collected>,
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    capped: Arc<AtomicU64>,
    cost_max: PicoDollars,
    requests_max: Option<u64>,
    full: Arc<AtomicBool>,
    /// What this sender's requests were to cost at most, and what was paid before it began.
    foreseen: u64,
    paid_before: u64,
    quote: Option<Quote>,
    place: Place,
    ready: Option<(Asked, PicoDollars)>,
    /// When those were due that too many at work kept from being sent.
    unsent: Vec<Moment>,
    /// Users wait for the end of their requests.
    ended_to: Option<Sender<Moment>>,
    ended: Receiver<Moment>,
}

impl StepSender {
    fn next(&self) -> (Asked, PicoDollars) {
        let size = self.plan.sizing().of(self.place.index);
        let cost = most(self.quote.as_ref(), size);
        (self.asker.asked(self.place), cost)
    }
}

impl Paced for StepSender {
    fn prepare(&mut self) {
        if self.ready.is_none() {
            self.ready = Some(self.next());
        }
    }

    fn send(&mut self, due: Moment) -> bool {
        let (asked, cost) = self.ready.take().unwrap_or_else(|| self.next());
        let (reserved, spent) = (self.post.reserved().0, self.collected.spent().0);
        let over = self.foreseen.saturating_sub(reserved);
        let paid = spent.saturating_sub(self.paid_before);
        let left = as_dear(reserved.saturating_add(cost.0), paid, over);
        if spent.saturating_add(left) > self.cost_max.0 {
            let now = self.post.now();
            self.capped.store(now.0, Ordering::Relaxed);
            return false;
        }
        let sent = self.sent.load(Ordering::Relaxed);
        if self.requests_max.is_some_and(|most| sent >= most) {
            self.full.store(true, Ordering::Relaxed);
            return false;
        }
        self.place.index += 1;
        // Users are as many as they are, and each has one request.
        let open = self.ended_to.is_none();
        if open && self.post.in_flight() >= self.plan.in_flight_max {
            self.unsent.push(due);
            return true;
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.foreseen = self.foreseen.saturating_add(cost.0);
        let asked = intended(asked, due);
        self.post.send(asked, cost, self.ended_to.clone()).is_ok()
    }

    fn wait(&mut self, span: Nanos) -> Option<Moment> {
        if span.0 == 0 {
            return self.ended.try_recv().ok();
        }
        let span = Duration::from_nanos(span.0);
        match self.ended.recv_timeout(span) {
            Ok(at) => Some(at),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                // An open loop hears of no ends: nobody is there to send them.
                thread::sleep(span);
                None
            }
        }
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}
