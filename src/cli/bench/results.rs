//! `tollgate bench analyze|compare`: what finished runs say, alone and beside each other.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::active::bench::{Finished, finished};
use crate::analysis::paper::Paper;
use crate::analysis::render::{self, Format};
use crate::analysis::reports::bench::{self, Item, Kind, Run};
use crate::analysis::reports::compare::{Sides, compared};
use crate::analysis::reports::{Choice, Listed, tax, worse};
use crate::analysis::tables::{Origins, Window};
use crate::app::bench::FILE;
use crate::cli::output;
use crate::cli::report::{Shape, hand_over};
use crate::cli::stored::Stop;
use crate::clock::Clock;
use crate::record::ExchangeRecord;
use crate::ui::papers::{self, Known, Question, Which};

/// Which results are read and how what they say is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tollgate bench analyze results\n  \
    tollgate bench analyze results --format markdown --output runs.md\n\n\
    Reads every benchmark.json in the folder and in the folders in it.")]
pub(super) struct Analyze {
    /// The folder of the runs, or the file of one
    dir: PathBuf,
    #[command(flatten)]
    written: Written,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate bench compare results/monday results/tuesday\n  \
    tollgate bench compare results/monday results/tuesday --fail-on-regression --format json\n\n\
    Exit codes: 0 nothing is worse or nobody asked, 1 with --fail-on-regression where a number is\n\
    surely worse by more than the margin (20 ms or 3 %), 2 a result that cannot be read."
)]
pub(super) struct Compare {
    /// The result that is compared with: a file, or a folder of runs
    baseline: PathBuf,
    /// The result that is judged
    result: PathBuf,
    /// Exit with 1 where anything is worse, surely and by more than the margin
    #[arg(long)]
    fail_on_regression: bool,
    #[command(flatten)]
    written: Written,
}

