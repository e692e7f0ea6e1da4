//! `tollgate bench analyze|compare`: what finished runs say, alone and beside each other.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::active::bench::{Finished, result};
use crate::active::{eval, load};
use crate::analysis::paper::Paper;
use crate::analysis::render;
use crate::analysis::reports::worse;
use crate::app::bench::FILE;
use crate::app::bench_papers::{analysis, loads_side_by_side, read, read_load, side_by_side};
use crate::app::eval::FILE as EVAL_FILE;
use crate::app::load::FILE as LOAD_FILE;
use crate::cli::output;
use crate::cli::report::{Shape, hand_over};
use crate::cli::stored::Stop;
use crate::clock::Clock;

/// Which results are read and how what they say is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tollgate bench analyze results\n  \
    tollgate bench analyze results --format markdown --output runs.md\n\n\
    Reads every result of a benchmark or a load in the folder and in the folders in it: by name\n\
    (benchmark.json, load.json) or by the schema that a *.json says.")]
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
    surely worse by more than the margin (20 ms or 3 %) or nothing could be compared, 2 a result\n\
    that cannot be read.\n\
    Two loads are compared step by step."
)]
pub(super) struct Compare {
    /// The result that is compared with: a file, or a folder of runs
    baseline: PathBuf,
    /// The result that is judged
    result: PathBuf,
    /// Exit with 1 where anything is worse, surely and by more than the margin, or nothing could be
    /// compared
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
    let fails = fails(&paper, "the baseline", args.fail_on_regression);
    write(&[paper], &args.written)?;
    Ok(ExitCode::from(u8::from(fails)))
}

/// Whether a gate fails by what was compared with `baseline`, where there is one: something is
/// worse, or nothing was compared. What got worse is said to the user in any case, and at a gate
/// what it could not look at.
pub(in crate::cli) fn fails(compared: &Paper, baseline: &str, is_gate: bool) -> bool {
    let worse = worse::worse(compared);
    for what in &worse {
        output::note(&format!("worse than {baseline}: {what}"));
    }
    let empty = worse::is_empty(compared);
    if is_gate {
        for row in worse::missing(compared) {
            output::note(&format!("only in {baseline}, so not compared: {row}"));
        }
        if empty {
            output::note(&format!(
                "nothing could be compared with {baseline}: no row has a number with an interval \
                 on both sides, so --fail-on-regression fails"
            ));
        }
    }
    is_gate && (empty || !worse.is_empty())
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
    let benches = find(path, &[BENCH])?;
    let loads = Vec::new();
    Results { benches, loads }.benches()
}

/// Finished runs of one kind.
pub(in crate::cli) enum Read {
    /// Benchmarks.
    Benches(Vec<Finished>),
    /// Loads.
    Loads(Vec<load::Finished>),
}

/// Reads the results at `path`, which are of one kind.
pub(in crate::cli) fn read_either(path: &Path) -> Result<Read, Stop> {
    let found = results(path)?;
    match (found.benches.is_empty(), found.loads.is_empty()) {
        (_, true) => found.benches().map(Read::Benches),
        (true, false) => found.loads().map(Read::Loads),
        (false, false) => Err(Stop::Usage(format!(
            "{} holds benchmarks and loads: name the folder of a run, or one of each kind",
            path.display()
        ))),
    }
}

/// Reads the results of loads at `path`: a file, or every one in a folder.
pub(in crate::cli) fn read_loads(path: &Path) -> Result<Vec<load::Finished>, Stop> {
    let loads = if path.is_file() {
        vec![path.to_owned()]
    } else {
        find(path, &[LOAD])?
    };
    let benches = Vec::new();
    Results { benches, loads }.loads()
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
        find(path, &[BENCH, LOAD])?
    };
    let is_load = |path: &PathBuf| family_of(path).as_deref() == Some(LOAD.family());
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

/// A kind of result: the name that its file is given, and its schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    name: &'static str,
    schema: &'static str,
}

/// A benchmark.
pub(super) const BENCH: Kind = Kind {
    name: FILE,
    schema: result::SCHEMA,
};
/// A load.
pub(super) const LOAD: Kind = Kind {
    name: LOAD_FILE,
    schema: load::result::SCHEMA,
};

/// An evaluation.
pub(super) const EVAL: Kind = Kind {
    name: EVAL_FILE,
    schema: eval::result::SCHEMA,
};

impl Kind {
    /// What its schema is called, without the version.
    fn family(self) -> &'static str {
        self.schema.split('/').next().unwrap_or_default()
    }
}

/// What the schema of a file of JSON is called, without the version.
fn family_of(path: &Path) -> Option<String> {
    /// Only this much is read of what may be large or none of ours.
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    let file = std::fs::File::open(path).ok()?;
    let head: Head = serde_json::from_reader(BufReader::new(file)).ok()?;
    head.schema.split('/').next().map(str::to_owned)
}

/// The results in `folder` and in the folders in it: files of those kinds, by their names or, as
/// others are called otherwise, by the schema that they say.
pub(super) fn find(folder: &Path, kinds: &[Kind]) -> Result<Vec<PathBuf>, Stop> {
    let mut found = Vec::new();
    look(folder, DEPTH, kinds, &mut found)
        .map_err(|error| Stop::Usage(format!("cannot read {}: {error}", folder.display())))?;
    if found.is_empty() {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
        let message = format!(
            "{} holds no result: a run writes {} in a folder of its own",
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
    kinds: &[Kind],
    found: &mut Vec<PathBuf>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if depth > 1 {
                look(&path, depth - 1, kinds, found)?;
            }
        } else if is_result(&path, kinds) {
            found.push(path);
        }
    }
    Ok(())
}

fn is_result(path: &Path, kinds: &[Kind]) -> bool {
    let named = |kind: &Kind| path.file_name().is_some_and(|name| name == kind.name);
    if kinds.iter().any(named) {
        return true;
    }
    let is_json = path.extension().is_some_and(|of| of == "json");
    let family = is_json.then(|| family_of(path)).flatten();
    family.is_some_and(|family| kinds.iter().any(|kind| kind.family() == family))
}
