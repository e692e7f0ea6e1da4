//! Looks through the folder of results: which runs there are, and which files of theirs are shown.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::head;
use crate::active::named::is_run_name;
use crate::app::results::{PLAN, write_whole};
use crate::app::{bench, eval, load};
use crate::record::WallTime;
use crate::ui::desk::{Refused, RunShown};

/// The name of the file that tells what a run is and how it ended.
const STATE: &str = "run.json";
/// The name of the file that says it all of a round of probes.
pub(super) const PROBE: &str = "probe.json";
/// The reports of a run, by their endings.
pub(super) const REPORTS: [&str; 3] = ["report.html", "report.md", "report.txt"];
/// Runs listed at most.
const LISTED_MAX: usize = 200;

/// Files of a run that are handed out.
fn files() -> impl Iterator<Item = &'static str> {
    let of_kinds = [
        bench::FILE,
        "benchmark.csv",
        load::FILE,
        load::CSV,
        load::TRACE,
        eval::FILE,
        PROBE,
        bench::LINES,
        eval::LINES,
        PLAN,
    ];
    REPORTS.into_iter().chain(of_kinds)
}

/// Writes down what a run is, and how it ended where it has.
pub(super) fn note(folder: &Path, shown: &RunShown) -> io::Result<()> {
    let value = json!({
        "schema": "tollgate.run/1",
        "run": shown.run,
        "kind": shown.kind,
        "state": shown.state,
        "began": shown.began.map(|at| at.0),
        "ended": shown.ended.map(|at| at.0),
        "seed": shown.seed,
        "says": shown.says,
        "done": shown.done,
        "of": shown.of,
        "notes": shown.notes,
        "words": shown.words,
    });
    write_whole(&folder.join(STATE), &format!("{value:#}\n"))
}

/// The runs in `folder`, the newest first.
pub(super) fn list(folder: &Path) -> Result<Vec<RunShown>, Refused> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(&error)),
    };
    let dated = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        let changed = fs::symlink_metadata(&path)
            .ok()
            .filter(fs::Metadata::is_dir)?;
        is_run_name(&name).then_some((changed.modified().ok(), name))
    };
    let mut names: Vec<_> = entries
        .flatten()
        .filter_map(|entry| dated(entry.path()))
        .collect();
    names.sort();
    let newest = names.into_iter().rev().take(LISTED_MAX);
    let mut found: Vec<RunShown> = newest
        .filter_map(|(_, name)| shown(folder, &name).ok())
        .collect();
    found.sort_by_key(|run| std::cmp::Reverse(run.began));
    Ok(found)
}

/// The run of that name in `folder`.
pub(super) fn shown(folder: &Path, name: &str) -> Result<RunShown, Refused> {
    let place = place(folder, name)?;
    let state = fs::read_to_string(place.join(STATE)).unwrap_or_default();
    let state: Value = serde_json::from_str(&state).unwrap_or_default();
    let text = |key: &str| state[key].as_str().map(str::to_owned);
    let date = |key: &str| state[key].as_i64().map(WallTime);
    let files: Vec<(String, u64)> = files()
        .filter_map(|file| {
            let found = fs::symlink_metadata(place.join(file)).ok()?;
            found.is_file().then(|| (file.to_owned(), found.len()))
        })
        .collect();
    let there = |name: &str| files.iter().any(|(file, _)| file == name);
    // Runs of the command say by their files what they are.
    let by_file = [
        (bench::FILE, "bench"),
        (load::FILE, "load"),
        (eval::FILE, "eval"),
        (PROBE, "probe"),
    ];
    let by_file = by_file.iter().find(|(file, _)| there(file));
    let kind = text("kind").or_else(|| by_file.map(|(_, kind)| (*kind).to_owned()));
    let Some(kind) = kind else {
        return Err(missing(name));
    };
    let (mut began, mut ended) = (date("began"), date("ended"));
    let mut end = match text("state").as_deref() {
        // One that was going on when the program ended was cut off with it.
        Some("going" | "stopping") => Some("broken".to_owned()),
        other => other.map(str::to_owned),
    };
    let mut seed = state["seed"].as_u64();
    let mut says = text("says").unwrap_or_default();
    let count = |key: &str| state[key].as_u64().unwrap_or_default();
    let mut done = (count("done"), count("of"));
    // A run of the command tells it in its result; so does one of the page that the command ended.
    let told = by_file.map(|(file, _)| head::read(&place.join(file)));
    if let Some(told) = told.filter(|told| told.ended.is_some() && told.ended > ended) {
        began = told.began.or(began);
        seed = told.seed.or(seed);
        (ended, end) = (told.ended, told.end.or(end));
        says.clear();
        done = (0, 0);
    }
    let notes = state["notes"].as_array().into_iter().flatten();
    Ok(RunShown {
        run: name.to_owned(),
        kind,
        state: end.unwrap_or_else(|| "unknown".to_owned()),
        began,
        ended,
        seed,
        says,
        done: done.0,
        of: done.1,
        notes: notes
            .filter_map(|note| Some(note.as_str()?.to_owned()))
            .collect(),
        files,
        words: state["words"].as_object().cloned().unwrap_or_default(),
    })
}

/// A file of a run, and its bytes: one of those that are handed out, and no link to another.
pub(super) fn open(folder: &Path, name: &str, file: &str) -> Result<(File, u64), Refused> {
    let none = || Refused::Missing(format!("run {name} has no file {file}"));
    let file = files().find(|known| *known == file).ok_or_else(none)?;
    let path = place(folder, name)?.join(file);
    let found = fs::symlink_metadata(&path).map_err(|_| none())?;
    if !found.is_file() {
        return Err(none());
    }
    let opened = File::open(&path).map_err(|error| unreadable(&error))?;
    Ok((opened, found.len()))
}

/// The folder of a run. Its name leads nowhere else.
pub(super) fn place(folder: &Path, name: &str) -> Result<PathBuf, Refused> {
    let path = folder.join(name);
    let there = is_run_name(name) && fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
    there.then_some(path).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Refused {
    Refused::Missing(format!("there is no run {name}: /runs lists them"))
}

fn unreadable(error: &io::Error) -> Refused {
    Refused::Failed(format!(
        "the folder of results (`runs.folder`) cannot be read: {error}"
    ))
}
