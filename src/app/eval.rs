//! Sets the stage for an evaluation: the configured providers, a street of its own, the store, the
//! folder of its results, and where the user wants them the answers.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::fault::AppFault;
use super::machine::runtime;
use super::own_street::{Arrivals, Kept, Opening, OwnStreet, Surroundings, until};
use super::results::{began, earlier, environment, hold, lines, same_plan, unusable, write_whole};
use crate::active::bench::Ended;
use crate::active::bench::result::Head;
use crate::active::eval::estimate::{Costs, costs};
use crate::active::eval::{Eval, EvalFault, Measured, Outside, Plan, Spoken, result};
use crate::analysis::paper::{self, Paper};
use crate::analysis::render::paper::json as paper_json;
use crate::analysis::reports::scores;
use crate::analysis::scoring::Scored;
use crate::analysis::tables::Window;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::record::{Active, ExchangeRecord, Origin, PicoDollars, RouteScore, WallTime};

/// What one run is made of.
#[derive(Debug)]
pub struct Run<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// What is asked.
    pub plan: Arc<Plan>,
    /// The folder of its results.
    pub folder: &'a Path,
    /// What it may cost.
    pub cost_max: PicoDollars,
    /// Where the machine is, as its user says.
    pub location: Option<String>,
    /// The folder that answers are kept in, where they are.
    pub keep: Option<&'a Path>,
    /// What it finds around it.
    pub surroundings: Surroundings,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// Why it ended.
    pub end: &'static str,
    /// Why the rest was not asked, where something broke.
    pub fault: Option<String>,
    /// Which route answered nothing at all; else how a scorer first failed, where no answer could be
    /// scored.
    pub unscored: Option<String>,
    /// The report.
    pub paper: Paper,
    /// The file that says it all, where it could be written.
    pub file: Option<PathBuf>,
    /// What was found of each route, for routing; nothing of a run that is not complete.
    pub scores: Vec<RouteScore>,
    /// Whether the store has them.
    pub stored: Stored,
}

/// Whether the store has the scores of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It has.
    Yes,
    /// Another program has the store open: it may take them.
    InUse,
    /// It has not, and why.
    No(String),
}

/// The name of the file with a line per answer.
pub const LINES: &str = "scores.jsonl";
/// The name of the file that says it all.
pub const FILE: &str = "eval.json";

