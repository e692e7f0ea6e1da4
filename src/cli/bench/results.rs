//! `tollgate bench analyze|compare`: what finished runs say, alone and beside each other.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::active::bench::Finished;
use crate::analysis::paper::Paper;
use crate::analysis::render;
use crate::analysis::reports::worse;
use crate::app::bench::FILE;
use crate::app::bench_papers::{analysis, read, side_by_side};
use crate::cli::output;
use crate::cli::report::{Shape, hand_over};
use crate::cli::stored::Stop;
use crate::clock::Clock;

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
    write(&paper, &args.written)?;
    Ok(ExitCode::SUCCESS)
}

/// `bench compare`.
pub(super) fn beside(args: &Compare) -> Result<ExitCode, Stop> {
    let (baseline, result) = (read_all(&args.baseline)?, read_all(&args.result)?);
    let sides = [&args.baseline, &args.result].map(|path| path.display().to_string());
    let paper = side_by_side(&baseline, &result, &sides, &Clock::system());
    let worse = worse(&paper);
    write(&paper, &args.written)?;
    let fails = args.fail_on_regression && !worse.is_empty();
    Ok(ExitCode::from(u8::from(fails)))
}

/// What got worse, said to the user as well.
pub(super) fn worse(compared: &Paper) -> Vec<String> {
    let worse = worse::worse(compared);
    for what in &worse {
        output::note(&format!("worse than the baseline: {what}"));
    }
    worse
}

fn write(paper: &Paper, written: &Written) -> Result<(), Stop> {
    let text = render::paper::write(paper, written.format.format());
    hand_over(written.output.as_deref(), &text)
}

/// Reads the results at `path`: a file, or every one in a folder, the oldest first.
pub(in crate::cli) fn read_all(path: &Path) -> Result<Vec<Finished>, Stop> {
    if path.is_file() {
        return Ok(vec![read(path).map_err(Stop::Config)?]);
    }
    let files = find(path, &[FILE])?;
    let mut runs = files
        .iter()
        .map(|file| read(file))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Stop::Config)?;
    runs.sort_by_key(|run| run.window.from);
    Ok(runs)
}

/// How deep results may lie in a folder: `results/<month>/<run>/benchmark.json`.
const DEPTH: usize = 3;

/// The results in `folder` and in the folders in it: files of those names.
pub(super) fn find(folder: &Path, names: &[&str]) -> Result<Vec<PathBuf>, Stop> {
    let mut found = Vec::new();
    look(folder, DEPTH, names, &mut found)
        .map_err(|error| Stop::Usage(format!("cannot read {}: {error}", folder.display())))?;
    if found.is_empty() {
        let message = format!(
            "{} holds no result: `tollgate bench` writes {} in a folder of each run",
            folder.display(),
            names.join(" or ")
        );
        return Err(Stop::Usage(message));
    }
    found.sort();
    Ok(found)
}

fn look(
    folder: &Path,
    depth: usize,
    names: &[&str],
    found: &mut Vec<PathBuf>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && depth > 1 {
            look(&path, depth - 1, names, found)?;
        } else if names
            .iter()
            .any(|name| path.file_name().is_some_and(|own| own == *name))
        {
            found.push(path);
        }
    }
    Ok(())
}
