//! Files of results: lines as they come, that may be cut off, and files that are there whole or not at all.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread;

use serde_json::Value;

use super::fault::AppFault;
use crate::active::bench::result::Environment;
use crate::active::digest::sha256;
use crate::config::settings::Settings;
use crate::record::{ExchangeRecord, WallTime};
use crate::statistics::DEFINITIONS;

/// What lines of an earlier part of a run said.
pub(super) struct Earlier<T> {
    /// Each whole line.
    pub(super) all: Vec<T>,
    /// How many lines there were, with a last one that was cut off.
    pub(super) lines: usize,
    /// Whether the last line has its end, so that another may follow.
    pub(super) ended: bool,
}

/// Reads lines. A last one that cannot be read was cut off, and is left out.
pub(super) fn earlier<T, E: Display>(
    path: &Path,
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<Earlier<T>, AppFault> {
    let mut earlier = Earlier {
        all: Vec::new(),
        lines: 0,
        ended: true,
    };
    // What is no file (a device that is always full) holds nothing.
    if !path.is_file() {
        return Ok(earlier);
    }
    let bytes = fs::read(path).map_err(|error| unusable(path, &error))?;
    // A character that was cut off is in a line that was.
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    earlier.lines = lines.len();
    earlier.ended = text.is_empty() || text.ends_with('\n');
    for (place, line) in lines.iter().enumerate() {
        match read(line) {
            Ok(found) => earlier.all.push(found),
            Err(_) if place + 1 == lines.len() => {}
            Err(what) => {
                let (path, line) = (path.display(), place + 1);
                return Err(AppFault::Usage(format!("{path} line {line}: {what}")));
            }
        }
    }
    Ok(earlier)
}

/// The name of the file that tells what a run asks, from its beginning on.
pub const PLAN: &str = "plan.json";

/// Whether the folder holds a run of the plan `own`, or none yet. Two runs under one name would be
/// mixed.
pub(super) fn same_plan(folder: &Path, own: &Value) -> Result<(), AppFault> {
    let path = folder.join(PLAN);
    let there = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return write_whole(&path, &format!("{own:#}\n"))
                .map_err(|error| unusable(folder, &error));
        }
        Err(error) => return Err(unusable(folder, &error)),
    };
    let there: Value = serde_json::from_str(&there).unwrap_or_default();
    let differs = |(key, value): &(&String, &Value)| there.get(key.as_str()) != Some(value);
    match own.as_object().into_iter().flatten().find(differs) {
        None => Ok(()),
        Some((key, _)) => {
            let folder = folder.display();
            Err(AppFault::Usage(format!(
                "{folder} holds another run, which differs in `{key}`: name another one with --run or --out"
            )))
        }
    }
}

/// Holds the folder of a run as long as what is returned lives: two programs that write one run
/// would measure everything twice.
pub(super) fn hold(folder: &Path) -> Result<File, AppFault> {
    let held = File::open(folder).map_err(|error| unusable(folder, &error))?;
    match held.try_lock() {
        Err(TryLockError::WouldBlock) => Err(AppFault::Usage(format!(
            "another run is writing in {} now: wait for its end, or name this one with --run",
            folder.display()
        ))),
        // There are file systems without locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(held),
    }
}

/// Whether the folder holds a run of the plan `own`.
pub(super) fn holds_plan(folder: &Path, own: &Value) -> bool {
    let there = fs::read_to_string(folder.join(PLAN)).unwrap_or_default();
    let there: Value = serde_json::from_str(&there).unwrap_or_default();
    let mut own = own.as_object().into_iter().flatten().peekable();
    own.peek().is_some() && own.all(|(key, value)| there.get(key) == Some(value))
}

/// Opens a file whose lines grow.
pub(super) fn lines(path: &Path) -> Result<File, AppFault> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.map_err(|error| unusable(path, &error))
}

/// Says that a file or folder of results cannot be used.
pub(super) fn unusable(path: &Path, error: &io::Error) -> AppFault {
    AppFault::Usage(format!("cannot use {}: {error}", path.display()))
}

/// When a run began whose earlier parts left these records: they may have gone before this one.
pub(super) fn began<'a>(
    earlier: impl Iterator<Item = &'a ExchangeRecord>,
    now: WallTime,
) -> WallTime {
    let first = earlier.map(|record| record.started).min();
    first.map_or(now, |first| first.min(now))
}

/// Writes a file so that it is there whole or not at all.
pub(super) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("part");
    fs::write(&beside, text)?;
    fs::rename(&beside, path)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let held = hold(folder.path()).unwrap();
        let Err(AppFault::Usage(said)) = hold(folder.path()).map(|_| ()) else {
            panic!("two runs in one folder");
        };
        assert!(said.contains("another run is writing in"), "{said}");
        drop(held);
        hold(folder.path()).unwrap();
        assert!(hold(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn a_last_line_that_was_cut_is_left_out_wherever_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        let read = |line: &str| line.strip_suffix('é').map(str::to_owned).ok_or("no é");
        assert_eq!(earlier(&path, read).unwrap().lines, 0, "no file yet");
        let whole = "aé\nbé\n".as_bytes();
        for end in 0..=whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            let found = earlier(&path, read).unwrap();
            let expected = whole[..end].split(|byte| *byte == b'\n');
            let expected = expected.filter(|line| line.ends_with("é".as_bytes()));
            assert_eq!(found.all.len(), expected.count(), "cut at {end}");
            let ended = end == 0 || whole[end - 1] == b'\n';
            assert_eq!(found.ended, ended, "cut at {end}");
        }
        fs::write(&path, "a\nbé\n").unwrap();
        let Err(AppFault::Usage(said)) = earlier(&path, read).map(|_| ()) else {
            panic!("a line within is no line that was cut");
        };
        assert!(said.ends_with("line 1: no é"), "{said}");
    }
}
