//! Runs what was prepared, by the code that the commands run it by, and writes down what it said.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::folder::{PROBE, REPORTS};
use super::prepare::{Planned, Prepared};
use crate::active::load::Progress;
use crate::active::load::paper as load_paper;
use crate::active::targets::Target;
use crate::active::{bench, eval, load, probing};
use crate::analysis::paper::Paper;
use crate::analysis::render::{self, Format};
use crate::analysis::reports::probed::{self, Limits};
use crate::app::eval::Stored;
use crate::app::fault::AppFault;
use crate::app::results::{unusable, write_whole};
use crate::app::{Surroundings, bench_papers};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::record::KeyedHash;
use crate::statistics::drift::Thresholds;
use crate::ui::papers::Known;

/// How a run goes on.
#[derive(Debug, Clone, Default)]
pub(super) struct Now {
    /// How much of it is done, of how much.
    pub(super) done: (u64, u64),
    /// Requests sent, where that is not what is done.
    pub(super) sent: u64,
    /// In words.
    pub(super) says: String,
}

/// What a run came to.
pub(super) struct Came {
    /// Why it ended.
    pub(super) end: String,
    /// What broke, or was not as it should be.
    pub(super) notes: Vec<String>,
    /// What it found.
    pub(super) papers: Vec<Paper>,
}

/// What a run is given.
pub(super) struct Given<'a> {
    /// The settings in force when it began.
    pub(super) settings: &'a Settings,
    /// The folder of its results.
    pub(super) folder: &'a Path,
    /// What it finds around it.
    pub(super) surroundings: Surroundings,
    /// The clock.
    pub(super) clock: &'a Clock,
}

/// How long a request of a benchmark may take, as on the command line.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(10);

/// Runs it to its end. `progress` hears how it goes on, `print` takes what the user should know.
pub(super) fn run(
    prepared: Prepared,
    given: Given<'_>,
    progress: &mut dyn FnMut(Now),
    print: &dyn Fn(&str),
) -> Result<Came, AppFault> {
    let folder = given.folder;
    let began = Beginning {
        cost_max: prepared.cost_max,
        location: prepared.location,
        run: prepared.announced.run,
    };
    let came = match prepared.plan {
        Planned::Bench(plan) => of_bench(&plan, began, given, progress, print),
        Planned::Load(plan) => of_load(&plan, began, given, progress, print),
        Planned::Probe(wish, targets) => {
            of_probes(&wish, &targets, &began.run, given, progress, print)
        }
        Planned::Eval(plan) => of_eval(plan, began, given, progress, print),
    }?;
    for (name, format) in REPORTS
        .into_iter()
        .zip([Format::Html, Format::Markdown, Format::Table])
    {
        let text = render::paper::write_all(&came.papers, format);
        write_whole(&folder.join(name), &text).map_err(|error| unusable(folder, &error))?;
    }
    Ok(came)
}

/// How a run begins.
struct Beginning {
    cost_max: crate::record::PicoDollars,
    location: Option<String>,
    run: String,
}

/// Tells what is counted.
fn counted(what: &'static str, progress: &mut dyn FnMut(Now)) -> impl FnMut(usize, usize) {
    move |done, of| {
        progress(Now {
            done: (done as u64, of as u64),
            sent: 0,
            says: format!("{done} of {of} {what}"),
        });
    }
}

/// What is said of routes that answered nothing.
fn unanswered(routes: Vec<String>) -> Vec<String> {
    let said = |route| format!("nothing was measured of {route}: every request failed");
    routes.into_iter().map(said).collect()
}

fn of_bench(
    plan: &bench::Plan,
    began: Beginning,
    given: Given<'_>,
    progress: &mut dyn FnMut(Now),
    print: &dyn Fn(&str),
) -> Result<Came, AppFault> {
    let run = crate::app::bench::Run {
        settings: given.settings,
        plan,
        folder: given.folder,
        cost_max: began.cost_max,
        location: began.location,
        patience: PATIENCE,
        surroundings: given.surroundings,
    };
    let outcome = run.run(&mut counted("tasks", progress), print)?;
    let finished = bench_papers::read(&outcome.file)?;
    bench_papers::csv(&finished, given.folder, given.clock)?;
    let known = Known::of(Some(given.settings));
    Ok(Came {
        end: outcome.ended.name().to_owned(),
        notes: unanswered(finished.unanswered()),
        papers: bench_papers::papers(&[finished], &known, given.clock)?,
    })
}

