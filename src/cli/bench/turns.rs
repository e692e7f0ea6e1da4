//! Runs a load as often as is wanted, and reports what the runs found, alone and together.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::{files_of, results, told_unanswered};
use crate::active::load::finished::{Finished, analysis};
use crate::active::load::result::{is_void, unanswered};
use crate::active::load::{Ended, Plan, Progress, paper};
use crate::analysis::paper::Paper;
use crate::analysis::render::{self, Format};
use crate::app::bench_papers;
use crate::app::load::{Outcome, Run};
use crate::cli::output;
use crate::cli::report::hand_over;
use crate::cli::stored::Stop;
use crate::clock::Clock;
use crate::record::{KeyedHash, Name};
use crate::workload::prompts::mixed;

/// What one run came to, and what it reports.
pub(super) struct Turn {
    pub(super) outcome: Outcome,
    paper: Paper,
    /// Some route answered nothing.
    nothing: bool,
}

impl Turn {
    /// Whether all of it was sent, and is written down.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.outcome.ended, Ended::Complete) && self.outcome.file.is_ok()
    }

    /// The exit code that it asks for.
    pub(super) fn code(&self) -> u8 {
        let outcome = &self.outcome;
        match outcome.ended {
            Ended::Unwritten(_) => 3,
            _ if outcome.file.is_err() => 3,
            Ended::Complete if !is_void(&outcome.results) && !self.nothing => 0,
            _ => 1,
        }
    }
}

/// The plan of a turn: of several, each has a name and a seed of its own. Asked again, the same
/// prompts would find the providers' caches warm.
pub(super) fn turn_of(plan: &Plan, turn: u32, repeat: u32) -> Plan {
    let mut plan = plan.clone();
    if repeat > 1 {
        plan.run = Name::from(format!("{}-{}", plan.run, turn + 1));
    }
    if turn > 0 {
        plan.seed = mixed(plan.seed, u64::from(turn));
    }
    plan
}

/// Runs it, and says how it ended and where its results are.
pub(super) fn one(run: &Run<'_>) -> Result<Turn, Stop> {
    let outcome = measure(run)?;
    match &outcome.ended {
        Ended::Complete => {}
        Ended::Unwritten(why) => output::note(&format!(
            "the exchanges could not be written ({why}): the run ended, and what was measured \
             before stands below"
        )),
        ended => output::note(&format!(
            "the run ended early ({}): what was measured is kept",
            ended.name()
        )),
    }
    match &outcome.file {
        Ok(file) => output::note(&format!("results: {}", file.display())),
        Err(why) => output::note(why),
    }
    if is_void(&outcome.results) {
        output::note("the run is void: its report says why");
    }
    let config = KeyedHash(run.settings.hash);
    Ok(Turn {
        paper: paper::paper(run.plan, &outcome.results, outcome.span, config),
        nothing: told_unanswered(&unanswered(&outcome.results)),
        outcome,
    })
}

/// How what the runs found is told.
pub(super) struct Told<'a> {
    /// As the files of the results.
    pub(super) as_files: bool,
    /// Runs that were wanted.
    pub(super) repeat: u32,
    /// What they are compared with, and where that is from.
    pub(super) baseline: Option<(&'a Path, &'a [Finished])>,
    /// Whether it is a gate that something worse does not pass.
    pub(super) is_gate: bool,
    /// The format.
    pub(super) format: Format,
    /// The file; stdout otherwise.
    pub(super) output: Option<&'a Path>,
}

/// Reports what the runs found, of several how they differ too, and beside a baseline what changed:
/// whether a gate fails by that.
pub(super) fn report(turns: &[Turn], told: &Told<'_>, clock: &Clock) -> Result<bool, Stop> {
    let files = turns
        .iter()
        .filter_map(|turn| turn.outcome.file.as_ref().ok());
    let files: Vec<PathBuf> = files.cloned().collect();
    // What could not be written stands in the report.
    if told.as_files && files.len() == turns.len() {
        output::print(&files_of(&files, told.repeat)?);
        return Ok(false);
    }
    let finished = files.iter().map(|file| bench_papers::read_load(file));
    let finished = finished
        .collect::<Result<Vec<_>, _>>()
        .map_err(Stop::Config)?;
    let mut papers: Vec<Paper> = turns.iter().map(|turn| turn.paper.clone()).collect();
    if finished.len() > 1 {
        papers.push(analysis(&finished, clock.wall()));
    }
    let mut fails = false;
    if let Some((path, baseline)) = told.baseline {
        let sides = [path.display().to_string(), "this run".to_owned()];
        let compared = bench_papers::loads_side_by_side(baseline, &finished, &sides, clock);
        fails = results::fails(&compared, "the baseline", told.is_gate);
        papers.push(compared);
    }
    let format = told.format;
    let text = match &papers[..] {
        [paper] => render::paper::write(paper, format),
        _ => render::paper::write_all(&papers, format),
    };
    hand_over(told.output, &text)?;
    Ok(fails)
}

fn measure(run: &Run<'_>) -> Result<Outcome, Stop> {
    let bar = std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{bar:20} {msg}");
        style.map_or(bar.clone(), |style| bar.with_style(style))
    });
    let mut progress = |now: &Progress| {
        if let Some(bar) = &bar {
            bar.set_length(now.length.0 / 1_000_000);
            bar.set_position(now.elapsed.0.min(now.length.0) / 1_000_000);
            bar.set_message(now.says());
        }
    };
    let outcome = run.run(&mut progress, &|text| output::note(text));
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    outcome.map_err(Stop::Config)
}
