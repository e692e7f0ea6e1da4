//! `tollgate export`: raw records, so that any number can be computed again elsewhere.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::output;
use super::stored::{Progress, Stop, StoreArgs, WindowArgs};
use crate::analysis::render::exchange::{self, fields};
use crate::clock::Clock;
use crate::edge::store::Scanned;
use crate::record::ExchangeRecord;

/// Export raw records with every field
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate export --since 7d > records.jsonl\n  \
    tollgate export --since 2026-11-01 --format csv --output records.csv\n  \
    tollgate export --format jsonl | jq '.outcome' | sort | uniq -c\n\n\
    `tollgate export --fields` lists every field with its meaning."
)]
#[command(after_long_help = help())]
pub(super) struct Args {
    #[command(flatten)]
    window: WindowArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// JSON lines, or comma-separated values with one line per attempt
    #[arg(long, value_enum, default_value_t = Shape::Jsonl)]
    format: Shape,
    /// The file to write; stdout otherwise
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// List the fields with their meaning, and export nothing
    #[arg(long)]
    fields: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    /// One JSON object per exchange and line
    Jsonl,
    /// One line per attempt
    Csv,
}

fn help() -> String {
    format!(
        "Examples:\n  tollgate export --since 7d > records.jsonl\n  \
         tollgate export --since 2026-11-01 --format csv --output records.csv\n\n{}",
        fields::help()
    )
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    if args.fields {
        output::print(&fields::help());
        return ExitCode::SUCCESS;
    }
    match export(args, config) {
        Ok(code) => code,
        Err(stop) => stop.exit(),
    }
}

fn export(args: &Args, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let window = args.window.window(&Clock::system())?;
    let (reader, _) = args.store.open(config)?;
    let mut out = Out::open(args.output.as_deref())?;
    let mut written = out.begin(args.format);
    let mut progress = Progress::new("records exported:");
    let mut scanned = Scanned::default();
    if written.is_ok() {
        scanned = reader.records(window.range(), |record| {
            progress.step();
            written = out.record(&record, args.format);
            match written {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        })?;
    }
    drop(progress);
    match written.and_then(|()| out.finish()) {
        // Who reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        Err(error) => return Err(Stop::Runtime(format!("cannot write: {error}"))),
        Ok(()) => {}
    }
    if scanned.damaged > 0 {
        output::note(&format!(
            "tollgate: {} damaged rows were left out: `tollgate db verify`",
            scanned.damaged
        ));
        return Ok(ExitCode::from(1));
    }
    if scanned.rows == 0 {
        output::note("tollgate: the store has no exchange in this window");
    } else if args.output.is_some() {
        output::note(&format!("{} exchanges exported", scanned.rows));
    }
    Ok(ExitCode::SUCCESS)
}

/// Where records go.
struct Out(BufWriter<Box<dyn Write>>);

impl Out {
    fn open(path: Option<&Path>) -> Result<Self, Stop> {
        let out: Box<dyn Write> = match path {
            None => Box::new(io::stdout().lock()),
            Some(path) => Box::new(File::create(path).map_err(|error| {
                Stop::Runtime(format!("cannot write {}: {error}", path.display()))
            })?),
        };
        Ok(Self(BufWriter::with_capacity(1 << 16, out)))
    }

    fn begin(&mut self, shape: Shape) -> io::Result<()> {
        match shape {
            Shape::Jsonl => Ok(()),
            Shape::Csv => self.0.write_all(exchange::header().as_bytes()),
        }
    }

    fn record(&mut self, record: &ExchangeRecord, shape: Shape) -> io::Result<()> {
        match shape {
            Shape::Jsonl => {
                serde_json::to_writer(&mut self.0, &exchange::Json(record))?;
                self.0.write_all(b"\n")
            }
            Shape::Csv => self.0.write_all(exchange::lines(record).as_bytes()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