impl Run<'_> {
    /// What it may cost by today's prices.
    #[must_use]
    pub fn costs(&self, clock: &Clock) -> Costs {
        costs(&self.plan, self.settings, clock.wall())
    }

    /// Runs until everything is asked, the cost cap is reached, or somebody says stop (SIGINT,
    /// SIGTERM). `progress` hears how many of how many tasks are done; `print` takes what the user
    /// should know.
    pub fn run(
        &self,
        progress: &mut dyn FnMut(usize, usize),
        print: &dyn Fn(&str),
    ) -> Result<Outcome, AppFault> {
        let clock = Clock::system();
        fs::create_dir_all(self.folder).map_err(|error| unusable(self.folder, &error))?;
        let _held = hold(self.folder)?;
        same_plan(self.folder, &result::plan_value(&self.plan))?;
        let (all, done) = self.before()?;
        let began = began(all.iter().map(|of| &of.record), clock.wall());
        let (lines, kept) = (lines(&self.folder.join(LINES))?, self.kept()?);
        let (sender, records) = mpsc::unbounded_channel();
        let opening = Opening {
            settings: self.settings.clone(),
            // All requests share one pool of connections.
            workers: 1,
            origin: Origin::Eval,
            clock: &clock,
            print,
            unkept: &format!("what is measured goes to {} only", self.folder.display()),
            elsewhere: &format!("they are in {} only", self.folder.display()),
            surroundings: &self.surroundings,
        };
        let street = OwnStreet::open(opening, move |record| {
            // A run that is over wants no record.
            let _ = sender.send(record);
        })?;
        let costs = self.costs(&clock);
        let mut eval = Eval {
            plan: Arc::clone(&self.plan),
            traffic: street.traffic(),
            cost_max: self.cost_max,
            costs: costs.of_tasks,
            done,
            spent: spent(&all),
            foreseen: 0,
            paid: 0,
            clock: clock.clone(),
        };
        let runtime = runtime()?;
        let stopped = {
            let _within = runtime.enter();
            self.surroundings.stopped()
        };
        let mut stage = Stage {
            plan: &self.plan,
            arrivals: Arrivals::new(records),
            lines,
            kept,
            all,
            progress,
            stopped,
        };
        let ran = runtime.block_on(async { eval.run(&mut stage).await });
        let (end, fault) = match ran {
            Ok(ended) => (ended.name(), None),
            Err(fault @ EvalFault::Write(_)) => ("unwritten", Some(fault.to_string())),
            Err(fault) => ("broken", Some(fault.to_string())),
        };
        let all = stage.all;
        let measured = result::scores(&self.plan, &all);
        let paper = scores::paper(&measured, self.head(&all, clock.wall()));
        let standings = scores::standings(&measured);
        let complete = end == Ended::Complete.name();
        let found = if complete {
            result::route_scores(&self.plan, &standings, clock.wall())
        } else {
            Vec::new()
        };
        let kept = found.clone();
        let opened = street.end(
            |recorder| recorder.with_store(move |store| store.add_scores(&kept)),
            print,
        );
        let stored = stored(opened, || {
            let kept = self.surroundings.kept.as_ref();
            kept.and_then(|kept| (kept.scores)(found.clone()))
        });
        let head = Head {
            began,
            ended: clock.wall(),
            end,
            estimate: costs.whole,
            environment: environment(self.settings, self.location.clone()),
        };
        let report = paper_json(&paper);
        let value = result::file(&self.plan, &head, &all, &standings, &report);
        let file = self.folder.join(FILE);
        let written = write_whole(&file, &format!("{value:#}\n"));
        let unwritten = written
            .as_ref()
            .err()
            .map(|error| format!("cannot write {}: {error}", file.display()));
        Ok(Outcome {
            end,
            fault: fault.or(unwritten),
            unscored: unscored(&self.plan, &all),
            paper,
            file: written.is_ok().then_some(file),
            stored,
            scores: found,
        })
    }

    fn head(&self, all: &[Measured], made: WallTime) -> paper::Head {
        let started = || all.iter().map(|of| of.record.started);
        let mut configs: Vec<_> = all.iter().map(|of| of.record.config).collect();
        configs.dedup();
        let providers = self.settings.providers.iter();
        let hosted = providers.filter_map(|of| Some((of.name.clone(), of.per_hour?)));
        paper::Head {
            window: Window {
                from: started().min().unwrap_or(made),
                until: WallTime(started().max().unwrap_or(made).0 + 1),
            },
            made,
            origin: "eval".to_owned(),
            selection: vec![
                format!("run {}", self.plan.run),
                format!("data set {}", self.plan.set),
            ],
            source: paper::Source::Records,
            scanned: all.len() as u64,
            taken: all.len() as u64,
            excluded: Vec::new(),
            configs,
            own_delay: None,
            seed: Some(self.plan.seed),
            method: "",
            hosted: hosted.collect(),
            remarks: Vec::new(),
            sides: Vec::new(),
        }
    }

    /// What an earlier part of this run has measured. A last line that was cut off is left out, and
    /// its task is asked again.
    fn before(&self) -> Result<(Vec<Measured>, HashSet<usize>), AppFault> {
        let path = self.folder.join(LINES);
        let found = earlier(&path, result::read_line)?;
        let mut all: Vec<Measured> = found.all;
        // What stands there twice was asked by two programs at once: it counts once.
        let mut seen = HashSet::new();
        all.retain(|of| seen.insert(of.task));
        if all.len() < found.lines || !found.ended {
            let kept = all
                .iter()
                .map(|of| format!("{}\n", result::line(&self.plan, of)));
            let kept: String = kept.collect();
            write_whole(&path, &kept).map_err(|error| unusable(self.folder, &error))?;
        }
        let done = all.iter().map(|of| of.task).collect();
        Ok((all, done))
    }

    /// The file that answers are kept in: nobody else reads it.
    fn kept(&self) -> Result<Option<File>, AppFault> {
        let Some(folder) = self.keep else {
            return Ok(None);
        };
        let open = || {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
            let path = folder.join(format!("{}.jsonl", self.plan.run));
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path)?;
            // One that was there already may be open to others.
            file.set_permissions(Permissions::from_mode(0o600))?;
            Ok(file)
        };
        let opened: io::Result<File> = open();
        opened.map(Some).map_err(|error| unusable(folder, &error))
    }
}

