//! Sets the stage for a load: the configured providers, a street of its own, the store, the file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::bench::LINES;
use super::fault::AppFault;
use super::machine::runtime;
use super::own_street::{Opening, OwnStreet, Surroundings};
use super::results::{environment, unusable, write_whole};
use crate::active::load::estimate::{Estimate, estimate};
use crate::active::load::finished::{self, Finished};
use crate::active::load::result::{self, Head};
use crate::active::load::{Collected, Ended, Load, Outside, Plan, Progress, TargetResult};
use crate::analysis::render::{self, Format};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::record::{ExchangeRecord, Origin, PicoDollars, WallTime};
use crate::workload::spec::Demand;

/// The name of the file that says it all.
pub const FILE: &str = "load.json";
/// The name of the file with its figures as a table.
pub const CSV: &str = "load.csv";
/// The name of the file with what each route bears, by model and region.
pub const PIVOT: &str = "pivot.csv";
/// The name of the file with the trace that was sent, where one was.
pub const TRACE: &str = "trace.jsonl";

/// What one run is made of.
#[derive(Debug)]
pub struct Run<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// What is measured.
    pub plan: &'a Plan,
    /// The folder of its results: [`TRACE`] at the start, `exchanges.jsonl` as it goes, [`FILE`] at
    /// the end.
    pub folder: &'a Path,
    /// What it may cost.
    pub cost_max: PicoDollars,
    /// Requests at most, where that is said.
    pub requests_max: Option<u64>,
    /// Threads that carry the requests.
    pub workers: usize,
    /// Where the machine is, as its user says.
    pub location: Option<String>,
    /// What it finds around it.
    pub surroundings: Surroundings,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// Why it ended.
    pub ended: Ended,
    /// What each route came to.
    pub results: Vec<TargetResult>,
    /// When it began and ended.
    pub span: (WallTime, WallTime),
    /// What it cost, as far as prices are known.
    pub spent: PicoDollars,
    /// The file that says it all, or why it could not be written.
    pub file: Result<PathBuf, String>,
}

