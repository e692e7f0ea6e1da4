//! Begins runs for the page: one at a time, within what the config allows, by the commands' code.

mod sets;

mod head;

mod folder;

mod prepare;

mod going;

use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

use super::own_street::{KeptIn, Surroundings};
use super::results::holds_plan;
use super::{bench, bench_papers, load};
use crate::active::asked::AskedRun;
use crate::analysis::paper::Paper;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::ui::desk::{Announced, Refused, RunDesk, RunShown};
use crate::ui::handles::Ask;
use crate::ui::papers::Known;
use going::{Given, Now};
use prepare::{Prepared, prepare};

/// Runs whose reports are kept in memory.
const KEPT_MAX: usize = 8;

/// Where the page's runs begin and end.
pub struct Desk {
    settings: Ask<Arc<Settings>>,
    kept: KeptIn,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    going: Option<Going>,
    /// Nothing begins any more.
    closed: bool,
    /// The reports of the last runs, the newest last.
    papers: VecDeque<(String, Vec<Arc<Paper>>)>,
}

/// The run that goes on.
struct Going {
    shown: Arc<Mutex<RunShown>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Going {
    fn shown(&self) -> RunShown {
        locked(&self.shown).clone()
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Desk")
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// A desk of the program whose settings and store these are.
    #[must_use]
    pub fn new(settings: Ask<Arc<Settings>>, kept: KeptIn, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            settings,
            kept,
            clock,
            state: Mutex::default(),
        })
    }

    /// Ends the run that goes on, and begins no more: waits until what it measured is written.
    pub fn close(&self) {
        let thread = {
            let mut state = locked(&self.state);
            state.closed = true;
            state.going.as_mut().and_then(|going| {
                let _ = going.stop.send(true);
                going.thread.take()
            })
        };
        if let Some(thread) = thread {
            // A panic of it is on stderr already.
            let _ = thread.join();
        }
    }

    fn prepared(&self, asked: &AskedRun) -> Result<(Prepared, Arc<Settings>), Refused> {
        let settings = (self.settings)();
        if let Some(why) = settings.why_no_runs() {
            return Err(Refused::Off(why));
        }
        let drawn = fastrand::u64(..1_000_000);
        let prepared = prepare(asked, &settings, self.clock.wall(), drawn)?;
        Ok((prepared, settings))
    }

    /// Runs it, on a thread of its own.
    fn go(
        &self,
        prepared: Prepared,
        settings: &Settings,
        shown: &Arc<Mutex<RunShown>>,
        stop: &watch::Sender<bool>,
    ) {
        let most = settings.runs.requests_max;
        let run = prepared.announced.run.clone();
        let place = settings.runs.folder.join(&run);
        let surroundings = Surroundings {
            stopped: Some(stop.subscribe()),
            kept: Some(self.kept.clone()),
            ..Surroundings::default()
        };
        let given = Given {
            settings,
            folder: &place,
            surroundings,
            clock: &self.clock,
        };
        let note = |text: &str| locked(shown).notes.push(text.to_owned());
        let mut sent = 0;
        let mut progress = |now: Now| {
            sent = now.sent;
            if now.sent > most && !*stop.borrow() {
                note(&format!(
                    "it was stopped at {most} requests: `runs.max_requests`"
                ));
                let _ = stop.send(true);
            }
            let mut shown = locked(shown);
            (shown.done, shown.of) = now.done;
            shown.says = now.says;
        };
        let came = going::run(prepared, given, &mut progress, &note);
        let mut ended = locked(shown).clone();
        ended.ended = Some(self.clock.wall());
        let papers = match came {
            Ok(came) => {
                if came.end == "interrupted" && sent >= most && ended.notes.is_empty() {
                    let why = format!("it was stopped at {most} requests: `runs.max_requests`");
                    ended.notes.push(why);
                }
                ended.state = came.end;
                ended.notes.extend(came.notes);
                came.papers.into_iter().map(Arc::new).collect()
            }
            Err(fault) => {
                "broken".clone_into(&mut ended.state);
                ended.notes.push(fault.to_string());
                Vec::new()
            }
        };
        if let Err(error) = folder::note(&place, &ended) {
            let run = ended.run.as_str();
            tracing::warn!(run, %error, "how a run ended cannot be written down");
        }
        let mut state = locked(&self.state);
        state.going = None;
        // Of one that went on, the last part says it all.
        state.papers.retain(|(name, _)| *name != run);
        state.papers.push_back((run, papers));
        while state.papers.len() > KEPT_MAX {
            state.papers.pop_front();
        }
    }
}

