//! `tollgate explain`: one exchange, its attempts and their moments.

use std::path::Path;
use std::process::ExitCode;

use super::output;
use super::stored::{Stop, StoreArgs};
use crate::analysis::render::{exchange, explain};
use crate::record::ExchangeId;

/// Explain one exchange: its attempts, their moments, how it ended
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tollgate explain 01a200ae-3f03-774b-8000-000000000063\n\n\
    The id of an exchange is in the response header x-tollgate-exchange, in reports and exports."
)]
pub(super) struct Args {
    /// The exchange's id
    #[arg(value_name = "EXCHANGE")]
    id: ExchangeId,
    #[command(flatten)]
    store: StoreArgs,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    format: Shape,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shape {
    /// For people
    Text,
    /// Every field, as `export` writes them
    Json,
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    match explain(args, config) {
        Ok(code) => code,
        Err(stop) => stop.exit(),
    }
}

fn explain(args: &Args, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let (reader, _) = args.store.open(config)?;
    let record = reader.detail(args.id)?.ok_or_else(|| {
        Stop::Nothing(format!(
            "the store has no exchange {}: it may be too old, or not on the disk yet",
            args.id
        ))
    })?;
    match args.format {
        Shape::Text => output::print(&explain::exchange(&record)),
        Shape::Json => {
            let json = serde_json::to_string_pretty(&exchange::Json(&record));
            output::print(&json.map_err(|error| Stop::Runtime(error.to_string()))?);
        }
    }
    Ok(ExitCode::SUCCESS)
}