/// Whether the store has the scores, by what became of it; `around` hands them to the one that a
/// program around has open.
fn stored<E: Display>(
    kept: Kept<Option<Result<(), E>>>,
    around: impl FnOnce() -> Option<Result<(), E>>,
) -> Stored {
    let (written, failure) = match kept {
        Kept::Around => (around(), None),
        Kept::InUse | Kept::Handed { .. } => return Stored::InUse,
        Kept::Unopened(why) => return Stored::No(why),
        Kept::Closed { last, failure, .. } => (last, failure),
    };
    match written {
        Some(Ok(())) => Stored::Yes,
        Some(Err(error)) => Stored::No(error.to_string()),
        None => Stored::No(failure.unwrap_or_else(|| "the store takes nothing now".to_owned())),
    }
}

/// Which route answered nothing at all; else how a scorer first failed, where none of them could
/// score any answer.
fn unscored(plan: &Plan, all: &[Measured]) -> Option<String> {
    let silent = plan.targets.iter().enumerate().find(|(place, _)| {
        let is_own = |of: &&Measured| plan.numbered(of.task).is_some_and(|t| t.target == *place);
        let mut own = all.iter().filter(is_own).peekable();
        own.peek().is_some() && own.all(|of| !of.is_answered())
    });
    if let Some((_, target)) = silent {
        let (model, route) = (&target.model, &target.route);
        return Some(format!(
            "nothing was measured of {model} at {route}: every request failed"
        ));
    }
    let mut first = None;
    for (scorer, scored) in all
        .iter()
        .flat_map(|of| plan.scorers.iter().zip(&of.scores))
    {
        let Scored::Failed(why) = scored else {
            return None;
        };
        let name = &scorer.name;
        first.get_or_insert_with(|| format!("no answer could be scored: scorer {name}: {why}"));
    }
    first
}

/// What earlier parts of a run have cost.
fn spent(all: &[Measured]) -> PicoDollars {
    let records = all
        .iter()
        .flat_map(|of| of.judges.iter().chain([&of.record]));
    PicoDollars(
        records
            .filter_map(|record| record.cost)
            .map(|cost| cost.0)
            .sum(),
    )
}

/// What a run is connected with: the node's records, files, a progress bar, signals.
struct Stage<'a> {
    plan: &'a Plan,
    arrivals: Arrivals,
    lines: File,
    kept: Option<File>,
    all: Vec<Measured>,
    progress: &'a mut dyn FnMut(usize, usize),
    stopped: watch::Receiver<bool>,
}

impl Outside for Stage<'_> {
    async fn record(&mut self, active: &Active) -> Option<ExchangeRecord> {
        self.arrivals.of(active).await
    }

    fn measured(&mut self, measured: Measured, spoken: &Spoken) -> io::Result<()> {
        let line = format!("{}\n", result::line(self.plan, &measured));
        let kept = kept_line(self.plan, &measured, spoken);
        // First of all it is remembered: the report has it, whatever becomes of the files.
        self.all.push(measured);
        self.lines.write_all(line.as_bytes())?;
        if let (Some(file), Some(kept)) = (&mut self.kept, kept) {
            file.write_all(format!("{kept}\n").as_bytes())?;
        }
        Ok(())
    }

    fn progress(&mut self, done: usize, of: usize) {
        (self.progress)(done, of);
    }

    fn stopped(&self) -> impl Future<Output = ()> {
        until(&self.stopped)
    }
}

/// What is kept of an answer, where it is: what was said, and why it is worth what it is. Schema
/// `tollgate.eval.kept/1`.
fn kept_line(plan: &Plan, measured: &Measured, spoken: &Spoken) -> Option<Value> {
    let task = plan.numbered(measured.task)?;
    let calls = spoken.answer.calls.iter();
    let calls = calls.map(|call| json!({"name": call.name, "arguments": call.arguments}));
    let rationales = plan.scorers.iter().zip(&spoken.rationales);
    let rationales = rationales.map(|(scorer, why)| (scorer.name.clone(), json!(why)));
    Some(json!({
        "schema": "tollgate.eval.kept/1",
        "task": measured.task,
        "item": plan.items[task.item].id,
        "trial": task.trial,
        "model": plan.targets[task.target].model.as_str(),
        "route": plan.targets[task.target].route.to_string(),
        "answer": spoken.answer.text,
        "calls": calls.collect::<Vec<_>>(),
        "rationales": rationales.collect::<serde_json::Map<_, _>>(),
    }))
}

/// Whether a run asked all that it was to.
#[must_use]
pub fn is_complete(outcome: &Outcome) -> bool {
    outcome.end == Ended::Complete.name()
}
