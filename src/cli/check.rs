//! `tollgate check`: validates a config, all problems at once.

use std::path::Path;
use std::process::ExitCode;

use super::output;
use crate::app::{AppFault, sources};

/// Validate a config: every problem with its key, line, what was found and what was expected
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate check\n  tollgate check --config tollgate.toml --format json"
)]
pub(super) struct Args {
    /// How to print the findings
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    let path = sources::config_path(config);
    let shown = path.as_ref().map_or_else(
        || "environment".to_owned(),
        |path| path.display().to_string(),
    );
    match sources::load(path.as_deref()) {
        Ok(loaded) => {
            let providers = loaded.settings.providers.len();
            let models = loaded.settings.models.len();
            if args.format == Format::Json {
                let warnings: Vec<_> = loaded
                    .warnings
                    .iter()
                    .map(super::super::config::problem::Problem::view)
                    .collect();
                let view = serde_json::json!({
                    "file": shown, "ok": true, "providers": providers, "models": models,
                    "problems": warnings,
                });
                output::print(&view.to_string());
            } else {
                for warning in &loaded.warnings {
                    output::print(&warning.render(&shown));
                }
                output::print(&format!(
                    "{shown}: ok, {providers} provider(s), {models} model(s)"
                ));
            }
            ExitCode::SUCCESS
        }
        Err(AppFault::Config(problems)) if args.format == Format::Json => {
            output::print(&problems.view().to_string());
            ExitCode::from(2)
        }
        Err(fault) => output::fail(&fault),
    }
}
