//! `tollgate db`: looks after the store.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::output;
use super::stored::{Stop, StoreArgs};
use crate::analysis::render::units::thousands;
use crate::edge::store::{StoreError, Verified, journal_is_left};

/// Verify, compact or back up the store
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate db verify\n  tollgate db compact\n  \
    tollgate db backup /backups/tollgate-2026-11-22.redb\n\n\
    Exit codes: 0 sound, 1 something is damaged, 2 no such store, 3 in use or not readable"
)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Check every page and row, and that roll-ups are what their records give; not beside a server. A damaged store stays as it is
    #[command(
        after_help = "Examples:\n  tollgate db verify\n  tollgate db verify --store old.redb --format json"
    )]
    Verify(Plain),
    /// Pack the file, leaving damaged rows out; not beside a server, and with as much free space. Where rows are left out the file as it was is kept beside it. A store that cannot be opened stays as it is
    #[command(
        after_help = "Examples:\n  tollgate db compact\n  tollgate db compact --store old.redb"
    )]
    Compact(Plain),
    /// Copy the store to a new file, also beside a running server
    #[command(
        after_help = "Examples:\n  tollgate db backup /backups/tollgate-2026-11-22.redb\n  tollgate db backup rescued.redb --store tollgate.redb.corrupt-20261122"
    )]
    Backup {
        /// The file to write; it must not exist
        to: PathBuf,
        #[command(flatten)]
        plain: Plain,
    },
}

#[derive(Debug, clap::Args)]
struct Plain {
    #[command(flatten)]
    store: StoreArgs,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    format: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    /// For people
    Text,
    /// For programs
    Json,
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    let done = match &args.what {
        What::Verify(plain) => verify(plain, config),
        What::Compact(plain) => compact(plain, config),
        What::Backup { to, plain } => backup(plain, to, config),
    };
    match done {
        Ok(code) => code,
        Err(stop) => stop.exit(),
    }
}

/// The same, and of a damaged store what to do about it: it was left as it is.
fn told(stop: Stop, plain: &Plain, config: Option<&Path>) -> Stop {
    let Stop::Store(error @ StoreError::Damaged { .. }) = stop else {
        return stop;
    };
    let settings = plain.store.settings(config).ok().flatten();
    let path = plain.store.path(settings.as_ref());
    let path = path.map_or_else(|_| "FILE".to_owned(), |path| path.display().to_string());
    Stop::Nothing(format!(
        "{error}; nothing was changed\n`tollgate db backup rescued.redb --store {path}` copies \
         what can still be read: put that in its place, or `tollgate serve` moves the damaged file \
         aside and begins a new one"
    ))
}

fn verify(plain: &Plain, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let opened = plain.store.open_to_write(config);
    let found = opened.and_then(|mut store| store.verify().map_err(Stop::Store));
    let found = found.map_err(|stop| told(stop, plain, config))?;
    match plain.format {
        Shape::Text => output::print(&verified(&found)),
        Shape::Json => output::print(&format!(
            "{:#}",
            json!({
                "sound": found.is_clean(),
                "records": found.records,
                "damaged": found.damaged,
                "unmatched": found.unmatched,
                "rollups": found.rollups,
                "rollups_wrong": found.rollups_wrong,
                "pages_sound": found.pages_sound,
            })
        )),
    }
    Ok(ExitCode::from(u8::from(!found.is_clean())))
}

fn verified(found: &Verified) -> String {
    if found.is_clean() {
        return format!(
            "sound: {} exchanges, {} roll-ups equal to their records",
            thousands(found.records),
            thousands(found.rollups)
        );
    }
    let advice = if found.damaged > 0 || !found.pages_sound {
        "`tollgate db compact` leaves damaged rows out, and keeps the file as it was beside it"
    } else {
        "every row that is left is sound; what its other half told is lost: reports count what \
         summaries and roll-ups still tell, `explain` and `export` have whole exchanges only"
    };
    format!(
        "not sound: {} exchanges read, {} rows damaged, {} unmatched, {} of {} roll-ups wrong, \
         pages {}\n{advice}",
        thousands(found.records),
        found.damaged,
        found.unmatched,
        found.rollups_wrong,
        found.rollups,
        if found.pages_sound {
            "sound"
        } else {
            "damaged"
        },
    )
}

fn compact(plain: &Plain, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let opened = plain.store.open_to_write(config);
    let done = opened.and_then(|store| store.compact().map_err(Stop::Store));
    let (_, done) = done.map_err(|stop| told(stop, plain, config))?;
    match plain.format {
        Shape::Text => output::print(&format!(
            "{} bytes, before {}; {} damaged rows left out{}",
            thousands(done.after),
            thousands(done.before),
            done.damaged,
            done.kept.as_ref().map_or_else(String::new, |kept| format!(
                "\nthe file as it was is {}",
                kept.display()
            ))
        )),
        Shape::Json => output::print(&format!(
            "{:#}",
            json!({
                "before": done.before, "after": done.after, "damaged": done.damaged,
                "kept": done.kept.map(|kept| kept.display().to_string()),
            })
        )),
    }
    Ok(ExitCode::from(u8::from(done.damaged > 0)))
}

/// What keeps a copy from being written there.
fn check_target(to: &Path) -> Result<(), String> {
    let name = to.display();
    if to.exists() {
        return Err(format!("{name} exists already: name a new file"));
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Err(format!(
            "cannot write {name}: there is no folder {}",
            folder.display()
        )),
        _ => Ok(()),
    }
}

fn backup(plain: &Plain, to: &Path, config: Option<&Path>) -> Result<ExitCode, Stop> {
    check_target(to).map_err(Stop::Usage)?;
    // By a reader: a server may go on writing.
    let (reader, settings) = plain.store.open(config)?;
    if journal_is_left(&plain.store.path(settings.as_ref())?) {
        match plain.store.open_to_write(config) {
            // It is the running server's, which commits it in a moment.
            Err(Stop::Store(StoreError::InUse(_))) => {}
            // What can be read is copied of a damaged one too.
            Err(Stop::Store(error @ StoreError::Damaged { .. })) => output::note(&format!(
                "tollgate: {error}; what its journal holds is not in the copy"
            )),
            // A killed one's belongs into the copy.
            opened => drop(opened?),
        }
    }
    let damaged = reader.backup(to)?;
    match plain.format {
        Shape::Text => output::print(&format!(
            "copied to {}; {damaged} damaged rows left out",
            to.display()
        )),
        Shape::Json => output::print(&format!(
            "{:#}",
            json!({
                "to": to.display().to_string(), "damaged": damaged,
            })
        )),
    }
    Ok(ExitCode::from(u8::from(damaged > 0)))
}