/// What is shown of a run that begins.
fn beginning(asked: &AskedRun, announced: &Announced, clock: &Clock) -> RunShown {
    let mut words = asked.words.clone();
    // Those that were drawn are asked for again.
    words.insert("run".to_owned(), announced.run.as_str().into());
    words.insert("seed".to_owned(), announced.seed.into());
    RunShown {
        words,
        run: announced.run.clone(),
        kind: announced.kind.to_owned(),
        state: "going".to_owned(),
        began: Some(clock.wall()),
        seed: Some(announced.seed),
        says: "begins".to_owned(),
        ..RunShown::default()
    }
}

/// Whether a run that is there was stopped before it was over, and was asked for by the same plan:
/// then it goes on where it was, as the command's does.
fn goes_on(earlier: &RunShown, prepared: &Prepared, place: &Path) -> bool {
    let plan = prepared.plan.told_apart();
    earlier.kind == prepared.announced.kind
        && earlier.state != "complete"
        && plan.is_some_and(|plan| holds_plan(place, &plan))
}

impl Desk {
    /// Begins it where nothing goes on; the lock is held throughout, so that two never begin.
    fn begin(self: &Arc<Self>, asked: &AskedRun) -> Result<Announced, Refused> {
        let mut state = locked(&self.state);
        if let Some(going) = &state.going {
            return Err(Refused::Busy(going.shown().run));
        }
        if state.closed {
            return Err(Refused::Failed("the program is being stopped".to_owned()));
        }
        let (prepared, settings) = self.prepared(asked)?;
        let announced = prepared.announced.clone();
        let place = settings.runs.folder.join(&announced.run);
        let mut shown = beginning(asked, &announced, &self.clock);
        if place.exists() {
            let earlier = folder::shown(&settings.runs.folder, &announced.run);
            let Some(earlier) = earlier.ok().filter(|of| goes_on(of, &prepared, &place)) else {
                return Err(Refused::Exists(announced.run));
            };
            shown.began = earlier.began.or(shown.began);
        }
        write_first(&place, &shown)?;
        let shown = Arc::new(Mutex::new(shown));
        let (stop, _) = watch::channel(false);
        let desk = Arc::clone(self);
        let (told, word) = (Arc::clone(&shown), stop.clone());
        let thread = std::thread::Builder::new()
            .name("run".to_owned())
            .spawn(move || desk.go(prepared, &settings, &told, &word))
            .map_err(|error| Refused::Failed(format!("cannot start a thread: {error}")))?;
        state.going = Some(Going {
            shown,
            stop,
            thread: Some(thread),
        });
        Ok(announced)
    }

    fn going_on(&self, run: &str) -> Option<RunShown> {
        let state = locked(&self.state);
        let going = state.going.as_ref().map(Going::shown);
        going.filter(|going| going.run == run)
    }

    fn folder(&self) -> std::path::PathBuf {
        (self.settings)().runs.folder.clone()
    }
}

/// Makes the folder of a run, and writes down that it goes on.
fn write_first(place: &Path, shown: &RunShown) -> Result<(), Refused> {
    let made = std::fs::create_dir_all(place).and_then(|()| folder::note(place, shown));
    made.map_err(|error| {
        Refused::Failed(format!(
            "cannot write results to {}: {error}; `runs.folder` names another folder",
            place.display()
        ))
    })
}

