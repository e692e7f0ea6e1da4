//! Sets the stage for a benchmark: the configured providers, a street of its own, the store.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use ring::digest;
use tokio::sync::{mpsc, watch};

use super::fault::AppFault;
use super::node::{Node, Parts};
use super::recording::{offer_to, open_store};
use super::run::{proxies, runtime};
use super::secret_file;
use crate::active::bench::estimate::{Estimate, estimate};
use crate::active::bench::result::{self, Environment, Head};
use crate::active::bench::{Bench, Ended, Measured, Outside, Plan};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::proxy::settle::Offer;
use crate::record::{Active, ExchangeRecord, Nanos, Origin, PicoDollars};
use crate::recorder::Standing;
use crate::statistics::DEFINITIONS;

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
        let began = clock.wall();
        fs::create_dir_all(self.folder).map_err(|error| self.unwritten(&error))?;
        let (all, done) = self.before()?;
        let mut settings = self.settings.clone();
        // Nobody else is to come in, and all requests share one pool of connections.
        settings.server.listen = ([127, 0, 0, 1], 0).into();
        settings.server.workers = 1;
        settings.server.tls = None;
        let total = settings.timeouts.total;
        let patience = total.map_or(self.patience, |total| total.min(self.patience));
        // Who does not answer by then is recorded as timed out, by the street itself.
        settings.timeouts.total = Some(patience);
        let (recorder, recording) = match open_store(&settings, &clock, print) {
            Ok((recorder, recording)) => (Some(recorder), Some(recording)),
            Err(fault) => {
                print(&format!(
                    "{fault}\nwhat is measured goes to {} only",
                    self.folder.display()
                ));
                (None, None)
            }
        };
        let (sender, records) = mpsc::unbounded_channel();
        let kept = recorder.as_ref().map(offer_to);
        let node = Node::start(Parts {
            offer: both(kept, sender),
            standing: Standing::default(),
            secret: secret_file::of_store(&settings.store.path).0,
            origin: Origin::Bench,
            proxies: proxies(),
            logins: None,
            clock: clock.clone(),
            settings,
        })?;
        let bench = Bench {
            plan: self.plan,
            traffic: node.traffic(),
            patience,
            cost_max: self.cost_max,
            done,
            clock: clock.clone(),
            spent: AtomicU64::new(
                all.iter()
                    .filter_map(|of| of.record.cost)
                    .map(|c| c.0)
                    .sum(),
            ),
        };
        let (stop, stopped) = watch::channel(false);
        let mut stage = Stage {
            records,
            waiting: Vec::new(),
            lines: self.lines()?,
            all,
            progress,
            stopped,
        };
        let runtime = runtime()?;
        let ran = runtime.block_on(async {
            tokio::spawn(hear(stop));
            bench.run(&mut stage).await
        });
        node.stop();
        if let Some(recording) = recording {
            recording.shutdown();
        }
        let ended = ran.map_err(|fault| {
            let kept = self.folder.display();
            AppFault::Runtime(format!("{fault}; what was measured before is in {kept}"))
        })?;
        let head = Head {
            began,
            ended: clock.wall(),
            end: ended.name(),
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
        write_whole(&file, &format!("{value:#}\n")).map_err(|error| self.unwritten(&error))?;
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

    /// What an earlier part of this run has measured. A last line that was cut off is left out, as
    /// are conversations that were not ended, and their tasks are asked again.
    fn before(&self) -> Result<(Vec<Measured>, HashSet<usize>), AppFault> {
        let path = self.folder.join(LINES);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
            Err(error) => return Err(self.unwritten(&error)),
        };
        let lines: Vec<String> = BufReader::new(file)
            .lines()
            .collect::<Result<_, _>>()
            .map_err(|error| self.unwritten(&error))?;
        let mut all: Vec<Measured> = Vec::new();
        for (place, line) in lines.iter().enumerate() {
            match result::read_line(line) {
                Ok(measured) => all.push(measured),
                Err(_) if place + 1 == lines.len() => {}
                Err(what) => {
                    let line = place + 1;
                    let path = path.display();
                    return Err(AppFault::Usage(format!("{path} line {line}: {what}")));
                }
            }
        }
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
        all.retain(|of| done.contains(&of.task));
        if all.len() < lines.len() {
            // What is asked again stands there once, and behind whole lines.
            let kept: String = all
                .iter()
                .map(|of| format!("{}\n", result::line(of)))
                .collect();
            write_whole(&path, &kept).map_err(|error| self.unwritten(&error))?;
        }
        Ok((all, done))
    }

    fn lines(&self) -> Result<File, AppFault> {
        let opened = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join(LINES));
        opened.map_err(|error| self.unwritten(&error))
    }

    fn unwritten(&self, error: &io::Error) -> AppFault {
        AppFault::Usage(format!("cannot use {}: {error}", self.folder.display()))
    }
}

