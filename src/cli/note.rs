//! `tollgate note`: writes down why something changed, beside the numbers.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::output;
use super::serving::{self, serving};
use super::stored::{Stop, StoreArgs};
use crate::analysis::render::units::{minute, plain};
use crate::analysis::tables::window;
use crate::clock::Clock;
use crate::edge::store::StoreError;
use crate::record::Note;

/// Write down why something changed: shown on trend charts and beside the changes found
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tollgate note add \"moved to eu-west\"\n  \
    tollgate note add \"new system prompt\" --at 3h --route openai/gpt-4.1\n  \
    tollgate note list\n  tollgate note remove 2\n\n\
    Works beside a running server, which then writes it down.")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Add a note
    #[command(
        after_help = "Examples:\n  tollgate note add \"moved to eu-west\"\n  tollgate note add \"new system prompt\" --at 3h --route openai/gpt-4.1"
    )]
    Add {
        /// What it says: one line
        text: String,
        /// The moment that it is about: an age (90m, 24h, 7d) or a date; now otherwise
        #[arg(long, value_name = "WHEN")]
        at: Option<String>,
        /// The provider, or provider/model, that it is about; all otherwise
        #[arg(long, value_name = "ROUTE")]
        route: Option<String>,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// List the notes
    #[command(after_help = "Examples:\n  tollgate note list\n  tollgate note list --format json")]
    List {
        #[command(flatten)]
        store: StoreArgs,
        /// How they are written
        #[arg(long, value_enum, default_value_t = Shape::Text)]
        format: Shape,
    },
    /// Remove a note
    #[command(after_help = "Examples:\n  tollgate note remove 2")]
    Remove {
        /// Its number, as `note list` shows it
        id: u32,
        #[command(flatten)]
        store: StoreArgs,
    },
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
        What::Add {
            text,
            at,
            route,
            store,
        } => add(text, at.as_deref(), route.as_deref(), store, config),
        What::List { store, format } => list(store, *format, config),
        What::Remove { id, store } => remove(*id, store, config),
    };
    done.unwrap_or_else(Stop::exit)
}

fn add(
    text: &str,
    at: Option<&str>,
    route: Option<&str>,
    store: &StoreArgs,
    config: Option<&Path>,
) -> Result<ExitCode, Stop> {
    let now = Clock::system().wall();
    let at = at.map_or(Ok(now), |at| window::date(at, now));
    let note = at
        .and_then(|at| Note::new(at, route, text))
        .map_err(Stop::Usage)?;
    let id = match store.open_to_write(config) {
        Ok(mut open) => open.add_note(&note)?,
        Err(busy @ Stop::Store(StoreError::InUse(_))) => {
            let sent = json!({
                "text": note.text, "at": note.at.rfc3339(), "route": note.route.as_deref(),
            });
            let answer = serving(store, config, busy, "POST", "/api/notes", &sent.to_string())?;
            let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
            answer["id"].as_u64().unwrap_or(0).try_into().unwrap_or(0)
        }
        Err(stop) => return Err(stop),
    };
    output::print(&format!("note {id}, at {}", minute(note.at)));
    Ok(ExitCode::SUCCESS)
}

fn list(store: &StoreArgs, format: Shape, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let (reader, _) = store.open(config)?;
    let notes = reader.notes()?;
    if format == Shape::Json {
        let one = |note: &Note| {
            json!({
                "id": note.id, "at": note.at.rfc3339(), "route": note.route.as_deref(),
                "text": note.text,
            })
        };
        let notes: Vec<Value> = notes.iter().map(one).collect();
        let all = json!({ "schema": "tollgate.notes/1", "notes": notes });
        output::print(&format!("{all:#}"));
        return Ok(ExitCode::SUCCESS);
    }
    for note in &notes {
        let route = note
            .route
            .as_deref()
            .map_or_else(String::new, |route| format!(" ({})", plain(route)));
        output::print(&format!(
            "{:>4}  {}  {}{route}",
            note.id,
            minute(note.at),
            plain(&note.text)
        ));
    }
    if notes.is_empty() {
        output::note("tollgate: no notes: `tollgate note add \"why it changed\"` writes one");
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(id: u32, store: &StoreArgs, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let path = format!("/api/notes?id={id}");
    if !serving::remove(store, config, &path, |open| open.remove_note(id))? {
        return Err(Stop::Usage(format!(
            "there is no note {id}: `tollgate note list`"
        )));
    }
    output::print(&format!("note {id} removed"));
    Ok(ExitCode::SUCCESS)
}