impl RunDesk for Arc<Desk> {
    fn refusal(&self) -> Option<&'static str> {
        let settings = (self.settings)();
        settings.why_no_runs()
    }

    fn announce(&self, asked: &AskedRun) -> Result<Announced, Refused> {
        Ok(self.prepared(asked)?.0.announced)
    }

    fn start(&self, asked: &AskedRun) -> Result<Announced, Refused> {
        self.begin(asked)
    }

    fn again(&self, run: &str, max_cost: Option<f64>) -> Result<AskedRun, Refused> {
        let shown = self.shown(run)?;
        if !shown.can_go_on() {
            return Err(Refused::Wrong(format!(
                "run {run} is not one that goes on: benchmarks and evaluations of the page do, \
                 that were stopped before they were over"
            )));
        }
        let mut words = shown.words;
        if let Some(cost) = max_cost {
            words.insert("max_cost".to_owned(), cost.into());
        }
        AskedRun::read(words.into()).map_err(Refused::Wrong)
    }

    fn stop(&self, run: &str) -> Result<(), Refused> {
        let state = locked(&self.state);
        let going = state
            .going
            .as_ref()
            .filter(|going| going.shown().run == run);
        let Some(going) = going else {
            return Err(Refused::Missing(format!("no run {run} goes on")));
        };
        "stopping".clone_into(&mut locked(&going.shown).state);
        let _ = going.stop.send(true);
        Ok(())
    }

    fn list(&self) -> Result<Vec<RunShown>, Refused> {
        let going = locked(&self.state).going.as_ref().map(Going::shown);
        let mut all = folder::list(&self.folder())?;
        if let Some(going) = going {
            all.retain(|other| other.run != going.run);
            all.insert(0, going);
        }
        Ok(all)
    }

    fn shown(&self, run: &str) -> Result<RunShown, Refused> {
        // Asked first: one that ends meanwhile is shown as it was, and what is over is on the disk.
        let going = self.going_on(run);
        let on_disk = folder::shown(&self.folder(), run);
        match going {
            Some(going) => Ok(RunShown {
                files: on_disk.map_or_else(|_| Vec::new(), |shown| shown.files),
                ..going
            }),
            None => on_disk,
        }
    }

    fn papers(&self, run: &str) -> Result<Vec<Arc<Paper>>, Refused> {
        let kept = locked(&self.state);
        let found = kept.papers.iter().find(|(name, _)| name == run);
        if let Some((_, papers)) = found {
            return Ok(papers.clone());
        }
        drop(kept);
        let place = folder::place(&self.folder(), run)?.join(bench::FILE);
        if !place.is_file() {
            return Ok(Vec::new());
        }
        let known = Known::of(Some(&(self.settings)()));
        let finished = bench_papers::read(&place).map_err(told)?;
        let papers = bench_papers::papers(&[finished], &known, &self.clock).map_err(told)?;
        Ok(papers.into_iter().map(Arc::new).collect())
    }

    fn compare(&self, runs: [&str; 2]) -> Result<Paper, Refused> {
        let places = runs.map(|run| folder::place(&self.folder(), run));
        let [one, other] = places;
        let places = [one?, other?];
        let both = |file: &str| {
            let files = [0, 1].map(|at| places[at].join(file));
            files.iter().all(|file| file.is_file()).then_some(files)
        };
        let sides = runs.map(str::to_owned);
        if let Some([one, other]) = both(load::FILE) {
            let read = |path: &Path| bench_papers::read_load(path).map_err(told);
            let (baseline, result) = ([read(&one)?], [read(&other)?]);
            return Ok(bench_papers::loads_side_by_side(
                &baseline,
                &result,
                &sides,
                &self.clock,
            ));
        }
        let Some([one, other]) = both(bench::FILE) else {
            let message = "two finished benchmarks are compared, or two finished loads; of \
                           evaluations /reports/scores does it";
            return Err(Refused::Wrong(message.to_owned()));
        };
        let read = |path: &Path| bench_papers::read(path).map_err(told);
        let (baseline, result) = ([read(&one)?], [read(&other)?]);
        Ok(bench_papers::side_by_side(
            &baseline,
            &result,
            &sides,
            &self.clock,
        ))
    }

    fn file(&self, run: &str, file: &str) -> Result<(File, u64), Refused> {
        folder::open(&self.folder(), run, file)
    }

    fn sets(&self) -> Vec<String> {
        sets::names((self.settings)().runs.sets.as_deref())
    }
}

fn told(fault: super::AppFault) -> Refused {
    Refused::Failed(fault.to_string())
}
