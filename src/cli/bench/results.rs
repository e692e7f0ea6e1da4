//! `tollgate bench analyze|compare`: what finished runs say, alone and beside each other.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::active::bench::Finished;
use crate::active::load;
use crate::analysis::paper::Paper;
use crate::analysis::render;
use crate::analysis::reports::worse;
use crate::app::bench::FILE;
use crate::app::bench_papers::{analysis, loads_side_by_side, read, read_load, side_by_side};
use crate::app::load::FILE as LOAD;
use crate::cli::output;
use crate::cli::report::{Shape, hand_over};
use crate::cli::stored::Stop;
use crate::clock::Clock;

/// Which results are read and how what they say is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tollgate bench analyze results\n  \
    tollgate bench analyze results --format markdown --output runs.md\n\n\
    Reads every benchmark.json and load.json in the folder and in the folders in it.")]
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
    surely worse by more than the margin (20 ms or 3 %), 2 a result that cannot be read.\n\
    Two loads are compared step by step."
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
    let clock = Clock::system();
    let files = results(&args.dir)?;
    let mut papers = Vec::new();
    if !files.benches.is_empty() {
        papers.push(analysis(&files.benches()?, &clock));
    }
    if !files.loads.is_empty() {
        papers.push(load::finished::analysis(&files.loads()?, clock.wall()));
    }
    write(&papers, &args.written)?;
    Ok(ExitCode::SUCCESS)
}

/// `bench compare`.
pub(super) fn beside(args: &Compare) -> Result<ExitCode, Stop> {
    let clock = Clock::system();
    let (baseline, result) = (results(&args.baseline)?, results(&args.result)?);
    let sides = [&args.baseline, &args.result].map(|path| path.display().to_string());
    let both =
        |of: fn(&Results) -> &[PathBuf]| !of(&baseline).is_empty() && !of(&result).is_empty();
    let paper = if both(|of| &of.benches) {
        side_by_side(&baseline.benches()?, &result.benches()?, &sides, &clock)
    } else if both(|of| &of.loads) {
        loads_side_by_side(&baseline.loads()?, &result.loads()?, &sides, &clock)
    } else {
        let message = "one of them is a benchmark and the other a load: two of a kind are compared";
        return Err(Stop::Usage(message.to_owned()));
    };
    let worse = worse(&paper);
    write(&[paper], &args.written)?;
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

fn write(papers: &[Paper], written: &Written) -> Result<(), Stop> {
    let format = written.format.format();
    let text = match papers {
        [paper] => render::paper::write(paper, format),
        _ => render::paper::write_all(papers, format),
    };
    hand_over(written.output.as_deref(), &text)
}

/// Reads the results at `path`: a file, or every one in a folder, the oldest first.
pub(in crate::cli) fn read_all(path: &Path) -> Result<Vec<Finished>, Stop> {
    if path.is_file() {
        return Ok(vec![read(path).map_err(Stop::Config)?]);
    }
    let benches = find(path, &[FILE])?;
    let loads = Vec::new();
    Results { benches, loads }.benches()
}

/// Files of results.
struct Results {
    benches: Vec<PathBuf>,
    loads: Vec<PathBuf>,
}

/// The results at `path`: a file, or every one in a folder.
fn results(path: &Path) -> Result<Results, Stop> {
    let files = if path.is_file() {
        vec![path.to_owned()]
    } else {
        find(path, &[FILE, LOAD])?
    };
    let is_load = |path: &PathBuf| path.file_name().is_some_and(|name| name == LOAD);
    let (loads, benches) = files.into_iter().partition(is_load);
    Ok(Results { benches, loads })
}

impl Results {
    /// The benchmarks, the oldest first.
    fn benches(&self) -> Result<Vec<Finished>, Stop> {
        let runs = self.benches.iter().map(|file| read(file));
        let mut runs = runs.collect::<Result<Vec<_>, _>>().map_err(Stop::Config)?;
        runs.sort_by_key(|run| run.window.from);
        Ok(runs)
    }

    fn loads(&self) -> Result<Vec<load::Finished>, Stop> {
        let runs = self.loads.iter().map(|file| read_load(file));
        runs.collect::<Result<_, _>>().map_err(Stop::Config)
    }
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