fn of_load(
    plan: &load::Plan,
    began: Beginning,
    given: Given<'_>,
    progress: &mut dyn FnMut(Now),
    print: &dyn Fn(&str),
) -> Result<Came, AppFault> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let run = crate::app::load::Run {
        settings: given.settings,
        plan,
        folder: given.folder,
        cost_max: began.cost_max,
        requests_max: Some(given.settings.runs.requests_max),
        workers: (cores / 2).max(1),
        location: began.location,
        surroundings: given.surroundings,
    };
    let mut told = |now: &Progress| {
        progress(Now {
            done: (
                now.elapsed.0.min(now.length.0) / 1_000_000,
                now.length.0 / 1_000_000,
            ),
            sent: now.sent,
            says: now.says(),
        });
    };
    let outcome = run.run(&mut told, print)?;
    let config = KeyedHash(given.settings.hash);
    let paper = load_paper::paper(plan, &outcome.results, outcome.span, config);
    let mut notes = Vec::new();
    if let load::Ended::Unwritten(why) = &outcome.ended {
        notes.push(format!("the exchanges could not be written: {why}"));
    }
    notes.extend(outcome.file.err());
    notes.extend(unanswered(load::result::unanswered(&outcome.results)));
    if load::result::is_void(&outcome.results) {
        notes.push("the run is void: the report says why".to_owned());
    }
    Ok(Came {
        end: outcome.ended.name().to_owned(),
        notes,
        papers: vec![paper],
    })
}

fn of_probes(
    wish: &probing::Wish,
    targets: &[Target],
    run: &str,
    given: Given<'_>,
    progress: &mut dyn FnMut(Now),
    print: &dyn Fn(&str),
) -> Result<Came, AppFault> {
    let settings = given.settings;
    let asked = crate::app::probe::Run {
        settings,
        targets,
        round: wish.round(run),
        thresholds: Thresholds {
            drift: settings.alerts.drift,
            availability: settings.alerts.availability,
        },
        surroundings: given.surroundings,
    };
    fs::create_dir_all(given.folder).map_err(|error| unusable(given.folder, &error))?;
    let all = asked.run(&mut counted("probes", progress), print)?.all;
    let findings = probed::findings(&all, &Limits::default());
    let made = given.clock.wall();
    let value = probed::json(&all, &findings, made);
    write_whole(&given.folder.join(PROBE), &format!("{value:#}\n"))
        .map_err(|error| unusable(given.folder, &error))?;
    let whole = all.len() == targets.len();
    Ok(Came {
        end: if whole { "complete" } else { "interrupted" }.to_owned(),
        notes: Vec::new(),
        papers: vec![probed::paper(
            &all,
            &findings,
            crate::app::probe::head(&all, made),
        )],
    })
}

fn of_eval(
    plan: Arc<eval::Plan>,
    began: Beginning,
    given: Given<'_>,
    progress: &mut dyn FnMut(Now),
    print: &dyn Fn(&str),
) -> Result<Came, AppFault> {
    let run = crate::app::eval::Run {
        settings: given.settings,
        plan,
        folder: given.folder,
        cost_max: began.cost_max,
        location: began.location,
        keep: None,
        surroundings: given.surroundings,
    };
    let outcome = run.run(&mut counted("answers", progress), print)?;
    let mut notes: Vec<String> = outcome.fault.into_iter().chain(outcome.unscored).collect();
    match outcome.stored {
        Stored::No(why) if !outcome.scores.is_empty() => {
            notes.push(format!("the scores are in the results only: {why}"));
        }
        _ => {}
    }
    Ok(Came {
        end: outcome.end.to_owned(),
        notes,
        papers: vec![outcome.paper],
    })
}
