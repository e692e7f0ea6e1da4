//! `tollgate baseline`: saves results under a name, shows them, and compares with them later.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgGroup;
use serde_json::json;

use super::bench::results::{Read, fails, read_either};
use super::output;
use super::report::{Shape, hand_over};
use super::saved::{all, named};
use super::serving::{self, serving};
use super::stored::{OriginArgs, Progress, Stop, StoreArgs};
use crate::active::bench::{Finished, finished};
use crate::active::load;
use crate::analysis::render;
use crate::analysis::render::units::{minute, plain};
use crate::analysis::reports::baseline::{self, Baseline, check_name};
use crate::analysis::tables::{Origins, Window};
use crate::app::bench_papers::{as_runs, loads_side_by_side};
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::edge::store::{StoreError, StoreReader};
use crate::record::WallTime;
use crate::ui::papers::{self, Known};

/// Save results under a name, and compare with them later
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tollgate baseline save november --note \"before the move to eu-west\" --from results/november\n  \
    tollgate baseline save last-week --note \"traffic as it was\" --since 7d\n  \
    tollgate baseline list\n  \
    tollgate baseline show november --format markdown --output november.md\n  \
    tollgate baseline compare november december --fail-on-regression\n  \
    tollgate report drift --baseline november\n\n\
    Works beside a running server, which then writes it down. Exit codes: 0 ok, 1 a regression or\n\
    no such baseline, 2 usage or a result that cannot be read, 3 runtime.")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Save results: of benchmarks in a folder, or of traffic since a moment
    #[command(
        after_help = "Examples:\n  tollgate baseline save november --note \"before the move to eu-west\" --from results/november\n  tollgate baseline save last-week --note \"traffic as it was\" --since 7d"
    )]
    Save(Save),
    /// List what is saved
    #[command(after_help = "Examples:\n  tollgate baseline list\n  tollgate baseline list --json")]
    List {
        #[command(flatten)]
        store: StoreArgs,
        /// Write JSON of the schema tollgate.baselines/1
        #[arg(long)]
        json: bool,
    },
    /// Show a baseline: date, versions, workload, results, anomalies, recommendation
    #[command(
        after_help = "Examples:\n  tollgate baseline show november\n  tollgate baseline show november --format markdown --output november.md"
    )]
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        written: Written,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Compare with a baseline: another one, or traffic of its origin since it was saved
    #[command(
        after_help = "Examples:\n  tollgate baseline compare november\n  tollgate baseline compare november december --fail-on-regression"
    )]
    Compare {
        /// The baseline that is compared with
        name: String,
        /// The baseline that is judged; traffic since otherwise
        other: Option<String>,
        /// Exit with 1 where anything is worse, surely and by more than the margin, or nothing could
        /// be compared
        #[arg(long)]
        fail_on_regression: bool,
        #[command(flatten)]
        written: Written,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Remove a baseline
    #[command(after_help = "Examples:\n  tollgate baseline remove november")]
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// A text that says something.
fn said(text: &str) -> Result<String, String> {
    let text = text.trim();
    let empty = || "it is empty: say what it is a baseline of".to_owned();
    (!text.is_empty())
        .then(|| text.to_owned())
        .ok_or_else(empty)
}

#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("source").required(true).args(["from", "since"])))]
struct Save {
    /// Its name: letters, digits and . _ -
    name: String,
    /// Why: what it is a baseline of
    #[arg(long, value_name = "TEXT", value_parser = said)]
    note: String,
    /// The results of `tollgate bench` or `bench load`: a file, or a folder of runs
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Traffic since then instead: an age (90m, 24h, 7d) or a date
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// End of that traffic, in the same words; now otherwise
    #[arg(long, value_name = "WHEN", requires = "since")]
    until: Option<String>,
    #[command(flatten)]
    origin: OriginArgs,
    #[command(flatten)]
    store: StoreArgs,
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

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    let done = match &args.what {
        What::Save(args) => save(args, config),
        What::List { store, json } => list(store, *json, config),
        What::Show {
            name,
            written,
            store,
        } => show(name, written, store, config),
        What::Compare {
            name,
            other,
            fail_on_regression,
            written,
            store,
        } => {
            let judged = other.as_deref();
            compare(name, judged, *fail_on_regression, written, store, config)
        }
        What::Remove { name, store } => remove(name, store, config),
    };
    done.unwrap_or_else(Stop::exit)
}

fn save(args: &Save, config: Option<&Path>) -> Result<ExitCode, Stop> {
    check_name(&args.name).map_err(Stop::Usage)?;
    let now = Clock::system().wall();
    let made = match &args.from {
        Some(folder) => {
            let settings = args.store.settings(config)?;
            of_folder(folder, &Known::of(settings.as_ref()), now)?
        }
        None => {
            let (since, until) = (args.since.as_deref(), args.until.as_deref());
            let window = Window::read(since, until, now).map_err(Stop::Usage)?;
            let (reader, settings) = args.store.open(config)?;
            of_traffic(
                &reader,
                settings.as_ref(),
                window,
                args.origin.origins(),
                now,
            )?
        }
    };
    if made.rows.is_empty() && made.loads.is_empty() {
        return Err(Stop::Nothing(format!(
            "nothing to save: {} holds no request of a model",
            made.source
        )));
    }
    let made = Baseline {
        name: args.name.clone(),
        note: plain(args.note.trim()),
        ..made
    };
    let text = made.json().to_string();
    let was_free = match args.store.open_to_write(config) {
        Ok(mut store) => store.save_baseline(&args.name, &text)?,
        Err(busy @ Stop::Store(StoreError::InUse(_))) => {
            match serving(&args.store, config, busy, "POST", "/api/baselines", &text) {
                Err(Stop::Usage(_)) => false,
                other => other.map(|_| true)?,
            }
        }
        Err(stop) => return Err(stop),
    };
    if !was_free {
        return Err(Stop::Usage(format!(
            "there is a baseline {0} already: name another, or `tollgate baseline remove {0}`",
            args.name
        )));
    }
    let size = size(&made);
    output::print(&format!(
        "baseline {}: {size} of {}",
        made.name, made.source
    ));
    Ok(ExitCode::SUCCESS)
}

/// How much a baseline holds, in words.
fn size(of: &Baseline) -> String {
    let (count, what) = match of.loads.len() {
        0 => (of.rows.len(), "row"),
        loads => (loads, "load"),
    };
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The baseline of the runs in a folder, with what their files say of themselves.
fn of_folder(folder: &Path, known: &Known, now: WallTime) -> Result<Baseline, Stop> {
    match read_either(folder)? {
        Read::Benches(runs) => Ok(of_benches(&runs, folder, known, now)),
        Read::Loads(runs) => {
            let source = counted(runs.len(), folder);
            Ok(load::saved::baseline(&runs, source, now))
        }
    }
}

/// What a baseline is of, in words.
fn counted(runs: usize, folder: &Path) -> String {
    let many = if runs == 1 { "" } else { "s" };
    format!("{runs} run{many} in {}", folder.display())
}

fn of_benches(runs: &[Finished], folder: &Path, known: &Known, now: WallTime) -> Baseline {
    let head = finished::head(runs, now);
    let made = baseline::of_runs(&as_runs(runs), Some(known.same()), &head, now);
    let first = runs.first().map(|run| &run.file);
    let text = |key: &str| {
        let found = first.and_then(|file| file["environment"][key].as_str());
        found.map(str::to_owned)
    };
    let mut program = text("version").unwrap_or(made.program);
    if let Some(commit) = text("commit") {
        program = format!("{program}, commit {commit}");
    }
    Baseline {
        source: counted(runs.len(), folder),
        program,
        prices: text("prices"),
        workload: first.map(|file| file["plan"].clone()).unwrap_or_default(),
        ..made
    }
}

/// The baseline of the traffic of a window.
fn of_traffic(
    reader: &StoreReader,
    settings: Option<&Settings>,
    window: Window,
    origins: Origins,
    now: WallTime,
) -> Result<Baseline, Stop> {
    let mut progress = Progress::new("exchanges read:");
    let known = Known::of(settings);
    let made = papers::baseline(reader, window, origins, &known, now, || progress.step())?;
    Ok(Baseline {
        prices: settings.map(|settings| settings.prices.version().to_string()),
        ..made
    })
}

fn list(store: &StoreArgs, as_json: bool, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let (reader, _) = store.open(config)?;
    let list = all(&reader)?;
    if as_json {
        let list: Vec<_> = list.iter().map(Baseline::json).collect();
        let all = json!({ "schema": "tollgate.baselines/1", "baselines": list });
        output::print(&format!("{all:#}"));
        return Ok(ExitCode::SUCCESS);
    }
    for of in &list {
        output::print(&format!(
            "{}  {}  {}, {}: {}",
            minute(of.saved),
            of.name,
            size(of),
            plain(&of.source),
            plain(&of.note)
        ));
    }
    if list.is_empty() {
        output::note("tollgate: no baselines: `tollgate baseline save NAME --note WHY --since 7d`");
    }
    Ok(ExitCode::SUCCESS)
}

fn show(
    name: &str,
    written: &Written,
    store: &StoreArgs,
    config: Option<&Path>,
) -> Result<ExitCode, Stop> {
    let (reader, _) = store.open(config)?;
    let (saved, now) = (named(&reader, name)?, Clock::system().wall());
    let (paper, loads) = (baseline::paper(&saved, now), loads(&saved)?);
    let format = written.format.format();
    let text = if loads.is_empty() {
        render::paper::write(&paper, format)
    } else {
        render::paper::write_all(&[paper, load::finished::paper(&loads, now)], format)
    };
    hand_over(written.output.as_deref(), &text)?;
    Ok(ExitCode::SUCCESS)
}

fn compare(
    name: &str,
    other: Option<&str>,
    fail_on_regression: bool,
    written: &Written,
    store: &StoreArgs,
    config: Option<&Path>,
) -> Result<ExitCode, Stop> {
    let now = Clock::system().wall();
    let (reader, settings) = store.open(config)?;
    let before = named(&reader, name)?;
    let after = match other {
        Some(other) => named(&reader, other)?,
        None if !before.loads.is_empty() => {
            return Err(Stop::Usage(format!(
                "{name} is of a load, which traffic cannot be held against: name another baseline, \
                 or `bench load --compare` a result"
            )));
        }
        None => {
            let window = Window {
                from: before.saved,
                until: WallTime(now.0 + 1),
            };
            let origins = Origins::from_name(&before.origin).unwrap_or_default();
            let made = of_traffic(&reader, settings.as_ref(), window, origins, now)?;
            Baseline {
                name: "since".to_owned(),
                ..made
            }
        }
    };
    let both = (!before.loads.is_empty(), !after.loads.is_empty());
    let paper = match both {
        (false, false) => baseline::compared_with(&before, &after, now),
        (true, true) => {
            let sides = [&before, &after].map(|of| format!("{} ({})", of.name, of.source));
            loads_side_by_side(&loads(&before)?, &loads(&after)?, &sides, &Clock::system())
        }
        _ => {
            let message =
                "one of them is of a load and the other is not: two of a kind are compared";
            return Err(Stop::Usage(message.to_owned()));
        }
    };
    let text = render::paper::write(&paper, written.format.format());
    hand_over(written.output.as_deref(), &text)?;
    let fails = fails(&paper, name, fail_on_regression);
    Ok(ExitCode::from(u8::from(fails)))
}

/// The loads that a baseline was saved of.
fn loads(of: &Baseline) -> Result<Vec<load::Finished>, Stop> {
    load::saved::loads(of).map_err(Stop::Usage)
}

fn remove(name: &str, store: &StoreArgs, config: Option<&Path>) -> Result<ExitCode, Stop> {
    check_name(name).map_err(Stop::Usage)?;
    let path = format!("/api/baselines?name={name}");
    if !serving::remove(store, config, &path, |open| open.remove_baseline(name))? {
        return Err(Stop::Nothing(format!(
            "there is no baseline {name}: `tollgate baseline list`"
        )));
    }
    output::print(&format!("baseline {name} removed"));
    Ok(ExitCode::SUCCESS)
}