/// What a run is connected with: the node's records, a file, a progress bar, signals.
struct Stage<'a> {
    records: mpsc::UnboundedReceiver<ExchangeRecord>,
    /// Records that came before they were asked for.
    waiting: Vec<ExchangeRecord>,
    lines: File,
    all: Vec<Measured>,
    progress: &'a mut dyn FnMut(usize, usize),
    stopped: watch::Receiver<bool>,
}

impl Outside for Stage<'_> {
    async fn record(&mut self, active: &Active) -> Option<ExchangeRecord> {
        loop {
            let of_it = |record: &ExchangeRecord| record.active.as_ref() == Some(active);
            if let Some(place) = self.waiting.iter().position(of_it) {
                return Some(self.waiting.swap_remove(place));
            }
            self.waiting.push(self.records.recv().await?);
        }
    }

    fn measured(&mut self, measured: Measured) -> io::Result<()> {
        let mut line = result::line(&measured).to_string();
        line.push('\n');
        self.lines.write_all(line.as_bytes())?;
        self.all.push(measured);
        Ok(())
    }

    fn progress(&mut self, done: usize, of: usize) {
        (self.progress)(done, of);
    }

    fn stopped(&self) -> impl Future<Output = ()> {
        let mut stopped = self.stopped.clone();
        async move {
            // A sender that is gone says nothing any more.
            if stopped.wait_for(|stopped| *stopped).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Hands records to the store, where there is one, and to the run.
pub(super) fn both(kept: Option<Offer>, run: mpsc::UnboundedSender<ExchangeRecord>) -> Offer {
    Arc::new(move |record: ExchangeRecord| {
        // A run that is over wants no record.
        let _ = run.send(record.clone());
        if let Some(kept) = &kept {
            kept(record);
        }
    })
}

/// Waits for the first word to stop; a second one ends the program as ever.
pub(super) async fn hear(stop: watch::Sender<bool>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        std::future::pending::<()>().await;
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    let _ = stop.send(true);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    std::process::exit(3);
}

/// What a run with these settings is made with.
pub(super) fn environment(settings: &Settings, location: Option<String>) -> Environment {
    let system = rustix::system::uname();
    let said = |text: &std::ffi::CStr| {
        let text = text.to_string_lossy().into_owned();
        (!text.is_empty()).then_some(text)
    };
    Environment {
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("TOLLGATE_COMMIT"),
        host: said(system.nodename()),
        kernel: said(system.release()),
        binary: own_digest(),
        machine: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        cores: thread::available_parallelism().map_or(1, usize::from),
        location,
        config: format!("{:016x}", settings.hash),
        prices: settings.prices.version().to_string(),
        definitions: DEFINITIONS,
    }
}

/// SHA-256 of the program's own file.
fn own_digest() -> Option<String> {
    let bytes = fs::read(std::env::current_exe().ok()?).ok()?;
    Some(sha256(&bytes))
}

/// SHA-256 in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    let bytes = digest.as_ref().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file so that it is there whole or not at all.
pub(super) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("part");
    fs::write(&beside, text)?;
    fs::rename(&beside, path)
}
