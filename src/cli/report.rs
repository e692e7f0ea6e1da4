//! `tollgate report`: what was measured, from the store, also of a running server.

use std::path::Path;
use std::process::ExitCode;

use super::output;
use super::stored::{Progress, RouteArgs, Stop, StoreArgs, WindowArgs};
use crate::analysis::render::{self, Format};
use crate::clock::Clock;
use crate::ui::rows;

/// Reports of what was measured
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  tollgate report routes\n  \
    tollgate report routes --since 7d --model gpt-4.1\n  \
    tollgate report routes --since 2026-11-01 --format csv > routes.csv\n\n\
    A quantile is shown only where enough numbers stand behind it (p50 6, p95 72, p99 368).\n\
    Reports read beside a running server. The HTML format is not there yet: see the page.")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Each way to a model: failures, latency, speed, tokens, cost, own delay
    Routes(Routes),
}

#[derive(Debug, clap::Args)]
struct Routes {
    #[command(flatten)]
    window: WindowArgs,
    #[command(flatten)]
    of: RouteArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shape {
    /// A table, at most 100 columns wide
    Table,
    /// Markdown tables
    Markdown,
    /// JSON of the schema tollgate.report.routes/1
    Json,
    /// Comma-separated values (RFC 4180)
    Csv,
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    let What::Routes(args) = &args.what;
    match routes(args, config) {
        Ok(code) => code,
        Err(stop) => stop.exit(),
    }
}

fn routes(args: &Routes, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let clock = Clock::system();
    let window = args.window.window(&clock)?;
    let (reader, settings) = args.store.open(config)?;
    let asked = args.of.asked(window);
    let mut progress = Progress::new("exchanges read:");
    let seen = || progress.step();
    let report = rows::routes(&reader, &asked, settings.as_ref(), clock.wall(), seen)?;
    drop(progress);
    let format = match args.format {
        Shape::Table => Format::Table,
        Shape::Markdown => Format::Markdown,
        Shape::Json => Format::Json,
        Shape::Csv => Format::Csv,
    };
    output::print(&render::routes(&report, format));
    if report.scanned == 0 {
        output::note(
            "tollgate: the store has no exchange in this window; a wider --since may find some",
        );
    } else if report.taken == 0 {
        output::note(
            "tollgate: none of the exchanges in this window is of that kind; --origin all takes every origin",
        );
    }
    Ok(ExitCode::SUCCESS)
}