impl Run<'_> {
    /// What it will cost by today's prices, as far as that can be said.
    #[must_use]
    pub fn estimate(&self, clock: &Clock) -> Estimate {
        estimate(self.plan, self.settings, clock.wall())
    }

    /// Runs until everything is measured, the cost cap is reached, or somebody says stop (SIGINT,
    /// SIGTERM). `progress` hears how it goes on; `print` takes what the user should know.
    pub fn run(
        &self,
        progress: &mut dyn FnMut(&Progress),
        print: &dyn Fn(&str),
    ) -> Result<Outcome, AppFault> {
        let clock = Clock::system();
        let began = clock.wall();
        let lines = self.lines()?;
        if let Some(trace) = &self.plan.trace {
            // What it was read from may be gone when somebody wants to send it again.
            let path = self.folder.join(TRACE);
            write_whole(&path, &trace.json_lines()).map_err(|error| unusable(&path, &error))?;
        }
        let collected = Arc::new(Collected::new(self.plan.run.clone()));
        let (sender, records) = channel();
        let collecting = collect(Arc::clone(&collected), records, lines)?;
        let opening = Opening {
            settings: self.settings_of_node(),
            workers: self.workers.max(1),
            origin: Origin::Load,
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
        let load = Load {
            plan: Arc::new(self.plan.clone()),
            settings: Arc::new(self.settings.clone()),
            traffic: street.traffic(),
            collected: Arc::clone(&collected),
            cost_max: self.cost_max,
            requests_max: self.requests_max,
            clock: clock.clone(),
        };
        let mut results = Vec::new();
        let runtime = runtime()?;
        let stopped = {
            let _within = runtime.enter();
            self.surroundings.stopped()
        };
        let mut stage = Stage { progress, stopped };
        let ran = runtime.block_on(async { load.run(&mut results, &mut stage).await });
        drop(load);
        street.end(|_| (), print);
        // Ends when the last of the street's records is taken.
        let _ = collecting.join();
        let mut ended = ran.map_err(|fault| AppFault::Runtime(fault.to_string()))?;
        if let (Ended::Complete, Some(fault)) = (&ended, collected.fault()) {
            ended = Ended::Unwritten(fault);
        }
        let span = (began, clock.wall());
        let head = Head {
            began,
            ended: span.1,
            end: ended.name(),
            estimate: self.estimate(&clock),
            spent: collected.spent().as_dollars(),
            environment: environment(self.settings, self.location.clone()),
        };
        let path = self.folder.join(FILE);
        let value = result::file(self.plan, &head, &results);
        let written = write_whole(&path, &format!("{value:#}\n"));
        let written = written.and_then(|()| self.csv(&value, span.1));
        let file = written.map_err(|error| format!("cannot write {}: {error}", path.display()));
        Ok(Outcome {
            ended,
            results,
            span,
            spent: collected.spent(),
            file: file.map(|()| path),
        })
    }

    /// Writes the result's figures as CSV beside it.
    fn csv(&self, value: &Value, made: WallTime) -> io::Result<()> {
        let finished = Finished::read(&value.to_string()).map_err(io::Error::other)?;
        write_whole(&self.folder.join(PIVOT), &finished.pivot())?;
        let text = render::paper::write(&finished::paper(&[finished], made), Format::Csv);
        write_whole(&self.folder.join(CSV), &text)
    }

    /// The settings of a street that nobody else comes to.
    fn settings_of_node(&self) -> Settings {
        let mut settings = self.settings.clone();
        // Who does not answer by then is recorded as timed out, by the street itself.
        let total = settings.timeouts.total;
        let patience = self.plan.patience;
        settings.timeouts.total = Some(total.map_or(patience, |total| total.min(patience)));
        // How much is at work is the load's to say: the limit of a proxy would be measured instead.
        let at_once = match self.plan.workload.demand {
            Demand::Users { count, .. } => count as usize,
            Demand::Rate { .. } => self.plan.in_flight_max,
        };
        let searched = self.plan.search.map_or(0.0, |rule| rule.max) as usize;
        let limit = &mut settings.limits.connections_per_provider;
        *limit = (*limit).max(at_once).max(searched);
        // Connections of our own wait for their next request as long as it takes.
        settings.timeouts.client_idle = Duration::from_hours(24);
        settings
    }

    /// The file of the exchanges. One of another run is not written over.
    fn lines(&self) -> Result<File, AppFault> {
        fs::create_dir_all(self.folder).map_err(|error| unusable(self.folder, &error))?;
        let opened = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(self.folder.join(LINES));
        opened.map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                let folder = self.folder.display();
                let message = format!("{folder} holds another run: name this one with --run");
                AppFault::Usage(message)
            } else {
                unusable(self.folder, &error)
            }
        })
    }
}

/// What a run is connected with: a progress bar, signals.
struct Stage<'a> {
    progress: &'a mut dyn FnMut(&Progress),
    stopped: watch::Receiver<bool>,
}

impl Outside for Stage<'_> {
    fn progress(&mut self, progress: &Progress) {
        (self.progress)(progress);
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }
}

/// Lines wait in memory no longer than this.
const FLUSH: Duration = Duration::from_millis(200);
/// Bytes of lines that wait in memory.
const BUFFER: usize = 256 * 1024;

/// Takes the records on a thread of its own, so that no request waits for the disk.
fn collect(
    collected: Arc<Collected>,
    records: Receiver<ExchangeRecord>,
    lines: File,
) -> Result<JoinHandle<()>, AppFault> {
    let mut lines = BufWriter::with_capacity(BUFFER, lines);
    let mut line = Vec::new();
    let work = move || {
        let mut unflushed = false;
        loop {
            let record = match records.recv_timeout(FLUSH) {
                Ok(record) => record,
                Err(RecvTimeoutError::Timeout) => {
                    if std::mem::take(&mut unflushed)
                        && let Err(error) = lines.flush()
                    {
                        collected.fail(&error);
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            unflushed = true;
            collected.take(&record, &mut |record| {
                line.clear();
                result::line(record, &mut line)?;
                lines.write_all(&line)
            });
        }
        if let Err(error) = lines.flush() {
            collected.fail(&error);
        }
    };
    thread::Builder::new()
        .name("collecting".to_owned())
        .spawn(work)
        .map_err(|error| AppFault::Runtime(format!("cannot start a thread: {error}")))
}