/// How it is written.
#[derive(Debug, clap::Args)]
struct Written {
    /// How it is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
    /// Write it there; stdout otherwise
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// `bench analyze`.
pub(super) fn analyze(args: &Analyze) -> Result<ExitCode, Stop> {
    let runs = read_all(&args.dir)?;
    let paper = analysis(&runs, &Clock::system());
    write(
        &[paper],
        args.written.format,
        args.written.output.as_deref(),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// How `runs` differ.
pub(super) fn analysis(runs: &[Finished], clock: &Clock) -> Paper {
    bench::analysis(&as_runs(runs), finished::head(runs, clock.wall()))
}

/// The same for reports.
pub(in crate::cli) fn as_runs(runs: &[Finished]) -> Vec<Run<'_>> {
    runs.iter().map(Finished::as_run).collect()
}

/// `bench compare`.
pub(super) fn beside(args: &Compare) -> Result<ExitCode, Stop> {
    let (baseline, result) = (read_all(&args.baseline)?, read_all(&args.result)?);
    let sides = [&args.baseline, &args.result].map(|path| path.display().to_string());
    let paper = side_by_side(&baseline, &result, &sides, &Clock::system());
    let worse = worse(&paper);
    write(
        &[paper],
        args.written.format,
        args.written.output.as_deref(),
    )?;
    let fails = args.fail_on_regression && !worse.is_empty();
    Ok(ExitCode::from(u8::from(fails)))
}

/// What `result` measured less what `baseline` did.
pub(super) fn side_by_side(
    baseline: &[Finished],
    result: &[Finished],
    sides: &Sides,
    clock: &Clock,
) -> Paper {
    compared(&paper(baseline, clock), &paper(result, clock), sides)
}

/// What got worse, said to the user as well.
pub(super) fn worse(compared: &Paper) -> Vec<String> {
    let worse = worse::worse(compared);
    for what in &worse {
        output::note(&format!("worse than the baseline: {what}"));
    }
    worse
}

/// The report `bench` over all of `runs` together.
fn paper(runs: &[Finished], clock: &Clock) -> Paper {
    let mut kinds: Vec<Kind> = Vec::new();
    let mut items: Vec<Item<'_>> = Vec::new();
    for run in runs {
        let first = kinds.len();
        kinds.extend(run.kinds.iter().cloned());
        items.extend(run.items().into_iter().map(|item| Item {
            kind: item.kind + first,
            ..item
        }));
    }
    bench::paper(&kinds, &items, finished::head(runs, clock.wall()))
}

/// The reports that answer what was asked.
pub(super) fn papers(runs: &[Finished], known: &Known, clock: &Clock) -> Result<Vec<Paper>, Stop> {
    let mut papers = Vec::new();
    let Some(first) = runs.first() else {
        return Ok(papers);
    };
    if first.is_paired || has_reference(runs) {
        let asked = tax::Asked {
            reference: first.reference.clone(),
            seed: first.seed,
        };
        papers.push(listed(runs, Which::Tax(asked), known, clock)?);
    }
    papers.push(paper(runs, clock));
    let asked = first.asked();
    let more = [
        (true, Listed::Models),
        (true, Listed::Consistency),
        (asked.regions, Listed::Regions),
        (asked.backends, Listed::Backends),
        (asked.sweep, Listed::Length),
        (asked.json, Listed::JsonTax),
        (first.turns > 1, Listed::Cache),
    ];
    for (_, which) in more.into_iter().filter(|(wanted, _)| *wanted) {
        papers.push(listed(runs, Which::Listed(which), known, clock)?);
    }
    if runs.len() > 1 {
        papers.push(analysis(runs, clock));
    }
    Ok(papers)
}

/// Whether a model was asked for at two providers.
fn has_reference(runs: &[Finished]) -> bool {
    let kinds = || runs.iter().flat_map(|run| &run.kinds);
    kinds().any(|one| {
        let other = |of: &Kind| of.model == one.model && of.provider != one.provider;
        kinds().any(other)
    })
}

fn listed(runs: &[Finished], which: Which, known: &Known, clock: &Clock) -> Result<Paper, Stop> {
    let now = clock.wall();
    let question = Question {
        which,
        window: Window::read(None, None, now).map_err(Stop::Usage)?,
        compare: None,
        origins: Origins::All,
        choice: Choice::default(),
        known: known.clone(),
    };
    let records = runs.iter().flat_map(Finished::records).cloned();
    papers::of_records(&question, records.map(Ok::<ExchangeRecord, Stop>), now)
}

/// Writes the report `bench` of a run as CSV beside its result.
pub(super) fn csv(run: &Finished, folder: &Path, clock: &Clock) -> Result<(), Stop> {
    let text = render::paper::write(&paper(std::slice::from_ref(run), clock), Format::Csv);
    let path = folder.join(FILE).with_extension("csv");
    std::fs::write(&path, text)
        .map_err(|error| Stop::Runtime(format!("cannot write {}: {error}", path.display())))
}

/// Writes reports one under the other.
pub(super) fn write(papers: &[Paper], format: Shape, output: Option<&Path>) -> Result<(), Stop> {
    let texts: Vec<String> = papers
        .iter()
        .map(|paper| render::paper::write(paper, format.format()))
        .collect();
    hand_over(output, &texts.join("\n"))
}

/// Reads the result of a run.
pub(super) fn read(path: &Path) -> Result<Finished, Stop> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Stop::Usage(format!("cannot read {name}: {error}")))?;
    Finished::read(&text).map_err(|what| Stop::Usage(format!("{name} {what}")))
}

/// Reads the results at `path`: a file, or every one in a folder, the oldest first.
pub(in crate::cli) fn read_all(path: &Path) -> Result<Vec<Finished>, Stop> {
    if path.is_file() {
        return Ok(vec![read(path)?]);
    }
    let files = find(path)?;
    let mut runs = files
        .iter()
        .map(|file| read(file))
        .collect::<Result<Vec<_>, _>>()?;
    runs.sort_by_key(|run| run.window.from);
    Ok(runs)
}

/// How deep results may lie in a folder: `results/<month>/<run>/benchmark.json`.
const DEPTH: usize = 3;

/// The results in `folder` and in the folders in it.
pub(super) fn find(folder: &Path) -> Result<Vec<PathBuf>, Stop> {
    let mut found = Vec::new();
    look(folder, DEPTH, &mut found)
        .map_err(|error| Stop::Usage(format!("cannot read {}: {error}", folder.display())))?;
    if found.is_empty() {
        let message = format!(
            "{} holds no result: `tollgate bench` writes {FILE} in a folder of each run",
            folder.display()
        );
        return Err(Stop::Usage(message));
    }
    found.sort();
    Ok(found)
}

fn look(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && depth > 1 {
            look(&path, depth - 1, found)?;
        } else if path.file_name().is_some_and(|name| name == FILE) {
            found.push(path);
        }
    }
    Ok(())
}
