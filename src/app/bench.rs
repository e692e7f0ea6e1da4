//! Sets the stage for a benchmark: the configured providers, a street of its own, the store.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::fault::AppFault;
use super::machine::runtime;
use super::own_street::{Arrivals, Opening, OwnStreet, Surroundings, until};
use super::results::{
    PLAN, began, earlier, environment, hold, lines, same_plan, unusable, write_whole,
};
use crate::active::bench::estimate::{Estimate, estimate, of_tasks};
use crate::active::bench::result::{self, Head};
use crate::active::bench::run::BenchFault;
use crate::active::bench::{Bench, Ended, Measured, Outside, Plan};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::record::{Active, ExchangeRecord, Nanos, Origin, PicoDollars};

/// What one run is made of.
#[derive(Debug)]
pub struct Run<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// What is asked.
    pub plan: &'a Plan,
    /// The folder of its results: `exchanges.jsonl` as it goes, `benchmark.json` at the end.
    pub folder: &'a Path,
    /// What it may cost.
    pub cost_max: PicoDollars,
    /// Where the machine is, as its user says.
    pub location: Option<String>,
    /// How long a request may take; the config may say less.
    pub patience: Duration,
    /// What it finds around it.
    pub surroundings: Surroundings,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// Why it ended.
    pub ended: Ended,
    /// Everything that was measured, also by earlier parts of the run.
    pub all: Vec<Measured>,
    /// The file that says it all.
    pub file: PathBuf,
}

/// The name of the file with a line per exchange.
pub const LINES: &str = "exchanges.jsonl";
/// The name of the file that says it all.
pub const FILE: &str = "benchmark.json";

impl Run<'_> {
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
        let (all, done) = self.before()?;
        self.same_plan(!all.is_empty())?;
        let began = began(all.iter().map(|of| &of.record), clock.wall());
        let mut settings = self.settings.clone();
        let total = settings.timeouts.total;
        let patience = total.map_or(self.patience, |total| total.min(self.patience));
        // Who does not answer by then is recorded as timed out, by the street itself.
        settings.timeouts.total = Some(patience);
        let (sender, records) = mpsc::unbounded_channel();
        let opening = Opening {
            settings,
            // All requests share one pool of connections.
            workers: 1,
            origin: Origin::Bench,
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
        let bench = Bench {
            plan: self.plan,
            traffic: street.traffic(),
            patience,
            cost_max: self.cost_max,
            done,
            clock: clock.clone(),
            costs: of_tasks(self.plan, self.settings, clock.wall()),
            spent: AtomicU64::new(
                all.iter()
                    .filter_map(|of| of.record.cost)
                    .map(|c| c.0)
                    .sum(),
            ),
        };
        let runtime = runtime()?;
        let stopped = {
            let _within = runtime.enter();
            self.surroundings.stopped()
        };
        let mut stage = Stage {
            arrivals: Arrivals::new(records),
            lines: lines(&self.folder.join(LINES))?,
            all,
            progress,
            stopped,
        };
        let ran = runtime.block_on(async { bench.run(&mut stage).await });
        street.end(|_| (), print);
        let end = match &ran {
            Ok(ended) => ended.name(),
            Err(BenchFault::Write(_)) => "unwritten",
            Err(BenchFault::Traffic(_)) => "broken",
        };
        let head = Head {
            began,
            ended: clock.wall(),
            end,
            estimate: self.estimate(&clock),
            environment: environment(self.settings, self.location.clone()),
        };
        let file = self.folder.join(FILE);
        let value = result::file(
            self.plan,
            &head,
            Nanos(patience.as_nanos() as u64),
            &stage.all,
        );
        let written = write_whole(&file, &format!("{value:#}\n"));
        let ended = ran.map_err(|fault| {
            let (count, file) = (stage.all.len(), file.display());
            let kept = match &written {
                Ok(()) => format!("the {count} answers measured before are in {file}"),
                Err(error) => format!("cannot write {file} either: {error}"),
            };
            AppFault::Runtime(format!(
                "{fault}; {kept}. Make room, or name another folder with --out; the same command goes on"
            ))
        })?;
        written.map_err(|error| {
            let file = file.display();
            AppFault::Runtime(format!(
                "cannot write {file}: {error}; what was measured is in {LINES} beside it, and the same command goes on"
            ))
        })?;
        Ok(Outcome {
            ended,
            all: stage.all,
            file,
        })
    }

    /// What it will cost at most by today's prices.
    #[must_use]
    pub fn estimate(&self, clock: &Clock) -> Estimate {
        estimate(self.plan, self.settings, clock.wall())
    }

    /// Whether what the folder holds was asked by this plan. A run that says so nowhere but in its
    /// result is held against that.
    fn same_plan(&self, begun: bool) -> Result<(), AppFault> {
        let own = result::plan_value(self.plan);
        if begun && !self.folder.join(PLAN).exists() {
            let told = fs::read_to_string(self.folder.join(FILE)).unwrap_or_default();
            let told: Value = serde_json::from_str(&told).unwrap_or_default();
            let text = format!("{:#}\n", told["plan"]);
            write_whole(&self.folder.join(PLAN), &text)
                .map_err(|error| unusable(self.folder, &error))?;
        }
        same_plan(self.folder, &own)
    }

    /// What an earlier part of this run has measured. A last line that was cut off is left out, as
    /// are conversations that were not ended, and their tasks are asked again.
    fn before(&self) -> Result<(Vec<Measured>, HashSet<usize>), AppFault> {
        let path = self.folder.join(LINES);
        let found = earlier(&path, result::read_line)?;
        let mut all: Vec<Measured> = found.all;
        let own = |of: &Measured| {
            let active = of.record.active.as_ref();
            active.is_some_and(|active| active.run == self.plan.run)
        };
        if !all.iter().all(own) {
            let folder = self.folder.display();
            let message = format!("{folder} holds another run: name another folder with --out");
            return Err(AppFault::Usage(message));
        }
        let done: HashSet<usize> = all.iter().filter(|of| of.last).map(|of| of.task).collect();
        // What stands there twice was asked by two programs at once: it counts once.
        let mut seen = HashSet::new();
        all.retain(|of| done.contains(&of.task) && seen.insert((of.task, of.turn)));
        if all.len() < found.lines || !found.ended {
            // What is asked again stands there once, and behind whole lines.
            let kept: String = all
                .iter()
                .map(|of| format!("{}\n", result::line(of)))
                .collect();
            write_whole(&path, &kept).map_err(|error| unusable(self.folder, &error))?;
        }
        Ok((all, done))
    }
}

/// What a run is connected with: the node's records, a file, a progress bar, signals.
struct Stage<'a> {
    arrivals: Arrivals,
    lines: File,
    all: Vec<Measured>,
    progress: &'a mut dyn FnMut(usize, usize),
    stopped: watch::Receiver<bool>,
}

impl Outside for Stage<'_> {
    async fn record(&mut self, active: &Active) -> Option<ExchangeRecord> {
        self.arrivals.of(active).await
    }

    fn measured(&mut self, measured: Measured) -> io::Result<()> {
        let mut line = result::line(&measured).to_string();
        line.push('\n');
        // First of all it is remembered: the result has it, whatever becomes of the lines.
        self.all.push(measured);
        self.lines.write_all(line.as_bytes())
    }

    fn progress(&mut self, done: usize, of: usize) {
        (self.progress)(done, of);
    }

    fn stopped(&self) -> impl Future<Output = ()> {
        until(&self.stopped)
    }
}
